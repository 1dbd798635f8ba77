//! Retention: what has been over for long enough goes, in small batches.
//!
//! Owns the order (deliveries with their attempts, then events that nobody is owed any more, then jobs, then files that no
//! row names); refuses to purge by age while the clock cannot be believed. Runs on the thread `journal-writer`.

use rusqlite::{Connection, OptionalExtension};

use super::clock;
use super::entry::Purged;
use super::error::Error;
use super::group::{Change, Ledger};
use super::letters::DEAD_STATES;
use super::retention;
use crate::time::{Now, Wall};

/// Rows of one kind that one call takes away: short enough that an alert never waits for it noticeably.
const BATCH: usize = 100;

/// Free pages that one call gives back to the disk.
const PAGES: i64 = 64;

/// See [`super::Writer::purge`].
pub(super) struct Purge {
    /// What the clocks show.
    pub(super) now: Now,
}

impl Change for Purge {
    type Answer = Purged;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<Purged, Error> {
        clock::advance(ledger.connection, self.now)?;
        let mut purged = Purged::default();
        if !self.now.synced {
            return Ok(purged);
        }
        let at = retention::advance(ledger.connection, self.now)?;
        let delivered_before = at.minus(ledger.keep.delivered);
        let dead_before = at.minus(ledger.keep.dead);
        for (states, before) in [("('delivered')", delivered_before), (DEAD_STATES, dead_before)] {
            let over = over(ledger.connection, states, before, BATCH)?;
            purged.more |= over.len() == BATCH;
            for delivery in over {
                purged.deliveries += 1;
                purged.events += u64::from(remove_delivery(ledger, &delivery)?);
            }
        }
        let unowed = events_unowed(ledger.connection, delivered_before, BATCH)?;
        purged.more |= unowed.len() == BATCH;
        for seq in unowed {
            remove_event(ledger, seq)?;
            purged.events += 1;
        }
        purged.jobs = remove_jobs(ledger.connection, delivered_before)?;
        purged.more |= purged.jobs == BATCH as u64;
        give_back(ledger.connection)?;
        purged.frames = ledger.doomed.len() as u64;
        Ok(purged)
    }
}

/// A delivery that is over.
pub(super) struct Over {
    n: i64,
    event_seq: i64,
    frame: Option<String>,
    tombstone: bool,
}

/// A range of `delivery_ended` per endpoint and state.
pub(super) fn deliveries_over_sql(states: &str) -> String {
    format!(
        "SELECT n, event_seq, frame, state = 'dropped_quota' FROM delivery
         WHERE endpoint IN (SELECT name FROM endpoint_state) AND state IN {states} AND ended_ms < ?1 LIMIT ?2"
    )
}

/// Up to `most` deliveries that reached one of `states` before then.
pub(super) fn over(connection: &Connection, states: &str, before: Wall, most: usize) -> Result<Vec<Over>, Error> {
    let mut statement = connection.prepare_cached(&deliveries_over_sql(states))?;
    let rows = statement.query_map((before.0, most as i64), |row| {
        Ok(Over { n: row.get(0)?, event_seq: row.get(1)?, frame: row.get(2)?, tombstone: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A range of `event_unowed`.
pub(super) const EVENTS_UNOWED: &str = "SELECT seq FROM event WHERE owed = 0 AND recorded_ms < ?1 LIMIT ?2";

/// Up to `most` events that nobody is owed, recorded before then.
pub(super) fn events_unowed(connection: &Connection, before: Wall, most: usize) -> Result<Vec<i64>, Error> {
    let mut statement = connection.prepare_cached(EVENTS_UNOWED)?;
    let rows = statement.query_map((before.0, most as i64), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A range of `job_status` per status that a job ends in.
pub(super) const REMOVE_JOBS: &str = "DELETE FROM job WHERE n IN (
     SELECT n FROM job WHERE status IN ('stopped', 'completed', 'failed') AND ended_ms < ?1 LIMIT ?2)";

fn remove_jobs(connection: &Connection, before: Wall) -> Result<u64, Error> {
    Ok(connection.prepare_cached(REMOVE_JOBS)?.execute((before.0, BATCH as i64))? as u64)
}

/// Gives a few free pages back to the disk: one page for each step.
pub(super) fn give_back(connection: &Connection) -> Result<(), Error> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut steps = statement.query([])?;
    while steps.next()?.is_some() {}
    Ok(())
}

/// Takes a delivery away with its attempts, its smaller frame if no other delivery shares it, and its event if it was the
/// last. True: the event went too.
pub(super) fn remove_delivery(ledger: &mut Ledger<'_>, over: &Over) -> Result<bool, Error> {
    ledger.connection.prepare_cached("DELETE FROM delivery WHERE n = ?1")?.execute([over.n])?;
    ledger.tombstones = ledger.tombstones.saturating_sub(u64::from(over.tombstone));
    let mut others = ledger
        .connection
        .prepare_cached("SELECT count(*), count(*) FILTER (WHERE frame = ?2) FROM delivery WHERE event_seq = ?1")?;
    let (left, sharing): (i64, i64) =
        others.query_row((over.event_seq, &over.frame), |row| Ok((row.get(0)?, row.get(1)?)))?;
    drop(others);
    if let Some(frame) = &over.frame
        && sharing == 0
        && event_frame(ledger.connection, over.event_seq)?.as_ref() != Some(frame)
    {
        ledger.doomed.push(frame.clone());
    }
    if left == 0 {
        remove_event(ledger, over.event_seq)?;
    }
    Ok(left == 0)
}

/// Takes an event away with its frame.
pub(super) fn remove_event(ledger: &mut Ledger<'_>, seq: i64) -> Result<(), Error> {
    ledger.doomed.extend(event_frame(ledger.connection, seq)?);
    ledger.connection.prepare_cached("DELETE FROM event WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

fn event_frame(connection: &Connection, seq: i64) -> Result<Option<String>, Error> {
    let mut statement = connection.prepare_cached("SELECT frame FROM event WHERE seq = ?1")?;
    Ok(statement.query_row([seq], |row| row.get(0)).optional()?.flatten())
}
