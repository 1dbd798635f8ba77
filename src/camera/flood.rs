//! When a camera sends far more than any camera should.
//!
//! Owns the limits and what rate is usual for the camera; refuses to know connections and what is done about it. Pure.

use std::time::Duration;

use crate::time::Now;

/// Packets a second that no camera of ours sends, whatever it is set to.
pub const MOST: f64 = 240.0;
/// A camera that sends so many times its usual rate has lost its pace …
const TIMES: f64 = 10.0;
/// … but not below this: somebody may have set a slow camera to the highest frame rate there is.
const LEAST: f64 = 120.0;
/// What has piled up behind a stall comes in a second or two; what goes on for so many seconds is no burst.
const SUSTAINED: u32 = 5;
/// A rate is usual after so many quiet seconds, and this many of them make its mean.
const USUAL_AFTER: u32 = 30;

/// Counts the packets of one camera, second by second. What is usual outlives a connection.
#[derive(Debug, Default)]
pub struct Flood {
    /// The second that is being counted: when it began, and its packets so far.
    second: Option<(Now, u32)>,
    /// Seconds running that were over the limit.
    flooded: u32,
    /// The mean rate of quiet seconds, and how many there were.
    mean: f64,
    quiet: u32,
}

impl Flood {
    /// What comes next doesn't go on from what came before: a new connection, or time passed that we were not there.
    pub fn interrupted(&mut self) {
        self.second = None;
        self.flooded = 0;
    }

    /// A video packet came. Whether it has been too many for too long.
    pub fn packet(&mut self, now: Now) -> bool {
        let (began, count) = *self.second.get_or_insert((now, 0));
        let passed = now.mono.since(began.mono);
        if passed < Duration::from_secs(1) {
            self.second = Some((began, count + 1));
        } else {
            self.second_over(f64::from(count) / passed.as_secs_f64());
            self.second = Some((now, 1));
        }
        self.flooded >= SUSTAINED
    }

    fn second_over(&mut self, rate: f64) {
        if rate > self.limit() {
            self.flooded += 1;
            return;
        }
        self.flooded = 0;
        self.quiet = self.quiet.saturating_add(1);
        self.mean += (rate - self.mean) / f64::from(self.quiet.min(USUAL_AFTER));
    }

    /// In packets a second.
    fn limit(&self) -> f64 {
        if self.quiet < USUAL_AFTER { MOST } else { (self.mean * TIMES).clamp(LEAST, MOST) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `rate` packets in each of `seconds` from `from` on; whether it was ever a flood.
    fn play(flood: &mut Flood, from: u64, rate: u64, seconds: u64) -> bool {
        let packets = rate * seconds;
        let at = |nth: u64| Now::in_clip(Duration::from_secs(from) + Duration::from_nanos(nth * 1_000_000_000 / rate));
        (0..packets).fold(false, |was, nth| flood.packet(at(nth)) | was)
    }

    #[test]
    fn more_than_any_camera_sends_is_a_flood_after_some_seconds() {
        assert!(!play(&mut Flood::default(), 0, 230, 60));
        assert!(play(&mut Flood::default(), 0, 300, 7));
        assert!(!play(&mut Flood::default(), 0, 300, 4), "what piled up behind a stall");
    }

    #[test]
    fn ten_times_the_usual_is_a_flood_too_but_a_camera_may_be_set_faster() {
        let mut slow = Flood::default();
        assert!(!play(&mut slow, 0, 15, 60));
        assert!(!play(&mut slow, 60, 60, 60), "set from 15 to 60");
        let mut slow = Flood::default();
        play(&mut slow, 0, 15, 60);
        slow.interrupted();
        assert!(play(&mut slow, 60, 160, 8), "what is usual outlives the connection");
        assert!(!play(&mut Flood::default(), 0, 160, 60), "usual from the start");
    }

    #[test]
    fn a_flood_that_ends_or_is_interrupted_begins_anew() {
        let mut flood = Flood::default();
        assert!(!play(&mut flood, 0, 300, 4));
        assert!(!play(&mut flood, 4, 15, 3));
        assert!(!play(&mut flood, 7, 300, 4));
        flood.interrupted();
        assert!(!play(&mut flood, 11, 300, 4));
    }

    proptest! {
        #[test]
        fn no_rate_of_a_camera_is_ever_a_flood(rates in proptest::collection::vec((1..=120_u64, 1..40_u64), 1..12)) {
            let (mut flood, mut from) = (Flood::default(), 0);
            for (rate, seconds) in rates {
                prop_assert!(!play(&mut flood, from, rate, seconds), "{rate} from {from}");
                from += seconds;
            }
        }
    }
}
