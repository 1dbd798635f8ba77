//! Orders about dead letters: send them again, or drop them.
//!
//! Owns the orders, their answers and that no order holds up the journal: it goes in batches, and an order about very many
//! answers where to go on. Refuses to know SQL and schedules. [`DeadQuery::batch`] also serves a CLI that changes the journal
//! itself. Every order is logged; who gave it, the guard says.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Shared;
use super::deliveries::find;
use super::events::id;
use super::refusal::Refusal;
use super::which::Which;
use crate::delivery;
use crate::journal::{DeadFilter, DeliveryFilter, Reader, Reply, Writer};
use crate::name::Name;
use crate::time::now;

/// So many dead letters change with one commit.
const BATCH: u32 = 250;

/// So many batches are obeyed by one request: the client's patience is short.
const BATCHES: usize = 40;

/// Which dead letters an order is about: all conditions must hold, `{}` means all of them. What an operator dropped comes
/// back only by its id, given alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadQuery {
    /// Only this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Only in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only dead for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Only of this endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Name>,
    /// Only those accepted then or later: RFC 3339, or how long ago (`2h`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only those accepted before: as `since`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// `next` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}

impl DeadQuery {
    /// Exactly this one, also when it was dropped.
    pub fn one(id: Uuid) -> DeadQuery {
        DeadQuery { id: Some(id), ..DeadQuery::default() }
    }

    /// The next dead letters that are meant, and where to go on; None when these are the last.
    ///
    /// # Errors
    /// A condition that makes no sense, or the journal cannot be read.
    pub fn batch(&self, reader: &Reader) -> Result<(Vec<Uuid>, Option<i64>), Refusal> {
        let (letters, next) = self.letters(reader)?;
        Ok((letters.into_iter().map(|(id, _)| id).collect(), next))
    }

    /// As [`DeadQuery::batch`], with the endpoint of each; that of a single one is not looked up.
    fn letters(&self, reader: &Reader) -> Result<(Vec<Letter>, Option<i64>), Refusal> {
        let which = self.which();
        match self.id {
            None => {
                let filter = which.dead_filter(now(), self.after.unwrap_or(0), BATCH)?;
                let rows = reader.dead_letters(&filter)?;
                let next = rows.last().map(|row| row.n).filter(|_| rows.len() >= BATCH as usize);
                Ok((rows.into_iter().map(|row| (row.id, Some(row.endpoint))).collect(), next))
            }
            Some(id) if which == Which::default() => Ok((vec![(id, None)], None)),
            Some(id) => {
                // What makes no sense is told about a delivery that nobody knows, too.
                let filter = which.dead_filter(now(), 0, 1)?;
                let Some((row, _)) = reader.delivery(id)? else { return Ok((Vec::new(), None)) };
                let rows = reader.dead_letters(&DeliveryFilter { after: row.n - 1, ..filter })?;
                let rows = rows.into_iter().filter(|row| row.id == id);
                Ok((rows.map(|row| (row.id, Some(row.endpoint))).collect(), None))
            }
        }
    }

    fn which(&self) -> Which {
        let DeadQuery { state, reason, endpoint, since, until, .. } = self.clone();
        Which { state, reason, endpoint, since, until }
    }
}

/// A dead letter and whose it is.
type Letter = (Uuid, Option<Name>);

/// What is to be done with dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Send it again: same id, same body, a fresh schedule.
    Retry,
    /// Neither list nor count it any more.
    Drop,
}

impl Deed {
    /// Orders it for one dead letter. Answers how many changed: 0 or 1.
    pub fn order(self, writer: &Writer, delivery: Uuid) -> Reply<u64> {
        let filter = DeadFilter { delivery: Some(delivery), endpoint: None };
        match self {
            Deed::Retry => writer.redrive(filter, now()),
            Deed::Drop => writer.drop_dead(filter),
        }
    }
}

/// The answer to a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// So many went back into the queue.
    pub retried: u64,
    /// So many did not: their bodies had to make room, only a tombstone is left.
    #[serde(default, skip_serializing_if = "is_none")]
    pub without_body: u64,
    /// So many did not: there is no such endpoint any more.
    #[serde(default, skip_serializing_if = "is_none")]
    pub without_endpoint: u64,
    /// More may be meant: order it again with this as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The answer to a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// So many are no longer dead letters.
    pub dropped: u64,
    /// More may be meant: order it again with this as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

pub(super) async fn retry_one(
    State(shared): State<Shared>,
    Path(delivery): Path<String>,
) -> Result<Json<Redriven>, Refusal> {
    let delivery = id(&delivery)?;
    leads_somewhere(&shared, &find(&shared, delivery).await?.line.endpoint)?;
    let retried = obey_for_one(&shared, Deed::Retry, delivery).await?;
    Ok(Json(Redriven { retried, without_body: 0, without_endpoint: 0, next: None }))
}

pub(super) async fn drop_one(
    State(shared): State<Shared>,
    Path(delivery): Path<String>,
) -> Result<Json<Dropped>, Refusal> {
    let dropped = obey_for_one(&shared, Deed::Drop, id(&delivery)?).await?;
    Ok(Json(Dropped { dropped, next: None }))
}

pub(super) async fn retry(
    State(shared): State<Shared>,
    order: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<Redriven>, Refusal> {
    let query = query(order)?;
    if let Some(endpoint) = &query.endpoint {
        leads_somewhere(&shared, endpoint)?;
    }
    let Done { changed, meant, without_endpoint, next } = obey(&shared, Deed::Retry, query).await?;
    Ok(Json(Redriven { retried: changed, without_body: meant - changed, without_endpoint, next }))
}

pub(super) async fn drop_them(
    State(shared): State<Shared>,
    order: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<Dropped>, Refusal> {
    let query = query(order)?;
    let Done { changed, next, .. } = obey(&shared, Deed::Drop, query).await?;
    Ok(Json(Dropped { dropped: changed, next }))
}

/// An object, and nothing else that could be read as one: `[]` would mean all of them.
fn query(order: Result<Json<Map<String, Value>>, JsonRejection>) -> Result<DeadQuery, Refusal> {
    let hint =
        "send JSON with any of `id`, `endpoint`, `state`, `reason`, `since` and `until`, or `{}` for all dead letters";
    let Json(order) = order.map_err(|rejection| Refusal::bad_request(rejection.body_text(), hint))?;
    serde_json::from_value(Value::Object(order)).map_err(|error| Refusal::bad_request(error.to_string(), hint))
}

/// What came of an order.
struct Done {
    changed: u64,
    /// Those that were meant, changed or not.
    meant: u64,
    /// Those that were left alone, because they would be owed for ever.
    without_endpoint: u64,
    /// Where to go on.
    next: Option<i64>,
}

async fn obey(shared: &Shared, deed: Deed, mut query: DeadQuery) -> Result<Done, Refusal> {
    let asked = query.clone();
    let (mut changed, mut meant, mut without_endpoint) = (0, 0, 0);
    let there = shared.site.endpoints();
    let is_sendable = |letter: &Letter| deed == Deed::Drop || letter.1.as_ref().is_none_or(|name| there.contains(name));
    for _ in 0..BATCHES {
        let this = query.clone();
        let (letters, next) = shared.store.read(move |reader| this.letters(reader)).await?;
        let (letters, forsaken): (Vec<_>, Vec<_>) = letters.into_iter().partition(is_sendable);
        without_endpoint += forsaken.len() as u64;
        meant += letters.len() as u64;
        let replies: Vec<_> = letters.into_iter().map(|(id, _)| deed.order(&shared.writer, id)).collect();
        for reply in replies {
            changed += reply.await?;
        }
        query.after = next;
        if next.is_none() {
            break;
        }
    }
    tracing::info!(?deed, ?asked, changed, "dead letters changed by hand");
    Ok(Done { changed, meant, without_endpoint, next: query.after })
}

/// Nobody would ever send what `endpoint` is owed, if it is neither in the file nor made over the API.
fn leads_somewhere(shared: &Shared, endpoint: &Name) -> Result<(), Refusal> {
    if shared.site.endpoints().contains(endpoint) {
        return Ok(());
    }
    let hint = format!(
        "make an endpoint of that name again, as `[[endpoint]]` in the file or with PUT /v1/endpoints/{endpoint}; or drop \
         them: `stakeout dlq drop --endpoint {endpoint}`"
    );
    Err(Refusal::new(StatusCode::CONFLICT, format!("there is no endpoint `{endpoint}` to send them to"), hint))
}

async fn obey_for_one(shared: &Shared, deed: Deed, delivery: Uuid) -> Result<u64, Refusal> {
    match obey(shared, deed, DeadQuery::one(delivery)).await?.changed {
        0 => Err(why_unchanged(delivery, &find(shared, delivery).await?.line.state)),
        changed => Ok(changed),
    }
}

/// Why an order about this one delivery, which is in `state`, changed nothing.
pub fn why_unchanged(delivery: Uuid, state: &str) -> Refusal {
    let (error, hint) = match delivery::State::parse(state) {
        Some(state) if state.is_dead_letter() => (
            format!("delivery `{delivery}` can't be sent again: its body had to make room"),
            "its event is still told by `stakeout events`; raise `[storage] max_size`, so that it does not happen again",
        ),
        _ => (
            format!("delivery `{delivery}` is not a dead letter: it is `{state}`"),
            "list dead letters with `stakeout dlq list`",
        ),
    };
    Refusal::new(StatusCode::CONFLICT, error, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_nothing_changed_is_said_exactly() {
        let id = Uuid::from_u128(1);
        let said = |state| why_unchanged(id, state).error;
        assert_eq!(said("held"), format!("delivery `{id}` is not a dead letter: it is `held`"));
        let gone = format!("delivery `{id}` can't be sent again: its body had to make room");
        assert_eq!((said("dropped_quota"), said("dead")), (gone.clone(), gone));
    }
}
