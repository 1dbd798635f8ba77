//! The local API: HTTP/1.1 and JSON (and metrics) over a unix socket.
//!
//! Owns the socket, the routes and what they answer (contracts/api.md). Refuses to know cameras, machines and senders: the
//! daemon tells it through [`Site`]. Journal rows are read here, off tokio's workers. Runs as one task of the daemon.
//!
//! Start-up is two steps, so that the daemon can refuse to start before anything else runs: [`Socket::bind`], then
//! [`serve`].

mod camera;
mod channels;
mod deliveries;
mod dlq;
mod events;
mod exposition;
mod guard;
mod lines;
mod metrics;
mod model;
mod parts;
mod refusal;
mod site;
mod socket;
mod statistics;
mod status;
mod store;
mod warnings;
mod which;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use camera::{Camera, CameraState};
pub use deliveries::DeliveryQuery;
pub use dlq::{DeadQuery, Deed, Dropped, Redriven, why_unchanged};
pub use events::EventQuery;
pub use lines::{AttemptLine, DeliveryBriefLine, DeliveryDetail, DeliveryLine, EventDetail, EventLine, Page, Utc};
pub use model::{Library, Model, ModelState};
pub use parts::Enabled;
pub use refusal::Refusal;
pub use site::{Expectation, Site};
pub use socket::{BindError, Socket};
pub use statistics::Statistics;
pub use status::{Clock, Endpoint, Job, Journal, Monitor, MonitorState, Status};
pub use warnings::Warning;
pub use which::{parse_moment, reasons};

use crate::broadcast::Broadcast;
use crate::journal::{Reader, Writer};
use channels::Channels;
use store::Store;

/// The response header that tells who answers; clients warn when it is not their own version.
pub const VERSION_HEADER: &str = "stakeout-version";

/// How long requests in progress may take once the daemon stops.
const GRACE: Duration = Duration::from_secs(2);

/// What the API answers from.
pub struct Parts {
    /// The running daemon.
    pub site: Arc<dyn Site>,
    /// A connection of the API's own ([`crate::journal::Journal::reader`]).
    pub reader: Reader,
    /// For what people order: retry and drop.
    pub writer: Writer,
    /// What is said aloud while it happens.
    pub broadcast: Broadcast,
}

/// What every route is given.
#[derive(Clone)]
struct Shared {
    site: Arc<dyn Site>,
    store: Store,
    writer: Writer,
    channels: Arc<Channels>,
}

/// Answers requests until `shutdown` completes, then for at most two more seconds; removes the socket. Must run inside
/// tokio.
///
/// # Errors
/// The socket could not be handed to tokio. Trouble with single connections is theirs alone.
pub async fn serve(
    socket: Socket,
    parts: Parts,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let Parts { site, reader, writer, broadcast } = parts;
    let (listener, _removed_at_the_end) = socket.listen()?;
    let store = Store::new(reader, writer.clone());
    let channels = Arc::new(Channels::new(store.clone(), &writer, broadcast));
    let shared = Shared { site, store, writer, channels: channels.clone() };
    let _relays = Relays(tokio::spawn(channels::work(shared.clone())));
    let app = router(shared);
    let app = app.into_make_service_with_connect_info::<socket::Peer>();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        // The sender's end, too, means stop.
        let _ = stopped.await;
    });
    let server = server.into_future();
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => return ended,
        () = shutdown => drop(stop),
    }
    channels.close();
    let gone = async { tokio::join!(server, channels.emptied()).0 };
    tokio::time::timeout(GRACE, gone).await.unwrap_or(Ok(()))
}

/// What is done for all clients of channels together; it ends with this.
struct Relays(JoinHandle<()>);

impl Drop for Relays {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/metrics", get(metrics::metrics))
        .route("/v1/status", get(status::status))
        .route("/v1/cameras", get(parts::cameras))
        .route("/v1/monitors", get(parts::monitors))
        .route("/v1/monitors/{name}", get(parts::monitor))
        .route("/v1/endpoints", get(parts::endpoints))
        .route("/v1/endpoints/{name}/enable", post(parts::enable))
        .route("/v1/events", get(events::list))
        .route("/v1/events/stream", get(channels::stream))
        .route("/v1/ws", get(channels::websocket))
        .route("/v1/events/{id}", get(events::one))
        .route("/v1/events/{id}/frame", get(events::frame))
        .route("/v1/deliveries", get(deliveries::list))
        .route("/v1/deliveries/{id}", get(deliveries::one))
        .route("/v1/deliveries/{id}/retry", post(dlq::retry_one))
        .route("/v1/deliveries/{id}/drop", post(dlq::drop_one))
        .route("/v1/dlq", get(deliveries::dead_letters))
        .route("/v1/dlq/retry", post(dlq::retry))
        .route("/v1/dlq/drop", post(dlq::drop_them))
        .fallback(refusal::no_such_route)
        .method_not_allowed_fallback(refusal::wrong_method)
        .layer(middleware::from_fn(guard::watch))
        .with_state(shared)
}
