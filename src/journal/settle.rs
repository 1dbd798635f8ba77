//! Settling: what became of a delivery.
//!
//! Owns how an attempt and the new standing are written (the attempt is left out of a database that is nearly full); refuses to decide either (`retry` does). What has ended stays ended, unless it was delivered after all. Runs on `journal-writer`.

use rusqlite::{Connection, OptionalExtension, named_params};
use tokio::sync::oneshot;

use super::clock;
use super::columns::{to_integer, to_ms, word};
use super::entry::Settlement;
use super::error::Error;
use super::group::{Change, Ledger, Queued};
use super::statistics::{Accepted, accepted};
use crate::delivery::{Attempt, State};
use crate::name::Name;
use crate::time::{Now, Wall};

/// Of a response's body at most so many bytes are kept.
const LONGEST_SNIPPET: usize = 1024;

impl Change for Settlement {
    type Answer = ();

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        let row = find(ledger.connection, &self)?.ok_or(Error::NoSuchDelivery(self.delivery))?;
        clock::advance(ledger.connection, self.at)?;
        let stays = row.ended.is_some_and(|_| self.standing.state != State::Delivered);
        if let Some((started, attempt)) = &self.attempt {
            let is_kept = !(stays && row.ended == Some(State::DroppedQuota));
            if is_kept && ledger.room.is_left_for_attempts(ledger.connection)? {
                insert_attempt(ledger.connection, row.n, *started, attempt)?;
            }
            ledger.meters.attempted(&row.endpoint, attempt.took);
            note_outcome(ledger.connection, &row, &self, attempt)?;
        }
        // It was dropped or skipped while it was on its way. Only the receiver's word counts for more than that.
        if stays {
            return Ok(());
        }
        if row.ended == Some(State::DroppedQuota) {
            ledger.tombstones = ledger.tombstones.saturating_sub(1);
        }
        update(ledger, &row, &self)
    }
}

/// What the journal knows of the delivery that is settled.
struct Row {
    n: i64,
    endpoint: String,
    monitor: String,
    accepted: Accepted,
    /// How it ended, if it has.
    ended: Option<State>,
}

fn find(connection: &Connection, settlement: &Settlement) -> Result<Option<Row>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT n, endpoint, state, ended_ms IS NOT NULL AS ended, monitor, accepted_ms, accepted_ns, boot, synced
         FROM delivery JOIN event ON event.seq = event_seq WHERE delivery.id = ?1",
    )?;
    let row = statement.query_row([settlement.delivery.as_bytes()], |row| {
        Ok(Row {
            n: row.get("n")?,
            endpoint: row.get("endpoint")?,
            monitor: row.get("monitor")?,
            accepted: accepted(row)?,
            ended: if row.get("ended")? { Some(word(row, "state", State::parse)?) } else { None },
        })
    });
    Ok(row.optional()?)
}

fn insert_attempt(connection: &Connection, delivery: i64, started: Wall, attempt: &Attempt) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO attempt (delivery, started_ms, took_ms, outcome, status, error, snippet)
         VALUES (:delivery, :started_ms, :took_ms, :outcome, :status, :error, :snippet)",
    )?;
    statement.execute(named_params! {
        ":delivery": delivery,
        ":started_ms": started.0,
        ":took_ms": to_ms(attempt.took),
        ":outcome": attempt.outcome.class(),
        ":status": attempt.outcome.status(),
        ":error": attempt.error,
        ":snippet": attempt.snippet.as_deref().map(beginning),
    })?;
    Ok(())
}

/// At most [`LONGEST_SNIPPET`] bytes, whole characters.
fn beginning(text: &str) -> &str {
    let fits = |&end: &usize| text.is_char_boundary(end);
    let end = (0..=text.len().min(LONGEST_SNIPPET)).rev().find(fits).unwrap_or(0);
    &text[..end]
}

/// The last success or failure of the endpoint and of the monitor. A duplicate that the receiver refused counts as
/// delivered here too.
fn note_outcome(connection: &Connection, row: &Row, settlement: &Settlement, attempt: &Attempt) -> Result<(), Error> {
    let at = settlement.at.wall.0;
    for (kind, name) in [("endpoint", &row.endpoint), ("monitor", &row.monitor)] {
        if settlement.standing.state == State::Delivered {
            let mut statement = connection
                .prepare_cached("UPDATE account SET last_success_ms = ?3, failing = 0 WHERE kind = ?1 AND name = ?2")?;
            statement.execute((kind, name, at))?;
        } else {
            let mut statement = connection.prepare_cached(
                "UPDATE account SET last_error_ms = ?3, last_error = ?4, failing = 1 WHERE kind = ?1 AND name = ?2",
            )?;
            statement.execute((kind, name, at, words(attempt)))?;
        }
    }
    Ok(())
}

/// What an attempt says, in short.
fn words(attempt: &Attempt) -> String {
    match (&attempt.error, attempt.outcome.status()) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => format!("status {status}"),
        (None, None) => attempt.outcome.class().to_owned(),
    }
}

fn update(ledger: &Ledger<'_>, row: &Row, settlement: &Settlement) -> Result<(), Error> {
    let Settlement { at, standing, .. } = settlement;
    let latency = if standing.state == State::Delivered { row.accepted.age(*at) } else { None };
    let mut statement = ledger.connection.prepare_cached(
        "UPDATE delivery SET state = :state, reason = :reason, due_ms = :due_ms, delay_ms = :delay_ms,
             attempts = :attempts, tries = :tries, holds = :holds, held_ms = :held_ms,
             maybe_received = :maybe_received, generation = :generation, claim_generation = NULL, unclean_claims = 0,
             ended_ms = :ended_ms, latency_ms = :latency_ms
         WHERE n = :n",
    )?;
    statement.execute(named_params! {
        ":n": row.n,
        ":state": standing.state.as_str(),
        ":reason": standing.reason,
        ":due_ms": standing.due.0,
        ":delay_ms": to_ms(standing.delay),
        ":attempts": standing.attempts,
        ":tries": standing.tries,
        ":holds": standing.holds,
        ":held_ms": to_ms(standing.held),
        ":maybe_received": standing.maybe_received,
        ":generation": to_integer(ledger.start.generation),
        ":ended_ms": (!standing.state.is_open()).then_some(at.wall.0),
        ":latency_ms": latency.map(to_ms),
    })?;
    Ok(())
}

/// See [`super::Writer::rein_in`].
pub(super) struct ReinIn {
    /// What the clocks show.
    pub(super) now: Now,
}

impl Change for ReinIn {
    type Answer = u64;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<u64, Error> {
        let mut statement = ledger.connection.prepare_cached(REIN_IN)?;
        let endpoints: Vec<String> =
            statement.query_map((self.now.wall.0, REIN_IN_BATCH), |row| row.get(0))?.collect::<Result<_, _>>()?;
        let count = endpoints.len() as u64;
        for endpoint in endpoints {
            if let Ok(endpoint) = Name::new(&endpoint) {
                ledger.woken.insert(endpoint);
            }
        }
        if count >= u64::from(REIN_IN_BATCH) {
            // Whoever waits was answered with the first batch.
            ledger.next.push(Box::new(Queued::new(self, oneshot::channel().0)));
        }
        Ok(count)
    }
}

/// So many rows are reined in at once: the rest follows with the next commits.
const REIN_IN_BATCH: u32 = 2000;

/// A range of `delivery_due` per endpoint and priority: what lies ahead, and further than it may.
pub(super) const REIN_IN: &str = "UPDATE delivery SET due_ms = ?1 + delay_ms
     WHERE n IN (SELECT n FROM delivery
                 WHERE ended_ms IS NULL AND endpoint IN (SELECT name FROM endpoint_state) AND priority IN (0, 1, 2, 3)
                   AND due_ms > ?1 AND due_ms - delay_ms > ?1
                 LIMIT ?2)
     RETURNING endpoint";
