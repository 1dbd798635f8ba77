//! `[[model]]`: a model by name, and the folder it is in.
//!
//! Owns its keys; refuses to know what is in the folder.

use std::path::PathBuf;

use super::read::Section;
use super::settings::{Located, Model};

/// Reads one `[[model]]`.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Model> {
    let name = section.name();
    let path = section.optional_text("path");
    name.map(|name| Model {
        name: name.value,
        path: path.map(|path| Located { value: PathBuf::from(path.value), at: path.at }),
        at: name.at,
    })
}
