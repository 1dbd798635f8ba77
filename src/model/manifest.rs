//! `manifest.toml`: what a model's folder says about itself.
//!
//! Owns the file's grammar and its checks; refuses to read files, to hash them and to know what computes.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::config::Calibration;
use crate::name::Name;
use crate::picture::{ColorOrder, Filter, Input, Resize};

/// A checked `manifest.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What the model calls itself.
    pub name: Name,
    /// For people.
    pub licence: String,
    /// Where its files come from; for people, and for `models pull`.
    pub source: String,
    /// The file that computes.
    pub model: FileEntry,
    /// One label a line, the line number (from 0) is the index.
    pub labels: FileEntry,
    /// What it is fed.
    pub input: Input,
    /// How its numbers are read.
    pub head: Head,
    /// `[calibration]`
    pub calibration: Calibration,
}

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Relative to the folder.
    pub path: PathBuf,
    /// Lower-case hex.
    pub sha256: String,
}

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

/// What kind of model it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// One score per label for the whole picture.
    Classifier,
    /// Boxes.
    Detector,
}

impl Family {
    /// As in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Family::Classifier => "classifier",
            Family::Detector => "detector",
        }
    }
}

/// Why a manifest can't be used. Every message goes on after "model `x`: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, an unknown key, a missing one, a wrong type.
    #[error("`manifest.toml`, line {line}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// The parser's own words; it names the key.
        message: String,
    },
    /// Part of the contract that comes later.
    #[error("`manifest.toml`: {what} `{value}` is not implemented yet; this version knows {known}")]
    NotYet {
        /// `family` or `head`.
        what: &'static str,
        /// As written.
        value: String,
        /// What may be written.
        known: &'static str,
    },
    /// Not part of the contract.
    #[error("`manifest.toml`: unknown {what} `{value}`; this version knows {known}")]
    Unknown {
        /// `family` or `head`.
        what: &'static str,
        /// As written.
        value: String,
        /// What may be written.
        known: &'static str,
    },
    /// Two values that exclude each other.
    #[error("`manifest.toml`: head `{head}` is for a {of}, but the family is `{family}`; correct one of them")]
    HeadOfOtherFamily {
        /// As written.
        head: &'static str,
        /// What it is for.
        of: &'static str,
        /// As written.
        family: &'static str,
    },
    /// A value outside of what makes sense.
    #[error("`manifest.toml`: `{key}` must be {must}")]
    Value {
        /// With its table.
        key: &'static str,
        /// What would be right.
        must: &'static str,
    },
}

const FAMILIES: &str = "`classifier` and `detector`";
const HEADS: &str = "`softmax`, `sigmoid`, `probabilities` and `yolox`";

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Name,
    #[serde(rename = "family")]
    _family: String,
    #[serde(default)]
    licence: String,
    #[serde(default)]
    source: String,
    files: Files,
    input: WrittenInput,
    output: Output,
    #[serde(default)]
    calibration: WrittenCalibration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    model: FileEntry,
    labels: FileEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenInput {
    size: [u32; 2],
    resize: Resize,
    #[serde(default)]
    filter: Filter,
    short_side: Option<u32>,
    #[serde(default)]
    pad: f32,
    color: ColorOrder,
    #[serde(default = "one")]
    scale: f32,
    #[serde(default)]
    mean: [f32; 3],
    #[serde(default = "ones")]
    std: [f32; 3],
}

fn one() -> f32 {
    1.0
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    head: String,
    score_threshold: Option<f32>,
    nms_iou: Option<f32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenCalibration {
    temperature: f32,
    bias: f32,
}

impl Default for WrittenCalibration {
    fn default() -> Self {
        WrittenCalibration { temperature: 1.0, bias: 0.0 }
    }
}

/// Only the family, which decides what else may be written.
#[derive(Deserialize)]
struct Kind {
    family: String,
}

impl Manifest {
    /// Reads the text of a `manifest.toml`.
    pub fn parse(text: &str) -> Result<Manifest, ManifestError> {
        let syntax = |error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            ManifestError::Syntax { line, message: error.message().replace('\n', ", ") }
        };
        let family = family(&toml::from_str::<Kind>(text).map_err(syntax)?.family)?;
        let written: Written = toml::from_str(text).map_err(syntax)?;
        let head = head(&written.output, family)?;
        check(&written, family)?;
        let WrittenInput { size, resize, filter, short_side, pad, color, scale, mean, std } = written.input;
        let WrittenCalibration { temperature, bias } = written.calibration;
        Ok(Manifest {
            name: written.name,
            licence: written.licence,
            source: written.source,
            model: written.files.model,
            labels: written.files.labels,
            input: Input { size, resize, filter, short_side, pad, color, scale, mean, std },
            head,
            calibration: Calibration { temperature, bias },
        })
    }
}

fn family(written: &str) -> Result<Family, ManifestError> {
    let value = written.to_owned();
    match written {
        "classifier" => Ok(Family::Classifier),
        "detector" => Ok(Family::Detector),
        "zero-shot" | "vlm" => Err(ManifestError::NotYet { what: "family", value, known: FAMILIES }),
        _ => Err(ManifestError::Unknown { what: "family", value, known: FAMILIES }),
    }
}

fn head(output: &Output, family: Family) -> Result<Head, ManifestError> {
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
    if head.family() == family {
        return Ok(head);
    }
    Err(ManifestError::HeadOfOtherFamily { head: head.as_str(), of: head.family().as_str(), family: family.as_str() })
}

/// The largest side of an input: beyond it a typing error is likelier than a model.
const MAX_SIDE: u32 = 4096;

fn check(written: &Written, family: Family) -> Result<(), ManifestError> {
    let require = |holds: bool, key, must| if holds { Ok(()) } else { Err(ManifestError::Value { key, must }) };
    let share = |value: Option<f32>| value.is_none_or(|value| (0.0..=1.0).contains(&value));
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    let Written { files, input, output, calibration, .. } = written;
    let sizes = input.size.iter().all(|side| (1..=MAX_SIDE).contains(side));
    require(sizes, "[input] size", "two numbers from 1 to 4096, width first")?;
    let most = input.size[0].max(input.size[1])..=MAX_SIDE;
    let short_side = input.short_side.is_none_or(|side| input.resize == Resize::Crop && most.contains(&side));
    require(short_side, "[input] short_side", "left out, or with `resize = \"crop\"` at least as long as `size`")?;
    require((0.0..=255.0).contains(&input.pad), "[input] pad", "a number from 0 to 255")?;
    require(input.scale.is_finite() && input.scale != 0.0, "[input] scale", "a number other than 0")?;
    require(finite(&input.mean), "[input] mean", "three numbers")?;
    require(finite(&input.std) && !input.std.contains(&0.0), "[input] std", "three numbers other than 0")?;
    require(share(output.score_threshold), "[output] score_threshold", "a number from 0 to 1")?;
    require(share(output.nms_iou), "[output] nms_iou", "a number from 0 to 1")?;
    let temperature = calibration.temperature;
    require(temperature.is_finite() && temperature > 0.0, "[calibration] temperature", "a number above 0")?;
    require(calibration.bias.is_finite(), "[calibration] bias", "a number")?;
    let detector = family == Family::Detector;
    require(detector || output.score_threshold.is_none(), "[output] score_threshold", "left out by a classifier")?;
    require(detector || output.nms_iou.is_none(), "[output] nms_iou", "left out by a classifier")?;
    for (entry, path, hash) in [
        (&files.model, "[files] model.path", "[files] model.sha256"),
        (&files.labels, "[files] labels.path", "[files] labels.sha256"),
    ] {
        require(stays_inside(&entry.path), path, "a path within the model's folder")?;
        require(is_hash(&entry.sha256), hash, "64 lower-case hexadecimal digits")?;
    }
    Ok(())
}

fn stays_inside(path: &Path) -> bool {
    let mut parts = path.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
