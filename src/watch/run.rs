//! The thread `watch-<camera>`: waits for frames, for models and for time, and never for anything else but a commit.
//!
//! Owns the waiting; refuses to know what is decided (`Watcher`).

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::accept::JournalLedger;
use super::ledger::{Happening, Ledger, Refused};
use super::machine::Shown;
use super::subject::About;
use super::watcher::Watcher;
use crate::camera::{Mailbox, Notice};
use crate::event::JobReason;
use crate::model::Reply;
use crate::name::Name;
use crate::time::{self, Mono, Now};
use crate::verdict::Verdict;

/// Machines are told at least this often that nothing came (contracts/condition.md).
const TICK: Duration = Duration::from_millis(250);

/// Counters and hold windows are on disk at most so much later. All cameras do it in the same moment, so that the journal
/// makes one commit of it.
const CHECKPOINT: Duration = Duration::from_secs(5);

/// A thread that has ended doesn't hang.
const OVER: Mono = Mono(u64::MAX);

/// A camera that is being watched. Dropping it leaves the thread running: [`Watch::ask_to_stop`], then [`Watch::join_by`].
pub struct Watch {
    camera: Name,
    shown: Vec<Arc<Mutex<Shown>>>,
    beat: Arc<AtomicU64>,
    /// Until when it may go on with what it has; gone: it ends now.
    stop: Option<Sender<Mono>>,
    /// Whether the last checkpoint was made.
    thread: JoinHandle<bool>,
}

impl Watch {
    /// The camera.
    pub fn camera(&self) -> &Name {
        &self.camera
    }

    /// Its machines, as others may see them.
    pub fn shown(&self) -> &[Arc<Mutex<Shown>>] {
        &self.shown
    }

    /// Tells when the thread was last seen alive, from anywhere.
    pub fn beat_reader(&self) -> Box<dyn Fn() -> Mono + Send> {
        let beat = self.beat.clone();
        Box::new(move || Mono(beat.load(Ordering::Relaxed)))
    }

    /// Asks the thread to checkpoint and end, and does not wait.
    pub fn ask_to_stop(&mut self) {
        self.stop = None;
    }

    /// The same once everything is judged that was seen until now, or at `by`. It takes no more frames in meanwhile.
    pub fn ask_to_finish(&mut self, by: Mono) {
        // Who was asked before keeps to what was said then.
        let _ = self.stop.as_ref().map(|stop| stop.try_send(by));
    }

    /// Waits until `deadline` for the thread, which ends at once.
    pub fn join_by(mut self, deadline: Mono) -> Joined {
        self.ask_to_stop();
        self.join_unless(|now, _| now >= deadline)
    }

    /// The same for a thread that may finish what it has, until `hurries` says otherwise: however much that is, it shows that
    /// it is alive, unless it is silent for so long.
    pub fn join_finished(self, silent: Duration, hurries: impl Fn() -> bool) -> Joined {
        let beat = self.beat.clone();
        self.join_unless(|now, stop| {
            if hurries() {
                *stop = None;
            }
            now.since(Mono(beat.load(Ordering::Relaxed))) >= silent
        })
    }

    fn join_unless(mut self, hangs: impl Fn(Mono, &mut Option<Sender<Mono>>) -> bool) -> Joined {
        while !self.thread.is_finished() {
            if hangs(time::now().mono, &mut self.stop) {
                return Joined::Hangs;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        // A panic there has been reported by its own thread.
        if self.thread.join().unwrap_or(false) { Joined::Settled } else { Joined::Unsettled }
    }
}

/// How a thread that watched has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// With every machine on disk as it was last.
    Settled,
    /// Without: the journal refused.
    Unsettled,
    /// Not at all.
    Hangs,
}

/// Starts watching what `mailbox` brings. `ended`: the camera has told somebody else already that its clip is at its end;
/// what it gave before may still lie in there.
///
/// # Errors
/// The operating system gives no thread.
pub fn start(
    camera: Name,
    (mailbox, ended): (Arc<Mailbox>, bool),
    watcher: Watcher,
    ledger: JournalLedger,
) -> io::Result<Watch> {
    let (stop, stopped) = bounded(1);
    let beat = Arc::new(AtomicU64::new(time::now().mono.0));
    let shown = watcher.machines().iter().map(|machine| machine.shown()).collect();
    let (ticked, checkpointed) = (Mono(0), slot(time::now()));
    let ledger = Alive { ledger, beat: beat.clone() };
    let run = Run { mailbox, watcher, ledger, stop: stopped, beat: beat.clone(), ended, ticked, checkpointed };
    let thread = std::thread::Builder::new().name(format!("watch-{camera}")).spawn(move || run.run())?;
    Ok(Watch { camera, shown, beat, stop: Some(stop), thread })
}

/// A ledger that shows with every commit that its thread is alive: a check of hundreds of monitors may be hundreds of them.
struct Alive {
    ledger: JournalLedger,
    beat: Arc<AtomicU64>,
}

impl Ledger for Alive {
    fn record(&mut self, happening: Happening<'_>) -> Result<(), Refused> {
        let recorded = self.ledger.record(happening);
        self.beat.store(time::now().mono.0, Ordering::Relaxed);
        recorded
    }

    fn verdict(&mut self, about: &About, verdict: &Verdict, seen: Now) {
        self.ledger.verdict(about, verdict, seen);
    }
}

struct Run {
    mailbox: Arc<Mailbox>,
    watcher: Watcher,
    ledger: Alive,
    stop: Receiver<Mono>,
    beat: Arc<AtomicU64>,
    /// The clip is at its end: its jobs end when the last answers are in.
    ended: bool,
    /// When machines were last told that nothing came.
    ticked: Mono,
    /// In which period the last checkpoint was made.
    checkpointed: u128,
}

impl Run {
    fn run(mut self) -> bool {
        let asked = loop {
            self.mailbox.demand(self.watcher.demand(time::now()));
            self.mailbox.lags(self.watcher.lag());
            let reply = select! {
                recv(self.mailbox.bell()) -> _ => None,
                recv(self.watcher.replies()) -> reply => reply.ok(),
                recv(self.stop) -> asked => break asked,
                default(TICK) => None,
            };
            let now = self.answer(reply);
            self.mail(now);
            self.keep_time(now);
        };
        if let Ok(by) = asked {
            self.finish(by);
        }
        let settled = self.checkpoint(time::now());
        self.beat.store(OVER.0, Ordering::Relaxed);
        settled
    }

    /// Whoever watches next finds in the mailbox what comes from here on; what has come is judged here.
    fn finish(&mut self, by: Mono) {
        let now = time::now();
        self.mail(now);
        let mut left = by.since(now.mono);
        while self.watcher.is_waiting() && !left.is_zero() {
            let reply = select! {
                recv(self.watcher.replies()) -> reply => reply.ok(),
                recv(self.stop) -> asked => match asked {
                    Ok(_) => None,
                    // Now it hurries.
                    Err(_) => return,
                },
                default(left.min(TICK)) => None,
            };
            let now = self.answer(reply);
            self.end_if_over(now);
            self.keep_time(now);
            left = by.since(now.mono);
        }
    }

    /// Something was answered, or not.
    fn answer(&mut self, reply: Option<Reply>) -> Now {
        let now = time::now();
        self.beat.store(now.mono.0, Ordering::Relaxed);
        if let Some(reply) = reply {
            self.watcher.reply(&mut self.ledger, now, reply);
        }
        now
    }

    fn keep_time(&mut self, now: Now) {
        if now.mono.since(self.ticked) >= TICK {
            self.ticked = now.mono;
            self.watcher.tick(&mut self.ledger, now);
        }
        if slot(now) != self.checkpointed {
            self.checkpointed = slot(now);
            self.checkpoint(now);
        }
    }

    fn mail(&mut self, now: Now) {
        let mail = self.mailbox.take();
        self.watcher.passed(&mut self.ledger, now, mail.passed);
        for frame in mail.frames {
            self.watcher.frame(&mut self.ledger, now, frame);
        }
        for notice in mail.notices {
            match notice {
                Notice::Online => self.watcher.online(&mut self.ledger, now),
                Notice::Lost(_) => self.watcher.lost(&mut self.ledger, now),
                Notice::Ended => self.ended = true,
            }
        }
        self.end_if_over(now);
    }

    fn end_if_over(&mut self, now: Now) {
        if self.ended && !self.watcher.is_waiting() {
            self.ended = false;
            self.watcher.stop(&mut self.ledger, now, JobReason::StreamEnded);
        }
    }

    fn checkpoint(&mut self, now: Now) -> bool {
        let made = self.ledger.ledger.checkpoint(self.watcher.machines(), now);
        if let Err(error) = &made {
            tracing::error!(%error, "counters were not checkpointed");
        }
        made.is_ok()
    }
}

/// Which checkpoint period `now` is in.
fn slot(now: Now) -> u128 {
    u128::from(now.mono.0) / CHECKPOINT.as_nanos()
}

#[cfg(test)]
mod tests;
