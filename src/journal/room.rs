//! How much of the disk the journal may take: `[storage] max_size`, and how it is divided.
//!
//! Owns the shares and how full the database may get for whom; refuses to know what is taken away to keep to it (`relief`
//! does) and how frames are written. Runs on the thread that opens and on `journal-writer`.
//!
//! Of `max_size`, the ballast (see `ballast`) takes a sixteenth, 8 MiB at most, and SQLite's log a quarter of that at most;
//! database and frames share what is left, half each. As the database fills, what is least worth goes (`relief`). A
//! tenth is a reserve for critical alerts, another for what becomes of all that is there: a journal that could not record an
//! outcome would never get rid of what fills it. What is moved aside because it was damaged comes on top.

use rusqlite::Connection;

use super::error::Error;
use crate::event::Priority;

/// The largest ballast, in bytes.
const LARGEST_BALLAST: u64 = 8 << 20;

/// The ballast is one part in so many of `max_size`, and of the disk.
const BALLAST: u64 = 16;

/// The log is cut down to one part in so many of the ballast: twice that much fits beside everything else.
const LOG: u64 = 8;

/// From so many twentieths of the database on, room is made.
const TIGHT: u64 = 15;

/// Twentieths that alerts and the log of attempts may fill; critical alerts; the ends of alerts and jobs (a daemon records
/// them when it starts). The rest is for what rows in place need.
const ALERTS: u64 = 16;
const CRITICAL: u64 = 18;
const OUTCOMES: u64 = 19;

/// The same as pages below what there is, while the disk gives no more: there a twentieth could be a hundred thousand rows.
const SCARCE_STEP: u64 = 64;

/// `[storage] max_size`, divided. All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// The file that is given up when the disk is full.
    pub(super) ballast: u64,
    /// What SQLite's log is cut down to.
    pub(super) log: u64,
    database: u64,
    frames: u64,
}

impl Shares {
    /// Of `max_size` bytes on a disk of `disk` bytes.
    pub(super) fn of(max_size: u64, disk: u64) -> Shares {
        let ballast = (max_size.min(disk) / BALLAST).min(LARGEST_BALLAST);
        let log = ballast / LOG;
        let rest = max_size - ballast - 2 * log;
        Shares { ballast, log, database: rest / 2, frames: rest - rest / 2 }
    }
}

/// What the room is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Another alert of this priority.
    Alert(Priority),
    /// The end of an alert or a job, something that the journal itself has to say.
    Outcome,
    /// An alert that is only rehearsed: beyond where room is made it would take that of something else.
    Rehearsal,
    /// What became of a clip: no further than a rehearsal, and for the same reason.
    News,
    /// A heartbeat: half of what is left for alerts from where room is made, so that one of them never waits for it.
    Heartbeat,
}

/// The room of one journal's database, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pages: u64,
    page_size: u64,
    tight: u64,
    alerts: u64,
    critical: u64,
    outcomes: u64,
}

impl Room {
    /// Sets the database's share as its limit, and the log's. A database that is larger already keeps its size.
    pub(super) fn claim(connection: &Connection, shares: Shares) -> rusqlite::Result<Room> {
        let page_size =
            connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?.max(1).unsigned_abs();
        let wanted = (shares.database / page_size).clamp(1, u64::from(u32::MAX - 1));
        let mut pages = wanted;
        connection.pragma_update_and_check(None, "max_page_count", wanted.cast_signed(), |row| {
            pages = row.get::<_, i64>(0)?.unsigned_abs();
            Ok(())
        })?;
        connection.pragma_update_and_check(None, "journal_size_limit", shares.log.cast_signed(), |_| Ok(()))?;
        let twentieths = |parts| wanted.saturating_mul(parts) / 20;
        // After `max_size` was lowered, ends take the place of what goes: a daemon has to start before it can shrink.
        let outcomes = if pages > wanted { pages } else { twentieths(OUTCOMES) };
        Ok(Room {
            pages,
            page_size,
            tight: twentieths(TIGHT),
            alerts: twentieths(ALERTS),
            critical: twentieths(CRITICAL),
            outcomes,
        })
    }

    /// The room there is while the disk gives only `free` bytes more.
    pub(super) fn on_a_full_disk(self, connection: &Connection, free: u64) -> Result<Room, Error> {
        let there: u64 = connection
            .prepare_cached("SELECT page_count FROM pragma_page_count")?
            .query_row([], |row| row.get::<_, i64>(0))?
            .unsigned_abs();
        let pages = there.saturating_add(free / self.page_size);
        let below = |steps: u64, own: u64| pages.saturating_sub(steps * SCARCE_STEP.min(pages / 20)).min(own);
        Ok(Room {
            tight: below(4, self.tight),
            alerts: below(3, self.alerts),
            critical: below(2, self.critical),
            outcomes: below(1, self.outcomes),
            ..self
        })
    }

    /// Bytes of `shares` that are left for the frames.
    pub(super) fn for_frames(&self, shares: Shares) -> u64 {
        let over = self.pages.saturating_mul(self.page_size).saturating_sub(shares.database);
        shares.frames.saturating_sub(over)
    }

    /// Whether it is time to make room.
    pub(super) fn is_tight(&self, connection: &Connection) -> Result<bool, Error> {
        Ok(used(connection)? >= self.tight)
    }

    /// Whether this may be recorded now.
    pub(super) fn is_left(&self, connection: &Connection, purpose: Purpose) -> Result<bool, Error> {
        let limit = match purpose {
            Purpose::Alert(Priority::Critical) => self.critical,
            Purpose::Alert(_) => self.alerts,
            Purpose::Outcome => self.outcomes,
            Purpose::Rehearsal | Purpose::News => self.tight,
            Purpose::Heartbeat => self.tight.midpoint(self.alerts),
        };
        Ok(used(connection)? < limit)
    }

    /// Whether another attempt may be logged: alerts are worth more than their log.
    pub(super) fn is_left_for_attempts(&self, connection: &Connection) -> Result<bool, Error> {
        self.is_left(connection, Purpose::Alert(Priority::Normal))
    }

    /// Rows that are taken away at once: few in a small database, where each matters.
    pub(super) fn step(&self) -> usize {
        usize::try_from(self.pages / 50).unwrap_or(usize::MAX).clamp(4, 50)
    }

    /// Tombstones that may be kept: about an eighth of the database.
    pub(super) fn for_tombstones(&self) -> u64 {
        self.pages.saturating_mul(self.page_size) / 8 / 1024
    }
}

/// Pages that hold something.
fn used(connection: &Connection) -> Result<u64, Error> {
    let mut statement = connection
        .prepare_cached("SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count")?;
    Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::database::open_for_writing;

    const HUGE: u64 = 1 << 40;

    #[test]
    fn everything_together_is_max_size() {
        for max_size in [1 << 20, 4 << 20, 4 << 30, u64::MAX] {
            let Shares { ballast, log, database, frames } = Shares::of(max_size, HUGE);
            assert_eq!(ballast + 2 * log + database + frames, max_size);
            assert!(ballast >= 4 * log, "or giving it up would not be enough for a checkpoint");
        }
        assert_eq!(Shares::of(4 << 30, HUGE).ballast, 8 << 20);
        assert_eq!(Shares::of(4 << 30, HUGE).log, 1 << 20);
        assert_eq!(Shares::of(4 << 30, 16 << 20).ballast, 1 << 20, "not half of a small disk");
    }

    #[test]
    fn the_database_has_a_limit_and_levels() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        let shares = Shares::of(4 << 20, HUGE);
        let room = Room::claim(&connection, shares).unwrap();
        let limit: u64 =
            connection.pragma_query_value(None, "max_page_count", |row| row.get::<_, i64>(0)).unwrap() as u64;
        assert_eq!((limit, room.pages, room.for_frames(shares)), (shares.database / 2048, limit, shares.frames));
        let log: i64 = connection.pragma_query_value(None, "journal_size_limit", |row| row.get(0)).unwrap();
        assert_eq!(log.unsigned_abs(), shares.log);
        assert!(room.tight < room.alerts && room.alerts < room.critical && room.critical < room.outcomes);
        assert!(!room.is_tight(&connection).unwrap());
        assert!(room.is_left(&connection, Purpose::Alert(Priority::Low)).unwrap());
        assert!(room.is_left(&connection, Purpose::Rehearsal).unwrap());
    }

    #[test]
    fn a_full_disk_leaves_what_the_file_has() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        let room = Room::claim(&connection, Shares::of(1 << 30, HUGE)).unwrap();
        let full = room.on_a_full_disk(&connection, 0).unwrap();
        assert!(full.is_tight(&connection).unwrap());
        assert!(!full.is_left(&connection, Purpose::Outcome).unwrap());
        let some = room.on_a_full_disk(&connection, 1 << 20).unwrap();
        assert!(!some.is_tight(&connection).unwrap());
    }

    #[test]
    fn a_database_that_is_larger_already_leaves_less_for_the_frames() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let shares = Shares::of(4096, HUGE);
        let room = Room::claim(&connection, shares).unwrap();
        assert_eq!((room.pages, room.for_frames(shares)), (pages.unsigned_abs(), 0));
        assert!(room.is_tight(&connection).unwrap());
        assert!(!room.is_left_for_attempts(&connection).unwrap());
        assert!(!room.is_left(&connection, Purpose::Outcome).unwrap());
        connection.execute_batch("DROP TABLE override").unwrap();
        assert!(room.is_left(&connection, Purpose::Outcome).unwrap(), "in the place of what went");
    }
}
