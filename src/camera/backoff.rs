//! How long to wait before a camera is tried again.
//!
//! Owns the delays; refuses to know clocks and dice (both are arguments). Pure.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
/// From one attempt to the next, jitter included: a camera that comes back is seen within this time and its connect.
const LONGEST: Duration = Duration::from_secs(4);
/// Frames must have flowed for so long before the delays begin anew, or a camera that dies at once would be hammered.
const GOOD_FOR: Duration = Duration::from_secs(4);

/// Delays of 0.5, 1, 2, 4, 4 … s, each shortened by up to a quarter so that many cameras do not come at once.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after an attempt that failed after `took` and gave pictures for `flowed`; `chance` is 0 to 1.
    ///
    /// The time from the attempt's start counts: one that ran into a timeout is followed by the next at once.
    pub fn after(&mut self, took: Duration, flowed: Duration, chance: f64) -> Duration {
        if flowed >= GOOD_FOR {
            self.failures = 0;
        }
        let delay = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let jittered = delay.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 4.0);
        jittered.saturating_sub(took.saturating_sub(flowed)).max(FIRST / 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    fn millis(backoff: &mut Backoff, chance: f64) -> Vec<u128> {
        (0..6).map(|_| backoff.after(NONE, NONE, chance).as_millis()).collect()
    }

    #[test]
    fn delays_double_up_to_four_seconds_and_jitter_only_shortens() {
        assert_eq!(millis(&mut Backoff::default(), 0.0), [500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(millis(&mut Backoff::default(), 1.0), [375, 750, 1500, 3000, 3000, 3000]);
    }

    #[test]
    fn only_a_connection_that_was_good_for_a_while_resets_them() {
        let mut backoff = Backoff::default();
        millis(&mut backoff, 0.0);
        let short = Duration::from_secs(1);
        assert_eq!(backoff.after(short, short, 0.0), LONGEST);
        let long = Duration::from_secs(60);
        assert_eq!(backoff.after(long, long, 0.0), FIRST);
    }

    #[test]
    fn the_time_an_attempt_took_counts_but_there_is_always_a_pause() {
        let mut backoff = Backoff { failures: 9 };
        assert_eq!(backoff.after(Duration::from_secs(3), NONE, 0.0), Duration::from_secs(1));
        assert_eq!(backoff.after(Duration::from_secs(30), NONE, 0.0), Duration::from_millis(100));
    }
}
