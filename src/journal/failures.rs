//! What became of the events of jobs and monitors.
//!
//! Owns these queries, whose cost is that of dead letters, whatever else there is; refuses to judge what they say. Runs on
//! whichever thread calls it.

use std::collections::BTreeMap;

use rusqlite::Row;
use uuid::Uuid;

use super::columns::{id, unsigned, word};
use super::deliveries::LAST_ATTEMPT;
use super::error::Error;
use super::letters::DEAD_STATES;
use super::listing::Failed;
use super::reader::Reader;
use crate::delivery::State;
use crate::name::Name;

/// Dead letters by job.
pub(super) fn by_job_sql() -> String {
    format!(
        "SELECT e.job, count(*) AS failed FROM delivery d JOIN event e ON e.seq = d.event_seq
         WHERE d.state IN {DEAD_STATES} GROUP BY e.job"
    )
}

/// A range of `dead_letter`.
pub(super) fn of_monitor_sql() -> String {
    format!(
        "SELECT d.body, d.attempts, d.state, d.reason, {LAST_ATTEMPT}
         FROM dead_letter l CROSS JOIN delivery d ON d.n = l.n
         WHERE l.monitor = ?1 AND l.endpoint = ?2 ORDER BY l.n DESC LIMIT ?3"
    )
}

impl Reader {
    /// Deliveries that ended without success, by the job whose event they were to tell; jobs without any are left out.
    pub fn failures_of_jobs(&self) -> Result<BTreeMap<Uuid, u64>, Error> {
        let mut statement = self.connection.prepare_cached(&by_job_sql())?;
        let rows = statement.query_map([], |row| Ok((id(row, "job")?, unsigned(row, "failed")?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What could not be told to `endpoint` of the events of `monitor`, was not dropped by an operator and did not have to
    /// make room: the newest `limit`, the newest first.
    pub fn failed(&self, monitor: &Name, endpoint: &Name, limit: u32) -> Result<Vec<Failed>, Error> {
        let mut statement = self.connection.prepare_cached(&of_monitor_sql())?;
        let rows = statement.query_map((monitor.as_str(), endpoint.as_str(), limit), failed_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn failed_row(row: &Row<'_>) -> rusqlite::Result<Failed> {
    Ok(Failed {
        body: row.get("body")?,
        attempts: row.get("attempts")?,
        state: word(row, "state", State::parse)?,
        reason: row.get("reason")?,
        last_status: row.get("last_status")?,
        last_error: row.get("last_error")?,
    })
}
