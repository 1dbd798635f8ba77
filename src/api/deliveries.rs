//! `/v1/deliveries` and `GET /v1/dlq`: what is owed, and what ended without success.
//!
//! Owns the query and its pages; refuses to know SQL and schedules. The `page` methods also serve a CLI that reads the
//! journal itself.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Shared;
use super::events::{bad_query, id, limit};
use super::lines::{DeliveryDetail, DeliveryLine, Page};
use super::refusal::Refusal;
use super::which::Which;
use crate::journal::{DeliveryRow, Reader};
use crate::name::Name;
use crate::time::now;

/// Which deliveries. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryQuery {
    /// Only in this state; `owed`: in any that isn't over.
    pub state: Option<String>,
    /// Only held or dead for this reason.
    pub reason: Option<String>,
    /// Only to this endpoint.
    pub endpoint: Option<Name>,
    /// Only those accepted then or later: RFC 3339, or how long ago (`2h`).
    pub since: Option<String>,
    /// Only those accepted before: as `since`.
    pub until: Option<String>,
    /// `next` of the page before.
    pub after: Option<i64>,
    /// At most so many, 1 to 1000; 100 unless given.
    pub limit: Option<u32>,
}

impl DeliveryQuery {
    /// The deliveries, the oldest first.
    ///
    /// # Errors
    /// A condition that makes no sense, a limit out of range, or the journal cannot be read.
    pub fn page(&self, reader: &Reader) -> Result<Page<DeliveryLine>, Refusal> {
        let filter = self.which().filter(now(), self.after.unwrap_or(0), limit(self.limit)?)?;
        Ok(page(reader.deliveries(&filter)?, filter.limit))
    }

    /// Of these only the dead letters that no operator dropped.
    ///
    /// # Errors
    /// As [`DeliveryQuery::page`], and a state that no dead letter is in.
    pub fn dead_page(&self, reader: &Reader) -> Result<Page<DeliveryLine>, Refusal> {
        let filter = self.which().dead_filter(now(), self.after.unwrap_or(0), limit(self.limit)?)?;
        Ok(page(reader.dead_letters(&filter)?, filter.limit))
    }

    fn which(&self) -> Which {
        let DeliveryQuery { state, reason, endpoint, since, until, .. } = self.clone();
        Which { state, reason, endpoint, since, until }
    }
}

fn page(rows: Vec<DeliveryRow>, limit: u32) -> Page<DeliveryLine> {
    let next = rows.last().map(|row| row.n).filter(|_| rows.len() >= limit as usize);
    Page { items: rows.into_iter().map(DeliveryLine::from).collect(), next }
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

/// One delivery, or that there is none.
pub(super) async fn find(shared: &Shared, delivery: Uuid) -> Result<DeliveryDetail, Refusal> {
    let found = shared.store.read(move |reader| Ok(reader.delivery(delivery)?)).await?;
    found.map(DeliveryDetail::from).ok_or_else(|| no_such_delivery(delivery))
}

fn no_such_delivery(delivery: Uuid) -> Refusal {
    Refusal::not_found(format!("there is no delivery `{delivery}`"), "list them with `stakeout deliveries`")
}
