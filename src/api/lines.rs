//! The lines that scripts read: names and order of every field, in one place (contracts/api.md, "Lines that scripts read").
//!
//! Owns how journal rows are written as JSON, for the API and for a CLI that reads the journal itself; refuses to know
//! HTTP and tables. Plain data. States and types are text, so that a CLI can show what a newer daemon says.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use uuid::Uuid;

use crate::event::{
    CameraOffline, CameraOnline, Cleared, ClipReport, EventData, JobReport, JournalReset, Metadata, Triggered,
};
use crate::journal::{AttemptRow, DeliveryBrief, DeliveryRow, EventRow};
use crate::name::Name;
use crate::time::Wall;
use crate::verdict::rounded;

/// A wall time as `2026-01-26T10:35:00.120Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc(pub Wall);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Utc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Utc, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        Ok(Utc(Wall(at.as_millisecond())))
    }
}

/// Some rows, and how to ask for those behind them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The oldest first.
    pub items: Vec<T>,
    /// `?after=` of the next page; null when this is the last one for now.
    pub next: Option<i64>,
}

/// `events --json`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// Its place in the order of everything.
    pub seq: i64,
    /// One and the same on every endpoint.
    pub id: Uuid,
    /// [`crate::event::EventType::as_str`].
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was observed.
    pub observed_at: Utc,
    /// Where; null for what concerns the whole box.
    pub camera: Option<Name>,
    /// Which monitor; null as above.
    pub monitor: Option<Name>,
    /// Which run of it; null as above.
    pub job_id: Option<Uuid>,
    /// Of the verdict that triggered; null for other types.
    pub confidence: Option<f64>,
    /// Why the camera was away; only of events of a camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What is owed because of it.
    pub deliveries: Vec<DeliveryBriefLine>,
    /// Only of a monitor that rehearses (`shadow = true`): the endpoints that would have been owed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Vec<Name>>,
}

/// A delivery in the line of its event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveryBriefLine {
    /// The same on every attempt.
    pub id: Uuid,
    /// To whom.
    pub endpoint: Name,
    /// Per endpoint, without gaps.
    pub sequence: u64,
    /// [`crate::delivery::State::as_str`].
    pub state: String,
    /// Attempts burnt.
    pub attempts: u32,
}

/// One event with all that it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventDetail {
    /// As it is listed.
    #[serde(flatten)]
    pub line: EventLine,
    /// Which box.
    pub device: String,
    /// Orders delivery.
    pub priority: String,
    /// Passed through to receivers.
    pub metadata: Metadata,
    /// Whether `/v1/events/{id}/frame` has a picture.
    pub frame: bool,
    /// The clip that shows it; only of alerts that were recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<Uuid>,
    /// What happened; its fields depend on the type.
    pub data: Value,
}

/// `deliveries --json`, `dlq list --json`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveryLine {
    /// The same on every attempt.
    pub id: Uuid,
    /// Of which event.
    pub event_id: Uuid,
    /// To whom.
    pub endpoint: Name,
    /// Per endpoint, without gaps.
    pub sequence: u64,
    /// [`crate::delivery::State::as_str`].
    pub state: String,
    /// Why it is held or dead.
    pub reason: Option<String>,
    /// Attempts burnt.
    pub attempts: u32,
    /// POSTs made.
    pub tries: u32,
    /// When it is to be tried (again); null when it is over.
    pub due_at: Option<Utc>,
    /// The HTTP status of the last attempt.
    pub last_status: Option<u16>,
    /// The error of the last attempt.
    pub last_error: Option<String>,
}

/// One delivery with its attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveryDetail {
    /// As it is listed.
    #[serde(flatten)]
    pub line: DeliveryLine,
    /// The event's place in the order of everything.
    pub event_seq: i64,
    /// When it was accepted.
    pub accepted_at: Utc,
    /// When it was over.
    pub ended_at: Option<Utc>,
    /// How often an operator sent it back into the queue.
    pub redriven: u32,
    /// Times it was held.
    pub holds: u32,
    /// Seconds it was held altogether.
    pub held_s: f64,
    /// A POST may have arrived although no answer was seen.
    pub maybe_received: bool,
    /// The oldest first.
    pub attempt_log: Vec<AttemptLine>,
}

/// One POST, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptLine {
    /// When it was started.
    pub started_at: Utc,
    /// Milliseconds until the status line, or until it failed.
    pub took_ms: u64,
    /// [`crate::delivery::Outcome::class`].
    pub outcome: String,
    /// The HTTP status, if one arrived.
    pub status: Option<u16>,
    /// For people.
    pub error: Option<String>,
    /// The beginning of the response's body.
    pub snippet: Option<String>,
}

impl From<EventRow> for EventLine {
    fn from(row: EventRow) -> EventLine {
        let EventRow { seq, event, deliveries, shadow, .. } = row;
        let confidence = match &event.data {
            EventData::Triggered(triggered) => Some(rounded(triggered.confidence)),
            _ => None,
        };
        let cause = match &event.data {
            EventData::CameraOffline(CameraOffline { cause, .. })
            | EventData::CameraOnline(CameraOnline { cause, .. }) => Some(cause.clone()),
            _ => None,
        };
        EventLine {
            seq,
            id: event.id,
            kind: event.data.kind().as_str().to_owned(),
            observed_at: Utc(event.observed.wall),
            camera: event.camera,
            monitor: event.monitor,
            job_id: event.job,
            confidence,
            cause,
            deliveries: deliveries.into_iter().map(DeliveryBriefLine::from).collect(),
            shadow,
        }
    }
}

impl From<DeliveryBrief> for DeliveryBriefLine {
    fn from(brief: DeliveryBrief) -> DeliveryBriefLine {
        let DeliveryBrief { id, endpoint, sequence, state, attempts } = brief;
        DeliveryBriefLine { id, endpoint, sequence, state: state.as_str().to_owned(), attempts }
    }
}

impl EventDetail {
    /// Of an event and the clip that shows it.
    pub fn of(row: EventRow, clip: Option<Uuid>) -> EventDetail {
        EventDetail {
            clip,
            device: row.event.device.clone(),
            priority: row.event.priority.as_str().to_owned(),
            metadata: row.event.metadata.clone(),
            frame: row.frame.is_some(),
            data: said(&row.event.data),
            line: row.into(),
        }
    }
}

impl From<DeliveryRow> for DeliveryLine {
    fn from(row: DeliveryRow) -> DeliveryLine {
        let standing = row.standing;
        DeliveryLine {
            id: row.id,
            event_id: row.event_id,
            endpoint: row.endpoint,
            sequence: row.sequence,
            state: standing.state.as_str().to_owned(),
            reason: standing.reason,
            attempts: standing.attempts,
            tries: standing.tries,
            due_at: standing.state.is_open().then_some(Utc(standing.due)),
            last_status: row.last_status,
            last_error: row.last_error,
        }
    }
}

impl From<(DeliveryRow, Vec<AttemptRow>)> for DeliveryDetail {
    fn from((row, attempts): (DeliveryRow, Vec<AttemptRow>)) -> DeliveryDetail {
        DeliveryDetail {
            event_seq: row.event_seq,
            accepted_at: Utc(row.accepted),
            ended_at: row.ended.map(Utc),
            redriven: row.redriven,
            holds: row.standing.holds,
            held_s: row.standing.held.as_secs_f64(),
            maybe_received: row.standing.maybe_received,
            attempt_log: attempts.into_iter().map(AttemptLine::from).collect(),
            line: row.into(),
        }
    }
}

impl From<AttemptRow> for AttemptLine {
    fn from(row: AttemptRow) -> AttemptLine {
        AttemptLine {
            started_at: Utc(row.started),
            took_ms: u64::try_from(row.took.as_millis()).unwrap_or(u64::MAX),
            outcome: row.outcome,
            status: row.status,
            error: row.error,
            snippet: row.snippet,
        }
    }
}

/// What an event says beyond its line, in the words of contracts/payloads.md.
fn said(data: &EventData) -> Value {
    match data {
        EventData::Triggered(triggered) => triggered_data(triggered),
        EventData::Cleared(cleared) => cleared_data(cleared),
        EventData::JobStatus(report) => job_data(report),
        EventData::CameraOffline(offline) => serde_json::json!({
            "cause": offline.cause, "since": Utc(offline.since), "common": offline.common, "flaps": offline.flaps,
        }),
        EventData::CameraOnline(online) => serde_json::json!({
            "cause": online.cause, "since": Utc(online.since), "down_s": online.down_ms as f64 / 1000.0,
            "flaps": online.flaps,
        }),
        EventData::Heartbeat(heartbeat) => serde_json::json!(heartbeat),
        EventData::JournalReset(reset) => reset_data(reset),
        EventData::JournalOverflow(overflow) => serde_json::json!(overflow),
        EventData::Clip(report) => clip_data(report),
    }
}

/// Without links: whoever may read this makes their own.
fn clip_data(report: &ClipReport) -> Value {
    serde_json::json!({
        "clip": report.clip, "trigger_event_id": report.alert, "duration_s": report.duration_ms as f64 / 1000.0,
        "bytes": report.bytes, "sha256": report.sha256,
    })
}

fn triggered_data(triggered: &Triggered) -> Value {
    let regions: Vec<Value> = triggered
        .regions
        .iter()
        .map(|region| {
            let bounds = region.bounds.map(rounded);
            serde_json::json!({"label": region.label, "score": rounded(region.score), "box": bounds})
        })
        .collect();
    serde_json::json!({
        "open_id": triggered.open_id,
        "repeat": triggered.repeat,
        "condition": triggered.condition,
        "answer": triggered.answer,
        "threshold": rounded(triggered.threshold),
        "explanation": triggered.explanation,
        "regions": regions,
        "model": triggered.model,
        "source_url": triggered.source_url,
        "started_at": Utc(triggered.started),
    })
}

fn cleared_data(cleared: &Cleared) -> Value {
    serde_json::json!({
        "open_id": cleared.open_id,
        "condition": cleared.condition,
        "started_at": Utc(cleared.started),
        "ended_at": Utc(cleared.ended),
        "duration_s": cleared.ended.since(cleared.started).as_secs_f64(),
        "peak_confidence": rounded(cleared.peak_confidence),
        "reason": cleared.reason,
    })
}

fn reset_data(reset: &JournalReset) -> Value {
    serde_json::json!({
        "salvaged": reset.salvaged,
        "lost_ranges": reset.lost,
        "previous_epoch": reset.previous_epoch,
    })
}

fn job_data(report: &JobReport) -> Value {
    serde_json::json!({
        "status": report.reason.status(),
        "reason": report.reason,
        "auto_stopped": report.reason.auto_stopped(),
        "checks_performed": report.counters.checks_performed,
        "triggers_fired": report.counters.triggers_fired,
        "frames_skipped": report.counters.frames_skipped,
        "verdict_errors": report.counters.verdict_errors,
        "elapsed_seconds": report.counters.elapsed_ms / 1000,
    })
}
