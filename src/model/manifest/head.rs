//! `[output]` of models that know labels: how their numbers are read.
//!
//! Owns the names of the heads and what each lets one say; refuses to know numbers (the heads themselves do).

use super::written::Output;
use super::{Family, ManifestError};

/// How a model's numbers are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Head {
    /// Classifier: logits, exactly one label holds.
    Softmax,
    /// Classifier: logits, any number of labels hold.
    Sigmoid,
    /// Classifier: scores from 0 to 1 already.
    Probabilities,
    /// Detector: YOLOX's raw grid.
    Yolox(Detect),
}

impl Head {
    /// As in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Head::Softmax => "softmax",
            Head::Sigmoid => "sigmoid",
            Head::Probabilities => "probabilities",
            Head::Yolox(_) => "yolox",
        }
    }

    /// Classifier or detector.
    pub fn family(self) -> Family {
        match self {
            Head::Softmax | Head::Sigmoid | Head::Probabilities => Family::Classifier,
            Head::Yolox(_) => Family::Detector,
        }
    }
}

/// What detections are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detect {
    /// Above this score, 0 to 1.
    pub score_threshold: f32,
    /// Of two boxes of a label that overlap by more, the better one; 0 to 1.
    pub nms_iou: f32,
}

pub(super) const HEADS: &str = "`softmax`, `sigmoid`, `probabilities` and `yolox`";

/// The head that `output` names, which must be one of `family`.
pub(super) fn head(output: &Output, family: Family) -> Result<Head, ManifestError> {
    let value = output.head.clone();
    let head = match output.head.as_str() {
        "softmax" => Head::Softmax,
        "sigmoid" => Head::Sigmoid,
        "probabilities" => Head::Probabilities,
        "yolox" => Head::Yolox(Detect {
            score_threshold: output.score_threshold.unwrap_or(0.3),
            nms_iou: output.nms_iou.unwrap_or(0.45),
        }),
        "yolov8" | "nanodet" | "detr" | "ultraface" | "boxes" => {
            return Err(ManifestError::NotYet { what: "head", value, known: HEADS });
        }
        _ => return Err(ManifestError::Unknown { what: "head", value, known: HEADS }),
    };
    if head.family() != family {
        let (head, of) = (head.as_str(), head.family().as_str());
        return Err(ManifestError::HeadOfOtherFamily { head, of, family: family.as_str() });
    }
    for (key, value) in [("[output] score_threshold", output.score_threshold), ("[output] nms_iou", output.nms_iou)] {
        let Some(value) = value else { continue };
        let wrong = |must| Err(ManifestError::Value { key: key.to_owned(), must });
        match family {
            Family::Detector if (0.0..=1.0).contains(&value) => {}
            Family::Detector => return wrong("a number from 0 to 1"),
            _ => return wrong("left out by a classifier"),
        }
    }
    Ok(head)
}
