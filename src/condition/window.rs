//! The hold window: which of the last checks were positive.
//!
//! Owns the checks that may still count for `k of n` and their ages; refuses to know thresholds and what follows from a
//! hold. Plain data, any thread.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Hold;
use crate::time::{Mono, Now, Wall};

/// The last checks, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Window(VecDeque<Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    at: Mono,
    wall: Wall,
    positive: bool,
}

impl Window {
    /// A check enters; what is no longer among the last `of` falls out.
    pub(super) fn push(&mut self, observed: Now, positive: bool, of: u32) {
        self.0.push_back(Entry { at: observed.mono, wall: observed.wall, positive });
        while self.0.len() > of as usize {
            self.0.pop_front();
        }
    }

    /// What is older than `memory` falls out.
    pub(super) fn age(&mut self, now: Now, memory: Duration) {
        self.0.retain(|entry| now.mono.since(entry.at) <= memory);
    }

    /// No entry may lie ahead: after a clock that went backwards it would outstay its time.
    pub(super) fn rein_in(&mut self, now: Now) {
        for entry in &mut self.0 {
            entry.at = entry.at.min(now.mono);
        }
    }

    /// Whether a positive check not older than `memory` is in it.
    pub(super) fn is_positive(&self, now: Now, memory: Duration) -> bool {
        self.0.iter().any(|entry| entry.positive && now.mono.since(entry.at) <= memory)
    }

    /// When the first positive check of a window that holds was seen; None when it doesn't hold.
    pub(super) fn holds_since(&self, hold: Hold) -> Option<Wall> {
        let mut positives = self.0.iter().filter(|entry| entry.positive);
        let first = positives.next()?;
        (1 + positives.count() >= hold.needed as usize).then_some(first.wall)
    }

    /// Nothing counts any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
