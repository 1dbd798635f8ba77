//! Group commit: the thread `journal-writer`.
//!
//! Owns the only write connection: drains the channel, prepares files, applies every change in one transaction, answers
//! everybody after its commit. Refuses to know what the changes are. A disk that fails to write or flush ends the process:
//! what it holds is unknown then, and a second flush could succeed without having written anything. So does a damaged page:
//! the next start saves what can be read. A full disk does not (`recovery`).

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::ballast::Ballast;
use super::clips;
use super::error::Error;
use super::frames::Frames;
use super::meters::Meters;
use super::open::{Keep, Start};
use super::relief;
use super::room::Room;
use super::suspicion;
use super::writer::Wake;
use crate::name::Name;
use crate::time;

/// The most changes that share a commit, so that the first of them is not kept waiting.
const LARGEST_GROUP: usize = 256;

/// It shows this often that it is alive.
const BEAT: Duration = Duration::from_secs(1);

/// What arrives at the thread.
pub(super) enum Message {
    /// Write it.
    Change(Box<dyn Pending>),
    /// Somebody read what makes no sense: end, and look at everything at the next start.
    Suspect(String),
    /// End, and note whether this was meant.
    Stop {
        /// The daemon said good-bye.
        clean: bool,
    },
}

/// One change of the journal.
pub(super) trait Change: Send + 'static {
    /// What the caller learns after the commit.
    type Answer: Send + 'static;

    /// Writes the files that the rows are going to name. Errors: the disk failed to flush, so no process may go on.
    fn prepare(&mut self, _frames: &mut Frames) -> io::Result<()> {
        Ok(())
    }

    /// Takes away what is worth less than what comes. What goes stays gone, even if it was not enough and the change is
    /// refused: the next try finds more room.
    fn make_room(&self, _ledger: &mut Ledger<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Writes the rows. An error undoes this change alone.
    fn apply(self, ledger: &mut Ledger<'_>) -> Result<Self::Answer, Error>;
}

/// What a change may use while it is applied.
pub(super) struct Ledger<'a> {
    /// Inside the transaction.
    pub(super) connection: &'a Connection,
    /// The process's generation and the journal's epoch.
    pub(super) start: Start,
    /// How long what is over is kept.
    pub(super) keep: Keep,
    /// How far the database may grow.
    pub(super) room: Room,
    /// What is measured.
    pub(super) meters: &'a Meters,
    /// Rows of which only a tombstone is left.
    pub(super) tombstones: u64,
    /// Endpoints to wake after the commit.
    pub(super) woken: BTreeSet<Name>,
    /// The place of the last event that was inserted; None: there was none.
    pub(super) newest: Option<i64>,
    /// Files to remove after the commit: no row names them any more.
    pub(super) doomed: Vec<String>,
    /// Clips whose files go then.
    pub(super) doomed_clips: Vec<Uuid>,
    /// What goes on in the next commit.
    pub(super) next: Vec<Box<dyn Pending>>,
}

/// A change whose type is forgotten, with the one who waits for it.
pub(super) trait Pending: Send {
    /// [`Change::prepare`].
    fn prepare(&mut self, frames: &mut Frames) -> io::Result<()>;
    /// [`Change::make_room`].
    fn make_room(&self, ledger: &mut Ledger<'_>) -> Result<(), Error>;
    /// [`Change::apply`]; the answer is kept.
    fn apply(&mut self, ledger: &mut Ledger<'_>) -> Result<(), Error>;
    /// Answers: `failure` if the commit failed, else what is kept.
    fn answer(self: Box<Self>, failure: Option<Error>);
}

/// See [`Pending`].
pub(super) struct Queued<C: Change> {
    change: Option<C>,
    outcome: Result<C::Answer, Error>,
    reply: oneshot::Sender<Result<C::Answer, Error>>,
}

impl<C: Change> Queued<C> {
    /// A change to which `reply` answers.
    pub(super) fn new(change: C, reply: oneshot::Sender<Result<C::Answer, Error>>) -> Queued<C> {
        Queued { change: Some(change), outcome: Err(Error::Closed), reply }
    }
}

impl<C: Change> Pending for Queued<C> {
    fn prepare(&mut self, frames: &mut Frames) -> io::Result<()> {
        self.change.as_mut().map_or(Ok(()), |change| change.prepare(frames))
    }

    fn make_room(&self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        self.change.as_ref().map_or(Ok(()), |change| change.make_room(ledger))
    }

    fn apply(&mut self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        if let Some(change) = self.change.take() {
            self.outcome = change.apply(ledger);
        }
        self.outcome.as_ref().map(|_| ()).map_err(Error::clone)
    }

    fn answer(self: Box<Self>, failure: Option<Error>) {
        let outcome = match failure {
            Some(error) => self.outcome.and(Err(error)),
            None => self.outcome,
        };
        // Nobody waits any more: that undoes nothing.
        let _ = self.reply.send(outcome);
    }
}

/// The thread's belongings.
pub(super) struct Committer {
    /// The state directory.
    pub(super) dir: PathBuf,
    /// The only write connection.
    pub(super) connection: Connection,
    /// The files beside it.
    pub(super) frames: Frames,
    /// Of this process.
    pub(super) start: Start,
    /// How long what is over is kept.
    pub(super) keep: Keep,
    /// How far the database may grow.
    pub(super) room: Room,
    /// What is given up when the disk is full.
    pub(super) ballast: Ballast,
    /// The disk is full: the journal gets by with the space that it has.
    pub(super) scarce: bool,
    /// Rows of which only a tombstone is left.
    pub(super) tombstones: u64,
    /// Told after each commit.
    pub(super) wake: Wake,
    /// The place of the newest event that is committed.
    pub(super) newest: watch::Sender<i64>,
    /// Counts commits.
    pub(super) commits: Arc<AtomicU64>,
    /// What is measured.
    pub(super) meters: Arc<Meters>,
    /// Held for as long as the thread can write.
    pub(super) _lock: File,
}

impl Committer {
    /// Works until it is told to stop, or nobody holds a handle any more.
    pub(super) fn run(mut self, messages: &Receiver<Message>) -> Result<(), Error> {
        let mut group = Vec::new();
        loop {
            self.meters.beat(time::now());
            let first = match messages.recv_timeout(if group.is_empty() { BEAT } else { Duration::ZERO }) {
                Err(RecvTimeoutError::Disconnected) if group.is_empty() => return Ok(()),
                first => first.ok(),
            };
            let mut stop = None;
            for message in first.into_iter().chain(messages.try_iter()) {
                match message {
                    Message::Change(change) => group.push(change),
                    Message::Suspect(why) => self.end_if_hopeless(&Error::Corrupt(why)),
                    Message::Stop { clean } => stop = Some(clean),
                }
                if stop.is_some() || group.len() >= LARGEST_GROUP {
                    break;
                }
            }
            group = self.commit(group);
            match stop {
                Some(true) => return self.say_goodbye(),
                Some(false) => return Ok(()),
                None => {}
            }
        }
    }

    /// Answers with what goes on in the next commit.
    fn commit(&mut self, mut group: Vec<Box<dyn Pending>>) -> Vec<Box<dyn Pending>> {
        if group.is_empty() {
            return group;
        }
        self.mind_the_disk_first();
        let files = self.prepare(&mut group);
        let outcome = self.write(&mut group, &files);
        let (failure, refused, next) = match outcome {
            Ok(Effects { woken, newest, unwanted, doomed_clips, refused, next }) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                self.frames.remove_all(&unwanted);
                clips::remove_all(&self.dir, &doomed_clips);
                if !woken.is_empty() {
                    (self.wake)(&woken.into_iter().collect::<Vec<_>>());
                }
                if let Some(newest) = newest {
                    self.newest.send_replace(newest);
                }
                (None, refused, next)
            }
            Err(error) => {
                self.end_if_hopeless(&error);
                self.frames.remove_all(files.iter().flatten());
                let refused = matches!(error, Error::Full(_));
                (Some(error), refused, Vec::new())
            }
        };
        for change in group {
            change.answer(failure.clone());
        }
        // Only now: nobody needs to wait for it.
        self.mind_the_disk(refused);
        next
    }

    /// Writes the files of the group, flushed by name and content, and tells which belong to which change.
    fn prepare(&mut self, group: &mut [Box<dyn Pending>]) -> Vec<Vec<String>> {
        let mut files = Vec::with_capacity(group.len());
        for change in group {
            if let Err(error) = change.prepare(&mut self.frames) {
                end(&error);
            }
            files.push(self.frames.take_fresh());
        }
        if files.iter().any(|files| !files.is_empty())
            && let Err(error) = self.frames.sync_names()
        {
            end(&error);
        }
        files
    }

    /// One transaction for the group, a savepoint for each change and one for the room it needs. `files` are those of each change.
    fn write(&mut self, group: &mut [Box<dyn Pending>], files: &[Vec<String>]) -> Result<Effects, Error> {
        let mut effects = Effects::default();
        let room = self.room_now()?;
        let mut tombstones = self.tombstones;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let new_ledger = |tombstones| Ledger {
            connection: &transaction,
            start: self.start,
            keep: self.keep,
            room,
            meters: &self.meters,
            tombstones,
            woken: BTreeSet::new(),
            newest: None,
            doomed: Vec::new(),
            doomed_clips: Vec::new(),
            next: Vec::new(),
        };
        for (change, files) in group.iter_mut().zip(files) {
            let mut ledger = new_ledger(tombstones);
            if effects.take_in(&self.dir, &mut ledger, |ledger| change.make_room(ledger))? {
                tombstones = ledger.tombstones;
            }
            let mut ledger = new_ledger(tombstones);
            if effects.take_in(&self.dir, &mut ledger, |ledger| change.apply(ledger))? {
                tombstones = ledger.tombstones;
            } else {
                effects.unwanted.extend_from_slice(files);
            }
        }
        let excess = self.frames.excess();
        if excess > 0 {
            let mut ledger = new_ledger(tombstones);
            relief::free_frames(&mut ledger, excess, |frame| self.frames.size(frame))?;
            tombstones = ledger.tombstones;
            effects.unwanted.append(&mut ledger.doomed);
        }
        let began = time::now().mono;
        transaction.commit()?;
        self.meters.committed(time::now().mono.since(began));
        self.tombstones = tombstones;
        Ok(effects)
    }

    /// Notes the clean end and folds the log into the database, so that what lies on the disk is one file.
    fn say_goodbye(self) -> Result<(), Error> {
        suspicion::clear(&self.dir);
        self.connection.execute("UPDATE meta SET clean = 1", [])?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        self.connection.close().map_err(|(_, error)| Error::from(error))
    }

    pub(super) fn end_if_hopeless(&self, error: &Error) {
        end_if_hopeless(&self.dir, error);
    }
}

/// What is done once a group is committed.
#[derive(Default)]
struct Effects {
    woken: BTreeSet<Name>,
    newest: Option<i64>,
    unwanted: Vec<String>,
    doomed_clips: Vec<Uuid>,
    /// There was no room for one of the changes.
    refused: bool,
    next: Vec<Box<dyn Pending>>,
}

impl Effects {
    /// Does something in a savepoint of its own; false: it failed and was undone alone. An error: everything was.
    fn take_in(
        &mut self,
        dir: &Path,
        ledger: &mut Ledger<'_>,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let connection = ledger.connection;
        connection.execute_batch("SAVEPOINT change")?;
        let done = work(ledger);
        match &done {
            Ok(()) => {
                self.woken.append(&mut ledger.woken);
                self.newest = self.newest.max(ledger.newest);
                self.unwanted.append(&mut ledger.doomed);
                self.doomed_clips.append(&mut ledger.doomed_clips);
                self.next.append(&mut ledger.next);
            }
            Err(error) => {
                end_if_hopeless(dir, error);
                if connection.is_autocommit() {
                    // SQLite has undone the whole transaction by itself: a ROLLBACK would fail and hide the cause.
                    return Err(error.clone());
                }
                self.refused |= matches!(error, Error::Full(_));
                connection.execute_batch("ROLLBACK TO change")?;
            }
        }
        connection.execute_batch("RELEASE change")?;
        Ok(done.is_ok())
    }
}

/// Ends the process over what it must not survive: a disk that failed, or a file that makes no sense.
fn end_if_hopeless(dir: &Path, error: &Error) {
    match error {
        Error::Storage(why) => end(&io::Error::other(why.clone())),
        Error::Corrupt(why) | Error::Damaged(why) => {
            suspicion::note(dir);
            tracing::error!("the journal is damaged: {why}; ending, the next start saves what can be read");
            std::process::abort();
        }
        _ => {}
    }
}

/// Ends the process.
fn end(error: &io::Error) -> ! {
    tracing::error!(%error, "the journal's disk failed, what it holds is unknown: ending; check the disk (`journalctl -k`)");
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::database::open_for_writing;
    use crate::journal::room::Shares;

    /// Writes `bytes` bytes into a table of its own.
    struct Fill {
        bytes: usize,
    }

    impl Change for Fill {
        type Answer = usize;

        fn apply(self, ledger: &mut Ledger<'_>) -> Result<usize, Error> {
            ledger.connection.execute("INSERT INTO filled VALUES (?1)", [vec![7_u8; self.bytes]])?;
            Ok(self.bytes)
        }
    }

    #[test]
    fn a_full_journal_refuses_and_goes_on_and_never_answers_what_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        connection.execute_batch("CREATE TABLE filled (what BLOB)").unwrap();
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        connection.pragma_update_and_check(None, "max_page_count", pages + 20, |_| Ok(())).unwrap();
        let mut committer = Committer {
            dir: dir.path().to_owned(),
            room: Room::claim(&open_for_writing(dir.path()).unwrap(), Shares::of(1 << 40, 1 << 40)).unwrap(),
            ballast: Ballast::find(dir.path(), 0),
            scarce: false,
            tombstones: 0,
            connection,
            frames: Frames::open(dir.path()).unwrap(),
            start: Start { generation: 1, epoch: Uuid::nil(), clean: true, orphans: 0, salvaged: None },
            keep: Keep { delivered: Duration::ZERO, dead: Duration::ZERO, max_size: u64::MAX },
            wake: Box::new(|_| {}),
            newest: watch::Sender::new(0),
            commits: Arc::default(),
            meters: Arc::default(),
            _lock: File::create(dir.path().join("lock")).unwrap(),
        };
        let mut stored = 0;
        for bytes in [[10_000, 90_000], [5_000, 100]] {
            let (group, answers): (Vec<Box<dyn Pending>>, Vec<_>) = bytes
                .map(|bytes| {
                    let (reply, answer) = oneshot::channel();
                    (Box::new(Queued::new(Fill { bytes }, reply)) as Box<dyn Pending>, answer)
                })
                .into_iter()
                .unzip();
            committer.commit(group);
            for (answer, bytes) in answers.into_iter().zip(bytes) {
                match answer.blocking_recv().unwrap() {
                    Ok(acknowledged) => stored += acknowledged,
                    Err(error) => assert!(matches!(error, Error::Full(_)), "{bytes}: {error}"),
                }
            }
        }
        let sql = "SELECT coalesce(sum(length(what)), 0) FROM filled";
        let found: usize = committer.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as usize;
        assert_eq!(found, stored, "acknowledged is what is there");
        assert!((5_100..100_000).contains(&found), "the second group fits: {found}");
    }
}
