//! Properties that hold for every history: settings, inputs and clocks are drawn at random.

use proptest::prelude::*;

use super::*;

/// One input, and how the clocks moved before it.
#[derive(Clone, Debug)]
struct Move {
    /// Milliseconds; negative only where a property asks for a clock that goes backwards.
    mono_ms: i64,
    wall_ms: i64,
    /// How long the model took, for scores.
    latency_ms: u64,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Score(f32),
    Other(Input),
}

fn anything() -> impl Strategy<Value = What> {
    let skip = prop_oneof![Just(SkipReason::NothingMoved), Just(SkipReason::Rate), Just(SkipReason::Load)];
    let score = prop_oneof![4 => 0.8..1.0_f32, 2 => 0.6..0.8_f32, 3 => 0.0..0.6_f32, 1 => Just(f32::NAN)];
    let reason = prop_oneof![Just(JobReason::UserRequested), Just(JobReason::StreamEnded)];
    prop_oneof![
        20 => score.prop_map(What::Score),
        2 => Just(What::Other(Input::Abstain)),
        4 => skip.prop_map(|reason| What::Other(Input::Skipped(reason))),
        3 => Just(What::Other(Input::Tick)),
        1 => Just(What::Other(Input::CameraLost)),
        1 => Just(What::Other(Input::CameraBack)),
        2 => Just(What::Other(Input::Start)),
        1 => reason.prop_map(|reason| What::Other(Input::Stop(reason))),
    ]
}

/// Both clocks go forward together; the model takes up to 400 ms.
fn steady() -> impl Strategy<Value = Vec<Move>> {
    let one = (0..1500_i64, 0..400_u64, anything());
    let one = one.prop_map(|(ms, latency_ms, what)| Move { mono_ms: ms, wall_ms: ms, latency_ms, what });
    prop::collection::vec(one, 1..80)
}

/// Both clocks do what they like.
fn wild() -> impl Strategy<Value = Vec<Move>> {
    let mono = prop_oneof![6 => 0..1500_i64, 1 => -100_000..0_i64];
    let wall = prop_oneof![6 => 0..1500_i64, 1 => -1_000_000_000..1_000_000_000_i64];
    let one = (mono, wall, anything());
    let one = one.prop_map(|(mono_ms, wall_ms, what)| Move { mono_ms, wall_ms, latency_ms: 0, what });
    prop::collection::vec(one, 1..80)
}

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn specs() -> impl Strategy<Value = Spec> {
    let hold = (1..4_u32, 0..3_u32).prop_map(|(needed, more)| Hold { needed, of: needed + more });
    let times = (millis(0..6000_u64), millis(0..3000_u64), millis(0..4000_u64), millis(100..2000_u64));
    let jobs = (prop::option::of(millis(1000..20_000)), prop::bool::weighted(0.2), any::<bool>());
    let first = prop::option::of(millis(1000..5000));
    (hold, times, any::<bool>(), jobs, first).prop_map(|(hold, times, repeat, jobs, first_frame_within)| {
        let (cooldown, clear_after, lost_after, check_interval) = times;
        let (max_duration, stop_on_trigger, restart) = jobs;
        Spec {
            hold,
            cooldown,
            repeat,
            clear_after,
            lost_after,
            check_interval,
            max_duration,
            stop_on_trigger,
            restart,
            first_frame_within,
            ..spec()
        }
    })
}

/// Without jobs that end by themselves.
fn endless(spec: Spec) -> Spec {
    Spec { max_duration: None, stop_on_trigger: false, first_frame_within: None, ..spec }
}

/// What one step was about and what followed.
struct Happened {
    now: Now,
    what: What,
    seen: Now,
    was_active: bool,
    effects: Vec<Effect>,
}

impl Happened {
    /// The job ended by itself, before the input was looked at.
    fn reached_limit(&self) -> bool {
        let limits = [JobReason::MaxDurationReached, JobReason::StreamError];
        self.effects.iter().any(|effect| matches!(effect, Effect::JobEnded { reason, .. } if limits.contains(reason)))
    }
}

/// A machine with a job that has lived through `moves`, from an hour after the clocks' zero.
fn live(spec: &Spec, moves: &[Move]) -> (Rig, Vec<Happened>) {
    let mut rig = Rig { spec: spec.clone(), state: State::new(), now: at(3600.0), ids: 0 };
    let start = Move { mono_ms: 0, wall_ms: 0, latency_ms: 0, what: What::Other(Input::Start) };
    let happened = std::iter::once(&start).chain(moves).map(|it| advance(&mut rig, it)).collect();
    (rig, happened)
}

fn advance(rig: &mut Rig, it: &Move) -> Happened {
    let mono_ms = i64::try_from(rig.now.mono.0 / 1_000_000).unwrap() + it.mono_ms;
    let mono = Mono(u64::try_from(mono_ms).unwrap_or(0) * 1_000_000);
    let now = Now { mono, wall: Wall(rig.now.wall.0 + it.wall_ms), synced: true };
    let latency = Duration::from_millis(it.latency_ms);
    let seen = Now { mono: now.mono.minus(latency), wall: now.wall.minus(latency), synced: true };
    let input = match it.what {
        What::Score(confidence) => Input::Score { confidence, seen },
        What::Other(input) => input,
    };
    let was_active = rig.state.is_active();
    let effects = rig.put_at(now, input);
    Happened { now, what: it.what, seen, was_active, effects }
}

/// The clocks run on together, `what` every 100 ms for `how_long`.
fn run_on(rig: &mut Rig, what: What, how_long: Duration) -> Vec<Effect> {
    let steps = how_long.as_millis().div_ceil(100);
    let it = Move { mono_ms: 100, wall_ms: 100, latency_ms: 0, what };
    (0..steps).flat_map(|_| advance(rig, &it).effects).collect()
}

fn alerts_and_clears(happened: &[Happened]) -> Vec<String> {
    let all = happened.iter().flat_map(|it| kinds(&it.effects).into_iter().map(|kind| (it.now.mono.0, kind)));
    all.filter(|(_, kind)| kind.starts_with("triggered") || kind.starts_with("cleared"))
        .map(|(at, kind)| format!("{at} {kind}"))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn never_two_opens_without_a_clear_between(spec in specs(), moves in wild()) {
        let mut open: Option<(Uuid, u32)> = None;
        let mut opened = Vec::new();
        for effect in live(&spec, &moves).1.iter().flat_map(|it| &it.effects) {
            match *effect {
                Effect::Triggered { open_id, repeat: 0, .. } => {
                    prop_assert_eq!(open, None);
                    prop_assert!(!opened.contains(&open_id), "an id is used once");
                    opened.push(open_id);
                    open = Some((open_id, 0));
                }
                Effect::Triggered { open_id, repeat, .. } => {
                    prop_assert!(spec.repeat);
                    prop_assert_eq!(open, Some((open_id, repeat - 1)));
                    open = Some((open_id, repeat));
                }
                Effect::Cleared { open_id, .. } => {
                    prop_assert_eq!(open.map(|(id, _)| id), Some(open_id));
                    open = None;
                }
                Effect::JobEnded { .. } => prop_assert_eq!(open, None, "a job takes its open event with it"),
                Effect::JobStarted { .. } | Effect::JobRunning { .. } => {}
            }
        }
    }

    #[test]
    fn between_two_alerts_lies_the_cooldown_by_either_time(spec in specs(), moves in steady()) {
        let mut last: Option<(Now, Now)> = None;
        for it in live(&spec, &moves).1 {
            for effect in it.effects {
                let Effect::Triggered { observed, .. } = effect else { continue };
                if let Some((decided, seen)) = last {
                    prop_assert!(it.now.mono.since(decided.mono) >= spec.cooldown);
                    prop_assert!(observed.mono.since(seen.mono) >= spec.cooldown);
                }
                last = Some((it.now, observed));
            }
        }
    }

    #[test]
    fn an_alert_is_a_positive_check_that_the_hold_supports(spec in specs(), moves in steady()) {
        let mut checks: Vec<(Now, bool)> = Vec::new();
        for it in live(&spec, &moves).1 {
            match it.what {
                What::Score(p) if p >= spec.confidence_threshold => checks.push((it.seen, true)),
                What::Score(_) | What::Other(Input::Abstain) => checks.push((it.now, false)),
                What::Other(_) => {}
            }
            for effect in it.effects {
                let Effect::Triggered { confidence, observed, .. } = effect else { continue };
                prop_assert_eq!(it.what, What::Score(confidence));
                prop_assert!(confidence >= spec.confidence_threshold);
                prop_assert_eq!(observed, it.seen);
                let memory = (spec.check_interval * 10).max(secs(10.0));
                let last = checks.iter().rev().take(spec.hold.of as usize);
                let held = last.filter(|(seen, yes)| *yes && observed.mono.since(seen.mono) <= memory).count();
                prop_assert!(held >= spec.hold.needed as usize);
            }
        }
    }

    #[test]
    fn nothing_after_a_stop(spec in specs(), moves in wild()) {
        let mut job: Option<Uuid> = None;
        for it in live(&spec, &moves).1 {
            for effect in &it.effects {
                match *effect {
                    Effect::JobStarted { job: new } => {
                        prop_assert_eq!(job, None);
                        job = Some(new);
                    }
                    Effect::JobEnded { job: old, .. } => {
                        prop_assert_eq!(job, Some(old));
                        job = None;
                    }
                    Effect::JobRunning { job: its }
                    | Effect::Triggered { job: its, .. }
                    | Effect::Cleared { job: its, .. } => prop_assert_eq!(job, Some(its)),
                }
            }
            if let What::Other(Input::Stop(_)) = it.what {
                prop_assert_eq!(job, None, "a stop stops, also at a limit");
            }
        }
    }

    #[test]
    fn a_new_job_without_a_start_follows_only_the_duration_limit(spec in specs(), moves in steady()) {
        for it in live(&spec, &moves).1 {
            let kinds = kinds(&it.effects);
            let renewed = kinds.contains(&"started".to_owned()) && it.what != What::Other(Input::Start);
            let limit = kinds.contains(&"ended max_duration_reached".to_owned());
            prop_assert!(renewed == (limit && spec.restart) || it.what == What::Other(Input::Start));
        }
    }

    #[test]
    fn restarts_change_nothing(spec in specs(), moves in wild(), restarts in prop::collection::vec(any::<bool>(), 80)) {
        let (undisturbed, expected) = live(&spec, &moves);
        for always in [true, false] {
            let (mut rig, _) = live(&spec, &[]);
            for ((it, expected), restart) in moves.iter().zip(&expected[1..]).zip(&restarts) {
                if always || *restart {
                    let text = rig.state.save(rig.now, BOOT).to_json().unwrap();
                    rig.state = Saved::from_json(&text).unwrap().load(rig.now, BOOT, Shutdown::Clean);
                }
                prop_assert_eq!(&advance(&mut rig, it).effects, &expected.effects);
            }
            prop_assert_eq!(&rig.state, &undisturbed.state);
        }
    }

    #[test]
    fn a_kill_never_fires_early_and_loses_neither_event_nor_job(spec in specs(), moves in steady(), then in steady()) {
        let (mut rig, happened) = live(&spec, &moves);
        let before = rig.state.clone();
        rig.state = rig.state.save(rig.now, BOOT).load(rig.now, BOOT, Shutdown::Unclean);
        prop_assert_eq!(rig.state.open_id(), before.open_id());
        prop_assert_eq!(rig.state.job(), before.job());
        prop_assert_eq!(rig.state.cooldown_left(rig.now), before.cooldown_left(rig.now));
        let restarted = rig.now;
        let alerted = happened.iter().rev().find(|it| kinds(&it.effects).iter().any(|k| k.starts_with("triggered")));
        let alerted = alerted.map(|it| it.now.mono);
        let mut positives = 0;
        for it in &then {
            // No frame is older than the daemon that judges it.
            let it = advance(&mut rig, &Move { latency_ms: 0, ..it.clone() });
            positives += u32::from(matches!(it.what, What::Score(p) if p >= spec.confidence_threshold));
            let kinds = kinds(&it.effects);
            if kinds.iter().any(|kind| kind.starts_with("triggered")) {
                prop_assert!(positives >= spec.hold.needed, "the window was empty");
                prop_assert!(alerted.is_none_or(|alerted| it.now.mono.since(alerted) >= spec.cooldown));
                break;
            }
            if kinds.contains(&"cleared cleared".to_owned()) {
                prop_assert!(it.now.mono.since(restarted.mono) >= spec.clear_after);
            }
        }
    }

    #[test]
    fn clocks_that_jump_never_fire_early(spec in specs(), moves in wild()) {
        let (mut last, mut progress, mut alerted) = (at(3600.0), Duration::ZERO, None);
        for it in live(&spec, &moves).1 {
            progress += it.now.mono.since(last.mono);
            last = it.now;
            if kinds(&it.effects).iter().any(|kind| kind.starts_with("triggered")) {
                prop_assert!(alerted.is_none_or(|alerted| progress - alerted >= spec.cooldown));
                alerted = Some(progress);
            }
        }
    }

    #[test]
    fn after_clocks_have_jumped_nothing_waits_longer_than_its_delay(spec in specs(), moves in wild()) {
        let endless = Spec { repeat: true, ..endless(spec.clone()) };
        let (yes, no) = (What::Score(0.9), What::Score(0.1));
        let checks = |n: u32| secs(0.1) * n;

        let (mut rig, _) = live(&endless, &moves);
        rig.put_at(rig.now, Input::Start);
        let told = kinds(&run_on(&mut rig, yes, endless.cooldown + checks(endless.hold.needed + 1)));
        prop_assert!(told.iter().any(|kind| kind.starts_with("triggered")), "cooldown: {:?}", told);

        let (mut rig, _) = live(&endless, &moves);
        run_on(&mut rig, no, endless.clear_after + checks(1));
        prop_assert_eq!(rig.state.phase(), &Phase::Idle);

        let (mut rig, _) = live(&endless, &moves);
        rig.put_at(rig.now, Input::CameraLost);
        run_on(&mut rig, What::Other(Input::Tick), endless.lost_after + checks(1));
        prop_assert_eq!(rig.state.open_id(), None);

        let limit = secs(5.0);
        let limited = Spec { max_duration: Some(limit), first_frame_within: Some(limit), ..spec };
        let (mut rig, _) = live(&limited, &moves);
        let active = rig.state.is_active();
        let told = kinds(&run_on(&mut rig, What::Other(Input::Tick), limit + checks(1)));
        prop_assert_eq!(told.iter().any(|kind| kind.starts_with("ended")), active);
    }

    #[test]
    fn the_hold_window_forgets_in_time_whatever_the_clocks_did(spec in specs(), moves in wild()) {
        let spec = Spec { hold: Hold { needed: 2, of: 1000 }, ..endless(spec) };
        let (mut rig, _) = live(&spec, &moves);
        rig.put_at(rig.now, Input::Start);
        run_on(&mut rig, What::Other(Input::Tick), spec.memory() + secs(0.1));
        let was_open = rig.state.open_id().is_some();
        let told = kinds(&run_on(&mut rig, What::Score(0.9), secs(0.1)));
        prop_assert!(was_open || !told.contains(&"triggered 0".to_owned()));
    }

    #[test]
    fn the_wall_clock_decides_nothing(
        spec in specs(), moves in steady(), jumps in prop::collection::vec(any::<i32>(), 80)
    ) {
        let mut jumping = moves.clone();
        for (it, jump) in jumping.iter_mut().zip(jumps) {
            it.wall_ms += i64::from(jump);
        }
        let (expected, told) = (live(&spec, &moves).1, live(&spec, &jumping).1);
        let all = |happened: Vec<Happened>| happened.iter().map(|it| kinds(&it.effects)).collect::<Vec<_>>();
        prop_assert_eq!(all(told), all(expected));
    }

    #[test]
    fn only_evidence_after_a_whole_clear_after_clears(spec in specs(), moves in steady()) {
        // The side is tracked here a second time, straight from the contract's words.
        let (mut positive_side, mut last_positive) = (false, at(0.0));
        for it in live(&spec, &moves).1 {
            let told = kinds(&it.effects);
            let ended = told.iter().any(|kind| kind.starts_with("ended"));
            if ended && it.reached_limit() {
                positive_side = false;
            }
            match it.what {
                What::Score(p) if p >= spec.confidence_threshold => positive_side = true,
                What::Score(p) if p < spec.clear_threshold => positive_side = false,
                _ => {}
            }
            let answered = matches!(it.what, What::Score(p) if p.is_finite());
            let observed = if answered { it.seen } else { it.now };
            if told.contains(&"cleared cleared".to_owned()) {
                let still = it.what == What::Other(Input::Skipped(SkipReason::NothingMoved));
                prop_assert!(still || answered, "{:?} clears", it.what);
                prop_assert!(!positive_side);
                prop_assert!(observed.mono.since(last_positive.mono) >= spec.clear_after);
            }
            if positive_side && answered {
                last_positive = it.seen;
            }
            if ended && !it.reached_limit() {
                positive_side = false;
            }
        }
    }

    #[test]
    fn without_a_negative_check_nothing_clears(spec in specs(), moves in steady()) {
        let never_negative: Vec<Move> = moves
            .into_iter()
            .filter(|it| !matches!(it.what, What::Score(p) if p < 0.8))
            .collect();
        let (_, happened) = live(&endless(spec), &never_negative);
        prop_assert!(!alerts_and_clears(&happened).iter().any(|told| told.ends_with("cleared cleared")));
    }

    #[test]
    fn a_check_without_an_answer_and_a_skip_for_load_or_rate_are_like_silence(spec in specs(), moves in steady()) {
        // An abstention takes a place in a window of several checks; in a window of one it is silence.
        let spec = Spec { hold: Hold { needed: 1, of: 1 }, ..endless(spec) };
        let mut silent = moves.clone();
        for it in &mut silent {
            let unanswered = matches!(it.what, What::Score(p) if p.is_nan());
            let skipped = matches!(it.what, What::Other(Input::Skipped(SkipReason::Load | SkipReason::Rate)));
            if unanswered || skipped || it.what == What::Other(Input::Abstain) {
                it.what = What::Other(Input::Tick);
            }
        }
        prop_assert_eq!(alerts_and_clears(&live(&spec, &moves).1), alerts_and_clears(&live(&spec, &silent).1));
    }

    #[test]
    fn counters_add_up(spec in specs(), moves in wild()) {
        let (rig, happened) = live(&spec, &moves);
        let (mut expected, mut sum) = (Counters::default(), Counters::default());
        let mut add = |counters: &Counters| {
            sum.checks_performed += counters.checks_performed;
            sum.triggers_fired += counters.triggers_fired;
            sum.verdict_errors += counters.verdict_errors;
            for (reason, count) in &counters.frames_skipped {
                *sum.frames_skipped.entry(*reason).or_default() += count;
            }
        };
        for it in &happened {
            let told = kinds(&it.effects);
            let counts = if it.reached_limit() { told.contains(&"started".to_owned()) } else { it.was_active };
            if counts {
                match it.what {
                    What::Other(Input::Skipped(reason)) => *expected.frames_skipped.entry(reason).or_default() += 1,
                    What::Score(p) => {
                        expected.checks_performed += 1;
                        expected.verdict_errors += u64::from(p.is_nan());
                    }
                    What::Other(Input::Abstain) => {
                        expected.checks_performed += 1;
                        expected.verdict_errors += 1;
                    }
                    What::Other(_) => {}
                }
            }
            for effect in &it.effects {
                match effect {
                    Effect::Triggered { .. } => expected.triggers_fired += 1,
                    Effect::JobEnded { counters, .. } => add(counters),
                    _ => {}
                }
            }
        }
        if rig.state.is_active() {
            add(rig.state.job().unwrap().counters());
        }
        prop_assert_eq!(sum, expected);
    }

    #[test]
    fn run_time_is_the_time_that_passed_since_the_first_frame(spec in specs(), moves in wild()) {
        let (mut running_since, mut progress, mut last) = (None, Duration::ZERO, at(3600.0));
        for it in live(&spec, &moves).1 {
            progress += it.now.mono.since(last.mono);
            last = it.now;
            for effect in &it.effects {
                match effect {
                    Effect::JobRunning { .. } => running_since = Some(progress),
                    Effect::JobEnded { counters, .. } => {
                        let ran = running_since.take().map_or(Duration::ZERO, |since| progress - since);
                        prop_assert_eq!(u128::from(counters.elapsed_ms), ran.as_millis());
                    }
                    _ => {}
                }
            }
        }
    }
}
