//! From a checked folder to a model that is ready to run.
//!
//! Owns which engine a family gets, the order in which providers are tried, and the trial that a model has to pass on one
//! before anybody relies on it; refuses to know what an engine does. Runs wherever a model is loaded: at the start, and on
//! the model's own thread when it is made anew.

use std::path::Path;
use std::sync::Arc;

use super::folder::{Folder, FolderError};
use super::manifest::{self, FileEntry, Kind, Labelled};
use super::provider::{NotOffered, Way};
use super::runtime::Stop;
use super::session::{self, Rung, SessionError};
use super::spread::Spread;
use super::vlm::{Setup, Vlm, VlmError};
use super::zero_shot::{ZeroShot, ZeroShotError};
use super::{
    Engine, Findings, GraphError, LabelEngine, Model, OutputError, RunError, Runtime, RuntimeError, Tensor, Work,
};
use crate::config::{Provider, Providers};
use crate::judge::Seen;
use crate::name::Name;
use crate::picture::Placement;

/// How models are loaded.
#[derive(Clone, Debug)]
pub struct Options {
    /// Inference threads; 0: one per core.
    pub threads: usize,
    /// What inference may run on.
    pub providers: Providers,
}

impl From<usize> for Options {
    /// So many threads, and whatever works.
    fn from(threads: usize) -> Options {
        Options { threads, providers: Providers::Auto }
    }
}

/// A model that is ready to run.
pub struct Loaded {
    /// For callers.
    pub model: Arc<Model>,
    /// For the model's thread.
    pub engine: Box<dyn Engine>,
    /// What had to be switched off to load each of its files.
    pub rungs: Vec<(FileEntry, Rung)>,
    /// What it runs on.
    pub running: Running,
    /// Ends the engine's runs.
    pub stop: Stop,
    /// The same once more, when this engine is of no use any more.
    pub again: Again,
}

/// Loads a model that was loaded before.
pub type Again = Arc<dyn Fn() -> Result<Loaded, LoadError> + Send + Sync>;

/// What each family makes of a folder.
struct Made {
    model: Model,
    engine: Box<dyn Engine>,
    rungs: Vec<(FileEntry, Rung)>,
}

/// What a model runs on, and what that took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Running {
    /// So much of it on which provider.
    pub spread: Spread,
    /// Providers that should have run it and don't, with the reason.
    pub passed_over: Vec<(Provider, String)>,
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
            Problem::ZeroShot(error) => error.may_heal(),
            // A driver that comes up later than we do.
            Problem::Session(SessionError::Provider { .. }) | Problem::Trial(_) | Problem::Runtime(_) => true,
            Problem::Folder(_) | Problem::Session(_) | Problem::Graph(_) => false,
            Problem::NotANumber { .. } | Problem::Output(_) => false,
            Problem::NotOffered(_) | Problem::Idle(_) | Problem::Changed { .. } => false,
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
    /// The two halves of a zero-shot model, or one of them, can't be used.
    #[error(transparent)]
    ZeroShot(#[from] ZeroShotError),
    /// The library lacks a provider that is named.
    #[error(transparent)]
    NotOffered(#[from] NotOffered),
    /// Providers that are named can't compute any part of it.
    #[error(
        "no part of it runs on {}, which `execution_providers` names; name a provider that can, or `auto`",
        crate::config::quoted(.0.iter().map(|provider| provider.as_str()))
    )]
    Idle(Way),
    /// It loads, but can't be run.
    #[error(
        "it can't be run on a trial picture: {}; copy the model's folder again, use another precision of it, or leave a provider that can't run it out of `[runtime] execution_providers`",
        .0.0
    )]
    Trial(#[from] RunError),
    /// It runs, but gives no numbers.
    #[error(
        "`{file}` gives numbers that aren't numbers for a trial picture; use another precision of this model (fp32 or int8)"
    )]
    NotANumber {
        /// The file's name.
        file: String,
    },
    /// It runs, but gives other numbers than it declares.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The library.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// It is to be loaded again, but its files are others than at the start.
    #[error(
        "its files were SHA-256 {before} at the start and are {now} now; restart the daemon, so that it knows them"
    )]
    Changed {
        /// Of the file that computes.
        before: String,
        /// Of the same file.
        now: String,
    },
}

/// Makes the engine of a checked folder.
///
/// # Errors
/// No way leads there. What is told is about the last one, which is the CPU unless providers are named.
pub fn load(runtime: &'static Runtime, folder: &Folder, options: impl Into<Options>) -> Result<Loaded, LoadError> {
    let options = options.into();
    let failed = |problem: Problem| LoadError { model: folder.identity.name.clone(), problem };
    let mut passed_over = Vec::new();
    let mut last = None;
    for way in runtime.ways(&options.providers).map_err(|error| failed(error.into()))? {
        match tried(runtime, folder, options.threads, way.clone()) {
            Ok((Made { model, engine, rungs }, used)) => {
                let spread = used.spread();
                // Who names a provider wants no other; a choice of ours only has to work.
                if matches!(options.providers, Providers::Named(_)) && spread.leaves_out(&way) {
                    return Err(failed(Problem::Idle(way)));
                }
                let idle = way.into_iter().filter(|provider| !spread.uses(*provider));
                passed_over.extend(idle.map(|provider| (provider, "it takes no part of the model".to_owned())));
                let (running, stop) = (Running { spread, passed_over }, used.stop());
                let again = again(runtime, folder.clone(), options);
                return Ok(Loaded { model: Arc::new(model), engine, rungs, running, stop, again });
            }
            Err(problem) => {
                for provider in way {
                    tracing::warn!(model = %folder.identity.name, %provider, %problem, "a provider doesn't work");
                    passed_over.push((provider, problem.to_string()));
                }
                last = Some(problem);
            }
        }
    }
    Err(failed(last.expect("there is always a way: `provider::ways`")))
}

/// The same folder once more, if its files are still those.
fn again(runtime: &'static Runtime, folder: Folder, options: Options) -> Again {
    Arc::new(move || {
        let mut now = Folder::open(&folder.identity.name, Some(&folder.path), &folder.path)?;
        // Of a folder at a `path` alone it can't know where the state directory is.
        now.cache.clone_from(&folder.cache);
        if now.identity != folder.identity {
            let problem = Problem::Changed { before: folder.identity.sha256.clone(), now: now.identity.sha256 };
            return Err(LoadError { model: folder.identity.name.clone(), problem });
        }
        load(runtime, &now, options.clone())
    })
}

/// One way, only if a run on a trial picture succeeds. With the runtime as it was used.
fn tried(runtime: &Runtime, folder: &Folder, threads: usize, way: Way) -> Result<(Made, Arc<Runtime>), Problem> {
    let accelerated = !way.is_empty();
    let runtime = Arc::new(runtime.on(way)?);
    let mut made = match &folder.manifest.kind {
        Kind::Labelled(of) => labelled(&runtime, folder, of, threads),
        Kind::Vlm(of) => vlm(&runtime, folder, of, threads),
        Kind::ZeroShot(of) => zero_shot(&runtime, folder, of, threads),
    }?;
    // The others have tried themselves on the way, but not all together.
    if accelerated && !matches!(folder.manifest.kind, Kind::Labelled(_)) {
        made.engine.examine(&Work { pictures: vec![meaningless(&made.model)], asked: Vec::new() })?;
    }
    Ok((made, runtime))
}

/// A dim slope. No zeros all over: published vision encoders take them for padding; and not one colour, which graphs that
/// normalise the contrast can't take.
fn meaningless(model: &Model) -> Tensor {
    let [width, height] = model.input().size.map(|side| side as usize);
    let slope = (0..3 * height * width).map(|index| (index % 256) as f32 / 1280.0);
    Tensor { shape: vec![1, 3, height, width], data: slope.collect() }
}

/// Whether numbers come out that can be read. Exports in half precision that give none load as well as any.
fn attempt(engine: &mut LabelEngine, model: &Model, file: &Path) -> Result<(), Problem> {
    let input = model.input();
    let whole = Placement::new(input.resize, input.size, input.size);
    let Findings::Numbers(outputs) = engine.examine(&Work { pictures: vec![meaningless(model)], asked: Vec::new() })?
    else {
        return Ok(());
    };
    match model.interpret(&outputs, &whole)? {
        Seen::NotANumber => {
            Err(Problem::NotANumber { file: file.file_name().unwrap_or_default().to_string_lossy().into_owned() })
        }
        _ => Ok(()),
    }
}

fn labelled(runtime: &Runtime, folder: &Folder, of: &Labelled, threads: usize) -> Result<Made, Problem> {
    let file = folder.file(&of.model);
    let opened = session::open(runtime, &file, threads)?;
    let rungs = vec![(of.model.clone(), opened.rung)];
    let mut model = Model::labelled(folder, of, &opened.graph)?;
    let mut engine = LabelEngine::new(opened, &model);
    attempt(&mut engine, &model, &file)?;
    if model.is_batchable() && !engine.takes_two(model.input().size) {
        model.only_one_by_one();
    }
    Ok(Made { engine: Box::new(engine), model, rungs })
}

fn vlm(runtime: &Runtime, folder: &Folder, of: &manifest::Vlm, threads: usize) -> Result<Made, Problem> {
    let (engine, rungs) = Vlm::open(runtime, &Setup::of(folder, of)?, threads)?;
    let files = [&of.vision_encoder, &of.embed_tokens, &of.decoder];
    let rungs = files.into_iter().cloned().zip(rungs).collect();
    Ok(Made { model: Model::reading(folder, Arc::new(engine.questions())), engine: Box::new(engine), rungs })
}

fn zero_shot(
    runtime: &Arc<Runtime>,
    folder: &Folder,
    of: &manifest::ZeroShot,
    threads: usize,
) -> Result<Made, Problem> {
    let (engine, rungs) = ZeroShot::open(runtime.clone(), folder, of, &folder.cache, threads)?;
    let text = rungs.text.map(|rung| (of.text_model.clone(), rung));
    let rungs = [(of.vision_model.clone(), rungs.vision)].into_iter().chain(text).collect();
    let model = Model::reading(folder, Arc::new(engine.prompts()));
    Ok(Made { model, engine: Box::new(engine), rungs })
}
