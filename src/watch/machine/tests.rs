//! A machine and a ledger that sometimes refuses.

use std::time::Duration;

use super::*;
use crate::condition::{Shutdown, Spec};
use crate::config::{Calibration, Hold};
use crate::event::{JobReason, Metadata, ModelIdentity, Priority};
use crate::frame::{Color, Matrix, PixelFormat};
use crate::journal;
use crate::judge::Worded;
use crate::name::Name;
use crate::time::Boot;
use crate::watch::kept::{Kept, take_up};

/// Keeps what it was given, unless it is full.
#[derive(Default)]
struct Book {
    full: bool,
    kept: Vec<&'static str>,
}

impl Ledger for Book {
    fn record(&mut self, happening: Happening<'_>) -> Result<(), Refused> {
        if self.full {
            return Err(journal::Error::Full("the disk is full".to_owned()).into());
        }
        self.kept.extend(happening.effects.iter().map(|effect| match effect {
            Effect::JobStarted { .. } => "job started",
            Effect::JobRunning { .. } => "job running",
            Effect::Triggered { .. } => "triggered",
            Effect::Cleared { .. } => "cleared",
            Effect::JobEnded { .. } => "job ended",
        }));
        Ok(())
    }
}

fn at(seconds: f64) -> Now {
    Now::in_clip(Duration::from_secs_f64(seconds))
}

fn machine() -> Machine {
    Machine::new(subject(), State::new())
}

fn subject() -> Subject {
    let name = |text| Name::new(text).unwrap();
    let seconds = Duration::from_secs;
    let spec = Spec {
        confidence_threshold: 0.8,
        clear_threshold: 0.6,
        hold: Hold { needed: 1, of: 1 },
        cooldown: seconds(1),
        repeat: false,
        clear_after: seconds(5),
        lost_after: seconds(30),
        check_interval: seconds(1),
        max_duration: None,
        stop_on_trigger: false,
        restart: true,
        first_frame_within: None,
    };
    let about = About {
        monitor: name("m"),
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
    let calibration = Calibration { temperature: 1.0, bias: 0.0 };
    let question = Question::Words(Worded { calibration, threshold: 0.8 });
    let model = ModelIdentity { name: name("x"), sha256: String::new() };
    let asked = Some(Asked::Text { tokens: [1, 2].into(), explain: None });
    Subject {
        about,
        spec,
        question,
        asked,
        model,
        source_url: String::new(),
        label: String::new(),
        recheck: None,
        clip: None,
        enabled: true,
    }
}

fn check(machine: &mut Machine, book: &mut Book, seconds: f64, confidence: f32) {
    let frame = Frame {
        width: 0,
        height: 0,
        format: PixelFormat::Rgb,
        color: Color { matrix: Matrix::Bt601, full_range: true },
        planes: Vec::new(),
        arrived: at(seconds),
        pts: Duration::ZERO,
        connection: 1,
        motion: Default::default(),
    };
    let verdict = Verdict {
        confidence,
        answer: if confidence >= 0.8 { Answer::Yes } else { Answer::No },
        explanation: String::new(),
        regions: Vec::new(),
        z: None,
        answer_mass: None,
    };
    machine.check(book, at(seconds), &frame, verdict);
}

/// With an open event at 1 s.
fn open() -> (Machine, Book) {
    let (mut machine, mut book) = (machine(), Book::default());
    machine.tell(&mut book, at(0.0), Input::Start);
    check(&mut machine, &mut book, 1.0, 0.9);
    assert_eq!(std::mem::take(&mut book.kept), ["job started", "job running", "triggered"]);
    (machine, book)
}

#[test]
fn an_alert_that_was_refused_is_made_by_the_next_check_and_only_once() {
    let (mut machine, mut book) = (machine(), Book::default());
    machine.tell(&mut book, at(0.0), Input::Start);
    book.full = true;
    check(&mut machine, &mut book, 1.0, 0.9);
    assert!(machine.state().open_id().is_none(), "it has not happened");
    book.full = false;
    check(&mut machine, &mut book, 2.0, 0.9);
    check(&mut machine, &mut book, 3.0, 0.9);
    assert_eq!(book.kept, ["job started", "job running", "triggered"]);
}

#[test]
fn a_camera_that_came_back_while_nothing_could_be_recorded_is_back() {
    let (mut machine, mut book) = open();
    machine.tell(&mut book, at(2.0), Input::CameraLost);
    book.full = true;
    machine.tell(&mut book, at(40.0), Input::Tick);
    machine.tell(&mut book, at(41.0), Input::CameraBack);
    book.full = false;
    // The loss itself was long enough to end the event; from then on the camera is there, and alerts stay open.
    check(&mut machine, &mut book, 42.0, 0.9);
    for second in 43..90 {
        check(&mut machine, &mut book, f64::from(second), 0.9);
    }
    assert_eq!(book.kept, ["cleared", "triggered"]);
}

#[test]
fn a_stop_that_was_refused_is_tried_again() {
    let (mut machine, mut book) = open();
    book.full = true;
    machine.tell(&mut book, at(2.0), Input::Stop(JobReason::StreamEnded));
    assert!(machine.state().is_active());
    book.full = false;
    machine.tell(&mut book, at(3.0), Input::Tick);
    assert_eq!(book.kept, ["cleared", "job ended"]);
    assert!(!machine.state().is_active());
}

fn restart(seconds: f64) -> Restart {
    Restart { now: at(seconds), boot: Boot::current(), last: Shutdown::Clean, replays: false }
}

fn waits(machine: &Machine) -> bool {
    machine.shown().lock().unwrap().waits
}

#[test]
fn a_job_that_finds_no_room_begins_once_there_is_some() {
    let mut book = Book { full: true, ..Book::default() };
    let mut machine = take_up(&mut book, None, subject(), restart(0.0), false).unwrap();
    assert_eq!((waits(&machine), machine.due()), (true, None), "it is there, and waits");
    machine.tell(&mut book, at(6.0), Input::Tick);
    assert!(waits(&machine));
    book.full = false;
    machine.tell(&mut book, at(7.0), Input::Tick);
    assert_eq!((waits(&machine), book.kept.len()), (true, 0), "it was refused only just now");
    machine.tell(&mut book, at(12.0), Input::Tick);
    assert_eq!((waits(&machine), machine.due().is_some()), (false, true));
    assert_eq!(book.kept, ["job started"]);
}

#[test]
fn where_there_is_no_room_the_old_machine_says_good_bye_later_and_keeps_its_row_until_then() {
    let (old, mut book) = open();
    let row = Kept::row(&old.subject().about, old.state(), at(2.0), Boot::current()).unwrap();
    let mut other = subject();
    other.about.definition = "another".to_owned();
    book.full = true;
    let mut machine = take_up(&mut book, Some(Kept::read(&row).unwrap()), other, restart(3.0), false).unwrap();
    assert_eq!((waits(&machine), machine.is_alone()), (true, false), "its row is not to be overwritten");
    book.full = false;
    machine.tell(&mut book, at(9.0), Input::Tick);
    assert_eq!((waits(&machine), machine.is_alone()), (false, true));
    assert_eq!(book.kept, ["cleared", "job ended", "job started"]);
}

#[test]
fn what_is_refused_for_another_reason_is_no_machine() {
    struct Broken;
    impl Ledger for Broken {
        fn record(&mut self, _: Happening<'_>) -> Result<(), Refused> {
            Err(journal::Error::Closed.into())
        }
    }
    assert!(take_up(&mut Broken, None, subject(), restart(0.0), false).is_err());
}

#[test]
fn the_rhythm_is_kept_where_frames_come_early_or_late_and_starts_anew_after_a_gap() {
    let mut machine = machine();
    let mut book = Book::default();
    assert_eq!(machine.due(), None, "no job, no checks");
    machine.tell(&mut book, at(0.0), Input::Start);
    let mut checked = Vec::new();
    for arrived in [10.0, 10.5, 10.9, 11.1, 12.0, 12.9, 20.0, 20.6, 21.0] {
        if machine.due().is_some_and(|due| at(arrived).mono >= due) {
            machine.scheduled(at(arrived).mono);
            checked.push(arrived);
        }
    }
    assert_eq!(checked, [10.0, 10.9, 12.0, 12.9, 20.0, 21.0]);
}

fn explains(machine: &Machine, seconds: f64) -> Option<Explain> {
    match machine.asks(at(seconds), at(seconds)) {
        Some(Asked::Text { explain, .. }) => explain,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_explanation_is_asked_for_only_where_an_event_would_follow() {
    let (mut machine, mut book) = (machine(), Book::default());
    assert_eq!(explains(&machine, 0.0), None, "no job runs");
    machine.tell(&mut book, at(0.0), Input::Start);
    let Some(Explain::AtLeast(least)) = explains(&machine, 1.0) else { panic!("a yes would open it") };
    assert!((least - 4.0_f32.ln()).abs() < 1e-4, "the logit of 0.8, not {least}");
    check(&mut machine, &mut book, 1.0, 0.9);
    assert_eq!(explains(&machine, 2.0), None, "it is open, and a no comes too early to end it");
    let Some(Explain::Below(limit)) = explains(&machine, 6.5) else { panic!("a no would end it") };
    assert!((limit - 1.5_f32.ln()).abs() < 1e-4, "the logit of 0.6, not {limit}");
}
