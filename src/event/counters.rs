//! What a job did, in numbers.
//!
//! Owns what is counted, and the reasons for which a frame isn't checked; refuses to count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a job did. Behind by up to 5 s after a kill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Verdicts asked for, abstentions included.
    pub checks_performed: u64,
    /// `monitor.triggered` events, repeats included.
    pub triggers_fired: u64,
    /// Frames seen but not checked, by reason (gate, rate, load).
    pub frames_skipped: BTreeMap<SkipReason, u64>,
    /// Checks that ended without an answer.
    pub verdict_errors: u64,
    /// Run time so far in milliseconds, from the job's first frame, not counting powered-off time.
    pub elapsed_ms: u64,
}

impl Counters {
    /// Frames seen but not checked, for whatever reason.
    pub fn skipped(&self) -> u64 {
        self.frames_skipped.values().sum()
    }
}

/// Why a frame was seen but not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The gate saw that nothing moved.
    NothingMoved,
    /// It was not yet time for the next check (`check_interval`).
    Rate,
    /// The model was still busy with an earlier frame.
    Load,
}

impl SkipReason {
    /// Every reason there is.
    pub const ALL: [SkipReason; 3] = [SkipReason::NothingMoved, SkipReason::Rate, SkipReason::Load];

    /// As in JSON lines.
    pub fn as_str(self) -> &'static str {
        match self {
            SkipReason::NothingMoved => "nothing_moved",
            SkipReason::Rate => "rate",
            SkipReason::Load => "load",
        }
    }
}
