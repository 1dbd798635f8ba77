//! Channels: what clients are told while it happens, until they or the daemon go.
//!
//! Owns how many may listen, and the end of it all; refuses to know what is said. Server-sent events (`stream`) come out of
//! the journal, through `tail`, and lose nothing. Messages over WebSocket (`websocket`) are told once or not at all: the words
//! come from `relay`, `pace` and `summary`, once for everybody; who is on the line, and which alerts were bound to whom, `callers` knows. Nothing waits for a client that is too slow, and nothing is kept
//! for one beyond a bound.

mod alert;
mod callers;
mod pace;
mod relay;
mod scene;
mod stream;
mod summary;
mod tail;
mod websocket;

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Shared;
use super::refusal::Refusal;
use super::seat::Ticket;
use super::store::Store;
use crate::broadcast::Broadcast;
use crate::journal::Writer;
use crate::name::Name;
use relay::Relay;
use summary::Summaries;
use tail::Tail;

pub(super) use callers::{Callers, Heard, Unheard};
pub(super) use stream::stream;
pub(super) use websocket::websocket;

/// Clients at once, of both kinds.
const MAX_CLIENTS: u32 = 512;

/// What all clients share.
pub(super) struct Channels {
    places: Arc<Semaphore>,
    stop: watch::Sender<bool>,
    tail: Tail,
    relay: Relay,
    summaries: Summaries,
    callers: Arc<Callers>,
}

impl Channels {
    /// Nobody listens yet.
    pub(super) fn new(store: Store, writer: &Writer, broadcast: Broadcast) -> Channels {
        Channels {
            places: Arc::new(Semaphore::new(MAX_CLIENTS as usize)),
            stop: watch::Sender::new(false),
            tail: Tail::new(store, writer.newest()),
            relay: Relay::new(broadcast),
            summaries: Summaries::default(),
            callers: Arc::default(),
        }
    }

    /// Everybody is told that the daemon stops.
    pub(super) fn close(&self) {
        self.stop.send_replace(true);
    }

    /// Completes when nobody is there any more, and lets nobody in from then on.
    pub(super) async fn emptied(&self) {
        if let Ok(places) = self.places.acquire_many(MAX_CLIENTS).await {
            places.forget();
        }
    }

    /// Whom alerts are bound to.
    pub(super) fn callers(&self) -> &Callers {
        &self.callers
    }

    /// Binds the alert `id` to a connection, from now on. Whether it is new there.
    ///
    /// # Errors
    /// [`Unheard`]: nothing has changed.
    pub(super) fn bind(&self, id: &Name, connection: &Name, monitor: &Name) -> Result<bool, Unheard> {
        self.callers.bind(id, connection, monitor, || self.relay.alerts())
    }

    /// A place among those who listen, in exchange for the one among those who ask.
    fn take_place(&self, ticket: &Ticket) -> Result<Place, Refusal> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| {
            let error = format!("{MAX_CLIENTS} clients listen already");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, "close some, or share one connection among them")
        })?;
        ticket.give_up();
        Ok(Place(place))
    }

    fn end(&self) -> End {
        End(self.stop.subscribe())
    }
}

/// Does what is done for all clients together, until it is dropped.
pub(super) async fn work(shared: Shared) {
    let channels = shared.channels.clone();
    tokio::join!(channels.relay.work(), channels.summaries.work(&shared));
}

/// A client's place, until it is dropped.
struct Place(#[expect(dead_code, reason = "it is given back when dropped")] OwnedSemaphorePermit);

/// The daemon's stop, as a client sees it.
struct End(watch::Receiver<bool>);

impl End {
    /// Whether it stops already.
    fn is_here(&self) -> bool {
        *self.0.borrow()
    }

    /// Completes when the daemon stops.
    async fn comes(&mut self) {
        // The other end's drop means the same.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}
