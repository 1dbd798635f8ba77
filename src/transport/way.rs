//! What is seen on the way of an attempt: addresses, the connection, the certificate.
//!
//! Owns the notes that the resolver, the connector and the verifier make for the attempt they work for; refuses to judge
//! them. They run inside of reqwest, in the task of the attempt, so the notes are local to that task. A connection that is
//! made in the background, for a later attempt, belongs to none and is noted nowhere.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tower::util::MapResponseLayer;

use super::certificate::Certificate;

/// The way of one attempt, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// What the host's name led to, without what may not be used; empty for an address in the URL.
    pub addresses: Vec<IpAddr>,
    /// How long that took to find out.
    pub looked_up: Option<Duration>,
    /// From the start to a new connection, TLS included. None: there was none, or one that was kept open was used.
    pub connected: Option<Duration>,
    /// Who answered.
    pub peer: Option<SocketAddr>,
    /// The certificate that the receiver showed, accepted or not.
    pub certificate: Option<Certificate>,
    /// The receiver's clock, from `Date`.
    pub date: Option<Timestamp>,
    /// How many bytes, from the first on, it says that it has of what comes in pieces, from `Range`.
    pub received: Option<u64>,
    /// It sends us elsewhere: there is a `Location`.
    pub moved: bool,
}

struct Notes {
    started: Instant,
    way: Way,
}

tokio::task_local! {
    static NOTES: RefCell<Notes>;
}

/// Runs `attempt`, and hands out what was noted meanwhile.
pub(super) async fn noting<T>(started: Instant, attempt: impl Future<Output = T>) -> (T, Way) {
    let notes = RefCell::new(Notes { started, way: Way::default() });
    let mut scope = Box::pin(NOTES.scope(notes, attempt));
    let done = scope.as_mut().await;
    let notes = scope.as_mut().take_value().map(RefCell::into_inner);
    (done, notes.map(|notes| notes.way).unwrap_or_default())
}

/// Adds to the notes of the attempt that this task works for, if it does; with the time since its start.
pub(super) fn note(add: impl FnOnce(&mut Way, Duration)) {
    let _ = NOTES.try_with(|notes| {
        let Notes { started, way } = &mut *notes.borrow_mut();
        add(way, started.elapsed());
    });
}

/// Whether the attempt that this task works for has made a connection of its own.
pub(super) fn has_connected() -> bool {
    NOTES.try_with(|notes| notes.borrow().way.connected.is_some()).unwrap_or_default()
}

/// Goes around the connector and notes every connection that comes about.
pub(super) fn noting_connections<C>() -> MapResponseLayer<fn(C) -> C> {
    MapResponseLayer::new(|connection| {
        note(|way, since_start| way.connected = Some(since_start));
        connection
    })
}
