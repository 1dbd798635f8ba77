//! Events: immutable facts that we owe the world.
//!
//! Owns what each type of event says; refuses to know how a receiver wants it written (`payload/`), where it goes
//! (`delivery`) and how it is kept (`journal/`).

mod cameras;
mod clips;
mod counters;
mod heartbeat;
mod notices;

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::name::Name;
use crate::time::{Boot, Now, Wall};
use crate::verdict::{Answer, Region};

pub use cameras::{CameraOffline, CameraOnline};
pub use clips::{AlertClip, ClipReport, ClipStage};
pub use counters::{Counters, SkipReason};
pub use heartbeat::{CameraPulse, EndpointPulse, Heartbeat, MonitorPulse};
pub use notices::{DroppedRange, JournalOverflow, JournalReset, SequenceRange};

/// Free key/value pairs of a monitor, passed through to receivers in the order given.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// The types of event, by the names that receivers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// `monitor.triggered`
    Triggered,
    /// `monitor.cleared`
    Cleared,
    /// `job.status`
    JobStatus,
    /// `camera.offline`
    CameraOffline,
    /// `camera.online`
    CameraOnline,
    /// `device.heartbeat`
    Heartbeat,
    /// `journal.reset`
    JournalReset,
    /// `journal.overflow`
    JournalOverflow,
    /// `clip.received`
    ClipReceived,
    /// `clip.started`
    ClipStarted,
    /// `clip.partial`
    ClipPartial,
    /// `clip.ready`
    ClipReady,
    /// `clip.failed`
    ClipFailed,
}

impl EventType {
    /// Every type there is.
    pub const ALL: [EventType; 13] = [
        EventType::Triggered,
        EventType::Cleared,
        EventType::JobStatus,
        EventType::CameraOffline,
        EventType::CameraOnline,
        EventType::Heartbeat,
        EventType::JournalReset,
        EventType::JournalOverflow,
        EventType::ClipReceived,
        EventType::ClipStarted,
        EventType::ClipPartial,
        EventType::ClipReady,
        EventType::ClipFailed,
    ];

    /// The name that receivers see.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::Triggered => "monitor.triggered",
            EventType::Cleared => "monitor.cleared",
            EventType::JobStatus => "job.status",
            EventType::CameraOffline => "camera.offline",
            EventType::CameraOnline => "camera.online",
            EventType::Heartbeat => "device.heartbeat",
            EventType::JournalReset => "journal.reset",
            EventType::JournalOverflow => "journal.overflow",
            EventType::ClipReceived => "clip.received",
            EventType::ClipStarted => "clip.started",
            EventType::ClipPartial => "clip.partial",
            EventType::ClipReady => "clip.ready",
            EventType::ClipFailed => "clip.failed",
        }
    }

    /// The type of that name.
    pub fn parse(text: &str) -> Option<EventType> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Orders delivery and dropping, never inference. The derived order puts `Critical` first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Overtakes everything, may use the disk's reserve.
    Critical,
    /// Before normal.
    High,
    /// What a monitor has unless it says otherwise.
    #[default]
    Normal,
    /// Dropped first.
    Low,
}

impl Priority {
    /// Every priority, most urgent first.
    pub const ALL: [Priority; 4] = [Priority::Critical, Priority::High, Priority::Normal, Priority::Low];

    /// As in the configuration and in payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Critical => "critical",
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }
}

/// One fact. Its id is one and the same on every endpoint and channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// UUIDv7.
    pub id: Uuid,
    /// When it was observed: the arrival of the frame that decided it, or the moment of a tick.
    pub observed: Now,
    /// The boot that `observed.mono` belongs to.
    pub boot: Boot,
    /// The box, `[device] id`.
    pub device: String,
    /// Where; None for what concerns the whole box.
    pub camera: Option<Name>,
    /// Which monitor; None for what concerns the box or a camera.
    pub monitor: Option<Name>,
    /// Which run of the monitor; None as above.
    pub job: Option<Uuid>,
    /// Orders delivery.
    pub priority: Priority,
    /// The monitor's metadata, passed through.
    pub metadata: Metadata,
    /// What happened.
    pub data: EventData,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EventData {
    /// A condition holds.
    Triggered(Triggered),
    /// It no longer does.
    Cleared(Cleared),
    /// A job ended.
    JobStatus(JobReport),
    /// A camera went away.
    CameraOffline(CameraOffline),
    /// It came back.
    CameraOnline(CameraOnline),
    /// What was watched in a while.
    Heartbeat(Heartbeat),
    /// The journal was damaged and began anew.
    JournalReset(JournalReset),
    /// The journal was full and dropped what it owed.
    JournalOverflow(JournalOverflow),
    /// Something became of the clip of an alert.
    Clip(ClipReport),
}

impl EventData {
    /// The type of event that this is.
    pub fn kind(&self) -> EventType {
        match self {
            EventData::Triggered(_) => EventType::Triggered,
            EventData::Cleared(_) => EventType::Cleared,
            EventData::JobStatus(_) => EventType::JobStatus,
            EventData::CameraOffline(_) => EventType::CameraOffline,
            EventData::CameraOnline(_) => EventType::CameraOnline,
            EventData::Heartbeat(_) => EventType::Heartbeat,
            EventData::JournalReset(_) => EventType::JournalReset,
            EventData::JournalOverflow(_) => EventType::JournalOverflow,
            EventData::Clip(report) => report.stage.kind(),
        }
    }
}

/// `monitor.triggered`: a positive verdict that survived threshold, hold and cooldown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Triggered {
    /// Joins this event with its repeats and its `monitor.cleared`.
    pub open_id: Uuid,
    /// 0 for the first alert, then 1, 2, … while it still holds.
    pub repeat: u32,
    /// The monitor's condition, verbatim.
    pub condition: String,
    /// What the model answered.
    pub answer: Answer,
    /// Calibrated, 0 to 1.
    pub confidence: f32,
    /// The monitor's confidence threshold.
    pub threshold: f32,
    /// In words.
    pub explanation: String,
    /// What supports it.
    pub regions: Vec<Region>,
    /// The score before calibration.
    pub z: Option<f32>,
    /// The share of probability on yes or no.
    pub answer_mass: Option<f32>,
    /// Which model said so.
    pub model: ModelIdentity,
    /// The camera's URL, stripped of credentials.
    pub source_url: String,
    /// The first positive check of the hold window.
    pub started: Wall,
    /// What the monitor calls its events; empty in rows of releases that had none.
    #[serde(default)]
    pub label: String,
    /// When the event starts (`started`), in milliseconds of the job's run time; 0 in such rows, and where the job has
    /// been off since.
    #[serde(default)]
    pub from_ms: u64,
    /// When the check was made that triggers, in the same milliseconds.
    #[serde(default)]
    pub to_ms: u64,
    /// What shows it, where it is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<AlertClip>,
}

/// A model as receivers can tell it from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// Its name in the configuration.
    pub name: Name,
    /// SHA-256 over the file that computes (lower-case hex).
    pub sha256: String,
}

/// `monitor.cleared`: the condition no longer holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cleared {
    /// The same as in the alert that it ends.
    pub open_id: Uuid,
    /// The monitor's condition, verbatim.
    pub condition: String,
    /// `observed_at` of the first alert's frame.
    pub started: Wall,
    /// When it was seen to be over.
    pub ended: Wall,
    /// The highest confidence in between.
    pub peak_confidence: f32,
    /// Why it ended.
    pub reason: ClearReason,
}

/// Why an open event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearReason {
    /// Checks said so for `clear_after`.
    Cleared,
    /// The camera was away for `lost_after`.
    CameraLost,
    /// The job was stopped.
    JobStopped,
}

impl ClearReason {
    /// As receivers see it.
    pub fn as_str(self) -> &'static str {
        match self {
            ClearReason::Cleared => "cleared",
            ClearReason::CameraLost => "camera_lost",
            ClearReason::JobStopped => "job_stopped",
        }
    }
}

/// The life of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waits for its first frame.
    Pending,
    /// Frames are checked.
    Running,
    /// Ended by its limit, by hand, or by a change of its definition.
    Stopped,
    /// Ended because it had done what it was for.
    Completed,
    /// Never got a frame.
    Failed,
}

impl JobStatus {
    /// As receivers see it.
    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Pending => "pending",
            JobStatus::Running => "running",
            JobStatus::Stopped => "stopped",
            JobStatus::Completed => "completed",
            JobStatus::Failed => "failed",
        }
    }
}

/// Why a job ended. The status follows from it (contracts/condition.md, "Jobs").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobReason {
    /// The limit that the job was given.
    MaxDurationReached,
    /// `stop_on_trigger`.
    ConditionTriggered,
    /// An operator, the API, or `enabled = false`.
    UserRequested,
    /// A clip came to its end.
    StreamEnded,
    /// No frame for five minutes from the start (jobs of the API).
    StreamError,
    /// The monitor was changed in, or removed from, the file.
    DefinitionChanged,
}

impl JobReason {
    /// As receivers see it.
    pub fn as_str(self) -> &'static str {
        match self {
            JobReason::MaxDurationReached => "max_duration_reached",
            JobReason::ConditionTriggered => "condition_triggered",
            JobReason::UserRequested => "user_requested",
            JobReason::StreamEnded => "stream_ended",
            JobReason::StreamError => "stream_error",
            JobReason::DefinitionChanged => "definition_changed",
        }
    }

    /// The status in which a job ends for this reason.
    pub fn status(self) -> JobStatus {
        match self {
            JobReason::MaxDurationReached | JobReason::UserRequested | JobReason::DefinitionChanged => {
                JobStatus::Stopped
            }
            JobReason::ConditionTriggered | JobReason::StreamEnded => JobStatus::Completed,
            JobReason::StreamError => JobStatus::Failed,
        }
    }

    /// Receivers start a job again when it was stopped automatically: true for the duration limit only.
    pub fn auto_stopped(self) -> bool {
        self == JobReason::MaxDurationReached
    }
}

/// `job.status`: a job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobReport {
    /// Why.
    pub reason: JobReason,
    /// What it did.
    pub counters: Counters,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the journal of the release before wrote it.
    #[test]
    fn an_alert_of_an_older_journal_is_read() {
        let row = r#"{"Triggered":{"open_id":"00000000-0000-0000-0000-000000000003","repeat":0,"condition":"a","answer":"yes",
            "confidence":0.9,"threshold":0.8,"explanation":"b","regions":[],"z":null,"answer_mass":null,
            "model":{"name":"m","sha256":"ab"},"source_url":"rtsp://h/s","started":5}}"#;
        let EventData::Triggered(read) = serde_json::from_str(row).unwrap() else { panic!("{row}") };
        assert_eq!((read.label.as_str(), read.from_ms, read.to_ms), ("", 0, 0));
    }
}
