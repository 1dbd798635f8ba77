//! How frames reach a machine's verdict: by its own model, or past its candidate first.
//!
//! Owns where a machine stands on that way; refuses to move it (`Watcher` does). Plain data.

use std::sync::Arc;

use super::candidate::Candidate;
use super::machine::Machine;
use crate::frame::Frame;
use crate::model::Handle;

/// A machine, the model that judges for it, and what decides whether that one is asked.
pub struct Asker {
    /// The machine.
    pub machine: Machine,
    /// Its own model.
    pub model: Handle,
    /// `only_when`
    pub candidate: Option<Candidate>,
}

/// A machine's way through the lanes.
pub(super) struct Way {
    /// The lane of its own model.
    pub(super) own: usize,
    /// The lane of its candidate.
    pub(super) candidate: Option<(usize, Candidate)>,
    /// The newest frame is due, and no lane has taken it yet.
    pub(super) missed: bool,
    /// The frame that its candidate sent on, while its own lane is busy.
    pub(super) referred: Option<Arc<Frame>>,
}

impl Way {
    /// Where a frame goes first, and as what.
    pub(super) fn first(&self) -> (usize, bool) {
        self.candidate.as_ref().map_or((self.own, false), |(lane, _)| (*lane, true))
    }
}
