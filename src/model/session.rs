//! An ONNX session: one graph, ready to run.
//!
//! Owns the session's options and the load ladder; refuses to know what the numbers mean. Runs on the model's thread.

use std::fmt;
use std::path::Path;

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionOutputs};
use ort::value::{DynValue, Outlet, TensorElementType, TensorRef, ValueType};
use ort::{Error, ErrorCode};

use super::graph::{Element, Graph, Slot};
use super::runtime::Runtime;
use super::{Engine, Outputs, RunError, Tensor};

/// What had to be switched off to load a graph; published exports exist that need each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// Nothing.
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
    /// The machine lacks what it takes.
    #[error("there is not enough memory for `{file}`: {reason}; free some, or use a smaller model")]
    Memory {
        /// The file's name.
        file: String,
        /// What ONNX Runtime says without optimisations.
        reason: String,
    },
}

/// A graph in ONNX Runtime.
pub struct OnnxSession {
    session: Session,
    graph: Graph,
    half_input: Vec<f16>,
}

impl OnnxSession {
    /// Creates the session of `file` on `threads` threads (0: one per core); says how far down the ladder that took.
    pub fn open(runtime: &Runtime, file: &Path, threads: usize) -> Result<(OnnxSession, Rung), SessionError> {
        let mut reason = String::new();
        for rung in Rung::LADDER {
            match commit(runtime, file, threads, rung) {
                Ok(session) => {
                    let declared = |outlets: &[Outlet]| outlets.iter().map(slot).collect();
                    let graph = Graph { inputs: declared(session.inputs()), outputs: declared(session.outputs()) };
                    return Ok((OnnxSession { session, graph, half_input: Vec::new() }, rung));
                }
                Err(error) => {
                    reason = said(&error);
                    if matches!(error.code(), ErrorCode::InvalidProtobuf | ErrorCode::NoSuchFile | ErrorCode::NoModel) {
                        break;
                    }
                }
            }
        }
        let file = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Err(if is_about_memory(&reason) {
            SessionError::Memory { file, reason }
        } else {
            SessionError::NotAModel { file, reason }
        })
    }
}

fn commit(runtime: &Runtime, file: &Path, threads: usize, rung: Rung) -> Result<Session, Error> {
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads = if threads == 0 { cores() } else { threads };
    // Idle threads that spin would cost the decoders a core between two checks.
    let builder = Session::builder(&runtime.environment)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?;
    rung.apply(builder)?.commit_from_file(file)
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
            self.session.run(ort::inputs![view.map_err(failed)?])
        } else {
            let view = TensorRef::from_array_view((input.shape.clone(), input.data.as_slice()));
            self.session.run(ort::inputs![view.map_err(failed)?])
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
