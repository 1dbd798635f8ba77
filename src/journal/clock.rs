//! The clock of the figures: it only ever goes forward, so that a wall clock that is wrong or jumps can neither lose the
//! figures of a day nor put any into the future.
//!
//! Owns how it moves and its row `figure_clock`; refuses to tell the time of day. Within a boot it follows the monotonic
//! clock; what lies between two boots only the wall clock knows, and it is asked only when it can be believed.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::columns::{id, to_integer, to_ms, unsigned};
use super::error::Error;
use crate::time::{Boot, Mono, Now, Wall};

/// Figures are kept for so many milliseconds together; the triggers of the schema know it too.
const QUARTER_MS: i64 = 15 * 60 * 1000;

/// A day in quarters of an hour.
const DAY: i64 = 96;

/// It is written at least this often while anything is, so that a crash with a reboot loses no more.
const WRITTEN_MS: i64 = 60_000;

/// Where the clock stands, and by what it moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    at_ms: i64,
    boot: Boot,
    mono: Mono,
    synced: bool,
    /// When the wall clock could last be believed, and what it showed.
    believed: Option<(i64, Wall)>,
}

impl Clock {
    /// As it was written last. One that was lost with a damaged page begins anew: figures are not worth a refused event.
    pub(super) fn read(connection: &Connection) -> Result<Clock, Error> {
        let mut statement = connection.prepare_cached("SELECT * FROM figure_clock")?;
        let read = statement.query_row([], |row| {
            let believed: Option<i64> = row.get("believed_ms")?;
            Ok(Clock {
                at_ms: row.get("at_ms")?,
                boot: Boot(id(row, "boot")?),
                mono: Mono(unsigned(row, "mono_ns")?),
                synced: row.get("synced")?,
                believed: row.get::<_, Option<i64>>("believed_at_ms")?.zip(believed.map(Wall)),
            })
        });
        let fresh = Clock { at_ms: 0, boot: Boot(Uuid::nil()), mono: Mono(0), synced: false, believed: None };
        Ok(read.optional()?.unwrap_or(fresh))
    }

    /// Where it stands at `now` of `boot`. Across boots, and once the wall clock can be believed again, what that shows
    /// counts from when it was believed last, but never backwards.
    pub(super) fn at(self, now: Now, boot: Boot) -> Clock {
        let same = self.boot == boot;
        let passed = if same { now.mono.since(self.mono) } else { Duration::ZERO };
        let mut at_ms = self.at_ms.saturating_add(to_ms(passed));
        if now.synced
            && !(same && self.synced)
            && let Some((believed_at, wall)) = self.believed
        {
            at_ms = at_ms.max(believed_at.saturating_add(to_ms(now.wall.since(wall))));
        }
        let believed = if now.synced { Some((at_ms, now.wall)) } else { self.believed };
        let mono = if same { now.mono.max(self.mono) } else { now.mono };
        Clock { at_ms, boot, mono, synced: now.synced, believed }
    }

    /// The first quarter of the last day: whole quarters, so the day is up to a quarter longer.
    pub(super) fn day_begins(self) -> i64 {
        self.at_ms / QUARTER_MS - DAY
    }

    fn write(self, connection: &Connection) -> Result<(), Error> {
        let mut statement = connection.prepare_cached(
            "INSERT OR REPLACE INTO figure_clock (one, at_ms, boot, mono_ns, synced, believed_at_ms, believed_ms)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let (believed_at, believed) = self.believed.unzip();
        statement.execute((
            self.at_ms,
            self.boot.0.as_bytes(),
            to_integer(self.mono.0),
            self.synced,
            believed_at,
            believed.map(|wall| wall.0),
        ))?;
        Ok(())
    }
}

/// Moves the clock on to `now` before something is counted, and forgets what is older than a day.
pub(super) fn advance(connection: &Connection, now: Now) -> Result<(), Error> {
    let before = Clock::read(connection)?;
    let after = before.at(now, Boot::current());
    let moved = after.at_ms - before.at_ms;
    if (before.boot, before.synced) == (after.boot, after.synced)
        && moved < WRITTEN_MS
        && before.day_begins() == after.day_begins()
    {
        return Ok(());
    }
    after.write(connection)?;
    if before.day_begins() != after.day_begins() {
        connection.prepare_cached(FORGET)?.execute([after.day_begins()])?;
    }
    Ok(())
}

/// A range of the primary key.
pub(super) const FORGET: &str = "DELETE FROM figure WHERE quarter < ?1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::database::open_for_writing;

    const HOUR: i64 = 3_600_000;

    fn now(mono_h: i64, wall_h: i64, synced: bool) -> Now {
        let mono = Mono(mono_h.unsigned_abs() * 3_600_000_000_000);
        Now { mono, wall: Wall(1_800_000_000_000 + wall_h * HOUR), synced }
    }

    fn boot(n: u128) -> Boot {
        Boot(Uuid::from_u128(n))
    }

    fn fresh() -> Clock {
        Clock { at_ms: 0, boot: boot(0), mono: Mono(0), synced: false, believed: None }
    }

    /// Hours that the clock shows after each of these moments.
    fn hours(moments: &[(u128, Now)]) -> Vec<i64> {
        let clocks = moments.iter().scan(fresh(), |clock, (n, now)| {
            *clock = clock.at(*now, boot(*n));
            Some(clock.at_ms / HOUR)
        });
        clocks.collect()
    }

    #[test]
    fn within_a_boot_the_wall_clock_moves_nothing() {
        let years = 12 * 365 * 24;
        let moments = [(0, 0), (1, 1), (2, years), (3, -years), (4, 4)];
        assert_eq!(hours(&moments.map(|(mono, wall)| (1, now(mono, wall, true)))), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_time_between_two_boots_counts_where_it_is_known_and_is_never_negative() {
        assert_eq!(hours(&[(1, now(5, 0, true)), (2, now(0, 30, true)), (2, now(1, 31, true))]), [0, 30, 31]);
        assert_eq!(hours(&[(1, now(5, 0, true)), (2, now(0, -30, true)), (2, now(1, -29, true))]), [0, 0, 1]);
    }

    #[test]
    fn a_box_that_boots_in_1970_catches_up_when_the_clock_is_right_again() {
        let then = -400_000;
        let moments = [(1, now(5, 0, true)), (2, now(0, then, false)), (2, now(1, then + 1, false))];
        assert_eq!(hours(&moments), [0, 0, 1]);
        let later = [&moments[..], &[(2, now(2, 50, true)), (2, now(3, 51, true))]].concat();
        assert_eq!(hours(&later), [0, 0, 1, 50, 51]);
    }

    #[test]
    fn a_clock_that_was_lost_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        connection.execute("DELETE FROM figure_clock", []).unwrap();
        advance(&connection, now(5, 0, true)).unwrap();
        assert_eq!(Clock::read(&connection).unwrap(), fresh().at(now(5, 0, true), Boot::current()));
    }

    #[test]
    fn moments_out_of_order_move_nothing_back() {
        assert_eq!(hours(&[(1, now(5, 0, true)), (1, now(7, 0, true)), (1, now(6, 0, true))]), [0, 2, 2]);
        assert_eq!(
            hours(&[(1, now(5, 0, true)), (1, now(7, 0, true)), (1, now(6, 0, true)), (1, now(8, 0, true))])[3],
            3
        );
    }
}
