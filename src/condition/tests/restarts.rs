//! Storing and loading: what goes on exactly, what starts anew, and what is refused.

use super::*;

const NEXT_BOOT: Boot = Boot(Uuid::from_u128(0xb008));

impl Rig {
    /// Saved at the last input, loaded when the clock shows `now`.
    fn restart(&mut self, now: Now, boot: Boot, last: Shutdown) {
        let text = self.state.save(self.now, BOOT).to_json().unwrap();
        self.state = Saved::from_json(&text).unwrap().load(now, boot, last);
        self.now = now;
    }
}

#[test]
fn an_open_event_its_cooldown_and_its_job_survive_a_kill() {
    let mut rig = Rig::open(spec());
    let (job, open_id) = (rig.state.job().unwrap().id(), rig.state.open_id());
    rig.restart(at(20.0), BOOT, Shutdown::Unclean);
    assert_eq!((rig.state.job().unwrap().id(), rig.state.open_id()), (job, open_id));
    assert_eq!(rig.state.cooldown_left(at(20.0)), secs(40.0));
    assert_eq!(rig.scores(20.1, 60.0, 0.9), [(60.0, "triggered 1".to_owned())]);
}

#[test]
fn after_a_kill_the_window_is_empty_and_nothing_waits() {
    let mut rig = Rig::running(Spec { hold: Hold { needed: 2, of: 2 }, ..spec() });
    rig.score(1.0, 0.9);
    rig.restart(at(1.5), BOOT, Shutdown::Unclean);
    assert_eq!(kinds(&rig.score(2.0, 0.9)), NOTHING);
    assert_eq!(kinds(&rig.score(3.0, 0.9)), ["triggered 0"]);

    let mut rig = Rig::waiting(spec());
    rig.restart(at(10.5), BOOT, Shutdown::Unclean);
    assert_eq!(rig.state.phase(), &Phase::Idle);
}

#[test]
fn after_a_clean_end_the_window_goes_on_within_the_boot() {
    let after = |boot| {
        let mut rig = Rig::running(Spec { hold: Hold { needed: 2, of: 2 }, ..spec() });
        rig.score(1.0, 0.9);
        rig.restart(at(1.5), boot, Shutdown::Clean);
        kinds(&rig.score(2.0, 0.9))
    };
    assert_eq!(after(BOOT), ["triggered 0"]);
    assert_eq!(after(NEXT_BOOT), NOTHING);
}

#[test]
fn after_a_kill_an_open_event_needs_a_whole_clear_after() {
    let mut rig = Rig::open(spec());
    rig.score(4.0, 0.1);
    rig.restart(at(20.0), BOOT, Shutdown::Unclean);
    assert_eq!(kinds(&rig.put(20.1, Input::Skipped(SkipReason::NothingMoved))), NOTHING);
    assert_eq!(rig.scores(20.2, 26.0, 0.1), [(25.0, "cleared cleared".to_owned())]);

    let mut rig = Rig::open(spec());
    rig.score(4.0, 0.1);
    rig.restart(at(20.0), BOOT, Shutdown::Clean);
    assert_eq!(kinds(&rig.put(20.1, Input::Skipped(SkipReason::NothingMoved))), ["cleared cleared"]);
}

#[test]
fn a_lost_camera_stays_lost_over_a_restart() {
    let mut rig = Rig::open(spec());
    rig.put(1.0, Input::CameraLost);
    rig.restart(at(5.0), BOOT, Shutdown::Unclean);
    assert_eq!(kinds(&rig.put(30.9, Input::Tick)), NOTHING);
    assert_eq!(kinds(&rig.put(31.0, Input::Tick)), ["cleared camera_lost"]);
}

#[test]
fn run_time_goes_on_while_the_daemon_is_down_but_not_without_power() {
    let limited = || Rig::running(Spec { max_duration: Some(secs(600.0)), ..spec() });
    let mut rig = limited();
    rig.put(100.0, Input::Tick);
    rig.restart(at(300.0), BOOT, Shutdown::Unclean);
    assert_eq!(kinds(&rig.put(599.9, Input::Tick)), NOTHING);
    assert_eq!(kinds(&rig.put(600.0, Input::Tick)), ["ended max_duration_reached", "started"]);

    let mut rig = limited();
    rig.put(100.0, Input::Tick);
    // Powered off for a year; the monotonic clock begins anew.
    let booted = |second| Now { mono: at(second).mono, wall: wall(31_536_000.0 + second), synced: true };
    rig.restart(booted(5.0), NEXT_BOOT, Shutdown::Unclean);
    assert_eq!(kinds(&rig.put_at(booted(504.9), Input::Tick)), NOTHING);
    assert_eq!(rig.counters().elapsed_ms, 599_900);
    assert_eq!(kinds(&rig.put_at(booted(505.0), Input::Tick)), ["ended max_duration_reached", "started"]);
}

#[test]
fn after_a_reboot_with_a_wrong_clock_a_cooldown_waits_for_its_delay_at_most() {
    let mut rig = Rig::open(spec());
    let booted = |second| Now { mono: at(second).mono, wall: Wall(0), synced: false };
    rig.restart(booted(1.0), NEXT_BOOT, Shutdown::Unclean);
    let score = |now| Input::Score { confidence: 0.9, seen: now };
    assert_eq!(kinds(&rig.put_at(booted(60.9), score(booted(60.9)))), NOTHING);
    assert_eq!(kinds(&rig.put_at(booted(61.0), score(booted(61.0)))), ["triggered 1"]);
}

#[test]
fn an_ended_job_stays_ended() {
    let mut rig = Rig::open(spec());
    rig.put(1.0, Input::Stop(JobReason::UserRequested));
    rig.restart(at(2.0), BOOT, Shutdown::Clean);
    assert_eq!(kinds(&rig.score(100.0, 0.9)), NOTHING);
    assert_eq!(rig.state.job().unwrap().ended(), Some(JobReason::UserRequested));
}

#[test]
fn a_monitor_that_left_the_file_can_be_stopped_without_settings() {
    let rig = Rig::open(spec());
    let (state, effects) = stop(&rig.state, at(1.0), JobReason::DefinitionChanged);
    assert_eq!(kinds(&effects), ["cleared job_stopped", "ended definition_changed"]);
    assert!(!state.is_active());
}

#[test]
fn what_can_not_be_read_says_what_to_do() {
    let newer = Saved::from_json(r#"{"version": 2, "anything": []}"#).unwrap_err();
    assert_eq!(
        newer.to_string(),
        "the stored state of a monitor has version 2, this program knows 1; install the version that wrote it"
    );
    let damaged = Saved::from_json("{").unwrap_err();
    assert_eq!(
        damaged.to_string(),
        "the stored state of a monitor is damaged (EOF while parsing an object at line 1 column 1); the daemon \
         leaves it behind, and the monitor begins afresh"
    );
}

/// A box in the field was updated: what version 1 wrote must still be read.
#[test]
fn what_version_1_wrote_is_read() {
    let text = r#"{"version":1,"boot":"00000000-0000-0000-0000-00000000b007","phase":{"open":{"id":"00000000-0000-0000-0000-000000000003","repeat":0,"started":1000000000,"alerted":1000000000,"peak":0.9,"over":{"boot":"00000000-0000-0000-0000-00000000b007","mono":5000000000,"wall":1000005000,"delay_ms":5000}}},"positive_side":true,"window":[{"at":0,"wall":1000000000,"positive":true}],"cooldown":{"boot":"00000000-0000-0000-0000-00000000b007","mono":60000000000,"wall":1000060000,"delay_ms":60000},"lost":null,"job":{"id":"00000010-0000-0000-0000-000000000001","life":{"running":{"counted_to":0}},"ran_ns":0,"counters":{"checks_performed":1,"triggers_fired":1,"frames_skipped":{"rate":1},"verdict_errors":0,"elapsed_ms":0}}}"#;
    let rig = Rig::open(spec());
    assert_eq!(rig.state.save(rig.now, BOOT).to_json().unwrap(), text);
    assert_eq!(Saved::from_json(text).unwrap().load(rig.now, BOOT, Shutdown::Clean), rig.state);
}
