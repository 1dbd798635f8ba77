//! The table of jobs, one test or more for each row, and their counters.

use super::*;
use crate::config::{Calibration, Located, Monitor, OnlyWhen};
use crate::event::{JobStatus, Priority};

fn status(rig: &Rig) -> JobStatus {
    rig.state.job().unwrap().status()
}

#[test]
fn the_duration_limit_counts_from_the_first_frame_and_a_new_job_follows() {
    let mut rig = Rig::new(Spec { max_duration: Some(secs(600.0)), ..spec() });
    assert_eq!(kinds(&rig.put(1000.0, Input::Tick)), NOTHING);
    assert_eq!(status(&rig), JobStatus::Pending);
    assert_eq!(kinds(&rig.score(1000.0, 0.9)), ["running", "triggered 0"]);
    let old = rig.state.job().unwrap().id();
    assert_eq!(kinds(&rig.put(1599.9, Input::Tick)), NOTHING);
    assert_eq!(status(&rig), JobStatus::Running);
    let effects = rig.put(1600.0, Input::Tick);
    assert_eq!(kinds(&effects), ["cleared job_stopped", "ended max_duration_reached", "started"]);
    let new = rig.state.job().unwrap();
    assert_ne!(new.id(), old);
    assert_eq!(new.counters(), &Counters::default());
    assert!(matches!(&effects[1], Effect::JobEnded { job, counters, .. }
        if *job == old && counters.elapsed_ms == 600_000 && counters.triggers_fired == 1));
}

#[test]
fn after_the_duration_limit_a_job_without_restart_stays_ended() {
    let mut rig = Rig::running(Spec { max_duration: Some(secs(600.0)), restart: false, ..spec() });
    assert_eq!(kinds(&rig.score(600.0, 0.9)), ["ended max_duration_reached"]);
    assert_eq!(kinds(&rig.score(601.0, 0.9)), NOTHING);
    assert_eq!(rig.state.job().unwrap().ended(), Some(JobReason::MaxDurationReached));
    assert_eq!(kinds(&rig.put(700.0, Input::Start)), ["started"]);
}

#[test]
fn an_input_at_the_duration_limit_meets_the_new_job() {
    let mut rig = Rig::running(Spec { max_duration: Some(secs(600.0)), ..spec() });
    let told = kinds(&rig.score(600.0, 0.9));
    assert_eq!(told, ["ended max_duration_reached", "started", "running", "triggered 0"]);
    assert_eq!(rig.counters().checks_performed, 1);
}

#[test]
fn a_stop_wins_over_a_limit_reached_in_the_same_moment() {
    let mut rig = Rig::running(Spec { max_duration: Some(secs(600.0)), ..spec() });
    assert_eq!(kinds(&rig.put(600.0, Input::Stop(JobReason::UserRequested))), ["ended user_requested"]);
    assert!(!rig.state.is_active());
}

#[test]
fn stop_on_trigger_completes_the_job_whatever_restart_says() {
    let mut rig = Rig::running(Spec { stop_on_trigger: true, restart: true, ..spec() });
    let effects = rig.score(1.0, 0.9);
    assert_eq!(kinds(&effects), ["triggered 0", "cleared job_stopped", "ended condition_triggered"]);
    assert!(matches!(&effects[2], Effect::JobEnded { counters, .. } if counters.triggers_fired == 1));
    assert_eq!(status(&rig), JobStatus::Completed);
    assert_eq!(rig.scores(1.1, 100.0, 0.9), []);
    assert_eq!(kinds(&rig.put(101.0, Input::Start)), ["started"]);
    let told = kinds(&rig.score(102.0, 0.9));
    assert_eq!(told, ["running", "triggered 0", "cleared job_stopped", "ended condition_triggered"]);
}

#[test]
fn reasons_given_from_outside() {
    for (reason, ended) in [
        (JobReason::UserRequested, JobStatus::Stopped),
        (JobReason::StreamEnded, JobStatus::Completed),
        (JobReason::DefinitionChanged, JobStatus::Stopped),
    ] {
        let mut rig = Rig::running(spec());
        assert_eq!(kinds(&rig.put(1.0, Input::Stop(reason))), [format!("ended {}", reason.as_str())]);
        assert_eq!(status(&rig), ended);
        assert_eq!(kinds(&rig.put(2.0, Input::Stop(reason))), NOTHING, "it ended only once");
    }
}

#[test]
fn an_api_job_fails_without_a_frame_in_five_minutes() {
    let mut rig = Rig::new(spec().for_api_job());
    assert_eq!(kinds(&rig.put(299.9, Input::Tick)), NOTHING);
    assert_eq!(kinds(&rig.put(300.0, Input::Tick)), ["ended stream_error"]);
    assert_eq!(status(&rig), JobStatus::Failed);
    assert_eq!(kinds(&rig.put(301.0, Input::Tick)), NOTHING);
}

#[test]
fn an_api_job_that_had_a_frame_waits_for_ever_and_does_not_start_again() {
    let mut rig = Rig::running(spec().for_api_job());
    rig.put(1.0, Input::CameraLost);
    assert_eq!(kinds(&rig.put(100_000.0, Input::Tick)), NOTHING);
    rig.spec.max_duration = Some(secs(100_001.0));
    assert_eq!(kinds(&rig.put(100_001.0, Input::Tick)), ["ended max_duration_reached"]);
}

#[test]
fn a_configured_camera_may_stay_away_for_ever() {
    let mut rig = Rig::new(spec());
    rig.put(1.0, Input::CameraLost);
    assert_eq!(kinds(&rig.put(1_000_000.0, Input::Tick)), NOTHING);
    assert_eq!(status(&rig), JobStatus::Pending);
}

#[test]
fn starting_a_running_job_does_nothing() {
    let mut rig = Rig::open(spec());
    let before = rig.state.clone();
    assert_eq!(kinds(&rig.put(0.0, Input::Start)), NOTHING);
    assert_eq!(rig.state, before);
}

#[test]
fn counters_count() {
    let mut rig = Rig::new(Spec { cooldown: secs(0.0), ..spec() });
    rig.put(1.0, Input::Tick);
    rig.score(2.0, 0.9);
    rig.score(3.0, 0.9);
    rig.score(4.0, 0.1);
    rig.score(5.0, f32::NAN);
    rig.put(6.0, Input::Abstain);
    for reason in [SkipReason::Rate, SkipReason::NothingMoved, SkipReason::Rate, SkipReason::Load] {
        rig.put(7.0, Input::Skipped(reason));
    }
    rig.put(7.0, Input::Passed(5));
    let skipped = [(SkipReason::NothingMoved, 1), (SkipReason::Rate, 7), (SkipReason::Load, 1)];
    let expected = Counters {
        checks_performed: 5,
        triggers_fired: 2,
        frames_skipped: skipped.into(),
        verdict_errors: 2,
        elapsed_ms: 5000,
    };
    assert_eq!(rig.counters(), expected);
}

fn monitor() -> Monitor {
    let name = |text| crate::name::Name::new(text).unwrap();
    let located = |value: &str| Located { value: value.to_owned(), at: 0..0 };
    Monitor {
        name: name("m"),
        cameras: vec![name("c")],
        condition: "Is anybody there?".to_owned(),
        prompts: Vec::new(),
        negatives: Vec::new(),
        model: Located { value: name("yolox"), at: 0..0 },
        labels: vec![located("person"), located("dog")],
        min_count: 1,
        zone: vec![[0.1, 0.2], [0.9, 0.2], [0.5, 0.9]],
        confidence_threshold: 0.8,
        clear_threshold: 0.6,
        hold: Hold { needed: 1, of: 1 },
        cooldown: secs(60.0),
        repeat: true,
        clear_after: secs(5.0),
        lost_after: secs(30.0),
        check_interval: secs(1.0),
        notice_within: secs(2.0),
        gate: crate::config::Gate::Off,
        recheck: std::time::Duration::from_secs(30),
        max_duration: None,
        stop_on_trigger: false,
        restart: true,
        expect_event_within: None,
        priority: Priority::Normal,
        label: String::new(),
        shadow: false,
        enabled: true,
        metadata: serde_json::Map::new(),
        endpoints: vec![],
        only_when: None,
        calibration: None::<Calibration>,
        clip: None,
    }
}

fn candidate(above: f32) -> OnlyWhen {
    let model = Located { value: crate::name::Name::new("cheap").unwrap(), at: 0..0 };
    OnlyWhen { model, labels: vec![Located { value: "person".to_owned(), at: 0..0 }], above }
}

#[test]
fn the_definition_is_what_the_condition_means() {
    type Edit = fn(&mut Monitor);
    let edited = |edit: Edit| {
        let mut monitor = monitor();
        edit(&mut monitor);
        definition(&monitor)
    };
    let same: [Edit; 4] =
        [|m| m.confidence_threshold = 0.5, |m| m.cooldown = secs(1.0), |m| m.labels.reverse(), |m| m.model.at = 3..4];
    let other: [Edit; 10] = [
        |m| m.condition.push('?'),
        |m| m.model.value = crate::name::Name::new("other").unwrap(),
        |m| m.labels[0].value.push('s'),
        |m| m.min_count = 2,
        |m| m.prompts.push("a dog".to_owned()),
        |m| m.negatives.push("a dog".to_owned()),
        |m| m.negatives.extend(["a dog".to_owned(), "a cat".to_owned()]),
        |m| m.zone[0][0] = 0.100_000_01,
        |m| m.only_when = Some(candidate(0.4)),
        |m| m.shadow = true,
    ];
    let with = |above| definition(&Monitor { only_when: Some(candidate(above)), ..monitor() });
    assert_ne!(with(0.4), with(0.5));
    let negatives = |all: [&str; 2]| {
        let negatives = all.map(str::to_owned).to_vec();
        definition(&Monitor { negatives, ..monitor() })
    };
    assert_eq!(negatives(["a dog", "a cat"]), negatives(["a cat", "a dog"]));
    assert_eq!(
        definition(&monitor()),
        "968adb12fa34b8f2128da40ad73c5d6a55afbad77059a16c707444feaabfa6f4",
        "what an earlier version wrote into the journal: a machine that goes on must find itself again"
    );
    assert!(same.into_iter().all(|edit| edited(edit) == definition(&monitor())));
    assert!(other.into_iter().all(|edit| edited(edit) != definition(&monitor())));
}

#[test]
fn a_monitor_in_the_file_gives_its_settings() {
    assert_eq!(Spec::of(&monitor()), spec());
}
