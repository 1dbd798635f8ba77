//! A watcher over models that do as the test says: frames that are replaced, spared, referred, late and refused.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use std::time::Duration;

use super::super::candidate::Candidate;
use super::*;
use crate::condition::{Phase, Spec, State};
use crate::config::{Calibration, Hold, Located, OnlyWhen};
use crate::event::{Metadata, ModelIdentity, Priority};
use crate::frame::{Color, Matrix, Motion, PixelFormat, Plane};
use crate::heartbeat;
use crate::judge::{Labelled, Question};
use crate::model::{Again, Engine, Findings, Limits, Loaded, RunError, Running, Stop, Tensor, Work, start};
use crate::name::Name;
use crate::verdict::Verdict;
use crate::watch::ledger::{Happening, Refused};
use crate::watch::subject::{About, Subject};

/// What the next run of a model gives: a score, or nothing.
pub(in crate::watch) type Script = mpsc::Sender<Option<f32>>;

/// Waits for its script; notes the brightness of every picture that it sees.
struct Scripted {
    script: Mutex<mpsc::Receiver<Option<f32>>>,
    seen: Arc<Mutex<Vec<f32>>>,
}

impl Engine for Scripted {
    fn examine(&mut self, work: &Work) -> Result<Findings, RunError> {
        let score = self.script.get_mut().unwrap().recv().unwrap_or(None);
        self.seen.lock().unwrap().push(work.pictures[0].data[0]);
        let score = score.ok_or_else(|| RunError("it was told to fail".into()))?;
        Ok(Findings::Numbers(vec![Tensor { shape: vec![1, 1], data: vec![score] }]))
    }
}

/// A running model that says how bright something is.
pub(in crate::watch) struct Scene {
    pub(in crate::watch) handle: Handle,
    pub(in crate::watch) script: Script,
    seen: Arc<Mutex<Vec<f32>>>,
}

pub(in crate::watch) fn model(name: &str) -> Scene {
    let (script, lines) = mpsc::channel();
    let seen = Arc::default();
    let engine = Box::new(Scripted { script: Mutex::new(lines), seen: Arc::clone(&seen) });
    let again: Again = Arc::new(|| unreachable!("it works"));
    let model = Arc::new(crate::model::tests::bright_as(name));
    let (running, stop) = (Running::default(), Stop::new(|| ()));
    let loaded = Loaded { model, engine, rungs: Vec::new(), running, stop, again };
    Scene { handle: start(loaded, Limits::default()).unwrap(), script, seen }
}

/// What machines say of their checks, and in which second the frame of each arrived.
#[derive(Default)]
struct Notes(Vec<String>, Vec<f64>);

impl Ledger for Notes {
    fn record(&mut self, _: Happening<'_>) -> Result<(), Refused> {
        Ok(())
    }

    fn verdict(&mut self, about: &About, verdict: &Verdict, seen: Now) {
        self.1.push(seen.wall.since(at(0.0).wall).as_secs_f64());
        self.0.push(format!("{} {:.1} {}", about.monitor, verdict.confidence, verdict.explanation));
    }
}

pub(in crate::watch) fn at(seconds: f64) -> Now {
    Now::in_clip(Duration::from_secs_f64(seconds))
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A machine that checks once a second from 0 on, whatever moves.
pub(in crate::watch) fn machine(monitor: &str, model: &Scene) -> Machine {
    machine_of(monitor, model, |_| ())
}

/// The same with the gate, and whatever `change` does to it.
fn gated(model: &Scene, change: impl FnOnce(&mut Spec)) -> Machine {
    machine_of("m", model, |subject| {
        subject.recheck = Some(Duration::from_secs(30));
        change(&mut subject.spec);
    })
}

fn machine_of(monitor: &str, model: &Scene, change: impl FnOnce(&mut Subject)) -> Machine {
    let spec = Spec {
        confidence_threshold: 0.8,
        clear_threshold: 0.6,
        hold: Hold { needed: 1, of: 1 },
        cooldown: Duration::from_secs(1),
        repeat: false,
        clear_after: Duration::from_secs(5),
        lost_after: Duration::from_secs(30),
        check_interval: Duration::from_secs(1),
        max_duration: None,
        stop_on_trigger: false,
        restart: true,
        first_frame_within: None,
    };
    let about = About {
        monitor: name(monitor),
        camera: name("c"),
        definition: String::new(),
        condition: "?".into(),
        metadata: Metadata::new(),
        priority: Priority::Normal,
        endpoints: Vec::new(),
        shadow: false,
        origin: Default::default(),
        request: None,
    };
    let question = Question::Labels(Labelled {
        labels: vec![(0, "bright".into())],
        zone: Vec::new(),
        min_count: 1,
        calibration: Calibration { temperature: 1.0, bias: 0.0 },
        threshold: 0.8,
    });
    let identity = ModelIdentity { name: model.handle.model().identity().name.clone(), sha256: String::new() };
    let source_url = String::new();
    let mut subject = Subject {
        about,
        spec,
        question,
        asked: None,
        model: identity,
        source_url,
        label: String::new(),
        recheck: None,
        clip: None,
        enabled: true,
    };
    change(&mut subject);
    let mut machine = Machine::new(subject, State::new());
    machine.tell(&mut Notes::default(), at(0.0), Input::Start);
    machine
}

pub(in crate::watch) fn frame(seconds: f64) -> Frame {
    Frame {
        width: 2,
        height: 2,
        format: PixelFormat::Rgb,
        color: Color { matrix: Matrix::Bt601, full_range: true },
        // As bright as it is late.
        planes: vec![Plane { data: vec![seconds as u8; 12], stride: 6 }],
        arrived: at(seconds),
        pts: Duration::from_secs_f64(seconds),
        connection: 1,
        motion: Default::default(),
    }
}

fn candidate(of: &Scene) -> Candidate {
    let located = |value: &str| Located { value: value.to_owned(), at: 0..0 };
    let model = Located { value: of.handle.model().identity().name.clone(), at: 0..0 };
    let only_when = OnlyWhen { model, labels: vec![located("bright")], above: 0.5 };
    Candidate::new(&name("m"), &only_when, &of.handle, Vec::new()).unwrap()
}

/// Checks, verdict errors, and frames skipped for load, rate.
fn counts(machine: &Machine) -> [u64; 4] {
    let counters = machine.state().job().unwrap().counters().clone();
    let skipped = |reason| counters.frames_skipped.get(&reason).copied().unwrap_or_default();
    let of_load = skipped(SkipReason::Load);
    [counters.checks_performed, counters.verdict_errors, of_load, skipped(SkipReason::Rate)]
}

struct Play {
    watcher: Watcher,
    notes: Notes,
}

impl Play {
    fn new(askers: Vec<Asker>) -> Play {
        Play { watcher: Watcher::new(askers), notes: Notes::default() }
    }

    fn frame(&mut self, seconds: f64) {
        self.watcher.frame(&mut self.notes, at(seconds), frame(seconds));
    }

    /// A frame of `seconds` is handed over at `now`.
    fn shown(&mut self, now: f64, seconds: f64, motion: Motion) {
        self.watcher.frame(&mut self.notes, at(now), Frame { motion, ..frame(seconds) });
    }

    /// Waits for the next answer.
    fn reply(&mut self, seconds: f64) {
        let reply = self.watcher.replies().recv_timeout(Duration::from_secs(60)).unwrap();
        self.watcher.reply(&mut self.notes, at(seconds), reply);
    }

    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes.0)
    }
}

pub(in crate::watch) fn plain(machine: Machine, model: &Scene) -> Asker {
    Asker { machine, model: model.handle.clone(), candidate: None }
}

#[test]
fn a_frame_in_line_is_replaced_by_a_newer_one_and_counts_as_skipped() {
    let scene = model("a");
    let mut other = Play::new(vec![plain(machine("other", &scene), &scene)]);
    other.frame(9.0);
    // Once the engine has the other camera's frame, ours stand in line.
    while other.watcher.lanes[0].standing() != Standing::Looked {
        std::thread::yield_now();
    }
    let mut play = Play::new(vec![plain(machine("m", &scene), &scene)]);
    for seconds in [0.0, 0.5, 1.0, 2.0] {
        play.frame(seconds);
    }
    scene.script.send(Some(0.1)).unwrap();
    scene.script.send(Some(0.9)).unwrap();
    play.reply(2.1);
    assert_eq!(play.said(), ["m 0.9 bright 0.90"]);
    let pictures = scene.seen.lock().unwrap().len();
    assert_eq!(pictures, 2, "the frames of 0 s and 1 s were never looked at");
    assert_eq!(counts(&play.watcher.machines()[0]), [1, 0, 2, 1]);
    assert_eq!(play.watcher.lag(), at(2.1).mono.since(at(2.0).mono), "of the frame that was judged");
}

#[test]
fn a_candidate_that_says_no_spares_the_model() {
    let (cheap, dear) = (model("cheap"), model("dear"));
    let asker = Asker { machine: machine("m", &dear), model: dear.handle.clone(), candidate: Some(candidate(&cheap)) };
    let mut play = Play::new(vec![asker, plain(machine("n", &cheap), &cheap)]);
    play.frame(0.0);
    cheap.script.send(Some(0.3)).unwrap();
    play.reply(0.1);
    assert_eq!(play.said(), ["m 0.0 bright 0.30 (cheap), so `dear` was not asked", "n 0.3 bright 0.30"]);
    assert!(!play.watcher.is_waiting());
    play.frame(1.0);
    cheap.script.send(Some(0.6)).unwrap();
    play.reply(1.1);
    assert_eq!(play.said(), ["n 0.6 bright 0.60"]);
    dear.script.send(Some(0.9)).unwrap();
    play.reply(1.2);
    assert_eq!(play.said(), ["m 0.9 bright 0.90"]);
    let (cheap, dear) = (cheap.seen.lock().unwrap().len(), dear.seen.lock().unwrap().len());
    assert_eq!((cheap, dear), (2, 1), "the cheap one's runs are shared");
    assert_eq!(play.watcher.machines().iter().map(counts).collect::<Vec<_>>(), [[2, 0, 0, 0]; 2]);
    assert_eq!(play.watcher.machines()[0].shown().lock().unwrap().spared, 1);
}

#[test]
fn a_candidate_that_fails_hides_nothing() {
    let (cheap, dear) = (model("cheap"), model("dear"));
    let asker = Asker { machine: machine("m", &dear), model: dear.handle.clone(), candidate: Some(candidate(&cheap)) };
    let mut play = Play::new(vec![asker]);
    for (seconds, cheap_says) in [(0.0, None), (1.0, Some(f32::NAN))] {
        play.frame(seconds);
        cheap.script.send(cheap_says).unwrap();
        dear.script.send(Some(0.9)).unwrap();
        play.reply(seconds);
        play.reply(seconds);
        assert_eq!(play.said(), ["m 0.9 bright 0.90"]);
    }
    assert_eq!(counts(&play.watcher.machines()[0]), [2, 0, 0, 0]);
}

#[test]
fn a_model_that_fails_all_the_time_leaves_a_heartbeat_nothing_to_say() {
    let scene = model("a");
    let mut play = Play::new(vec![plain(machine("m", &scene), &scene)]);
    let watched = |play: &Play| heartbeat::Work::of(play.watcher.machines()[0].state().job().unwrap().counters());
    for (seconds, says) in [(0.0, None), (1.0, None), (2.0, Some(f32::NAN))] {
        play.frame(seconds);
        scene.script.send(says).unwrap();
        play.reply(seconds + 0.1);
        play.frame(seconds + 0.5);
    }
    assert_eq!(counts(&play.watcher.machines()[0]), [3, 3, 0, 3], "frames came all the while");
    assert_eq!((watched(&play).checks, watched(&play).skipped.get(&SkipReason::NothingMoved)), (0, None));
    play.frame(3.0);
    scene.script.send(Some(0.1)).unwrap();
    play.reply(3.1);
    assert_eq!(watched(&play).checks, 1);
}

#[test]
fn frames_that_a_candidate_refers_to_a_busy_model_are_replaced_by_newer_ones() {
    let (cheap, dear) = (model("cheap"), model("dear"));
    let asker = Asker { machine: machine("m", &dear), model: dear.handle.clone(), candidate: Some(candidate(&cheap)) };
    let mut play = Play::new(vec![asker]);
    for seconds in [0.0, 1.0, 2.0] {
        play.frame(seconds);
        cheap.script.send(Some(0.9)).unwrap();
        play.reply(seconds);
        // The dear one begins with the first of them, and is not done.
        while seconds == 0.0 && play.watcher.lanes[play.watcher.ways[0].own].standing() != Standing::Looked {
            std::thread::yield_now();
        }
    }
    dear.script.send(Some(0.9)).unwrap();
    dear.script.send(Some(0.7)).unwrap();
    play.reply(2.1);
    play.reply(2.2);
    assert_eq!(play.said(), ["m 0.9 bright 0.90", "m 0.7 bright 0.70"]);
    assert_eq!(counts(&play.watcher.machines()[0]), [2, 0, 1, 0], "the frame of 1 s gave way to that of 2 s");
    assert!(!play.watcher.is_waiting());
}

#[test]
fn what_became_old_while_the_model_was_busy_is_skipped() {
    let scene = model("a");
    let mut play = Play::new(vec![plain(machine("m", &scene), &scene)]);
    play.frame(0.0);
    while play.watcher.lanes[0].standing() != Standing::Looked {
        std::thread::yield_now();
    }
    play.frame(1.0);
    scene.script.send(Some(0.9)).unwrap();
    play.reply(11.5);
    assert_eq!(play.said(), ["m 0.9 bright 0.90"]);
    assert!(!play.watcher.is_waiting(), "a frame of 10.5 s ago says nothing about now");
    assert_eq!(counts(&play.watcher.machines()[0]), [1, 0, 1, 0]);
}

/// The lane of machine `index`'s own model has its frame looked at, not in line.
fn begun(play: &Play, index: usize) {
    while play.watcher.lanes[play.watcher.ways[index].own].standing() != Standing::Looked {
        std::thread::yield_now();
    }
}

#[test]
fn a_candidates_no_does_not_overtake_an_older_frame() {
    let (cheap, dear) = (model("cheap"), model("dear"));
    let asker = Asker { machine: machine("m", &dear), model: dear.handle.clone(), candidate: Some(candidate(&cheap)) };
    let mut play = Play::new(vec![asker]);
    for (seconds, cheap_says) in [(0.0, 0.9), (1.0, 0.1), (2.0, 0.9), (3.0, 0.1)] {
        play.frame(seconds);
        cheap.script.send(Some(cheap_says)).unwrap();
        play.reply(seconds);
        begun(&play, 0);
        assert_eq!(play.said(), [""; 0], "its own model is still busy with the frame of 0 s");
    }
    for (seconds, said) in [(3.1, "m 0.9 bright 0.90"), (3.2, "m 0.7 bright 0.70")] {
        dear.script.send(said[2..5].parse().ok()).unwrap();
        play.reply(seconds);
        assert_eq!(play.said(), [said]);
    }
    assert_eq!(counts(&play.watcher.machines()[0]), [2, 0, 2, 0], "the candidate's two answers count as skipped");
    assert_eq!(play.watcher.machines()[0].shown().lock().unwrap().spared, 0);
    play.frame(4.0);
    cheap.script.send(Some(0.1)).unwrap();
    play.reply(4.0);
    assert_eq!(play.said(), ["m 0.0 bright 0.10 (cheap), so `dear` was not asked"], "nothing is under way any more");
}

#[test]
fn nobody_looks_at_a_frame_twice() {
    let (cheap, dear) = (model("cheap"), model("dear"));
    let asker = Asker { machine: machine("m", &dear), model: dear.handle.clone(), candidate: Some(candidate(&cheap)) };
    let mut play = Play::new(vec![plain(machine("n", &dear), &dear), asker]);
    play.frame(0.0);
    dear.script.send(Some(0.5)).unwrap();
    play.reply(0.1);
    assert_eq!(play.said(), ["n 0.5 bright 0.50"]);
    // So late that, by the clock, the next check is due as well.
    play.frame(1.8);
    begun(&play, 0);
    cheap.script.send(Some(0.9)).unwrap();
    play.reply(1.9);
    for said in ["n 0.6 bright 0.60", "m 0.7 bright 0.70"] {
        dear.script.send(said[2..5].parse().ok()).unwrap();
        play.reply(2.0);
        assert_eq!(play.said(), [said], "m's is the frame of 0 s, n's that of 1.8 s");
    }
    assert_eq!(play.watcher.lanes[play.watcher.ways[0].own].standing(), Standing::Free, "n has had the newest frame");
    assert_eq!(counts(&play.watcher.machines()[0]), [2, 0, 0, 0]);
    cheap.script.send(None).unwrap();
}

#[test]
fn a_watcher_without_monitors_waits_for_no_answer() {
    assert_eq!(Watcher::new(Vec::new()).replies().try_recv().err(), Some(crossbeam_channel::TryRecvError::Empty));
}

#[test]
fn frames_that_wait_when_the_camera_goes_are_counted() {
    let (cheap, dear) = (model("cheap"), model("dear"));
    let asker = Asker { machine: machine("m", &dear), model: dear.handle.clone(), candidate: Some(candidate(&cheap)) };
    let mut play = Play::new(vec![plain(machine("n", &dear), &dear), asker]);
    play.frame(0.0);
    begun(&play, 0);
    cheap.script.send(Some(0.9)).unwrap();
    play.reply(0.1);
    play.frame(1.0);
    play.watcher.lost(&mut play.notes, at(1.1));
    let skipped: Vec<u64> = play.watcher.machines().iter().map(|machine| counts(machine)[2]).collect();
    assert_eq!(skipped, [1, 1], "n's frame of 1 s, and m's of 0 s, which its candidate sent on");
    [&cheap, &dear].iter().for_each(|model| model.script.send(None).unwrap());
}

/// Frames that were skipped because nothing moved.
fn passed_over(play: &Play) -> u64 {
    let counters = play.watcher.machines()[0].state().job().unwrap().counters().clone();
    counters.frames_skipped.get(&SkipReason::NothingMoved).copied().unwrap_or_default()
}

#[test]
fn what_a_camera_slept_through_is_looked_at_in_its_turn() {
    let scene = model("a");
    let mut play = Play::new(vec![plain(machine("m", &scene), &scene)]);
    // Woken at 5 s: the last four seconds at once, every half a second, and live frames while they are looked at.
    for half in 2..=10 {
        play.shown(5.0, f64::from(half) / 2.0, Motion::SleptThrough);
    }
    play.shown(5.2, 5.2, Motion::Moved);
    play.shown(6.0, 6.0, Motion::Moved);
    play.shown(7.0, 7.0, Motion::Moved);
    for (nth, score) in [0.1, 0.1, 0.9, 0.9, 0.9, 0.2].iter().enumerate() {
        assert!(play.watcher.is_waiting(), "after {nth}");
        begun(&play, 0);
        scene.script.send(Some(*score)).unwrap();
        play.reply(7.0 + nth as f64 / 10.0);
    }
    assert!(!play.watcher.is_waiting());
    assert_eq!(play.notes.1, [1.0, 2.0, 3.0, 4.0, 5.0, 7.0], "one a second, in order; of the live ones the newest");
    let Phase::Open(open) = play.watcher.machines()[0].state().phase().clone() else { panic!("it is open") };
    assert_eq!((open.started, open.alerted), (at(3.0).wall, at(3.0).wall), "it began when it was to be seen");
    assert_eq!(counts(&play.watcher.machines()[0]), [6, 0, 2, 4], "of the live frames two gave way");
}

#[test]
fn what_was_slept_through_too_long_ago_is_skipped_and_counted() {
    let scene = model("a");
    let mut play = Play::new(vec![plain(machine("m", &scene), &scene)]);
    play.shown(20.0, 5.0, Motion::SleptThrough);
    play.shown(20.0, 19.0, Motion::SleptThrough);
    scene.script.send(Some(0.1)).unwrap();
    play.reply(20.1);
    assert!(!play.watcher.is_waiting());
    assert_eq!(counts(&play.watcher.machines()[0]), [1, 0, 1, 0]);
    play.shown(21.0, 20.0, Motion::SleptThrough);
    play.shown(21.0, 21.0, Motion::SleptThrough);
    play.watcher.stop(&mut play.notes, at(21.5), JobReason::StreamEnded);
    assert_eq!(counts(&play.watcher.machines()[0]), [1, 0, 2, 0], "the job ended before its turn");
    scene.script.send(None).unwrap();
}

#[test]
fn what_a_camera_slept_through_is_looked_at_although_it_is_lost_meanwhile() {
    let scene = model("a");
    let mut play = Play::new(vec![plain(machine("m", &scene), &scene)]);
    (1..=5).for_each(|second| play.shown(5.0, f64::from(second), Motion::SleptThrough));
    play.watcher.lost(&mut play.notes, at(5.1));
    for (nth, score) in [0.1, 0.1, 0.9, 0.9, 0.9].iter().enumerate() {
        scene.script.send(Some(*score)).unwrap();
        play.reply(5.2 + nth as f64 / 10.0);
    }
    assert!(!play.watcher.is_waiting());
    assert_eq!(play.notes.1, [1.0, 2.0, 3.0, 4.0, 5.0]);
    let phase = |play: &Play| play.watcher.machines()[0].state().phase().clone();
    let Phase::Open(open) = phase(&play) else { panic!("it is open") };
    assert_eq!(open.started, at(3.0).wall);
    play.watcher.tick(&mut play.notes, at(35.2));
    assert!(!matches!(phase(&play), Phase::Open(_)), "`lost_after` runs from the loss");
}

/// Shows still frames once a second over `seconds`; every check gives `score`. When there was a check.
fn still(play: &mut Play, scene: &Scene, seconds: std::ops::Range<u32>, score: f32) -> Vec<u32> {
    seconds
        .filter(|second| {
            let second = f64::from(*second);
            play.shown(second, second, Motion::Still);
            let checked = play.watcher.is_waiting();
            if checked {
                scene.script.send(Some(score)).unwrap();
                play.reply(second);
            }
            checked
        })
        .collect()
}

#[test]
fn of_a_still_picture_there_is_a_check_at_first_and_then_by_recheck() {
    let scene = model("a");
    let mut play = Play::new(vec![plain(gated(&scene, |_| ()), &scene)]);
    assert_eq!(still(&mut play, &scene, 0..70, 0.1), [0, 30, 60]);
    assert_eq!((passed_over(&play), counts(&play.watcher.machines()[0])), (67, [3, 0, 0, 0]));
    assert!(!play.watcher.demand(at(70.0)).awake);
    play.shown(70.0, 70.0, Motion::Moved);
    assert!(play.watcher.is_waiting(), "what moves is checked");
    scene.script.send(None).unwrap();
}

#[test]
fn who_stands_still_stays_and_who_left_is_cleared() {
    let scene = model("a");
    let mut play = Play::new(vec![plain(gated(&scene, |_| ()), &scene)]);
    assert_eq!(still(&mut play, &scene, 0..40, 0.9), [0, 30], "open, and still there");
    assert!(play.watcher.machines()[0].state().open_id().is_some());
    assert!(play.watcher.demand(at(40.0)).awake, "an event is open");
    play.shown(40.0, 40.0, Motion::Moved);
    scene.script.send(Some(0.1)).unwrap();
    play.reply(40.0);
    assert!(
        play.watcher.machines()[0].state().open_id().is_none(),
        "the no of 40 s ended it: the last yes is 10 s old"
    );
    assert_eq!(still(&mut play, &scene, 41..60, 0.1), [41], "the first picture without what moved");
    assert!(play.watcher.machines()[0].state().open_id().is_none());
    assert!(!play.watcher.demand(at(60.0)).awake);
}

#[test]
fn that_it_is_over_is_seen_more_than_once() {
    let scene = model("a");
    let mut play = Play::new(vec![plain(gated(&scene, |_| ()), &scene)]);
    assert_eq!(still(&mut play, &scene, 0..1, 0.9), [0]);
    play.shown(1.0, 1.0, Motion::Moved);
    scene.script.send(Some(0.1)).unwrap();
    play.reply(1.0);
    assert_eq!(still(&mut play, &scene, 2..20, 0.1), [2, 3, 4, 5], "until `clear_after`, although nothing moves");
    assert!(play.watcher.machines()[0].state().open_id().is_none());
}

#[test]
fn a_hold_is_filled_although_nothing_moves() {
    let scene = model("a");
    let hold = |spec: &mut Spec| spec.hold = Hold { needed: 2, of: 3 };
    let mut play = Play::new(vec![plain(gated(&scene, hold), &scene)]);
    play.shown(0.0, 0.0, Motion::Unknown);
    scene.script.send(Some(0.9)).unwrap();
    play.reply(0.0);
    assert!(play.watcher.demand(at(0.5)).awake, "one of two");
    assert_eq!(still(&mut play, &scene, 1..5, 0.9), [1]);
    assert!(play.watcher.machines()[0].state().open_id().is_some());
}

#[test]
fn a_repeat_comes_although_nothing_moves() {
    let scene = model("a");
    let change = |spec: &mut Spec| {
        (spec.hold, spec.repeat, spec.cooldown) = (Hold { needed: 2, of: 2 }, true, Duration::from_secs(20));
    };
    let mut play = Play::new(vec![plain(gated(&scene, change), &scene)]);
    assert_eq!(still(&mut play, &scene, 0..40, 0.9), [0, 1, 31, 32], "the hold has to be filled anew");
    assert_eq!(play.watcher.machines()[0].state().job().unwrap().counters().triggers_fired, 2);
}

#[test]
fn a_cooldown_is_waited_out_awake() {
    let scene = model("a");
    let cooldown = |spec: &mut Spec| spec.cooldown = Duration::from_secs(20);
    let mut play = Play::new(vec![plain(gated(&scene, cooldown), &scene)]);
    assert_eq!(still(&mut play, &scene, 0..1, 0.9), [0]);
    play.shown(1.0, 1.0, Motion::Moved);
    scene.script.send(Some(0.1)).unwrap();
    play.reply(1.0);
    still(&mut play, &scene, 2..7, 0.1);
    // Back again before the cooldown is over, and stays.
    play.shown(7.0, 7.0, Motion::Moved);
    scene.script.send(Some(0.9)).unwrap();
    play.reply(7.0);
    assert!(matches!(play.watcher.machines()[0].state().phase(), Phase::Waiting { .. }));
    assert_eq!(still(&mut play, &scene, 8..30, 0.9), (8..=20).collect::<Vec<_>>());
    assert_eq!(play.watcher.machines()[0].state().job().unwrap().counters().triggers_fired, 2);
}

#[test]
fn the_demand_is_that_of_the_strictest() {
    let scene = model("a");
    let quick = |spec: &mut Spec| spec.check_interval = Duration::from_millis(200);
    let mut play = Play::new(vec![plain(machine("n", &scene), &scene), plain(gated(&scene, quick), &scene)]);
    let demand = play.watcher.demand(at(0.0));
    assert_eq!((demand.every, demand.burst, demand.awake), (Duration::from_millis(200), 16, false));
    play.watcher.stop(&mut play.notes, at(1.0), JobReason::UserRequested);
    assert_eq!(play.watcher.demand(at(1.0)), Demand::NOTHING);
}
