//! What is made over the API, at the start: checked one by one, and what each needs laid beside what the file needs.
//!
//! Owns that order; refuses to know what is checked (`preflight`). Runs on the main thread.

use super::crew::Crew;
use super::made::Body;
use crate::config::{Config, Defined, Unfit};
use crate::model::Limits;
use crate::preflight::{self, Opened, Ready};

/// Where what was opened is laid.
pub(super) struct Admitted<'a> {
    /// Models are started at once, so that none is loaded twice.
    pub(super) crew: &'a Crew,
    /// How long one may take.
    pub(super) limits: Limits,
    /// What the file needs.
    pub(super) ready: &'a mut Ready,
}

impl Admitted<'_> {
    /// Checks `part`, which is to run beside `config`.
    ///
    /// # Errors
    /// Why it can't.
    pub(super) fn admit(&mut self, config: &Config, part: &Defined, body: &Body) -> Result<(), Unfit> {
        let opened =
            preflight::open(part, body.secret().as_ref(), config, &self.crew.models(), &mut self.ready.folders)?;
        match (opened, part) {
            (Opened::Camera(address), Defined::Camera(camera)) => {
                self.ready.addresses.insert(camera.name.clone(), address);
            }
            (Opened::Endpoint(credentials, tls), Defined::Endpoint(endpoint)) => {
                self.ready.credentials.insert(endpoint.name.clone(), credentials);
                self.ready.tls.insert(endpoint.name.clone(), tls);
            }
            (Opened::Monitor(models), _) => self
                .crew
                .start_models(models, self.limits)
                .map_err(|error| Unfit::new(error.to_string(), "raise `TasksMax` or free some memory"))?,
            (Opened::Camera(_) | Opened::Endpoint(..), _) => {}
        }
        Ok(())
    }
}
