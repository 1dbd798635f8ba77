//! How a commit wakes the senders.
//!
//! Owns one bell for each endpoint; refuses to know why it rings. Rung on the journal's thread, heard in the senders' tasks.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

use crate::journal::Wake;
use crate::name::Name;

/// A bell for each endpoint. Cheap to clone; all clones ring the same bells.
#[derive(Clone, Debug)]
pub struct Doorbells(Arc<RwLock<BTreeMap<Name, Arc<Notify>>>>);

impl Doorbells {
    /// For the endpoints with these names; others get theirs with their sender.
    pub fn new(endpoints: impl IntoIterator<Item = Name>) -> Doorbells {
        Doorbells(Arc::new(RwLock::new(endpoints.into_iter().map(|name| (name, Arc::default())).collect())))
    }

    /// What the journal calls after a commit. Endpoints without a bell are passed over: nobody sends to them.
    pub fn wake(&self) -> Wake {
        let bells = self.clone();
        Box::new(move |endpoints| {
            let bells = bells.0.read().unwrap_or_else(PoisonError::into_inner);
            endpoints.iter().filter_map(|name| bells.get(name)).for_each(|bell| bell.notify_one());
        })
    }

    /// Nobody sends to that endpoint any more.
    pub fn remove(&self, endpoint: &Name) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(endpoint);
    }

    /// The bell of an endpoint.
    pub(super) fn of(&self, endpoint: &Name) -> Arc<Notify> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).entry(endpoint.clone()).or_default().clone()
    }
}
