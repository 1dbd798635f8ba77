//! The machine's one step: contracts/condition.md's tables, row by row.
//!
//! Owns what follows from an input in a state; refuses to know how the state is kept and what becomes of the effects.
//! Pure, any thread. How the contract's words are read is told in [`super`].

use super::job::Job;
use super::state::{Open, Phase, State};
use super::{Effect, Ids, Input, Spec};
use crate::event::{ClearReason, JobReason, SkipReason};
use crate::time::{Deadline, Now};

/// What follows from `input` at `now`: the next state, and what must be done before it counts.
pub fn step(spec: &Spec, state: &State, now: Now, input: Input, ids: Ids) -> (State, Vec<Effect>) {
    if let Input::Stop(reason) = input {
        return stop(state, now, reason);
    }
    let mut turn = Turn { spec, now, ids, state: state.clone(), effects: Vec::new() };
    turn.state.pass(now);
    turn.reach_limits();
    turn.give_up_lost_camera();
    match input {
        Input::Score { confidence, seen } => turn.check(Some(confidence).filter(|c| c.is_finite()), seen),
        Input::Abstain => turn.check(None, now),
        Input::Skipped(reason) => turn.skip(reason, 1),
        Input::Passed(frames) => turn.skip(SkipReason::Rate, frames),
        Input::Tick => turn.stop_waiting(now),
        Input::CameraLost => {
            turn.state.lost.get_or_insert(Deadline::after(now, spec.lost_after));
        }
        Input::CameraBack => turn.state.lost = None,
        Input::Start => turn.start_job(),
        Input::Stop(_) => {}
    }
    (turn.state, turn.effects)
}

/// `step` with [`Input::Stop`], which needs no settings: the monitor may be gone from the file.
pub fn stop(state: &State, now: Now, reason: JobReason) -> (State, Vec<Effect>) {
    let (mut state, mut effects) = (state.clone(), Vec::new());
    state.pass(now);
    state.end_job(now, reason, &mut effects);
    (state, effects)
}

/// One step under way.
struct Turn<'a> {
    spec: &'a Spec,
    now: Now,
    ids: Ids,
    state: State,
    effects: Vec<Effect>,
}

impl Turn<'_> {
    /// "max_duration", "no frame for 5 minutes from its start", and what comes then.
    fn reach_limits(&mut self) {
        let Some(job) = &self.state.job else { return };
        let Some(reason) = job.limit_reached(self.now, self.spec.max_duration) else { return };
        self.state.end_job(self.now, reason, &mut self.effects);
        if self.spec.restart && reason == JobReason::MaxDurationReached {
            self.start_job();
        }
    }

    fn start_job(&mut self) {
        if self.state.is_active() {
            return;
        }
        let job = self.ids.job;
        self.state.job = Some(Job::start(job, self.now, self.spec.first_frame_within));
        self.effects.push(Effect::JobStarted { job });
    }

    /// OPEN, camera lost: stays open for `lost_after`.
    fn give_up_lost_camera(&mut self) {
        if self.state.lost.is_some_and(|lost| lost.passed(self.now)) {
            self.state.clear(self.now, ClearReason::CameraLost, &mut self.effects);
        }
    }

    /// The active job with a frame in its hands, which makes it running.
    fn job_with_frame(&mut self) -> Option<&mut Job> {
        let job = self.state.job.as_mut().filter(|job| job.ended().is_none())?;
        if job.frame(self.now) {
            self.effects.push(Effect::JobRunning { job: job.id });
        }
        Some(job)
    }

    /// A check: `None` when it ended without an answer.
    fn check(&mut self, answer: Option<f32>, seen: Now) {
        let Some(job) = self.job_with_frame() else { return };
        job.count_check(answer.is_some());
        let observed = if seen.mono > self.now.mono { self.now } else { seen };
        self.stop_waiting(observed);

        let positive = answer.is_some_and(|p| p >= self.spec.confidence_threshold);
        self.state.window.push(observed, positive, self.spec.hold.of);
        let Some(confidence) = answer else { return };
        if positive {
            self.state.positive_side = true;
        } else if confidence < self.spec.clear_threshold {
            self.state.positive_side = false;
        }
        if let Phase::Open(open) = &mut self.state.phase {
            open.peak = open.peak.max(confidence);
        }
        if self.state.positive_side {
            self.put_off_the_end(observed);
        } else {
            self.evidence_of_the_end(observed);
        }
        if positive {
            self.alert_if_held(confidence, observed);
        }
    }

    fn skip(&mut self, reason: SkipReason, frames: u64) {
        let Some(job) = self.job_with_frame() else { return };
        job.count_skip(reason, frames);
        self.stop_waiting(self.now);
        if reason == SkipReason::NothingMoved && !self.state.positive_side {
            self.evidence_of_the_end(self.now);
        }
    }

    /// WAITING, `clear_after` passed without a positive: IDLE, no event.
    fn stop_waiting(&mut self, observed: Now) {
        if matches!(&self.state.phase, Phase::Waiting { over, .. } if over.passed(observed)) {
            self.state.phase = Phase::Idle;
        }
    }

    fn put_off_the_end(&mut self, observed: Now) {
        if let Phase::Waiting { over, .. } | Phase::Open(Open { over, .. }) = &mut self.state.phase {
            *over = Deadline::after(observed, self.spec.clear_after);
        }
    }

    /// OPEN, no positive for `clear_after` by checks or a live gate: IDLE with `monitor.cleared`.
    fn evidence_of_the_end(&mut self, observed: Now) {
        if matches!(&self.state.phase, Phase::Open(open) if open.over.passed(observed)) {
            self.state.clear(observed, ClearReason::Cleared, &mut self.effects);
        }
    }

    /// The rows about a hold that is reached or still holds, at a positive check.
    fn alert_if_held(&mut self, confidence: f32, observed: Now) {
        self.state.window.age(observed, self.spec.memory());
        let Some(first) = self.state.window.holds_since(self.spec.hold) else { return };
        let cooling = self.state.cooldown.is_some_and(|cooldown| !cooldown.passed(observed));
        let over = Deadline::after(observed, self.spec.clear_after);
        let (id, alerted, peak) = (self.ids.open, observed.wall, confidence);
        match &mut self.state.phase {
            Phase::Idle if cooling => self.state.phase = Phase::Waiting { first, over },
            Phase::Idle => {
                self.state.phase = Phase::Open(Open { id, repeat: 0, started: first, alerted, peak, over });
                self.alert(confidence, observed);
            }
            Phase::Waiting { first, .. } if !cooling => {
                let started = *first;
                self.state.phase = Phase::Open(Open { id, repeat: 0, started, alerted, peak, over });
                self.alert(confidence, observed);
            }
            Phase::Open(open) if self.spec.repeat && !cooling => {
                open.repeat = open.repeat.saturating_add(1);
                self.alert(confidence, observed);
            }
            Phase::Waiting { .. } | Phase::Open(_) => {}
        }
    }

    /// Tells of the open event, and starts the cooldown "at that event".
    fn alert(&mut self, confidence: f32, observed: Now) {
        let (Phase::Open(open), Some(job)) = (&self.state.phase, &mut self.state.job) else { return };
        job.count_trigger();
        self.effects.push(Effect::Triggered {
            job: job.id,
            open_id: open.id,
            repeat: open.repeat,
            confidence,
            started: open.started,
            observed,
        });
        self.state.cooldown = Some(Deadline::after(self.now, self.spec.cooldown));
        if self.spec.stop_on_trigger {
            self.state.end_job(self.now, JobReason::ConditionTriggered, &mut self.effects);
        }
    }
}
