//! From what a model saw to a verdict about one condition.
//!
//! Owns labels, zones, counting and calibration; refuses to know which model saw it, and what a verdict leads to
//! (`condition` does). Pure.

mod calibrated;
mod labelled;
mod worded;

pub use calibrated::{calibrated, probability};
pub use labelled::{Labelled, contains};
pub use worded::{LEAST_ANSWER_MASS, Worded};

use crate::verdict::{Answer, Verdict};

/// What a model saw on one frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// One score per label, 0 to 1, in the order of the labels.
    Scores(Vec<f32>),
    /// Things, best first.
    Detections(Vec<Detection>),
    /// The answer to one question.
    Answered(Scored),
    /// The model's numbers aren't numbers: every condition abstains.
    NotANumber,
}

/// One thing that a detector saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// Index into the model's labels.
    pub label: usize,
    /// 0 to 1, before calibration.
    pub score: f32,
    /// `[x1, y1, x2, y2]`, normalised to the frame, origin top left.
    pub bounds: [f32; 4],
}

impl Detection {
    /// Where it stands: the middle of its lower edge.
    pub fn foot(&self) -> [f32; 2] {
        [(self.bounds[0] + self.bounds[2]) / 2.0, self.bounds[3]]
    }
}

/// What a model that reads said to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// A logit: above 0 it leans to yes. NaN: the model gave no number.
    pub z: f32,
    /// The share of the model's probability that was on yes or no, 0 to 1 (vlm).
    pub answer_mass: Option<f32>,
    /// In the model's words, where it was asked to explain.
    pub explanation: Option<String>,
}

/// What a monitor asks, and from when on that is a yes.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Of a model that knows labels.
    Labels(Labelled),
    /// Of a model that reads.
    Words(Worded),
}

impl Question {
    /// The verdict on what was seen. A question of the other kind than what was seen abstains.
    pub fn judge(&self, seen: &Seen) -> Verdict {
        match (self, seen) {
            (Question::Labels(question), Seen::Scores(scores)) => question.judge_scores(scores),
            (Question::Labels(question), Seen::Detections(detections)) => question.judge_detections(detections),
            (Question::Words(question), Seen::Answered(scored)) => question.judge(scored),
            _ => abstain("the model gave no number".to_owned()),
        }
    }
}

fn abstain(explanation: String) -> Verdict {
    Verdict { confidence: 0.0, answer: Answer::Abstain, explanation, regions: Vec::new(), z: None, answer_mass: None }
}

#[cfg(test)]
mod tests;
