//! Relief: what goes when there is no room for what comes.
//!
//! Owns the order. For rows: what was only rehearsed goes first; then what was delivered, although it may be young; then
//! events that nobody is owed and clips that are gone, then what is told of clips, then dead letters, then what is owed, the
//! least urgent and oldest first, never anything more urgent than what it makes room for. Not everything that comes may take
//! all of that ([`Reach`]). Of what was not delivered a tombstone stays, listed and counted, until it is purged by age or there
//! are too many; what was dropped is announced (`notices`). For frames: those of what was delivered; then the least urgent and oldest
//! ones, whose alerts go without their pictures, but for those that a receiver may have seen: the same id never comes with
//! other bytes. Refuses to know how full is too full (`room` and `frames` do). Runs on the
//! thread `journal-writer`.

use rusqlite::{Connection, OptionalExtension};

use super::clips;
use super::columns::{name, rank, to_rank, unsigned};
use super::error::Error;
use super::group::Ledger;
use super::notices;
use super::purge::{Over, events_unowed, over, remove_delivery, remove_event};
use crate::event::{DroppedRange, Priority};
use crate::time::Wall;

/// So many steps are taken for one event: each takes away more than an event brings, and the others of the group wait.
const STEPS: usize = 4;

/// Rows of what was delivered that go for the sake of frames in one commit, and frames that go without their rows.
const FRAMES_STEP: usize = 50;

/// What may go for the sake of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// What was only rehearsed: for the sake of a rehearsal.
    Rehearsed,
    /// That, and what nobody waits for: for the sake of a heartbeat.
    Over,
    /// That, and what is owed or a dead letter: for the sake of something of this priority, which is that of the most
    /// urgent that may go.
    Owed(Priority),
}

/// Takes a few rows away while the database is tight. Once there is nothing left within reach, it stays tight.
pub(super) fn make_room(ledger: &mut Ledger<'_>, reach: Reach, at: Wall) -> Result<(), Error> {
    for _ in 0..STEPS {
        if !ledger.room.is_tight(ledger.connection)? || !free_a_little(ledger, reach, at)? {
            return Ok(());
        }
    }
    Ok(())
}

/// One step; false: nothing may go any more.
fn free_a_little(ledger: &mut Ledger<'_>, reach: Reach, at: Wall) -> Result<bool, Error> {
    let step = ledger.room.step();
    if remove_rehearsed(ledger, step)? > 0 {
        return Ok(true);
    }
    if reach != Reach::Rehearsed && remove_what_is_over(ledger, step)? > 0 {
        return Ok(true);
    }
    let Reach::Owed(priority) = reach else { return Ok(false) };
    let spare = ledger.tombstones > ledger.room.for_tombstones();
    if spare && remove_tombstones(ledger, step)? > 0 {
        return Ok(true);
    }
    for sql in [OF_CLIPS, DEAD_LETTERS] {
        if drop_rows(ledger, sql, None, step, at)? > 0 {
            return Ok(true);
        }
    }
    for priority in Priority::ALL.into_iter().rev().take_while(|&other| other >= priority) {
        if drop_rows(ledger, OWED, Some(priority), step, at)? > 0 {
            return Ok(true);
        }
    }
    Ok(remove_tombstones(ledger, step)? > 0)
}

/// Takes away what nobody waits for any more.
fn remove_what_is_over(ledger: &mut Ledger<'_>, step: usize) -> Result<usize, Error> {
    for remove in [remove_delivered, remove_unowed, clips::remove_gone] {
        let removed = remove(ledger, step)?;
        if removed > 0 {
            return Ok(removed);
        }
    }
    Ok(0)
}

/// Takes away what was delivered, the oldest of an endpoint first.
pub(super) fn remove_delivered(ledger: &mut Ledger<'_>, step: usize) -> Result<usize, Error> {
    remove(ledger, over(ledger.connection, "('delivered')", Wall(i64::MAX), step)?)
}

/// Events that were only rehearsed, among the oldest that nobody is owed. The newest of all stays: it has only just come.
pub(super) const REHEARSED: &str = "SELECT seq FROM (
         SELECT seq, shadow FROM event WHERE owed = 0 AND recorded_ms < ?1 ORDER BY recorded_ms LIMIT 1024)
     WHERE shadow IS NOT NULL AND seq < (SELECT max(seq) FROM event) LIMIT ?2";

/// Takes away what was only rehearsed, the oldest first.
pub(super) fn remove_rehearsed(ledger: &mut Ledger<'_>, step: usize) -> Result<usize, Error> {
    let mut statement = ledger.connection.prepare_cached(REHEARSED)?;
    let events: Vec<i64> = statement.query_map((i64::MAX, step as i64), |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(statement);
    remove_events(ledger, &events)
}

fn remove_unowed(ledger: &mut Ledger<'_>, step: usize) -> Result<usize, Error> {
    let events = events_unowed(ledger.connection, Wall(i64::MAX), step)?;
    remove_events(ledger, &events)
}

fn remove_events(ledger: &mut Ledger<'_>, events: &[i64]) -> Result<usize, Error> {
    for &seq in events {
        remove_event(ledger, seq)?;
    }
    Ok(events.len())
}

fn remove_tombstones(ledger: &mut Ledger<'_>, step: usize) -> Result<usize, Error> {
    remove(ledger, over(ledger.connection, "('dropped_quota')", Wall(i64::MAX), step)?)
}

fn remove(ledger: &mut Ledger<'_>, rows: Vec<Over>) -> Result<usize, Error> {
    for row in &rows {
        remove_delivery(ledger, row)?;
    }
    Ok(rows.len())
}

/// Dead letters; ?1 is not used. A range of `delivery_ended` per endpoint and state.
pub(super) const DEAD_LETTERS: &str = "SELECT n, event_seq, endpoint, priority, sequence FROM delivery
     WHERE endpoint IN (SELECT name FROM endpoint_state) AND state IN ('dead', 'expired', 'skipped_gone')
       AND ended_ms IS NOT NULL AND ?1 IS NULL LIMIT ?2";

/// What is owed of clips; ?1 is not used. A range of `delivery_of_clip`.
pub(super) const OF_CLIPS: &str = "SELECT n, event_seq, endpoint, priority, sequence FROM delivery
     WHERE of_clip = 1 AND ended_ms IS NULL AND ?1 IS NULL ORDER BY n LIMIT ?2";

/// What is owed, of priority ?1, the oldest of all endpoints first. A range of `delivery_owed`.
pub(super) const OWED: &str = "SELECT n, event_seq, endpoint, priority, sequence FROM delivery
     WHERE ended_ms IS NULL AND priority = ?1 ORDER BY n LIMIT ?2";

struct Dropped {
    n: i64,
    event_seq: i64,
    range: DroppedRange,
}

/// Leaves tombstones of the rows that `sql` finds. How many.
fn drop_rows(
    ledger: &mut Ledger<'_>,
    sql: &str,
    priority: Option<Priority>,
    step: usize,
    at: Wall,
) -> Result<usize, Error> {
    let mut statement = ledger.connection.prepare_cached(sql)?;
    let rows = statement.query_map((priority.map(to_rank), step as i64), |row| {
        let sequence = unsigned(row, "sequence")?;
        let (endpoint, priority) = (name(row, "endpoint")?, rank(row, "priority")?);
        let range = DroppedRange { endpoint, priority, from: sequence, to: sequence, count: 1 };
        Ok(Dropped { n: row.get("n")?, event_seq: row.get("event_seq")?, range })
    })?;
    let rows: Vec<Dropped> = rows.collect::<Result<_, _>>()?;
    drop(statement);
    if rows.is_empty() {
        return Ok(0);
    }
    for row in &rows {
        bury(ledger, row, at)?;
    }
    move_together(ledger.connection, &rows)?;
    let ranges: Vec<DroppedRange> = rows.iter().map(|row| row.range.clone()).collect();
    notices::note_dropped(ledger.connection, &ranges, at)?;
    ledger.tombstones += rows.len() as u64;
    Ok(rows.len())
}

/// A tombstone keeps who was owed what, and nothing that takes space.
fn bury(ledger: &mut Ledger<'_>, row: &Dropped, at: Wall) -> Result<(), Error> {
    let connection = ledger.connection;
    let frame: Option<String> =
        connection.prepare_cached("SELECT frame FROM delivery WHERE n = ?1")?.query_row([row.n], |row| row.get(0))?;
    connection.prepare_cached("DELETE FROM attempt WHERE delivery = ?1")?.execute([row.n])?;
    connection
        .prepare_cached(
            "UPDATE delivery SET state = 'dropped_quota', reason = NULL, ended_ms = coalesce(ended_ms, ?2), body = NULL,
                 hole = NULL, frame = NULL WHERE n = ?1",
        )?
        .execute((row.n, at.0))?;
    let wanted: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM delivery WHERE event_seq = ?1 AND state <> 'dropped_quota')")?
        .query_row([row.event_seq], |row| row.get(0))?;
    if !wanted {
        strip(ledger, row.event_seq)?;
    } else if let Some(frame) = frame {
        let shared: bool = connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM delivery WHERE event_seq = ?1 AND frame = ?2)
                     OR EXISTS (SELECT 1 FROM event WHERE seq = ?1 AND frame = ?2)",
            )?
            .query_row((row.event_seq, &frame), |row| row.get(0))?;
        ledger.doomed.extend(Some(frame).filter(|_| !shared));
    }
    Ok(())
}

/// SQLite leaves the hole of a row that shrinks where it was. Going away and coming back makes the rows share their pages.
/// (Triggers and sequences see none of it: no column but the key changes.)
fn move_together(connection: &Connection, rows: &[Dropped]) -> Result<(), Error> {
    for way in ["UPDATE delivery SET n = -n WHERE n = ?1", "UPDATE delivery SET n = -n WHERE n = -?1"] {
        let mut statement = connection.prepare_cached(way)?;
        for row in rows {
            statement.execute([row.n])?;
        }
    }
    Ok(())
}

/// Takes frames away, at least `excess` bytes of them if there are so many: those of what was rehearsed or delivered with
/// their rows, then the least urgent and oldest without. Those that may have been seen stay, and what comes meanwhile goes
/// without. `size` tells the bytes of a file.
pub(super) fn free_frames(ledger: &mut Ledger<'_>, excess: u64, size: impl Fn(&str) -> u64) -> Result<(), Error> {
    let enough = |ledger: &Ledger<'_>| ledger.doomed.iter().map(|frame| size(frame)).sum::<u64>() >= excess;
    for _ in 0..FRAMES_STEP {
        if enough(ledger) || remove_rehearsed(ledger, 1)? == 0 && remove_history(ledger)? == 0 {
            break;
        }
    }
    for _ in 0..FRAMES_STEP {
        if enough(ledger) {
            return Ok(());
        }
        let Some(event) = least_urgent_frame(ledger.connection)? else { return Ok(()) };
        strip(ledger, event)?;
    }
    Ok(())
}

/// The oldest events with a frame, of which everything was delivered or nothing owed. The newest of all has only just come.
pub(super) const DELIVERED_FRAMES: &str = "SELECT seq FROM (
         SELECT seq FROM event WHERE frame IS NOT NULL ORDER BY seq LIMIT 4096)
     WHERE seq < (SELECT max(seq) FROM event)
       AND NOT EXISTS (SELECT 1 FROM delivery WHERE event_seq = seq AND state <> 'delivered') LIMIT ?1";

/// Takes frames away that nobody waits for, of `most` events, and leaves the rows. Answers of how many.
pub(super) fn remove_delivered_frames(ledger: &mut Ledger<'_>, most: usize) -> Result<usize, Error> {
    let mut statement = ledger.connection.prepare_cached(DELIVERED_FRAMES)?;
    let events: Vec<i64> = statement.query_map([most as i64], |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(statement);
    for event in &events {
        strip(ledger, *event)?;
    }
    Ok(events.len())
}

/// One delivery, and one event that nobody is owed; but not the newest of all, which has only just come.
fn remove_history(ledger: &mut Ledger<'_>) -> Result<usize, Error> {
    let delivered = remove_delivered(ledger, 1)?;
    let newest: i64 = ledger.connection.query_row("SELECT coalesce(max(seq), 0) FROM event", [], |row| row.get(0))?;
    let mut unowed = events_unowed(ledger.connection, Wall(i64::MAX), 1)?;
    unowed.retain(|&seq| seq < newest);
    Ok(delivered + remove_events(ledger, &unowed)?)
}

/// The newest event of all, if it has a frame and nobody is owed it: the frames of others are not taken away for its sake.
const NEWEST_UNOWED_FRAME: &str =
    "SELECT seq FROM event WHERE seq = (SELECT max(seq) FROM event) AND owed = 0 AND frame IS NOT NULL";

/// The oldest event of priority ?1 with a frame of what has ended. The end of a range of `delivery_framed_ended`.
pub(super) fn ended_frame_sql() -> String {
    unseen(
        "SELECT event_seq AS candidate FROM delivery
         WHERE frame IS NOT NULL AND ended_ms IS NOT NULL AND priority = ?1 ORDER BY n LIMIT 256",
    )
}

/// The oldest event of priority ?1 with a frame that was not posted yet. The end of a range of `delivery_framed`.
pub(super) fn unsent_frame_sql() -> String {
    unseen(
        "SELECT event_seq AS candidate FROM delivery
         WHERE frame IS NOT NULL AND ended_ms IS NULL AND tries = 0 AND maybe_received = 0 AND priority = ?1
           AND generation >= (SELECT unclean_generation FROM meta) ORDER BY generation, n LIMIT 256",
    )
}

/// The first of the candidates whose frames nobody may have seen who is still to get them.
fn unseen(candidates: &str) -> String {
    format!(
        "SELECT candidate FROM ({candidates})
         WHERE NOT EXISTS (SELECT 1 FROM delivery
                           WHERE event_seq = candidate AND frame IS NOT NULL AND ended_ms IS NULL
                             AND (tries > 0 OR maybe_received OR claim_generation IS NOT NULL
                                  OR generation < (SELECT unclean_generation FROM meta))) LIMIT 1"
    )
}

fn least_urgent_frame(connection: &Connection) -> Result<Option<i64>, Error> {
    let newest = connection.prepare_cached(NEWEST_UNOWED_FRAME)?.query_row([], |row| row.get(0)).optional()?;
    if newest.is_some() {
        return Ok(newest);
    }
    for priority in Priority::ALL.into_iter().rev() {
        for sql in [ended_frame_sql(), unsent_frame_sql()] {
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query_row([to_rank(priority)], |row| row.get(0)).optional()?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

/// Takes an event's frames away; its bodies keep their holes, empty.
fn strip(ledger: &mut Ledger<'_>, event: i64) -> Result<(), Error> {
    let mut frames = ledger.connection.prepare_cached(
        "SELECT frame FROM event WHERE seq = ?1 AND frame IS NOT NULL
         UNION SELECT frame FROM delivery WHERE event_seq = ?1 AND frame IS NOT NULL",
    )?;
    let frames: Vec<String> = frames.query_map([event], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in
        ["UPDATE event SET frame = NULL WHERE seq = ?1", "UPDATE delivery SET frame = NULL WHERE event_seq = ?1"]
    {
        ledger.connection.prepare_cached(table)?.execute([event])?;
    }
    ledger.doomed.extend(frames);
    Ok(())
}

/// Tombstones that there are.
pub(super) fn tombstones(connection: &Connection) -> rusqlite::Result<u64> {
    let count: i64 =
        connection.query_row("SELECT count(*) FROM delivery WHERE state = 'dropped_quota'", [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::State;
    use crate::journal::letters;

    #[test]
    fn the_words_in_sql_are_those_of_the_vocabulary() {
        let dead = |state: &State| !state.is_open() && ![State::Delivered, State::DroppedQuota].contains(state);
        let quoted: Vec<String> =
            State::ALL.iter().filter(|state| dead(state)).map(|state| format!("'{}'", state.as_str())).collect();
        assert!(DEAD_LETTERS.contains(&format!("({})", quoted.join(", "))));
        assert!(letters::DEAD_STATES.contains(State::DroppedQuota.as_str()));
    }
}
