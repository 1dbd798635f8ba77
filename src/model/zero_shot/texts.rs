//! Descriptions to directions: remembered ones from disk, new ones through the text model.
//!
//! Owns when the text model is in memory: from the first description that nobody has read before until the end of that
//! piece of work. Runs on the model's thread.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::{RunError, Rung, Runtime};
use super::direction::normalised;
use super::problem::ZeroShotError;
use super::store::Store;
use super::text::TextModel;
use super::tokens::{TextProblem, Tokens};

/// What is tried, and kept: a vector of it says that this text model has passed its trial.
const TRIED: &str = "a photo of a cat";

/// The text half of a model.
pub(super) struct Texts {
    runtime: Arc<Runtime>,
    path: PathBuf,
    threads: usize,
    tokens: Arc<Tokens>,
    store: Store,
    model: Option<TextModel>,
    /// Tried, and not on disk yet: `check` must not write.
    unsaved: Option<Vec<f32>>,
}

impl Texts {
    /// Tries the model at `path` unless its trial is in the `store` with vectors of `width` numbers; tells what had to be
    /// switched off to load it.
    ///
    /// # Errors
    /// Graphs that don't take texts, or give something else than numbers. The width is for the caller to compare.
    pub(super) fn open(
        runtime: Arc<Runtime>,
        path: PathBuf,
        tokens: Arc<Tokens>,
        store: Store,
        threads: usize,
        width: usize,
    ) -> Result<(Texts, usize, Option<Rung>), ZeroShotError> {
        let mut texts = Texts { runtime, path, threads, tokens, store, model: None, unsaved: None };
        if texts.store.read(TRIED, width).is_some() {
            return Ok((texts, width, None));
        }
        let (mut model, rung) = TextModel::open(&texts.runtime, &texts.path, &texts.tokens, threads)?;
        model.try_out(&texts.tokens)?;
        let file = super::outputs::file_name(&texts.path);
        texts.model = Some(model);
        let tried = texts.embed(TRIED).map_err(|error| ZeroShotError::Trial { file: file.clone(), error })?;
        if tried.iter().any(|number| !number.is_finite()) {
            return Err(ZeroShotError::NotANumber { file });
        }
        let given = tried.len();
        texts.unsaved = Some(tried);
        Ok((texts, given, Some(rung)))
    }

    /// The direction of `prompt`, of `width` numbers.
    ///
    /// # Errors
    /// Whatever ONNX Runtime says.
    pub(super) fn direction(&mut self, prompt: &str, width: usize) -> Result<Vec<f32>, RunError> {
        if let Some(tried) = self.unsaved.take() {
            self.store.save(TRIED, &tried);
        }
        if let Some(known) = self.store.read(prompt, width) {
            return Ok(known);
        }
        let direction = self.embed(prompt)?;
        if direction.iter().all(|number| number.is_finite()) {
            self.store.save(prompt, &direction);
        }
        Ok(direction)
    }

    /// Lets go of the text model.
    pub(super) fn rest(&mut self) {
        self.model = None;
    }

    fn embed(&mut self, prompt: &str) -> Result<Vec<f32>, RunError> {
        let ids = self.tokens.ids(prompt).map_err(|problem| match problem {
            TextProblem::TooLong(tokens) => RunError(format!("a description has {tokens} tokens")),
            TextProblem::Tokenizer(reason) => RunError(reason),
        })?;
        let model = match &mut self.model {
            Some(model) => model,
            none => {
                let opened = TextModel::open(&self.runtime, &self.path, &self.tokens, self.threads);
                none.insert(opened.map_err(|error| RunError(error.to_string()))?.0)
            }
        };
        model.embed(&ids).map(|embedding| normalised(&embedding))
    }
}
