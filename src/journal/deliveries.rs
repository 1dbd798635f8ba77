//! Reading deliveries: what is listed, what was tried, and how their rows read.
//!
//! Owns these queries; refuses to know what is due (`queue`) and when to try again. Runs on
//! whichever thread calls it.

use rusqlite::{OptionalExtension, Row, ToSql};
use uuid::Uuid;

use super::body::Body;
use super::columns::{Unknown, damaged, duration, id, name, rank, unsigned, word};
use super::entry::Standing;
use super::error::Error;
use super::letters::{DEAD_STATES, DROPPED};
use super::listing::{AttemptRow, DeliveryFilter, DeliveryRow, Due};
use super::reader::{Reader, Values, kind};
use crate::delivery::State;
use crate::time::Wall;

/// Everything about a delivery. What was open when a process ended uncleanly may have been sent by it.
pub(super) const COLUMNS: &str =
    "d.n, d.id, d.event_seq, d.endpoint, d.sequence, d.priority, d.state, d.reason, d.due_ms, d.delay_ms,
     d.attempts, d.tries, d.holds, d.held_ms, d.redriven, d.unclean_claims, d.accepted_ms, d.ended_ms, d.body,
     d.hole, d.frame,
     d.maybe_received OR d.generation < (SELECT unclean_generation FROM meta) AS maybe_received,
     e.id AS event_id, e.type, e.observed_ms";

/// What the last attempt said.
pub(super) const LAST_ATTEMPT: &str =
    "(SELECT status FROM attempt WHERE delivery = d.n ORDER BY attempt.n DESC LIMIT 1) AS last_status,
     (SELECT error FROM attempt WHERE delivery = d.n ORDER BY attempt.n DESC LIMIT 1) AS last_error";

impl Reader {
    /// Deliveries behind `filter.after`, oldest first.
    pub fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, Error> {
        self.select_deliveries(deliveries_sql(filter))
    }

    /// Dead letters that no operator dropped, oldest first; `filter.state` narrows them further.
    pub fn dead_letters(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, Error> {
        self.select_deliveries(dead_letters_sql(filter))
    }

    /// One delivery with its attempts, oldest first.
    pub fn delivery(&self, id: Uuid) -> Result<Option<(DeliveryRow, Vec<AttemptRow>)>, Error> {
        let snapshot = self.snapshot()?;
        let sql = format!(
            "SELECT {COLUMNS}, {LAST_ATTEMPT} FROM delivery d JOIN event e ON e.seq = d.event_seq WHERE d.id = ?1"
        );
        let mut delivery = snapshot.prepare_cached(&sql)?;
        let Some(delivery) = delivery.query_row([id.as_bytes()], delivery_row).optional()? else { return Ok(None) };
        let mut attempts = snapshot.prepare_cached("SELECT * FROM attempt WHERE delivery = ?1 ORDER BY n")?;
        let attempts = attempts.query_map([delivery.n], attempt_row)?.collect::<Result<_, _>>()?;
        Ok(Some((delivery, attempts)))
    }

    fn select_deliveries(&self, (sql, values): (String, Values)) -> Result<Vec<DeliveryRow>, Error> {
        let values: Vec<&dyn ToSql> = values.iter().map(|value| &**value as &dyn ToSql).collect();
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map(&*values, delivery_row)?.collect::<Result<_, _>>()?)
    }

    pub(super) fn due_row(&self, row: &Row<'_>) -> rusqlite::Result<Due> {
        Ok(Due {
            n: row.get("n")?,
            id: id(row, "id")?,
            event_id: id(row, "event_id")?,
            kind: kind(row, "type")?,
            priority: rank(row, "priority")?,
            sequence: unsigned(row, "sequence")?,
            observed: Wall(row.get("observed_ms")?),
            accepted: Wall(row.get("accepted_ms")?),
            standing: standing(row)?,
            unclean_claims: row.get("unclean_claims")?,
            body: body(row)?,
            frame: self.frame_path(row.get("frame")?),
        })
    }
}

/// Ranges of the primary key, of `delivery_state`, of `delivery_endpoint` or of `delivery_endpoint_state`.
pub(super) fn deliveries_sql(filter: &DeliveryFilter) -> (String, Values) {
    let state = filter.state.map(|state| format!(" AND d.state = '{}'", state.as_str()));
    let state = state.unwrap_or_default();
    match filter.owed {
        true => owed_sql(filter, &state),
        false => listing_sql(filter, &state, "d.n"),
    }
}

/// A range of each open state. SQLite merges what is in order: a backlog isn't sorted again for every page.
fn owed_sql(filter: &DeliveryFilter, conditions: &str) -> (String, Values) {
    let open = State::ALL.into_iter().filter(|state| state.is_open());
    let of_state = |state: State| select_sql(filter, &format!("{conditions} AND d.state = '{}'", state.as_str())).0;
    let ranges: Vec<String> = open.map(of_state).collect();
    let (_, values) = select_sql(filter, conditions);
    (format!("{} ORDER BY 1 LIMIT ?2", ranges.join(" UNION ALL ")), values)
}

/// The same, for each state of dead letters.
pub(super) fn dead_letters_sql(filter: &DeliveryFilter) -> (String, Values) {
    let mut conditions = format!(" AND d.state IN {DEAD_STATES} AND d.reason IS NOT '{DROPPED}'");
    if let Some(state) = filter.state {
        conditions += &format!(" AND d.state = '{}'", state.as_str());
    }
    // The plus keeps SQLite from walking through everything in order instead of visiting the few dead letters.
    listing_sql(filter, &conditions, "+d.n")
}

fn listing_sql(filter: &DeliveryFilter, conditions: &str, order: &str) -> (String, Values) {
    let (select, values) = select_sql(filter, conditions);
    (format!("{select} ORDER BY {order} LIMIT ?2"), values)
}

/// Without an order and without an end: `?2` is the limit.
fn select_sql(filter: &DeliveryFilter, conditions: &str) -> (String, Values) {
    let mut values: Values = vec![Box::new(filter.after), Box::new(filter.limit)];
    let mut conditions = conditions.to_owned();
    let mut condition = |compared: &str, value: Box<dyn ToSql>| {
        values.push(value);
        conditions += &format!(" AND d.{compared} ?{}", values.len());
    };
    if let Some(endpoint) = &filter.endpoint {
        condition("endpoint =", Box::new(endpoint.to_string()));
    }
    if let Some(reason) = &filter.reason {
        condition("reason =", Box::new(reason.clone()));
    }
    if let Some(since) = filter.since {
        condition("accepted_ms >=", Box::new(since.0));
    }
    if let Some(until) = filter.until {
        condition("accepted_ms <", Box::new(until.0));
    }
    let sql = format!(
        "SELECT {COLUMNS}, {LAST_ATTEMPT} FROM delivery d CROSS JOIN event e ON e.seq = d.event_seq
         WHERE d.n > ?1{conditions}"
    );
    (sql, values)
}

fn delivery_row(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    Ok(DeliveryRow {
        n: row.get("n")?,
        id: id(row, "id")?,
        event_id: id(row, "event_id")?,
        event_seq: row.get("event_seq")?,
        endpoint: name(row, "endpoint")?,
        sequence: unsigned(row, "sequence")?,
        standing: standing(row)?,
        redriven: row.get("redriven")?,
        accepted: Wall(row.get("accepted_ms")?),
        ended: row.get::<_, Option<i64>>("ended_ms")?.map(Wall),
        last_status: row.get("last_status")?,
        last_error: row.get("last_error")?,
    })
}

fn standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    Ok(Standing {
        state: word(row, "state", State::parse)?,
        reason: row.get("reason")?,
        due: Wall(row.get("due_ms")?),
        delay: duration(row, "delay_ms")?,
        attempts: row.get("attempts")?,
        tries: row.get("tries")?,
        holds: row.get("holds")?,
        held: duration(row, "held_ms")?,
        maybe_received: row.get("maybe_received")?,
    })
}

fn body(row: &Row<'_>) -> rusqlite::Result<Body> {
    let text: String = row.get("body")?;
    match row.get::<_, Option<u32>>("hole")? {
        None => Ok(Body::whole(text)),
        Some(hole) => Body::with_hole(text, hole as usize).ok_or_else(|| damaged("hole", Unknown(hole.to_string()))),
    }
}

fn attempt_row(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow {
        started: Wall(row.get("started_ms")?),
        took: duration(row, "took_ms")?,
        outcome: row.get("outcome")?,
        status: row.get("status")?,
        error: row.get("error")?,
        snippet: row.get("snippet")?,
    })
}
