//! What the journal itself has to say: that it dropped something, that it began anew.
//!
//! Owns the rows that wait to be said, when an episode is over, and the counts that outlive everything; refuses to know to
//! whom it is said and in which words (the caller makes an event of it). Runs on the thread `journal-writer`.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use super::accept::Acceptance;
use super::columns::{json, to_json};
use super::entry::{Notice, Record, Recorded};
use super::error::Error;
use super::frames::Frames;
use super::group::{Change, Ledger};
use crate::event::{DroppedRange, EventData, JournalOverflow, JournalReset};
use crate::time::{Now, Wall};

/// An episode of dropping is over once nothing was dropped for so long …
const QUIET: Duration = Duration::from_secs(60);

/// … and is stated once it has lasted for so long.
const LONGEST: Duration = Duration::from_secs(600);

/// The count of [`JournalReset`]s.
pub(super) const RESETS: &str = "journal_resets";

/// The count of deliveries that were dropped for want of room.
pub(super) const DROPPED: &str = "dropped_quota";

/// Adds to a count.
pub(super) fn count(connection: &Connection, name: &str, more: u64) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO tally VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET count = count + excluded.count",
        )?
        .execute((name, more.cast_signed()))?;
    Ok(())
}

/// A count; 0 for one that never was.
pub(super) fn counted(connection: &Connection, name: &str) -> Result<u64, Error> {
    let mut statement = connection.prepare_cached("SELECT count FROM tally WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get::<_, i64>(0)).optional()?.unwrap_or(0).unsigned_abs())
}

/// Notes what was dropped; it is stated with whatever else is dropped in this episode.
pub(super) fn note_dropped(connection: &Connection, dropped: &[DroppedRange], at: Wall) -> Result<(), Error> {
    count(connection, DROPPED, dropped.iter().map(|range| range.count).sum())?;
    let mut open = connection.prepare_cached("SELECT n, data FROM notice WHERE ripe = 0")?;
    let open = open.query_row([], |row| Ok((row.get::<_, i64>("n")?, json(row, "data")?))).optional()?;
    let (n, mut overflow) = match open {
        Some((n, EventData::JournalOverflow(overflow))) => (Some(n), overflow),
        _ => (None, JournalOverflow::default()),
    };
    for range in dropped {
        add(&mut overflow.dropped, range);
    }
    let data = to_json(&EventData::JournalOverflow(overflow))?;
    match n {
        Some(n) => connection
            .prepare_cached("UPDATE notice SET data = ?2, last_ms = ?3 WHERE n = ?1")?
            .execute((n, data, at.0))?,
        None => connection
            .prepare_cached("INSERT INTO notice (since_ms, last_ms, ripe, data) VALUES (?1, ?1, 0, ?2)")?
            .execute((at.0, data))?,
    };
    Ok(())
}

fn add(ranges: &mut Vec<DroppedRange>, new: &DroppedRange) {
    match ranges.iter_mut().find(|range| (&range.endpoint, range.priority) == (&new.endpoint, new.priority)) {
        Some(range) => {
            range.from = range.from.min(new.from);
            range.to = range.to.max(new.to);
            range.count += new.count;
        }
        None => ranges.push(new.clone()),
    }
}

/// Notes that the journal began anew.
pub(super) fn note_reset(connection: &Connection, reset: JournalReset, at: Wall) -> Result<(), Error> {
    count(connection, RESETS, 1)?;
    connection
        .prepare_cached("INSERT INTO notice (since_ms, last_ms, ripe, data) VALUES (?1, ?1, 1, ?2)")?
        .execute((at.0, to_json(&EventData::JournalReset(reset))?))?;
    Ok(())
}

/// See [`super::Writer::notices`].
pub(super) struct Ripen {
    /// What the clocks show.
    pub(super) now: Now,
}

impl Change for Ripen {
    type Answer = Vec<Notice>;

    /// A wall clock that was set back must not put it off for ever, so what lies ahead is over, too.
    fn apply(self, ledger: &mut Ledger<'_>) -> Result<Vec<Notice>, Error> {
        let wall = self.now.wall;
        ledger
            .connection
            .prepare_cached(
                "UPDATE notice SET ripe = 1 WHERE ripe = 0 AND (last_ms <= ?1 OR since_ms <= ?2 OR last_ms > ?3)",
            )?
            .execute((wall.minus(QUIET).0, wall.minus(LONGEST).0, wall.0))?;
        let mut statement = ledger.connection.prepare_cached("SELECT n, data FROM notice WHERE ripe = 1 ORDER BY n")?;
        let notices = statement.query_map([], notice_row)?;
        Ok(notices.collect::<Result<_, _>>()?)
    }
}

/// A row of `notice`.
pub(super) fn notice_row(row: &Row<'_>) -> rusqlite::Result<Notice> {
    Ok(Notice { n: row.get("n")?, data: json(row, "data")? })
}

/// See [`super::Writer::announce`].
pub(super) struct Announcement {
    notice: i64,
    event: Acceptance,
}

impl Announcement {
    /// The event that states the notice, on its way into the journal.
    pub(super) fn new(notice: i64, record: Record) -> Announcement {
        Announcement { notice, event: Acceptance::new(record) }
    }
}

impl Change for Announcement {
    type Answer = Recorded;

    fn prepare(&mut self, frames: &mut Frames) -> std::io::Result<()> {
        self.event.prepare(frames)
    }

    fn make_room(&self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        self.event.make_room(ledger)
    }

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<Recorded, Error> {
        let gone = ledger.connection.prepare_cached("DELETE FROM notice WHERE n = ?1")?.execute([self.notice])?;
        if gone == 0 {
            return Ok(Recorded { events: Vec::new() });
        }
        self.event.apply(ledger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Priority;
    use crate::name::Name;

    fn range(endpoint: &str, priority: Priority, from: u64, to: u64) -> DroppedRange {
        DroppedRange { endpoint: Name::new(endpoint).unwrap(), priority, from, to, count: to - from + 1 }
    }

    #[test]
    fn ranges_of_an_episode_grow_together_by_endpoint_and_priority() {
        let mut ranges = Vec::new();
        for new in [range("a", Priority::Low, 4, 5), range("b", Priority::Low, 1, 1), range("a", Priority::Low, 8, 9)] {
            add(&mut ranges, &new);
        }
        add(&mut ranges, &range("a", Priority::High, 6, 6));
        let grown = DroppedRange { count: 4, ..range("a", Priority::Low, 4, 9) };
        assert_eq!(ranges, [grown, range("b", Priority::Low, 1, 1), range("a", Priority::High, 6, 6)]);
    }
}
