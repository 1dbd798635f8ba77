//! Opening and closing the journal: of a daemon, or for repair while it is down.
//!
//! Owns the lock, the order of start-up and the clean end; refuses to know rows. Runs on the thread that starts the daemon.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::Sender;
use rusqlite::Connection;
use tokio::sync::watch;
use uuid::Uuid;

use super::ballast::{self, Ballast};
use super::claims;
use super::database::{FILE, leave_newer_alone, open_for_reading, open_for_writing};
use super::error::{Error, OpenError};
use super::frames::{FOLDER, Frames};
use super::group::{Committer, Message};
use super::heal;
use super::meters::Meters;
use super::reader::Reader;
use super::relief;
use super::room::{Room, Shares};
use super::sacrifice;
use super::writer::{Wake, Writer};
use crate::time::{self, Now};

/// The file that a daemon holds locked for as long as it can write.
const LOCK: &str = "lock";

/// So many changes may wait for the writer before calls block.
const CHANNEL: usize = 1024;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Delivered rows, events that nobody was owed and jobs that ended (`[storage] keep_delivered`).
    pub delivered: Duration,
    /// Dead letters (`[storage] keep_dead`).
    pub dead: Duration,
    /// Bytes for everything (`[storage] max_size`): a small part for the ballast and SQLite's log, the rest for the database
    /// and the frames, half each.
    pub max_size: u64,
}

/// What was found when the journal was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Counts the starts of the daemon, from 1.
    pub generation: u64,
    /// New after a reset.
    pub epoch: Uuid,
    /// The last process said good-bye ([`Journal::close`]); true for a new journal.
    pub clean: bool,
    /// Files that no row names, swept.
    pub orphans: u64,
    /// The journal was damaged and began anew with so many deliveries. None: it was sound.
    pub salvaged: Option<u64>,
}

/// The journal of the running daemon. Dropping it without [`Journal::close`] counts as an unclean end. (One that was opened
/// for repair leaves what is known of the last end as it is.)
pub struct Journal {
    dir: PathBuf,
    start: Start,
    /// It ends as a daemon ends.
    of_daemon: bool,
    messages: Sender<Message>,
    commits: Arc<AtomicU64>,
    meters: Arc<Meters>,
    newest: watch::Receiver<i64>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Journal {
    /// Opens the journal in `dir`, or makes one: takes the lock, migrates, counts the start, sweeps orphans, reins in
    /// deadlines that a wrong clock left too far ahead, and starts the thread `journal-writer`.
    ///
    /// `wake` is called on that thread after each commit that made deliveries due, with their endpoints; it must be quick
    /// and must not wait for the journal. Errors: [`OpenError`], nothing was started.
    pub fn open(dir: &Path, keep: Keep, now: Now, wake: Wake) -> Result<Journal, OpenError> {
        make_directory(dir).map_err(io_at(dir))?;
        let lock = lock(dir)?;
        leave_newer_alone(dir)?;
        let frames = Frames::open(dir).map_err(io_at(&dir.join(FOLDER)))?;
        let begin = || heal::open(dir, now.wall);
        let sound =
            match sacrifice::until_there_is_room(dir, begin).and_then(|begun| look(dir, begun, &frames, keep, now)) {
                // What the check had no time for, or no reason to look at.
                Err(OpenError::Damaged { why, .. }) => {
                    let begun = sacrifice::until_there_is_room(dir, || heal::open_anew(dir, &why, now.wall))?;
                    look(dir, begun, &frames, keep, now)?
                }
                looked => looked?,
            };
        let journal = launch(dir, Parts { lock, frames, sound, keep, wake, of_daemon: true })?;
        // In order with everything that follows, so nobody needs to wait for it.
        drop(journal.writer().rein_in(now));
        Ok(journal)
    }

    /// Opens the journal in `dir` to mend rows of it while the daemon is down: takes the lock, but is no start of the
    /// daemon. How the last daemon ended stays as it is noted, the start is not counted, nothing is swept, and none is
    /// made. Errors: [`OpenError`], nothing was changed.
    pub fn open_for_repair(dir: &Path, keep: Keep) -> Result<Journal, OpenError> {
        if !dir.join(FILE).exists() {
            return Err(OpenError::Missing { dir: dir.to_owned() });
        }
        let lock = lock(dir)?;
        drop(open_for_reading(dir)?);
        let frames = Frames::open(dir).map_err(io_at(&dir.join(FOLDER)))?;
        let connection = open_for_writing(dir)?;
        let start = heal::next_start(&connection, dir)?;
        let wake: Wake = Box::new(|_| {});
        let sound = Sound::measure(dir, connection, start, keep)?;
        launch(dir, Parts { lock, frames, sound, keep, wake, of_daemon: false })
    }

    /// What was found when it was opened.
    pub fn start(&self) -> Start {
        self.start
    }

    /// A handle for writing.
    pub fn writer(&self) -> Writer {
        Writer::new(self.messages.clone(), self.meters.clone(), self.newest.clone())
    }

    /// A connection for reading.
    pub fn reader(&self) -> Result<Reader, OpenError> {
        Reader::open(&self.dir)
    }

    /// Commits since the start: many changes share one.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Writes what is in the channel, notes the clean end, folds the log into the database and waits for the thread. What
    /// handles write afterwards gets [`Error::Closed`].
    pub fn close(mut self) -> Result<(), Error> {
        self.stop(self.of_daemon)
    }

    fn stop(&mut self, clean: bool) -> Result<(), Error> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let _ = self.messages.send(Message::Stop { clean });
        thread.join().unwrap_or(Err(Error::Closed))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Unclean by intent, and the lock is free once the thread has ended.
        let _ = self.stop(false);
    }
}

/// What the thread is made of.
struct Parts {
    lock: File,
    frames: Frames,
    sound: Sound,
    keep: Keep,
    wake: Wake,
    of_daemon: bool,
}

/// A database that was opened, and read where the thread needs it.
struct Sound {
    connection: Connection,
    start: Start,
    shares: Shares,
    room: Room,
    tombstones: u64,
    /// The place of the newest event that there ever was; 0: there was none.
    newest: i64,
}

impl Sound {
    /// Bounds the database's size.
    fn measure(dir: &Path, connection: Connection, start: Start, keep: Keep) -> Result<Sound, OpenError> {
        let database = |source| OpenError::database(dir, source);
        let shares = Shares::of(keep.max_size, ballast::disk(dir));
        let room = Room::claim(&connection, shares).map_err(database)?;
        let tombstones = relief::tombstones(&connection).map_err(database)?;
        // Of all that there ever was: the newest row may have been purged before older ones.
        let newest = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'event'";
        let newest = connection.query_row(newest, [], |row| row.get(0)).map_err(database)?;
        Ok(Sound { connection, start, shares, room, tombstones, newest })
    }
}

/// Reads what a start reads of the rows: what was being sent at an unclean end, and which frames have one.
fn look(
    dir: &Path,
    (connection, start): (Connection, Start),
    frames: &Frames,
    keep: Keep,
    now: Now,
) -> Result<Sound, OpenError> {
    match claims::count(&connection, start.clean, now).map_err(|source| OpenError::database(dir, source)) {
        Ok(0) => {}
        Ok(given_up) => {
            tracing::error!(given_up, "deliveries were being sent at three unclean ends running: given up (poison)");
        }
        Err(damaged @ OpenError::Damaged { .. }) => return Err(damaged),
        // A full disk, for one: suspicion can wait, starting can't.
        Err(error) => tracing::error!(%error, "what was being sent at an unclean end is not counted"),
    }
    let start = if start.clean { start } else { Start { orphans: sweep(&connection, frames, dir)?, ..start } };
    Sound::measure(dir, connection, start, keep)
}

/// Starts the thread.
fn launch(dir: &Path, parts: Parts) -> Result<Journal, OpenError> {
    let Parts { lock, mut frames, sound, keep, wake, of_daemon } = parts;
    let Sound { connection, start, shares, room, tombstones, newest } = sound;
    frames.bound(room.for_frames(shares)).map_err(io_at(&dir.join(FOLDER)))?;
    let mut ballast = Ballast::find(dir, shares.ballast);
    let scarce = !ballast.hold() && !ballast.is_ample();
    let commits = Arc::new(AtomicU64::new(0));
    let meters = Arc::<Meters>::default();
    meters.beat(time::now());
    let (tell_newest, newest) = watch::channel(newest);
    let (messages, arriving) = crossbeam_channel::bounded(CHANNEL);
    let committer = Committer {
        dir: dir.to_owned(),
        connection,
        frames,
        start,
        keep,
        room,
        ballast,
        scarce,
        tombstones,
        wake,
        newest: tell_newest,
        commits: commits.clone(),
        meters: meters.clone(),
        _lock: lock,
    };
    let thread = thread::Builder::new()
        .name("journal-writer".to_owned())
        .spawn(move || committer.run(&arriving))
        .map_err(io_at(dir))?;
    Ok(Journal { dir: dir.to_owned(), start, of_daemon, messages, commits, meters, newest, thread: Some(thread) })
}

/// Makes the directory with those that lead to it, durably: what is accepted rests on their names.
fn make_directory(dir: &Path) -> std::io::Result<()> {
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    if dir.is_dir() {
        return Ok(());
    }
    parent.map_or(Ok(()), make_directory)?;
    // Nobody else's, whatever the umask: frames show people.
    fs::DirBuilder::new().mode(0o750).create(dir)?;
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}

/// Only an unclean end leaves files that no row names.
fn sweep(connection: &Connection, frames: &Frames, dir: &Path) -> Result<u64, OpenError> {
    let database = |source| OpenError::database(dir, source);
    let mut named = connection.prepare(FRAME_IS_NAMED).map_err(database)?;
    frames.sweep(
        |event, file| named.query_row((event.as_bytes(), file), |row| row.get(0)).map_err(database),
        io_at(&dir.join(FOLDER)),
    )
}

/// Two seeks: the event by its id, its deliveries by the event.
pub(super) const FRAME_IS_NAMED: &str = "SELECT EXISTS (
     SELECT 1 FROM event WHERE id = ?1
        AND (frame = ?2 OR EXISTS (SELECT 1 FROM delivery WHERE event_seq = seq AND delivery.frame = ?2)))";

pub(super) fn io_at(path: &Path) -> impl Fn(std::io::Error) -> OpenError + use<> {
    let path = path.to_owned();
    move |source| OpenError::Io { path: path.clone(), source }
}
