//! What a check said.
//!
//! Owns the answer of a model about one condition on one frame; refuses to know models, cameras and thresholds.

use serde::{Deserialize, Serialize};

/// The answer to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It holds.
    Yes,
    /// It does not hold.
    No,
    /// The model was unsure, failed, or produced no number; never counted as "no".
    Abstain,
}

impl Answer {
    /// As in payloads and JSON lines: `yes`, `no`, `abstain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::Abstain => "abstain",
        }
    }
}

/// A part of the picture that supports a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// One of the model's labels.
    pub label: String,
    /// 0 to 1.
    pub score: f32,
    /// `[x1, y1, x2, y2]`, normalised to the frame, origin top left.
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
}

/// One evaluation of one condition on one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Calibrated, 0 to 1; 0 when the model abstained.
    pub confidence: f32,
    /// What the model answered.
    pub answer: Answer,
    /// In words, for people.
    pub explanation: String,
    /// What supports it; empty for models that see the picture as a whole.
    pub regions: Vec<Region>,
    /// The score before calibration (a logit), kept so that events can be recalibrated.
    pub z: Option<f32>,
    /// The share of the model's probability that was on yes or no (VLMs).
    pub answer_mass: Option<f32>,
}

/// Rounds a score to the four decimals that payloads carry: an `f32` must not print as `0.9100000262`.
pub fn rounded(score: f32) -> f64 {
    (f64::from(score) * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_print_with_four_decimals_at_most() {
        assert_eq!(serde_json::to_string(&rounded(0.91_f32)).unwrap(), "0.91");
        assert_eq!(serde_json::to_string(&rounded(1.0 / 3.0)).unwrap(), "0.3333");
        assert_eq!(serde_json::to_string(&rounded(1.0)).unwrap(), "1.0");
    }
}
