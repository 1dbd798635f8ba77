//! The thread `model-<name>`: it owns the engine and examines what stands in line.
//!
//! Owns what callers say to a model and hear from it, and the thread's own loop; refuses to know frames, cameras and what
//! the numbers mean. Callers have one thing in line or in work each, so that nothing piles up. Whether the thread does its
//! work is looked after by its guard (`guard`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::batch;
use super::guard::{self, Health};
use super::line::Caller;
use super::post::{Door, Post};
use super::{Engine, Findings, Loaded, Model, RunError, Work};
use crate::meter::Meter;
use crate::time;

/// One frame to look at.
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// What to look at, and what is asked about it.
    pub work: Work,
    /// After so long in line it is of no use any more, and comes back unexamined.
    pub patience: Duration,
    /// The caller's own mark; the reply carries it.
    pub tag: u64,
    /// Where the answer goes. Must have room: a full one loses the reply.
    pub reply: Sender<Reply>,
}

/// What became of a [`Request`].
pub struct Reply {
    /// The request's.
    pub tag: u64,
    /// The request's, given back so that its memory is used again; empty where the model's thread still holds on to it.
    pub work: Work,
    /// What was found.
    pub findings: Result<Findings, Unanswered>,
    /// How long the engine took.
    pub took: Duration,
}

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It stood in line for longer than its patience. No fault of the model: there was too much to do.
    #[error("there was too much to do; raise `check_interval`, or use a smaller model")]
    Late,
    /// The engine failed.
    #[error(transparent)]
    Failed(#[from] RunError),
    /// The engine was ended.
    #[error(
        "the model took longer than {} s for a frame and was ended; use a smaller model, or raise `[runtime] run_timeout`",
        .0.as_secs()
    )]
    Hung(Duration),
    /// The engine is being made anew, after it hung or failed again and again.
    #[error("the model is being loaded again; `stakeout status` tells why")]
    Down,
}

/// Why a request wasn't taken; it comes back.
pub enum Refused {
    /// The caller's earlier request is in line, or no longer in line, as it must not be.
    Busy(Request),
    /// There is no engine at the moment.
    Down(Request),
}

/// How long a model may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For one run. The first one, and loading, may take [`FIRST`] times as long.
    pub run: Duration,
    /// From being told to end to being given up.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { run: Duration::from_secs(60), grace: Duration::from_secs(30) }
    }
}

/// A first run plans its memory, and some providers build their engine only then.
pub const FIRST: u32 = 5;

/// A running model. Cheap to clone; the thread ends when the last one is gone.
#[derive(Clone)]
pub struct Handle {
    model: Arc<Model>,
    post: Arc<Post>,
    runs: Arc<Meter>,
    heartbeat: Arc<AtomicU64>,
    _door: Arc<Door>,
}

static CALLERS: AtomicU64 = AtomicU64::new(0);

impl Handle {
    /// What it is.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// A place in line that nobody else has.
    pub fn caller(&self) -> Caller {
        Caller(CALLERS.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether what that caller asked still stands in line: something newer may take its place.
    pub fn is_in_line(&self, caller: Caller) -> bool {
        self.post.is_in_line(caller)
    }

    /// Puts a request in line. Never blocks.
    ///
    /// # Errors
    /// The request, where it can't be taken.
    pub fn ask(&self, request: Request) -> Result<(), Refused> {
        self.post.ask(request, time::now().mono)
    }

    /// Puts a request in the place of the caller's earlier one, which is given back and will not be answered.
    ///
    /// # Errors
    /// The request, where the earlier one is no longer in line: it is answered soon, or has been.
    pub fn ask_instead(&self, request: Request) -> Result<Work, Refused> {
        self.post.ask_instead(request, time::now().mono)
    }

    /// When the guard last showed that it is alive: [`time::Mono`] nanoseconds, at least every second.
    pub fn heartbeat(&self) -> &Arc<AtomicU64> {
        &self.heartbeat
    }

    /// How long the engine's runs took.
    pub fn runs(&self) -> &Arc<Meter> {
        &self.runs
    }

    /// What it runs on, and how it is.
    pub fn health(&self) -> Health {
        self.post.health()
    }
}

/// Starts the thread of a loaded model, and its guard.
///
/// # Errors
/// The system has no thread to give.
pub fn start(loaded: Loaded, limits: Limits) -> io::Result<Handle> {
    let model = loaded.model.clone();
    let post = Arc::new(Post::new(limits, Health::of(&loaded), loaded.stop.clone()));
    let (runs, heartbeat) = (Arc::<Meter>::default(), Arc::new(AtomicU64::new(time::now().mono.0)));
    let _door = Arc::new(Door(post.clone()));
    guard::start(loaded, post.clone(), runs.clone(), heartbeat.clone())?;
    Ok(Handle { model, post, runs, heartbeat, _door })
}

/// The thread's loop, until there is nobody left to ask or the engine is of no use any more.
pub(super) fn work(mut engine: Box<dyn Engine>, batchable: bool, post: &Post, generation: u32, runs: &Meter) {
    let most = if batchable { batch::MOST } else { 1 };
    while let Some(mut requests) = post.next(generation, most) {
        let began = time::now().mono;
        let mut works: Vec<&mut Work> = requests.iter_mut().map(|request| &mut request.work).collect();
        let findings = batch::examine(engine.as_mut(), &mut works, batchable);
        let took = time::now().mono.since(began);
        runs.observe(took);
        let failure = findings.iter().find_map(|findings| findings.as_ref().err());
        // Whoever was given up has been answered for.
        let Some(ended) = post.done(generation, failure) else { return };
        for (request, findings) in requests.into_iter().zip(findings) {
            let findings = findings.map_err(|error| ended.clone().unwrap_or(Unanswered::Failed(error)));
            // A caller that is gone, or that has left no room, has no use for the answer.
            let _ = request.reply.try_send(Reply { tag: request.tag, work: request.work, findings, took });
        }
    }
}
