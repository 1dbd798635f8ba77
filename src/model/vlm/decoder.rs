//! The decoder: reads embedded tokens after what it has read before, and says what may come next.
//!
//! Owns the graph's inputs (only those that it declares are fed) and the cache between runs; refuses to know what the
//! tokens mean. Positions and mask are its caller's: they are data here. Runs on the model's thread.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use ort::session::{RunOptions, Session, SessionInputValue};
use ort::value::{Tensor as OrtTensor, TensorElementType, TensorRef};

use super::super::session::{self, Opened, said};
use super::super::{RunError, Rung, Runtime};
use super::cache::{Cache, Layout};
use super::declared::Declared;
use super::floats::{Feeder, Floats, is_float};
use super::positions::{self, Positions};
use super::problem::VlmError;

const EMBEDS: &str = "inputs_embeds";
const MASK: &str = "attention_mask";
const KEEP: &str = "num_logits_to_keep";
const BRANCH: &str = "use_cache_branch";
const LOGITS: &str = "logits";

/// The graph, ready to run.
pub struct Decoder {
    session: Session,
    run: Arc<RunOptions>,
    file: String,
    layout: Layout,
    positions: Positions,
    keeps: bool,
    branches: bool,
    feeder: Feeder,
    width: usize,
    vocabulary: usize,
}

/// What is read in one run.
pub struct Step<'a> {
    /// One row a token.
    pub embeds: &'a [f32],
    /// One number a token, those of the past first: 1 where it may be looked at. Always the full history.
    pub mask: &'a [i64],
    /// One number a new token; not fed to decoders that count by themselves.
    pub positions: &'a [i64],
}

/// What a run gave.
pub struct Next {
    /// What has been read now.
    pub cache: Cache,
    /// A row a token, or only the last one.
    logits: Floats,
}

impl Next {
    /// One number per token of the vocabulary: how much it may come next, after the last token that was read.
    pub fn logits(&self) -> &[f32] {
        let all = self.logits.numbers();
        &all[all.len() - self.logits.width()..]
    }
}

impl Decoder {
    /// Opens `file` for tokens of `width` numbers, on `threads` threads (0: one per core).
    ///
    /// # Errors
    /// Files that aren't graphs, and graphs that don't decode.
    pub fn open(runtime: &Runtime, file: &Path, width: usize, threads: usize) -> Result<(Decoder, Rung), VlmError> {
        let Opened { session, run, rung, .. } = session::open(runtime, file, threads)?;
        let declared = Declared::of(file, &session);
        let embeds = declared.input(EMBEDS)?;
        let rows = is_float(embeds) && embeds.lengths.len() == 3 && embeds.width().is_none_or(|wide| wide == width);
        declared.require(embeds, rows, &format!("f32 or f16 [batch, tokens, {width}], as in the token embeddings,"))?;
        let mask = declared.input(MASK)?;
        let counted = mask.element == TensorElementType::Int64 && mask.lengths.len() == 2;
        declared.require(mask, counted, "i64 [batch, tokens]")?;
        declared.only(&[EMBEDS, MASK, positions::INPUT, KEEP, BRANCH])?;
        let logits = declared.output(LOGITS)?;
        let scores = is_float(logits) && logits.lengths.len() == 3;
        let wanted = "f32 or f16 [batch, tokens, vocabulary] with a fixed vocabulary";
        declared.require(logits, scores && logits.width().is_some_and(|tokens| tokens > 0), wanted)?;
        let decoder = Decoder {
            layout: Layout::of(&declared)?,
            positions: Positions::of(&declared)?,
            keeps: declared.optional(KEEP).is_some(),
            branches: declared.optional(BRANCH).is_some(),
            feeder: Feeder::of(embeds),
            width,
            vocabulary: logits.width().unwrap_or(0),
            file: declared.file,
            session,
            run,
        };
        Ok((decoder, rung))
    }

    /// How many tokens it knows.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Before the first token.
    ///
    /// # Errors
    /// A lack of memory.
    pub fn empty(&self) -> Result<Cache, RunError> {
        self.layout.empty().map_err(|error| RunError(said(&error)))
    }

    /// Reads on after `past`, which stays as it is: others may go on from there too.
    ///
    /// # Errors
    /// Whatever ONNX Runtime says.
    pub fn step(&mut self, step: &Step<'_>, past: &Cache) -> Result<Next, RunError> {
        let failed = |error: ort::Error| RunError(said(&error));
        let count = step.embeds.len() / self.width;
        let shape = [1, count, self.width];
        let embeds = self.feeder.feed(&shape, step.embeds).map_err(failed)?;
        let mask = TensorRef::from_array_view(([1, step.mask.len()], step.mask)).map_err(failed)?;
        let mut feed: Vec<(Cow<'_, str>, SessionInputValue<'_>)> =
            vec![(EMBEDS.into(), embeds), (MASK.into(), mask.into())];
        if self.positions == Positions::Sequential {
            let view = TensorRef::from_array_view(([1, step.positions.len()], step.positions)).map_err(failed)?;
            feed.push((positions::INPUT.into(), view.into()));
        }
        if self.keeps {
            feed.push((KEEP.into(), OrtTensor::from_array(([0_usize; 0], vec![1_i64])).map_err(failed)?.into()));
        }
        if self.branches {
            let has_past = vec![past.length() > 0];
            feed.push((BRANCH.into(), OrtTensor::from_array(([1_usize], has_past)).map_err(failed)?.into()));
        }
        feed.extend(self.layout.feed(past));
        let mut outputs = self.session.run_with_options(feed, &self.run).map_err(failed)?;
        let logits = outputs.remove(LOGITS).and_then(Floats::of);
        let cache = self.layout.take(&mut outputs, past.length() + count);
        match (logits, cache) {
            (Some(logits), Some(cache)) if logits.rows() > 0 => Ok(Next { cache, logits }),
            _ => Err(RunError(format!("`{}` gave no `{LOGITS}` or no cache", self.file))),
        }
    }
}
