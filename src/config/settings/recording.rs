//! What of alerts is recorded, and how much of that is kept.
//!
//! Owns `[recording]` and a monitor's `clip`; refuses to know how anything is recorded (`recording`). Plain data.

use std::time::Duration;

/// `[recording]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Bytes of all clips, of those of `[storage] max_size`.
    pub max_size: u64,
    /// How long clips are kept once nobody is owed their alerts any more.
    pub keep: Duration,
    /// How long a link to a clip opens it.
    pub link_expiry: Duration,
}

/// `clip`: how much is recorded of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Before what triggered.
    pub before: Duration,
    /// After the event has ended.
    pub after: Duration,
    /// The most of it altogether; at least `before` and `after`.
    pub max: Duration,
}
