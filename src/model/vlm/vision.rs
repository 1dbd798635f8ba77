//! The vision encoder: from a picture to as many rows of features as it has image tokens.
//!
//! Owns the picture's layout on the way in, as the graph declares it: tiles with a mask (SmolVLM, Idefics) or one plain
//! picture (LLaVA, FastVLM). Patches with their own shapes (LFM2-VL, Qwen-VL) would be further ways. Runs on the model's thread.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use ort::session::{RunOptions, Session, SessionInputValue};
use ort::value::{DynValue, Tensor as OrtTensor, TensorElementType};

use super::super::session::{self, Opened, said};
use super::super::{RunError, Rung, Runtime, Tensor};
use super::declared::{Declared, Port};
use super::floats::{Feeder, Floats, is_float};
use super::problem::VlmError;

const PIXELS: &str = "pixel_values";
const MASK: &str = "pixel_attention_mask";
const FEATURES: &str = "image_features";

/// The graph, ready to run.
pub struct Vision {
    session: Session,
    run: Arc<RunOptions>,
    file: String,
    /// Of the picture as it is fed: `[1, 1, 3, height, width]` or `[1, 3, height, width]`.
    shape: Vec<usize>,
    feeder: Feeder,
    /// All of the picture is there; made once.
    mask: Option<DynValue>,
}

impl Vision {
    /// Opens `file` for pictures of `size` (width, height) that become rows of `width` numbers, on `threads` threads (0: one
    /// per core).
    ///
    /// # Errors
    /// Files that aren't graphs, and graphs that don't take such pictures.
    pub fn open(
        runtime: &Runtime,
        file: &Path,
        size: [u32; 2],
        width: usize,
        threads: usize,
    ) -> Result<(Vision, Rung), VlmError> {
        let Opened { session, run, rung, .. } = session::open(runtime, file, threads)?;
        let declared = Declared::of(file, &session);
        let [columns, rows] = size.map(|side| side as usize);
        let pixels = declared.input(PIXELS)?;
        let tiles = pixels.lengths.len() == 5;
        let shape = if tiles { vec![1, 1, 3, rows, columns] } else { vec![1, 3, rows, columns] };
        if !is_float(pixels) || !pixels.takes(&shape) {
            return Err(VlmError::Pictures { declared: pixels.describe(), made: shape, file: declared.file });
        }
        declared.only(&[PIXELS, MASK])?;
        let mask = declared.optional(MASK).map(|port| all_there(&declared, port, tiles, rows, columns)).transpose()?;
        let features = declared.output(FEATURES)?;
        let fits = is_float(features) && features.width().is_none_or(|given| given == width);
        declared.require(
            features,
            fits,
            &format!("f32 or f16 rows of {width} numbers, as in the token embeddings,"),
        )?;
        Ok((Vision { session, run, shape, feeder: Feeder::of(pixels), mask, file: declared.file }, rung))
    }

    /// Looks at `picture`, `[1, 3, height, width]` as [`Model::prepare`](super::super::Model::prepare) makes it. It is read
    /// where it lies.
    ///
    /// # Errors
    /// Whatever ONNX Runtime says; a picture of another size.
    pub fn features(&mut self, picture: &Tensor) -> Result<Floats, RunError> {
        let failed = |error: ort::Error| RunError(said(&error));
        let pixels = self.feeder.feed(&self.shape, &picture.data).map_err(failed)?;
        let mut feed: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![(PIXELS.into(), pixels)];
        if let Some(mask) = &self.mask {
            feed.push((MASK.into(), mask.into()));
        }
        let mut outputs = self.session.run_with_options(feed, &self.run).map_err(failed)?;
        let features = outputs.remove(FEATURES).and_then(Floats::of);
        features.ok_or_else(|| RunError(format!("`{}` gave no rows as `{FEATURES}`", self.file)))
    }
}

/// A mask that hides nothing, of the element type that the graph wants: published exports differ.
fn all_there(declared: &Declared, port: &Port, tiles: bool, rows: usize, columns: usize) -> Result<DynValue, VlmError> {
    let shape = if tiles { vec![1, 1, rows, columns] } else { vec![1, rows, columns] };
    let known = matches!(port.element, TensorElementType::Bool | TensorElementType::Int64) && port.takes(&shape);
    declared.require(port, known, &format!("bool or i64 {shape:?}"))?;
    let count = rows * columns;
    let made = match port.element {
        TensorElementType::Int64 => OrtTensor::from_array((shape, vec![1_i64; count])).map(OrtTensor::into_dyn),
        _ => OrtTensor::from_array((shape, vec![true; count])).map(OrtTensor::into_dyn),
    };
    made.map_err(|error| VlmError::Trial(RunError(said(&error))))
}
