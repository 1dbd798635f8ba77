//! What a machine remembers between two steps.
//!
//! Owns the state of one (monitor, camera) pair and what others may read of it; refuses to know settings: what
//! changes it is in `machine`. Plain data, any thread.

use std::time::Duration;

use uuid::Uuid;

use super::job::{Job, Life};
use super::window::Window;
use super::{Effect, Spec};
use crate::event::{ClearReason, JobReason};
use crate::time::{Deadline, Now, Wall};

/// The state of one (monitor, camera) pair. Begins without a job: send [`Input::Start`](super::Input::Start).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub(super) phase: Phase,
    /// The last answered check was positive, or between the thresholds after a positive one.
    pub(super) positive_side: bool,
    pub(super) window: Window,
    /// Of the last alert; outlives jobs.
    pub(super) cooldown: Option<Deadline>,
    /// While the camera is away: when an open event ends for it.
    pub(super) lost: Option<Deadline>,
    pub(super) job: Option<Job>,
}

/// Whether the condition holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Phase {
    /// It doesn't.
    #[default]
    Idle,
    /// It does, but the cooldown of the last alert is running.
    Waiting {
        /// The first positive check of the hold window.
        first: Wall,
        /// Back to idle unless a check is on the positive side again before.
        over: Deadline,
    },
    /// It does, and receivers know.
    Open(Open),
}

/// An event that receivers were told about and that isn't over.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// In the alert, its repeats and its clear.
    pub id: Uuid,
    /// Alerts after the first.
    pub repeat: u32,
    /// The first positive check of the hold window.
    pub started: Wall,
    /// Arrival of the frame that opened it.
    pub alerted: Wall,
    /// The highest confidence since.
    pub peak: f32,
    /// Evidence at or after this clears it.
    pub over: Deadline,
}

impl State {
    /// A machine that has seen nothing, without a job.
    pub fn new() -> State {
        State::default()
    }

    /// Whether the condition holds.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The open event's id.
    pub fn open_id(&self) -> Option<Uuid> {
        match &self.phase {
            Phase::Open(open) => Some(open.id),
            Phase::Idle | Phase::Waiting { .. } => None,
        }
    }

    /// What is left of the cooldown; zero when it is over or never began.
    pub fn cooldown_left(&self, now: Now) -> Duration {
        self.cooldown.map_or(Duration::ZERO, |deadline| deadline.left(now))
    }

    /// The wall time at which the cooldown ends; None when it is over or never began.
    pub fn cooldown_until(&self, now: Now) -> Option<Wall> {
        let left = self.cooldown_left(now);
        (!left.is_zero()).then(|| now.wall.plus(left))
    }

    /// The latest job; None before the first.
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref()
    }

    /// Whether a job is pending or running.
    pub fn is_active(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.ended().is_none())
    }

    /// Whether an event is open, and the checks so far may not be the last word on anything: the next check may change
    /// something even if it says what the last one said, or may have to take back what that one said.
    pub fn is_undecided(&self, spec: &Spec, now: Now) -> bool {
        let positive = self.window.is_positive(now, spec.memory());
        match &self.phase {
            Phase::Idle => positive,
            Phase::Waiting { .. } => true,
            // Nobody is told that it is over because of one no.
            Phase::Open(_) if !self.positive_side => true,
            Phase::Open(_) => {
                let repeats = spec.repeat && self.cooldown_left(now).is_zero();
                repeats && positive && self.window.holds_since(spec.hold).is_none()
            }
        }
    }

    /// Time goes on: run time is counted, and nothing may lie further ahead than its whole delay.
    pub(super) fn pass(&mut self, now: Now) {
        let over = match &mut self.phase {
            Phase::Idle => None,
            Phase::Waiting { over, .. } => Some(over),
            Phase::Open(open) => Some(&mut open.over),
        };
        for deadline in [over, self.cooldown.as_mut(), self.lost.as_mut()].into_iter().flatten() {
            deadline.rein_in(now);
        }
        self.window.rein_in(now);
        if let Some(job) = &mut self.job {
            job.pass(now);
        }
    }

    /// Ends an open event; does nothing in other phases.
    pub(super) fn clear(&mut self, ended: Now, reason: ClearReason, effects: &mut Vec<Effect>) {
        let (Phase::Open(open), Some(job)) = (&self.phase, &self.job) else { return };
        effects.push(Effect::Cleared {
            job: job.id,
            open_id: open.id,
            started: open.alerted,
            ended,
            peak_confidence: open.peak,
            reason,
        });
        self.phase = Phase::Idle;
        self.window.clear();
    }

    /// Ends an active job, with its open event; does nothing without one.
    pub(super) fn end_job(&mut self, now: Now, reason: JobReason, effects: &mut Vec<Effect>) {
        if !self.is_active() {
            return;
        }
        self.clear(now, ClearReason::JobStopped, effects);
        self.phase = Phase::Idle;
        self.positive_side = false;
        self.window.clear();
        if let Some(job) = &mut self.job {
            job.life = Life::Ended(reason);
            effects.push(Effect::JobEnded { job: job.id, reason, counters: job.counters.clone() });
        }
    }
}
