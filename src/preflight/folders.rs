//! Models' folders that were opened: found, read and hashed once, however many monitors name them.
//!
//! Owns what came of each, good or bad; refuses to know how a folder is opened, and for how long what is known of it holds
//! (whoever keeps the list does). On whichever thread looks at monitors.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::Model;
use crate::model::{Folder, LoadError};
use crate::name::Name;

/// What is known of models' folders.
#[derive(Default)]
pub struct Folders(BTreeMap<Name, Result<Arc<Folder>, Arc<LoadError>>>);

impl Folders {
    /// Nothing is taken as known any more of models that aren't `used`: what stands in their folders may be another one by
    /// now, or mended.
    pub fn keep(&mut self, used: impl Fn(&Name) -> bool) {
        self.0.retain(|model, _| used(model));
    }

    /// The folder of `model`, opened unless that was done before.
    pub(super) fn open(&mut self, model: &Model, storage: &Path) -> Result<Arc<Folder>, Arc<LoadError>> {
        let Model { name, path, .. } = model;
        let open = || {
            tracing::debug!(model = %name, "its folder is opened and hashed");
            let path = path.as_ref().map(|path| path.value.as_path());
            Folder::open(name, path, storage).map(Arc::new).map_err(Arc::new)
        };
        self.0.entry(name.clone()).or_insert_with(open).clone()
    }

    /// The folder is as it should be, but nothing runs with what stands in it.
    pub(super) fn is_of_no_use(&mut self, model: &Name, error: Arc<LoadError>) {
        self.0.insert(model.clone(), Err(error));
    }
}
