//! To whom events are owed: the endpoints there are now.
//!
//! Owns the one list that everybody who records events looks at; refuses to know why it changes. Read on any thread,
//! replaced whole.

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::Endpoint;

/// The endpoints of the box, which may change while it runs. Cheap to clone; all clones show the same list.
#[derive(Clone, Debug)]
pub struct Addressees(Arc<RwLock<Arc<[Endpoint]>>>);

impl Addressees {
    /// These, for now.
    pub fn new(endpoints: &[Endpoint]) -> Addressees {
        Addressees(Arc::new(RwLock::new(endpoints.into())))
    }

    /// Those that there are.
    pub fn now(&self) -> Arc<[Endpoint]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What happens from here on is owed to these.
    pub fn replace(&self, endpoints: &[Endpoint]) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = endpoints.into();
    }
}
