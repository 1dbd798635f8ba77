//! Zero-shot models (CLIP, MobileCLIP, SigLIP, SigLIP 2): how much a picture is like one set of descriptions rather than
//! another.
//!
//! Owns the family: its two graphs, its tokenizer, its prompts and what a likeness is worth as a logit. Refuses to know
//! frames, zones (a picture is whatever part of a frame it was made of) and confidences (`judge`). Any number of questions
//! about a picture cost one run of the vision model; the text model is only loaded for descriptions that it has not read
//! before. Runs on the model's thread. Sources: contracts/models.md ("zero-shot"), transformers' `CLIPModel` and
//! `SiglipModel`.

mod direction;
mod outputs;
mod phrasing;
mod problem;
mod store;
mod style;
mod text;
mod texts;
mod tokens;
mod vision;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

pub use phrasing::Prompts;
pub use problem::ZeroShotError;
pub use text::TextModel;
pub use tokens::{Ids, TextProblem, Tokens};

use self::direction::{likeness, middle};
use self::store::Store;
use self::texts::Texts;
use self::vision::Vision;
use super::{Asked, Engine, Findings, Folder, PromptSets, RunError, Rung, Runtime, Tensor, Work, manifest};
use crate::judge::Scored;

/// A zero-shot model, ready to run.
pub struct ZeroShot {
    vision: Vision,
    texts: Texts,
    tokens: Arc<Tokens>,
    width: usize,
    scale: f64,
    bias: f64,
    /// What has been asked before.
    compared: HashMap<Arc<PromptSets>, Arc<Compared>>,
}

/// Prompt sets as directions.
#[derive(Debug)]
struct Compared {
    positive: Vec<f32>,
    negative: Option<Vec<f32>>,
}

/// A site asks a few questions; beyond this many the memory starts anew.
const MOST_COMPARED: usize = 1000;

/// What had to be switched off to load the two graphs.
pub struct Rungs {
    /// Of the vision model.
    pub vision: Rung,
    /// Of the text model; None: it was not loaded, because its trial is remembered.
    pub text: Option<Rung>,
}

impl ZeroShot {
    /// Opens the model of `folder` on `threads` threads (0: one per core) and tries both halves. Vectors of descriptions are
    /// remembered below `cache`.
    ///
    /// # Errors
    /// Everything that would keep it from answering later.
    pub fn open(
        runtime: Arc<Runtime>,
        folder: &Folder,
        of: &manifest::ZeroShot,
        cache: &Path,
        threads: usize,
    ) -> Result<(ZeroShot, Rungs), ZeroShotError> {
        let length = of.length.map(|length| length as usize);
        let tokens = Arc::new(Tokens::open(&folder.file(&of.tokenizer), &of.style, length)?);
        let (mut vision, vision_rung) =
            Vision::open(&runtime, &folder.file(&of.vision_model), folder.manifest.input.size, threads)?;
        let width = vision.try_out()?;
        let length = tokens.length().to_string();
        let store = Store::new(cache, &[&of.text_model.sha256, &of.tokenizer.sha256, &of.style, &length]);
        let path = folder.file(&of.text_model);
        let (texts, text, text_rung) = Texts::open(runtime, path.clone(), tokens.clone(), store, threads, width)?;
        if text != width {
            let (text_file, vision_file) = (outputs::file_name(&path), vision.file().to_owned());
            return Err(ZeroShotError::Widths { text_file, text, vision_file, vision: width });
        }
        let (scale, bias) = (f64::from(of.logit_scale), f64::from(of.logit_bias));
        let model = ZeroShot { vision, texts, tokens, width, scale, bias, compared: HashMap::new() };
        Ok((model, Rungs { vision: vision_rung, text: text_rung }))
    }

    /// What makes questions ready for it, on the caller's thread.
    pub fn prompts(&self) -> Prompts {
        Prompts::of(self.tokens.clone(), self.bias as f32)
    }

    /// The direction of each picture.
    ///
    /// # Errors
    /// Whatever ONNX Runtime says.
    pub fn pictures(&mut self, pictures: &[Tensor]) -> Result<Vec<Vec<f32>>, RunError> {
        self.vision.look(pictures)
    }

    /// The direction of a description.
    ///
    /// # Errors
    /// Whatever ONNX Runtime says.
    pub fn description(&mut self, prompt: &str) -> Result<Vec<f32>, RunError> {
        self.texts.direction(prompt, self.width)
    }

    fn compared(&mut self, sets: &Arc<PromptSets>) -> Result<Arc<Compared>, RunError> {
        if let Some(known) = self.compared.get(sets) {
            return Ok(known.clone());
        }
        let mut directions = |prompts: &[String]| {
            let all = prompts.iter().map(|prompt| self.texts.direction(prompt, self.width));
            all.collect::<Result<Vec<_>, _>>().map(|all| middle(&all))
        };
        let (positive, negative) = (directions(&sets.positive)?, directions(&sets.negative)?);
        let positive = positive.ok_or_else(|| RunError("there is nothing to compare a picture with".to_owned()))?;
        if self.compared.len() >= MOST_COMPARED {
            self.compared.clear();
        }
        let compared = Arc::new(Compared { positive, negative });
        self.compared.insert(sets.clone(), compared.clone());
        Ok(compared)
    }

    /// `z = scale * (cos⁺ - cos⁻)`; without negatives `scale * cos⁺ + bias`, SigLIP's own logit.
    fn score(&self, view: &[f32], Compared { positive, negative }: &Compared) -> Scored {
        let like = likeness(view, positive);
        let (z, explanation) = match negative {
            Some(negative) => {
                let unlike = likeness(view, negative);
                let words = format!("likeness {like:.3} to what is looked for, {unlike:.3} to the negatives");
                (self.scale * (like - unlike), words)
            }
            None => (self.scale * like + self.bias, format!("likeness {like:.3} to what is looked for")),
        };
        Scored { z: z as f32, answer_mass: None, explanation: Some(explanation) }
    }
}

impl Engine for ZeroShot {
    fn examine(&mut self, work: &Work) -> Result<Findings, RunError> {
        let views = self.vision.look(&work.pictures)?;
        let mut scored = Vec::with_capacity(work.asked.len());
        for asked in &work.asked {
            let Asked::Prompts { sets, picture, .. } = asked else {
                return Err(RunError("it compares, and was asked a question".to_owned()));
            };
            let view = views.get(*picture).ok_or_else(|| RunError("there is no picture".to_owned()))?;
            let compared = self.compared(sets)?;
            scored.push(self.score(view, &compared));
        }
        self.texts.rest();
        Ok(Findings::Scored(scored))
    }
}
