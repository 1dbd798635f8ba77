//! Dead letters: what an operator does with them.
//!
//! Owns which deliveries are dead letters, sending them back and dropping them; refuses to do either by itself. Runs on
//! the thread `journal-writer`.

use rusqlite::{Params, ToSql};

use super::columns::to_integer;
use super::entry::DeadFilter;
use super::error::Error;
use super::group::{Change, Ledger};
use crate::name::Name;
use crate::time::Now;

/// The states of dead letters, for an SQL `IN`. A test holds it against [`State`].
pub(super) const DEAD_STATES: &str = "('dead', 'expired', 'dropped_quota', 'skipped_gone')";

/// See [`super::Writer::redrive`].
pub(super) struct Redrive {
    /// Which.
    pub(super) filter: DeadFilter,
    /// When they become due.
    pub(super) now: Now,
}

/// See [`super::Writer::drop_dead`].
pub(super) struct Drop {
    /// Which.
    pub(super) filter: DeadFilter,
}

impl Change for Redrive {
    type Answer = u64;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<u64, Error> {
        let (wall, generation) = (self.now.wall.0, to_integer(ledger.start.generation));
        let (condition, id, endpoint) = condition(&self.filter);
        // Of what was dropped for want of room only a tombstone is left: there is nothing to send.
        // Tries go on counting. None of those before counts as a free re-send, or there would never be one again.
        let sql = format!(
            "UPDATE delivery SET state = 'pending', holds = tries, reason = NULL, due_ms = ?4, delay_ms = 0, attempts = 0,
                 ended_ms = NULL, latency_ms = NULL, redriven = redriven + 1, generation = ?5
             WHERE {condition} AND body IS NOT NULL RETURNING endpoint"
        );
        let endpoints = change(ledger, &sql, (id, endpoint, DROPPED, wall, generation))?;
        let count = endpoints.len() as u64;
        ledger.woken.extend(endpoints.iter().filter_map(|endpoint| Name::new(endpoint).ok()));
        Ok(count)
    }
}

impl Change for Drop {
    type Answer = u64;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<u64, Error> {
        let (condition, id, endpoint) = condition(&self.filter);
        let sql = format!("UPDATE delivery SET state = 'dead', reason = ?3 WHERE {condition} RETURNING endpoint");
        Ok(change(ledger, &sql, (id, endpoint, DROPPED))?.len() as u64)
    }
}

/// Why a dead letter is no longer counted.
pub(super) const DROPPED: &str = "dropped_by_hand";

/// The condition of a filter with its first two values; the third is [`DROPPED`].
fn condition(filter: &DeadFilter) -> (String, impl ToSql + use<>, impl ToSql + use<>) {
    let mut condition = format!("state IN {DEAD_STATES}");
    condition += match filter.delivery {
        Some(_) => " AND id = ?1",
        None => " AND ?1 IS NULL AND reason IS NOT ?3",
    };
    condition += if filter.endpoint.is_some() { " AND endpoint = ?2" } else { " AND ?2 IS NULL" };
    let id = filter.delivery.map(uuid::Uuid::into_bytes);
    (condition, id, filter.endpoint.as_ref().map(Name::to_string))
}

fn change(ledger: &Ledger<'_>, sql: &str, params: impl Params) -> Result<Vec<String>, Error> {
    let mut statement = ledger.connection.prepare_cached(sql)?;
    Ok(statement.query_map(params, |row| row.get(0))?.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{DeadReason, State};

    #[test]
    fn the_words_in_sql_are_those_of_the_vocabulary() {
        let dead = State::ALL.into_iter().filter(|state| state.is_dead_letter());
        let quoted: Vec<String> = dead.map(|state| format!("'{}'", state.as_str())).collect();
        assert_eq!(DEAD_STATES, format!("({})", quoted.join(", ")));
        assert_eq!(DROPPED, DeadReason::DroppedByHand.as_str());
    }
}
