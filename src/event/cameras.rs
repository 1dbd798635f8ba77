//! What happens to cameras themselves: they go away, and they come back.
//!
//! Owns the data of these two events; refuses to know when an absence is worth one (`presence`). Plain data.

use serde::{Deserialize, Serialize};

use crate::time::Wall;

/// `camera.offline`: a camera gives no pictures, or always the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraOffline {
    /// A word for the latest reason: `stalled`, `auth`, …
    pub cause: String,
    /// When its pictures stopped; when the daemon was started, if none came since.
    pub since: Wall,
    /// It went away together with all others: look at the network or at this box first.
    pub common: bool,
    /// Times that it was away since the latest event about it, beside this one: too short, or too often, to be told.
    pub flaps: u64,
}

/// `camera.online`: a camera that was told to be offline gives pictures again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraOnline {
    /// As in the `camera.offline` that it ends.
    pub cause: String,
    /// The same.
    pub since: Wall,
    /// From then until its pictures came to stay.
    pub down_ms: u64,
    /// Times that it was there for a moment meanwhile.
    pub flaps: u64,
}
