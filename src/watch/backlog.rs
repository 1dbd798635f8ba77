//! Frames that wait for their turn.
//!
//! Owns the order in which frames of a camera that woke up, and those that come meanwhile, are shown to its machines;
//! refuses to know who looks. Plain data, on the watch thread.
//!
//! A camera that wakes up hands over what it slept through, many frames at once: these are looked at one after the other,
//! because the event began somewhere among them. Of the live frames that come meanwhile the newest waits, as always.

use std::collections::VecDeque;

use crate::camera::MAX_BURST;
use crate::frame::{Frame, Motion};

/// What waits: [`MAX_BURST`] frames of the past at most, and one live one.
#[derive(Debug, Default)]
pub struct Backlog {
    past: VecDeque<Frame>,
    live: Option<Frame>,
}

impl Backlog {
    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.past.is_empty() && self.live.is_none()
    }

    /// A frame came. The one that has to give way for it comes back.
    pub fn put(&mut self, frame: Frame) -> Option<Frame> {
        if frame.motion != Motion::SleptThrough {
            return self.live.replace(frame);
        }
        let oldest = if self.past.len() >= MAX_BURST { self.past.pop_front() } else { None };
        self.past.push_back(frame);
        oldest
    }

    /// The next one, and whether it must wait until whoever is to look at it has time.
    pub fn next(&self) -> Option<(&Frame, bool)> {
        self.past.front().map(|frame| (frame, true)).or(self.live.as_ref().map(|frame| (frame, false)))
    }

    /// Takes the next one.
    pub fn take(&mut self) -> Option<Frame> {
        self.past.pop_front().or_else(|| self.live.take())
    }
}
