//! A model on single pictures, outside of the daemon: asked, tried and measured.
//!
//! Owns the way from a picture and questions to verdicts, in the same steps as a camera's watch thread and the model's
//! thread take them, and how long each step took; refuses to know monitors' states, files and terminals. Everything runs on
//! the caller's thread.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Monitor;
use crate::frame::Frame;
use crate::judge::{Question, Seen};
use crate::model::{
    Asked, Engine, Explain, Findings, Loaded, Model, OutputError, QuestionError, RunError, Running, Work,
};
use crate::picture::{PictureError, Scaler};
use crate::time;
use crate::verdict::Verdict;

/// A model that is tried.
pub struct Trial {
    model: Arc<Model>,
    engine: Box<dyn Engine>,
    running: Running,
    scaler: Scaler,
    work: Work,
}

/// A question that is ready to be asked.
#[derive(Clone, Debug)]
pub struct Ready {
    question: Question,
    asked: Option<Asked>,
}

/// How long the steps of a look took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// From the picture to tensors.
    pub prepare: Duration,
    /// In the model.
    pub run: Duration,
    /// From numbers to verdicts.
    pub interpret: Duration,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The model.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What the model gave.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Trial {
    /// Tries `loaded`.
    pub fn new(loaded: Loaded) -> Trial {
        let Loaded { model, engine, running, .. } = loaded;
        Trial { model, engine, running, scaler: Scaler::default(), work: Work::default() }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What it runs on.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// What `monitor` asks.
    ///
    /// # Errors
    /// What the model can't be asked.
    pub fn question(&self, monitor: &Monitor) -> Result<Ready, QuestionError> {
        let (question, asked) = self.model.question(monitor)?;
        Ok(Ready { question, asked })
    }

    /// Looks at `frame` once and answers every question; without questions it only looks.
    ///
    /// # Errors
    /// The first thing that goes wrong.
    pub fn look(&mut self, frame: &Frame, questions: &[Ready]) -> Result<(Vec<Verdict>, Took), TrialError> {
        let (seen, took) = self.see(frame, questions.iter().filter_map(|ready| ready.asked.clone()).collect())?;
        let began = time::now().mono;
        let of = |nth: usize| seen.get(nth).or(seen.first()).unwrap_or(&Seen::NotANumber);
        let verdicts = questions.iter().enumerate().map(|(nth, ready)| ready.question.judge(of(nth))).collect();
        let interpret = took.interpret + time::now().mono.since(began);
        Ok((verdicts, Took { interpret, ..took }))
    }

    /// The same for one question, and the model explains its answer if it can, whatever it is.
    ///
    /// # Errors
    /// The first thing that goes wrong.
    pub fn explained(&mut self, frame: &Frame, ready: &Ready) -> Result<(Verdict, Took), TrialError> {
        // Twice the same question: one is explained if the answer is yes, the other if it is no.
        let (yes, no) = (ready.explained(Explain::AtLeast), ready.explained(Explain::Below));
        let (verdicts, took) = self.look(frame, &[yes, no])?;
        let [yes, no] = <[Verdict; 2]>::try_from(verdicts).map_err(|_| RunError("it gave no verdict".to_owned()))?;
        let verdict = if yes.answer == crate::verdict::Answer::Yes { yes } else { no };
        Ok((verdict, took))
    }

    fn see(&mut self, frame: &Frame, asked: Vec<Asked>) -> Result<(Vec<Seen>, Took), TrialError> {
        let began = time::now().mono;
        self.work.asked = asked;
        let placement = self.model.show(&mut self.scaler, frame, &mut self.work)?;
        let prepared = time::now().mono;
        let findings = self.engine.examine(&self.work)?;
        let ran = time::now().mono;
        let seen = match findings {
            Findings::Numbers(outputs) => vec![self.model.interpret(&outputs, &placement)?],
            Findings::Scored(scored) => scored.into_iter().map(Seen::Answered).collect(),
        };
        let interpret = time::now().mono.since(ran);
        Ok((seen, Took { prepare: prepared.since(began), run: ran.since(prepared), interpret }))
    }
}

impl Ready {
    /// The same question, explained where `side` of the threshold the answer lies on.
    fn explained(&self, side: impl Fn(f32) -> Explain) -> Ready {
        let mut ready = self.clone();
        if let (Question::Words(worded), Some(Asked::Text { explain, .. })) = (&self.question, &mut ready.asked) {
            *explain = Some(side(worded.z_of(worded.threshold)));
        }
        ready
    }
}

impl Took {
    /// All of it.
    pub fn whole(&self) -> Duration {
        self.prepare + self.run + self.interpret
    }
}
