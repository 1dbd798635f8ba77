//! Whose turn it is: frames that come, wait, are shown to the machines of a camera, or are given up.
//!
//! Owns the order of frames, the backlog's and the newest one's; refuses to know how a model is asked. On the watch thread.

use std::sync::Arc;

use super::{Standing, Watcher};
use crate::condition::Input;
use crate::event::SkipReason;
use crate::frame::{Frame, Motion};
use crate::time::Now;
use crate::watch::ledger::Ledger;

impl Watcher {
    /// A frame came.
    pub fn frame(&mut self, ledger: &mut dyn Ledger, now: Now, frame: Frame) {
        if let Some(given_up) = self.backlog.put(frame) {
            self.give_up(ledger, now, &given_up);
        }
        self.catch_up(ledger, now);
    }

    /// Shows the frames of the backlog whose turn it is.
    pub(super) fn catch_up(&mut self, ledger: &mut dyn Ledger, now: Now) {
        while let Some((frame, patient)) = self.backlog.next() {
            if patient && !self.has_time_for(frame) {
                return;
            }
            let Some(frame) = self.backlog.take() else { return };
            self.turn_of(ledger, now, Arc::new(frame));
        }
    }

    /// Whether nobody who is due at a frame still looks at an older one.
    fn has_time_for(&self, frame: &Frame) -> bool {
        (0..self.machines.len()).filter(|index| self.is_due(*index, frame)).all(|index| {
            let way = &self.ways[index];
            let free = self.lanes[way.first().0].standing() == Standing::Free;
            free && !way.missed && !self.is_under_way(index)
        })
    }

    /// A frame that nobody will look at.
    fn give_up(&mut self, ledger: &mut dyn Ledger, now: Now, frame: &Frame) {
        for index in 0..self.machines.len() {
            self.machines[index].witness(frame);
            let due = self.is_due(index, frame);
            self.tell(ledger, now, index, if due { Input::Skipped(SkipReason::Load) } else { Input::Passed(1) });
        }
    }

    /// It is a frame's turn.
    fn turn_of(&mut self, ledger: &mut dyn Ledger, now: Now, frame: Arc<Frame>) {
        let mut passed = vec![false; self.machines.len()];
        for (index, passed) in passed.iter_mut().enumerate() {
            if std::mem::take(&mut self.ways[index].missed) {
                self.tell(ledger, now, index, Input::Skipped(SkipReason::Load));
            }
            self.machines[index].witness(&frame);
            let due = self.is_due(index, &frame);
            self.ways[index].missed = due && !self.machines[index].passes_over(ledger, now, frame.arrived.mono);
            *passed = !due;
        }
        let mut taken_along = Vec::new();
        for lane in 0..self.lanes.len() {
            taken_along.extend(self.look(ledger, now, lane, &frame));
        }
        for index in (0..self.machines.len()).filter(|index| passed[*index] && !taken_along.contains(index)) {
            self.tell(ledger, now, index, Input::Passed(1));
        }
        self.keep_newest(frame);
    }

    /// Keeps a frame for those who could not look at it at once, if there are any.
    pub(super) fn keep_newest(&mut self, frame: Arc<Frame>) {
        self.newest = self.ways.iter().any(|way| way.missed).then_some(frame);
    }

    /// No frame will be looked at any more.
    pub(super) fn forget_frames(&mut self, ledger: &mut dyn Ledger, now: Now) {
        while let Some(frame) = self.backlog.take() {
            self.give_up(ledger, now, &frame);
        }
        self.forget_waiting(ledger, now, |_| true);
    }

    /// No live frame that waits for a lane will be looked at.
    pub(super) fn forget_live_frames(&mut self, ledger: &mut dyn Ledger, now: Now) {
        self.forget_waiting(ledger, now, |frame| frame.motion != Motion::SleptThrough);
    }

    fn forget_waiting(&mut self, ledger: &mut dyn Ledger, now: Now, gives_up: impl Fn(&Frame) -> bool) {
        self.newest = None;
        for index in 0..self.ways.len() {
            let way = &mut self.ways[index];
            let referred = way.referred.take_if(|frame| gives_up(frame)).is_some();
            let missed = std::mem::take(&mut way.missed);
            for _ in [missed, referred].into_iter().filter(|waited| *waited) {
                self.tell(ledger, now, index, Input::Skipped(SkipReason::Load));
            }
        }
    }
}
