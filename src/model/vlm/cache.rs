//! What a decoder remembers of the tokens it has read: keys and values per layer, moved from one run to the next.
//!
//! Owns the names and shapes of those tensors, as the graph declares them; refuses to know what is in them. They stay where
//! ONNX Runtime made them: an output of one run is fed to the next by reference, never copied.

use std::borrow::Cow;

use half::f16;
use ort::session::{SessionInputValue, SessionOutputs};
use ort::value::{DynValue, Tensor, TensorElementType};

use super::declared::{Declared, Length, Port};
use super::problem::VlmError;

/// What has been read so far. Several runs may go on from the same one.
pub struct Cache {
    values: Vec<DynValue>,
    length: usize,
}

impl Cache {
    /// How many tokens have been read.
    pub fn length(&self) -> usize {
        self.length
    }
}

/// One tensor of the cache.
struct Shelf {
    past: String,
    present: String,
    element: TensorElementType,
    /// Before the first token.
    shape: Vec<usize>,
}

/// The cache that a decoder declares.
pub(super) struct Layout {
    shelves: Vec<Shelf>,
}

impl Layout {
    /// Every input whose name starts with `past`, and the output that takes its place afterwards.
    pub(super) fn of(declared: &Declared) -> Result<Layout, VlmError> {
        let pasts = declared.inputs.iter().filter(|port| port.name.starts_with("past"));
        let shelves: Vec<Shelf> = pasts.map(|port| Shelf::of(declared, port)).collect::<Result<_, _>>()?;
        if shelves.is_empty() {
            declared.input("past_key_values.0.key")?;
        }
        Ok(Layout { shelves })
    }

    /// Before the first token.
    pub(super) fn empty(&self) -> Result<Cache, ort::Error> {
        let values = self.shelves.iter().map(Shelf::empty).collect::<Result<_, _>>()?;
        Ok(Cache { values, length: 0 })
    }

    /// The cache as inputs of the next run.
    pub(super) fn feed<'a>(&'a self, cache: &'a Cache) -> impl Iterator<Item = (Cow<'a, str>, SessionInputValue<'a>)> {
        let pairs = self.shelves.iter().zip(&cache.values);
        pairs.map(|(shelf, value)| (Cow::Borrowed(shelf.past.as_str()), SessionInputValue::from(value)))
    }

    /// Takes the cache out of what a run gave; it now holds `length` tokens. None: an output is missing.
    pub(super) fn take(&self, outputs: &mut SessionOutputs<'_>, length: usize) -> Option<Cache> {
        let values = self.shelves.iter().map(|shelf| outputs.remove(&shelf.present)).collect::<Option<_>>()?;
        Some(Cache { values, length })
    }
}

impl Shelf {
    fn of(declared: &Declared, port: &Port) -> Result<Shelf, VlmError> {
        let before = |(axis, length): (usize, &Length)| match length {
            Length::Fixed(length) => Some(*length),
            Length::Free(name) if name.contains("past") && name.contains("sequence") => Some(0),
            Length::Free(_) if axis == 0 => Some(1),
            Length::Free(_) => None,
        };
        let shape: Option<Vec<usize>> = port.lengths.iter().enumerate().map(before).collect();
        let floats = matches!(port.element, TensorElementType::Float32 | TensorElementType::Float16);
        let wanted = "f32 or f16 with one free length, the past sequence's,";
        declared.require(port, floats && shape.is_some(), wanted)?;
        let present = present(&port.name);
        declared.output(&present)?;
        Ok(Shelf { past: port.name.clone(), present, element: port.element, shape: shape.unwrap_or_default() })
    }

    fn empty(&self) -> Result<DynValue, ort::Error> {
        let (shape, count) = (self.shape.clone(), self.shape.iter().product());
        Ok(match self.element {
            TensorElementType::Float16 => Tensor::from_array((shape, vec![f16::ZERO; count]))?.into_dyn(),
            _ => Tensor::from_array((shape, vec![0.0_f32; count]))?.into_dyn(),
        })
    }
}

/// `past_key_values.0.key` comes out as `present.0.key`, `past_conv.0` as `present_conv.0`.
fn present(past: &str) -> String {
    match past.strip_prefix("past_key_values.") {
        Some(rest) => format!("present.{rest}"),
        None => past.replacen("past", "present", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(pasts: &[(&str, TensorElementType, Vec<Length>)], presents: &[&str]) -> Declared {
        let port = |name: &str, element, lengths: &[Length]| Port {
            name: name.to_owned(),
            element,
            lengths: lengths.to_vec(),
        };
        Declared {
            file: "decoder.onnx".to_owned(),
            inputs: pasts.iter().map(|(name, element, lengths)| port(name, *element, lengths)).collect(),
            outputs: presents.iter().map(|name| port(name, TensorElementType::Float32, &[])).collect(),
        }
    }

    fn keys(element: TensorElementType, length: &str) -> (&'static str, TensorElementType, Vec<Length>) {
        let free = |name: &str| Length::Free(name.to_owned());
        ("past_key_values.0.key", element, vec![free("batch_size"), Length::Fixed(3), free(length), Length::Fixed(64)])
    }

    #[test]
    fn a_cache_begins_empty_and_comes_out_under_another_name() {
        let conv =
            ("past_conv.1", TensorElementType::Float32, vec![Length::Fixed(1), Length::Fixed(8), Length::Fixed(3)]);
        let declared = declared(
            &[keys(TensorElementType::Float16, "past_sequence_length"), conv],
            &["present.0.key", "present_conv.1"],
        );
        let layout = Layout::of(&declared).unwrap();
        let shelves: Vec<_> =
            layout.shelves.iter().map(|shelf| (shelf.present.as_str(), shelf.shape.clone())).collect();
        assert_eq!(shelves, [("present.0.key", vec![1, 3, 0, 64]), ("present_conv.1", vec![1, 8, 3])]);
    }

    #[test]
    fn caches_that_can_not_be_kept_are_refused() {
        let said = |declared: &Declared| Layout::of(declared).err().unwrap().to_string();
        assert_eq!(
            said(&declared(&[], &[])),
            "`decoder.onnx` has no input `past_key_values.0.key` (it has nothing); \
             correct `[files]`, or export the model with its published names"
        );
        assert_eq!(
            said(&declared(&[keys(TensorElementType::Float32, "past_sequence_length")], &["logits"])),
            "`decoder.onnx` has no output `present.0.key` (it has `logits`); \
             correct `[files]`, or export the model with its published names"
        );
        let wrong =
            [keys(TensorElementType::Int64, "past_sequence_length"), keys(TensorElementType::Float32, "length")];
        for wrong in wrong {
            let told = said(&declared(&[wrong], &["present.0.key"]));
            assert!(told.starts_with("`past_key_values.0.key` of `decoder.onnx` is "), "{told}");
        }
    }
}
