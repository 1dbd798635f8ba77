//! What the journal measures while it works: how long commits take, and the attempts that are settled.
//!
//! Owns the meters; refuses to know who reads them. In memory: they begin anew with the process. Written by the thread
//! `journal-writer`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::meter::{Meter, Reading};

/// The meters of one journal.
#[derive(Debug, Default)]
pub struct Meters {
    commits: Meter,
    attempts: Mutex<BTreeMap<String, Meter>>,
}

impl Meters {
    /// How long transactions took to commit, with the flush to the disk.
    pub fn commits(&self) -> Reading {
        self.commits.read()
    }

    /// How long attempts took, until the status line or until they failed, by endpoint.
    pub fn attempts(&self) -> Vec<(String, Reading)> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.iter().map(|(endpoint, meter)| (endpoint.clone(), meter.read())).collect()
    }

    pub(super) fn committed(&self, took: Duration) {
        self.commits.observe(took);
    }

    pub(super) fn attempted(&self, endpoint: &str, took: Duration) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        match attempts.get(endpoint) {
            Some(meter) => meter.observe(took),
            None => attempts.entry(endpoint.to_owned()).or_default().observe(took),
        }
    }
}
