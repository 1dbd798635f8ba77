//! The journal: what has been accepted is on stable storage, and is the queue.
//!
//! Owns the SQLite file, the frames' files beside it, which files of clips there are, the lock on the state directory and the thread `journal-writer`,
//! which holds the only write connection. Refuses to know formats, endpoints' settings, schedules and machines: bodies are
//! rendered by a closure of the caller's, states of machines are opaque JSON. Only this module names SQLite.
//!
//! [`Journal::open`] once per daemon, [`Journal::open_for_repair`] beside a daemon that is down; [`Writer`] handles go to everybody who writes, a [`Reader`] of its own to everybody
//! who reads. The CLI opens a [`Reader`] alone when the daemon is down.

mod accept;
mod ballast;
mod body;
mod claims;
mod clips;
mod clock;
mod columns;
mod database;
mod day;
mod definition;
mod deliveries;
mod endpoint;
mod entry;
mod error;
mod failures;
mod frames;
mod group;
mod heal;
mod heartbeats;
mod letters;
mod listing;
mod machines;
mod meters;
mod notices;
mod open;
#[cfg(test)]
mod plans;
mod presence;
mod purge;
mod quarantine;
mod queue;
mod reader;
mod recovery;
mod relief;
mod retention;
mod room;
mod sacrifice;
mod salvage;
mod settle;
mod soundness;
mod statistics;
mod stopwatch;
mod suspicion;
mod version;
mod wreck;
mod writer;

pub use ballast::free as free_bytes;
pub use body::Body;
pub use clips::{
    Aged, Aging, Announce, ClipAlert, ClipFilter, ClipNews, ClipRow, ClipSequel, ClipState, ClipStep, Filmed, Headroom,
    Mended, Shows, Trimmed, Trimming, Whole, clip_hash, clip_path, clips_folder, mend,
};
pub use entry::{
    Accepted, Checkpoint, DeadFilter, Definition, JobRow, MachineRow, Notice, Origin, Owed, OwedFrame, Purged, Record,
    Recorded, RecordedEvent, Render, Revision, Settlement, Stamp, Standing,
};
pub use error::{Error, OpenError};
pub use heartbeats::LatestHeartbeat;
pub use listing::{
    AttemptRow, Counts, DeliveryBrief, DeliveryFilter, DeliveryRow, Due, Ended, EndpointCounts, EventFilter, EventRow,
    Failed, JobFilter, LastError, MonitorCounts, Queue, Totals,
};
pub use meters::Meters;
pub use open::{Journal, Keep, Start};
pub use queue::Ask;
pub use reader::Reader;
pub use stopwatch::{FlushTimes, flush_times};
pub use writer::{Reply, Wake, Writer};
