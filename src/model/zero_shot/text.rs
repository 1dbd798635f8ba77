//! The text half: a description's ids to its embedding.
//!
//! Owns the session of `text_model.onnx` and what it declares; refuses to know words. Runs on the model's thread, and on the
//! one that loads models.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use ort::Error;
use ort::session::{RunOptions, Session, SessionInputValue};
use ort::value::TensorRef;

use super::super::graph::{Element, Graph, Slot, describe};
use super::super::session::{self, Opened, said};
use super::super::{RunError, Rung, Runtime};
use super::outputs::{Embedding, file_name};
use super::problem::ZeroShotError;
use super::tokens::{Ids, Tokens};

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const OUTPUTS: [&str; 2] = ["text_embeds", "pooler_output"];

/// The graph, ready to run.
pub struct TextModel {
    session: Session,
    run: Arc<RunOptions>,
    file: String,
    is_masked: bool,
    /// The graph takes texts of this length only.
    fixed: Option<usize>,
    pad: i64,
    embedding: Embedding,
}

impl TextModel {
    /// Opens `path` for texts of `tokens`, on `threads` threads (0: one per core).
    ///
    /// # Errors
    /// Files that aren't graphs, and graphs that don't take such texts.
    pub fn open(
        runtime: &Runtime,
        path: &Path,
        tokens: &Tokens,
        threads: usize,
    ) -> Result<(TextModel, Rung), ZeroShotError> {
        let Opened { session, run, graph, rung } = session::open(runtime, path, threads)?;
        let file = file_name(path);
        let fixed = declared(&graph, &file)?;
        if let Some(fixed) = fixed.filter(|fixed| *fixed < tokens.length()) {
            let reason = format!("it takes {fixed}");
            return Err(ZeroShotError::Length { file, length: tokens.length(), reason });
        }
        let is_masked = graph.inputs.len() == 2;
        let embedding = Embedding::of(&graph, &OUTPUTS, &file)?;
        Ok((TextModel { session, run, file, is_masked, fixed, pad: tokens.pad(), embedding }, rung))
    }

    /// Tries every token and the whole length, so that no description can fail later.
    ///
    /// # Errors
    /// What the graph can't take.
    pub fn try_out(&mut self, tokens: &Tokens) -> Result<(), ZeroShotError> {
        let length = tokens.length();
        let mut ids = vec![self.pad; length];
        self.run(&ids, length).map_err(|error| ZeroShotError::Length {
            file: self.file.clone(),
            length,
            reason: error.0,
        })?;
        ids[0] = tokens.last();
        self.run(&ids, length).map_err(|error| ZeroShotError::NoRow {
            file: self.file.clone(),
            last: tokens.last(),
            tokenizer: tokens.file().to_owned(),
            reason: error.0,
        })?;
        Ok(())
    }

    /// The embedding of one text, as the graph gives it.
    ///
    /// # Errors
    /// Whatever ONNX Runtime says.
    pub fn embed(&mut self, text: &Ids) -> Result<Vec<f32>, RunError> {
        self.run(&text.ids, text.used)
    }

    /// `used`: how many of the ids an attention mask shows.
    fn run(&mut self, ids: &[i64], used: usize) -> Result<Vec<f32>, RunError> {
        let failed = |error: Error| RunError(said(&error));
        let mut ids = ids.to_vec();
        if let Some(length) = self.fixed {
            ids.resize(length, self.pad);
        }
        let shape = [1, ids.len()];
        let mask: Vec<i64> = (0..ids.len()).map(|index| i64::from(index < used)).collect();
        let ids = TensorRef::from_array_view((shape, ids.as_slice())).map_err(failed)?;
        let mut feed: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![(IDS.into(), ids.into())];
        if self.is_masked {
            let mask = TensorRef::from_array_view((shape, mask.as_slice())).map_err(failed)?;
            feed.push((MASK.into(), mask.into()));
        }
        let outputs = self.session.run_with_options(feed, &self.run).map_err(failed)?;
        let mut rows = self.embedding.rows(&outputs, 1)?;
        rows.pop().ok_or_else(|| RunError(format!("`{}` gave no embedding", self.file)))
    }
}

/// The one length that the graph takes, None: any. Err: it takes something else than one text at a time.
fn declared(graph: &Graph, file: &str) -> Result<Option<usize>, ZeroShotError> {
    let takes = |slot: &Slot| {
        matches!(
            (slot.name.as_str(), &slot.element, slot.shape.as_slice()),
            (IDS | MASK, Element::I64, [None | Some(1), _])
        )
    };
    if graph.inputs.iter().any(|slot| slot.name == IDS) && graph.inputs.iter().all(takes) {
        return Ok(graph.inputs.iter().find_map(|slot| slot.shape[1]));
    }
    let wanted = format!("i64 `{IDS}` [batch, length], and at most `{MASK}` beside it,");
    Err(ZeroShotError::Input { file: file.to_owned(), declared: describe(&graph.inputs), wanted })
}
