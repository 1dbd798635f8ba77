//! Figures: how the endpoints do, and how large the journal is.
//!
//! Owns these queries and their denominators (holds are not failures); refuses to judge them. Runs on whichever thread
//! calls it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::columns::{id, name, unsigned};
use super::database::FILE;
use super::error::Error;
use super::frames::FOLDER;
use super::letters::{DEAD_STATES, DROPPED};
use super::listing::{EndpointCounts, LastError, Totals};
use super::reader::Reader;
use crate::time::Wall;

/// The window of the statistics.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Reader {
    /// How the endpoints do that were ever owed something, by name.
    pub fn endpoint_counts(&self, now: Wall) -> Result<Vec<EndpointCounts>, Error> {
        let snapshot = self.snapshot()?;
        let mut statement = snapshot.prepare_cached("SELECT * FROM endpoint_state ORDER BY name")?;
        let rows = statement.query_map([], |row| {
            let last_error = match (row.get("last_error_ms")?, row.get("last_error")?) {
                (Some(at), Some(text)) => Some(LastError { at: Wall(at), text }),
                _ => None,
            };
            let last_success: Option<i64> = row.get("last_success_ms")?;
            Ok((name(row, "name")?, row.get("gone")?, last_success.map(Wall), last_error))
        })?;
        let mut counts = Vec::new();
        for row in rows {
            let (endpoint, gone, last_success, last_error) = row?;
            let queue = queue(&snapshot, endpoint.as_str())?;
            let day = day(&snapshot, endpoint.as_str(), now.minus(DAY))?;
            counts.push(EndpointCounts {
                endpoint,
                pending: queue.pending,
                held: queue.held,
                dead: queue.dead,
                oldest: queue.oldest,
                delivered_24h: day.latencies_ms.len() as u64,
                success_rate: day.success_rate(),
                avg_latency_ms: day.average_ms(),
                p95_latency_ms: day.percentile_ms(95),
                last_success,
                last_error,
                gone,
            });
        }
        Ok(counts)
    }

    /// The journal as a whole. `bytes` are those of the files as they lie on the disk.
    pub fn totals(&self) -> Result<Totals, Error> {
        let snapshot = self.snapshot()?;
        let sql = "SELECT generation, epoch, (SELECT count(*) FROM event) AS events FROM meta";
        Ok(snapshot.query_row(sql, [], |row| {
            let (generation, epoch) = (unsigned(row, "generation")?, id(row, "epoch")?);
            Ok(Totals { bytes: bytes_in(&self.dir), events: unsigned(row, "events")?, generation, epoch })
        })?)
    }

    /// What SQLite says about the soundness of the whole file: `ok`, or what is wrong. Reads everything: not for a running
    /// daemon's status.
    pub fn check(&self) -> Result<String, Error> {
        Ok(self.connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?)
    }
}

/// The database, its log, and the frames; what cannot be read counts nothing.
fn bytes_in(dir: &Path) -> u64 {
    let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let database: u64 = ["", "-wal", "-shm"].iter().map(|suffix| size(&dir.join(format!("{FILE}{suffix}")))).sum();
    let frames = fs::read_dir(dir.join(FOLDER)).into_iter().flatten().flatten();
    database + frames.map(|file| size(&file.path())).sum::<u64>()
}

/// What an endpoint is still owed, and what it never got.
struct Queue {
    pending: u64,
    held: u64,
    dead: u64,
    oldest: Option<Wall>,
}

/// Counted in ranges of `delivery_endpoint_state`.
pub(super) const COUNT_STATE: &str = "SELECT count(*) AS count FROM delivery WHERE endpoint = ?1 AND state = ?2";
pub(super) const OLDEST_IN_STATE: &str =
    "SELECT accepted_ms FROM delivery WHERE endpoint = ?1 AND state = ?2 ORDER BY n LIMIT 1";

pub(super) fn count_dead_sql() -> String {
    format!(
        "SELECT count(*) AS count FROM delivery WHERE endpoint = ?1 AND state IN {DEAD_STATES} AND reason IS NOT '{DROPPED}'"
    )
}

fn queue(connection: &Connection, endpoint: &str) -> Result<Queue, Error> {
    let mut count = connection.prepare_cached(COUNT_STATE)?;
    let mut oldest_in = connection.prepare_cached(OLDEST_IN_STATE)?;
    let mut count = |state| count.query_row((endpoint, state), |row| unsigned(row, "count"));
    let mut oldest = None;
    for state in ["pending", "retry_wait", "held"] {
        let accepted = oldest_in.query_row((endpoint, state), |row| row.get(0)).optional()?.map(Wall);
        oldest = [oldest, accepted].into_iter().flatten().min();
    }
    Ok(Queue {
        pending: count("pending")? + count("retry_wait")?,
        held: count("held")?,
        dead: connection.prepare_cached(&count_dead_sql())?.query_row([endpoint], |row| unsigned(row, "count"))?,
        oldest,
    })
}

/// What ended within a day.
struct Day {
    /// Of the deliveries that arrived, ascending.
    latencies_ms: Vec<i64>,
    /// Deliveries that ended otherwise.
    failed: u64,
}

/// Ranges of `delivery_ended`.
pub(super) const DELIVERED_SINCE: &str =
    "SELECT latency_ms FROM delivery WHERE endpoint = ?1 AND state = 'delivered' AND ended_ms >= ?2";

pub(super) fn failed_since_sql() -> String {
    format!(
        "SELECT count(*) AS count FROM delivery
         WHERE endpoint = ?1 AND state IN {DEAD_STATES} AND ended_ms >= ?2"
    )
}

fn day(connection: &Connection, endpoint: &str, since: Wall) -> Result<Day, Error> {
    let mut delivered = connection.prepare_cached(DELIVERED_SINCE)?;
    let latencies = delivered.query_map((endpoint, since.0), |row| row.get::<_, Option<i64>>(0))?;
    let mut latencies_ms =
        latencies.map(|latency| Ok(latency?.unwrap_or(0))).collect::<Result<Vec<_>, rusqlite::Error>>()?;
    latencies_ms.sort_unstable();
    let mut failed = connection.prepare_cached(&failed_since_sql())?;
    Ok(Day { latencies_ms, failed: failed.query_row((endpoint, since.0), |row| unsigned(row, "count"))? })
}

impl Day {
    fn success_rate(&self) -> f64 {
        let delivered = self.latencies_ms.len() as f64;
        match delivered + self.failed as f64 {
            0.0 => 1.0,
            ended => delivered / ended,
        }
    }

    fn average_ms(&self) -> f64 {
        if self.latencies_ms.is_empty() {
            return 0.0;
        }
        self.latencies_ms.iter().sum::<i64>() as f64 / self.latencies_ms.len() as f64
    }

    /// Nearest rank; 0 when nothing arrived.
    fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.latencies_ms.len() * percent).div_ceil(100);
        rank.checked_sub(1).and_then(|index| self.latencies_ms.get(index)).map_or(0.0, |&latency| latency as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_day() {
        let day = Day { latencies_ms: (1..=20).collect(), failed: 5 };
        assert_eq!((day.success_rate(), day.average_ms(), day.percentile_ms(95)), (0.8, 10.5, 19.0));
        let one = Day { latencies_ms: vec![7], failed: 0 };
        assert_eq!((one.success_rate(), one.average_ms(), one.percentile_ms(95)), (1.0, 7.0, 7.0));
    }

    #[test]
    fn a_day_without_deliveries_is_no_failure() {
        let day = Day { latencies_ms: Vec::new(), failed: 0 };
        assert_eq!((day.success_rate(), day.average_ms(), day.percentile_ms(95)), (1.0, 0.0, 0.0));
    }
}
