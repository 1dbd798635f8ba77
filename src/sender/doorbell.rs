//! How a commit wakes the senders.
//!
//! Owns one bell for each endpoint; refuses to know why it rings. Rung on the journal's thread, heard in the senders' tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::journal::Wake;
use crate::name::Name;

/// A bell for each endpoint. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Doorbells(Arc<BTreeMap<Name, Arc<Notify>>>);

impl Doorbells {
    /// For the endpoints with these names.
    pub fn new(endpoints: impl IntoIterator<Item = Name>) -> Doorbells {
        Doorbells(Arc::new(endpoints.into_iter().map(|name| (name, Arc::default())).collect()))
    }

    /// What the journal calls after a commit. Endpoints without a bell are passed over: nobody sends to them.
    pub fn wake(&self) -> Wake {
        let bells = self.clone();
        Box::new(move |endpoints| {
            endpoints.iter().filter_map(|name| bells.0.get(name)).for_each(|bell| bell.notify_one())
        })
    }

    /// The bell of an endpoint; one that never rings for a name that was not given.
    pub(super) fn of(&self, endpoint: &Name) -> Arc<Notify> {
        self.0.get(endpoint).cloned().unwrap_or_default()
    }
}
