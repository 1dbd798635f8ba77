//! What a graph of a vision language model declares: its inputs and outputs by name, with the names of their free dimensions.
//!
//! Owns the look at a session's metadata and the messages about what is missing; refuses to know what the tensors mean.

use std::path::Path;

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

use super::problem::VlmError;

/// How messages call a file.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The length of one dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// As exported.
    Fixed(usize),
    /// Decided by what is fed; exporters name it, or leave the name empty.
    Free(String),
}

/// A declared input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) element: TensorElementType,
    pub(super) lengths: Vec<Length>,
}

impl Port {
    fn of(outlet: &Outlet) -> Port {
        let name = outlet.name().to_owned();
        let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
            return Port { name, element: TensorElementType::Undefined, lengths: Vec::new() };
        };
        let length = |(length, symbol): (&i64, &String)| match usize::try_from(*length) {
            Ok(length) => Length::Fixed(length),
            Err(_) => Length::Free(symbol.clone()),
        };
        Port { name, element: *ty, lengths: shape.iter().zip(dimension_symbols.iter()).map(length).collect() }
    }

    /// Whether tensors of `shape` can be fed or come out.
    pub(super) fn takes(&self, shape: &[usize]) -> bool {
        let fits = |(declared, length): (&Length, &usize)| match declared {
            Length::Fixed(fixed) => fixed == length,
            Length::Free(_) => true,
        };
        self.lengths.len() == shape.len() && self.lengths.iter().zip(shape).all(fits)
    }

    /// The last dimension, if it is fixed.
    pub(super) fn width(&self) -> Option<usize> {
        match self.lengths.last() {
            Some(Length::Fixed(width)) => Some(*width),
            _ => None,
        }
    }

    pub(super) fn describe(&self) -> String {
        let lengths = self.lengths.iter().map(|length| match length {
            Length::Fixed(length) => length.to_string(),
            Length::Free(name) if name.is_empty() => "?".to_owned(),
            Length::Free(name) => name.clone(),
        });
        format!("{} [{}]", self.element, lengths.collect::<Vec<_>>().join(", "))
    }
}

/// What one graph declares.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    /// The file's name, for messages.
    pub(super) file: String,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
}

impl Declared {
    pub(super) fn of(file: &Path, session: &Session) -> Declared {
        let ports = |outlets: &[Outlet]| outlets.iter().map(Port::of).collect();
        Declared { file: file_name(file), inputs: ports(session.inputs()), outputs: ports(session.outputs()) }
    }

    /// The input of that name, if the graph wants it.
    pub(super) fn optional(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }

    /// The input of that name.
    pub(super) fn input(&self, name: &'static str) -> Result<&Port, VlmError> {
        self.optional(name).ok_or_else(|| self.lacks("input", name, &self.inputs))
    }

    /// The output of that name.
    pub(super) fn output(&self, name: &str) -> Result<&Port, VlmError> {
        self.outputs.iter().find(|port| port.name == name).ok_or_else(|| self.lacks("output", name, &self.outputs))
    }

    /// Refuses inputs that nobody here knows how to feed: their graph belongs to another kind of model.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), VlmError> {
        match self.inputs.iter().find(|port| !known.contains(&port.name.as_str()) && !port.name.starts_with("past")) {
            None => Ok(()),
            Some(port) => Err(VlmError::Stranger { file: self.file.clone(), name: port.name.clone() }),
        }
    }

    /// Refuses `port` unless it holds `element`s in `shape`; `wanted` says in words what would be right.
    pub(super) fn require(&self, port: &Port, holds: bool, wanted: &str) -> Result<(), VlmError> {
        if holds {
            return Ok(());
        }
        let (file, name, declared, wanted) = (self.file.clone(), port.name.clone(), port.describe(), wanted.to_owned());
        Err(VlmError::Shape { file, name, declared, wanted })
    }

    fn lacks(&self, kind: &'static str, name: &str, ports: &[Port]) -> VlmError {
        // A decoder has dozens of cache tensors: the first few names tell which graph it is.
        let mut has: Vec<String> = ports.iter().take(6).map(|port| format!("`{}`", port.name)).collect();
        if ports.len() > has.len() {
            has.push(format!("{} more", ports.len() - has.len()));
        }
        if has.is_empty() {
            has.push("nothing".to_owned());
        }
        VlmError::Lacks { file: self.file.clone(), kind, name: name.to_owned(), has: has.join(", ") }
    }
}
