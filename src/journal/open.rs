//! Opening and closing the journal of a daemon.
//!
//! Owns the lock, the order of start-up and the clean end; refuses to know rows. Runs on the thread that starts the daemon.

use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::error::{Error, OpenError};
use super::reader::Reader;
use super::writer::{Wake, Writer};
use crate::time::Now;

/// How long what is over is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Delivered rows, and events that nobody was owed (`[storage] keep_delivered`).
    pub delivered: Duration,
    /// Dead letters (`[storage] keep_dead`).
    pub dead: Duration,
}

/// What was found when the journal was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Counts the starts of the daemon, from 1.
    pub generation: u64,
    /// New after a reset.
    pub epoch: Uuid,
    /// The last process said good-bye ([`Journal::close`]); true for a new journal.
    pub clean: bool,
    /// Files of frames that no row names, swept.
    pub orphans: u64,
}

/// The journal of the running daemon. Dropping it without [`Journal::close`] counts as an unclean end.
pub struct Journal {
    writer: Writer,
    start: Start,
}

impl Journal {
    /// Opens the journal in `dir`, or makes one: takes the lock, migrates, counts the start, sweeps orphans, reins in
    /// deadlines that a wrong clock left too far ahead, and starts the thread `journal-writer`.
    ///
    /// `wake` is called on that thread after each commit that made deliveries due, with their endpoints; it must be quick
    /// and must not call back. Errors: [`OpenError`], nothing was started.
    pub fn open(_dir: &Path, _keep: Keep, _now: Now, _wake: Wake) -> Result<Journal, OpenError> {
        todo!()
    }

    /// What was found when it was opened.
    pub fn start(&self) -> Start {
        self.start
    }

    /// A handle for writing.
    pub fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// A connection for reading.
    pub fn reader(&self) -> Result<Reader, OpenError> {
        todo!()
    }

    /// Writes what is still in the channel, notes the clean end, folds the log into the database and waits for the
    /// thread. What handles write afterwards gets [`Error::Closed`].
    pub fn close(self) -> Result<(), Error> {
        todo!()
    }
}
