//! How much of the disk the journal may take: `[storage] max_size`, split between the database and the frames.
//!
//! Owns the split and the order in which rows are refused as the database fills; refuses to know how frames are written
//! and what the rows say. Runs on the thread that opens and on `journal-writer`.
//!
//! The database gets half of `max_size` at most, the frames get what it leaves, so that both together never take more
//! (SQLite's log comes on top: 1 MiB, unless a reader holds it back). Frames without room are left out of their events;
//! events without room are refused, alerts before the ends of alerts. Dropping old rows to make room for new ones is not done yet: what frees room is the
//! purge by age.

use rusqlite::Connection;

use super::error::Error;

/// The database gets one part in so many.
const DATABASE: u64 = 2;

/// Eighths of the database that alerts may fill. The rest is for what becomes of them: a journal that could not record an
/// outcome would never get rid of what fills it.
const ALERTS: u64 = 7;

/// Sixteenths of it that the ends of alerts and jobs (a daemon records them when it starts) and the log of attempts may
/// fill. The rest is for what rows in place need.
const OUTCOMES: u64 = 15;

/// The room of one journal's database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pages: u64,
    page_size: u64,
}

impl Room {
    /// Sets the database's share of `max_size` bytes as its limit. A database that is larger already keeps its size.
    pub(super) fn claim(connection: &Connection, max_size: u64) -> rusqlite::Result<Room> {
        let page_size =
            connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?.max(1).unsigned_abs();
        let wanted = (max_size / DATABASE / page_size).clamp(1, u64::from(u32::MAX - 1));
        let mut pages = wanted;
        connection.pragma_update_and_check(None, "max_page_count", wanted.cast_signed(), |row| {
            pages = row.get::<_, i64>(0)?.unsigned_abs();
            Ok(())
        })?;
        Ok(Room { pages, page_size })
    }

    /// Bytes of `max_size` that are left for the frames.
    pub(super) fn for_frames(&self, max_size: u64) -> u64 {
        max_size.saturating_sub(self.pages.saturating_mul(self.page_size))
    }

    /// Whether another alert may be recorded.
    pub(super) fn is_left_for_alerts(&self, connection: &Connection) -> Result<bool, Error> {
        Ok(used(connection)? < self.pages * ALERTS / 8)
    }

    /// Whether an end of something may be recorded, or another attempt logged.
    pub(super) fn is_left_for_outcomes(&self, connection: &Connection) -> Result<bool, Error> {
        Ok(used(connection)? < self.pages * OUTCOMES / 16)
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

    #[test]
    fn the_database_gets_half_and_the_frames_what_it_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        let room = Room::claim(&connection, 4 << 20).unwrap();
        assert_eq!((room.pages, room.for_frames(4 << 20)), (1024, 2 << 20));
        let limit: i64 = connection.pragma_query_value(None, "max_page_count", |row| row.get(0)).unwrap();
        assert_eq!(limit, 1024);
        assert!(Room::claim(&connection, u64::MAX).unwrap().is_left_for_alerts(&connection).unwrap());
    }

    #[test]
    fn a_database_that_is_larger_already_leaves_less_for_the_frames() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let room = Room::claim(&connection, 4096).unwrap();
        assert_eq!((room.pages, room.for_frames(4096)), (pages.unsigned_abs(), 0));
        assert!(!room.is_left_for_alerts(&connection).unwrap());
        assert!(!room.is_left_for_outcomes(&connection).unwrap());
    }
}
