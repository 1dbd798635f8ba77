//! `/v1/deliveries` and `/v1/dlq`: what is owed, what ended without success, and the operator's orders about it.
//!
//! Owns the queries, the orders and their answers; refuses to know SQL and schedules. The `page` methods also serve a CLI
//! that reads the journal itself. Every order is logged with the uid of who gave it.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Shared;
use super::events::{bad_query, id, limit};
use super::lines::{DeliveryDetail, DeliveryLine, Page};
use super::refusal::Refusal;
use super::socket::Peer;
use crate::delivery;
use crate::journal::{DeadFilter, DeliveryFilter, DeliveryRow, Reader};
use crate::name::Name;
use crate::time::now;

/// Which deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryQuery {
    /// Only in this state.
    pub state: Option<String>,
    /// Only to this endpoint.
    pub endpoint: Option<Name>,
    /// `next` of the page before.
    pub after: Option<i64>,
    /// At most so many, 1 to 1000; 100 unless given.
    pub limit: Option<u32>,
}

impl DeliveryQuery {
    /// The deliveries, the oldest first.
    ///
    /// # Errors
    /// An unknown state, a limit out of range, or the journal cannot be read.
    pub fn page(&self, reader: &Reader) -> Result<Page<DeliveryLine>, Refusal> {
        let filter = self.filter()?;
        let rows = reader.deliveries(&filter)?;
        Ok(page(rows, filter.limit))
    }

    /// Of these only the dead letters that no operator dropped.
    ///
    /// # Errors
    /// As [`DeliveryQuery::page`].
    pub fn dead_page(&self, reader: &Reader) -> Result<Page<DeliveryLine>, Refusal> {
        let filter = self.filter()?;
        let rows = reader.dead_letters(&filter)?;
        Ok(page(rows, filter.limit))
    }

    fn filter(&self) -> Result<DeliveryFilter, Refusal> {
        Ok(DeliveryFilter {
            state: self.state.as_deref().map(state).transpose()?,
            endpoint: self.endpoint.clone(),
            after: self.after.unwrap_or(0),
            limit: limit(self.limit)?,
        })
    }
}

fn page(rows: Vec<DeliveryRow>, limit: u32) -> Page<DeliveryLine> {
    let next = rows.last().map(|row| row.n).filter(|_| rows.len() >= limit as usize);
    Page { items: rows.into_iter().map(DeliveryLine::from).collect(), next }
}

fn state(text: &str) -> Result<delivery::State, Refusal> {
    delivery::State::parse(text).ok_or_else(|| {
        let known: Vec<_> = delivery::State::ALL.iter().map(|state| format!("`{}`", state.as_str())).collect();
        Refusal::bad_request(format!("unknown state `{text}`"), format!("known are {}", known.join(", ")))
    })
}

/// Which dead letters an order is about: all conditions must hold, `{}` means all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadQuery {
    /// Only this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Only of this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Name>,
}

impl From<DeadQuery> for DeadFilter {
    fn from(query: DeadQuery) -> DeadFilter {
        DeadFilter { delivery: query.id, endpoint: query.endpoint }
    }
}

/// The answer to a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// So many went back into the queue.
    pub retried: u64,
}

/// The answer to a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// So many are no longer dead letters.
    pub dropped: u64,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    query: Result<Query<DeliveryQuery>, QueryRejection>,
) -> Result<Json<Page<DeliveryLine>>, Refusal> {
    let Query(query) = query.map_err(bad_query)?;
    shared.store.read(move |reader| query.page(reader)).await.map(Json)
}

pub(super) async fn dead_letters(
    State(shared): State<Shared>,
    query: Result<Query<DeliveryQuery>, QueryRejection>,
) -> Result<Json<Page<DeliveryLine>>, Refusal> {
    let Query(query) = query.map_err(bad_query)?;
    shared.store.read(move |reader| query.dead_page(reader)).await.map(Json)
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Path(delivery): Path<String>,
) -> Result<Json<DeliveryDetail>, Refusal> {
    find(&shared, id(&delivery)?).await.map(Json)
}

pub(super) async fn retry_one(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(delivery): Path<String>,
) -> Result<Json<Redriven>, Refusal> {
    let delivery = id(&delivery)?;
    let retried = redrive(&shared, peer, DeadQuery { id: Some(delivery), endpoint: None }).await?;
    some_or_why_not(&shared, delivery, retried.retried).await?;
    Ok(Json(retried))
}

pub(super) async fn drop_one(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(delivery): Path<String>,
) -> Result<Json<Dropped>, Refusal> {
    let delivery = id(&delivery)?;
    let dropped = drop_them(&shared, peer, DeadQuery { id: Some(delivery), endpoint: None }).await?;
    some_or_why_not(&shared, delivery, dropped.dropped).await?;
    Ok(Json(dropped))
}

pub(super) async fn retry_dead(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    query: Result<Json<DeadQuery>, JsonRejection>,
) -> Result<Json<Redriven>, Refusal> {
    let Json(query) = query.map_err(bad_order)?;
    redrive(&shared, peer, query).await.map(Json)
}

pub(super) async fn drop_dead(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    query: Result<Json<DeadQuery>, JsonRejection>,
) -> Result<Json<Dropped>, Refusal> {
    let Json(query) = query.map_err(bad_order)?;
    drop_them(&shared, peer, query).await.map(Json)
}

fn bad_order(rejection: JsonRejection) -> Refusal {
    let hint = "send JSON: `{\"id\": \"…\"}`, `{\"endpoint\": \"…\"}`, or `{}` for all dead letters";
    Refusal::bad_request(rejection.body_text(), hint)
}

async fn redrive(shared: &Shared, peer: Peer, query: DeadQuery) -> Result<Redriven, Refusal> {
    let DeadQuery { id, endpoint } = query.clone();
    let retried = shared.writer.redrive(query.into(), now()).await?;
    tracing::info!(uid = peer.uid, ?id, ?endpoint, retried, "dead letters sent back into the queue");
    Ok(Redriven { retried })
}

async fn drop_them(shared: &Shared, peer: Peer, query: DeadQuery) -> Result<Dropped, Refusal> {
    let DeadQuery { id, endpoint } = query.clone();
    let dropped = shared.writer.drop_dead(query.into()).await?;
    tracing::info!(uid = peer.uid, ?id, ?endpoint, dropped, "dead letters dropped by hand");
    Ok(Dropped { dropped })
}

async fn find(shared: &Shared, delivery: Uuid) -> Result<DeliveryDetail, Refusal> {
    let found = shared.store.read(move |reader| Ok(reader.delivery(delivery)?)).await?;
    found.map(DeliveryDetail::from).ok_or_else(|| no_such_delivery(delivery))
}

fn no_such_delivery(delivery: Uuid) -> Refusal {
    Refusal::not_found(format!("there is no delivery `{delivery}`"), "list them with `stakeout deliveries`")
}

/// An order about one delivery that changed nothing: because there is none, or because it is no dead letter.
async fn some_or_why_not(shared: &Shared, delivery: Uuid, changed: u64) -> Result<(), Refusal> {
    if changed > 0 {
        return Ok(());
    }
    let state = find(shared, delivery).await?.line.state;
    let error = format!("delivery `{delivery}` is not a dead letter: it is `{state}`");
    Err(Refusal::new(StatusCode::CONFLICT, error, "list dead letters with `stakeout dlq list`"))
}
