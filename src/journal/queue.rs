//! The journal as a queue: what may be sent to an endpoint now, and what comes next.
//!
//! Owns these queries, each a short range of an index however long the backlog is (but for ends of alerts that must wait:
//! each of those that are due is looked at, ten thousand in some 30 ms); refuses to choose among what it finds
//! (the sender's lanes do) and to know what is in flight (the sender says so). Runs on whichever thread calls it.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::columns::duration;
use super::deliveries::COLUMNS;
use super::error::Error;
use super::listing::{Due, Queue};
use super::reader::Reader;
use crate::event::Priority;
use crate::name::Name;
use crate::time::Wall;

/// So many rows of each priority are always among those found, whatever waits before them: the oldest of all is then there.
const OF_EACH: usize = 4;

/// So many of the newest rows are looked at for fresh ones, of each state, …
const NEWEST: u32 = 64;

/// … and so many of those that became due last, of a priority.
const LATEST: u32 = 16;

/// What a sender asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is due then.
    pub now: Wall,
    /// About so many rows (a few more, so that every priority is there).
    pub limit: usize,
    /// Not these ([`Due::n`]): they are known already.
    pub known: HashSet<i64>,
    /// Accepted since then counts as fresh: when more is due than was asked for, the newest of these are found, too.
    pub fresh_since: Wall,
    /// The end of an alert waits until the alert and its repeats have ended there, one way or the other.
    pub in_order: bool,
}

impl Reader {
    /// What waits for `endpoint`: by priority, within it by when it became due.
    pub fn queue(&self, endpoint: &Name, ask: &Ask) -> Result<Queue, Error> {
        let snapshot = self.snapshot()?;
        let mut found = Found::new(&snapshot, ask)?;
        let more = oldest(&snapshot, endpoint, ask, &mut found)?;
        if more {
            newest(&snapshot, endpoint, ask, &mut found)?;
            latest(&snapshot, endpoint, Priority::Critical, ask.now, &mut found)?;
        }
        let due = self.load(&snapshot, &found.rows)?;
        let next = next_due(&snapshot, endpoint, ask.now)?;
        let (gone, _) = standing(&snapshot, endpoint)?;
        Ok(Queue { due, more, next, gone })
    }

    /// Whether `endpoint` is gone, and until when it asked to be left alone.
    pub fn endpoint_standing(&self, endpoint: &Name) -> Result<(bool, Option<Wall>), Error> {
        standing(&*self.snapshot()?, endpoint)
    }

    /// What to try an endpoint with that may not answer: one delivery of the highest priority there is, the newest of the
    /// sixteen that became due last. Of `ask`, its limit and what is fresh do not matter.
    pub fn probe(&self, endpoint: &Name, ask: &Ask) -> Result<Option<Due>, Error> {
        let snapshot = self.snapshot()?;
        for priority in Priority::ALL {
            let mut found = Found::new(&snapshot, ask)?;
            latest(&snapshot, endpoint, priority, ask.now, &mut found)?;
            if let Some(newest) = found.rows.into_iter().max() {
                return Ok(self.load(&snapshot, &[newest])?.pop());
            }
        }
        Ok(None)
    }

    /// What may be sent to `endpoint` at `now`: by priority, within it by when it became due, about `limit` of them.
    pub fn due(&self, endpoint: &Name, now: Wall, limit: u32) -> Result<Vec<Due>, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let ask = Ask { now, limit, known: HashSet::new(), fresh_since: now, in_order: false };
        let mut due = self.queue(endpoint, &ask)?.due;
        due.truncate(limit);
        Ok(due)
    }

    /// When the next delivery of `endpoint` becomes due after `now`, and after which delay: a wait of more than the delay
    /// means that the clock was set back ([`super::Writer::rein_in`]).
    pub fn next_due(&self, endpoint: &Name, now: Wall) -> Result<Option<(Wall, Duration)>, Error> {
        next_due(&*self.snapshot()?, endpoint, now)
    }

    fn load(&self, connection: &Connection, rows: &[i64]) -> Result<Vec<Due>, Error> {
        let mut statement = connection.prepare_cached(&load_sql())?;
        let mut due = Vec::with_capacity(rows.len());
        for n in rows {
            match statement.query_row([n], |row| self.due_row(row)) {
                Ok(row) => due.push(row),
                Err(error) if is_of_the_row(&error) => {
                    // As a text: each that is lost is told, however many there are.
                    tracing::error!(row = %n, %error, "a delivery cannot be read; it is not sent");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(due)
    }
}

/// Whether only this row is to blame, so that it must not keep the others back. Words that make no sense are damage.
fn is_of_the_row(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows};
    matches!(error, InvalidColumnType(..) | IntegralValueOutOfRange(..) | QueryReturnedNoRows)
}

/// Rows that were found, none twice.
struct Found<'c> {
    known: HashSet<i64>,
    rows: Vec<i64>,
    /// Tells of a row whether it must wait. None: none must.
    waits: Option<CachedStatement<'c>>,
}

impl<'c> Found<'c> {
    fn new(connection: &'c Connection, ask: &Ask) -> Result<Found<'c>, Error> {
        let waits = if ask.in_order { Some(connection.prepare_cached(WAITS)?) } else { None };
        Ok(Found { known: ask.known.clone(), rows: Vec::new(), waits })
    }

    /// Whether it is new and may go.
    fn is_open_to(&mut self, n: i64) -> Result<bool, Error> {
        if self.known.contains(&n) {
            return Ok(false);
        }
        match &mut self.waits {
            Some(waits) => Ok(!waits.query_row([n], |row| row.get::<_, bool>(0))?),
            None => Ok(true),
        }
    }

    fn add(&mut self, n: i64) -> Result<(), Error> {
        if self.is_open_to(n)? {
            self.take(n);
        }
        Ok(())
    }

    fn take(&mut self, n: i64) {
        self.known.insert(n);
        self.rows.push(n);
    }
}

/// The oldest of each priority, up to the limit together. Whether there are more.
fn oldest(connection: &Connection, endpoint: &Name, ask: &Ask, found: &mut Found<'_>) -> Result<bool, Error> {
    let mut statement = connection.prepare_cached(OLDEST)?;
    let mut more = false;
    for priority in 0..4_u8 {
        let wanted = ask.limit.saturating_sub(found.rows.len()).max(OF_EACH.min(ask.limit));
        let mut rows = statement.query((endpoint.as_str(), priority, ask.now.0))?;
        let mut taken = 0;
        while let Some(row) = rows.next()? {
            let n = row.get("n")?;
            // What must wait takes nobody's place.
            if !found.is_open_to(n)? {
                continue;
            }
            if taken == wanted {
                more = true;
                break;
            }
            found.take(n);
            taken += 1;
        }
    }
    Ok(more)
}

/// The newest that are fresh.
fn newest(connection: &Connection, endpoint: &Name, ask: &Ask, found: &mut Found<'_>) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(NEWEST_IN_STATE)?;
    for state in ["pending", "retry_wait", "held"] {
        let mut rows = statement.query((endpoint.as_str(), state, NEWEST))?;
        while let Some(row) = rows.next()? {
            let (due, accepted): (i64, i64) = (row.get("due_ms")?, row.get("accepted_ms")?);
            if due <= ask.now.0 && accepted >= ask.fresh_since.0 {
                found.add(row.get("n")?)?;
            }
        }
    }
    Ok(())
}

/// Those of a priority that became due last.
fn latest(
    connection: &Connection,
    endpoint: &Name,
    priority: Priority,
    now: Wall,
    found: &mut Found<'_>,
) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(LATEST_DUE)?;
    let mut rows = statement.query((endpoint.as_str(), super::columns::to_rank(priority), now.0, LATEST))?;
    while let Some(row) = rows.next()? {
        found.add(row.get("n")?)?;
    }
    Ok(())
}

fn next_due(connection: &Connection, endpoint: &Name, now: Wall) -> Result<Option<(Wall, Duration)>, Error> {
    let mut statement = connection.prepare_cached(NEXT_DUE)?;
    let mut next: Option<(Wall, Duration)> = None;
    for priority in 0..4_u8 {
        let row = statement
            .query_row((endpoint.as_str(), priority, now.0), |row| {
                Ok((Wall(row.get("due_ms")?), duration(row, "delay_ms")?))
            })
            .optional()?;
        next = [next, row].into_iter().flatten().min();
    }
    Ok(next)
}

fn standing(connection: &Connection, endpoint: &Name) -> Result<(bool, Option<Wall>), Error> {
    let mut statement =
        connection.prepare_cached("SELECT gone, paused_until_ms FROM endpoint_state WHERE name = ?1")?;
    let read = statement.query_row([endpoint.as_str()], |row| {
        Ok((row.get("gone")?, row.get::<_, Option<i64>>("paused_until_ms")?.map(Wall)))
    });
    Ok(read.optional()?.unwrap_or_default())
}

/// A range of `delivery_due`: one endpoint, one priority, up to now.
pub(super) const OLDEST: &str = "SELECT n FROM delivery
     WHERE ended_ms IS NULL AND endpoint = ?1 AND priority = ?2 AND due_ms <= ?3 AND body IS NOT NULL
     ORDER BY due_ms, n";

/// The same range from its other end.
pub(super) const LATEST_DUE: &str = "SELECT n FROM delivery
     WHERE ended_ms IS NULL AND endpoint = ?1 AND priority = ?2 AND due_ms <= ?3 AND body IS NOT NULL
     ORDER BY due_ms DESC, n DESC LIMIT ?4";

/// The end of a range of `delivery_endpoint_state`.
pub(super) const NEWEST_IN_STATE: &str = "SELECT n, due_ms, accepted_ms FROM delivery
     WHERE endpoint = ?1 AND state = ?2 ORDER BY n DESC LIMIT ?3";

pub(super) const NEXT_DUE: &str = "SELECT due_ms, delay_ms FROM delivery
     WHERE ended_ms IS NULL AND endpoint = ?1 AND priority = ?2 AND due_ms > ?3 ORDER BY due_ms, n LIMIT 1";

/// Whether a delivery ends an alert that its endpoint is still owed: from its event to those of the same `open_id`, and to
/// what is owed because of them. (A plus keeps an index out that would find more.)
pub(super) const WAITS: &str = "SELECT EXISTS (
     SELECT 1 FROM delivery AS ending
         CROSS JOIN event AS over ON over.seq = ending.event_seq
         CROSS JOIN event AS alert ON alert.open_id = over.open_id
         CROSS JOIN delivery AS owed ON owed.event_seq = alert.seq
     WHERE ending.n = ?1 AND over.type = 'monitor.cleared' AND +alert.type = 'monitor.triggered'
       AND +owed.endpoint = ending.endpoint AND owed.ended_ms IS NULL)";

pub(super) fn load_sql() -> String {
    format!("SELECT {COLUMNS} FROM delivery d JOIN event e ON e.seq = d.event_seq WHERE d.n = ?1")
}
