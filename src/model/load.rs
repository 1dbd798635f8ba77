//! From a checked folder to a model that runs.
//!
//! Owns the order in which providers are tried, and the trial run that a provider has to pass before anybody relies on it;
//! refuses to know what a session is (`session`). Runs wherever a model is loaded: at the start, and on the model's own
//! thread when its sessions are made anew.

use std::sync::Arc;

use super::provider::Way;
use super::session::{Made, OnnxSession, Opener, Stop};
use super::{Engine, Folder, LoadError, Model, Problem, Runtime, Tensor};
use crate::config::{Provider, Providers};

/// How models are loaded.
#[derive(Clone, Debug)]
pub struct Options {
    /// Inference threads; 0: one per core.
    pub threads: usize,
    /// What inference may run on.
    pub providers: Providers,
}

impl Default for Options {
    fn default() -> Options {
        Options { threads: 0, providers: Providers::Auto }
    }
}

/// A model that is ready to run.
pub struct Loaded {
    /// For callers.
    pub model: Arc<Model>,
    /// For the model's thread.
    pub engine: Box<dyn Engine>,
    /// Ends the engine's runs.
    pub stop: Stop,
    /// What it runs on.
    pub running: Running,
}

/// What a model runs on, and what that took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Running {
    /// How its sessions were made.
    pub made: Made,
    /// Providers that the library offers or the file names and that run nothing of it, with the reason.
    pub passed_over: Vec<(Provider, String)>,
}

/// Creates the sessions of a checked folder.
///
/// # Errors
/// No way leads there; what is told is about the last one, the CPU, unless providers are named.
pub fn load(runtime: &'static Runtime, folder: &Folder, options: &Options) -> Result<Loaded, LoadError> {
    let failed = |problem: Problem| LoadError { model: folder.identity.name.clone(), problem };
    let ways = runtime.ways(&options.providers).map_err(|error| failed(error.into()))?;
    let mut passed_over = Vec::new();
    let mut last = None;
    for way in ways {
        match open(runtime, folder, options.threads, way.clone()) {
            Ok(mut loaded) => {
                let idle = way.into_iter().filter(|provider| !loaded.running.made.spread.uses(*provider));
                passed_over.extend(idle.map(|provider| (provider, "it takes no part of the graph".to_owned())));
                loaded.running.passed_over = passed_over;
                return Ok(loaded);
            }
            Err(problem) => {
                for provider in way {
                    tracing::warn!(model = %folder.identity.name, %provider, %problem, "a provider doesn't work here");
                    passed_over.push((provider, problem.to_string()));
                }
                last = Some(problem);
            }
        }
    }
    // There is always a way: `provider::ways`.
    Err(failed(last.unwrap_or_else(|| unreachable!("no way to run a model"))))
}

/// One way, with a trial where it isn't the CPU's.
fn open(runtime: &'static Runtime, folder: &Folder, threads: usize, way: Way) -> Result<Loaded, Problem> {
    let accelerated = !way.is_empty();
    let mut opener = Opener::new(runtime, threads, way)?;
    let mut session: OnnxSession = opener.open(&folder.model_file())?;
    let model = Model::new(folder, session.graph())?;
    if accelerated {
        let [width, height] = model.input().size.map(|side| side as usize);
        let blank = Tensor { shape: vec![1, 3, height, width], data: vec![0.0; 3 * height * width] };
        Engine::run(&mut session, &blank)?;
    }
    let running = Running { made: opener.made().clone(), passed_over: Vec::new() };
    Ok(Loaded { model: Arc::new(model), engine: Box::new(session), stop: opener.stop(), running })
}
