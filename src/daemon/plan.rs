//! What is to run now, for everybody who asks.
//!
//! Owns the one place where the roster and the configuration that follows from it stand; refuses to decide what changes
//! them. Read on any thread, replaced whole.

use std::sync::{Arc, PoisonError, RwLock};

use super::roster::Roster;
use crate::config::Config;

/// What is to run.
pub(super) struct Plan {
    /// From what it follows.
    pub(super) roster: Roster,
    /// Everything, as if it stood in one file.
    pub(super) config: Config,
}

/// The plan there is now. Cheap to clone; all clones show the same one.
#[derive(Clone)]
pub(super) struct Plans(Arc<RwLock<Arc<Plan>>>);

impl Plans {
    /// To begin with.
    pub(super) fn new(roster: Roster) -> Plans {
        let config = roster.config();
        Plans(Arc::new(RwLock::new(Arc::new(Plan { roster, config }))))
    }

    /// As it is now.
    pub(super) fn now(&self) -> Arc<Plan> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From here on.
    pub(super) fn replace(&self, plan: Arc<Plan>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = plan;
    }
}
