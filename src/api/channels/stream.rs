//! `/v1/events/stream`: server-sent events out of the journal, for ever.
//!
//! Owns the protocol: where a client goes on, and what a line looks like on the wire; refuses to know how lines are read
//! (`tail`). A client is given the next line only when its connection has taken the last one, so a slow one lags behind in
//! the journal and costs nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;

use super::super::Shared;
use super::super::events::event_type;
use super::super::refusal::Refusal;
use super::super::seat::Ticket;
use super::tail::{Filter, Line};
use super::{Channels, End, Place};
use crate::name::Name;

/// Silence is broken this often, so that both ends notice when the other is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Clients that lost their connection come back after so long, unless they know better.
const COME_BACK: Duration = Duration::from_secs(2);

const LAST_EVENT_ID: &str = "last-event-id";

/// Where to begin, and which events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct StreamQuery {
    /// For clients that can't set the header `Last-Event-ID`.
    last_event_id: Option<i64>,
    /// Only of this monitor.
    monitor: Option<Name>,
    /// Only of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
}

pub(in crate::api) async fn stream(
    State(shared): State<Shared>,
    Extension(ticket): Extension<Ticket>,
    headers: HeaderMap,
    query: Result<Query<StreamQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|rejection| {
        Refusal::bad_request(rejection.body_text(), "the stream takes `last_event_id`, `monitor` and `type`")
    })?;
    let kind = query.kind.as_deref().map(event_type).transpose()?;
    let last = last_event_id(&headers)?.or(query.last_event_id);
    let place = shared.channels.take_place(&ticket)?;
    let reading = Reading::new(shared.channels, last, Filter { monitor: query.monitor, kind }, place);
    let events = stream::unfold(reading, |mut reading| async move {
        let event = reading.next().await?;
        Some((Ok::<_, Infallible>(event), reading))
    });
    let stream = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("still here"));
    // Its seat is given up: nothing else may be asked on it, also where the answer to a HEAD is over at once.
    Ok(([(header::CONNECTION, "close")], stream).into_response())
}

/// The `id:` of the last event that a client has seen; one that never saw any sends nothing, or nothing in it.
fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Refusal> {
    let Some(given) = headers.get(LAST_EVENT_ID).filter(|given| !given.is_empty()) else { return Ok(None) };
    let seq = given.to_str().ok().and_then(|given| given.trim().parse().ok());
    seq.map(Some).ok_or_else(|| {
        let error =
            format!("`Last-Event-ID: {}` is no event of this stream", String::from_utf8_lossy(given.as_bytes()));
        Refusal::bad_request(error, "send the `id` of the last event that you have seen, which is a number")
    })
}

/// A client's place in the journal.
struct Reading {
    channels: Arc<Channels>,
    filter: Filter,
    /// Everything up to here was given, or is in `lines`.
    reached: i64,
    lines: VecDeque<Arc<Line>>,
    newest: watch::Receiver<i64>,
    greeted: bool,
    end: End,
    _place: Place,
}

impl Reading {
    /// Goes on behind `last`; without it, with what is new. A number that no event has yet is of another journal, which this
    /// one has replaced: everything in here is new to that client.
    fn new(channels: Arc<Channels>, last: Option<i64>, filter: Filter, place: Place) -> Reading {
        let newest = channels.tail.newest();
        let head = *newest.borrow();
        let reached = last.map_or(head, |last| if last > head { 0 } else { last });
        let end = channels.end();
        Reading { channels, filter, reached, lines: VecDeque::new(), newest, greeted: false, end, _place: place }
    }

    /// The next event, whenever it happens; None: the daemon stops, or its journal can't be read.
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::replace(&mut self.greeted, true) {
            // An id without data is no event, but it is remembered: whoever is cut off before the first event misses none.
            return Some(Event::default().retry(COME_BACK).id(self.reached.to_string()));
        }
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(written(&line));
            }
            if self.end.is_here() {
                return None;
            }
            let newest = *self.newest.borrow_and_update();
            if self.reached < newest {
                self.read().await?;
                continue;
            }
            tokio::select! {
                rung = self.newest.changed() => rung.ok()?,
                () = self.end.comes() => return None,
            }
        }
    }

    async fn read(&mut self) -> Option<()> {
        match self.channels.tail.behind(self.reached, &self.filter).await {
            Ok(batch) => {
                self.reached = batch.reached;
                self.lines.extend(batch.lines);
                Some(())
            }
            Err(refusal) => {
                tracing::warn!(error = refusal.error, "a stream of events ends early; its client comes back");
                None
            }
        }
    }
}

fn written(line: &Line) -> Event {
    Event::default().id(line.seq.to_string()).event(line.kind.as_str()).data(&line.text)
}
