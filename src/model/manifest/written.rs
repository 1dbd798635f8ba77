//! `manifest.toml` as it is written, before it is checked.
//!
//! Owns which keys each family has; refuses to know what their values mean.

use serde::Deserialize;

use super::{Coordinates, FileEntry};
use crate::name::Name;
use crate::picture::{ColorOrder, Filter, Resize};

/// Only the family, which decides what else may be written.
#[derive(Deserialize)]
pub(super) struct Kind {
    pub(super) family: String,
}

/// Of models that know labels.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Labelled {
    pub(super) name: Name,
    #[serde(rename = "family")]
    _family: String,
    #[serde(default)]
    pub(super) licence: String,
    #[serde(default)]
    pub(super) source: String,
    pub(super) files: LabelledFiles,
    pub(super) input: Input,
    pub(super) output: Output,
    #[serde(default)]
    pub(super) calibration: Calibration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelledFiles {
    pub(super) model: FileEntry,
    pub(super) labels: FileEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Output {
    pub(super) head: String,
    pub(super) score_threshold: Option<f32>,
    pub(super) nms_iou: Option<f32>,
    pub(super) coordinates: Option<Coordinates>,
}

/// Of models that compare pictures with descriptions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ZeroShot {
    pub(super) name: Name,
    #[serde(rename = "family")]
    _family: String,
    #[serde(default)]
    pub(super) licence: String,
    #[serde(default)]
    pub(super) source: String,
    pub(super) files: ZeroShotFiles,
    pub(super) input: Input,
    pub(super) prompt: ZeroShotPrompt,
    pub(super) output: ZeroShotOutput,
    #[serde(default)]
    pub(super) calibration: Calibration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ZeroShotFiles {
    pub(super) text_model: FileEntry,
    pub(super) vision_model: FileEntry,
    pub(super) tokenizer: FileEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ZeroShotPrompt {
    pub(super) style: String,
    pub(super) length: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ZeroShotOutput {
    pub(super) logit_scale: f32,
    #[serde(default)]
    pub(super) logit_bias: f32,
}

/// Of models that answer questions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vlm {
    pub(super) name: Name,
    #[serde(rename = "family")]
    _family: String,
    #[serde(default)]
    pub(super) licence: String,
    #[serde(default)]
    pub(super) source: String,
    pub(super) files: VlmFiles,
    pub(super) input: Input,
    pub(super) prompt: VlmPrompt,
    #[serde(default)]
    pub(super) calibration: Calibration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VlmFiles {
    pub(super) vision_encoder: FileEntry,
    pub(super) embed_tokens: FileEntry,
    pub(super) decoder: FileEntry,
    pub(super) tokenizer: FileEntry,
    pub(super) generation_config: Option<FileEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VlmPrompt {
    pub(super) style: String,
    pub(super) image_tokens: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    pub(super) size: [u32; 2],
    pub(super) resize: Resize,
    #[serde(default)]
    pub(super) filter: Filter,
    pub(super) short_side: Option<u32>,
    #[serde(default)]
    pub(super) pad: f32,
    pub(super) color: ColorOrder,
    #[serde(default = "one")]
    pub(super) scale: f32,
    #[serde(default)]
    pub(super) mean: [f32; 3],
    #[serde(default = "ones")]
    pub(super) std: [f32; 3],
}

fn one() -> f32 {
    1.0
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Calibration {
    pub(super) temperature: f32,
    pub(super) bias: f32,
}

impl Default for Calibration {
    fn default() -> Self {
        Calibration { temperature: 1.0, bias: 0.0 }
    }
}
