//! What a model's callers, its thread and its guard share: the line, and how the thread stands.
//!
//! Owns every transition between them, each under one lock that is never held for long; refuses to know what is asked. A
//! thread belongs to a generation: one that was given up finds, if it ever comes back, that it has nothing to say.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::guard::Health;
use super::line::{Caller, Line};
use super::runtime::Stop;
use super::thread::{FIRST, Limits, Refused, Reply, Request, Unanswered};
use super::{RunError, Work};
use crate::time::{self, Mono};

/// So many runs that fail one after the other are no accident.
const FAILURES: u32 = 5;

/// See the module.
pub(super) struct Post {
    inner: Mutex<Inner>,
    /// For the thread: there is something to do, or nothing ever again.
    bell: Condvar,
    /// For the guard: the thread has ended.
    alarm: Condvar,
    limits: Limits,
}

struct Inner {
    line: Line<Waiting>,
    stage: Stage,
    generation: u32,
    /// Runs that failed, since one succeeded.
    failures: u32,
    /// A run of this generation has succeeded.
    proved: bool,
    /// The last handle is gone.
    closed: bool,
    /// Threads that were given up and have not come back.
    lost: Vec<Lost>,
    health: Health,
    /// Ends the runs of the engine that is there.
    stop: Stop,
}

struct Waiting {
    request: Request,
    since: Mono,
}

enum Stage {
    /// There is no thread, or it has no engine yet.
    Down,
    /// The thread is loading.
    Loading { since: Mono },
    /// The thread waits.
    Idle,
    /// The thread examines.
    Running { since: Mono, callers: Vec<Told>, ending: Option<Mono> },
    /// The thread has ended, for this reason.
    Over(Trouble),
}

/// Whom to answer in the thread's place.
struct Told {
    caller: Caller,
    tag: u64,
    reply: Sender<Reply>,
}

/// A thread that was given up.
struct Lost {
    generation: u32,
    /// While it was loading, not in a run.
    loading: bool,
}

/// Why an engine is of no use any more.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trouble {
    /// A run took too long and was ended.
    Hung,
    /// So many runs failed, the last one so.
    Failing(RunError),
    /// It could not be made.
    NotLoaded(String),
}

/// What a guard sees.
pub(super) enum Look {
    /// The model works, or it waits for work.
    Fine,
    /// There is nobody left to ask.
    Closed,
    /// The run takes too long, and this ends it.
    Overdue(Stop),
    /// The run, or the loading, doesn't end. Its thread has been given up, and its callers were answered.
    Abandoned { loading: bool },
    /// The thread has ended. `proved`: after it had worked.
    Over { trouble: Trouble, proved: bool },
    /// Nobody works.
    Down,
}

impl Post {
    pub(super) fn new(limits: Limits, health: Health, stop: Stop) -> Post {
        let inner = Inner {
            line: Line::default(),
            stage: Stage::Idle,
            generation: 0,
            failures: 0,
            proved: false,
            closed: false,
            lost: Vec::new(),
            health,
            stop,
        };
        Post { inner: Mutex::new(inner), bell: Condvar::new(), alarm: Condvar::new(), limits }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // For callers.

    pub(super) fn is_in_line(&self, caller: Caller) -> bool {
        self.lock().line.has(caller)
    }

    pub(super) fn ask(&self, request: Request, now: Mono) -> Result<(), Refused> {
        let mut inner = self.lock();
        if matches!(inner.stage, Stage::Down | Stage::Loading { .. } | Stage::Over(_)) {
            return Err(Refused::Down(request));
        }
        if inner.line.has(request.caller) || inner.examines(request.caller) {
            return Err(Refused::Busy(request));
        }
        inner.line.put(request.caller, Waiting { request, since: now });
        drop(inner);
        self.bell.notify_one();
        Ok(())
    }

    pub(super) fn ask_instead(&self, request: Request, now: Mono) -> Result<Work, Refused> {
        let mut inner = self.lock();
        if !inner.line.has(request.caller) {
            return Err(Refused::Busy(request));
        }
        let replaced = inner.line.put(request.caller, Waiting { request, since: now });
        Ok(replaced.map_or_else(Work::default, |waiting| waiting.request.work))
    }

    pub(super) fn health(&self) -> Health {
        self.lock().health.clone()
    }

    // For the thread.

    /// The next requests, at most `most`; waits for them. None: there is nothing left to do for this thread.
    pub(super) fn next(&self, generation: u32, most: usize) -> Option<Vec<Request>> {
        let mut inner = self.lock();
        loop {
            if inner.closed || inner.generation != generation || !matches!(inner.stage, Stage::Idle) {
                return None;
            }
            let now = time::now().mono;
            inner.expire(now);
            let requests: Vec<Request> =
                inner.line.take(most).into_iter().map(|(_, waiting)| waiting.request).collect();
            if requests.is_empty() {
                inner = self.bell.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let told =
                |request: &Request| Told { caller: request.caller, tag: request.tag, reply: request.reply.clone() };
            inner.stage = Stage::Running { since: now, callers: requests.iter().map(told).collect(), ending: None };
            return Some(requests);
        }
    }

    /// A run is over. None: this thread was given up. Otherwise what its callers are told in place of a failure that came
    /// about because the run was ended.
    pub(super) fn done(&self, generation: u32, failure: Option<&RunError>) -> Option<Option<Unanswered>> {
        let mut inner = self.lock();
        if inner.generation != generation {
            return None;
        }
        let ended = matches!(inner.stage, Stage::Running { ending: Some(_), .. });
        inner.stage = match failure {
            // Its engine was told to end, and would end all later runs, too: whether this one made it just in time or not.
            _ if ended => Stage::Over(Trouble::Hung),
            Some(error) if inner.failures + 1 >= FAILURES => Stage::Over(Trouble::Failing(error.clone())),
            _ => Stage::Idle,
        };
        inner.failures = if failure.is_some() { inner.failures + 1 } else { 0 };
        inner.proved |= failure.is_none();
        drop(inner);
        self.alarm.notify_all();
        Some(ended.then_some(Unanswered::Hung(self.limits.run)))
    }

    /// An engine was loaded. False: this thread was given up.
    pub(super) fn loaded(&self, generation: u32, stop: Stop, health: Health) -> bool {
        let mut inner = self.lock();
        if inner.generation != generation {
            return false;
        }
        (inner.stage, inner.failures, inner.proved) = (Stage::Idle, 0, false);
        let Health { hangs, reloads, trouble, .. } = std::mem::take(&mut inner.health);
        inner.health = Health { hangs, reloads: reloads + 1, trouble, ..health };
        inner.stop = stop;
        true
    }

    /// No engine could be loaded.
    pub(super) fn not_loaded(&self, generation: u32, why: String) {
        let mut inner = self.lock();
        if inner.generation == generation {
            inner.stage = Stage::Over(Trouble::NotLoaded(why));
        }
        drop(inner);
        self.alarm.notify_all();
    }

    /// The thread ends, and with it goes its engine's memory.
    pub(super) fn ended(&self, generation: u32) {
        self.lock().lost.retain(|lost| lost.generation != generation);
    }

    // For the guard.

    /// Threads that were given up while they were loading, or in a run, and have not come back.
    pub(super) fn lost(&self, loading: bool) -> usize {
        self.lock().lost.iter().filter(|lost| lost.loading == loading).count()
    }

    /// Waits until something happened, or so long.
    pub(super) fn wait(&self, limit: Duration) {
        let inner = self.lock();
        if !matches!(inner.stage, Stage::Over(_)) && !inner.closed {
            // Why it woke, the next look tells.
            drop(self.alarm.wait_timeout(inner, limit));
        }
    }

    /// How things stand; takes note of what it finds.
    pub(super) fn look(&self, now: Mono) -> Look {
        let mut inner = self.lock();
        inner.expire(now);
        if inner.closed {
            return Look::Closed;
        }
        let allowed = if inner.proved { self.limits.run } else { self.limits.run * FIRST };
        let grace = self.limits.grace;
        let stop = inner.stop.clone();
        match &mut inner.stage {
            Stage::Idle => Look::Fine,
            Stage::Down => Look::Down,
            Stage::Running { since, ending: ending @ None, .. } if now.since(*since) > allowed => {
                *ending = Some(now);
                Look::Overdue(stop)
            }
            Stage::Running { ending: Some(at), .. } if now.since(*at) > grace => {
                inner.abandon(self.limits.run, false);
                Look::Abandoned { loading: false }
            }
            Stage::Loading { since } if now.since(*since) > self.limits.run * FIRST => {
                inner.abandon(self.limits.run, true);
                Look::Abandoned { loading: true }
            }
            Stage::Running { .. } | Stage::Loading { .. } => Look::Fine,
            Stage::Over(trouble) => {
                let (trouble, proved) = (trouble.clone(), inner.proved);
                inner.stage = Stage::Down;
                inner.turn_away();
                Look::Over { trouble, proved }
            }
        }
    }

    /// A new thread begins to load; gives its generation. A thread whose engine is of no use any more may not yet have
    /// found that out: it belongs to the one before.
    pub(super) fn loading(&self, now: Mono) -> u32 {
        let mut inner = self.lock();
        inner.generation += 1;
        inner.stage = Stage::Loading { since: now };
        inner.generation
    }

    /// Notes something for `status`.
    pub(super) fn note(&self, note: impl FnOnce(&mut Health)) {
        note(&mut self.lock().health);
    }
}

impl Inner {
    fn examines(&self, caller: Caller) -> bool {
        matches!(&self.stage, Stage::Running { callers, .. } if callers.iter().any(|told| told.caller == caller))
    }

    /// What stood in line for too long comes back. Behind a run that is being ended that is the model's fault.
    fn expire(&mut self, now: Mono) {
        let hangs = matches!(self.stage, Stage::Running { ending: Some(_), .. });
        for (_, waiting) in self.line.take_if(|waiting| now.since(waiting.since) > waiting.request.patience) {
            answer(waiting.request, if hangs { Unanswered::Down } else { Unanswered::Late });
        }
    }

    /// Whoever is in line asks in vain.
    fn turn_away(&mut self) {
        for (_, waiting) in self.line.take_if(|_| true) {
            answer(waiting.request, Unanswered::Down);
        }
    }

    /// Gives up the thread: whatever it says from now on counts for nothing.
    fn abandon(&mut self, limit: Duration, loading: bool) {
        self.lost.push(Lost { generation: self.generation, loading });
        self.generation += 1;
        if let Stage::Running { callers, .. } = std::mem::replace(&mut self.stage, Stage::Down) {
            for Told { tag, reply, .. } in callers {
                let findings = Err(Unanswered::Hung(limit));
                let _ = reply.try_send(Reply { tag, work: Work::default(), findings, took: limit });
            }
        }
        self.turn_away();
    }
}

fn answer(request: Request, why: Unanswered) {
    let Request { work, tag, reply, .. } = request;
    // A caller that is gone has no use for it.
    let _ = reply.try_send(Reply { tag, work, findings: Err(why), took: Duration::ZERO });
}

/// Held by every handle: when the last one is gone, nobody can ask any more.
pub(super) struct Door(pub(super) Arc<Post>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.bell.notify_all();
        self.0.alarm.notify_all();
    }
}
