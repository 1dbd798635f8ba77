//! What is read from the journal.
//!
//! Owns the shapes that readers hand out; refuses to know SQL and JSON lines. Plain data.

use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use super::body::Body;
use super::entry::Standing;
use crate::delivery::State;
use crate::event::{Event, EventType, JobStatus, Priority};
use crate::name::Name;
use crate::time::Wall;

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those behind this place in the order of everything; 0: from the first.
    pub after: i64,
    /// At most so many, the oldest first.
    pub limit: u32,
    /// Only of this monitor.
    pub monitor: Option<Name>,
    /// Only of this type.
    pub kind: Option<EventType>,
}

/// An event as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Its place in the order of everything.
    pub seq: i64,
    /// As it was recorded.
    pub event: Event,
    /// The file of the original frame.
    pub frame: Option<PathBuf>,
    /// What is owed because of it.
    pub deliveries: Vec<DeliveryBrief>,
    /// Of a monitor that only rehearses: the endpoints that would have been owed it. None: it is armed.
    pub shadow: Option<Vec<Name>>,
}

/// A delivery in one line of its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryBrief {
    /// Its id.
    pub id: Uuid,
    /// To whom.
    pub endpoint: Name,
    /// Per endpoint, without gaps.
    pub sequence: u64,
    /// Where it stands.
    pub state: State,
    /// Attempts burnt.
    pub attempts: u32,
}

/// Which deliveries. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only in this state.
    pub state: Option<State>,
    /// Only what is still owed, whichever of the open states it is in.
    pub owed: bool,
    /// Only held or dead for this reason.
    pub reason: Option<String>,
    /// Only to this endpoint.
    pub endpoint: Option<Name>,
    /// Only those accepted then or later.
    pub since: Option<Wall>,
    /// Only those accepted before.
    pub until: Option<Wall>,
    /// Only those behind this [`DeliveryRow::n`]; 0: from the first.
    pub after: i64,
    /// At most so many, the oldest first.
    pub limit: u32,
}

/// A delivery as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its place in the order of acceptance, for paging.
    pub n: i64,
    /// Its id.
    pub id: Uuid,
    /// Of which event.
    pub event_id: Uuid,
    /// The event's place in the order of everything.
    pub event_seq: i64,
    /// To whom.
    pub endpoint: Name,
    /// Per endpoint, without gaps.
    pub sequence: u64,
    /// Where it stands.
    pub standing: Standing,
    /// How often an operator sent it back into the queue.
    pub redriven: u32,
    /// When it was accepted.
    pub accepted: Wall,
    /// When it reached a final state.
    pub ended: Option<Wall>,
    /// The HTTP status of the last attempt, or what a mail server answered.
    pub last_status: Option<u16>,
    /// The error of the last attempt.
    pub last_error: Option<String>,
}

/// A dead letter of a monitor's event, with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The frozen body without its frame.
    pub body: String,
    /// Attempts burnt.
    pub attempts: u32,
    /// Where it stands.
    pub state: State,
    /// Why.
    pub reason: Option<String>,
    /// The HTTP status of the last attempt.
    pub last_status: Option<u16>,
    /// The error of the last attempt.
    pub last_error: Option<String>,
}

/// An attempt as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// When it was started.
    pub started: Wall,
    /// Until the status line, or until it failed.
    pub took: Duration,
    /// [`crate::delivery::Outcome::class`].
    pub outcome: String,
    /// The HTTP status or the code of a mail server, if one arrived.
    pub status: Option<u16>,
    /// For people.
    pub error: Option<String>,
    /// The beginning of the response's body.
    pub snippet: Option<String>,
}

/// A delivery with everything that the sender needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// Its place in the order of acceptance.
    pub n: i64,
    /// Its id.
    pub id: Uuid,
    /// The event's id: `webhook-id` and `Idempotency-Key`.
    pub event_id: Uuid,
    /// The event's type.
    pub kind: EventType,
    /// Orders delivery.
    pub priority: Priority,
    /// Per endpoint, without gaps.
    pub sequence: u64,
    /// When the event was observed.
    pub observed: Wall,
    /// When it was accepted.
    pub accepted: Wall,
    /// Where it stands; `maybe_received` also after an unclean end of an earlier process.
    pub standing: Standing,
    /// Unclean ends running, of processes that were sending it.
    pub unclean_claims: u32,
    /// Frozen.
    pub body: Body,
    /// What goes into its hole; immutable.
    pub frame: Option<PathBuf>,
}

impl Due {
    /// The bytes to send, read from the frame's file. A frame that had to be pruned leaves the hole empty. Errors: the
    /// file exists but cannot be read.
    pub fn bytes(&self) -> std::io::Result<Vec<u8>> {
        match &self.frame {
            None => Ok(self.body.fill(&[])),
            Some(path) => match std::fs::read(path) {
                Ok(frame) => Ok(self.body.fill(&frame)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(self.body.fill(&[])),
                Err(error) => Err(error),
            },
        }
    }
}

/// What waits for an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// What may be sent now.
    pub due: Vec<Due>,
    /// More is due than was asked for.
    pub more: bool,
    /// When the next delivery becomes due that is not yet, and after which delay.
    pub next: Option<(Wall, Duration)>,
    /// The endpoint said 410 and gets nothing more.
    pub gone: bool,
}

/// Which jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only this one.
    pub id: Option<Uuid>,
    /// Only of this monitor.
    pub monitor: Option<Name>,
    /// Only in this status.
    pub status: Option<JobStatus>,
    /// At most so many, the newest first; 0: all.
    pub limit: u32,
}

/// How an endpoint does.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointCounts {
    /// Which one.
    pub endpoint: Name,
    /// What it is owed.
    pub counts: Counts,
    /// It said 410 and gets nothing more.
    pub gone: bool,
}

/// How a monitor does.
#[derive(Clone, Debug, PartialEq)]
pub struct MonitorCounts {
    /// Which one; its cameras count together.
    pub monitor: Name,
    /// Its events, and what is owed because of them.
    pub counts: Counts,
}

/// How deliveries stand and how they did within the last 24 hours (and the quarter of an hour that has begun before).
/// Restarts and purges change none of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Deliveries that wait for their first or next attempt (`pending` and `retry_wait`).
    pub pending: u64,
    /// Deliveries that are held.
    pub held: u64,
    /// Dead letters, without those that an operator dropped.
    pub dead: u64,
    /// How long the oldest delivery that is still owed has waited. None: nothing is owed, or no clock can tell.
    pub oldest: Option<Duration>,
    /// Deliveries accepted for an endpoint, events of a monitor.
    pub events_24h: u64,
    /// Of a monitor's events, those that somebody is told of; 0 for endpoints.
    pub owed_24h: u64,
    /// Of these events, those that somebody would have been told of, had the monitor been armed (`shadow`).
    pub shadow_24h: u64,
    /// Deliveries that arrived.
    pub delivered_24h: u64,
    /// Delivered of those that ended, 0 to 1; 1 when none did. What is held has not ended.
    pub success_rate: f64,
    /// Mean time from acceptance to 2xx in milliseconds; 0 when there is none.
    pub avg_latency_ms: f64,
    /// 95th percentile of the same, right to about an eighth.
    pub p95_latency_ms: f64,
    /// The last 2xx.
    pub last_success: Option<Wall>,
    /// The last attempt that failed.
    pub last_error: Option<LastError>,
    /// The latest attempt failed: the last error is a current one.
    pub failing: bool,
}

/// Deliveries that ended alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// To whom.
    pub endpoint: Name,
    /// [`State::as_str`].
    pub state: String,
    /// Why, of what is dead; empty otherwise.
    pub reason: String,
    /// How many.
    pub amount: u64,
}

/// The last attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: Wall,
    /// What.
    pub text: String,
}

/// The journal as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The database, its log and all frames.
    pub bytes: u64,
    /// The database alone.
    pub database_bytes: u64,
    /// Its write-ahead log.
    pub wal_bytes: u64,
    /// The frames.
    pub frame_bytes: u64,
    /// Bytes of the disk that can still be filled, and all that it has. None where the system does not tell.
    pub disk: Option<(u64, u64)>,
    /// Events that are kept.
    pub events: u64,
    /// Starts of the daemon so far.
    pub generation: u64,
    /// Of these, so many after an end without a good-bye.
    pub unclean_starts: u64,
    /// Times that a damaged journal was replaced by what could be saved of it.
    pub resets: u64,
    /// Deliveries that were dropped for want of room, resets notwithstanding.
    pub dropped: u64,
    /// New after a reset: sequences compare only within one.
    pub epoch: Uuid,
}
