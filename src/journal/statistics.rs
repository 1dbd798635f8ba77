//! Figures: how the endpoints and the monitors do, and how large the journal is.
//!
//! Owns these queries; refuses to judge what they say, and to count what grows with the journal: triggers of the schema
//! keep the counts. Runs on whichever thread calls it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use super::clock::Clock;
use super::columns::{id, name, unsigned};
use super::database::FILE;
use super::day::Day;
use super::error::Error;
use super::frames::FOLDER;
use super::listing::{Counts, Ended, EndpointCounts, LastError, MonitorCounts, Totals};
use super::notices::{DROPPED, RESETS, counted};
use super::reader::Reader;
use crate::name::Name;
use crate::time::{Boot, Mono, Now, Wall};

impl Reader {
    /// How the endpoints do that were ever owed something or said something, by name.
    pub fn endpoint_counts(&self, now: Now) -> Result<Vec<EndpointCounts>, Error> {
        let snapshot = self.snapshot()?;
        let counts = counts(&snapshot, "endpoint", now)?;
        let mut gone = snapshot.prepare_cached("SELECT gone FROM endpoint_state WHERE name = ?1")?;
        let with_gone = counts.into_iter().map(|(endpoint, mut counts)| {
            counts.oldest = oldest_of_endpoint(&snapshot, &endpoint, now)?;
            let gone = gone.query_row([endpoint.as_str()], |row| row.get(0)).optional()?.unwrap_or(false);
            Ok(EndpointCounts { endpoint, counts, gone })
        });
        with_gone.collect()
    }

    /// How the monitors do that ever had an event, by name.
    pub fn monitor_counts(&self, now: Now) -> Result<Vec<MonitorCounts>, Error> {
        let snapshot = self.snapshot()?;
        let oldest = oldest_by_monitor(&snapshot, now)?;
        let with_oldest = counts(&snapshot, "monitor", now)?.into_iter().map(|(monitor, mut counts)| {
            counts.oldest = oldest.get(&monitor).copied();
            MonitorCounts { monitor, counts }
        });
        Ok(with_oldest.collect())
    }

    /// Deliveries that ended, by endpoint and by how, since the journal was made.
    pub fn ended(&self) -> Result<Vec<Ended>, Error> {
        let mut statement = self.connection.prepare_cached("SELECT * FROM ended")?;
        let rows = statement.query_map([], |row| {
            let (state, reason): (String, String) = (row.get("state")?, row.get("reason")?);
            Ok(Ended { endpoint: name(row, "endpoint")?, state, reason, amount: unsigned(row, "amount")? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The journal as a whole. `bytes` are those of the files as they lie on the disk.
    pub fn totals(&self) -> Result<Totals, Error> {
        let snapshot = self.snapshot()?;
        let sql = "SELECT generation, epoch, unclean_starts,
                       (SELECT coalesce(sum(kept), 0) FROM account WHERE kind = 'monitor') AS events FROM meta";
        let frames = bytes_of_frames(&self.dir);
        let (resets, dropped) = (counted(&snapshot, RESETS)?, counted(&snapshot, DROPPED)?);
        let size = |suffix: &str| fs::metadata(self.dir.join(format!("{FILE}{suffix}"))).map_or(0, |file| file.len());
        Ok(snapshot.query_row(sql, [], |row| {
            let (generation, epoch) = (unsigned(row, "generation")?, id(row, "epoch")?);
            Ok(Totals {
                bytes: size("") + size("-wal") + size("-shm") + frames,
                database_bytes: size(""),
                wal_bytes: size("-wal"),
                frame_bytes: frames,
                disk: disk(&self.dir),
                events: unsigned(row, "events")?,
                generation,
                unclean_starts: unsigned(row, "unclean_starts")?,
                resets,
                dropped,
                epoch,
            })
        })?)
    }

    /// What SQLite says about the soundness of the whole file: `ok`, or what is wrong. Reads everything: not for a running
    /// daemon's status.
    pub fn check(&self) -> Result<String, Error> {
        Ok(self.connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?)
    }
}

/// What cannot be read counts nothing.
fn bytes_of_frames(dir: &Path) -> u64 {
    let frames = fs::read_dir(dir.join(FOLDER)).into_iter().flatten().flatten();
    frames.map(|file| file.metadata().map_or(0, |file| file.len())).sum()
}

/// Bytes of the journal's disk that this user may still fill, and all that it has. None where the system does not tell.
fn disk(dir: &Path) -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some((disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize)))
}

/// A handful of rows. Events of the whole box have no monitor: an empty name.
const ACCOUNTS: &str = "SELECT * FROM account WHERE kind = ?1 AND name <> '' ORDER BY name";

fn counts(connection: &Connection, kind: &str, now: Now) -> Result<Vec<(Name, Counts)>, Error> {
    let mut days = days(connection, kind, now)?;
    let mut statement = connection.prepare_cached(ACCOUNTS)?;
    let rows = statement.query_map([kind], |row| {
        let last_error = match (row.get("last_error_ms")?, row.get("last_error")?) {
            (Some(at), Some(text)) => Some(LastError { at: Wall(at), text }),
            _ => None,
        };
        let name = name(row, "name")?;
        let day = days.remove(&name).unwrap_or_default();
        let counts = Counts {
            pending: unsigned(row, "pending")?,
            held: unsigned(row, "held")?,
            dead: unsigned(row, "dead")?,
            oldest: None,
            events_24h: day.accepted,
            owed_24h: day.owed,
            shadow_24h: day.shadow,
            delivered_24h: day.delivered,
            success_rate: day.success_rate(),
            avg_latency_ms: day.average_ms(),
            p95_latency_ms: day.percentile_ms(95),
            last_success: row.get::<_, Option<i64>>("last_success_ms")?.map(Wall),
            last_error,
            failing: row.get("failing")?,
        };
        Ok((name, counts))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A range of the primary key: a day.
pub(super) const FIGURES: &str = "SELECT name, what, slot, sum(amount) AS amount FROM figure
     WHERE quarter >= ?1 AND kind = ?2 AND name <> '' GROUP BY name, what, slot";

fn days(connection: &Connection, kind: &str, now: Now) -> Result<BTreeMap<Name, Day>, Error> {
    let since = Clock::read(connection)?.at(now, Boot::current()).day_begins();
    let mut statement = connection.prepare_cached(FIGURES)?;
    let mut rows = statement.query((since, kind))?;
    let mut days: BTreeMap<Name, Day> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let day = days.entry(name(row, "name")?).or_default();
        let (what, amount) = (row.get::<_, String>("what")?, unsigned(row, "amount")?);
        match what.as_str() {
            "accepted" => day.accepted = amount,
            "owed" => day.owed = amount,
            "shadow" => day.shadow = amount,
            "delivered" => day.delivered = amount,
            "failed" => day.failed = amount,
            "latency_ms" => day.latency_ms = amount,
            "latency" => drop(day.slots.insert(row.get("slot")?, amount)),
            // Of a newer release.
            _ => {}
        }
    }
    Ok(days)
}

/// When a delivery was accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    /// The boot that `mono` belongs to.
    pub(super) boot: Boot,
    /// By the monotonic clock.
    pub(super) mono: Mono,
    /// By the wall clock.
    pub(super) wall: Wall,
    /// Whether that could be believed.
    pub(super) synced: bool,
}

impl Accepted {
    /// How long ago that was: exactly within one boot, by the wall clock otherwise; None where no clock can tell.
    pub(super) fn age(self, now: Now) -> Option<Duration> {
        if self.boot == Boot::current() {
            return (now.mono >= self.mono).then(|| now.mono.since(self.mono));
        }
        (self.synced && now.synced && now.wall >= self.wall).then(|| now.wall.since(self.wall))
    }
}

/// From columns of a delivery and its event.
pub(super) fn accepted(row: &Row<'_>) -> rusqlite::Result<Accepted> {
    Ok(Accepted {
        boot: Boot(id(row, "boot")?),
        mono: Mono(unsigned(row, "accepted_ns")?),
        wall: Wall(row.get("accepted_ms")?),
        synced: row.get("synced")?,
    })
}

/// The first of a range of `delivery_endpoint_state`.
pub(super) const OLDEST_IN_STATE: &str = "SELECT boot, synced, accepted_ms, accepted_ns
     FROM delivery CROSS JOIN event ON seq = event_seq
     WHERE endpoint = ?1 AND state = ?2 ORDER BY n LIMIT 1";

const OPEN_STATES: [&str; 3] = ["pending", "retry_wait", "held"];

fn oldest_of_endpoint(connection: &Connection, endpoint: &Name, now: Now) -> Result<Option<Duration>, Error> {
    let mut statement = connection.prepare_cached(OLDEST_IN_STATE)?;
    let mut oldest = None;
    for state in OPEN_STATES {
        let found = statement.query_row((endpoint.as_str(), state), |row| Ok(accepted(row)?.age(now))).optional()?;
        oldest = oldest.max(found.flatten());
    }
    Ok(oldest)
}

/// The beginning of a range of `delivery_state`, bounded: behind a long backlog of one monitor the oldest of another is
/// not looked for.
pub(super) const OLDEST_BY_MONITOR: &str = "SELECT monitor, boot, synced, accepted_ms, accepted_ns, min(n)
     FROM (SELECT n, event_seq, accepted_ms, accepted_ns FROM delivery WHERE state = ?1 ORDER BY n LIMIT 2000)
     CROSS JOIN event ON seq = event_seq
     WHERE monitor <> '' GROUP BY monitor";

fn oldest_by_monitor(connection: &Connection, now: Now) -> Result<BTreeMap<Name, Duration>, Error> {
    let mut statement = connection.prepare_cached(OLDEST_BY_MONITOR)?;
    let mut oldest: BTreeMap<Name, Duration> = BTreeMap::new();
    for state in OPEN_STATES {
        let rows = statement.query_map([state], |row| Ok((name(row, "monitor")?, accepted(row)?.age(now))))?;
        for row in rows {
            let (monitor, Some(age)) = row? else { continue };
            let known = oldest.entry(monitor).or_default();
            *known = age.max(*known);
        }
    }
    Ok(oldest)
}

#[cfg(test)]
mod tests {
    use crate::delivery::State;
    use crate::journal::database::open_for_writing;

    #[test]
    fn every_state_counts_as_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        for state in State::ALL {
            let sql = "SELECT pending, held, dead FROM counts_as WHERE state = ?1";
            let counts: (bool, bool, bool) =
                connection.query_row(sql, [state.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
            let waits = matches!(state, State::Pending | State::RetryWait);
            assert_eq!(counts, (waits, state == State::Held, state.is_dead_letter()), "{state:?}");
        }
    }
}
