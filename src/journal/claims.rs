//! Claims: which deliveries were being sent when a process ended uncleanly.
//!
//! Owns the marks and what follows from them; refuses to decide who claims (the senders do, for a while after an unclean
//! end). A delivery that was claimed in three unclean ends running is given up: perhaps it is what ends the processes, and
//! the others must go on. Runs on the thread that opens the journal and on `journal-writer`.

use rusqlite::{Connection, named_params};

use super::columns::to_integer;
use super::error::Error;
use super::group::{Change, Ledger};
use crate::time::Now;

/// Claimed in so many unclean ends running, a delivery is given up.
const ENOUGH: u32 = 3;

/// See [`super::Writer::claim`].
pub(super) struct Claim {
    /// Which delivery: its place in the order of acceptance.
    pub(super) n: i64,
}

impl Change for Claim {
    type Answer = ();

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        let mut statement =
            ledger.connection.prepare_cached("UPDATE delivery SET claim_generation = ?2 WHERE n = ?1")?;
        statement.execute((self.n, to_integer(ledger.start.generation)))?;
        Ok(())
    }
}

/// After a clean end nobody is suspected; after an unclean one those who were claimed, and no others.
pub(super) const ACQUIT: &str = "UPDATE delivery SET claim_generation = NULL, unclean_claims = 0
     WHERE (claim_generation IS NOT NULL OR unclean_claims > 0)
       AND (:clean OR ended_ms IS NOT NULL OR claim_generation IS NULL)";
pub(super) const COUNT: &str = "UPDATE delivery SET claim_generation = NULL, unclean_claims = unclean_claims + 1
     WHERE (claim_generation IS NOT NULL OR unclean_claims > 0) AND claim_generation IS NOT NULL";
pub(super) const GIVE_UP: &str = "UPDATE delivery SET state = 'dead', reason = 'poison', ended_ms = :now
     WHERE (claim_generation IS NOT NULL OR unclean_claims > 0) AND unclean_claims >= :enough AND ended_ms IS NULL";

/// Counts the claims of the last process. Answers how many deliveries are given up now.
pub(super) fn count(connection: &Connection, clean: bool, now: Now) -> rusqlite::Result<usize> {
    connection.execute(ACQUIT, named_params! { ":clean": clean })?;
    connection.execute(COUNT, [])?;
    connection.execute(GIVE_UP, named_params! { ":now": now.wall.0, ":enough": ENOUGH })
}
