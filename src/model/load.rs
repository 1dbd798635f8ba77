//! From a checked folder to a model that is ready to run.
//!
//! Owns which engine a family gets, and what is said when there is none; refuses to know what an engine does.

use std::sync::Arc;

use super::folder::{Folder, FolderError};
use super::manifest::{self, FileEntry, Kind, Labelled};
use super::session::{self, Rung, SessionError};
use super::vlm::{Setup, Vlm, VlmError};
use super::{Engine, GraphError, LabelEngine, Model, Runtime};
use crate::name::Name;

/// A model that is ready to run.
pub struct Loaded {
    /// For callers.
    pub model: Arc<Model>,
    /// For the model's thread.
    pub engine: Box<dyn Engine>,
    /// What had to be switched off to load each of its files.
    pub rungs: Vec<(FileEntry, Rung)>,
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
            Problem::Vlm(error) => error.may_heal(),
            Problem::Folder(_) | Problem::Session(_) | Problem::Graph(_) | Problem::NotYet(_) => false,
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
    /// The files of a vision language model don't do what the manifest says, or don't fit together.
    #[error(transparent)]
    Vlm(#[from] VlmError),
    /// Part of the contract that comes later.
    #[error("family `{0}` is not implemented yet; use a classifier, a detector or a vlm")]
    NotYet(&'static str),
}

/// Makes the engine of a checked folder, on `threads` threads (0: one per core).
pub fn load(runtime: &Runtime, folder: &Folder, threads: usize) -> Result<Loaded, LoadError> {
    let loaded = match &folder.manifest.kind {
        Kind::Labelled(of) => labelled(runtime, folder, of, threads),
        Kind::Vlm(of) => vlm(runtime, folder, of, threads),
        Kind::ZeroShot(_) => Err(Problem::NotYet(folder.manifest.family().as_str())),
    };
    loaded.map_err(|problem| LoadError { model: folder.identity.name.clone(), problem })
}

fn labelled(runtime: &Runtime, folder: &Folder, of: &Labelled, threads: usize) -> Result<Loaded, Problem> {
    let opened = session::open(runtime, &folder.file(&of.model), threads)?;
    let rungs = vec![(of.model.clone(), opened.rung)];
    let model = Model::labelled(folder, of, &opened.graph)?;
    Ok(Loaded { model: Arc::new(model), engine: Box::new(LabelEngine::new(opened)), rungs })
}

fn vlm(runtime: &Runtime, folder: &Folder, of: &manifest::Vlm, threads: usize) -> Result<Loaded, Problem> {
    let (engine, rungs) = Vlm::open(runtime, &Setup::of(folder, of)?, threads)?;
    let files = [&of.vision_encoder, &of.embed_tokens, &of.decoder];
    let rungs = files.into_iter().cloned().zip(rungs).collect();
    let model = Model::reading(folder, Arc::new(engine.questions()));
    Ok(Loaded { model: Arc::new(model), engine: Box::new(engine), rungs })
}
