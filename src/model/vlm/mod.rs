//! Vision language models: a picture and questions about it, answered from the logits of yes and no.
//!
//! Owns the engine that composes the parts: look once, keep what was read of the picture, ask every question after it.
//! Refuses to know thresholds and calibration (`judge` does). One abstraction for all published models of the layout "vision
//! encoder + token embeddings + merged decoder": the graphs declare what they are fed, and a family only decides the prompt
//! (`style`), the picture's layout (`vision`), the positions (`positions`) and the cache's names (`cache`).
//!
//! The prompt's beginning with the picture is read once per frame; its keys and values are then lent to every question, so a
//! further question costs its own tokens only. Answers are never parsed from text, and a condition is never mixed with text
//! from outside: what a poster in front of the camera says can sway the model, but not the protocol.

mod cache;
mod declared;
mod decoder;
mod embeddings;
mod explain;
mod floats;
mod parts;
mod phrasing;
mod positions;
mod prefix;
mod problem;
mod score;
mod style;
mod vision;
mod vocabulary;

use std::path::PathBuf;
use std::sync::Arc;

pub use cache::Cache;
pub use decoder::{Decoder, Next, Step};
pub use embeddings::Embeddings;
pub use explain::{LONGEST, greedy};
pub use floats::Floats;
pub use parts::{Graphs, Parts, Rungs};
pub use phrasing::Questions;
pub use positions::sequential;
pub use problem::VlmError;
pub use score::{Score, likeliest, score};
pub use style::{SMOLVLM, STYLES, Style};
pub use vision::Vision;
pub use vocabulary::Vocabulary;

use self::explain::shown;
use self::prefix::{CountsDiffer, Prefix};
use super::manifest;
use super::{Asked, Engine, Explain, Findings, Folder, RunError, Runtime, Tensor, Work};
use crate::judge::{LEAST_ANSWER_MASS, Scored};

/// What a folder says about its model.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where the graphs are.
    pub graphs: Graphs,
    /// Where the tokenizer is.
    pub tokenizer: PathBuf,
    /// Where the ids are that end an answer; those that the style names end it in any case.
    pub generation_config: Option<PathBuf>,
    /// Width and height of the pictures, in pixels.
    pub size: [u32; 2],
    /// How prompts are written.
    pub style: &'static Style,
    /// How many tokens a picture becomes.
    pub image_tokens: usize,
}

impl Setup {
    /// As the manifest of `folder` says.
    ///
    /// # Errors
    /// A style that this version doesn't know.
    pub fn of(folder: &Folder, says: &manifest::Vlm) -> Result<Setup, VlmError> {
        let unknown = || VlmError::Style { style: says.style.clone(), known: known_styles() };
        Ok(Setup {
            graphs: Graphs {
                vision_encoder: folder.file(&says.vision_encoder),
                embed_tokens: folder.file(&says.embed_tokens),
                decoder: folder.file(&says.decoder),
            },
            tokenizer: folder.file(&says.tokenizer),
            generation_config: says.generation_config.as_ref().map(|entry| folder.file(entry)),
            size: folder.manifest.input.size,
            style: Style::named(&says.style).ok_or_else(unknown)?,
            image_tokens: says.image_tokens as usize,
        })
    }
}

fn known_styles() -> String {
    STYLES.iter().map(|style| format!("`{}`", style.name)).collect::<Vec<_>>().join(", ")
}

/// A vision language model, ready to run.
pub struct Vlm {
    parts: Parts,
    vocabulary: Arc<Vocabulary>,
    prefix: Prefix,
    /// A prompt that is read in one piece; its memory is used again.
    whole: Vec<f32>,
}

impl Vlm {
    /// Opens the model, on `threads` threads per graph (0: one per core), and tries it on a grey picture; says on which rung
    /// each graph was loaded.
    ///
    /// # Errors
    /// Files that can't be read, that aren't the model's, or that don't fit together, each with its name.
    pub fn open(runtime: &Runtime, setup: &Setup, threads: usize) -> Result<(Vlm, Rungs), VlmError> {
        let vocabulary = Arc::new(Vocabulary::open(setup)?);
        let (mut parts, rungs) = Parts::open(runtime, &setup.graphs, setup.size, threads)?;
        known(&mut parts, &vocabulary)?;
        let opening = parts.embeddings.rows(vocabulary.opening()).map_err(VlmError::Trial)?;
        let prefix = Prefix::new(vocabulary.opening(), opening.numbers(), vocabulary.image());
        let mut vlm = Vlm { parts, vocabulary, prefix, whole: Vec::new() };
        vlm.attempt(setup)?;
        Ok((vlm, rungs))
    }

    /// Makes conditions ready for this model; shared with callers.
    pub fn questions(&self) -> Questions {
        Questions::new(self.vocabulary.clone())
    }

    /// A grey picture and a trivial question: whatever the files declare, do they work together?
    fn attempt(&mut self, setup: &Setup) -> Result<(), VlmError> {
        let [columns, rows] = setup.size.map(|side| side as usize);
        // Not the grey in the middle: published encoders take a picture of zeros for padding, and drop it.
        let grey = Tensor { shape: vec![1, 3, rows, columns], data: vec![0.1; 3 * rows * columns] };
        let features = self.parts.vision.features(&grey).map_err(VlmError::Trial)?;
        if let Err(CountsDiffer { given, expected }) = self.prefix.with(&features) {
            let file = declared::file_name(&setup.graphs.vision_encoder);
            return Err(VlmError::ImageTokens { file, given, expected });
        }
        let seen = self.look(&grey).map_err(VlmError::Trial)?;
        let asked = self.vocabulary.closing().to_vec();
        let next = self.parts.read(&asked, &seen).map_err(VlmError::Trial)?;
        let Score { z, mass } = score(next.logits(), self.vocabulary.yes(), self.vocabulary.no());
        if z.is_finite() && mass.is_finite() {
            return Ok(());
        }
        Err(VlmError::NotANumber { file: self.parts.decoder.file().to_owned() })
    }

    /// Reads the prompt's beginning with `picture` in its place.
    fn look(&mut self, picture: &Tensor) -> Result<Cache, RunError> {
        let rows = beginning(&mut self.parts.vision, &mut self.prefix, picture)?;
        let empty = self.parts.decoder.empty()?;
        Ok(self.parts.read_rows(rows, &empty)?.cache)
    }

    /// Reads the prompt's beginning and the only question about `picture` in one run: what is shared with nobody needs no
    /// run of its own.
    fn look_for(&mut self, picture: &Tensor, tokens: &[i64]) -> Result<Next, RunError> {
        let asked = self.parts.embeddings.rows(tokens)?;
        let rows = beginning(&mut self.parts.vision, &mut self.prefix, picture)?;
        self.whole.clear();
        self.whole.extend_from_slice(rows);
        self.whole.extend_from_slice(asked.numbers());
        let empty = self.parts.decoder.empty()?;
        self.parts.read_rows(&self.whole, &empty)
    }

    /// What the model says next as an answer; with what an explanation would go on from, where one is wanted.
    fn judged(&self, next: Next, explain: Option<Explain>) -> (Scored, Option<(Explain, Next)>) {
        let Score { z, mass } = score(next.logits(), self.vocabulary.yes(), self.vocabulary.no());
        // What was no answer changes nothing, however it leans: it isn't worth a word, on every frame.
        let answered = mass >= LEAST_ANSWER_MASS;
        let explain = explain.filter(|explain| answered && explain.applies(z));
        let scored = Scored { z, answer_mass: Some(mass), explanation: None };
        (scored, explain.map(|explain| (explain, next)))
    }

    /// The answer that was decided, and how the model goes on from there.
    fn explain(&mut self, explain: Explain, answered: &Next) -> Result<Option<String>, RunError> {
        let family = match explain {
            Explain::AtLeast(_) => self.vocabulary.yes(),
            Explain::Below(_) => self.vocabulary.no(),
        };
        let logit = |id: &usize| answered.logits().get(*id).copied().unwrap_or(f32::NEG_INFINITY);
        let decided = family.iter().copied().max_by(|a, b| logit(a).total_cmp(&logit(b)));
        let Some(decided) = decided.map(|id| id as i64) else { return Ok(None) };
        let mut said = vec![decided];
        said.extend(greedy(&mut self.parts, &self.vocabulary, decided, &answered.cache, LONGEST)?);
        Ok(Some(shown(&self.vocabulary.text(&said))))
    }
}

/// Whether the graphs know every id that the tokenizer can give.
fn known(parts: &mut Parts, vocabulary: &Vocabulary) -> Result<(), VlmError> {
    let tokens = vocabulary.size();
    let (tokenizer, known) = (vocabulary.file().to_owned(), parts.decoder.vocabulary());
    if tokens > known {
        return Err(VlmError::Vocabulary { tokenizer, tokens, file: parts.decoder.file().to_owned(), known });
    }
    let last = tokens.saturating_sub(1);
    let found = parts.embeddings.rows(&[last as i64]);
    let file = parts.embeddings.file().to_owned();
    found.map(drop).map_err(|RunError(reason)| VlmError::NoRow { file, last, tokenizer, reason })
}

/// The rows of the prompt's beginning, with `picture` in its place.
fn beginning<'p>(vision: &mut Vision, prefix: &'p mut Prefix, picture: &Tensor) -> Result<&'p [f32], RunError> {
    let features = vision.features(picture)?;
    prefix.with(&features).map_err(|CountsDiffer { given, expected }| {
        RunError(format!("a picture became {given} image tokens where the prompt has {expected}"))
    })
}

/// The tokens of a question, and when its answer is to be explained.
fn question(asked: &Asked) -> Result<(&[i64], Option<Explain>), RunError> {
    match asked {
        Asked::Text { tokens, explain } => Ok((tokens, *explain)),
        Asked::Prompts { .. } => Err(RunError("it was asked with prompts where it takes questions".to_owned())),
    }
}

impl Engine for Vlm {
    fn examine(&mut self, work: &Work) -> Result<Findings, RunError> {
        let missing = || RunError("it was given no picture".to_owned());
        let picture = work.pictures.first().ok_or_else(missing)?;
        let mut answers = Vec::with_capacity(work.asked.len());
        if let [only] = &work.asked[..] {
            let (tokens, explain) = question(only)?;
            let next = self.look_for(picture, tokens)?;
            answers.push(self.judged(next, explain));
        } else {
            let seen = self.look(picture)?;
            for asked in &work.asked {
                let (tokens, explain) = question(asked)?;
                let next = self.parts.read(tokens, &seen)?;
                answers.push(self.judged(next, explain));
            }
        }
        // After the last answer: an explanation that fails, or is ended for taking too long, must not cost any of them.
        let mut scored = Vec::with_capacity(answers.len());
        for (mut answer, wanted) in answers {
            if let Some((explain, next)) = wanted {
                match self.explain(explain, &next) {
                    Ok(explanation) => answer.explanation = explanation,
                    Err(RunError(reason)) => tracing::warn!(reason, "the model's answer stays without an explanation"),
                }
            }
            scored.push(answer);
        }
        Ok(Findings::Scored(scored))
    }
}
