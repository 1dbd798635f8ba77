//! Floats on their way into a graph and out of it: f32 here, f32 or f16 there, as the graph declares.
//!
//! Owns the conversion, which f32 graphs are spared: their numbers are read where they lie. Runs on the model's thread.

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::session::SessionInputValue;
use ort::value::{DynValue, Tensor as OrtTensor, TensorElementType, TensorRef, TensorValueType};

use super::declared::Port;

/// Whether numbers of this kind can be fed and read.
pub(super) fn is_float(port: &Port) -> bool {
    matches!(port.element, TensorElementType::Float32 | TensorElementType::Float16)
}

/// Numbers that a graph gave.
pub struct Floats {
    kept: Kept,
    width: usize,
}

enum Kept {
    AsGiven(OrtTensor<f32>),
    Widened(Vec<f32>),
}

impl Floats {
    /// None: they aren't floats, or have no rows.
    pub(super) fn of(value: DynValue) -> Option<Floats> {
        let (shape, is_half) = (value.shape(), value.dtype().tensor_type() == Some(TensorElementType::Float16));
        let width = shape.last().and_then(|width| usize::try_from(*width).ok()).filter(|width| *width > 0)?;
        let kept = if is_half {
            Kept::Widened(value.try_extract_tensor::<f16>().ok()?.1.to_f32_vec())
        } else {
            Kept::AsGiven(value.downcast::<TensorValueType<f32>>().ok()?)
        };
        Some(Floats { kept, width })
    }

    /// All of them, row after row.
    pub fn numbers(&self) -> &[f32] {
        match &self.kept {
            Kept::AsGiven(tensor) => tensor.extract_tensor().1,
            Kept::Widened(numbers) => numbers,
        }
    }

    /// The length of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.numbers().len() / self.width
    }
}

/// Feeds one input; keeps the memory that a conversion needs.
pub(super) struct Feeder {
    half: Option<Vec<f16>>,
}

impl Feeder {
    /// For an input that [`is_float`].
    pub(super) fn of(port: &Port) -> Feeder {
        Feeder { half: (port.element == TensorElementType::Float16).then(Vec::new) }
    }

    /// `numbers` as the input wants them: by reference, but for those that must be narrowed.
    pub(super) fn feed<'a>(
        &'a mut self,
        shape: &'a [usize],
        numbers: &'a [f32],
    ) -> Result<SessionInputValue<'a>, ort::Error> {
        let Some(half) = &mut self.half else { return Ok(TensorRef::from_array_view((shape, numbers))?.into()) };
        half.resize(numbers.len(), f16::ZERO);
        half.convert_from_f32_slice(numbers);
        Ok(TensorRef::from_array_view((shape, half.as_slice()))?.into())
    }
}
