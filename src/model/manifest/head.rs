//! `[output]` of models that know labels: how their numbers are read.
//!
//! Owns the names of the heads and what each lets one say; refuses to know numbers (the heads themselves do).

use serde::Deserialize;

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
    /// Detector: boxes of anchors, as YOLOv5, v8, v9 and v11 export them.
    Yolov8(Detect),
    /// Detector: NanoDet's scores and bins of distances.
    Nanodet(Detect),
    /// Detector: UltraFace's scores, the background's first, and boxes.
    Ultraface(Detect),
    /// Detector: boxes as corners, decoded by the graph.
    Boxes(Detect, Coordinates),
    /// Detector: RT-DETR's and D-FINE's logits and boxes of queries.
    Detr(Detect),
}

impl Head {
    /// As in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Head::Softmax => "softmax",
            Head::Sigmoid => "sigmoid",
            Head::Probabilities => "probabilities",
            Head::Yolox(_) => "yolox",
            Head::Yolov8(_) => "yolov8",
            Head::Nanodet(_) => "nanodet",
            Head::Ultraface(_) => "ultraface",
            Head::Boxes(..) => "boxes",
            Head::Detr(_) => "detr",
        }
    }

    /// Classifier or detector.
    pub fn family(self) -> Family {
        if self.detect().is_some() { Family::Detector } else { Family::Classifier }
    }

    /// What detections are kept; None: it is a classifier's head.
    pub fn detect(self) -> Option<Detect> {
        match self {
            Head::Softmax | Head::Sigmoid | Head::Probabilities => None,
            Head::Yolox(detect)
            | Head::Yolov8(detect)
            | Head::Nanodet(detect)
            | Head::Ultraface(detect)
            | Head::Boxes(detect, _)
            | Head::Detr(detect) => Some(detect),
        }
    }
}

/// What detections are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detect {
    /// Above this score, 0 to 1.
    pub score_threshold: f32,
    /// Of two boxes of a label that overlap by more, the better one; 0 to 1, where 1 keeps all.
    pub nms_iou: f32,
}

/// What the coordinates of the `boxes` head count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coordinates {
    /// Pixels of the model's input.
    #[default]
    Pixels,
    /// Shares of its width and height.
    Normalised,
}

pub(super) const HEADS: &str = "`softmax`, `sigmoid`, `probabilities`, `yolox`, `yolov8`, `nanodet`, `ultraface`, \
                                `boxes` and `detr`";

/// The head that `output` names, which must be one of `family`.
pub(super) fn head(output: &Output, family: Family) -> Result<Head, ManifestError> {
    let detect = |score_threshold, nms_iou| Detect {
        score_threshold: output.score_threshold.unwrap_or(score_threshold),
        nms_iou: output.nms_iou.unwrap_or(nms_iou),
    };
    // The defaults are those that each head's source uses.
    let head = match output.head.as_str() {
        "softmax" => Head::Softmax,
        "sigmoid" => Head::Sigmoid,
        "probabilities" => Head::Probabilities,
        "yolox" => Head::Yolox(detect(0.3, 0.45)),
        "yolov8" => Head::Yolov8(detect(0.25, 0.45)),
        "nanodet" => Head::Nanodet(detect(0.4, 0.5)),
        "ultraface" => Head::Ultraface(detect(0.7, 0.3)),
        "boxes" => Head::Boxes(detect(0.3, 1.0), output.coordinates.unwrap_or_default()),
        "detr" => Head::Detr(detect(0.5, 1.0)),
        _ => return Err(ManifestError::Unknown { what: "head", value: output.head.clone(), known: HEADS }),
    };
    if head.family() != family {
        let (head, of) = (head.as_str(), head.family().as_str());
        return Err(ManifestError::HeadOfOtherFamily { head, of, family: family.as_str() });
    }
    check(output, head)?;
    Ok(head)
}

fn check(output: &Output, head: Head) -> Result<(), ManifestError> {
    let wrong = |key: &str, must| Err(ManifestError::Value { key: format!("[output] {key}"), must });
    for (key, value) in [("score_threshold", output.score_threshold), ("nms_iou", output.nms_iou)] {
        match value {
            Some(_) if head.detect().is_none() => return wrong(key, "left out by a classifier"),
            Some(value) if !(0.0..=1.0).contains(&value) => return wrong(key, "a number from 0 to 1"),
            _ => {}
        }
    }
    match head {
        Head::Detr(_) if output.nms_iou.is_some() => {
            wrong("nms_iou", "left out by head `detr`, whose boxes are no duplicates")
        }
        Head::Boxes(..) => Ok(()),
        _ if output.coordinates.is_some() => wrong("coordinates", "left out by all heads but `boxes`"),
        _ => Ok(()),
    }
}
