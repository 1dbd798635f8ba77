//! Which clips go because they are old, and which rows of those that are gone.
//!
//! Owns from when on a clip ages: once nobody is owed an alert of it any more, or what was told of it, and never by a clock
//! that could not be believed. Until then, only want of room takes it away (`quota`). Runs on `journal-writer`.

use std::time::Duration;

use rusqlite::Connection;

use super::quota::{self, IS_OWED, take_away};
use crate::journal::error::Error;
use crate::journal::group::{Change, Ledger};
use crate::journal::retention;
use crate::time::{Now, Wall};

/// Clips that are looked at in one commit, …
const LOOKED_AT: i64 = 500;

/// … and of those that go, rows or files, so many.
const BATCH: usize = 50;

/// How long clips are kept. See [`crate::journal::Writer::age_clips`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aging {
    /// For so long once they are over (`[recording] keep`).
    pub keep: Duration,
    /// Where the last look ended; 0: at the beginning.
    pub from: i64,
    /// What the clocks show.
    pub now: Now,
}

/// What became old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aged {
    /// Clips that are gone.
    pub gone: u64,
    /// The batch was full: call again.
    pub more: bool,
    /// Where the next look begins.
    pub next: i64,
}

impl Change for Aging {
    type Answer = Aged;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<Aged, Error> {
        let Aging { keep, from, now } = self;
        if !now.synced {
            return Ok(Aged { next: from, ..Aged::default() });
        }
        let at = retention::advance(ledger.connection, now)?;
        let next = begin(ledger.connection, from, at)?;
        let forgotten = forget(ledger.connection, at.minus(keep.max(ledger.keep.dead)))?;
        let old = quota::select(ledger.connection, &old_sql(), (BATCH as i64, at.minus(keep).0))?;
        for (clip, _) in &old {
            take_away(ledger, *clip, "it was kept for as long as `[recording] keep` says")?;
        }
        Ok(Aged { gone: old.len() as u64, more: old.len() == BATCH || forgotten == BATCH, next })
    }
}

/// Those whose age is not counted yet. A range of `clip_ageless`.
pub(in crate::journal) const AGELESS: &str =
    "SELECT n FROM clip WHERE over_ms IS NULL AND state <> 'recording' AND n > ?1 ORDER BY n LIMIT ?2";

/// From now on the age of those counts that are over. Answers where to look next; 0: from the beginning.
fn begin(connection: &Connection, from: i64, at: Wall) -> Result<i64, Error> {
    let mut ageless = connection.prepare_cached(AGELESS)?;
    let ageless: Vec<i64> = ageless.query_map((from, LOOKED_AT), |row| row.get(0))?.collect::<Result<_, _>>()?;
    let sql = format!("UPDATE clip SET over_ms = ?2 WHERE n = ?1 AND (file = 0 OR NOT {IS_OWED})");
    let mut update = connection.prepare_cached(&sql)?;
    for n in &ageless {
        update.execute((n, at.0))?;
    }
    Ok(ageless.last().copied().filter(|_| ageless.len() as i64 == LOOKED_AT).unwrap_or(0))
}

/// What was sent back into the queue by hand is owed again. A range of `clip_age`.
pub(in crate::journal) fn old_sql() -> String {
    format!(
        "SELECT id, bytes FROM clip
         WHERE state IN ('ready', 'failed') AND file = 1 AND over_ms < ?2 AND NOT {IS_OWED} LIMIT ?1"
    )
}

/// A range of `clip_age`.
pub(in crate::journal) const FORGET: &str = "DELETE FROM clip WHERE n IN (
     SELECT n FROM clip WHERE state IN ('gone', 'failed') AND file = 0 AND over_ms < ?1 LIMIT ?2)";

/// Rows of what has long been gone. How many.
fn forget(connection: &Connection, before: Wall) -> Result<usize, Error> {
    Ok(connection.prepare_cached(FORGET)?.execute((before.0, BATCH as i64))?)
}
