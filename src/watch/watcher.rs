//! All machines of one camera: which of them looks at which frame, and what each of them is told.
//!
//! Owns the order of things on a camera; refuses to know where frames come from (a live camera or a clip), what a ledger
//! does, and how anybody waits. It never blocks in a model: frames go out by [`Watcher::frame`], answers come back by
//! [`Watcher::reply`]. Both the daemon's watch threads and `replay` drive it.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::lane::Lane;
use super::ledger::Ledger;
use super::machine::Machine;
use crate::condition::Input;
use crate::event::{JobReason, SkipReason};
use crate::frame::Frame;
use crate::model::{Handle, Reply};
use crate::time::{Mono, Now};

/// All machines of one camera.
pub struct Watcher {
    machines: Vec<Machine>,
    lanes: Vec<Lane>,
    /// For each machine, the index of its lane.
    lane_of: Vec<usize>,
    /// The newest frame, for lanes that were busy when it came.
    newest: Option<Arc<Frame>>,
    /// For each machine, whether `newest` was due but found its lane busy.
    missed: Vec<bool>,
    replies: Receiver<Reply>,
}

impl Watcher {
    /// Machines with the model that judges each; those that share a model share an inference.
    pub fn new(machines: Vec<(Machine, Handle)>) -> Watcher {
        // One request may be outstanding per lane, and there are no more lanes than machines: replies always find room.
        let (sender, replies): (Sender<Reply>, _) = bounded(machines.len().max(1));
        let mut lanes: Vec<Lane> = Vec::new();
        let mut lane_of = Vec::new();
        let mut kept = Vec::new();
        for (machine, model) in machines {
            let name = &model.model().identity().name;
            let lane = lanes.iter().position(|lane| lane.model() == name).unwrap_or_else(|| {
                lanes.push(Lane::new(model.clone(), lanes.len() as u64, sender.clone()));
                lanes.len() - 1
            });
            lane_of.push(lane);
            kept.push(machine);
        }
        let missed = vec![false; kept.len()];
        Watcher { machines: kept, lanes, lane_of, newest: None, missed, replies }
    }

    /// The machines.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// Where replies arrive: hand each to [`Watcher::reply`].
    pub fn replies(&self) -> &Receiver<Reply> {
        &self.replies
    }

    /// Whether an answer is outstanding.
    pub fn is_waiting(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.is_free())
    }

    /// From when on a frame is wanted; None: nobody looks at this camera.
    pub fn due(&self) -> Option<Mono> {
        self.machines.iter().filter_map(Machine::due).min()
    }

    /// `count` frames passed that nobody had asked for.
    pub fn passed(&mut self, ledger: &mut dyn Ledger, now: Now, count: u64) {
        if count > 0 {
            self.tell_all(ledger, now, Input::Passed(count));
        }
    }

    /// A frame came.
    pub fn frame(&mut self, ledger: &mut dyn Ledger, now: Now, frame: Frame) {
        let frame = Arc::new(frame);
        for index in 0..self.machines.len() {
            if std::mem::take(&mut self.missed[index]) {
                self.tell(ledger, now, index, Input::Skipped(SkipReason::Load));
            }
            let due = self.machines[index].due().is_some_and(|due| frame.arrived.mono >= due);
            if due {
                self.missed[index] = true;
            } else {
                self.tell(ledger, now, index, Input::Passed(1));
            }
        }
        for lane in 0..self.lanes.len() {
            self.look(ledger, now, lane, &frame);
        }
        self.newest = Some(frame);
    }

    /// A model answered.
    pub fn reply(&mut self, ledger: &mut dyn Ledger, now: Now, reply: Reply) {
        let lane = usize::try_from(reply.tag).unwrap_or(usize::MAX);
        let Some(answered) = self.lanes.get_mut(lane).and_then(|lane| lane.receive(reply)) else { return };
        for (nth, index) in answered.asking.into_iter().enumerate() {
            let machine = &mut self.machines[index];
            match &answered.seen {
                Some(sight) => {
                    let verdict = machine.subject().question.judge(sight.of(nth));
                    machine.check(ledger, now, &answered.frame, verdict);
                }
                None => machine.tell(ledger, now, Input::Abstain),
            }
        }
        if let Some(newest) = self.newest.clone().filter(|newest| !Arc::ptr_eq(newest, &answered.frame)) {
            self.look(ledger, now, lane, &newest);
        }
    }

    /// Nothing came.
    pub fn tick(&mut self, ledger: &mut dyn Ledger, now: Now) {
        self.tell_all(ledger, now, Input::Tick);
    }

    /// The camera gives pictures.
    pub fn online(&mut self, ledger: &mut dyn Ledger, now: Now) {
        self.tell_all(ledger, now, Input::CameraBack);
    }

    /// The camera is away.
    pub fn lost(&mut self, ledger: &mut dyn Ledger, now: Now) {
        self.forget_newest();
        self.tell_all(ledger, now, Input::CameraLost);
    }

    /// All jobs end.
    pub fn stop(&mut self, ledger: &mut dyn Ledger, now: Now, reason: JobReason) {
        self.forget_newest();
        self.tell_all(ledger, now, Input::Stop(reason));
    }

    /// Sends `frame` into a free lane, on behalf of every machine of that lane that is due.
    fn look(&mut self, ledger: &mut dyn Ledger, now: Now, lane: usize, frame: &Arc<Frame>) {
        if !self.lanes[lane].is_free() {
            return;
        }
        let arrived = frame.arrived.mono;
        let asking: Vec<usize> = (0..self.machines.len())
            .filter(|index| self.lane_of[*index] == lane)
            .filter(|index| self.machines[*index].due().is_some_and(|due| arrived >= due))
            .collect();
        if asking.is_empty() {
            return;
        }
        let mut questions = Vec::with_capacity(asking.len());
        for index in &asking {
            self.missed[*index] = false;
            self.machines[*index].scheduled(arrived);
            questions.push((*index, self.machines[*index].asks(now, frame.arrived)));
        }
        if !self.lanes[lane].send(frame, questions) {
            asking.into_iter().for_each(|index| self.tell(ledger, now, index, Input::Abstain));
        }
    }

    fn forget_newest(&mut self) {
        self.newest = None;
        self.missed.fill(false);
    }

    fn tell(&mut self, ledger: &mut dyn Ledger, now: Now, index: usize, input: Input) {
        self.machines[index].tell(ledger, now, input);
    }

    fn tell_all(&mut self, ledger: &mut dyn Ledger, now: Now, input: Input) {
        for machine in &mut self.machines {
            machine.tell(ledger, now, input);
        }
    }
}
