//! Where a half's embeddings are among its outputs, and getting them out.
//!
//! Owns the choice of the output, by name and otherwise by shape; refuses to know what was embedded.

use std::path::Path;

use ort::session::SessionOutputs;

use super::super::graph::{Graph, describe};
use super::super::label::copy;
use super::super::session::said;
use super::super::{RunError, Tensor};
use super::problem::ZeroShotError;

/// The output that is read.
#[derive(Debug)]
pub(super) struct Embedding {
    name: String,
}

impl Embedding {
    /// The first of `names` that `graph` (of `file`) gives as floats `[batch, width]`, otherwise the first such output.
    pub(super) fn of(graph: &Graph, names: &[&str], file: &str) -> Result<Embedding, ZeroShotError> {
        let fitting = || graph.outputs.iter().filter(|slot| slot.is_float() && slot.shape.len() == 2);
        let named = names.iter().find_map(|name| fitting().find(|slot| slot.name == *name));
        match named.or_else(|| fitting().next()) {
            Some(slot) => Ok(Embedding { name: slot.name.clone() }),
            None => Err(ZeroShotError::Output {
                file: file.to_owned(),
                declared: describe(&graph.outputs),
                wanted: names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or "),
            }),
        }
    }

    /// One vector for each of `count` texts or pictures.
    pub(super) fn rows(&self, outputs: &SessionOutputs<'_>, count: usize) -> Result<Vec<Vec<f32>>, RunError> {
        let missing = || RunError(format!("it gave no `{}`", self.name));
        let Tensor { shape, data } =
            copy(outputs.get(&self.name).ok_or_else(missing)?).map_err(|error| RunError(said(&error)))?;
        match shape.as_slice() {
            [rows, width] if *rows == count && *width > 0 => Ok(data.chunks(*width).map(<[f32]>::to_vec).collect()),
            _ => Err(RunError(format!("its `{}` is {shape:?} for a batch of {count}", self.name))),
        }
    }
}

/// How messages call a file.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
