//! Models that hang, fail and come too late, without a library: engines that do as the picture tells them.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, mpsc};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::*;
use crate::model::load::LoadError;
use crate::model::thread::{Handle, Limits, Refused, Reply, Request, Unanswered, start};
use crate::model::{Caller, Engine, Findings, Model, RunError, Stop, Tensor, Work};

/// What the picture's first number makes of a run.
const FINE: f32 = 0.0;
const FAIL: f32 = 1.0;
/// It ends when it is told to.
const HANG: f32 = 2.0;
/// It doesn't even then, but only when the test lets it.
const DEAF: f32 = 3.0;
/// It waits for the test.
const WAIT: f32 = 4.0;

/// Gives back the second number.
struct Obedient {
    stopped: Arc<AtomicBool>,
    release: Arc<Mutex<mpsc::Receiver<()>>>,
    began: Sender<f32>,
}

impl Engine for Obedient {
    fn examine(&mut self, work: &Work) -> Result<Findings, RunError> {
        let data = &work.pictures[0].data;
        self.began.send(data[1]).unwrap();
        match data[0] {
            FAIL => return Err(RunError("as it was told".into())),
            HANG => {
                while !self.stopped.load(Ordering::SeqCst) {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                return Err(RunError("terminated".into()));
            }
            DEAF | WAIT => drop(self.release.lock().unwrap().recv()),
            _ => {}
        }
        Ok(Findings::Numbers(vec![Tensor { shape: vec![1, 1], data: vec![data[1]] }]))
    }
}

/// A model and what its engines do.
struct Bench {
    handle: Handle,
    caller: Caller,
    /// The second number of each picture that an engine begins with.
    began: Receiver<f32>,
    release: mpsc::Sender<()>,
    sender: Sender<Reply>,
    replies: Receiver<Reply>,
}

type Parts = (Arc<Mutex<mpsc::Receiver<()>>>, Sender<f32>);

fn loaded(parts: Parts, model: Arc<Model>, loadable: bool) -> Result<Loaded, LoadError> {
    if !loadable {
        let problem = crate::model::Problem::Trial(RunError("it can't be loaded".into()));
        return Err(LoadError { model: model.identity().name.clone(), problem });
    }
    let stopped = Arc::new(AtomicBool::new(false));
    let (release, began) = parts.clone();
    let engine = Box::new(Obedient { stopped: stopped.clone(), release, began });
    let stop = Stop::new(move || stopped.store(true, Ordering::SeqCst));
    let again: Again = {
        let model = model.clone();
        Arc::new(move || loaded(parts.clone(), model.clone(), true))
    };
    Ok(Loaded { model, engine, rungs: Vec::new(), running: Running::default(), stop, again })
}

impl Bench {
    fn new(run_ms: u64, grace_ms: u64) -> Bench {
        Bench::loading(run_ms, grace_ms, |again| again)
    }

    /// With another way to be loaded again.
    fn loading(run_ms: u64, grace_ms: u64, other: impl FnOnce(Again) -> Again) -> Bench {
        let (release, released) = mpsc::channel();
        let (begin, began) = unbounded();
        let model = Arc::new(crate::model::tests::bright());
        let mut loaded = loaded((Arc::new(Mutex::new(released)), begin), model, true).unwrap();
        loaded.again = other(loaded.again);
        let (run, grace) = (Duration::from_millis(run_ms), Duration::from_millis(grace_ms));
        let handle = start(loaded, Limits { run, grace }).unwrap();
        let (sender, replies) = bounded(64);
        Bench { caller: handle.caller(), handle, began, release, sender, replies }
    }

    fn ask_as(&self, caller: Caller, what: f32, tag: u64, patience: Duration) -> Result<(), Refused> {
        self.handle.ask(self.request(caller, what, tag, patience))
    }

    fn request(&self, caller: Caller, what: f32, tag: u64, patience: Duration) -> Request {
        let picture = Tensor { shape: vec![1, 2], data: vec![what, tag as f32] };
        let work = Work { pictures: vec![picture], asked: Vec::new() };
        Request { caller, work, patience, tag, reply: self.sender.clone() }
    }

    fn ask(&self, what: f32, tag: u64) -> Result<(), Refused> {
        self.ask_as(self.caller, what, tag, LONG)
    }

    /// Asks until it is taken: while the model is loaded again, it isn't.
    fn insist(&self, what: f32, tag: u64) {
        while self.ask(what, tag).is_err() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn began(&self) -> f32 {
        self.began.recv_timeout(LONG).unwrap()
    }

    fn reply(&self) -> (u64, Result<f32, Unanswered>) {
        let reply = self.replies.recv_timeout(LONG).unwrap();
        let number = |findings| match findings {
            Findings::Numbers(outputs) => outputs[0].data[0],
            Findings::Scored(_) => f32::NAN,
        };
        (reply.tag, reply.findings.map(number))
    }
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_newer_request_takes_the_place_of_the_one_in_line() {
    let bench = Bench::new(60_000, 60_000);
    assert!(bench.ask(WAIT, 1).is_ok());
    assert_eq!(bench.began(), 1.0);
    assert!(matches!(bench.ask(FINE, 2), Err(Refused::Busy(request)) if request.tag == 2), "its first one is running");
    let other = bench.handle.caller();
    assert!(bench.ask_as(other, FINE, 3, LONG).is_ok());
    assert!(bench.handle.is_in_line(other));
    assert!(matches!(bench.ask_as(other, FINE, 4, LONG), Err(Refused::Busy(_))), "not without saying so");
    let replaced = bench.handle.ask_instead(bench.request(other, FINE, 4, LONG)).ok().unwrap();
    assert_eq!(replaced.pictures[0].data[1], 3.0, "the older one comes back");
    bench.release.send(()).unwrap();
    assert_eq!([bench.reply(), bench.reply()], [(1, Ok(1.0)), (4, Ok(4.0))]);
    assert_eq!(bench.began(), 4.0, "the third was never looked at");
    assert!(!bench.handle.is_in_line(other));
    let late = bench.handle.ask_instead(bench.request(other, FINE, 5, LONG));
    assert!(matches!(late, Err(Refused::Busy(_))), "what it was to replace has been answered");
}

#[test]
fn what_stands_in_line_for_too_long_comes_back_unexamined() {
    let bench = Bench::new(60_000, 60_000);
    assert!(bench.ask(WAIT, 1).is_ok());
    bench.began();
    assert!(bench.ask_as(bench.handle.caller(), FINE, 2, Duration::from_millis(1)).is_ok());
    assert_eq!(bench.reply(), (2, Err(Unanswered::Late)), "while the other one is still running");
    bench.release.send(()).unwrap();
    assert_eq!(bench.reply(), (1, Ok(1.0)));
}

#[test]
fn a_run_that_hangs_is_ended_and_the_model_works_again() {
    let bench = Bench::new(50, 60_000);
    assert!(bench.ask(HANG, 1).is_ok());
    assert_eq!(bench.reply(), (1, Err(Unanswered::Hung(Duration::from_millis(50)))));
    bench.insist(FINE, 2);
    assert_eq!(bench.reply(), (2, Ok(2.0)));
    let Health { down, hangs, reloads, trouble, .. } = bench.handle.health();
    assert_eq!((down, hangs, reloads), (None, 1, 1));
    assert_eq!(trouble.unwrap().1, "a run took too long and was ended");
}

#[test]
fn a_run_that_does_not_end_is_given_up_and_says_nothing_any_more() {
    let bench = Bench::new(50, 50);
    let other = bench.handle.caller();
    assert!(bench.ask(DEAF, 1).is_ok());
    bench.began();
    assert!(bench.ask_as(other, FINE, 2, LONG).is_ok());
    assert_eq!(bench.reply(), (1, Err(Unanswered::Hung(Duration::from_millis(50)))));
    assert_eq!(bench.reply(), (2, Err(Unanswered::Down)), "whoever stood behind it");
    bench.insist(FINE, 3);
    assert_eq!(bench.reply(), (3, Ok(3.0)), "another thread has taken over");
    bench.release.send(()).unwrap();
    bench.insist(FINE, 4);
    assert_eq!(bench.reply(), (4, Ok(4.0)), "the one that came back is not heard");
    assert_eq!(bench.handle.health().hangs, 1);
}

#[test]
fn a_load_that_does_not_end_is_given_up_and_is_no_run_that_hung() {
    let (let_go, held) = mpsc::channel::<()>();
    let held = Mutex::new(Some(held));
    let bench = Bench::loading(50, 60_000, |again| {
        Arc::new(move || {
            // Only the first time.
            let held = held.lock().unwrap().take();
            held.map(|held| held.recv());
            again()
        })
    });
    assert!(bench.ask(HANG, 1).is_ok());
    assert_eq!(bench.reply(), (1, Err(Unanswered::Hung(Duration::from_millis(50)))));
    bench.insist(FINE, 2);
    assert_eq!(bench.reply(), (2, Ok(2.0)), "another thread has loaded it");
    let Health { down, hangs, reloads, trouble, .. } = bench.handle.health();
    assert_eq!((down, hangs, reloads), (None, 1, 1));
    assert_eq!(trouble.unwrap().1, "loading took too long and was given up");
    drop(let_go);
}

#[test]
fn one_run_that_fails_is_an_accident_and_five_are_not() {
    let bench = Bench::new(60_000, 60_000);
    let failed = |error: &str| Err(Unanswered::Failed(RunError(error.into())));
    for tag in 0..4 {
        bench.insist(FAIL, tag);
        assert_eq!(bench.reply(), (tag, failed("as it was told")));
    }
    bench.insist(FINE, 4);
    assert_eq!(bench.reply(), (4, Ok(4.0)));
    assert_eq!(bench.handle.health().reloads, 0);
    for tag in 5..10 {
        bench.insist(FAIL, tag);
        assert_eq!(bench.reply(), (tag, failed("as it was told")));
    }
    bench.insist(FINE, 10);
    assert_eq!(bench.reply(), (10, Ok(10.0)));
    let health = bench.handle.health();
    assert_eq!((health.reloads, health.hangs, health.down), (1, 0, None));
}

#[test]
fn the_guard_beats_while_a_run_takes_long() {
    let bench = Bench::new(60_000, 60_000);
    assert!(bench.ask(WAIT, 1).is_ok());
    bench.began();
    let before = bench.handle.heartbeat().load(Ordering::Relaxed);
    let began = time::now().mono;
    while bench.handle.heartbeat().load(Ordering::Relaxed) == before {
        assert!(time::now().mono.since(began) < LONG, "it is silent");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    bench.release.send(()).unwrap();
    assert_eq!(bench.reply(), (1, Ok(1.0)));
}

/// A post with one picture to look at, in a run since `now`; and where its replies arrive.
fn running(now: Mono) -> (Post, Receiver<Reply>) {
    let limits = Limits { run: Duration::from_secs(60), grace: Duration::from_secs(30) };
    let post = Post::new(limits, Health::default(), Stop::new(|| ()));
    let (reply, replies) = bounded(8);
    wait(&post, &reply, 1, LONG, now);
    assert_eq!(post.next(0, 1).unwrap().len(), 1);
    (post, replies)
}

/// Stands in line from `now` on, as a caller of its own.
fn wait(post: &Post, reply: &Sender<Reply>, tag: u64, patience: Duration, now: Mono) {
    let request = Request { caller: Caller(tag), work: Work::default(), patience, tag, reply: reply.clone() };
    assert!(post.ask(request, now).is_ok());
}

fn after(now: Mono, seconds: u64) -> Mono {
    now.plus(Duration::from_secs(seconds))
}

#[test]
fn behind_a_run_that_is_ended_nobody_is_merely_late() {
    let now = time::now().mono;
    let (post, replies) = running(now);
    let (reply, late) = bounded(2);
    wait(&post, &reply, 2, Duration::from_secs(1), now);
    assert!(matches!(post.look(after(now, 10)), Look::Fine));
    assert_eq!(late.try_recv().unwrap().findings.err(), Some(Unanswered::Late), "there may just be much to do");
    assert!(matches!(post.look(after(now, 400)), Look::Overdue(_)));
    wait(&post, &reply, 3, Duration::from_secs(1), after(now, 401));
    assert!(matches!(post.look(after(now, 410)), Look::Fine));
    assert_eq!(late.try_recv().unwrap().findings.err(), Some(Unanswered::Down), "the model is at fault");
    assert!(replies.is_empty(), "its own caller still waits for the run");
}

#[test]
fn a_thread_that_is_slow_to_leave_gets_no_work_of_the_next_one() {
    let now = time::now().mono;
    let (post, _replies) = running(now);
    assert!(matches!(post.look(after(now, 400)), Look::Overdue(_)));
    assert!(post.done(0, None).is_some());
    assert!(matches!(post.look(after(now, 401)), Look::Over { trouble: Trouble::Hung, .. }));
    let generation = post.loading(after(now, 402));
    assert!(post.loaded(generation, Stop::new(|| ()), Health::default()));
    let (reply, _kept) = bounded(1);
    wait(&post, &reply, 4, LONG, time::now().mono);
    assert!(post.next(0, 1).is_none(), "its engine was told to end");
    assert_eq!(post.next(generation, 1).unwrap()[0].tag, 4);
}

#[test]
fn threads_that_were_given_up_count_until_they_come_back() {
    let now = time::now().mono;
    let (post, _replies) = running(now);
    assert!(matches!(post.look(after(now, 400)), Look::Overdue(_)));
    assert!(matches!(post.look(after(now, 440)), Look::Abandoned { loading: false }));
    let loading = post.loading(after(now, 441));
    assert!(
        matches!(post.look(after(now, 1000)), Look::Abandoned { loading: true }),
        "an engine that is built for long"
    );
    assert_eq!([post.lost(false), post.lost(true)], [1, 1], "the second one hung in no run");
    assert!(!post.loaded(loading, Stop::new(|| ()), Health::default()), "too late");
    post.ended(loading);
    assert_eq!([post.lost(false), post.lost(true)], [1, 0]);
    post.ended(0);
    assert_eq!([post.lost(false), post.lost(true)], [0, 0]);
}
