//! Questions to models that know labels: any of them, so many, and where.
//!
//! Owns zones, counting and the words for what was counted; refuses to know models. Pure.

use super::calibrated::logit;
use super::{Detection, abstain, calibrated};
use crate::config::Calibration;
use crate::verdict::{Answer, Region, Verdict};

/// What is asked of a model that knows labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// Any of them, as the model spells them, with their indices among the model's labels.
    pub labels: Vec<(usize, String)>,
    /// Normalised polygon, empty for the whole frame.
    pub zone: Vec<[f32; 2]>,
    /// The confidence is the n-th best score, at least 1.
    pub min_count: u32,
    /// The monitor's own, or the model's.
    pub calibration: Calibration,
    /// Yes from here, 0 to 1.
    pub threshold: f32,
}

impl Labelled {
    /// `confidence` is the calibrated n-th best score among the labels, 0 when there are fewer; `z` is that score's logit.
    pub(super) fn judge_scores(&self, scores: &[f32]) -> Verdict {
        let score = |index: usize| scores.get(index).copied().unwrap_or(f32::NAN);
        let mut asked: Vec<(f32, &str)> =
            self.labels.iter().map(|(index, label)| (score(*index), label.as_str())).collect();
        if asked.iter().any(|(score, _)| score.is_nan()) {
            return abstain("the model gave no number".to_owned());
        }
        asked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let needed = self.nth();
        let words: Vec<String> = asked
            .iter()
            .take(needed + 1)
            .map(|(score, label)| format!("{label} {:.2}", calibrated(*score, self.calibration)))
            .collect();
        self.verdict(asked.get(needed).map(|(score, _)| *score), words.join(", "), Vec::new())
    }

    /// As [`Labelled::judge_scores`], among what stands in the zone. Words and confidence agree; regions carry the scores
    /// that the model gave.
    pub(super) fn judge_detections(&self, detections: &[Detection]) -> Verdict {
        let label_of = |detection: &Detection| self.labels.iter().find(|(index, _)| *index == detection.label);
        let mut qualifying: Vec<(&Detection, &str)> = detections
            .iter()
            .filter_map(|detection| label_of(detection).map(|(_, label)| (detection, label.as_str())))
            .filter(|(detection, _)| self.zone.len() < 3 || contains(&self.zone, detection.foot()))
            .collect();
        if qualifying.iter().any(|(detection, _)| detection.score.is_nan()) {
            return abstain("the model gave no number".to_owned());
        }
        qualifying.sort_by(|a, b| b.0.score.total_cmp(&a.0.score));
        let score = qualifying.get(self.nth()).map(|(detection, _)| detection.score);
        qualifying.retain(|(detection, _)| calibrated(detection.score, self.calibration) >= self.threshold);
        let regions = qualifying
            .iter()
            .map(|(seen, label)| Region { label: (*label).to_owned(), score: seen.score, bounds: seen.bounds })
            .collect();
        let words = self.count_in_words(&qualifying);
        self.verdict(score, words, regions)
    }

    fn nth(&self) -> usize {
        self.min_count.max(1) as usize - 1
    }

    fn verdict(&self, score: Option<f32>, explanation: String, regions: Vec<Region>) -> Verdict {
        let confidence = score.map_or(0.0, |score| calibrated(score, self.calibration));
        let answer = if score.is_some() && confidence >= self.threshold { Answer::Yes } else { Answer::No };
        let z = score.map(|score| logit(score) as f32);
        Verdict { confidence, answer, explanation, regions, z, answer_mass: None }
    }

    /// "2 persons in the zone, 0.91 and 0.84"; "no person in the zone".
    fn count_in_words(&self, seen: &[(&Detection, &str)]) -> String {
        let place = if self.zone.len() < 3 { "" } else { " in the zone" };
        if seen.is_empty() {
            let labels: Vec<String> = self.labels.iter().map(|(_, label)| label.clone()).collect();
            return format!("no {}{place}", joined(&labels, "or"));
        }
        let counts: Vec<String> = self
            .labels
            .iter()
            .map(|(_, label)| (seen.iter().filter(|(_, of)| of == label).count(), label))
            .filter(|(count, _)| *count > 0)
            .map(|(count, label)| if count == 1 { format!("1 {label}") } else { format!("{count} {}", plural(label)) })
            .collect();
        let mut scores: Vec<String> = seen
            .iter()
            .take(SCORES_IN_WORDS)
            .map(|(detection, _)| format!("{:.2}", calibrated(detection.score, self.calibration)))
            .collect();
        if seen.len() > SCORES_IN_WORDS {
            scores.push(format!("{} more", seen.len() - SCORES_IN_WORDS));
        }
        format!("{}{place}, {}", joined(&counts, "and"), joined(&scores, "and"))
    }
}

/// An explanation that lists a crowd's scores explains nothing.
const SCORES_IN_WORDS: usize = 4;

/// "a", "a and b", "a, b and c".
fn joined(parts: &[String], word: &str) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} {word} {last}", most.join(", ")),
    }
}

/// English plurals of labels, COCO's among them.
pub(super) fn plural(label: &str) -> String {
    let vowel_before_y = |stem: &str| stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    match label {
        "sheep" | "skis" | "scissors" | "broccoli" => label.to_owned(),
        "mouse" => "mice".to_owned(),
        "knife" => "knives".to_owned(),
        _ => match label.strip_suffix('y') {
            Some(stem) if !vowel_before_y(stem) => format!("{stem}ies"),
            _ if label.ends_with(['s', 'x', 'z']) || label.ends_with("ch") || label.ends_with("sh") => {
                format!("{label}es")
            }
            _ => format!("{label}s"),
        },
    }
}

/// Whether `point` lies in `polygon` or on its edge (even-odd rule).
pub fn contains(polygon: &[[f32; 2]], point: [f32; 2]) -> bool {
    let [x, y] = point.map(f64::from);
    let mut inside = false;
    for (index, &from) in polygon.iter().enumerate() {
        let [x1, y1] = from.map(f64::from);
        let [x2, y2] = polygon[(index + 1) % polygon.len()].map(f64::from);
        let side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1);
        let between = x >= x1.min(x2) && x <= x1.max(x2) && y >= y1.min(y2) && y <= y1.max(y2);
        if side.abs() < 1e-9 && between {
            return true;
        }
        if (y1 > y) != (y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1 {
            inside = !inside;
        }
    }
    inside
}
