//! The table of the condition machine, one test or more for each row and each rule above it.

use super::*;

const STILL: Input = Input::Skipped(SkipReason::NothingMoved);

#[test]
fn idle_hold_reached_cooldown_over_opens() {
    let mut rig = Rig::running(Spec { hold: Hold { needed: 2, of: 3 }, ..spec() });
    assert_eq!(kinds(&rig.score(1.0, 0.8)), NOTHING);
    assert_eq!(kinds(&rig.score(2.0, 0.1)), NOTHING);
    let seen = at(3.0);
    let effects = rig.put(3.5, Input::Score { confidence: 0.95, seen });
    let job = rig.state.job().unwrap().id();
    let open_id = rig.state.open_id().unwrap();
    assert_eq!(
        effects,
        [Effect::Triggered { job, open_id, repeat: 0, confidence: 0.95, started: wall(1.0), observed: seen }]
    );
    assert_eq!(rig.state.cooldown_left(at(3.5)), secs(60.0), "the cooldown starts at that event");
    assert_eq!(rig.state.cooldown_until(at(3.5)), Some(wall(63.5)));
}

#[test]
fn the_threshold_itself_is_positive_and_the_clear_threshold_itself_is_not_negative() {
    let mut rig = Rig::running(spec());
    assert_eq!(kinds(&rig.score(1.0, 0.799)), NOTHING);
    assert_eq!(kinds(&rig.score(2.0, 0.8)), ["triggered 0"]);
    assert_eq!(kinds(&rig.score(8.0, 0.6)), NOTHING, "keeps the positive side");
    assert_eq!(kinds(&rig.score(14.0, 0.599)), ["cleared cleared"]);
}

#[test]
fn the_hold_window_has_the_last_n_checks_and_abstentions_are_not_positive() {
    let held = |inputs: &[Option<f32>]| {
        let mut rig = Rig::running(Spec { hold: Hold { needed: 2, of: 3 }, ..spec() });
        for (second, input) in inputs.iter().enumerate() {
            let seen = at(second as f64);
            rig.put_at(seen, input.map_or(Input::Abstain, |confidence| Input::Score { confidence, seen }));
        }
        rig.state.open_id().is_some()
    };
    let (yes, no, between, abstain) = (Some(0.9), Some(0.1), Some(0.7), None);
    assert!(held(&[yes, yes]));
    assert!(held(&[yes, no, yes]));
    assert!(held(&[yes, abstain, yes]));
    assert!(!held(&[yes, no, no, yes]));
    assert!(!held(&[yes, abstain, abstain, yes]));
    assert!(!held(&[yes, between, between, yes]), "between the thresholds counts as not positive");
    assert!(!held(&[yes, Some(f32::NAN), Some(f32::INFINITY), yes]));
}

#[test]
fn skips_and_ticks_do_not_enter_the_window() {
    let mut rig = Rig::running(Spec { hold: Hold { needed: 2, of: 2 }, ..spec() });
    rig.score(1.0, 0.9);
    for input in [STILL, Input::Skipped(SkipReason::Load), Input::Skipped(SkipReason::Rate), Input::Tick] {
        assert_eq!(kinds(&rig.put(2.0, input)), NOTHING);
    }
    assert_eq!(kinds(&rig.score(3.0, 0.9)), ["triggered 0"]);
}

#[test]
fn the_window_ages_out_after_ten_seconds_or_ten_intervals() {
    for (interval, memory) in [(0.1, 10.0), (1.0, 10.0), (3.0, 30.0)] {
        let spec = || Spec { hold: Hold { needed: 2, of: 5 }, check_interval: secs(interval), ..spec() };
        let mut rig = Rig::running(spec());
        rig.score(1.0, 0.9);
        assert_eq!(kinds(&rig.score(1.0 + memory, 0.9)), ["triggered 0"]);
        let mut rig = Rig::running(spec());
        rig.score(1.0, 0.9);
        assert_eq!(kinds(&rig.score(1.001 + memory, 0.9)), NOTHING);
    }
}

#[test]
fn idle_hold_reached_cooldown_running_waits() {
    let rig = Rig::waiting(spec());
    assert!(matches!(rig.state.phase(), Phase::Waiting { first, .. } if *first == wall(10.0)));
}

#[test]
fn waiting_cooldown_ends_and_the_hold_still_holds_opens() {
    let mut rig = Rig::waiting(spec());
    let mut told = rig.scores(10.1, 60.5, 0.9);
    assert_eq!(told.len(), 1);
    assert_eq!(told.remove(0), (60.0, "triggered 0".to_owned()));
    let Phase::Open(open) = rig.state.phase() else { panic!() };
    assert_eq!(open.started, wall(10.0), "waiting remembers the first positive");
}

#[test]
fn an_alert_is_carried_by_a_positive_check_whose_frame_came_after_the_cooldown() {
    let mut rig = Rig::waiting(spec());
    rig.scores(10.1, 59.5, 0.9);
    assert_eq!(kinds(&rig.put(60.5, Input::Tick)), NOTHING);
    assert_eq!(kinds(&rig.put(60.6, Input::Score { confidence: 0.9, seen: at(59.9) })), NOTHING);
    assert_eq!(kinds(&rig.score(60.7, 0.7)), NOTHING);
    assert_eq!(kinds(&rig.score(60.8, 0.9)), ["triggered 0"]);
}

#[test]
fn a_negative_check_alerts_of_nothing_though_the_window_holds() {
    let mut rig = Rig::open(Spec { hold: Hold { needed: 1, of: 2 }, cooldown: secs(5.0), ..spec() });
    rig.score(4.9, 0.9);
    assert_eq!(kinds(&rig.score(5.0, 0.1)), NOTHING);
    assert_eq!(kinds(&rig.score(5.1, 0.9)), ["triggered 1"]);
}

#[test]
fn waiting_clear_after_passed_without_a_positive_goes_idle_silently() {
    let mut rig = Rig::waiting(spec());
    for (second, input) in [(12.0, Input::Tick), (14.9, Input::Tick)] {
        assert_eq!(kinds(&rig.put(second, input)), NOTHING);
        assert!(matches!(rig.state.phase(), Phase::Waiting { .. }));
    }
    assert_eq!(kinds(&rig.put(15.0, Input::Tick)), NOTHING);
    assert_eq!(rig.state.phase(), &Phase::Idle);
    assert_eq!(kinds(&rig.put(61.0, Input::Tick)), NOTHING);
}

#[test]
fn a_positive_check_keeps_waiting() {
    let mut rig = Rig::waiting(spec());
    rig.score(14.0, 0.9);
    rig.put(18.9, Input::Tick);
    assert!(matches!(rig.state.phase(), Phase::Waiting { first, .. } if *first == wall(10.0)));
    rig.put(19.0, STILL);
    assert_eq!(rig.state.phase(), &Phase::Idle);
}

#[test]
fn open_cooldown_over_hold_holds_repeats_with_the_same_open_id() {
    let mut rig = Rig::open(Spec { cooldown: secs(5.0), ..spec() });
    let open_id = rig.state.open_id();
    let told = rig.scores(0.1, 20.0, 0.9);
    let expected = [(5.0, "triggered 1"), (10.0, "triggered 2"), (15.0, "triggered 3"), (20.0, "triggered 4")];
    assert_eq!(told, expected.map(|(second, kind)| (second, kind.to_owned())));
    assert_eq!(rig.state.open_id(), open_id);
    let Effect::Triggered { started, repeat: 5, .. } = rig.score(25.0, 0.9)[0] else { panic!() };
    assert_eq!(started, wall(0.0));
}

#[test]
fn without_repeat_an_open_event_alerts_once() {
    let mut rig = Rig::open(Spec { cooldown: secs(1.0), repeat: false, ..spec() });
    assert_eq!(rig.scores(0.1, 20.0, 0.9), []);
    assert_eq!(rig.scores(20.1, 26.0, 0.1), [(25.0, "cleared cleared".to_owned())]);
}

#[test]
fn open_negative_checks_for_clear_after_clear() {
    let mut rig = Rig::open(spec());
    rig.score(2.0, 0.97);
    assert_eq!(kinds(&rig.score(3.0, 0.1)), NOTHING);
    assert_eq!(kinds(&rig.score(6.9, 0.1)), NOTHING);
    let (job, open_id) = (rig.state.job().unwrap().id(), rig.state.open_id().unwrap());
    let effects = rig.put(7.3, Input::Score { confidence: 0.1, seen: at(7.0) });
    let (started, ended, reason) = (wall(0.0), at(7.0), ClearReason::Cleared);
    assert_eq!(effects, [Effect::Cleared { job, open_id, started, ended, peak_confidence: 0.97, reason }]);
    assert_eq!(rig.state.phase(), &Phase::Idle);
}

#[test]
fn between_the_thresholds_the_side_is_kept() {
    let mut rig = Rig::open(spec());
    assert_eq!(rig.scores(0.1, 20.0, 0.7), [], "on the positive side it stays open");
    rig.score(20.1, 0.1);
    assert_eq!(rig.scores(20.2, 25.0, 0.7), [(25.0, "cleared cleared".to_owned())], "on the negative side it ends");
}

#[test]
fn open_a_still_picture_after_a_negative_clears() {
    let mut rig = Rig::open(spec());
    rig.score(1.0, 0.1);
    assert_eq!(kinds(&rig.put(4.9, STILL)), NOTHING);
    assert_eq!(kinds(&rig.put(5.0, STILL)), ["cleared cleared"]);
}

#[test]
fn open_a_still_picture_after_a_positive_stays_open() {
    let mut rig = Rig::open(spec());
    for second in 1..600 {
        assert_eq!(kinds(&rig.put(f64::from(second), STILL)), NOTHING);
    }
    rig.score(600.0, 0.7);
    assert_eq!(kinds(&rig.put(700.0, STILL)), NOTHING);
}

#[test]
fn open_without_evidence_stays_open() {
    let silences = [Input::Tick, Input::Abstain, Input::Skipped(SkipReason::Load), Input::Skipped(SkipReason::Rate)];
    for input in silences {
        let mut rig = Rig::open(spec());
        rig.score(1.0, 0.1);
        assert_eq!(kinds(&rig.put(100.0, input)), NOTHING, "{input:?}");
        assert_eq!(kinds(&rig.score(101.0, 0.1)), ["cleared cleared"], "one late negative is evidence enough");
    }
}

#[test]
fn positives_of_one_event_do_not_help_to_open_the_next() {
    let mut rig = Rig::running(Spec {
        hold: Hold { needed: 2, of: 10 },
        cooldown: secs(0.0),
        clear_after: secs(1.0),
        repeat: false,
        ..spec()
    });
    rig.score(1.0, 0.9);
    assert_eq!(kinds(&rig.score(1.1, 0.9)), ["triggered 0"]);
    assert_eq!(kinds(&rig.score(3.0, 0.1)), ["cleared cleared"]);
    assert_eq!(kinds(&rig.score(3.1, 0.9)), NOTHING);
    assert_eq!(kinds(&rig.score(3.2, 0.9)), ["triggered 0"]);
}

#[test]
fn open_a_lost_camera_is_given_lost_after() {
    let mut rig = Rig::open(spec());
    rig.put(1.0, Input::CameraLost);
    rig.put(20.0, Input::CameraLost);
    assert_eq!(kinds(&rig.put(30.9, Input::Tick)), NOTHING);
    let effects = rig.put(31.0, Input::Tick);
    assert_eq!(kinds(&effects), ["cleared camera_lost"]);
    assert!(matches!(effects[0], Effect::Cleared { ended, .. } if ended == at(31.0)));
}

#[test]
fn open_a_camera_that_comes_back_in_time_changes_nothing() {
    let mut rig = Rig::open(spec());
    rig.put(1.0, Input::CameraLost);
    rig.put(30.0, Input::CameraBack);
    assert_eq!(kinds(&rig.put(59.0, Input::Tick)), NOTHING);
    assert_eq!(kinds(&rig.score(59.5, 0.9)), NOTHING);
    assert_eq!(kinds(&rig.score(60.0, 0.9)), ["triggered 1"]);
}

#[test]
fn stop_in_every_phase() {
    let stop = Input::Stop(JobReason::UserRequested);
    assert_eq!(kinds(&Rig::new(spec()).put(1.0, stop)), ["ended user_requested"]);
    assert_eq!(kinds(&Rig::running(spec()).put(1.0, stop)), ["ended user_requested"]);
    assert_eq!(kinds(&Rig::waiting(spec()).put(11.0, stop)), ["ended user_requested"]);
    assert_eq!(kinds(&Rig::open(spec()).put(1.0, stop)), ["cleared job_stopped", "ended user_requested"]);
}

#[test]
fn the_cooldown_outlives_the_job() {
    let mut rig = Rig::open(spec());
    rig.put(1.0, Input::Stop(JobReason::UserRequested));
    assert_eq!(kinds(&rig.put(2.0, Input::Start)), ["started"]);
    assert_eq!(kinds(&rig.score(3.0, 0.9)), ["running"]);
    assert_eq!(kinds(&rig.score(59.9, 0.9)), NOTHING);
    assert_eq!(kinds(&rig.score(60.0, 0.9)), ["triggered 0"]);
}

#[test]
fn a_changed_cooldown_takes_effect_from_the_next_event() {
    let mut rig = Rig::open(spec());
    rig.spec.cooldown = secs(5.0);
    let told = rig.scores(0.1, 65.0, 0.9);
    assert_eq!(told, [(60.0, "triggered 1".to_owned()), (65.0, "triggered 2".to_owned())]);
    rig.spec.cooldown = secs(50.0);
    assert_eq!(rig.scores(65.1, 71.0, 0.9), [(70.0, "triggered 3".to_owned())]);
}

#[test]
fn a_frame_from_the_future_counts_as_seen_now() {
    let mut rig = Rig::open(Spec { repeat: true, cooldown: secs(5.0), ..spec() });
    assert_eq!(kinds(&rig.put(4.0, Input::Score { confidence: 0.9, seen: at(9.0) })), NOTHING);
}

#[test]
fn a_clock_that_went_backwards_costs_one_delay_at_most() {
    let mut rig = Rig::new(spec().for_api_job());
    rig.put(5000.0, Input::Stop(JobReason::UserRequested));
    rig.put(5000.0, Input::Start);
    assert_eq!(kinds(&rig.put(10.0, Input::Tick)), NOTHING);
    assert_eq!(kinds(&rig.put(309.9, Input::Tick)), NOTHING);
    assert_eq!(kinds(&rig.put(310.0, Input::Tick)), ["ended stream_error"]);

    let mut rig = Rig::running(spec());
    rig.score(5000.0, 0.9);
    rig.put(5000.0, Input::CameraLost);
    assert!(rig.state.open_id().is_some());
    rig.put(10.0, Input::Tick);
    assert_eq!(kinds(&rig.put(39.9, Input::Tick)), NOTHING);
    assert_eq!(kinds(&rig.put(40.0, Input::Tick)), ["cleared camera_lost"]);
    rig.put(40.0, Input::CameraBack);
    assert_eq!(rig.scores(40.1, 75.0, 0.9), [(70.0, "triggered 0".to_owned())]);
}
