//! Watching: from frames to journaled events, one thread per camera.
//!
//! Owns what happens between a camera's mailbox and the journal; refuses to know GStreamer, ONNX Runtime and SQLite (it
//! speaks to their drivers). The parts, from the inside out: a [`Subject`] is what a machine is about; a `Machine` steps
//! the pure condition and lets it advance only after the [`Ledger`] has the step; a [`Watcher`] directs the frames of a
//! camera through the models to all its machines; [`start`] puts it on a thread. `replay` uses the same watcher with a
//! clip and another ledger.

mod accept;
mod addressees;
mod aloud;
mod attention;
mod backlog;
mod candidate;
mod clip_reports;
mod footage;
mod kept;
mod lane;
mod ledger;
mod machine;
mod run;
mod subject;
mod watcher;
mod way;

pub use accept::{JournalLedger, owed_by_the_box};
pub use addressees::Addressees;
pub use candidate::Candidate;
pub use clip_reports::ClipReports;
pub use footage::{Footage, Orders};
pub use kept::{Kept, Restart, farewell, is_full, take_up};
pub use ledger::{Evidence, Happening, Ledger, Refused};
pub use machine::{Machine, Shown};
pub use run::{Joined, Watch, start};
pub use subject::{About, Subject};
pub use watcher::Watcher;
pub use way::Asker;
