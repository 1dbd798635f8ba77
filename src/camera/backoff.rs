//! How long to wait before a camera is tried again.
//!
//! Owns the delays; refuses to know clocks and dice (both are arguments). Pure.

use std::time::Duration;

use crate::time::Now;

/// The first wait after a camera was lost, and half of the next one.
const FIRST: Duration = Duration::from_millis(500);
/// From one attempt to the next while the outage is young: a camera that comes back is seen within this time and its
/// connect.
const YOUNG: Duration = Duration::from_secs(4);
/// The same when nobody expects it back any moment.
const OLD: Duration = Duration::from_secs(30);
/// An outage is young for so long.
const YOUTH: Duration = Duration::from_secs(5 * 60);
/// Cameras lock an account after some refused logins in a row (often five to ten), and an attempt within the lock may
/// prolong it: the waits after the first ones.
const REFUSED_S: [u64; 3] = [10, 20, 30];
/// After so many of them it is no camera that is still starting.
const REFUSED_OFTEN: usize = 10;
/// The wait from then on: a lock of some minutes can end.
const REFUSED: Duration = Duration::from_secs(5 * 60);
/// Good pictures must have come for so long before the delays begin anew, or a camera that dies at once would be hammered.
const GOOD_FOR: Duration = Duration::from_secs(10);
/// There is always a pause, however long an attempt took.
const PAUSE: Duration = Duration::from_millis(100);

/// An attempt that failed, or a connection that ended.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// From its start to its end.
    pub took: Duration,
    /// For how much of that pictures came.
    pub flowed: Duration,
    /// The camera refused the login.
    pub refused: bool,
}

/// Delays of 0.5, 1, 2, 4, 4 … s for the first 5 minutes of an outage, then 8, 16, 30, 30 … s; after a refused login 10, 20,
/// 30 … s, and after ten of them 5 minutes. Each is shortened by up to a
/// quarter so that many cameras don't come at once.
#[derive(Debug, Default)]
pub struct Backoff {
    /// When the outage began that is not over yet; a short return of the pictures doesn't end it.
    since: Option<Now>,
    failures: u32,
    /// Failures since the outage was no longer young.
    late: u32,
    /// Refused logins, running.
    refused: usize,
}

impl Backoff {
    /// The wait after an attempt that ended now; `chance` is 0 to 1. `spread` is added by chance: where many cameras come
    /// back at once, they come one after the other.
    ///
    /// The time from the attempt's start counts: one that ran into a timeout is followed by the next at once. But not a
    /// refused login's: there the pause is what the camera wants.
    pub fn after(&mut self, attempt: Attempt, spread: Duration, chance: f64, now: Now) -> Duration {
        let Attempt { took, flowed, refused } = attempt;
        if flowed >= GOOD_FOR {
            *self = Backoff::default();
        }
        let chance = chance.clamp(0.0, 1.0);
        let young = now.mono.since(self.since.get_or_insert(now).mono) < YOUTH;
        let delay = if refused { self.refused_delay() } else { self.delay(young) };
        let jittered = delay.mul_f64(1.0 - chance / 4.0);
        let counts = if refused { Duration::ZERO } else { took.saturating_sub(flowed) };
        jittered.saturating_sub(counts).max(PAUSE) + spread.mul_f64(chance)
    }

    fn delay(&mut self, young: bool) -> Duration {
        self.refused = 0;
        let doubled = |first: Duration, times: u32| first.saturating_mul(1 << times.min(10));
        if young {
            self.failures = self.failures.saturating_add(1);
            return doubled(FIRST, self.failures - 1).min(YOUNG);
        }
        self.late = self.late.saturating_add(1);
        doubled(YOUNG, self.late).min(OLD)
    }

    fn refused_delay(&mut self) -> Duration {
        let before = self.refused;
        self.refused = self.refused.saturating_add(1);
        if before >= REFUSED_OFTEN {
            return REFUSED;
        }
        Duration::from_secs(REFUSED_S[before.min(REFUSED_S.len() - 1)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: Duration = Duration::ZERO;
    const FAILED: Attempt = Attempt { took: NONE, flowed: NONE, refused: false };
    const REFUSED_LOGIN: Attempt = Attempt { refused: true, ..FAILED };

    fn at(millis: u64) -> Now {
        Now::in_clip(Duration::from_millis(millis))
    }

    fn good(seconds: u64) -> Attempt {
        let time = Duration::from_secs(seconds);
        Attempt { took: time, flowed: time, refused: false }
    }

    /// The delays of attempts that fail at once, each made when the one before allowed it.
    fn millis(backoff: &mut Backoff, attempt: Attempt, chance: f64, began: u64, count: usize) -> Vec<u64> {
        let mut now = began;
        let mut next = || {
            let delay = backoff.after(attempt, NONE, chance, at(now)).as_millis() as u64;
            now += delay;
            delay
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn delays_double_up_to_four_seconds_and_jitter_only_shortens() {
        assert_eq!(millis(&mut Backoff::default(), FAILED, 0.0, 0, 6), [500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(millis(&mut Backoff::default(), FAILED, 1.0, 0, 6), [375, 750, 1500, 3000, 3000, 3000]);
    }

    #[test]
    fn after_five_minutes_they_go_up_to_thirty_seconds() {
        let mut backoff = Backoff::default();
        let delays = millis(&mut backoff, FAILED, 0.0, 0, 90);
        let young = delays.iter().scan(0, |sum, delay| Some(std::mem::replace(sum, *sum + delay) + delay));
        let old = young.take_while(|sum| *sum < 300_000).count() + 1;
        assert_eq!(delays[old - 1..old + 4], [4000, 8000, 16_000, 30_000, 30_000]);
        assert!(delays[old + 2..].iter().all(|delay| *delay == 30_000));
    }

    #[test]
    fn only_a_connection_that_was_good_for_a_while_resets_them() {
        let mut backoff = Backoff::default();
        millis(&mut backoff, FAILED, 0.0, 0, 6);
        assert_eq!(backoff.after(good(9), NONE, 0.0, at(30_000)), YOUNG);
        assert_eq!(backoff.after(good(10), NONE, 0.0, at(50_000)), FIRST);
        let mut old = Backoff::default();
        old.after(FAILED, NONE, 0.0, at(0));
        assert_eq!(old.after(good(9), NONE, 0.0, at(400_000)), Duration::from_secs(8), "a short return ends no outage");
        assert_eq!(old.after(good(10), NONE, 0.0, at(500_000)), FIRST);
    }

    #[test]
    fn the_time_an_attempt_took_counts_but_there_is_always_a_pause() {
        let after = |seconds| {
            let mut backoff = Backoff { failures: 9, ..Backoff::default() };
            backoff.after(Attempt { took: Duration::from_secs(seconds), ..FAILED }, NONE, 0.0, at(0))
        };
        assert_eq!((after(3), after(30)), (Duration::from_secs(1), PAUSE));
    }

    #[test]
    fn a_refused_login_is_tried_a_few_times_and_then_seldom() {
        let delays = millis(&mut Backoff::default(), REFUSED_LOGIN, 0.0, 0, 12);
        assert_eq!(delays[..4], [10_000, 20_000, 30_000, 30_000]);
        assert_eq!(delays[9..], [30_000, 300_000, 300_000], "ten of them");
        let slow = Attempt { took: Duration::from_secs(8), ..REFUSED_LOGIN };
        assert_eq!(
            Backoff::default().after(slow, NONE, 0.0, at(0)),
            Duration::from_secs(10),
            "its own time doesn't count"
        );
        let mut other = Backoff::default();
        millis(&mut other, REFUSED_LOGIN, 0.0, 0, 3);
        assert_eq!(other.after(FAILED, NONE, 0.0, at(20_000)), FIRST, "a camera that restarts is no lock");
    }

    fn any_attempt() -> impl Strategy<Value = (Attempt, u64, f64)> {
        (0..40_000_u64, 0..=100_u64, any::<bool>(), 0..10_000_u64, 0.0..=1.0).prop_map(|it| {
            let (took, share, refused, idle, chance) = it;
            let (took, flowed) = (Duration::from_millis(took), Duration::from_millis(took * share / 100));
            (Attempt { took, flowed, refused }, idle, chance)
        })
    }

    proptest! {
        #[test]
        fn whatever_happens_a_camera_is_neither_hammered_nor_forgotten(
            attempts in proptest::collection::vec(any_attempt(), 1..200)
        ) {
            let mut backoff = Backoff::default();
            let (mut now, mut since) = (0, None);
            for (attempt, idle, chance) in attempts {
                now += attempt.took.as_millis() as u64;
                if attempt.flowed >= GOOD_FOR {
                    since = None;
                }
                let young = now - *since.get_or_insert(now) < YOUTH.as_millis() as u64;
                let wait = backoff.after(attempt, NONE, chance, at(now));
                let longest = match attempt.refused {
                    true => REFUSED,
                    false if young => YOUNG,
                    false => OLD,
                };
                prop_assert!(PAUSE <= wait && wait <= longest, "{wait:?} at {now}, young: {young}");
                // Without pictures, from the start of one attempt to the next it is never less than the first delay.
                let between = wait + attempt.took.saturating_sub(attempt.flowed);
                prop_assert!(between >= FIRST.mul_f64(0.75), "{between:?}");
                now += wait.as_millis() as u64 + idle;
            }
        }

        #[test]
        fn a_spread_delays_by_its_whole_at_most(chance in 0.0..=1.0_f64, spread in 0..10_000_u64) {
            let spread = Duration::from_millis(spread);
            let wait = |spread| Backoff::default().after(FAILED, spread, chance, at(0));
            prop_assert!(wait(spread) >= wait(NONE) && wait(spread) <= wait(NONE) + spread);
        }
    }
}
