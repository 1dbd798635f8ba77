//! The clock by which things are old: a wall clock that jumps ahead must not make everything old at once.
//!
//! Owns how fast it may go: never faster than twice the monotonic clock, and never ahead of the wall clock. What a box slept
//! through is caught up with in as much time again; a jump of twelve years costs nothing, since in the hour until somebody
//! sets it right, only what is two hours older than it should be goes. Refuses to know what is purged. Only asked while the
//! wall clock can be believed. Runs on the thread `journal-writer`.

use std::time::Duration;

use rusqlite::Connection;
use uuid::Uuid;

use super::columns::to_integer;
use super::error::Error;
use crate::time::{Boot, Mono, Now, Wall};

/// It is written when it has come so much further, in milliseconds.
const WRITTEN_MS: i64 = 600_000;

/// Where the clock stood, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    at: Wall,
    boot: Boot,
    mono: Mono,
}

/// What time it is for the purge.
pub(super) fn advance(connection: &Connection, now: Now) -> Result<Wall, Error> {
    let boot = Boot::current();
    let mark = read(connection)?;
    let at = at(mark, now, boot);
    if mark.is_none_or(|mark| mark.boot != boot || at.0 - mark.at.0 >= WRITTEN_MS) {
        connection.prepare_cached("UPDATE meta SET purge_ms = ?1, purge_boot = ?2, purge_ns = ?3")?.execute((
            at.0,
            boot.0.as_bytes(),
            to_integer(now.mono.0),
        ))?;
    }
    Ok(at)
}

fn at(mark: Option<Mark>, now: Now, boot: Boot) -> Wall {
    let Some(mark) = mark else { return now.wall };
    // What passed between two boots only the wall clock knows, and that is what is in doubt.
    let passed = if mark.boot == boot { now.mono.since(mark.mono) } else { Duration::ZERO };
    now.wall.min(mark.at.plus(passed * 2))
}

fn read(connection: &Connection) -> Result<Option<Mark>, Error> {
    let mut statement = connection.prepare_cached("SELECT purge_ms, purge_boot, purge_ns FROM meta")?;
    Ok(statement.query_row([], |row| {
        let (at, boot, mono): (Option<i64>, Option<[u8; 16]>, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let mark = |((at, boot), mono): ((i64, [u8; 16]), i64)| Mark {
            at: Wall(at),
            boot: Boot(Uuid::from_bytes(boot)),
            mono: Mono(mono.unsigned_abs()),
        };
        Ok(at.zip(boot).zip(mono).map(mark))
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const YEARS: i64 = 12 * 365 * 24;

    fn now(mono_h: i64, wall_h: i64) -> Now {
        let mono = Mono(mono_h.unsigned_abs() * 3_600_000_000_000);
        Now { mono, wall: Wall(1_800_000_000_000 + wall_h * HOUR), synced: true }
    }

    /// Hours that it shows after each of these moments of a boot.
    fn hours(moments: &[(u128, Now)]) -> Vec<i64> {
        let mut mark = None;
        let shown = moments.iter().map(|&(boot, now)| {
            let boot = Boot(Uuid::from_u128(boot));
            let at = at(mark, now, boot);
            mark = Some(Mark { at, boot, mono: now.mono });
            (at.0 - 1_800_000_000_000) / HOUR
        });
        shown.collect()
    }

    #[test]
    fn it_follows_a_wall_clock_that_goes_as_it_should() {
        assert_eq!(hours(&[(1, now(0, 0)), (1, now(1, 1)), (1, now(200, 200))]), [0, 1, 200]);
    }

    #[test]
    fn a_jump_of_twelve_years_makes_little_older_and_is_forgotten_once_it_is_set_right() {
        assert_eq!(hours(&[(1, now(5, 5)), (1, now(6, YEARS)), (1, now(7, 7)), (1, now(8, 8))]), [5, 7, 7, 8]);
        assert_eq!(hours(&[(1, now(5, 5)), (2, now(0, YEARS)), (2, now(1, YEARS)), (2, now(2, 8))]), [5, 5, 7, 8]);
    }

    #[test]
    fn what_a_box_slept_through_is_caught_up_with() {
        let slept = [(1, now(5, 5)), (2, now(0, 105)), (2, now(50, 155)), (2, now(100, 205)), (2, now(300, 405))];
        assert_eq!(hours(&slept), [5, 5, 105, 205, 405]);
    }

    #[test]
    fn it_is_never_ahead_of_the_wall_clock() {
        assert_eq!(hours(&[(1, now(5, 5)), (1, now(6, -1000)), (1, now(7, -999))]), [5, -1000, -999]);
    }
}
