//! What becomes of a clip, with the events that tell of it, in one transaction.
//!
//! Owns which step follows which, and that no telling keeps a step from being taken: where there is no room for it, what
//! became of the clip is told later, and what only led there is not. Refuses to know packets and formats (a closure of the
//! caller's makes the events).
//! Runs on `journal-writer`.

use std::time::Duration;

use uuid::Uuid;

use super::rows::{self, ClipAlert, ClipRow, ClipState};
use crate::journal::accept::Acceptance;
use crate::journal::columns::{id, to_integer, to_ms, word};
use crate::journal::entry::{Accepted, Record, Recorded};
use crate::journal::error::Error;
use crate::journal::group::{Change, Ledger};
use crate::journal::relief::{self, Reach};
use crate::time::Now;

/// A step in the life of a clip. What comes too late (it has ended) changes nothing.
pub struct ClipNews {
    /// Which one.
    pub clip: Uuid,
    /// When.
    pub at: Now,
    /// What.
    pub step: ClipStep,
    /// Makes the events that tell of it.
    pub announce: Announce,
}

/// Makes events of a clip, as it is now, and of the alerts that it shows, in order. It must be pure and quick (the whole
/// group waits for it) and must not panic.
pub type Announce = Box<dyn FnOnce(&ClipRow, &[ClipAlert]) -> Vec<Accepted> + Send>;

/// What became of a clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClipStep {
    /// There is a file, and its beginning is on stable storage.
    Begun {
        /// The moment of its first picture, in microseconds of the wall clock.
        started_us: i64,
    },
    /// So much of its file is whole and on stable storage. Only the first such step is told.
    Grown {
        /// Since it was begun.
        bytes: u64,
    },
    /// It is whole, on stable storage.
    Ready {
        /// The moment of its first picture, in microseconds of the wall clock. None: as it was said before.
        started_us: Option<i64>,
        /// The moment of its end; None: so long after its first as it plays.
        ended_us: Option<i64>,
        /// Of its file.
        bytes: u64,
        /// Of its file, lower-case hex.
        sha256: String,
        /// How long it plays.
        duration: Duration,
    },
    /// Nothing came of it. Its file goes.
    Failed {
        /// For people.
        why: String,
    },
    /// Nobody records it, and its file can't be read. That stays: a disk may come round.
    Unreadable {
        /// For people.
        why: String,
    },
    /// What became of it, where it still stands, is told, which it could not be when it happened.
    Told(ClipState),
}

impl ClipStep {
    /// What became of the clip, and not what led there.
    fn is_end(&self) -> bool {
        matches!(self, ClipStep::Ready { .. } | ClipStep::Failed { .. } | ClipStep::Unreadable { .. })
    }
}

impl Change for ClipNews {
    type Answer = Recorded;

    /// What is told of clips takes the room of nothing that is owed, and none that alerts will need.
    fn make_room(&self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        relief::make_room(ledger, Reach::Over, self.at.wall)
    }

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<Recorded, Error> {
        if !take(ledger, self.clip, &self.step)? {
            return Ok(Recorded { events: Vec::new() });
        }
        let Some(clip) = rows::find(ledger.connection, self.clip)? else {
            return Ok(Recorded { events: Vec::new() });
        };
        let alerts = rows::alerts(ledger.connection, clip.n)?;
        let events = (self.announce)(&clip, &alerts);
        let record = Record { at: self.at, events, machine: None, jobs: Vec::new() };
        let recorded = match Acceptance::without_frames(record).apply(ledger) {
            Err(Error::Tight(_)) if self.step.is_end() => return put_off(ledger, self.clip),
            Err(Error::Tight(_)) if !matches!(self.step, ClipStep::Told(_)) => {
                return Ok(Recorded { events: Vec::new() });
            }
            recorded => recorded?,
        };
        for event in &recorded.events {
            rows::join(ledger.connection, self.clip, event.seq, &[])?;
        }
        Ok(recorded)
    }
}

/// It is told once there is room.
fn put_off(ledger: &mut Ledger<'_>, clip: Uuid) -> Result<Recorded, Error> {
    ledger.connection.prepare_cached("UPDATE clip SET untold = 1 WHERE id = ?1")?.execute([clip.as_bytes()])?;
    Ok(Recorded { events: Vec::new() })
}

/// Some of the clips of which there was no room to tell what became of them, the oldest first, and where they stand.
pub(in crate::journal) struct Untold;

/// So many at once.
const BATCH: i64 = 50;

impl Change for Untold {
    type Answer = Vec<(Uuid, ClipState)>;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<Vec<(Uuid, ClipState)>, Error> {
        let mut statement =
            ledger.connection.prepare_cached("SELECT id, state FROM clip WHERE untold = 1 ORDER BY n LIMIT ?1")?;
        let rows = statement.query_map([BATCH], |row| Ok((id(row, "id")?, word(row, "state", ClipState::parse)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Brings the row up to date; false: it is no news.
fn take(ledger: &mut Ledger<'_>, clip: Uuid, step: &ClipStep) -> Result<bool, Error> {
    let (connection, id) = (ledger.connection, clip.as_bytes());
    let changed = match step {
        ClipStep::Begun { started_us } => connection
            .prepare_cached(
                "UPDATE clip SET file = 1, started_us = ?2 WHERE id = ?1 AND state = 'recording' AND file = 0",
            )?
            .execute((id, started_us))?,
        ClipStep::Grown { bytes } => {
            let first = connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM clip WHERE id = ?1 AND bytes = 0)")?
                .query_row([id], |row| row.get::<_, bool>(0))?;
            let grown = connection
                .prepare_cached("UPDATE clip SET bytes = max(bytes, ?2) WHERE id = ?1 AND state = 'recording'")?
                .execute((id, to_integer(*bytes)))?;
            if first { grown } else { 0 }
        }
        ClipStep::Ready { started_us, ended_us, bytes, sha256, duration } => connection
            .prepare_cached(
                "UPDATE clip SET state = 'ready', file = 1, started_us = coalesce(?2, started_us, asked_ms * 1000),
                     ended_us = coalesce(?3, coalesce(?2, started_us, asked_ms * 1000) + ?6 * 1000), bytes = ?4,
                     sha256 = ?5, duration_ms = ?6
                 WHERE id = ?1 AND state = 'recording'",
            )?
            .execute((id, started_us, ended_us, to_integer(*bytes), sha256, to_ms(*duration)))?,
        ClipStep::Failed { why } => connection
            .prepare_cached(
                "UPDATE clip SET state = 'failed', file = 0, bytes = 0, why = ?2 WHERE id = ?1 AND state = 'recording'",
            )?
            .execute((id, why))?,
        ClipStep::Unreadable { why } => connection
            .prepare_cached(
                "UPDATE clip SET state = 'failed', file = 1, why = ?2 WHERE id = ?1 AND state = 'recording'",
            )?
            .execute((id, why))?,
        ClipStep::Told(state) => connection
            .prepare_cached("UPDATE clip SET untold = 0 WHERE id = ?1 AND untold = 1 AND state = ?2")?
            .execute((id, state.as_str()))?,
    };
    if changed > 0 && matches!(step, ClipStep::Failed { .. }) {
        ledger.doomed_clips.push(clip);
    }
    Ok(changed > 0)
}
