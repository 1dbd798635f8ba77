//! Definitions: what was made, switched or taken away while the daemon ran.
//!
//! Owns their rows, and that those which belong together change together; refuses to know what a kind or a body means.
//! Runs on `journal-writer`.

use super::entry::{Definition, Revision};
use super::error::Error;
use super::group::{Change, Ledger};

impl Change for Revision {
    type Answer = ();

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        let mut forget = ledger.connection.prepare_cached("DELETE FROM definition WHERE kind = ?1 AND name = ?2")?;
        for (kind, name) in &self.forget {
            forget.execute((kind, name.as_str()))?;
        }
        // When it was made stays as it was first written.
        let mut keep = ledger.connection.prepare_cached(
            "INSERT INTO definition (kind, name, body, made_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body",
        )?;
        for Definition { kind, name, body, made } in &self.keep {
            keep.execute((kind, name.as_str(), body, made.0))?;
        }
        let mut mark = ledger.connection.prepare_cached(
            "INSERT INTO endpoint_state (name, gone) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET gone = excluded.gone",
        )?;
        for (endpoint, gone) in self.gone {
            mark.execute((endpoint.as_str(), gone))?;
            ledger.woken.insert(endpoint);
        }
        Ok(())
    }
}
