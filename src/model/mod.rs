//! Models: from a frame to what was seen on it.
//!
//! Owns what a model is (identity, labels, what it is fed, how its numbers are read) and, with its parts, everything that
//! knows ONNX Runtime. Refuses to know monitors and conditions (`judge` does) and cameras. [`Model`] is immutable and
//! shared: callers prepare and interpret on their own threads, only the numbers travel to the model's thread.

mod classifier;
mod folder;
mod graph;
mod labels;
mod manifest;
mod runtime;
mod session;
mod thread;
mod yolox;

use std::sync::Arc;

pub use folder::{Folder, FolderError, available, place};
pub use graph::{Element, Graph, GraphError, Slot};
pub use labels::{QuestionError, UnknownLabel};
pub use manifest::{Detect, Family, FileEntry, Head, Manifest, ManifestError};
pub use runtime::{Runtime, RuntimeError};
pub use session::{OnnxSession, Rung, SessionError};
pub use thread::{Handle, Refused, Reply, Request, start};

use crate::config::Calibration;
use crate::event::ModelIdentity;
use crate::frame::Frame;
use crate::judge::Seen;
use crate::name::Name;
use crate::picture::{Input, PictureError, Placement, Scaler, tensor};

/// Numbers with a shape, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// The product is `data.len()`.
    pub shape: Vec<usize>,
    /// Whatever the graph's own element type, these are `f32`.
    pub data: Vec<f32>,
}

/// What one run of a graph gave, in the order that the graph declares.
pub type Outputs = Vec<Tensor>;

/// Something that runs a graph: the seam between this product and what computes.
pub trait Engine: Send {
    /// What it declares.
    fn graph(&self) -> &Graph;

    /// One run; blocks until it is done.
    ///
    /// # Errors
    /// Whatever the engine says; the engine stays usable.
    fn run(&mut self, input: &Tensor) -> Result<Outputs, RunError>;
}

/// A run that gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model failed on a frame: {0}; run `stakeout check`, and copy the model's folder again if that finds nothing"
)]
pub struct RunError(pub String);

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
    head: Head,
    labels: Vec<String>,
    input: Input,
    calibration: Calibration,
    /// Which of the graph's outputs the head reads.
    output: usize,
}

impl Model {
    /// Checks what the graph declares against what the folder says.
    pub fn new(folder: &Folder, graph: &Graph) -> Result<Model, GraphError> {
        let Folder { identity, manifest, labels, .. } = folder;
        let output = graph.check(manifest, labels.len())?;
        Ok(Model {
            identity: identity.clone(),
            head: manifest.head,
            labels: labels.clone(),
            input: manifest.input.clone(),
            calibration: manifest.calibration,
            output,
        })
    }

    /// Its name in the configuration, and the hash of the file that computes.
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    /// Classifier or detector.
    pub fn family(&self) -> Family {
        self.head.family()
    }

    /// What it can tell apart.
    pub fn labels(&self) -> &[String] {
        &self.labels
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

    /// What the numbers mean, in the frame's own coordinates.
    ///
    /// # Errors
    /// Outputs that the graph didn't declare.
    pub fn interpret(&self, outputs: &Outputs, placement: &Placement) -> Result<Seen, OutputError> {
        let numbers = outputs.get(self.output).map_or(&[][..], |tensor| &tensor.data);
        let declared = match self.head {
            Head::Yolox(_) => yolox::cells(self.input.size) * (yolox::BEFORE_CLASSES + self.labels.len()),
            _ => self.labels.len(),
        };
        if numbers.len() != declared {
            return Err(OutputError { given: numbers.len(), declared });
        }
        if !all_finite(numbers) {
            return Ok(Seen::NotANumber);
        }
        Ok(match self.head {
            Head::Softmax => Seen::Scores(classifier::softmax(numbers)),
            Head::Sigmoid => Seen::Scores(classifier::sigmoid(numbers)),
            Head::Probabilities => Seen::Scores(classifier::probabilities(numbers)),
            Head::Yolox(detect) => {
                Seen::Detections(yolox::decode(numbers, self.input.size, self.labels.len(), detect, placement))
            }
        })
    }
}

/// Without an early exit, so that it runs over a detector's 300 000 numbers in vector registers.
fn all_finite(numbers: &[f32]) -> bool {
    numbers.iter().fold(true, |finite, number| finite & number.is_finite())
}

/// A model that is ready to run.
pub struct Loaded {
    /// For callers.
    pub model: Arc<Model>,
    /// For the model's thread.
    pub engine: Box<dyn Engine>,
    /// What had to be switched off to load it.
    pub rung: Rung,
}

/// Why a model can't be used.
#[derive(Debug, thiserror::Error)]
#[error("model `{model}`: {problem}")]
pub struct LoadError {
    /// Its name in the configuration.
    pub model: Name,
    /// What is wrong, and what to do.
    pub problem: Problem,
}

impl LoadError {
    /// Whether it may go away by itself: files on a disk that is not mounted yet, a lack of memory.
    pub fn may_heal(&self) -> bool {
        match &self.problem {
            Problem::Folder(FolderError::NotFound { .. }) | Problem::Session(SessionError::Memory { .. }) => true,
            Problem::Folder(FolderError::Unreadable { error, .. }) => error.kind() != std::io::ErrorKind::InvalidData,
            Problem::Folder(_) | Problem::Session(_) | Problem::Graph(_) => false,
        }
    }
}

/// What is wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Its folder or its files.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// ONNX Runtime doesn't take the file.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The file doesn't do what the manifest says.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// Creates the session of a checked folder, on `threads` threads (0: one per core).
pub fn load(runtime: &Runtime, folder: &Folder, threads: usize) -> Result<Loaded, LoadError> {
    let failed = |problem: Problem| LoadError { model: folder.identity.name.clone(), problem };
    let (session, rung) = OnnxSession::open(runtime, &folder.model_file(), threads).map_err(|e| failed(e.into()))?;
    let model = Model::new(folder, session.graph()).map_err(|e| failed(e.into()))?;
    Ok(Loaded { model: Arc::new(model), engine: Box::new(session), rung })
}

#[cfg(test)]
mod tests;
