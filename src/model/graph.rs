//! What a graph declares, and whether that is what the manifest says.
//!
//! Owns the check; refuses to know where the declaration comes from. Inputs and outputs are matched by shape: their names
//! differ from export to export.

use super::manifest::{Head, Labelled};
use super::yolox;

/// The element type of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 16-bit floats; converted on the way.
    F16,
    /// 64-bit integers: token ids.
    I64,
    /// Anything else, by ONNX Runtime's name.
    Other(String),
}

/// A declared input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// As exported.
    pub name: String,
    /// Its element type.
    pub element: Element,
    /// None: any length.
    pub shape: Vec<Option<usize>>,
}

impl Slot {
    pub(super) fn fits(&self, wanted: &[usize]) -> bool {
        self.shape.len() == wanted.len()
            && self.shape.iter().zip(wanted).all(|(declared, wanted)| declared.is_none_or(|length| length == *wanted))
    }

    pub(super) fn is_float(&self) -> bool {
        matches!(self.element, Element::F32 | Element::F16)
    }

    fn describe(&self) -> String {
        let lengths = self.shape.iter().map(|length| length.map_or("?".to_owned(), |length| length.to_string()));
        let element = match &self.element {
            Element::F32 => "f32",
            Element::F16 => "f16",
            Element::I64 => "i64",
            Element::Other(name) => name,
        };
        format!("{element} [{}]", lengths.collect::<Vec<_>>().join(", "))
    }
}

/// What a graph declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// In order.
    pub inputs: Vec<Slot>,
    /// In order.
    pub outputs: Vec<Slot>,
}

/// Why a graph isn't the one that the manifest describes. Every message goes on after "model `x`: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Not one input of three planes of the manifest's size.
    #[error("`{file}` takes {declared}, but `[input] size` says f32 [1, 3, {height}, {width}]; correct the manifest")]
    Input {
        /// The file that computes.
        file: String,
        /// What the graph declares.
        declared: String,
        /// From the manifest.
        width: u32,
        /// From the manifest.
        height: u32,
    },
    /// The right kind of output, for another number of labels.
    #[error("`{file}` tells {scores} labels apart, but `{labels_file}` has {labels}; correct the labels")]
    Labels {
        /// The file that computes.
        file: String,
        /// How many scores the graph gives.
        scores: usize,
        /// The file with the labels.
        labels_file: String,
        /// How many it has.
        labels: usize,
    },
    /// No output that the head could read.
    #[error("`{file}` gives {declared}, but head `{head}` reads {wanted}; correct `[output] head`")]
    Output {
        /// The file that computes.
        file: String,
        /// What the graph declares.
        declared: String,
        /// From the manifest.
        head: &'static str,
        /// What would fit.
        wanted: String,
    },
}

impl Graph {
    /// Checks this graph against what the manifest says, its input's `size` and the number of its `labels`; gives the index of the output to read.
    pub fn check(&self, of: &Labelled, size: [u32; 2], labels: usize) -> Result<usize, GraphError> {
        let file = of.model.path.display().to_string();
        let [width, height] = size;
        let wanted = [1, 3, height as usize, width as usize];
        if !matches!(self.inputs.as_slice(), [only] if only.is_float() && only.fits(&wanted)) {
            return Err(GraphError::Input { file, declared: describe(&self.inputs), width, height });
        }
        let shapes = readable(of.head, size, labels);
        let reads = |slot: &Slot| slot.is_float() && shapes.iter().any(|shape| slot.fits(shape));
        if let Some(index) = self.outputs.iter().position(reads) {
            return Ok(index);
        }
        if let Some(scores) = self.outputs.iter().find_map(|slot| labels_of(slot, of.head, size)) {
            let labels_file = of.labels.path.display().to_string();
            return Err(GraphError::Labels { file, scores, labels_file, labels });
        }
        let wanted = shapes.iter().map(|shape| format!("f32 {shape:?}")).collect::<Vec<_>>().join(" or ");
        Err(GraphError::Output { file, declared: describe(&self.outputs), head: of.head.as_str(), wanted })
    }
}

/// The shapes that the head can read.
fn readable(head: Head, size: [u32; 2], labels: usize) -> Vec<Vec<usize>> {
    match head {
        Head::Yolox(_) => vec![vec![1, yolox::cells(size), yolox::BEFORE_CLASSES + labels]],
        Head::Softmax | Head::Sigmoid | Head::Probabilities => vec![vec![1, labels], vec![1, labels, 1, 1]],
    }
}

/// How many labels an output would be for, if it is of the head's kind.
fn labels_of(slot: &Slot, head: Head, size: [u32; 2]) -> Option<usize> {
    let labels = match (head, slot.shape.as_slice()) {
        (Head::Yolox(_), [_, _, Some(row)]) => row.checked_sub(yolox::BEFORE_CLASSES)?,
        (Head::Softmax | Head::Sigmoid | Head::Probabilities, [_, Some(labels), ..]) => *labels,
        _ => return None,
    };
    let of_kind = readable(head, size, labels).iter().any(|shape| slot.fits(shape));
    (slot.is_float() && of_kind && labels > 0).then_some(labels)
}

/// Declared inputs or outputs, as messages show them.
pub(super) fn describe(slots: &[Slot]) -> String {
    if slots.is_empty() {
        "nothing".to_owned()
    } else {
        slots.iter().map(Slot::describe).collect::<Vec<_>>().join(", ")
    }
}
