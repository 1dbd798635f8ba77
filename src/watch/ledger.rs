//! Where a machine's decisions are made to last.
//!
//! Owns the seam between watching and keeping: the journal in the daemon, a printed timeline in a replay. Refuses to know
//! either.

use super::subject::{About, Subject};
use crate::condition::{Effect, State};
use crate::frame::Frame;
use crate::time::Now;
use crate::verdict::Verdict;

/// What a step decided.
pub struct Happening<'a> {
    /// The moment of the decision.
    pub now: Now,
    /// Which machine.
    pub about: &'a About,
    /// In order; never empty.
    pub effects: &'a [Effect],
    /// The state that holds once this is recorded.
    pub state: &'a State,
    /// The check that led to it, if one did; a trigger always has one.
    pub evidence: Option<Evidence<'a>>,
}

/// A frame, and what was said about it.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// Who asked what of whom.
    pub subject: &'a Subject,
    /// The frame that was checked.
    pub frame: &'a Frame,
    /// What the check said.
    pub verdict: &'a Verdict,
}

/// Why something was not recorded.
pub type Refused = Box<dyn std::error::Error + Send + Sync>;

/// Makes decisions last.
pub trait Ledger {
    /// Records all effects together with the state, or nothing.
    ///
    /// # Errors
    /// It is not recorded; the machine must stay where it was.
    fn record(&mut self, happening: Happening<'_>) -> Result<(), Refused>;

    /// A check was answered. Nothing has to be kept of it.
    fn verdict(&mut self, _about: &About, _verdict: &Verdict, _seen: Now) {}
}
