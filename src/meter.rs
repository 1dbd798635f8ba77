//! Meters: how often something took how long, since the process started.
//!
//! Owns the bounds and the counting, without locks; refuses to know what is measured, and reads no clock. Written by one
//! or several threads, read by any.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in milliseconds; one count more than bounds: what took longer than the last.
const BOUNDS_MS: [u64; 15] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/// Counts durations.
#[derive(Debug, Default)]
pub struct Meter {
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_us: AtomicU64,
}

/// What a [`Meter`] has counted so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Upper bounds in seconds, the last one infinite, each with how often something took so long but longer than the
    /// bound before.
    pub slots: [(f64, u64); BOUNDS_MS.len() + 1],
    /// All of it together in seconds.
    pub sum_s: f64,
}

impl Meter {
    /// Counts something that took so long.
    pub fn observe(&self, took: Duration) {
        let slot = BOUNDS_MS.partition_point(|bound| Duration::from_millis(*bound) < took);
        self.counts[slot].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn read(&self) -> Reading {
        let bound = |slot: usize| BOUNDS_MS.get(slot).map_or(f64::INFINITY, |bound| *bound as f64 / 1e3);
        Reading {
            slots: array::from_fn(|slot| (bound(slot), self.counts[slot].load(Ordering::Relaxed))),
            sum_s: self.sum_us.load(Ordering::Relaxed) as f64 / 1e6,
        }
    }
}

impl Reading {
    /// How often.
    pub fn count(&self) -> u64 {
        self.slots.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_as_long_as_a_bound_is_within_it() {
        let meter = Meter::default();
        for micros in [0, 1_000, 1_001, 60_000_000, 60_000_001] {
            meter.observe(Duration::from_micros(micros));
        }
        let read = meter.read();
        let counted: Vec<_> = read.slots.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(0.001, 2), (0.002, 1), (60.0, 1), (f64::INFINITY, 1)]);
        assert_eq!((read.count(), read.sum_s), (5, 120.002_002));
    }
}
