//! What a monitor may ask of a model that knows labels.
//!
//! Owns the check of a monitor's labels against the model's; refuses to know what the answer is (`judge`).

use std::fmt;

use super::{Family, Model};
use crate::config::Monitor;
use crate::judge::Question;
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
    Unknown {
        /// The monitor.
        monitor: Name,
        /// Which, and what it may have meant.
        label: UnknownLabel,
    },
    /// Nothing to look for: it would never trigger.
    #[error("monitor `{monitor}` has no `labels`, and model `{model}` knows nothing else; add some")]
    NoLabels {
        /// The monitor.
        monitor: Name,
        /// The model.
        model: Name,
    },
    /// A classifier gives each label one score: it would never trigger.
    #[error(
        "monitor `{monitor}` has `min_count = {min_count}`, but model `{model}` gives one score for each of {labels} labels; lower it"
    )]
    TooMany {
        /// The monitor.
        monitor: Name,
        /// The model, a classifier.
        model: Name,
        /// The monitor's.
        min_count: u32,
        /// The monitor's.
        labels: usize,
    },
}

/// Below this Jaro-Winkler likeness a suggestion only puzzles; the nearest one is made in any case.
const ALIKE: f64 = 0.7;

impl Model {
    /// The index of `label`.
    pub fn label_index(&self, label: &str) -> Result<usize, UnknownLabel> {
        self.labels.iter().position(|known| known == label).ok_or_else(|| {
            let likeness = |known: &String| strsim::jaro_winkler(label, known);
            let mut nearest = self.labels.clone();
            nearest.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
            let alike = nearest.iter().take(3).take_while(|known| likeness(known) > ALIKE).count();
            nearest.truncate(alike.max(1));
            UnknownLabel { model: self.identity.name.clone(), label: label.to_owned(), nearest }
        })
    }

    /// What `monitor` asks, with its own calibration or this model's.
    ///
    /// # Errors
    /// Labels that the model lacks, and questions that could never be answered with yes.
    pub fn question(&self, monitor: &Monitor) -> Result<Question, QuestionError> {
        let (name, model) = (|| monitor.name.clone(), || self.identity.name.clone());
        let found = |label: &String| match self.label_index(label) {
            Ok(index) => Ok((index, label.clone())),
            Err(label) => Err(QuestionError::Unknown { monitor: name(), label }),
        };
        let labels = monitor.labels.iter().map(|label| found(&label.value)).collect::<Result<Vec<_>, _>>()?;
        if labels.is_empty() {
            return Err(QuestionError::NoLabels { monitor: name(), model: model() });
        }
        let (min_count, count) = (monitor.min_count, labels.len());
        if self.family() == Family::Classifier && min_count as usize > count {
            return Err(QuestionError::TooMany { monitor: name(), model: model(), min_count, labels: count });
        }
        Ok(Question {
            labels,
            zone: monitor.zone.clone(),
            min_count,
            calibration: monitor.calibration.unwrap_or(self.calibration),
            threshold: monitor.confidence_threshold,
        })
    }
}
