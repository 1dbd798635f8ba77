//! The token embeddings: from ids to one row of numbers each.
//!
//! Owns the graph; refuses to know what the ids mean. Runs on the model's thread.

use std::path::Path;
use std::sync::Arc;

use ort::session::{RunOptions, Session};
use ort::value::{TensorElementType, TensorRef};

use super::super::session::{self, Opened, said};
use super::super::{RunError, Rung, Runtime};
use super::declared::Declared;
use super::floats::{Floats, is_float};
use super::problem::VlmError;

const IDS: &str = "input_ids";
const EMBEDS: &str = "inputs_embeds";

/// The graph, ready to run.
pub struct Embeddings {
    session: Session,
    run: Arc<RunOptions>,
    file: String,
    width: usize,
}

impl Embeddings {
    /// Opens `file` on `threads` threads (0: one per core).
    ///
    /// # Errors
    /// Files that aren't graphs, and graphs that don't embed tokens.
    pub fn open(runtime: &Runtime, file: &Path, threads: usize) -> Result<(Embeddings, Rung), VlmError> {
        let Opened { session, run, rung, .. } = session::open(runtime, file, threads)?;
        let declared = Declared::of(file, &session);
        let ids = declared.input(IDS)?;
        let counted = ids.element == TensorElementType::Int64 && ids.lengths.len() == 2;
        declared.require(ids, counted, "i64 [batch, tokens]")?;
        declared.only(&[IDS])?;
        let embeds = declared.output(EMBEDS)?;
        let rows = is_float(embeds) && embeds.lengths.len() == 3;
        let wanted = "f32 or f16 [batch, tokens, width] with a fixed width";
        declared.require(embeds, rows && embeds.width().is_some(), wanted)?;
        let width = embeds.width().unwrap_or(0);
        Ok((Embeddings { session, run, file: declared.file, width }, rung))
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many numbers a token has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows of `ids`, `[1, ids, width]`.
    ///
    /// # Errors
    /// Ids that the graph doesn't know, and whatever else ONNX Runtime says.
    pub fn rows(&mut self, ids: &[i64]) -> Result<Floats, RunError> {
        let failed = |error: ort::Error| RunError(said(&error));
        let view = TensorRef::from_array_view(([1, ids.len()], ids)).map_err(failed)?;
        let mut outputs = self.session.run_with_options(ort::inputs![IDS => view], &self.run).map_err(failed)?;
        match outputs.remove(EMBEDS).and_then(Floats::of) {
            Some(rows) if rows.numbers().len() == ids.len() * self.width => Ok(rows),
            _ => Err(RunError(format!("`{EMBEDS}` of `{}` isn't one row a token", self.file))),
        }
    }
}
