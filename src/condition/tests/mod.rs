//! Tests of the condition machine: the contract's tables row by row, storing and loading, and properties.

mod jobs;
mod properties;
mod restarts;
mod rows;

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::config::Hold;
use crate::time::{Boot, Mono};

const BOOT: Boot = Boot(Uuid::from_u128(0xb007));

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Thresholds 0.8 and 0.6, hold 1 of 1, cooldown 60 s, clear after 5 s, lost after 30 s, a check every second.
fn spec() -> Spec {
    Spec {
        confidence_threshold: 0.8,
        clear_threshold: 0.6,
        hold: Hold { needed: 1, of: 1 },
        cooldown: secs(60.0),
        repeat: true,
        clear_after: secs(5.0),
        lost_after: secs(30.0),
        check_interval: secs(1.0),
        max_duration: None,
        stop_on_trigger: false,
        restart: true,
        first_frame_within: None,
    }
}

/// A machine with a clock that the test sets. Seconds are counted from the start; the wall shows 1_000_000 s more.
struct Rig {
    spec: Spec,
    state: State,
    now: Now,
    ids: u128,
}

impl Rig {
    /// A machine whose job waits for its first frame.
    fn new(spec: Spec) -> Rig {
        let mut rig = Rig { spec, state: State::new(), now: at(0.0), ids: 0 };
        assert!(matches!(rig.put(0.0, Input::Start)[..], [Effect::JobStarted { .. }]));
        rig
    }

    /// A machine whose job is running.
    fn running(spec: Spec) -> Rig {
        let mut rig = Rig::new(spec);
        assert!(matches!(rig.put(0.0, Input::Skipped(SkipReason::Rate))[..], [Effect::JobRunning { .. }]));
        rig
    }

    /// A machine that alerted at second 0 with 0.9.
    fn open(spec: Spec) -> Rig {
        let mut rig = Rig::running(spec);
        assert_eq!(kinds(&rig.score(0.0, 0.9)), ["triggered 0"]);
        rig
    }

    /// A machine that alerted at second 0, cleared at 6, and is waiting since 10.
    fn waiting(spec: Spec) -> Rig {
        let mut rig = Rig::open(spec);
        assert_eq!(kinds(&rig.score(6.0, 0.1)), ["cleared cleared"]);
        assert_eq!(kinds(&rig.score(10.0, 0.85)), [""; 0]);
        assert!(matches!(rig.state.phase(), Phase::Waiting { .. }));
        rig
    }

    fn put(&mut self, second: f64, input: Input) -> Vec<Effect> {
        self.put_at(at(second), input)
    }

    fn put_at(&mut self, now: Now, input: Input) -> Vec<Effect> {
        self.now = now;
        self.ids += 1;
        let ids = Ids { open: Uuid::from_u128(self.ids), job: Uuid::from_u128(self.ids | 1 << 100) };
        let (state, effects) = step(&self.spec, &self.state, now, input, ids);
        self.state = state;
        effects
    }

    fn score(&mut self, second: f64, confidence: f32) -> Vec<Effect> {
        self.put(second, Input::Score { confidence, seen: at(second) })
    }

    /// The same confidence every 100 ms, both ends included; what followed, with the second.
    fn scores(&mut self, from: f64, to: f64, confidence: f32) -> Vec<(f64, String)> {
        let mut told = Vec::new();
        for tenth in (from * 10.0).round() as u32..=(to * 10.0).round() as u32 {
            let second = f64::from(tenth) / 10.0;
            told.extend(kinds(&self.score(second, confidence)).into_iter().map(|kind| (second, kind)));
        }
        told
    }

    fn counters(&self) -> Counters {
        self.state.job().unwrap().counters().clone()
    }
}

fn at(second: f64) -> Now {
    let since = secs(second);
    Now { mono: Mono(0).plus(since), wall: wall(second), synced: true }
}

fn wall(second: f64) -> Wall {
    Wall(1_000_000_000).plus(secs(second))
}

/// Effects in short: `triggered 0`, `cleared camera_lost`, `ended user_requested`, `started`, `running`.
fn kinds(effects: &[Effect]) -> Vec<String> {
    let kind = |effect: &Effect| match effect {
        Effect::JobStarted { .. } => "started".to_owned(),
        Effect::JobRunning { .. } => "running".to_owned(),
        Effect::Triggered { repeat, .. } => format!("triggered {repeat}"),
        Effect::Cleared { reason, .. } => format!("cleared {}", reason.as_str()),
        Effect::JobEnded { reason, .. } => format!("ended {}", reason.as_str()),
    };
    effects.iter().map(kind).collect()
}

const NOTHING: [&str; 0] = [];
