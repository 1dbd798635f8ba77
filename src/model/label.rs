//! The engine of models that know labels: pictures in, numbers out.
//!
//! Owns the element type of the input and the one copy of the outputs, whose memory it uses again; refuses to know what the
//! numbers mean (heads do). Runs on the model's thread.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::Error;
use ort::session::{RunOptions, Session, SessionOutputs};
use ort::value::{DynValue, TensorElementType, TensorRef};

use super::graph::Element;
use super::session::{Opened, said};
use super::{Engine, Findings, Model, Outputs, RunError, Tensor, Work};

/// A graph that knows labels.
pub struct LabelEngine {
    session: Session,
    run: Arc<RunOptions>,
    /// The input wants 16-bit floats.
    is_half: bool,
    half_input: Vec<f16>,
    /// Several pictures, one after the other.
    stacked: Tensor,
    /// The outputs that a head reads; of the others nothing is copied.
    read: Vec<usize>,
    spares: Spares,
}

/// Outputs that callers are done with: their memory is used again.
#[derive(Clone, Debug)]
pub(super) struct Spares {
    put: Sender<Outputs>,
    take: Receiver<Outputs>,
}

/// As many as may be on the way between callers and the engine; more would only lie about.
const MAX_SPARES: usize = 8;

impl Default for Spares {
    fn default() -> Self {
        let (put, take) = bounded(MAX_SPARES);
        Spares { put, take }
    }
}

impl Spares {
    pub(super) fn put(&self, outputs: Outputs) {
        // Where there are enough of them, one more is not worth keeping.
        let _ = self.put.try_send(outputs);
    }
}

impl LabelEngine {
    /// Runs `opened` for `model`, which has checked its graph.
    pub fn new(Opened { session, run, graph, .. }: Opened, model: &Model) -> LabelEngine {
        let (read, spares) = model.outputs();
        let is_half = graph.inputs.first().is_some_and(|slot| slot.element == Element::F16);
        LabelEngine { session, run, is_half, half_input: Vec::new(), stacked: Tensor::default(), read, spares }
    }

    /// Whether two pictures go through the graph together. Exporters leave the batch axis open also where what follows from
    /// it is fixed: only a run tells.
    pub(super) fn takes_two(&mut self, [width, height]: [u32; 2]) -> bool {
        let shape = [1, 3, height as usize, width as usize];
        let blank = Tensor { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] };
        let Ok(Findings::Numbers(outputs)) =
            self.examine(&Work { pictures: vec![blank.clone(), blank], asked: Vec::new() })
        else {
            return false;
        };
        self.read.iter().all(|index| outputs[*index].shape.first() == Some(&2))
    }
}

impl Engine for LabelEngine {
    fn examine(&mut self, work: &Work) -> Result<Findings, RunError> {
        let failed = |error: Error| RunError(said(&error));
        let input = match work.pictures.as_slice() {
            [] => return Err(RunError("there is no picture".to_owned())),
            [only] => only,
            several => {
                stack(several, &mut self.stacked);
                &self.stacked
            }
        };
        let outputs = if self.is_half {
            self.half_input.resize(input.data.len(), f16::ZERO);
            self.half_input.convert_from_f32_slice(&input.data);
            let view = TensorRef::from_array_view((input.shape.clone(), self.half_input.as_slice()));
            self.session.run_with_options(ort::inputs![view.map_err(failed)?], &self.run)
        } else {
            let view = TensorRef::from_array_view((input.shape.clone(), input.data.as_slice()));
            self.session.run_with_options(ort::inputs![view.map_err(failed)?], &self.run)
        };
        let mut copies = self.spares.take.try_recv().unwrap_or_default();
        copy_all(&outputs.map_err(failed)?, &self.read, &mut copies).map_err(failed)?;
        Ok(Findings::Numbers(copies))
    }
}

/// Pictures of one size as one tensor.
fn stack(pictures: &[Tensor], into: &mut Tensor) {
    into.data.clear();
    into.shape.clear();
    into.shape.extend(&pictures[0].shape);
    into.shape[0] = pictures.len();
    pictures.iter().for_each(|picture| into.data.extend_from_slice(&picture.data));
}

/// The one copy of a run's outputs: what ONNX Runtime lends must not leave its thread.
fn copy_all(outputs: &SessionOutputs<'_>, read: &[usize], into: &mut Outputs) -> Result<(), Error> {
    into.resize_with(outputs.len(), Tensor::default);
    for ((index, value), copy) in outputs.values().enumerate().zip(into) {
        if read.contains(&index) {
            copy_one(&value, copy)?;
        }
    }
    Ok(())
}

/// One output as numbers.
pub(super) fn copy(value: &DynValue) -> Result<Tensor, Error> {
    let mut tensor = Tensor::default();
    copy_one(value, &mut tensor).map(|()| tensor)
}

fn copy_one(value: &DynValue, into: &mut Tensor) -> Result<(), Error> {
    into.data.clear();
    let shape = match value.dtype().tensor_type() {
        Some(TensorElementType::Float16) => {
            let (shape, data) = value.try_extract_tensor::<f16>()?;
            into.data.resize(data.len(), 0.0);
            data.convert_to_f32_slice(&mut into.data);
            shape
        }
        _ => {
            let (shape, data) = value.try_extract_tensor::<f32>()?;
            into.data.extend_from_slice(data);
            shape
        }
    };
    into.shape.clear();
    into.shape.extend(shape.iter().map(|length| usize::try_from(*length).unwrap_or(0)));
    Ok(())
}
