//! What a graph declares, and whether that is what the manifest says.
//!
//! Owns the check; refuses to know where the declaration comes from. Inputs and outputs are matched by shape: their names
//! differ from export to export.

use super::heads::{Length, Misfit, Reader};
use super::manifest::Labelled;

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
    /// Whether it holds floats of these lengths, as far as it declares them.
    pub(super) fn fits(&self, wanted: &[Length]) -> bool {
        let alike = |(declared, wanted): (&Option<usize>, &Length)| match wanted {
            Length::Pictures => declared.is_none_or(|length| length == 1),
            Length::Is(wanted) => declared.is_none_or(|length| length == *wanted),
            Length::Any => true,
        };
        self.is_float() && self.shape.len() == wanted.len() && self.shape.iter().zip(wanted).all(alike)
    }

    /// Whether it takes a picture of `size` (width, height) as three planes of floats.
    pub(super) fn takes_picture(&self, [width, height]: [u32; 2]) -> bool {
        self.fits(&[Length::Pictures, Length::Is(3), Length::Is(height as usize), Length::Is(width as usize)])
    }

    /// Whether it takes or gives any number of pictures.
    fn is_batchable(&self) -> bool {
        self.shape.first() == Some(&None)
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
    /// Checks this graph against what the manifest says, its input's `size` and the number of its `labels`; gives the head
    /// that reads it.
    pub(super) fn check(&self, of: &Labelled, size: [u32; 2], labels: usize) -> Result<Reader, GraphError> {
        let file = of.model.path.display().to_string();
        if !matches!(self.inputs.as_slice(), [only] if only.takes_picture(size)) {
            let [width, height] = size;
            return Err(GraphError::Input { file, declared: describe(&self.inputs), width, height });
        }
        Reader::find(of.head, &self.outputs, size, labels).map_err(|misfit| match misfit {
            Misfit::Labels(scores) => {
                GraphError::Labels { file, scores, labels_file: of.labels.path.display().to_string(), labels }
            }
            Misfit::Shapes(wanted) => {
                GraphError::Output { file, declared: describe(&self.outputs), head: of.head.as_str(), wanted }
            }
        })
    }

    /// Whether any number of pictures may go in together, and as many answers come out where `reader` looks.
    pub(super) fn is_batchable(&self, reader: &Reader) -> bool {
        let read = reader.outputs().into_iter().filter_map(|index| self.outputs.get(index));
        self.inputs.iter().chain(read).all(Slot::is_batchable)
    }
}

/// Declared inputs or outputs, as messages show them.
pub(super) fn describe(slots: &[Slot]) -> String {
    if slots.is_empty() {
        "nothing".to_owned()
    } else {
        slots.iter().map(Slot::describe).collect::<Vec<_>>().join(", ")
    }
}
