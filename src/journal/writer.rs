//! Handles for writing.
//!
//! Owns the channel to the thread `journal-writer` and the replies; refuses to know SQL. Called from threads and tasks.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::entry::{Checkpoint, DeadFilter, Purged, Record, Recorded, Settlement};
use super::error::Error;
use crate::name::Name;
use crate::time::Now;

/// Called after a commit with the endpoints to which something became due.
pub type Wake = Box<dyn Fn(&[Name]) + Send>;

/// A handle for writing. Cheap to clone.
///
/// Every method queues its change at once and returns a [`Reply`], which is settled after the commit. Changes of one handle
/// are applied in the order of the calls. Whatever has gathered while the last commit ran shares the next one.
#[derive(Clone)]
pub struct Writer {}

/// The answer to a change: `reply.wait()` on a thread, `reply.await` in a task. Dropping it does not undo the change.
#[must_use = "a change counts only once its reply says so"]
pub struct Reply<T>(oneshot::Receiver<Result<T, Error>>);

impl<T> Reply<T> {
    /// Blocks until the change is on stable storage, or refused. Not from a tokio task: await it there.
    pub fn wait(self) -> Result<T, Error> {
        self.0.blocking_recv().unwrap_or(Err(Error::Closed))
    }
}

impl<T> Future for Reply<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(Error::Closed)))
    }
}

impl Writer {
    /// Accepts events with all that is owed because of them, the machine's state and changes of jobs, in one transaction.
    /// Frames are on stable storage before it.
    pub fn record(&self, _record: Record) -> Reply<Recorded> {
        todo!()
    }

    /// Records what became of a delivery. Errors: [`Error::NoSuchDelivery`].
    pub fn settle(&self, _settlement: Settlement) -> Reply<()> {
        todo!()
    }

    /// Records counters and hold windows.
    pub fn checkpoint(&self, _checkpoint: Checkpoint) -> Reply<()> {
        todo!()
    }

    /// Sends dead letters back into the queue: attempts start anew, id and body stay, `redriven` counts. Answers how many.
    pub fn redrive(&self, _filter: DeadFilter, _now: Now) -> Reply<u64> {
        todo!()
    }

    /// Marks dead letters as dropped by hand: no longer listed as dead letters nor counted, kept until `keep_dead` is
    /// over. Answers how many.
    pub fn drop_dead(&self, _filter: DeadFilter, _now: Now) -> Reply<u64> {
        todo!()
    }

    /// Marks an endpoint as gone (410) or not: what is accepted for it while it is gone is `skipped_gone`.
    pub fn set_gone(&self, _endpoint: Name, _gone: bool) -> Reply<()> {
        todo!()
    }

    /// Deadlines of deliveries that lie further ahead than their delay start anew from `now`. Call it when the wall clock
    /// was set back.
    pub fn rein_in(&self, _now: Now) -> Reply<u64> {
        todo!()
    }

    /// Takes away a small batch of what has been over for long enough (see [`super::Keep`]), the oldest first, with the
    /// frames that no row names any more. Does nothing while the clock is unsynced.
    pub fn purge(&self, _now: Now) -> Reply<Purged> {
        todo!()
    }
}
