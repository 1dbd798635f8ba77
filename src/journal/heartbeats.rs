//! Reading heartbeats: the latest that an endpoint was owed.
//!
//! Owns the query; refuses to know what follows from it (`heartbeat`). Runs on whichever thread calls it.

use rusqlite::OptionalExtension;
use uuid::Uuid;

use super::columns::{id, unsigned, word};
use super::error::Error;
use super::reader::Reader;
use crate::delivery::State;
use crate::name::Name;
use crate::time::{Boot, Mono, Now, Wall};

/// The latest heartbeat that an endpoint was owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatestHeartbeat {
    /// Its place in the order of everything.
    pub seq: i64,
    /// When it was told.
    pub at: Now,
    /// The boot that `at.mono` belongs to.
    pub boot: Boot,
    /// Its delivery.
    pub delivery: Uuid,
}

/// From the newest heartbeat on: all endpoints that are well have the same one.
pub(super) const LATEST: &str = "SELECT e.seq, observed_ms, observed_ns, synced, boot, d.id
     FROM event e CROSS JOIN delivery d ON d.event_seq = e.seq
     WHERE e.type = 'device.heartbeat' AND d.endpoint = ?1 ORDER BY e.seq DESC LIMIT 1";

impl Reader {
    /// The latest heartbeat that `endpoint` was owed; None: there was none, or it was purged.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn latest_heartbeat(&self, endpoint: &Name) -> Result<Option<LatestHeartbeat>, Error> {
        let mut statement = self.connection.prepare_cached(LATEST)?;
        let row = statement.query_row([endpoint.as_str()], |row| {
            let mono = Mono(unsigned(row, "observed_ns")?);
            let at = Now { mono, wall: Wall(row.get("observed_ms")?), synced: row.get("synced")? };
            let seq = row.get("seq")?;
            Ok(LatestHeartbeat { seq, at, boot: Boot(id(row, "boot")?), delivery: id(row, "id")? })
        });
        Ok(row.optional()?)
    }

    /// Whether a delivery still waits for its end. One that was purged does not.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn is_owed(&self, delivery: Uuid) -> Result<bool, Error> {
        let mut statement = self.connection.prepare_cached("SELECT state FROM delivery WHERE id = ?1")?;
        let state = statement.query_row([delivery.as_bytes()], |row| word(row, "state", State::parse));
        Ok(state.optional()?.is_some_and(State::is_open))
    }
}
