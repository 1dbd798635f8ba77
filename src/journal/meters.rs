//! What the journal measures while it works: how long commits take, the attempts that are settled, and that it is alive.
//!
//! Owns the meters; refuses to know who reads them. In memory: they begin anew with the process. Written by the thread
//! `journal-writer`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::meter::{Meter, Reading};
use crate::time::{Mono, Now};

/// The meters of one journal.
#[derive(Debug, Default)]
pub struct Meters {
    commits: Meter,
    attempts: Mutex<BTreeMap<String, Meter>>,
    beat: AtomicU64,
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

    /// When the writer last showed that it is alive: about once a second, and after each commit.
    pub fn last_beat(&self) -> Mono {
        Mono(self.beat.load(Ordering::Relaxed))
    }

    pub(super) fn beat(&self, now: Now) {
        self.beat.store(now.mono.0, Ordering::Relaxed);
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
