//! The API's connections: accepted, counted, and never waited for without end.
//!
//! Owns how many there are at once and how slow a client may be; refuses to know routes and who may call. A task for each
//! listener, and one for each connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::peer::{Link, Peer};
use super::seat::{Seat, Ticket};

/// So many connections one listener serves at once: file descriptors are for cameras and senders first.
const SEATS: usize = 256;

/// So long one more waits for a seat before it is closed.
const QUEUE: Duration = Duration::from_secs(1);

/// So long a client may take for the headers of a request, and be silent between two.
const PATIENCE: Duration = Duration::from_secs(10);

/// Headers of a request, and what is read at once, in bytes.
const BUFFER: usize = 32 * 1024;

/// After the system had no file descriptor for a connection.
const SHORTAGE: Duration = Duration::from_millis(500);

/// Where connections come from.
pub(super) trait Door: Send + 'static {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next one.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;
}

impl Door for UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn next(&self) -> io::Result<(Self::Stream, Peer)> {
        let (stream, _) = self.accept().await?;
        let uid = stream.peer_cred().ok().map(|peer| peer.uid());
        Ok((stream, Peer { uid, link: None }))
    }
}

impl Door for TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn next(&self) -> io::Result<(Self::Stream, Peer)> {
        let (stream, from) = self.accept().await?;
        let to = stream.local_addr()?;
        // Answers are small and whole; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        Ok((stream, Peer { uid: None, link: Some(Link { from, to }) }))
    }
}

/// Serves whoever comes through `door`, until `stop`; then nobody new, and until nobody is left. Dropped, it drops all.
pub(super) async fn attend(door: impl Door, router: Router, mut stop: watch::Receiver<bool>) {
    let seats = Arc::new(Semaphore::new(SEATS));
    let mut visits = JoinSet::new();
    let stopping = stop.clone();
    loop {
        let (stream, peer) = tokio::select! {
            () = stopped(&mut stop) => break,
            Some(_) = visits.join_next() => continue,
            next = door.next() => match next {
                Ok(next) => next,
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    if !is_of_one(&error) {
                        tokio::time::sleep(SHORTAGE).await;
                    }
                    continue;
                }
            },
        };
        // Closed without a word: an answer would wait for a request, which may never come.
        let Ok(Ok(seat)) = tokio::time::timeout(QUEUE, seats.clone().acquire_owned()).await else {
            tracing::debug!(%peer, "closed: {SEATS} connections are open");
            continue;
        };
        visits.spawn(visit(stream, Ticket::new(seat), peer, router.clone(), stopping.clone()));
    }
    drop(door);
    while visits.join_next().await.is_some() {}
}

/// Completes when the API stops; the sender's end means the same.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Whether it is the matter of this connection alone.
fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected)
}

/// One connection from its first request to its last.
async fn visit<S>(stream: S, ticket: Ticket, peer: Peer, router: Router, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = Seat::new(stream, ticket.clone());
    let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(ticket.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended");
    }
}
