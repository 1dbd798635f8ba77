//! What is written into the journal.
//!
//! Owns the shapes that callers hand to the writer; refuses to know SQL, formats and endpoints' settings. Plain data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::body::Body;
use crate::delivery::{Attempt, State};
use crate::event::{Counters, Event, EventData, JobReason, JobStatus};
use crate::name::Name;
use crate::time::{Now, SavedDeadline, Wall};

/// Everything that changes at once: it is in the journal whole, or not at all.
pub struct Record {
    /// The moment of acceptance, from which latencies count.
    pub at: Now,
    /// The events that happened, in order.
    pub events: Vec<Accepted>,
    /// The state of the machine that decided them.
    pub machine: Option<MachineRow>,
    /// Jobs that began, changed or ended.
    pub jobs: Vec<JobRow>,
}

/// An event with all that is owed because of it.
pub struct Accepted {
    /// The event; its id must be new.
    pub event: Event,
    /// The whole JPEG file of the original.
    pub frame: Option<Arc<[u8]>>,
    /// One delivery each.
    pub owed: Vec<Owed>,
}

/// One delivery that an event makes due.
pub struct Owed {
    /// To whom.
    pub endpoint: Name,
    /// What goes into the body's hole.
    pub frame: OwedFrame,
    /// The version of the format that renders, kept with the row.
    pub format_version: u32,
    /// Writes the body, once, inside the transaction, where the sequence number is known. It must be pure and quick (the
    /// whole group waits for it) and must not panic.
    pub render: Render,
}

/// Writes a body from what only the journal knows.
pub type Render = Box<dyn FnOnce(&Stamp) -> Body + Send>;

/// What goes into a body's hole.
#[derive(Clone, Debug)]
pub enum OwedFrame {
    /// Nothing.
    None,
    /// The event's own frame.
    Original,
    /// A whole JPEG file, scaled down to the endpoint's `max_body`. Equal ones of one event share one file.
    Scaled(Arc<[u8]>),
}

/// What only the journal knows about a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// UUIDv7, the same on every attempt.
    pub delivery: Uuid,
    /// 1, 2, 3, … per endpoint, without gaps.
    pub sequence: u64,
    /// When the event was observed, in microseconds of the wall clock; what is below its milliseconds tells the endpoint's
    /// deliveries apart.
    pub moment_us: i64,
    /// The journal's epoch: sequences compare only within one.
    pub epoch: Uuid,
}

/// What was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// One for each event, in order.
    pub events: Vec<RecordedEvent>,
}

/// An event that was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the order of everything.
    pub seq: i64,
    /// What stands for it in words that tell occurrences apart by a moment, in microseconds of the wall clock.
    pub moment_us: i64,
    /// One for each [`Owed`], in order.
    pub deliveries: Vec<Stamp>,
}

/// One machine of the condition (monitor and camera), as it is kept. Reading it back gives what was written.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineRow {
    /// Which monitor.
    pub monitor: Name,
    /// On which camera.
    pub camera: Name,
    /// Of the monitor's definition: a machine of another definition starts fresh.
    pub definition: String,
    /// The machine's state as JSON, opaque to the journal.
    pub state: String,
    /// The open event, if there is one.
    pub open: Option<Uuid>,
    /// When the cooldown ends.
    pub cooldown: Option<SavedDeadline>,
    /// As of the last checkpoint.
    pub counters: Counters,
}

/// One run of a monitor, as it is kept. Writing it creates the row with its id, or brings status, reason, counters and end
/// up to date; how a job began stays as it was first written.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRow {
    /// The job's id.
    pub id: Uuid,
    /// Which monitor.
    pub monitor: Name,
    /// On which camera.
    pub camera: Name,
    /// Who started it.
    pub origin: Origin,
    /// Where it stands.
    pub status: JobStatus,
    /// Why it ended.
    pub reason: Option<JobReason>,
    /// What it did so far.
    pub counters: Counters,
    /// When it was started.
    pub started: Wall,
    /// When it ended.
    pub ended: Option<Wall>,
    /// What the API's client asked for, as JSON.
    pub request: Option<String>,
}

/// Who started a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The configuration file.
    #[default]
    File,
    /// The API.
    Api,
}

impl Origin {
    /// As in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::File => "file",
            Origin::Api => "api",
        }
    }

    /// The origin of that name.
    pub fn parse(text: &str) -> Option<Origin> {
        [Origin::File, Origin::Api].into_iter().find(|origin| origin.as_str() == text)
    }
}

/// Where a delivery stands. The sender gets it with [`super::Due`], lets `retry` decide the next one, and hands that back
/// with a [`Settlement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub state: State,
    /// Why: the `as_str` of a [`crate::delivery::HoldReason`] or [`crate::delivery::DeadReason`].
    pub reason: Option<String>,
    /// The wall time at which it is to be tried (again).
    pub due: Wall,
    /// How long that was away when it was decided: a wrong clock never makes anything wait for longer.
    pub delay: Duration,
    /// Attempts burnt.
    pub attempts: u32,
    /// POSTs made.
    pub tries: u32,
    /// Times it was held.
    pub holds: u32,
    /// How long it was held altogether.
    pub held: Duration,
    /// An earlier POST may have arrived although we never saw its answer.
    pub maybe_received: bool,
}

/// What became of a delivery.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which one.
    pub delivery: Uuid,
    /// When it was decided.
    pub at: Now,
    /// The POST that was made, and when it was started; None when it was only held or put off.
    pub attempt: Option<(Wall, Attempt)>,
    /// Where it stands from now on.
    pub standing: Standing,
}

/// Something that was made while the daemon ran, and is there again after a restart.
#[derive(Clone, PartialEq, Eq)]
pub struct Definition {
    /// What it is.
    pub kind: String,
    /// Unique among its kind.
    pub name: Name,
    /// JSON, opaque to the journal. It may hold secrets, so that `Debug` doesn't show it.
    pub body: String,
    /// When it was made first; a change of its body leaves it as it was.
    pub made: Wall,
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Definition({} `{}`)", self.kind, self.name)
    }
}

/// A change of what is defined: whole, or not at all.
#[derive(Clone, Debug, Default)]
pub struct Revision {
    /// Kinds and names of those that go; unknown ones are passed over.
    pub forget: Vec<(String, Name)>,
    /// Those that are made, or get another body.
    pub keep: Vec<Definition>,
    /// Endpoints that are gone from now on (what is accepted for them is `skipped_gone`), or no longer.
    pub gone: Vec<(Name, bool)>,
}

/// Something that the journal itself has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Which one: hand it back with the event that says it.
    pub n: i64,
    /// What: a reset or an overflow.
    pub data: EventData,
}

/// Counters and hold windows, every few seconds. They replace what is kept, so send them from the thread that also
/// records the machine.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// Whole rows.
    pub machines: Vec<MachineRow>,
    /// By job id; unknown ids are ignored.
    pub jobs: Vec<(Uuid, Counters)>,
}

/// Which dead letters. All conditions must hold; the default means all of them.
///
/// Dead letters are deliveries that are `dead`, `expired`, `dropped_quota` or `skipped_gone`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadFilter {
    /// Only this one.
    pub delivery: Option<Uuid>,
    /// Only of this endpoint.
    pub endpoint: Option<Name>,
}

/// What a purge took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows of deliveries.
    pub deliveries: u64,
    /// Rows of events.
    pub events: u64,
    /// Rows of jobs.
    pub jobs: u64,
    /// Files of frames.
    pub frames: u64,
    /// The batch was full: call again.
    pub more: bool,
}
