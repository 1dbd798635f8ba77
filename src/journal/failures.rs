//! What became of the events of jobs.
//!
//! Owns this one query, whose cost is the number of dead letters, whatever else there is; refuses to judge what it says.
//! Runs on whichever thread calls it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::columns::{id, unsigned};
use super::error::Error;
use super::letters::DEAD_STATES;
use super::reader::Reader;

/// Dead letters by job.
pub(super) fn by_job_sql() -> String {
    format!(
        "SELECT e.job, count(*) AS failed FROM delivery d JOIN event e ON e.seq = d.event_seq
         WHERE d.state IN {DEAD_STATES} GROUP BY e.job"
    )
}

impl Reader {
    /// Deliveries that ended without success, by the job whose event they were to tell; jobs without any are left out.
    pub fn failures_of_jobs(&self) -> Result<BTreeMap<Uuid, u64>, Error> {
        let mut statement = self.connection.prepare_cached(&by_job_sql())?;
        let rows = statement.query_map([], |row| Ok((id(row, "job")?, unsigned(row, "failed")?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
