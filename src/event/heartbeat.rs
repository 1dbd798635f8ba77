//! What was really watched in a while: the heartbeat of the box.
//!
//! Owns the data of this event, with the keys that receivers see; refuses to know how it is counted and when it is told
//! (`heartbeat`). Plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::SkipReason;
use crate::name::Name;

/// `device.heartbeat`: the box is alive, and this is what it has watched since the one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The time that it accounts for, in seconds: since the one before that the same endpoints were owed; else since the
    /// daemon started.
    pub interval_s: f64,
    /// Every camera.
    pub cameras: Vec<CameraPulse>,
    /// Every monitor on every camera of its own.
    pub monitors: Vec<MonitorPulse>,
    /// Every endpoint.
    pub endpoints: Vec<EndpointPulse>,
    /// Of the daemon.
    pub version: String,
    /// Whole seconds since the daemon started. Less than `interval_s`: it was started within the interval, and the counts
    /// are those since then.
    pub uptime_s: u64,
}

/// A camera in a heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraPulse {
    /// Its name.
    pub camera: Name,
    /// connecting, online, offline, ended: at this moment.
    pub state: String,
    /// all, keyframes, awake: what is decoded at this moment.
    pub decode: String,
    /// Pictures decoded within the interval.
    pub frames_decoded: u64,
    /// Age of the newest picture in seconds; null before the first.
    pub last_frame_age_s: Option<f64>,
}

/// A monitor on a camera in a heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitorPulse {
    /// Its name.
    pub monitor: Name,
    /// On which camera.
    pub camera: Name,
    /// Checks that were answered within the interval; 0 of one that is disabled or whose job has ended.
    pub checks: u64,
    /// Frames seen but not checked within the interval, by reason; every reason is there.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Of the latest verdict since the daemon started, 0 to 1, four decimals; null before the first.
    pub last_confidence: Option<f64>,
    /// Age of that verdict's picture in seconds; null before the first.
    pub last_check_age_s: Option<f64>,
    /// The open event's id, as its alert has it; null: there is none.
    pub open: Option<Uuid>,
}

/// An endpoint in a heartbeat, before the heartbeat itself was owed to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointPulse {
    /// Its name.
    pub endpoint: Name,
    /// Deliveries that wait for their first or next attempt.
    pub pending: u64,
    /// Deliveries that are held.
    pub held: u64,
    /// Dead letters.
    pub dead: u64,
    /// How long the oldest that is still owed has waited, in seconds; null: nothing is owed.
    pub oldest_s: Option<f64>,
}
