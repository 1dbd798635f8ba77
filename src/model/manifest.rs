//! `manifest.toml`: what a model's folder says about itself.
//!
//! Owns the file's grammar and its checks; refuses to read files, to hash them and to know what computes.

mod head;
mod problem;
mod written;

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::catalogue;
use crate::config::Calibration;
use crate::name::Name;
use crate::picture::{Input, Resize};

pub use head::{Coordinates, Detect, Head};
pub use problem::ManifestError;

/// A checked `manifest.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What the model calls itself.
    pub name: Name,
    /// For people.
    pub licence: String,
    /// Where its files come from; for people, and for `models pull`.
    pub source: String,
    /// What it is fed.
    pub input: Input,
    /// `[calibration]`
    pub calibration: Calibration,
    /// What its family needs.
    pub kind: Kind,
}

/// What a family needs beyond what all have.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Classifiers and detectors.
    Labelled(Labelled),
    /// CLIP and SigLIP.
    ZeroShot(ZeroShot),
    /// Vision language models.
    Vlm(Vlm),
}

/// A model that knows labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// The file that computes.
    pub model: FileEntry,
    /// One label a line, the line number (from 0) is the index.
    pub labels: FileEntry,
    /// How its numbers are read.
    pub head: Head,
}

/// A model that compares pictures with descriptions.
#[derive(Clone, Debug, PartialEq)]
pub struct ZeroShot {
    /// Descriptions to vectors.
    pub text_model: FileEntry,
    /// Pictures to vectors.
    pub vision_model: FileEntry,
    /// `tokenizer.json`
    pub tokenizer: FileEntry,
    /// `[prompt] style`: clip, siglip or siglip2.
    pub style: String,
    /// `[prompt] length`: the most tokens of a description; None: as the style has it.
    pub length: Option<u32>,
    /// A similarity becomes a logit by this factor ...
    pub logit_scale: f32,
    /// ... and this summand (SigLIP).
    pub logit_bias: f32,
}

/// A model that answers questions.
#[derive(Clone, Debug, PartialEq)]
pub struct Vlm {
    /// Pictures to features.
    pub vision_encoder: FileEntry,
    /// Token ids to embeddings.
    pub embed_tokens: FileEntry,
    /// Embeddings to logits, with a KV cache.
    pub decoder: FileEntry,
    /// `tokenizer.json`
    pub tokenizer: FileEntry,
    /// `generation_config.json`, which knows some of the ids that end an answer.
    pub generation_config: Option<FileEntry>,
    /// `[prompt] style`: smolvlm.
    pub style: String,
    /// `[prompt] image_tokens`: how many tokens stand for a picture.
    pub image_tokens: u32,
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

/// What kind of model it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// One score per label for the whole picture.
    Classifier,
    /// Boxes.
    Detector,
    /// A likeness between the picture, or a part of it, and descriptions.
    ZeroShot,
    /// Answers to questions.
    Vlm,
}

impl Family {
    const ALL: [Family; 4] = [Family::Classifier, Family::Detector, Family::ZeroShot, Family::Vlm];

    /// As in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Family::Classifier => "classifier",
            Family::Detector => "detector",
            Family::ZeroShot => "zero-shot",
            Family::Vlm => "vlm",
        }
    }

    /// Whether it reads conditions, and knows no labels.
    pub fn reads(self) -> bool {
        matches!(self, Family::ZeroShot | Family::Vlm)
    }
}

const FAMILIES: &str = "`classifier`, `detector`, `zero-shot` and `vlm`";

impl Manifest {
    /// Reads the text of a `manifest.toml`.
    pub fn parse(text: &str) -> Result<Manifest, ManifestError> {
        let family = family(&read::<written::Kind>(text)?.family)?;
        let manifest = match family {
            Family::Classifier | Family::Detector => labelled(read(text)?, family)?,
            Family::ZeroShot => zero_shot(read(text)?),
            Family::Vlm => vlm(read(text)?),
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// What kind of model it is.
    pub fn family(&self) -> Family {
        match &self.kind {
            Kind::Labelled(labelled) => labelled.head.family(),
            Kind::ZeroShot(_) => Family::ZeroShot,
            Kind::Vlm(_) => Family::Vlm,
        }
    }

    /// Every file that it names, by its key in `[files]`.
    pub fn files(&self) -> Vec<(&'static str, &FileEntry)> {
        match &self.kind {
            Kind::Labelled(of) => vec![("model", &of.model), ("labels", &of.labels)],
            Kind::ZeroShot(of) => {
                vec![("text_model", &of.text_model), ("vision_model", &of.vision_model), ("tokenizer", &of.tokenizer)]
            }
            Kind::Vlm(of) => {
                let always = [
                    ("vision_encoder", &of.vision_encoder),
                    ("embed_tokens", &of.embed_tokens),
                    ("decoder", &of.decoder),
                    ("tokenizer", &of.tokenizer),
                ];
                let also = of.generation_config.iter().map(|file| ("generation_config", file));
                always.into_iter().chain(also).collect()
            }
        }
    }

    fn check(&self) -> Result<(), ManifestError> {
        let require = |holds: bool, key: &str, must| {
            if holds { Ok(()) } else { Err(ManifestError::Value { key: key.to_owned(), must }) }
        };
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let Manifest { input, calibration, .. } = self;
        let sizes = input.size.iter().all(|side| (1..=MAX_SIDE).contains(side));
        require(sizes, "[input] size", "two numbers from 1 to 4096, width first")?;
        let most = input.size[0].max(input.size[1])..=MAX_SIDE;
        let short_side = input.short_side.is_none_or(|side| input.resize == Resize::Crop && most.contains(&side));
        let must = "left out, or with `resize = \"crop\"` at least as long as `size`";
        require(short_side, "[input] short_side", must)?;
        require((0.0..=255.0).contains(&input.pad), "[input] pad", "a number from 0 to 255")?;
        require(input.scale.is_finite() && input.scale != 0.0, "[input] scale", "a number other than 0")?;
        require(finite(&input.mean), "[input] mean", "three numbers")?;
        require(finite(&input.std) && !input.std.contains(&0.0), "[input] std", "three numbers other than 0")?;
        let temperature = calibration.temperature;
        require(temperature.is_finite() && temperature > 0.0, "[calibration] temperature", "a number above 0")?;
        require(calibration.bias.is_finite(), "[calibration] bias", "a number")?;
        match &self.kind {
            Kind::Labelled(_) => {}
            Kind::ZeroShot(of) => {
                let scale = of.logit_scale.is_finite() && of.logit_scale > 0.0;
                require(scale, "[output] logit_scale", "a number above 0")?;
                require(of.logit_bias.is_finite(), "[output] logit_bias", "a number")?;
                require(of.length.is_none_or(|length| length > 2), "[prompt] length", "at least 3")?;
            }
            Kind::Vlm(of) => require((1..=MAX_SIDE).contains(&of.image_tokens), "[prompt] image_tokens", "1 to 4096")?,
        }
        for (key, entry) in self.files() {
            let inside = entry.path.to_str().is_some_and(catalogue::stays_inside);
            let must = "a path within the model's folder, plainly written and without \\, ?, # and %";
            require(inside, &format!("[files] {key}.path"), must)?;
            let hash = format!("[files] {key}.sha256");
            require(catalogue::is_sha256(&entry.sha256), &hash, "64 lower-case hexadecimal digits")?;
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, ManifestError> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        ManifestError::Syntax { line, message: error.message().replace('\n', ", ") }
    })
}

fn family(written: &str) -> Result<Family, ManifestError> {
    let found = Family::ALL.into_iter().find(|family| family.as_str() == written);
    found.ok_or_else(|| ManifestError::Unknown { what: "family", value: written.to_owned(), known: FAMILIES })
}

fn labelled(written: written::Labelled, family: Family) -> Result<Manifest, ManifestError> {
    let written::Labelled { name, licence, source, files, input, output, calibration, .. } = written;
    let head = head::head(&output, family)?;
    let kind = Kind::Labelled(Labelled { model: files.model, labels: files.labels, head });
    Ok(Manifest { name, licence, source, input: fed(input), calibration: fitted(&calibration), kind })
}

fn zero_shot(written: written::ZeroShot) -> Manifest {
    let written::ZeroShot { name, licence, source, files, input, prompt, output, calibration, .. } = written;
    let kind = Kind::ZeroShot(ZeroShot {
        text_model: files.text_model,
        vision_model: files.vision_model,
        tokenizer: files.tokenizer,
        style: prompt.style,
        length: prompt.length,
        logit_scale: output.logit_scale,
        logit_bias: output.logit_bias,
    });
    Manifest { name, licence, source, input: fed(input), calibration: fitted(&calibration), kind }
}

fn vlm(written: written::Vlm) -> Manifest {
    let written::Vlm { name, licence, source, files, input, prompt, calibration, .. } = written;
    let kind = Kind::Vlm(Vlm {
        vision_encoder: files.vision_encoder,
        embed_tokens: files.embed_tokens,
        decoder: files.decoder,
        tokenizer: files.tokenizer,
        generation_config: files.generation_config,
        style: prompt.style,
        image_tokens: prompt.image_tokens,
    });
    Manifest { name, licence, source, input: fed(input), calibration: fitted(&calibration), kind }
}

fn fed(written: written::Input) -> Input {
    let written::Input { size, resize, filter, short_side, pad, color, scale, mean, std } = written;
    Input { size, resize, filter, short_side, pad, color, scale, mean, std }
}

fn fitted(written: &written::Calibration) -> Calibration {
    Calibration { temperature: written.temperature, bias: written.bias }
}

/// The largest side of an input: beyond it a typing error is likelier than a model.
const MAX_SIDE: u32 = 4096;

#[cfg(test)]
mod tests;
