//! Calibration: from a model's own certainty to a confidence (contracts/models.md, "Calibration").
//!
//! Owns the formula, there and back; refuses to know how temperature and bias were fitted. Pure.

use crate::config::Calibration;

/// Scores are kept this far from 0 and 1, where a logit has no value.
const EDGE: f64 = 1e-6;

/// `ln(p / (1 - p))`, kept finite.
pub(super) fn logit(score: f32) -> f64 {
    let score = f64::from(score).clamp(EDGE, 1.0 - EDGE);
    (score / (1.0 - score)).ln()
}

/// Platt scaling: `sigmoid(logit(score) / temperature + bias)`.
pub fn calibrated(score: f32, calibration: Calibration) -> f32 {
    sigmoid(logit(score), calibration)
}

/// Platt scaling of a logit: `sigmoid(z / temperature + bias)`.
pub fn probability(z: f32, calibration: Calibration) -> f32 {
    sigmoid(f64::from(z), calibration)
}

/// The logit from which on [`probability`] reaches `confidence`.
pub(super) fn needed(confidence: f32, calibration: Calibration) -> f32 {
    ((logit(confidence) - f64::from(calibration.bias)) * f64::from(calibration.temperature)) as f32
}

fn sigmoid(z: f64, calibration: Calibration) -> f32 {
    let z = z / f64::from(calibration.temperature) + f64::from(calibration.bias);
    (1.0 / (1.0 + (-z).exp())) as f32
}
