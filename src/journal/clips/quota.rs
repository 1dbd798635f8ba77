//! Which clips go for want of room: there are too many bytes of them, or the disk is full.
//!
//! Owns the order: the oldest whose alerts are all over and delivered, then the oldest. What is being recorded never goes.
//! Clips come out of the frames' half of `[storage] max_size`: pictures that were delivered give way to them, but no alert
//! does. Runs on `journal-writer`.

use std::io;

use rusqlite::{Connection, Params};
use uuid::Uuid;

use crate::journal::columns::{id, unsigned};
use crate::journal::error::Error;
use crate::journal::frames::Frames;
use crate::journal::group::{Change, Ledger};
use crate::journal::relief;

/// Clips that go in one commit, for one reason.
const BATCH: usize = 50;

/// Why a clip is gone.
const DISK_WAS_FULL: &str = "the disk was full";

/// How much may stay, and for how long. See [`crate::journal::Writer::trim_clips`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimming {
    /// Bytes of all clips (`[recording] max_size`).
    pub max_size: u64,
    /// Bytes that the disk lacks: see [`crate::journal::Headroom`].
    pub lacks: u64,
}

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Clips that are gone.
    pub gone: u64,
    /// The batch was full: call again.
    pub more: bool,
    /// Bytes that what is being recorded takes beyond what there is room for.
    pub excess: u64,
    /// It is pictures of alerts which take that room, and not other clips.
    pub is_for_frames: bool,
}

/// Trimming on its way into the journal.
pub(in crate::journal) struct Trim {
    trimming: Trimming,
    /// Bytes that the frames leave.
    spare: u64,
}

impl Trim {
    pub(in crate::journal) fn new(trimming: Trimming) -> Trim {
        Trim { trimming, spare: 0 }
    }
}

impl Change for Trim {
    type Answer = Trimmed;

    fn prepare(&mut self, frames: &mut Frames) -> io::Result<()> {
        self.spare = frames.spare();
        Ok(())
    }

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<Trimmed, Error> {
        let Trimming { max_size, lacks } = self.trimming;
        let before = taken(ledger.connection)?;
        let is_for_frames = self.spare < max_size;
        if before > self.spare && is_for_frames && relief::remove_delivered_frames(ledger, BATCH)? > 0 {
            return Ok(Trimmed { more: true, ..Trimmed::default() });
        }
        let room = max_size.min(self.spare);
        let mut gone = take_oldest(ledger, before.saturating_sub(room), "it made room for newer ones")?;
        let after = taken(ledger.connection)?;
        gone += take_oldest(ledger, lacks.saturating_sub(before - after), DISK_WAS_FULL)?;
        let excess = after.saturating_sub(room);
        Ok(Trimmed { gone, more: gone >= BATCH as u64, excess, is_for_frames })
    }
}

/// Whether somebody is still owed an alert of a clip, or what was told of it.
pub(super) const IS_OWED: &str = "EXISTS (
     SELECT 1 FROM clip_event JOIN delivery ON event_seq = event WHERE clip = clip.n AND ended_ms IS NULL)";

/// The oldest that nobody is owed any more. The whole of `clip_file`.
pub(in crate::journal) fn oldest_delivered_sql() -> String {
    format!("SELECT id, bytes FROM clip WHERE file = 1 AND state <> 'recording' AND NOT {IS_OWED} ORDER BY n LIMIT ?1")
}

const OLDEST: &str = "SELECT id, bytes FROM clip WHERE file = 1 AND state <> 'recording' ORDER BY n LIMIT ?1";

/// Takes so many bytes of clips away because the disk is full, in order, as far as one batch goes. Answers how many clips.
pub(in crate::journal) fn remove_oldest(ledger: &mut Ledger<'_>, lacks: u64) -> Result<usize, Error> {
    take_oldest(ledger, lacks, DISK_WAS_FULL).map(|gone| usize::try_from(gone).unwrap_or(usize::MAX))
}

/// The same whatever the reason.
fn take_oldest(ledger: &mut Ledger<'_>, mut bytes: u64, why: &str) -> Result<u64, Error> {
    let mut gone = 0;
    for sql in [&oldest_delivered_sql(), OLDEST] {
        let clips = if bytes > 0 { select(ledger.connection, sql, [BATCH as i64])? } else { Vec::new() };
        for (clip, size) in clips {
            if bytes == 0 || gone >= BATCH as u64 {
                break;
            }
            take_away(ledger, clip, why)?;
            bytes = bytes.saturating_sub(size);
            gone += 1;
        }
    }
    Ok(gone)
}

/// Ids, and bytes of the files.
pub(super) fn select(connection: &Connection, sql: &str, parameters: impl Params) -> Result<Vec<(Uuid, u64)>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, |row| Ok((id(row, "id")?, unsigned(row, "bytes")?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Bytes of all files. The whole of `clip_file`.
fn taken(connection: &Connection) -> Result<u64, Error> {
    let sql = "SELECT coalesce(sum(bytes), 0) AS bytes FROM clip WHERE file = 1";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| unsigned(row, "bytes"))?)
}

/// The row stays, and says why; the file goes with the commit.
pub(super) fn take_away(ledger: &mut Ledger<'_>, clip: Uuid, why: &str) -> Result<(), Error> {
    ledger
        .connection
        .prepare_cached("UPDATE clip SET state = 'gone', file = 0, bytes = 0, why = ?2 WHERE id = ?1")?
        .execute((clip.as_bytes(), why))?;
    ledger.doomed_clips.push(clip);
    Ok(())
}

/// Takes up to `most` rows of clips away whose files have gone. Answers how many.
pub(in crate::journal) fn remove_gone(ledger: &mut Ledger<'_>, most: usize) -> Result<usize, Error> {
    Ok(ledger.connection.prepare_cached(REMOVE_GONE)?.execute([most as i64])?)
}

/// A range of `clip_age`.
pub(in crate::journal) const REMOVE_GONE: &str = "DELETE FROM clip WHERE n IN (
     SELECT n FROM clip WHERE state IN ('gone', 'failed') AND file = 0 LIMIT ?1)";

/// One clip that somebody wants deleted. Answers whether it was there to delete.
pub(in crate::journal) struct Delete {
    pub(in crate::journal) clip: Uuid,
}

impl Change for Delete {
    type Answer = bool;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<bool, Error> {
        let mut there = ledger
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM clip WHERE id = ?1 AND file = 1 AND state <> 'recording')")?;
        let there: bool = there.query_row([self.clip.as_bytes()], |row| row.get(0))?;
        if there {
            take_away(ledger, self.clip, "it was deleted by hand")?;
        }
        Ok(there)
    }
}
