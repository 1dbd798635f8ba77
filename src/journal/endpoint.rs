//! What is written about an endpoint as a whole: that it is gone, that it wants to be left alone, that what it is owed may
//! be tried again at once.
//!
//! Owns these changes; refuses to decide any (`retry` and the operator do). Runs on `journal-writer`.

use rusqlite::OptionalExtension;

use super::error::Error;
use super::group::{Change, Ledger};
use crate::delivery::HoldReason;
use crate::name::Name;
use crate::time::{Now, Wall};

/// See [`super::Writer::set_gone`].
pub(super) struct Gone {
    /// Which endpoint.
    pub(super) endpoint: Name,
    /// Whether it is.
    pub(super) gone: bool,
}

impl Change for Gone {
    type Answer = bool;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<bool, Error> {
        let mut known = ledger.connection.prepare_cached("SELECT gone FROM endpoint_state WHERE name = ?1")?;
        let was_gone = known.query_row([self.endpoint.as_str()], |row| row.get(0)).optional()?.unwrap_or(false);
        ledger
            .connection
            .prepare_cached(
                "INSERT INTO endpoint_state (name, gone) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET gone = excluded.gone",
            )?
            .execute((self.endpoint.as_str(), self.gone))?;
        ledger.woken.insert(self.endpoint);
        Ok(was_gone)
    }
}

/// See [`super::Writer::skip_owed`].
pub(super) struct Skip {
    /// Which endpoint.
    pub(super) endpoint: Name,
    /// When it ended.
    pub(super) at: Wall,
}

/// So many rows are skipped at once, so that nobody waits long for the writer.
const BATCH: u32 = 500;

/// A range of `delivery_due`; nothing once an operator took it back.
pub(super) const SKIP: &str = "UPDATE delivery SET state = 'skipped_gone', reason = NULL, ended_ms = ?2
     WHERE n IN (SELECT n FROM delivery
                 WHERE ended_ms IS NULL AND endpoint = ?1 AND priority IN (0, 1, 2, 3) LIMIT ?3)
       AND EXISTS (SELECT 1 FROM endpoint_state WHERE name = ?1 AND gone = 1)";

impl Change for Skip {
    type Answer = u64;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<u64, Error> {
        let mut statement = ledger.connection.prepare_cached(SKIP)?;
        Ok(statement.execute((self.endpoint.as_str(), self.at.0, BATCH))? as u64)
    }
}

/// See [`super::Writer::pause`].
pub(super) struct Pause {
    /// Which endpoint.
    pub(super) endpoint: Name,
    /// Until when.
    pub(super) until: Wall,
}

impl Change for Pause {
    type Answer = ();

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        let mut statement =
            ledger.connection.prepare_cached("UPDATE endpoint_state SET paused_until_ms = ?2 WHERE name = ?1")?;
        statement.execute((self.endpoint.as_str(), self.until.0))?;
        Ok(())
    }
}

/// See [`super::Writer::release`].
pub(super) struct Release {
    /// Which endpoint.
    pub(super) endpoint: Name,
    /// What they were held for.
    pub(super) reason: HoldReason,
    /// When they become due.
    pub(super) now: Now,
}

/// A range of `delivery_endpoint_state`.
pub(super) const RELEASE: &str = "UPDATE delivery SET due_ms = ?3
     WHERE endpoint = ?1 AND state = 'held' AND reason = ?2 AND due_ms > ?3";

impl Change for Release {
    type Answer = u64;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<u64, Error> {
        let mut statement = ledger.connection.prepare_cached(RELEASE)?;
        let released = statement.execute((self.endpoint.as_str(), self.reason.as_str(), self.now.wall.0))?;
        if released > 0 {
            ledger.woken.insert(self.endpoint);
        }
        Ok(released as u64)
    }
}
