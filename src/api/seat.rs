//! A connection that counts for as long as it is open, upgraded or not, and that ends when its client no longer reads.
//!
//! Owns both; refuses to know what goes over it. Whoever is counted elsewhere from then on (a client of `channels`) gives its
//! [`Ticket`] up, and makes room for requests.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

/// So long a client may leave what was sent to it unread, once nothing more fits in between.
const PATIENCE: Duration = Duration::from_secs(30);

/// A place among the connections of a listener, for as long as the connection is open or until it is given up.
#[derive(Clone)]
pub(super) struct Ticket(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Ticket {
    pub(super) fn new(place: OwnedSemaphorePermit) -> Ticket {
        Ticket(Arc::new(Mutex::new(Some(place))))
    }

    /// Somebody else may have it.
    pub(super) fn give_up(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A stream that holds its place among the connections of its listener.
pub(super) struct Seat<S> {
    stream: S,
    /// While nothing more can be written.
    stalled: Option<Pin<Box<Sleep>>>,
    _ticket: Ticket,
}

impl<S> Seat<S> {
    pub(super) fn new(stream: S, ticket: Ticket) -> Seat<S> {
        Seat { stream, stalled: None, _ticket: ticket }
    }

    /// What came of a write; one that waits for too long is an error.
    fn patiently<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(PATIENCE))).as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Seat<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Seat<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patiently(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.patiently(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.patiently(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
