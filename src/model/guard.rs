//! The thread `guard-<name>`: it ends what hangs, and has made anew what is of no use any more.
//!
//! Owns how long a model may take, when it is loaded again, and what `status` tells of that; refuses to know what is asked
//! of it. Cameras and other models never notice: callers are answered, and the guard waits for nobody.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::load::{Again, Loaded, Running};
use super::post::{Look, Post, Trouble};
use super::session::Rung;
use super::thread;
use crate::meter::Meter;
use crate::name::Name;
use crate::time::{self, Mono, Now};

/// It looks this often, and shows that it is alive.
const LOOK: Duration = Duration::from_millis(500);

/// Before a model is loaded again: the first time at once, and longer each time that it has not worked in between.
const PAUSES: [Duration; 5] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(60)];

/// So many threads that don't come back (each with its engine's memory) are enough. After so many that hang in a run the
/// process ends and starts afresh; while so many are still loading, no other one begins to: a start would have to load, too.
const ABANDONED: usize = 3;

/// How a model is, for `status`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// What it runs on.
    pub running: Running,
    /// What had to be switched off to load its files, at worst.
    pub rung: Rung,
    /// Why there is no engine at the moment.
    pub down: Option<String>,
    /// Runs that were ended because they took too long.
    pub hangs: u64,
    /// Times that it was loaded again.
    pub reloads: u64,
    /// The last time that something was wrong, and what.
    pub trouble: Option<(Now, String)>,
}

impl Health {
    pub(super) fn of(loaded: &Loaded) -> Health {
        let rung = loaded.rungs.iter().map(|(_, rung)| *rung).max().unwrap_or_default();
        Health { running: loaded.running.clone(), rung, ..Health::default() }
    }
}

/// Starts the guard, which starts the model's thread.
pub(super) fn start(loaded: Loaded, post: Arc<Post>, runs: Arc<Meter>, heartbeat: Arc<AtomicU64>) -> io::Result<()> {
    let name = loaded.model.identity().name.clone();
    let guard = Guard { name, again: loaded.again.clone(), post, runs, attempts: 0 };
    guard.spawn(0, Some(loaded))?;
    std::thread::Builder::new().name(format!("guard-{}", guard.name)).spawn(move || guard.keep(&heartbeat))?;
    Ok(())
}

struct Guard {
    name: Name,
    again: Again,
    post: Arc<Post>,
    runs: Arc<Meter>,
    /// Times that it was loaded again since it last worked.
    attempts: usize,
}

impl Guard {
    fn keep(mut self, heartbeat: &AtomicU64) {
        let mut resume = None;
        loop {
            let now = time::now();
            heartbeat.store(now.mono.0, Ordering::Relaxed);
            match self.post.look(now.mono) {
                Look::Closed => return,
                Look::Fine => {}
                Look::Overdue(stop) => {
                    tracing::warn!(model = %self.name, "a run takes too long; it is ended");
                    self.post.note(|health| health.down = Some("a run takes too long and is being ended".to_owned()));
                    stop.stop();
                }
                Look::Abandoned { loading: true } => {
                    resume = Some(self.troubled(now, false, "loading took too long and was given up".to_owned()));
                }
                Look::Abandoned { loading: false } => {
                    self.post.note(|health| health.hangs += 1);
                    resume = Some(self.troubled(now, false, "a run did not even end when it was told to".to_owned()));
                    self.end_if_hopeless();
                }
                Look::Over { trouble, proved } => {
                    let hung = trouble == Trouble::Hung;
                    resume = Some(self.troubled(now, proved, said(trouble)));
                    self.post.note(|health| health.hangs += u64::from(hung));
                }
                Look::Down => {
                    if resume.is_none_or(|at: Mono| now.mono >= at) && self.post.lost(true) < ABANDONED {
                        resume = None;
                        self.resume(now.mono);
                    }
                }
            }
            self.post.wait(resume.map_or(LOOK, |at| at.since(now.mono).min(LOOK)));
        }
    }

    /// Says what happened; from when on the model is to be loaded again.
    fn troubled(&mut self, now: Now, proved: bool, what: String) -> Mono {
        if proved {
            self.attempts = 0;
        }
        let pause = PAUSES[self.attempts.min(PAUSES.len() - 1)];
        self.attempts += 1;
        tracing::error!(model = %self.name, pause_s = pause.as_secs(), "{what}; the model is loaded again");
        self.post.note(|health| {
            health.down = Some(what.clone());
            health.trouble = Some((now, what));
        });
        now.mono.plus(pause)
    }

    fn resume(&mut self, now: Mono) {
        let generation = self.post.loading(now);
        if let Err(error) = self.spawn(generation, None) {
            self.post.not_loaded(generation, format!("the system gives no thread: {error}"));
        }
    }

    /// A thread with an engine, or one that loads its own.
    fn spawn(&self, generation: u32, loaded: Option<Loaded>) -> io::Result<()> {
        let (post, runs, again) = (self.post.clone(), self.runs.clone(), self.again.clone());
        let name = format!("model-{}", self.name);
        std::thread::Builder::new().name(name).spawn(move || {
            if let Some(loaded) = loaded.or_else(|| load(&again, &post, generation)) {
                thread::work(loaded.engine, loaded.model.is_batchable(), &post, generation, &runs);
            }
            post.ended(generation);
        })?;
        Ok(())
    }

    fn end_if_hopeless(&self) {
        if self.post.lost(false) >= ABANDONED {
            tracing::error!(model = %self.name, "{ABANDONED} of its threads never came back; ending, the next start is clean");
            std::process::abort();
        }
    }
}

/// Loads the model again. None: it can't be, or this thread was given up meanwhile.
fn load(again: &Again, post: &Post, generation: u32) -> Option<Loaded> {
    match again() {
        Ok(loaded) => {
            let wanted = post.loaded(generation, loaded.stop.clone(), Health::of(&loaded));
            if wanted {
                tracing::info!(model = %loaded.model.identity().name, "the model is loaded again");
            }
            wanted.then_some(loaded)
        }
        Err(error) => {
            post.not_loaded(generation, error.to_string());
            None
        }
    }
}

fn said(trouble: Trouble) -> String {
    match trouble {
        Trouble::Hung => "a run took too long and was ended".to_owned(),
        Trouble::Failing(error) => format!("every run fails: {error}"),
        Trouble::NotLoaded(why) => why,
    }
}

#[cfg(test)]
mod tests;
