//! The picture half: pictures to directions.
//!
//! Owns the session of `vision_model.onnx`, its element type and its batches; refuses to know what the directions are
//! compared with. Runs on the model's thread.

use std::path::Path;
use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::Error;
use ort::session::{RunOptions, Session};
use ort::value::TensorRef;

use super::super::graph::{Element, Slot, describe};
use super::super::session::{self, Opened, said};
use super::super::{RunError, Rung, Runtime, Tensor};
use super::direction::normalised;
use super::outputs::{Embedding, file_name};
use super::problem::ZeroShotError;

const OUTPUTS: [&str; 2] = ["image_embeds", "pooler_output"];
/// Beyond this many pictures a run only takes more memory.
const LARGEST_BATCH: usize = 8;

/// The graph, ready to run.
pub(super) struct Vision {
    session: Session,
    run: Arc<RunOptions>,
    file: String,
    /// How many pictures it takes at once, at most.
    batch: usize,
    is_half: bool,
    /// Several pictures in a row.
    together: Vec<f32>,
    narrow: Vec<f16>,
    embedding: Embedding,
    shape: [usize; 3],
}

impl Vision {
    /// Opens `path` for pictures of `size` (width, height), on `threads` threads (0: one per core).
    ///
    /// # Errors
    /// Files that aren't graphs, and graphs that don't take such pictures.
    pub(super) fn open(
        runtime: &Runtime,
        path: &Path,
        size: [u32; 2],
        threads: usize,
    ) -> Result<(Vision, Rung), ZeroShotError> {
        let Opened { session, run, graph, rung } = session::open(runtime, path, threads)?;
        let file = file_name(path);
        let [width, height] = size.map(|side| side as usize);
        let [pixels] = graph.inputs.as_slice() else {
            return Err(misfit(file, &graph.inputs, size));
        };
        if !pixels.takes_picture(size) {
            return Err(misfit(file, &graph.inputs, size));
        }
        let embedding = Embedding::of(&graph, &OUTPUTS, &file)?;
        let batch = if pixels.shape[0].is_none() { LARGEST_BATCH } else { 1 };
        let is_half = pixels.element == Element::F16;
        let (together, narrow, shape) = (Vec::new(), Vec::new(), [3, height, width]);
        Ok((Vision { session, run, file, batch, is_half, together, narrow, embedding, shape }, rung))
    }

    /// The file's name.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Looks at a picture of no meaning, and at two of them together; gives the width of the embeddings.
    ///
    /// # Errors
    /// A graph that can't be run, or gives no numbers.
    pub(super) fn try_out(&mut self) -> Result<usize, ZeroShotError> {
        let [planes, height, width] = self.shape;
        let slope = (0..planes * height * width).map(|index| (index % 256) as f32 / 128.0 - 1.0);
        let picture = Tensor { shape: vec![1, planes, height, width], data: slope.collect() };
        let looked = self.look(std::slice::from_ref(&picture));
        let views = looked.map_err(|error| ZeroShotError::Trial { file: self.file.clone(), error })?;
        if views.iter().flatten().any(|number| !number.is_finite()) {
            return Err(ZeroShotError::NotANumber { file: self.file.clone() });
        }
        // Exporters leave the batch axis open also where what follows from it is fixed: only a run tells.
        if self.batch > 1 && self.look(&[picture.clone(), picture]).is_err() {
            self.batch = 1;
        }
        Ok(views.first().map_or(0, Vec::len))
    }

    /// The direction of each picture (`[1, 3, height, width]`), in as few runs as the graph allows.
    ///
    /// # Errors
    /// Whatever ONNX Runtime says; pictures of another size.
    pub(super) fn look(&mut self, pictures: &[Tensor]) -> Result<Vec<Vec<f32>>, RunError> {
        let mut views = Vec::with_capacity(pictures.len());
        for batch in pictures.chunks(self.batch) {
            views.extend(self.run(batch)?.iter().map(|view| normalised(view)));
        }
        Ok(views)
    }

    fn run(&mut self, pictures: &[Tensor]) -> Result<Vec<Vec<f32>>, RunError> {
        let failed = |error: Error| RunError(said(&error));
        let [planes, height, width] = self.shape;
        let shape = [pictures.len(), planes, height, width];
        let data = match pictures {
            [only] => only.data.as_slice(),
            several => {
                self.together.clear();
                several.iter().for_each(|picture| self.together.extend_from_slice(&picture.data));
                self.together.as_slice()
            }
        };
        let outputs = if self.is_half {
            self.narrow.resize(data.len(), f16::ZERO);
            self.narrow.convert_from_f32_slice(data);
            let view = TensorRef::from_array_view((shape, self.narrow.as_slice())).map_err(failed)?;
            self.session.run_with_options(ort::inputs![view], &self.run)
        } else {
            let view = TensorRef::from_array_view((shape, data)).map_err(failed)?;
            self.session.run_with_options(ort::inputs![view], &self.run)
        };
        self.embedding.rows(&outputs.map_err(failed)?, pictures.len())
    }
}

fn misfit(file: String, inputs: &[Slot], [width, height]: [u32; 2]) -> ZeroShotError {
    let wanted = format!("f32 [batch, 3, {height}, {width}] (`[input] size`)");
    ZeroShotError::Input { file, declared: describe(inputs), wanted }
}
