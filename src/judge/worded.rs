//! Questions in words: from a logit to a verdict, or to no verdict at all.
//!
//! Owns when an answer counts, and what is said where the model explained nothing; refuses to know models. Pure.

use super::calibrated::needed;
use super::{Scored, abstain, probability};
use crate::config::Calibration;
use crate::verdict::{Answer, Verdict};

/// Below this share of its probability on yes or no the model has answered something else: it abstains
/// (contracts/models.md, "Verdict").
pub const LEAST_ANSWER_MASS: f32 = 0.5;

/// What is asked of a model that reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Worded {
    /// The monitor's own, or the model's.
    pub calibration: Calibration,
    /// Yes from here, 0 to 1.
    pub threshold: f32,
}

impl Worded {
    /// `confidence` is the calibrated `z`; an answer that is neither yes nor no abstains, and keeps its numbers.
    pub(super) fn judge(&self, scored: &Scored) -> Verdict {
        let Scored { z, answer_mass, .. } = *scored;
        if !z.is_finite() || answer_mass.is_some_and(f32::is_nan) {
            return abstain("the model gave no number".to_owned());
        }
        if let Some(mass) = answer_mass.filter(|mass| *mass < LEAST_ANSWER_MASS) {
            let explanation = format!("the model answered neither yes nor no (only {mass:.2} of its answer)");
            return Verdict { z: Some(z), answer_mass, ..abstain(explanation) };
        }
        let confidence = probability(z, self.calibration);
        let answer = if confidence >= self.threshold { Answer::Yes } else { Answer::No };
        let explanation = scored.explanation.clone().unwrap_or_else(|| format!("{}, {confidence:.2}", answer.as_str()));
        Verdict { confidence, answer, explanation, regions: Vec::new(), z: Some(z), answer_mass }
    }

    /// The `z` from which on the confidence is at least `confidence`.
    pub fn z_of(&self, confidence: f32) -> f32 {
        needed(confidence, self.calibration)
    }
}
