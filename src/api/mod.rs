//! The local API: HTTP/1.1 and JSON (and metrics) over a unix socket, and over TCP where that is wanted.
//!
//! Owns the listeners, the routes and what they answer (contracts/api.md). Refuses to know cameras, machines and senders:
//! the daemon tells it through [`Site`]. Journal rows are read here, off tokio's workers. Runs as a task of the daemon.
//!
//! Start-up is two steps, so that the daemon can refuse to start before anything else runs: [`Socket::bind`] and
//! [`Tcp::bind`], then [`serve`].

mod access;
mod alerts;
mod body;
mod camera;
mod channels;
mod check;
mod clips;
mod commission;
mod connections;
mod definitions;
mod deliveries;
mod dlq;
mod events;
mod exposition;
mod guard;
mod jobs;
mod lines;
mod live_monitor;
mod metrics;
mod model;
mod openapi;
mod parts;
mod peer;
mod refusal;
mod restart;
mod routes;
mod seat;
mod site;
mod snapshot;
mod socket;
mod statistics;
mod status;
mod store;
mod streams;
mod subscriptions;
mod tcp;
mod warnings;
mod webhooks;
mod which;
mod words;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

pub use alerts::{AlertLine, AlertStatus, Alerting, Alerts, Binding, Rule, alert_id, no_monitor};
pub use camera::{Camera, CameraState};
pub use check::{Certificate, Check};
pub use clips::{ClipLine, ClipQuery, Clips};
pub use commission::{Commission, Commissioned, Connected, Request, Stream};
pub use definitions::{Denied, Made, Order, Registrar, Switched};
pub use deliveries::DeliveryQuery;
pub use dlq::{DeadQuery, Deed, Dropped, Redriven, why_unchanged};
pub use events::EventQuery;
pub use jobs::{Details, JobLine, JobQuery, Jobs, Logs};
pub use lines::{AttemptLine, DeliveryBriefLine, DeliveryDetail, DeliveryLine, EventDetail, EventLine, Page, Utc};
pub use model::{Library, Model, ModelState};
pub use parts::{Enabled, EndpointLine, Leads};
pub use refusal::Refusal;
pub use site::{Errand, Expectation, NoPicture, Site, Watched};
pub use socket::{BindError, Socket};
pub use statistics::Statistics;
pub use status::{Clock, Endpoint, Job, Journal, Monitor, MonitorState, Shadow, Status};
pub use streams::StreamLine;
pub use subscriptions::{Subscription, SubscriptionStatus};
pub use tcp::Tcp;
pub use warnings::Warning;
pub use webhooks::{Hooking, Moments, Said, Webhook};
pub use which::{parse_moment, reasons, states};

use crate::broadcast::Broadcast;
use crate::journal::{Reader, Writer};
use crate::recording::link::Links;
use access::Access;
use channels::Channels;
use connections::attend;
use guard::Guard;
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
    /// For orders about what runs.
    pub registrar: Arc<dyn Registrar>,
    /// What is said aloud while it happens.
    pub broadcast: Broadcast,
    /// How clips are opened.
    pub links: Links,
}

/// What every route is given.
#[derive(Clone)]
struct Shared {
    site: Arc<dyn Site>,
    store: Store,
    writer: Writer,
    album: snapshot::Album,
    checks: check::Turn,
    registrar: Arc<dyn Registrar>,
    orders: definitions::Turns,
    channels: Arc<Channels>,
    links: Arc<Links>,
    players: Arc<Semaphore>,
    album_of_clips: clips::Album,
}

/// Answers requests until `shutdown` completes, then for at most two more seconds; removes the socket. Must run inside
/// tokio.
///
/// # Errors
/// A listener could not be handed to tokio. Trouble with single connections is theirs alone.
pub async fn serve(
    socket: Socket,
    tcp: Option<Tcp>,
    parts: Parts,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let Parts { site, reader, writer, registrar, broadcast, links } = parts;
    let store = Store::new(reader, writer.clone());
    let channels = Arc::new(Channels::new(store.clone(), &writer, broadcast));
    let (album, checks, orders, album_of_clips) = Default::default();
    let (links, players) = (Arc::new(links), clips::places());
    let shared = Shared {
        site,
        store,
        writer,
        registrar,
        album,
        checks,
        orders,
        channels: channels.clone(),
        links,
        players,
        album_of_clips,
    };
    let _relays = Relays(tokio::spawn(channels::work(shared.clone())));
    let (stop, stopped) = watch::channel(false);
    let (listener, _removed_at_the_end) = socket.listen()?;
    let unix = attend(listener, router(shared.clone(), Access::new(None)), stopped.clone());
    let tcp = tcp.map(Tcp::listen).transpose()?;
    let tcp = tcp.map(|(listener, access)| attend(listener, router(shared, access), stopped));
    let server = async {
        let tcp = async {
            if let Some(tcp) = tcp {
                tcp.await;
            }
        };
        tokio::join!(unix, tcp)
    };
    tokio::pin!(server);
    tokio::select! {
        _ = &mut server => {}
        () = shutdown => {
            drop(stop);
            channels.close();
            let _ = tokio::time::timeout(GRACE, async { tokio::join!(server, channels.emptied()) }).await;
        }
    }
    Ok(())
}

/// What is done for all clients of channels together; it ends with this.
struct Relays(JoinHandle<()>);

impl Drop for Relays {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn router(shared: Shared, access: Access) -> Router {
    routes::routes()
        .router()
        .fallback(refusal::no_such_route)
        .method_not_allowed_fallback(refusal::wrong_method)
        .layer(middleware::from_fn_with_state(Arc::new(Guard::new(access)), guard::watch))
        .with_state(shared)
}
