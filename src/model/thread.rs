//! The thread `model-<name>`: it owns the engine, runs what it is asked in turn, and shows that it is alive.
//!
//! Owns the queue; refuses to know frames, cameras and what the numbers mean. Callers keep at most one request
//! outstanding each, so the queue never holds more than there are cameras.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::{Engine, Findings, Loaded, Model, RunError, Work};
use crate::meter::Meter;
use crate::time;

/// One frame to look at.
pub struct Request {
    /// What to look at, and what is asked about it.
    pub work: Work,
    /// The caller's own mark; the reply carries it.
    pub tag: u64,
    /// Where the answer goes. Must have room: a full one loses the reply.
    pub reply: Sender<Reply>,
}

/// What became of a [`Request`].
pub struct Reply {
    /// The request's.
    pub tag: u64,
    /// The request's, given back so that its memory is used again.
    pub work: Work,
    /// What was found.
    pub findings: Result<Findings, RunError>,
    /// How long the engine took.
    pub took: Duration,
}

/// Why a request wasn't taken; it comes back.
pub enum Refused {
    /// The queue is full: somebody has more than one request outstanding.
    Busy(Request),
    /// The thread has ended.
    Gone(Request),
}

/// A running model. Cheap to clone; the thread ends when the last one is gone.
#[derive(Clone)]
pub struct Handle {
    model: Arc<Model>,
    requests: Sender<Request>,
    heartbeat: Arc<AtomicU64>,
    runs: Arc<Meter>,
}

impl Handle {
    /// What it is.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Queues a request; never blocks.
    pub fn ask(&self, request: Request) -> Result<(), Refused> {
        self.requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(request) => Refused::Busy(request),
            TrySendError::Disconnected(request) => Refused::Gone(request),
        })
    }

    /// When the thread last showed that it is alive: [`time::Mono`] nanoseconds, at least every second while it waits, and
    /// before and after each run.
    pub fn heartbeat(&self) -> &Arc<AtomicU64> {
        &self.heartbeat
    }

    /// How long the engine's runs took.
    pub fn runs(&self) -> &Arc<Meter> {
        &self.runs
    }
}

/// An idle thread shows that it is alive this often.
const IDLE_BEAT: Duration = Duration::from_secs(1);

/// Starts the thread of a loaded model; its queue holds `queue` requests (one per caller).
///
/// # Errors
/// The system has no thread to give.
pub fn start(loaded: Loaded, queue: usize) -> io::Result<Handle> {
    let Loaded { model, engine, .. } = loaded;
    let (requests, inbox) = bounded(queue.max(1));
    let heartbeat = Arc::new(AtomicU64::new(time::now().mono.0));
    let name = format!("model-{}", model.identity().name);
    let (pulse, runs) = (heartbeat.clone(), Arc::<Meter>::default());
    let meter = runs.clone();
    std::thread::Builder::new().name(name).spawn(move || run(engine, &inbox, &pulse, &meter))?;
    Ok(Handle { model, requests, heartbeat, runs })
}

fn run(mut engine: Box<dyn Engine>, inbox: &Receiver<Request>, heartbeat: &AtomicU64, runs: &Meter) {
    loop {
        heartbeat.store(time::now().mono.0, Ordering::Relaxed);
        match inbox.recv_timeout(IDLE_BEAT) {
            Ok(request) => {
                heartbeat.store(time::now().mono.0, Ordering::Relaxed);
                serve(engine.as_mut(), request, runs);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn serve(engine: &mut dyn Engine, Request { work, tag, reply }: Request, runs: &Meter) {
    let began = time::now();
    let findings = engine.examine(&work);
    let took = time::now().mono.since(began.mono);
    runs.observe(took);
    // A caller that is gone, or that has left no room, has no use for the answer.
    let _ = reply.try_send(Reply { tag, work, findings, took });
}
