//! Models: from a frame to what was seen on it.
//!
//! Owns what a model is (identity, what it is fed, how its numbers are read or how it is asked) and, with its parts,
//! everything that knows ONNX Runtime. Refuses to know what a verdict is (`judge` does) and cameras. [`Model`] is
//! immutable and shared: callers prepare pictures and questions and interpret numbers on their own threads, only what
//! must be computed travels to the model's thread, where an [`Engine`] of its family does it.

mod batch;
mod folder;
mod graph;
mod guard;
mod heads;
mod label;
mod labels;
mod library;
mod line;
mod load;
mod manifest;
mod pictures;
mod post;
mod provider;
mod runtime;
mod session;
mod spread;
mod thread;
pub mod vlm;
mod wording;
mod work;
pub mod zero_shot;

use std::sync::Arc;

pub use folder::{Folder, FolderError, available, place, searched};
pub use graph::{Element, Graph, GraphError, Slot};
pub use guard::Health;
pub use label::LabelEngine;
pub use labels::{QuestionError, UnknownLabel};
pub use line::Caller;
pub use load::{Again, LoadError, Loaded, Options, Problem, Running, load};
pub use manifest::{Coordinates, Detect, Family, FileEntry, Head, Kind, Manifest, ManifestError};
pub use provider::{NotOffered, Way};
pub use runtime::{Runtime, RuntimeError, Stop};
pub use session::{Rung, SessionError};
pub use spread::Spread;
pub use thread::{FIRST, Handle, Limits, Refused, Reply, Request, Unanswered, start};
pub use wording::{Phrasing, Wording, WordingError};
pub use work::{Asked, Engine, Explain, Findings, Outputs, PromptSets, RunError, Work};

use crate::config::Calibration;
use crate::event::ModelIdentity;
use crate::frame::Frame;
use crate::judge::Seen;
use crate::picture::{Input, PictureError, Placement, Scaler, tensor};

/// Numbers with a shape, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// The product is `data.len()`.
    pub shape: Vec<usize>,
    /// Whatever the graph's own element type, these are `f32`.
    pub data: Vec<f32>,
}

/// Outputs that aren't those that were declared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model gave {given} numbers where its graph declares {declared}; export it again, with an input of one fixed size"
)]
pub struct OutputError {
    /// How many came.
    pub given: usize,
    /// How many were due.
    pub declared: usize,
}

/// A model as its callers know it.
#[derive(Clone, Debug)]
pub struct Model {
    identity: ModelIdentity,
    family: Family,
    input: Input,
    calibration: Calibration,
    knows: Knows,
}

/// What a model can be asked about.
#[derive(Clone, Debug)]
enum Knows {
    /// Labels.
    Labels {
        labels: Vec<String>,
        /// How the graph's numbers are read.
        reader: heads::Reader,
        /// Whether several pictures may go through the graph together.
        batchable: bool,
        /// Numbers that have been read.
        spares: label::Spares,
    },
    /// Whatever can be put into words.
    Words(Arc<dyn Phrasing>),
}

impl Model {
    /// A model that knows the labels of its folder: checks what the graph declares against what the folder says.
    pub fn labelled(folder: &Folder, of: &manifest::Labelled, graph: &Graph) -> Result<Model, GraphError> {
        let reader = graph.check(of, folder.manifest.input.size, folder.labels.len())?;
        let (batchable, spares) = (graph.is_batchable(&reader), label::Spares::default());
        Ok(Model::of(folder, Knows::Labels { labels: folder.labels.clone(), reader, batchable, spares }))
    }

    /// A model that reads.
    pub fn reading(folder: &Folder, phrasing: Arc<dyn Phrasing>) -> Model {
        Model::of(folder, Knows::Words(phrasing))
    }

    fn of(Folder { identity, manifest, .. }: &Folder, knows: Knows) -> Model {
        let (family, input) = (manifest.family(), manifest.input.clone());
        Model { identity: identity.clone(), family, input, calibration: manifest.calibration, knows }
    }

    /// Its name in the configuration, and the hash of what computes.
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    /// What kind of model it is.
    pub fn family(&self) -> Family {
        self.family
    }

    /// What it can tell apart; nothing where it reads.
    pub fn labels(&self) -> &[String] {
        match &self.knows {
            Knows::Labels { labels, .. } => labels,
            Knows::Words(_) => &[],
        }
    }

    /// `wording`, made ready for the engine.
    ///
    /// # Errors
    /// Words that it can't be asked; any words where it knows labels instead.
    pub fn phrase(&self, wording: &Wording) -> Result<Asked, WordingError> {
        match &self.knows {
            Knows::Words(phrasing) => phrasing.phrase(wording),
            Knows::Labels { .. } => Err(WordingError {
                what: format!("model `{}` reads no questions", self.identity.name),
                advice: "name some of its labels".to_owned(),
            }),
        }
    }

    /// What it is fed.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// The manifest's `[calibration]`.
    pub fn calibration(&self) -> Calibration {
        self.calibration
    }

    /// `frame` as this model's input tensor `[1, 3, height, width]`, and where it lies in it.
    ///
    /// `buffer` is the tensor of an earlier reply, or an empty one: its memory is used again.
    ///
    /// # Errors
    /// Frames that lack samples.
    pub fn prepare(
        &self,
        scaler: &mut Scaler,
        frame: &Frame,
        mut buffer: Tensor,
    ) -> Result<(Tensor, Placement), PictureError> {
        let [width, height] = self.input.size.map(|side| side as usize);
        let placement = tensor(scaler, frame, &self.input, &mut buffer.data)?;
        buffer.shape = vec![1, 3, height, width];
        Ok((buffer, placement))
    }

    /// Takes back numbers that have been read, so that their memory is used again.
    pub fn take_back(&self, outputs: Outputs) {
        if let Knows::Labels { spares, .. } = &self.knows {
            spares.put(outputs);
        }
    }

    /// Which outputs are read, and where those come back that have been.
    fn outputs(&self) -> (Vec<usize>, label::Spares) {
        match &self.knows {
            Knows::Labels { reader, spares, .. } => (reader.outputs(), spares.clone()),
            Knows::Words(_) => (Vec::new(), label::Spares::default()),
        }
    }

    /// Whether several pictures may go through the graph together: `[n, 3, height, width]` in, `[n, ...]` out.
    pub fn is_batchable(&self) -> bool {
        matches!(self.knows, Knows::Labels { batchable: true, .. })
    }

    /// Its graph turned out to take one picture at a time, whatever it declares.
    fn only_one_by_one(&mut self) {
        if let Knows::Labels { batchable, .. } = &mut self.knows {
            *batchable = false;
        }
    }

    /// What the numbers of a model that knows labels mean, in the frame's own coordinates.
    ///
    /// # Errors
    /// Outputs that the graph didn't declare.
    pub fn interpret(&self, outputs: &Outputs, placement: &Placement) -> Result<Seen, OutputError> {
        self.interpret_one(outputs, [0, 1], placement)
    }

    /// The same for picture `picture` (from 0) of the `pictures` that went through the graph together.
    ///
    /// # Errors
    /// Outputs that the graph didn't declare.
    pub fn interpret_one(
        &self,
        outputs: &Outputs,
        [picture, pictures]: [usize; 2],
        placement: &Placement,
    ) -> Result<Seen, OutputError> {
        let Knows::Labels { reader, .. } = &self.knows else { return Ok(Seen::NotANumber) };
        reader.read(outputs, [picture, pictures], placement)
    }
}

#[cfg(test)]
pub(crate) mod tests;
