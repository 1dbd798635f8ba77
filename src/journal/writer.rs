//! Handles for writing.
//!
//! Owns the channel to the thread `journal-writer` and the replies; refuses to know SQL. Called from threads and tasks.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crossbeam_channel::Sender;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::accept::Acceptance;
use super::claims::Claim;
use super::clips::{Aged, Aging, ClipNews, ClipSequel, ClipState, Delete, Filmed, Trim, Trimmed, Trimming, Untold};
use super::endpoint::{Gone, Pause, Release, Skip};
use super::entry::{Checkpoint, DeadFilter, Definition, Notice, Purged, Record, Recorded, Revision, Settlement};
use super::error::Error;
use super::group::{Change, Message, Queued};
use super::letters::{Drop, Redrive};
use super::machines::Forget;
use super::meters::Meters;
use super::notices::{Announcement, Ripen};
use super::presence::{ForgetCamera, Telling};
use super::purge::Purge;
use super::settle::ReinIn;
use crate::delivery::HoldReason;
use crate::name::Name;
use crate::time::{Now, Wall};

/// Called after a commit with the endpoints to which something became due.
pub type Wake = Box<dyn Fn(&[Name]) + Send>;

/// A handle for writing. Cheap to clone.
///
/// Every method queues its change at once and returns a [`Reply`], which is settled after the commit. Changes of one handle
/// are applied in the order of the calls. Whatever has gathered while the last commit ran shares the next one. The channel
/// is bounded: with a thousand changes waiting, calls block until the writer has caught up.
#[derive(Clone)]
pub struct Writer {
    messages: Sender<Message>,
    meters: Arc<Meters>,
    newest: watch::Receiver<i64>,
}

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
    pub(super) fn new(messages: Sender<Message>, meters: Arc<Meters>, newest: watch::Receiver<i64>) -> Writer {
        Writer { messages, meters, newest }
    }

    /// The place of the newest event that is committed (0: there is none), and a bell for the next one: it changes after each
    /// commit that brings events, before whoever waits for that commit is answered.
    pub fn newest(&self) -> watch::Receiver<i64> {
        self.newest.clone()
    }

    /// What the writer's thread has measured since it started.
    pub fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    fn queue<C: Change>(&self, change: C) -> Reply<C::Answer> {
        let (reply, receiver) = oneshot::channel();
        // When the thread has ended, the change is dropped here and its reply says so.
        let _ = self.messages.send(Message::Change(Box::new(Queued::new(change, reply))));
        Reply(receiver)
    }

    /// Accepts events with all that is owed because of them, the machine's state and changes of jobs, in one transaction.
    /// Frames are on stable storage before it; one that cannot be written (the disk or `[storage] max_size` is full) is left
    /// out, and its holes stay empty. Errors: nothing of it was written, not even the frames; [`Error::Full`]: there is no
    /// room for another event.
    pub fn record(&self, record: Record) -> Reply<Recorded> {
        self.queue(Acceptance::new(record))
    }

    /// The same of a monitor that only rehearses, so that nothing is owed. `addressees`: who would have been owed each of
    /// the events.
    pub fn rehearse(&self, record: Record, addressees: Vec<Vec<Name>>) -> Reply<Recorded> {
        self.queue(Acceptance::rehearsed(record, addressees))
    }

    /// The same as [`Writer::record`] of alerts that are recorded, in the same transaction. `filmed`: of each of the events,
    /// whether a clip shows it, and which; one that isn't known yet begins.
    pub fn record_filmed(&self, record: Record, filmed: Vec<Option<Filmed>>) -> Reply<Recorded> {
        self.queue(Acceptance::filmed(record, filmed))
    }

    /// Records a step in the life of a clip, with the events that tell of it, in one transaction. What comes too late
    /// changes nothing and tells nothing; nor is anything told where that would take the room of alerts: what became of the
    /// clip is left for [`Writer::untold_clips`].
    pub fn tell_of_clip(&self, news: ClipNews) -> Reply<Recorded> {
        self.queue(news)
    }

    /// Begins a clip that goes on from others and shows the same alerts. Answers whether there are any; else it changes nothing.
    pub fn go_on_with_clip(&self, sequel: ClipSequel) -> Reply<bool> {
        self.queue(sequel)
    }

    /// Some of the clips of which what became of them is still to be told ([`super::ClipStep::Told`]), the oldest first, and
    /// where they stand.
    pub fn untold_clips(&self) -> Reply<Vec<(Uuid, ClipState)>> {
        self.queue(Untold)
    }

    /// Takes a small batch of clips away that are too old, and rows of those that have long been gone. Does nothing while the
    /// clock is unsynced.
    pub fn age_clips(&self, aging: Aging) -> Reply<Aged> {
        self.queue(aging)
    }

    /// Takes a small batch of clips away that are too much. Their rows stay for a while, and say why.
    pub fn trim_clips(&self, trimming: Trimming) -> Reply<Trimmed> {
        self.queue(Trim::new(trimming))
    }

    /// Deletes a clip that is not being recorded. Answers whether there was one.
    pub fn delete_clip(&self, clip: Uuid) -> Reply<bool> {
        self.queue(Delete { clip })
    }

    /// Records what became of a delivery. Errors: [`Error::NoSuchDelivery`].
    pub fn settle(&self, settlement: Settlement) -> Reply<()> {
        self.queue(settlement)
    }

    /// Marks a delivery ([`super::Due::n`]) as being sent by this process, until it is settled: should the process end
    /// uncleanly meanwhile, it is suspected of having caused that.
    pub fn claim(&self, n: i64) -> Reply<()> {
        self.queue(Claim { n })
    }

    /// Records counters and hold windows.
    pub fn checkpoint(&self, checkpoint: Checkpoint) -> Reply<()> {
        self.queue(checkpoint)
    }

    /// Forgets the machine of a monitor and a camera that the configuration no longer has, once it has said good-bye.
    pub fn forget_machine(&self, monitor: Name, camera: Name) -> Reply<()> {
        self.queue(Forget { monitor, camera })
    }

    /// Sends dead letters back into the queue: attempts start anew, id and body stay, `redriven` counts. Answers how many.
    /// What an operator dropped comes back only when it is named by its id.
    pub fn redrive(&self, filter: DeadFilter, now: Now) -> Reply<u64> {
        self.queue(Redrive { filter, now })
    }

    /// Marks dead letters as dropped by hand: no longer listed as dead letters nor counted as such, kept until
    /// `keep_dead` is over. Answers how many.
    pub fn drop_dead(&self, filter: DeadFilter) -> Reply<u64> {
        self.queue(Drop { filter })
    }

    /// Marks an endpoint as gone (410) or not: what is accepted for it while it is gone is `skipped_gone`. Its sender is
    /// woken. Answers whether it was gone.
    pub fn set_gone(&self, endpoint: Name, gone: bool) -> Reply<bool> {
        self.queue(Gone { endpoint, gone })
    }

    /// Ends a batch of what an endpoint is owed as `skipped_gone`. Answers how many: call it until there are none left.
    pub fn skip_owed(&self, endpoint: Name, at: Wall) -> Reply<u64> {
        self.queue(Skip { endpoint, at })
    }

    /// Notes that an endpoint asked to be left alone until then, so that a restart does not forget it.
    pub fn pause(&self, endpoint: Name, until: Wall) -> Reply<()> {
        self.queue(Pause { endpoint, until })
    }

    /// What is held for `reason` at `endpoint` becomes due at once. Answers how many.
    pub fn release(&self, endpoint: Name, reason: HoldReason, now: Now) -> Reply<u64> {
        self.queue(Release { endpoint, reason, now })
    }

    /// What the journal itself has to say by now: an episode of dropping is over, or the journal began anew. It says so
    /// again until [`Writer::announce`] has recorded it.
    pub fn notices(&self, now: Now) -> Reply<Vec<Notice>> {
        self.queue(Ripen { now })
    }

    /// Records the event that states a notice, and forgets the notice, in one transaction. Nothing is recorded when it was
    /// stated already.
    pub fn announce(&self, notice: &Notice, record: Record) -> Reply<Recorded> {
        self.queue(Announcement::new(notice.n, record))
    }

    /// Records the event that tells of a camera, and what is known of it once that is told, as JSON, in one transaction.
    pub fn tell_of_camera(&self, camera: Name, state: String, record: Record) -> Reply<Recorded> {
        self.queue(Telling::new(camera, state, record))
    }

    /// Forgets what was told of a camera that the configuration no longer has.
    pub fn forget_camera(&self, camera: Name) -> Reply<()> {
        self.queue(ForgetCamera(camera))
    }

    /// Keeps what was made, until it is taken back: [`Writer::undefine`].
    pub fn define(&self, definition: Definition) -> Reply<()> {
        self.revise(Revision { keep: vec![definition], ..Revision::default() })
    }

    /// Takes back what was made.
    pub fn undefine(&self, kind: impl Into<String>, name: Name) -> Reply<()> {
        self.revise(Revision { forget: vec![(kind.into(), name)], ..Revision::default() })
    }

    /// Changes several definitions, and which endpoints are gone because of that, in one transaction.
    pub fn revise(&self, revision: Revision) -> Reply<()> {
        self.queue(revision)
    }

    /// Tells that reading failed. If that means damage, the process ends, and the next start saves what can be read.
    pub fn report(&self, error: &Error) {
        if let Error::Corrupt(why) | Error::Damaged(why) = error {
            let _ = self.messages.send(Message::Suspect(why.clone()));
        }
    }

    /// Deadlines of deliveries that lie further ahead than their delay start anew from `now`. Call it when the wall clock
    /// was set back. Answers how many; of a long backlog how many at first, the rest follows by itself.
    pub fn rein_in(&self, now: Now) -> Reply<u64> {
        self.queue(ReinIn { now })
    }

    /// Takes away a small batch of what has been over for long enough (see [`super::Keep`]), the oldest first, with the
    /// frames that no row names any more, and gives a few free pages back to the disk. Does nothing while the clock is unsynced.
    pub fn purge(&self, now: Now) -> Reply<Purged> {
        self.queue(Purge { now })
    }
}
