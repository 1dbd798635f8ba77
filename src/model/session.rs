//! An ONNX session: one graph, ready to run.
//!
//! Owns the session's options, the load ladder and how a run is ended from outside; refuses to know what the numbers mean
//! and which providers are tried (`provider`). Runs on the model's thread.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::ep::{self, ExecutionProviderDispatch};
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{RunOptions, Session, SessionInputs, SessionOutputs};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef, ValueType};
use ort::{Error, ErrorCode};

use super::graph::{Element, Graph, Slot};
use super::provider::Way;
use super::runtime::{self, Runtime};
use super::spread::{Listener, Spread};
use super::{Engine, Outputs, RunError, Tensor};
use crate::config::Provider;

/// What had to be switched off to load a graph; published exports exist that need each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// Nothing.
    #[default]
    Everything,
    /// One fusion that breaks some half-precision decoders.
    WithoutLayerNormFusion,
    /// All but the basic rewrites.
    Basic,
    /// All optimisations.
    Nothing,
}

impl Rung {
    const LADDER: [Rung; 4] = [Rung::Everything, Rung::WithoutLayerNormFusion, Rung::Basic, Rung::Nothing];

    fn apply(self, builder: SessionBuilder) -> Result<SessionBuilder, Error> {
        let (level, disabled) = match self {
            Rung::Everything => (GraphOptimizationLevel::All, None),
            Rung::WithoutLayerNormFusion => (GraphOptimizationLevel::All, Some("SimplifiedLayerNormFusion")),
            Rung::Basic => (GraphOptimizationLevel::Level1, None),
            Rung::Nothing => (GraphOptimizationLevel::Disable, None),
        };
        let builder = builder.with_optimization_level(level)?;
        Ok(match disabled {
            Some(optimizer) => builder.with_disabled_optimizers(optimizer)?,
            None => builder,
        })
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rung::Everything => "with all optimisations",
            Rung::WithoutLayerNormFusion => "without SimplifiedLayerNormFusion",
            Rung::Basic => "with basic optimisations only",
            Rung::Nothing => "without optimisations",
        })
    }
}

/// Why a file doesn't become a session. Every message goes on after "model `x`: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// ONNX Runtime says no, whatever is switched off.
    #[error(
        "`{file}` isn't a model that ONNX Runtime can load: {reason}; copy the model's folder again, or export it anew"
    )]
    NotAModel {
        /// The file's name.
        file: String,
        /// What ONNX Runtime says without optimisations.
        reason: String,
    },
    /// The CPU would take it.
    #[error(
        "`{file}` doesn't run on {providers}: {reason}; install what that needs (the driver, and its libraries in the \
         versions that ONNX Runtime was built for), or leave it out of `[runtime] execution_providers`"
    )]
    Provider {
        /// The file's name.
        file: String,
        /// What was named.
        providers: String,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// The machine lacks what it takes.
    #[error("there is not enough memory for `{file}`: {reason}; free some, or use a smaller model")]
    Memory {
        /// The file's name.
        file: String,
        /// What ONNX Runtime says without optimisations.
        reason: String,
    },
}

/// Ends an engine's runs from any thread, those under way and all later ones: what was stopped is made anew.
#[derive(Clone)]
pub struct Stop(Arc<dyn Fn() + Send + Sync>);

impl Stop {
    /// What `stop` does must return at once.
    pub fn new(stop: impl Fn() + Send + Sync + 'static) -> Stop {
        Stop(Arc::new(stop))
    }

    /// Ends them. Returns at once; ONNX Runtime ends a run between two of its graph's nodes.
    pub fn stop(&self) {
        (self.0)();
    }
}

/// How the sessions of a model were made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// What had to be switched off, at worst.
    pub rung: Rung,
    /// What they run on, all together.
    pub spread: Spread,
}

/// Makes the sessions of one model, all alike, and remembers how that went.
pub struct Opener {
    runtime: &'static Runtime,
    /// 0: one per core.
    threads: usize,
    way: Way,
    run: Arc<RunOptions>,
    made: Made,
}

impl Opener {
    /// For sessions with `threads` threads each (0: one per core) that run on what `way` names.
    ///
    /// # Errors
    /// [`SessionError::Memory`]
    pub fn new(runtime: &'static Runtime, threads: usize, way: Way) -> Result<Opener, SessionError> {
        let run =
            quiet_run().map_err(|error| SessionError::Memory { file: "a run".to_owned(), reason: said(&error) })?;
        Ok(Opener { runtime, threads, way, run: Arc::new(run), made: Made::default() })
    }

    /// What ends the runs of all sessions that this one makes.
    pub fn stop(&self) -> Stop {
        let run = self.run.clone();
        // It sets a flag: there is nothing that could go wrong and nobody who could do better.
        Stop::new(move || drop(run.terminate()))
    }

    /// How it went so far.
    pub fn made(&self) -> &Made {
        &self.made
    }

    /// Creates the session of `file`, as far down the ladder as that takes.
    pub fn open(&mut self, file: &Path) -> Result<OnnxSession, SessionError> {
        let (session, rung, spread) = self.climb(file, &self.way).map_err(|reason| self.refused(file, reason))?;
        self.made.rung = self.made.rung.max(rung);
        self.made.spread.add(&spread);
        let declared = |outlets: &[Outlet]| outlets.iter().map(slot).collect();
        let graph = Graph { inputs: declared(session.inputs()), outputs: declared(session.outputs()) };
        Ok(OnnxSession { session, run: self.run.clone(), graph, half_input: Vec::new() })
    }

    fn climb(&self, file: &Path, way: &Way) -> Result<(Session, Rung, Spread), String> {
        let mut reason = String::new();
        for rung in Rung::LADDER {
            let listener = Listener::default();
            match self.commit(file, way, rung, &listener) {
                Ok(session) => return Ok((session, rung, listener.heard())),
                Err(error) => {
                    reason = said(&error);
                    if matches!(error.code(), ErrorCode::InvalidProtobuf | ErrorCode::NoSuchFile | ErrorCode::NoModel) {
                        break;
                    }
                }
            }
        }
        Err(reason)
    }

    fn commit(&self, file: &Path, way: &Way, rung: Rung, listener: &Listener) -> Result<Session, Error> {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let threads = if self.threads == 0 { cores() } else { self.threads };
        let providers: Vec<ExecutionProviderDispatch> =
            way.iter().chain([&Provider::Cpu]).map(|provider| registered(*provider)).collect();
        let listener = listener.clone();
        // Idle threads that spin would cost the decoders a core between two checks.
        let builder = Session::builder(&self.runtime.environment)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_log_level(LogLevel::Verbose)?
            .with_logger(Arc::new(move |level, _category: &str, _id: &str, _at: &str, message: &str| match level {
                LogLevel::Verbose | LogLevel::Info => listener.hear(message),
                LogLevel::Warning | LogLevel::Error | LogLevel::Fatal => runtime::log(level, message),
            }))?
            .with_execution_providers(providers)?;
        rung.apply(builder)?.commit_from_file(file)
    }

    /// Whose fault it is: where the CPU takes the file, it is the provider's.
    fn refused(&self, file: &Path, reason: String) -> SessionError {
        let by_provider = !self.way.is_empty() && self.climb(file, &Way::new()).is_ok();
        let file = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        if by_provider {
            let named: Vec<&str> = self.way.iter().map(|provider| provider.as_str()).collect();
            SessionError::Provider { file, providers: named.join(", "), reason }
        } else if is_about_memory(&reason) {
            SessionError::Memory { file, reason }
        } else {
            SessionError::NotAModel { file, reason }
        }
    }
}

/// The sessions log more than anybody wants to read, for the sake of their spread; their runs do not.
fn quiet_run() -> Result<RunOptions, Error> {
    let mut options = RunOptions::new()?;
    options.set_log_level(LogLevel::Warning)?;
    Ok(options)
}

/// The CPU, too, which every session has: so that its memory is kept in an arena whatever ort's default is.
fn registered(provider: Provider) -> ExecutionProviderDispatch {
    let dispatch = match provider {
        Provider::TensorRt => ep::TensorRT::default().build(),
        Provider::Cuda => ep::CUDA::default().build(),
        Provider::OpenVino => ep::OpenVINO::default().build(),
        Provider::Cpu => ep::CPU::default().with_arena_allocator(true).build(),
    };
    dispatch.error_on_failure()
}

/// A graph in ONNX Runtime.
pub struct OnnxSession {
    session: Session,
    /// Shared by all runs of all sessions of a model.
    run: Arc<RunOptions>,
    graph: Graph,
    half_input: Vec<f16>,
}

impl OnnxSession {
    /// What the graph declares.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// One run; blocks until it is done or its [`Stop`] says so.
    ///
    /// # Errors
    /// What ONNX Runtime says.
    pub fn run<'s, 'i, 'v: 'i, const N: usize>(
        &'s mut self,
        inputs: impl Into<SessionInputs<'i, 'v, N>>,
    ) -> Result<SessionOutputs<'s>, RunError> {
        self.session.run_with_options(inputs, &self.run).map_err(|error| RunError(said(&error)))
    }
}

/// ONNX Runtime has no code for it: `std::bad_alloc`, `Failed to allocate memory for requested buffer of size …`.
fn is_about_memory(reason: &str) -> bool {
    reason.contains("bad_alloc") || reason.contains("Failed to allocate memory")
}

/// ONNX Runtime's words without the path, which the message around it has already told.
fn said(error: &Error) -> String {
    let message = error.message().trim().trim_end_matches('.');
    let reason = match message.strip_prefix("Load model from ") {
        Some(rest) => rest.split_once(" failed:").map_or(message, |(_, reason)| reason),
        None => message,
    };
    reason.trim().replace('\n', " ")
}

fn slot(outlet: &Outlet) -> Slot {
    let name = outlet.name().to_owned();
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let element = match ty {
                TensorElementType::Float32 => Element::F32,
                TensorElementType::Float16 => Element::F16,
                other => Element::Other(other.to_string()),
            };
            Slot { name, element, shape: shape.iter().map(|length| usize::try_from(*length).ok()).collect() }
        }
        other => Slot { name, element: Element::Other(format!("{other}")), shape: Vec::new() },
    }
}

impl Engine for OnnxSession {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn run(&mut self, input: &Tensor) -> Result<Outputs, RunError> {
        let failed = |error: Error| RunError(said(&error));
        let is_half = self.graph.inputs.first().is_some_and(|slot| slot.element == Element::F16);
        let outputs = if is_half {
            self.half_input.resize(input.data.len(), f16::ZERO);
            self.half_input.convert_from_f32_slice(&input.data);
            let view = TensorRef::from_array_view((input.shape.clone(), self.half_input.as_slice()));
            self.session.run_with_options(ort::inputs![view.map_err(failed)?], &self.run)
        } else {
            let view = TensorRef::from_array_view((input.shape.clone(), input.data.as_slice()));
            self.session.run_with_options(ort::inputs![view.map_err(failed)?], &self.run)
        };
        copied(&outputs.map_err(failed)?).map_err(failed)
    }
}

/// The one copy of a run's outputs: what ONNX Runtime lends must not leave its thread.
fn copied(outputs: &SessionOutputs<'_>) -> Result<Outputs, Error> {
    outputs.values().map(|value| copy(&value)).collect()
}

fn copy(value: &DynValue) -> Result<Tensor, Error> {
    let lengths = |shape: &[i64]| shape.iter().map(|length| usize::try_from(*length).unwrap_or(0)).collect();
    match value.dtype().tensor_type() {
        Some(TensorElementType::Float16) => {
            let (shape, data) = value.try_extract_tensor::<f16>()?;
            Ok(Tensor { shape: lengths(shape), data: data.to_f32_vec() })
        }
        Some(TensorElementType::Float32) => {
            let (shape, data) = value.try_extract_tensor::<f32>()?;
            Ok(Tensor { shape: lengths(shape), data: data.to_vec() })
        }
        // An output that no head reads: the index of those that are read must not shift.
        _ => Ok(Tensor::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_memory_is_no_fault_of_the_model() {
        assert!(is_about_memory("Exception during initialization: std::bad_alloc"));
        assert!(is_about_memory("Failed to allocate memory for requested buffer of size 4294967296"));
        assert!(!is_about_memory("Protobuf parsing failed"));
        assert!(!is_about_memory("no kernel for the op RoiAlign"));
    }
}
