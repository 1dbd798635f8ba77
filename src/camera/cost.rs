//! What decoding a camera costs, and what it would cost asleep.
//!
//! Owns the tally of CPU time by keyframes and by what lies between them; refuses to measure. Pure.

use std::time::Duration;

/// Shorter measurements say nothing.
const TELLING: Duration = Duration::from_secs(10);

/// Older measurements count half: cameras change with the time of day.
const HALVED_AFTER: Duration = Duration::from_secs(120);

/// A keyframe interval that cameras offer, and that any `notice_within` from a second on is content with.
const ADVISED: Duration = Duration::from_secs(1);

/// CPU time of decoding, as it was measured while everything was decoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Cost {
    span: Duration,
    keyframes: f64,
    on_keyframes: Duration,
    on_all: Duration,
}

/// What a camera would save with a keyframe every second, in CPU seconds a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saving {
    /// Decoding everything, as now.
    pub now: f64,
    /// Decoding one keyframe a second.
    pub asleep: f64,
}

impl Cost {
    /// Decoding a packet took `took`; `since` is how much later than the packet before it is shown.
    pub(super) fn decoded(&mut self, keyframe: bool, since: Duration, took: Duration) {
        if self.span >= HALVED_AFTER {
            self.span /= 2;
            self.keyframes /= 2.0;
            self.on_keyframes /= 2;
            self.on_all /= 2;
        }
        self.span += since;
        self.on_all += took;
        if keyframe {
            self.keyframes += 1.0;
            self.on_keyframes += took;
        }
    }

    /// None: it isn't known yet, or nothing would be saved.
    pub(super) fn saving(&self) -> Option<Saving> {
        if self.span < TELLING || self.keyframes < 1.0 {
            return None;
        }
        let a_keyframe = self.on_keyframes.as_secs_f64() / self.keyframes;
        let now = self.on_all.as_secs_f64() * 60.0 / self.span.as_secs_f64();
        let asleep = a_keyframe * 60.0 / ADVISED.as_secs_f64();
        (asleep < now).then_some(Saving { now, asleep })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// 15 pictures a second, a keyframe every 4 s.
    fn tally(seconds: u32, keyframe: u64, delta: u64) -> Cost {
        let mut cost = Cost::default();
        for nth in 0..seconds * 15 {
            let is_keyframe = nth % 60 == 0;
            cost.decoded(is_keyframe, Duration::from_secs(1) / 15, ms(if is_keyframe { keyframe } else { delta }));
        }
        cost
    }

    #[test]
    fn a_keyframe_a_second_is_compared_with_everything() {
        let saving = tally(60, 32, 4).saving().unwrap();
        assert!((saving.asleep - 60.0 * 0.032).abs() < 0.01, "{saving:?}");
        assert!((saving.now - (15.0 * 0.032 + 885.0 * 0.004)).abs() < 0.01, "{saving:?}");
        let later = tally(600, 32, 4).saving().unwrap();
        assert!((later.now - saving.now).abs() < 0.1, "means of the latest minutes: {later:?}");
    }

    #[test]
    fn what_is_not_known_or_would_save_nothing_is_not_said() {
        assert_eq!(tally(5, 32, 4).saving(), None);
        assert_eq!(tally(60, 100, 1).saving(), None, "keyframes are nearly all of it");
        assert_eq!(Cost::default().saving(), None);
    }
}
