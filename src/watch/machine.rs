//! One condition machine at work: its state, its rhythm, and the rule that it advances only after the ledger has it.
//!
//! Owns the state of a (monitor, camera) pair while the daemon runs; refuses to know models and the journal. Lives on its
//! camera's watch thread; [`Shown`] is the copy that others may look at.

use std::sync::{Arc, Mutex, PoisonError};

use super::ledger::{Evidence, Happening, Ledger};
use super::subject::Subject;
use crate::condition::{self, Ids, Input, State};
use crate::frame::Frame;
use crate::time::{Mono, Now};
use crate::verdict::{Answer, Verdict};

/// A frame that is early by this part of the interval still counts as on time: cameras are not metronomes.
const EARLY: u32 = 4;

/// A condition machine with its rhythm.
pub struct Machine {
    subject: Arc<Subject>,
    state: State,
    /// When the next check is due.
    next: Mono,
    shown: Arc<Mutex<Shown>>,
}

/// What others may see of a machine.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What it is about.
    pub subject: Arc<Subject>,
    /// As of the last step.
    pub state: State,
    /// The last verdict, and when its frame arrived.
    pub last: Option<(Verdict, Now)>,
}

impl Machine {
    /// A machine that goes on from `state`.
    pub fn new(subject: Subject, state: State) -> Machine {
        let subject = Arc::new(subject);
        let shown = Shown { subject: subject.clone(), state: state.clone(), last: None };
        Machine { subject, state, next: Mono(0), shown: Arc::new(Mutex::new(shown)) }
    }

    /// What it is about.
    pub fn subject(&self) -> &Arc<Subject> {
        &self.subject
    }

    /// Its state, as recorded.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// For those who look at it from other threads.
    pub fn shown(&self) -> Arc<Mutex<Shown>> {
        self.shown.clone()
    }

    /// From when on an arriving frame is to be checked; None while no job is active.
    pub fn due(&self) -> Option<Mono> {
        let slack = self.subject.spec.check_interval / EARLY;
        self.state.is_active().then(|| self.next.minus(slack))
    }

    /// A frame that arrived at `arrived` is being checked: the next one is due an interval later. Keeps the rhythm where
    /// frames come a little late or early, and starts it anew after a gap.
    pub fn scheduled(&mut self, arrived: Mono) {
        let interval = self.subject.spec.check_interval;
        let on_time = arrived < self.next.plus(interval);
        self.next = if on_time { self.next.plus(interval) } else { arrived.plus(interval) };
    }

    /// A check of `frame` was answered.
    pub fn check(&mut self, ledger: &mut dyn Ledger, now: Now, frame: &Frame, verdict: Verdict) {
        let subject = self.subject.clone();
        let input = match verdict.answer {
            Answer::Abstain => Input::Abstain,
            Answer::Yes | Answer::No => Input::Score { confidence: verdict.confidence, seen: frame.arrived },
        };
        ledger.verdict(&subject.about, &verdict, frame.arrived);
        self.step(ledger, now, input, Some(Evidence { subject: &subject, frame, verdict: &verdict }));
        self.show(Some((verdict, frame.arrived)));
    }

    /// Anything else happened.
    pub fn tell(&mut self, ledger: &mut dyn Ledger, now: Now, input: Input) {
        self.step(ledger, now, input, None);
        self.show(None);
    }

    /// One step. With effects the new state counts only once the ledger has both; where it refuses, the machine stays
    /// where it was, and the next input leads to the same effects again.
    fn step(&mut self, ledger: &mut dyn Ledger, now: Now, input: Input, evidence: Option<Evidence<'_>>) {
        let ids = Ids { open: now.new_id(), job: now.new_id() };
        let (state, effects) = condition::step(&self.subject.spec, &self.state, now, input, ids);
        let about = &self.subject.about;
        if !effects.is_empty() {
            let happening = Happening { now, about, effects: &effects, state: &state, evidence };
            if let Err(error) = ledger.record(happening) {
                let (monitor, camera) = (&about.monitor, &about.camera);
                tracing::error!(%monitor, %camera, %error, "not recorded, so it is tried again with the next frame");
                return;
            }
        }
        self.state = state;
    }

    fn show(&self, last: Option<(Verdict, Now)>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.state.clone_from(&self.state);
        shown.last = last.or(shown.last.take());
    }
}
