//! The engine of models that know labels: one picture in, numbers out.
//!
//! Owns the element type of the input and the one copy of the outputs; refuses to know what the numbers mean (heads do).
//! Runs on the model's thread.

use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::Error;
use ort::session::{RunOptions, Session, SessionOutputs};
use ort::value::{DynValue, TensorElementType, TensorRef};

use super::graph::Element;
use super::session::{Opened, said};
use super::{Engine, Findings, Outputs, RunError, Tensor, Work};

/// A graph that knows labels.
pub struct LabelEngine {
    session: Session,
    run: Arc<RunOptions>,
    /// The input wants 16-bit floats.
    is_half: bool,
    half_input: Vec<f16>,
}

impl LabelEngine {
    /// Runs `opened`, whose graph has been checked.
    pub fn new(Opened { session, run, graph, .. }: Opened) -> LabelEngine {
        let is_half = graph.inputs.first().is_some_and(|slot| slot.element == Element::F16);
        LabelEngine { session, run, is_half, half_input: Vec::new() }
    }
}

impl Engine for LabelEngine {
    fn examine(&mut self, work: &Work) -> Result<Findings, RunError> {
        let failed = |error: Error| RunError(said(&error));
        let input = work.pictures.first().ok_or_else(|| RunError("there is no picture".to_owned()))?;
        let outputs = if self.is_half {
            self.half_input.resize(input.data.len(), f16::ZERO);
            self.half_input.convert_from_f32_slice(&input.data);
            let view = TensorRef::from_array_view((input.shape.clone(), self.half_input.as_slice()));
            self.session.run_with_options(ort::inputs![view.map_err(failed)?], &self.run)
        } else {
            let view = TensorRef::from_array_view((input.shape.clone(), input.data.as_slice()));
            self.session.run_with_options(ort::inputs![view.map_err(failed)?], &self.run)
        };
        copied(&outputs.map_err(failed)?).map(Findings::Numbers).map_err(failed)
    }
}

/// The one copy of a run's outputs: what ONNX Runtime lends must not leave its thread.
fn copied(outputs: &SessionOutputs<'_>) -> Result<Outputs, Error> {
    outputs.values().map(|value| copy(&value)).collect()
}

/// One output as numbers.
pub(super) fn copy(value: &DynValue) -> Result<Tensor, Error> {
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
