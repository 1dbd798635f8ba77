//! A candidate: a cheap model that is asked first, so that an expensive one is spared.
//!
//! Owns what a candidate is asked and what is said where it spared the other model a frame; refuses to know lanes. Only a
//! clear no spares anything: a candidate that fails never hides an alert.

use std::collections::BTreeMap;

use crate::config::{Calibration, Monitor, OnlyWhen};
use crate::judge::{Labelled, Question, Seen};
use crate::model::{Family, Handle, QuestionError};
use crate::name::Name;
use crate::verdict::{Answer, Verdict};

/// `only_when`, with the model that is asked.
#[derive(Clone)]
pub struct Candidate {
    /// Who is asked.
    pub model: Handle,
    question: Question,
}

impl Candidate {
    /// The candidate of `monitor`, if it has one among `models`.
    ///
    /// # Errors
    /// A label that it lacks.
    pub fn of(monitor: &Monitor, models: &BTreeMap<Name, Handle>) -> Result<Option<Candidate>, QuestionError> {
        let Some(only_when) = &monitor.only_when else { return Ok(None) };
        let Some(model) = models.get(&only_when.model.value) else { return Ok(None) };
        // A classifier sees the picture as a whole.
        let zone = if model.model().family() == Family::Detector { monitor.zone.clone() } else { Vec::new() };
        Candidate::new(&monitor.name, only_when, model, zone).map(Some)
    }

    /// `only_when` of a monitor, asked of `model` about `zone`. It compares the score that the model gives, before calibration.
    ///
    /// # Errors
    /// A label that it lacks.
    pub fn new(
        monitor: &Name,
        only_when: &OnlyWhen,
        model: &Handle,
        zone: Vec<[f32; 2]>,
    ) -> Result<Candidate, QuestionError> {
        let known = |label: &String| match model.model().label_index(label) {
            Ok(index) => Ok((index, label.clone())),
            Err(label) => Err(QuestionError::Label { monitor: monitor.clone(), label }),
        };
        let labels = only_when.labels.iter().map(|label| known(&label.value)).collect::<Result<_, _>>()?;
        // The head has already dropped what is below a score of the model's own: a threshold on another scale could lie
        // below that and never be told.
        let calibration = Calibration { temperature: 1.0, bias: 0.0 };
        // It is written `>`.
        let threshold = only_when.above.next_up();
        let question = Question::Labels(Labelled { labels, zone, min_count: 1, calibration, threshold });
        Ok(Candidate { model: model.clone(), question })
    }

    /// The verdict that the candidate spares `model`, or None: the frame is to be sent on.
    pub fn spares(&self, seen: &Seen, model: &Name) -> Option<Verdict> {
        let verdict = self.question.judge(seen);
        let candidate = &self.model.model().identity().name;
        (verdict.answer == Answer::No).then(|| Verdict {
            confidence: 0.0,
            answer: Answer::No,
            explanation: format!("{} ({candidate}), so `{model}` was not asked", verdict.explanation),
            regions: Vec::new(),
            z: None,
            answer_mass: None,
        })
    }
}
