//! ONNX sessions: a graph, ready to run.
//!
//! Owns the session's options and the load ladder; refuses to know what is fed and what comes out, and which providers are
//! tried (`provider`). Runs on the thread that loads models.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ort::ep::{self, ExecutionProviderDispatch};
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{RunOptions, Session};
use ort::value::{Outlet, TensorElementType, ValueType};
use ort::{Error, ErrorCode};

use super::graph::{Element, Graph, Slot};
use super::runtime::{self, Runtime};
use super::spread::{Listener, Spread};
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

/// A session, and what is known about it.
pub struct Opened {
    /// Ready to run, with [`Opened::run`] only.
    pub session: Session,
    /// What every run is given, so that a run which doesn't end can be ended ([`Runtime::stop`]).
    pub run: Arc<RunOptions>,
    /// What it declares.
    pub graph: Graph,
    /// What had to be switched off.
    pub rung: Rung,
}

/// Creates the session of `file` on `threads` threads (0: one per core), as far up the ladder as it goes.
pub fn open(runtime: &Runtime, file: &Path, threads: usize) -> Result<Opened, SessionError> {
    let (session, rung, spread) =
        climb(runtime, file, threads, &runtime.way).map_err(|reason| refused(runtime, file, threads, reason))?;
    runtime.ran(&spread);
    let declared = |outlets: &[Outlet]| outlets.iter().map(slot).collect();
    let graph = Graph { inputs: declared(session.inputs()), outputs: declared(session.outputs()) };
    Ok(Opened { session, run: runtime.run.clone(), graph, rung })
}

fn climb(runtime: &Runtime, file: &Path, threads: usize, way: &[Provider]) -> Result<(Session, Rung, Spread), String> {
    let mut reason = String::new();
    for rung in Rung::LADDER {
        let listener = Listener::default();
        match commit(runtime, file, threads, way, rung, &listener) {
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

fn commit(
    runtime: &Runtime,
    file: &Path,
    threads: usize,
    way: &[Provider],
    rung: Rung,
    listener: &Listener,
) -> Result<Session, Error> {
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads = if threads == 0 { cores() } else { threads };
    let providers: Vec<_> = way.iter().chain([&Provider::Cpu]).map(|provider| registered(*provider)).collect();
    let listener = listener.clone();
    // Idle threads that spin would cost the decoders a core between two checks.
    let builder = Session::builder(&runtime.environment)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        // Only at this level it tells what runs where.
        .with_log_level(LogLevel::Verbose)?
        .with_logger(Arc::new(move |level, _: &str, _: &str, _: &str, message: &str| match level {
            LogLevel::Verbose | LogLevel::Info => listener.hear(message),
            LogLevel::Warning | LogLevel::Error | LogLevel::Fatal => runtime::log(level, message),
        }))?
        .with_execution_providers(providers)?;
    rung.apply(builder)?.commit_from_file(file)
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

/// Whose fault it is: where the CPU takes the file, it is the provider's.
fn refused(runtime: &Runtime, file: &Path, threads: usize, reason: String) -> SessionError {
    let by_provider = !runtime.way.is_empty() && climb(runtime, file, threads, &[]).is_ok();
    let file = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    if by_provider {
        let named: Vec<&str> = runtime.way.iter().map(|provider| provider.as_str()).collect();
        SessionError::Provider { file, providers: named.join(", "), reason }
    } else if is_about_memory(&reason) {
        SessionError::Memory { file, reason }
    } else {
        SessionError::NotAModel { file, reason }
    }
}

/// ONNX Runtime has no code for it: `std::bad_alloc`, `Failed to allocate memory for requested buffer of size …`.
fn is_about_memory(reason: &str) -> bool {
    reason.contains("bad_alloc") || reason.contains("Failed to allocate memory")
}

/// ONNX Runtime's words without the path, which the message around it has already told.
pub(super) fn said(error: &Error) -> String {
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
                TensorElementType::Int64 => Element::I64,
                other => Element::Other(other.to_string()),
            };
            Slot { name, element, shape: shape.iter().map(|length| usize::try_from(*length).ok()).collect() }
        }
        other => Slot { name, element: Element::Other(format!("{other}")), shape: Vec::new() },
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
