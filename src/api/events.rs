//! `/v1/events`: what happened.
//!
//! Owns the query and its answers; refuses to know SQL. [`EventQuery::page`] also serves a CLI that reads the journal
//! itself.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Shared;
use super::lines::{EventDetail, EventLine, Page};
use super::refusal::Refusal;
use crate::event::EventType;
use crate::journal::{EventFilter, Reader};
use crate::name::Name;

/// Rows of one answer, unless the client says otherwise.
pub(super) const DEFAULT_LIMIT: u32 = 100;
/// Rows of one answer at most.
pub(super) const MAX_LIMIT: u32 = 1000;

/// Which events. Without `after` it is the newest ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Only those behind this `seq`.
    pub after: Option<i64>,
    /// At most so many, 1 to 1000; 100 unless given.
    pub limit: Option<u32>,
    /// Only of this monitor.
    pub monitor: Option<Name>,
    /// Only of this type, `monitor.triggered` for instance.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

impl EventQuery {
    /// The events, the oldest first.
    ///
    /// # Errors
    /// An unknown type, a limit out of range, or the journal cannot be read.
    pub fn page(&self, reader: &Reader) -> Result<Page<EventLine>, Refusal> {
        let limit = limit(self.limit)?;
        let kind = self.kind.as_deref().map(event_type).transpose()?;
        let filter = EventFilter { after: self.after.unwrap_or(0), limit, monitor: self.monitor.clone(), kind };
        let rows = match self.after {
            Some(_) => reader.events(&filter)?,
            None => reader.latest_events(&filter)?,
        };
        let full = self.after.is_some() && rows.len() >= limit as usize;
        let next = rows.last().map(|row| row.seq).filter(|_| full);
        Ok(Page { items: rows.into_iter().map(EventLine::from).collect(), next })
    }
}

/// A limit within its range.
pub(super) fn limit(given: Option<u32>) -> Result<u32, Refusal> {
    match given.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        limit => Err(Refusal::bad_request(
            format!("`limit={limit}` is out of range"),
            format!("ask for 1 to {MAX_LIMIT}, and for the rest with `after`"),
        )),
    }
}

/// The type of that name.
pub(super) fn event_type(text: &str) -> Result<EventType, Refusal> {
    EventType::parse(text).ok_or_else(|| {
        let known: Vec<_> = EventType::ALL.iter().map(|kind| format!("`{kind}`")).collect();
        Refusal::bad_request(format!("unknown event type `{text}`"), format!("known are {}", known.join(", ")))
    })
}

/// An id in a path.
pub(super) fn id(text: &str) -> Result<Uuid, Refusal> {
    Uuid::parse_str(text)
        .map_err(|_| Refusal::bad_request(format!("`{text}` is not an id"), "ids are UUIDs, as listings show them"))
}

const QUERY_HINT: &str = "events take `after`, `limit`, `monitor` and `type`; deliveries and dead letters take `state`, \
                          `reason`, `endpoint`, `since`, `until`, `after` and `limit`";

/// What a query string cannot mean.
pub(super) fn bad_query(rejection: QueryRejection) -> Refusal {
    Refusal::bad_request(rejection.body_text(), QUERY_HINT)
}

pub(super) async fn list(
    State(shared): State<Shared>,
    query: Result<Query<EventQuery>, QueryRejection>,
) -> Result<Json<Page<EventLine>>, Refusal> {
    let Query(query) = query.map_err(bad_query)?;
    shared.store.read(move |reader| query.page(reader)).await.map(Json)
}

pub(super) async fn one(State(shared): State<Shared>, Path(event): Path<String>) -> Result<Json<EventDetail>, Refusal> {
    let event = id(&event)?;
    shared.store.read(move |reader| EventDetail::read(reader, event)).await.map(Json)
}

impl EventDetail {
    /// All that is known of an event.
    ///
    /// # Errors
    /// There is none of that id, or the journal cannot be read.
    pub fn read(reader: &Reader, event: Uuid) -> Result<EventDetail, Refusal> {
        let row = reader.event(event)?.ok_or_else(|| no_such_event(event))?;
        let clip = reader.clip_of(event)?.map(|clip| clip.id);
        Ok(EventDetail::of(row, clip))
    }
}

pub(super) async fn frame(
    State(shared): State<Shared>,
    Path(event): Path<String>,
) -> Result<impl IntoResponse, Refusal> {
    let event = id(&event)?;
    let jpeg = shared.store.read(move |reader| {
        let row = reader.event(event)?.ok_or_else(|| no_such_event(event))?;
        Ok(row.frame.and_then(|path| std::fs::read(path).ok()))
    });
    let jpeg = jpeg.await?.ok_or_else(|| {
        let error = format!("event `{event}` has no frame");
        Refusal::not_found(error, "only triggers have one, and it goes with the last delivery that needs it")
    })?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], jpeg))
}

fn no_such_event(event: Uuid) -> Refusal {
    Refusal::not_found(format!("there is no event `{event}`"), "list them with `stakeout events`")
}
