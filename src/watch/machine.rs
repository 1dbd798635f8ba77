//! One condition machine at work: its state, its rhythm, and the rule that it advances only after the ledger has it.
//!
//! Owns the state of a (monitor, camera) pair while the daemon runs; refuses to know models and the journal. Lives on its
//! camera's watch thread; [`Shown`] is the copy that others may look at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::attention::Attention;
use super::kept::{Kept, Restart, farewell};
use super::ledger::{Evidence, Happening, Ledger, Refused};
use super::subject::{About, Subject};
use crate::condition::{self, Effect, Ids, Input, State};
use crate::event::SkipReason;
use crate::frame::Frame;
use crate::judge::Question;
use crate::model::{Asked, Explain};
use crate::time::{Mono, Now};
use crate::verdict::{Answer, Verdict};

/// A frame that is early by this part of the interval still counts as on time: cameras are not metronomes.
const EARLY: u32 = 4;

/// A check of a frame that is older than this, or than two intervals, says nothing about now: a fresher one is due by then,
/// and the hold window has forgotten frames of that age soon after (contracts/condition.md).
const USELESS: Duration = Duration::from_secs(10);

/// A machine without a job tries so often to have it recorded that one begins: whatever fills the journal is not to be
/// fought over.
const TRIED_AGAIN: Duration = Duration::from_secs(5);

/// A condition machine with its rhythm.
pub struct Machine {
    subject: Arc<Subject>,
    state: State,
    /// When the next check is due.
    next: Mono,
    attention: Attention,
    /// What stood in its place and means something else: it says good-bye first. Until then the ledger keeps the old one.
    before: Option<(Kept, Restart)>,
    /// What the ledger refused although it comes only once: it is tried again before anything else.
    missed: Vec<Input>,
    /// When that was tried last.
    tried: Option<Mono>,
    /// The ledger refused the last step that it was given; said once.
    troubled: bool,
    /// Checks that its candidate spared its own model.
    spared: u64,
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
    /// Checks since the start that its candidate spared its own model.
    pub spared: u64,
    /// Something that happened to it is not recorded yet, and nothing else is before that.
    pub waits: bool,
}

impl Machine {
    /// A machine that goes on from `state`.
    pub fn new(subject: Subject, state: State) -> Machine {
        let subject = Arc::new(subject);
        let shown = Shown { subject: subject.clone(), state: state.clone(), last: None, spared: 0, waits: false };
        Machine {
            attention: Attention::new(subject.recheck),
            subject,
            state,
            next: Mono(0),
            before: None,
            missed: Vec::new(),
            tried: None,
            troubled: false,
            spared: 0,
            shown: Arc::new(Mutex::new(shown)),
        }
    }

    /// The same in the place of one that has to say good-bye, with what happens to it first.
    pub(super) fn after(self, before: Option<(Kept, Restart)>, first: Option<Input>) -> Machine {
        Machine { before, missed: Vec::from_iter(first), ..self }
    }

    /// Whether its row may be written: the one that stood in its place has said good-bye.
    pub fn is_alone(&self) -> bool {
        self.before.is_none()
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

    /// A frame came, due or not.
    pub fn witness(&mut self, frame: &Frame) {
        self.attention.witness(frame);
    }

    /// A frame is due that would say what the last one said: nothing has moved. It is counted, and the next one is due an
    /// interval later. False: it is to be checked.
    pub fn passes_over(&mut self, ledger: &mut dyn Ledger, now: Now, arrived: Mono) -> bool {
        let over = self.attention.passes_over(arrived) && !self.state.is_undecided(&self.subject.spec, now);
        if over {
            self.keep_time(arrived);
            self.tell(ledger, now, Input::Skipped(SkipReason::NothingMoved));
        }
        over
    }

    /// Whether every frame matters: an event is open, or the next check may decide something.
    pub fn is_awake(&self, now: Now) -> bool {
        let open = self.state.open_id().is_some() || self.state.is_undecided(&self.subject.spec, now);
        self.state.is_active() && (open || self.attention.is_unsure())
    }

    /// How much longer a check of `frame` is of use; None: no longer.
    pub fn patience(&self, now: Now, frame: &Frame) -> Option<Duration> {
        let all = self.subject.spec.check_interval.saturating_mul(2).max(USELESS);
        all.checked_sub(now.mono.since(frame.arrived.mono))
    }

    /// A frame that arrived at `arrived` is being checked: the next one is due an interval later.
    pub fn scheduled(&mut self, arrived: Mono) {
        self.attention.checks(arrived);
        self.keep_time(arrived);
    }

    /// Keeps the rhythm where frames come a little late or early, and starts it anew after a gap.
    fn keep_time(&mut self, arrived: Mono) {
        let interval = self.subject.spec.check_interval;
        let on_time = arrived < self.next.plus(interval);
        self.next = if on_time { self.next.plus(interval) } else { arrived.plus(interval) };
    }

    /// What it asks of a model that reads, about a frame that arrived at `seen`. An explanation is asked for only where a
    /// clear answer would open, repeat or end an event.
    pub fn asks(&self, now: Now, seen: Now) -> Option<Asked> {
        let mut asked = self.subject.asked.clone()?;
        if let (Asked::Text { explain, .. }, Question::Words(question)) = (&mut asked, &self.subject.question) {
            let spec = &self.subject.spec;
            *explain = if self.would_matter(now, seen, 1.0) {
                Some(Explain::AtLeast(question.z_of(spec.confidence_threshold)))
            } else if self.would_matter(now, seen, 0.0) {
                Some(Explain::Below(question.z_of(spec.clear_threshold)))
            } else {
                None
            };
        }
        Some(asked)
    }

    /// Whether an event would follow from a check of this confidence. The machine is pure: it can be asked beforehand.
    fn would_matter(&self, now: Now, seen: Now, confidence: f32) -> bool {
        let ids = Ids { open: Uuid::nil(), job: Uuid::nil() };
        let input = Input::Score { confidence, seen };
        let (_, effects) = condition::step(&self.subject.spec, &self.state, now, input, ids);
        effects.iter().any(|effect| matches!(effect, Effect::Triggered { .. } | Effect::Cleared { .. }))
    }

    /// A check of `frame` was answered.
    pub fn check(&mut self, ledger: &mut dyn Ledger, now: Now, frame: &Frame, verdict: Verdict) {
        let subject = self.subject.clone();
        let input = match verdict.answer {
            Answer::Abstain => Input::Abstain,
            Answer::Yes | Answer::No => Input::Score { confidence: verdict.confidence, seen: frame.arrived },
        };
        let between = subject.spec.clear_threshold..subject.spec.confidence_threshold;
        self.attention.answered(verdict.answer != Answer::Abstain && !between.contains(&verdict.confidence));
        ledger.verdict(&subject.about, &verdict, frame.arrived);
        self.step(ledger, now, input, Some(Evidence { subject: &subject, frame, verdict: &verdict }));
        self.show(Some((verdict, frame.arrived)));
    }

    /// The same, by its candidate: its own model was not asked.
    pub fn spared(&mut self, ledger: &mut dyn Ledger, now: Now, frame: &Frame, verdict: Verdict) {
        self.spared += 1;
        self.check(ledger, now, frame, verdict);
    }

    /// Anything else happened.
    pub fn tell(&mut self, ledger: &mut dyn Ledger, now: Now, input: Input) {
        if matches!(input, Input::Abstain | Input::Skipped(SkipReason::Load)) {
            self.attention.learned_nothing();
        }
        self.step(ledger, now, input, None);
        self.show(None);
    }

    /// One step, after those that were refused before.
    fn step(&mut self, ledger: &mut dyn Ledger, now: Now, input: Input, evidence: Option<Evidence<'_>>) {
        let ready = self.catch_up(ledger, now);
        if let Err(error) = ready.and_then(|()| self.advance(ledger, now, input, evidence)) {
            self.say(&error);
            self.remember(input);
        }
    }

    /// What was refused before comes first, and in the place of another machine the good-bye of that one.
    ///
    /// # Errors
    /// The ledger refuses it still, or it was asked only just now.
    pub(super) fn catch_up(&mut self, ledger: &mut dyn Ledger, now: Now) -> Result<(), Refused> {
        if self.before.is_none() && self.missed.is_empty() {
            return Ok(());
        }
        let is_early = self.tried.is_some_and(|tried| now.mono.since(tried) < TRIED_AGAIN);
        if is_early && !self.state.is_active() {
            return Err("it was refused only just now".into());
        }
        self.tried = Some(now.mono);
        let caught_up = self.say_what_was_missed(ledger, now);
        if let Err(error) = &caught_up {
            self.say(error);
        }
        self.show(None);
        caught_up
    }

    fn say_what_was_missed(&mut self, ledger: &mut dyn Ledger, now: Now) -> Result<(), Refused> {
        if let Some((before, restart)) = &self.before {
            farewell(ledger, before, Restart { now, ..*restart })?;
            self.before = None;
        }
        while let Some(first) = self.missed.first().copied() {
            self.advance(ledger, now, first, None)?;
            self.missed.remove(0);
        }
        Ok(())
    }

    /// That something is refused is said once.
    fn say(&mut self, error: &Refused) {
        if !std::mem::replace(&mut self.troubled, true) {
            let About { monitor, camera, .. } = &self.subject.about;
            tracing::error!(%monitor, %camera, %error, "not recorded, so it has not happened; it is tried again");
        }
    }

    /// The state advances only once the ledger has it together with its effects.
    fn advance(
        &mut self,
        ledger: &mut dyn Ledger,
        now: Now,
        input: Input,
        evidence: Option<Evidence<'_>>,
    ) -> Result<(), Refused> {
        let ids = Ids { open: now.new_id(), job: now.new_id() };
        let (state, effects) = condition::step(&self.subject.spec, &self.state, now, input, ids);
        if !effects.is_empty() {
            let about = &self.subject.about;
            ledger.record(Happening { now, about, effects: &effects, state: &state, evidence })?;
            if std::mem::take(&mut self.troubled) {
                tracing::info!(monitor = %about.monitor, camera = %about.camera, "recorded again");
            }
        }
        self.state = state;
        Ok(())
    }

    /// Keeps an input that was refused, if it comes only once. Checks and ticks come again by themselves. Of two notices
    /// about the camera the later one holds; beyond a stop nothing matters.
    fn remember(&mut self, input: Input) {
        match input {
            Input::CameraLost | Input::CameraBack => {
                self.missed.retain(|kept| !matches!(kept, Input::CameraLost | Input::CameraBack));
                self.missed.push(input);
            }
            Input::Start | Input::Stop(_) if !self.missed.contains(&input) => self.missed.push(input),
            _ => {}
        }
    }

    fn show(&self, last: Option<(Verdict, Now)>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.state.clone_from(&self.state);
        shown.spared = self.spared;
        shown.waits = self.before.is_some() || !self.missed.is_empty();
        shown.last = last.or(shown.last.take());
    }
}

#[cfg(test)]
mod tests;
