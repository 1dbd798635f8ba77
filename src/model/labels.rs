//! What a monitor may ask of a model.
//!
//! Owns the check of a monitor's labels or words against the model; refuses to know what the answer is (`judge`).

use std::fmt;

use super::{Asked, Knows, Model, Wording, WordingError};
use crate::config::Monitor;
use crate::judge::{Labelled, Question, Worded};
use crate::name::Name;

/// A label that a model doesn't have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLabel {
    /// The model.
    pub model: Name,
    /// As asked.
    pub label: String,
    /// What it has that looks most like it, best first, at most three.
    pub nearest: Vec<String>,
}

impl fmt::Display for UnknownLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nearest: Vec<String> = self.nearest.iter().map(|label| format!("`{label}`")).collect();
        write!(f, "model `{}` has no label `{}`; the nearest it has: {}", self.model, self.label, nearest.join(", "))
    }
}

impl std::error::Error for UnknownLabel {}

/// Why a monitor can't ask a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// One of the labels.
    #[error("monitor `{monitor}`: {label}")]
    Label {
        /// The monitor.
        monitor: Name,
        /// Which, and what it may have meant.
        label: UnknownLabel,
    },
    /// The words.
    #[error("monitor `{monitor}`: {error}")]
    Wording {
        /// The monitor.
        monitor: Name,
        /// What is wrong with them.
        error: WordingError,
    },
}

/// Below this Jaro-Winkler likeness a suggestion only puzzles; the nearest one is made in any case.
const ALIKE: f64 = 0.7;

impl Model {
    /// The index of `label`.
    pub fn label_index(&self, label: &str) -> Result<usize, UnknownLabel> {
        self.labels().iter().position(|known| known == label).ok_or_else(|| {
            let likeness = |known: &String| strsim::jaro_winkler(label, known);
            let mut nearest = self.labels().to_vec();
            nearest.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
            let alike = nearest.iter().take(3).take_while(|known| likeness(known) > ALIKE).count();
            nearest.truncate(alike.max(1));
            UnknownLabel { model: self.identity.name.clone(), label: label.to_owned(), nearest }
        })
    }

    /// What `monitor` asks: how it is judged, with its own calibration or this model's, and what the engine is given
    /// (models that read). Without labels, any label of a model that knows some counts.
    ///
    /// # Errors
    /// Labels that the model lacks, and words that it can't be asked.
    pub fn question(&self, monitor: &Monitor) -> Result<(Question, Option<Asked>), QuestionError> {
        let calibration = monitor.calibration.unwrap_or(self.calibration);
        let threshold = monitor.confidence_threshold;
        let Knows::Words(phrasing) = &self.knows else {
            let (labels, zone) = (self.asked_labels(monitor)?, monitor.zone.clone());
            let asked = Labelled { labels, zone, min_count: monitor.min_count, calibration, threshold };
            return Ok((Question::Labels(asked), None));
        };
        let wording = Wording {
            condition: monitor.condition.clone(),
            prompts: monitor.prompts.clone(),
            negatives: monitor.negatives.clone(),
            zone: monitor.zone.clone(),
        };
        let asked = phrasing.phrase(&wording);
        let asked = asked.map_err(|error| QuestionError::Wording { monitor: monitor.name.clone(), error })?;
        Ok((Question::Words(Worded { calibration, threshold }), Some(asked)))
    }

    fn asked_labels(&self, monitor: &Monitor) -> Result<Vec<(usize, String)>, QuestionError> {
        if monitor.labels.is_empty() {
            return Ok(self.labels().iter().cloned().enumerate().collect());
        }
        let found = |label: &String| match self.label_index(label) {
            Ok(index) => Ok((index, label.clone())),
            Err(label) => Err(QuestionError::Label { monitor: monitor.name.clone(), label }),
        };
        monitor.labels.iter().map(|label| found(&label.value)).collect()
    }
}
