//! Whether a camera's own clock is to be believed.
//!
//! Owns the comparison of a stream's times with when its packets come; refuses to know GStreamer. Pure: no clock, no thread.

use std::time::Duration;

use crate::time::Mono;

/// A stream whose times and whose arrivals agree for so long, but for a part of it, has a clock.
const PROOF: Duration = Duration::from_secs(2);
const PART: u32 = 4;

/// From then on it is looked at so often …
const WINDOW: Duration = Duration::from_secs(60);
/// … and set anew once it has drifted so far from ours, in nanoseconds: what waits for lost packets goes by our clock.
const DRIFT: u64 = 100_000_000;

/// One connection's clock.
#[derive(Debug)]
pub(super) struct Tempo {
    believed: bool,
    /// Pictures overtake each other: nobody but the camera can tell when they are shown.
    overtakes: bool,
    /// Where the comparison begins: arrival, and the stream's time.
    since: Option<(Mono, Duration)>,
    /// How late packets came since then, at least, in nanoseconds from any moment, …
    least: i64,
    /// … and in the first window.
    first: Option<i64>,
}

impl Default for Tempo {
    fn default() -> Tempo {
        Tempo { believed: false, overtakes: false, since: None, least: i64::MAX, first: None }
    }
}

impl Tempo {
    /// A packet came that is shown later than all before it. Whether its clock is believed from here on, if that changes.
    pub(super) fn heard(&mut self, arrived: Mono, shown: Duration) -> Option<bool> {
        let (from, began) = *self.since.get_or_insert((arrived, shown));
        let (span, error) = (arrived.since(from), shown.saturating_sub(began).abs_diff(arrived.since(from)));
        self.least = self.least.min(nanos(u128::from(arrived.0)) - nanos(shown.as_nanos()));
        if self.overtakes || span < if self.believed { WINDOW } else { PROOF } {
            return None;
        }
        self.since = Some((arrived, shown));
        let least = std::mem::replace(&mut self.least, i64::MAX);
        let believed = if self.believed {
            least.abs_diff(*self.first.get_or_insert(least)) < DRIFT
        } else {
            self.first = None;
            error < span / PART
        };
        (std::mem::replace(&mut self.believed, believed) != believed).then_some(believed)
    }

    /// A picture came that is shown before one that came earlier.
    pub(super) fn overtaken(&mut self) -> Option<bool> {
        self.overtakes = true;
        (!std::mem::replace(&mut self.believed, true)).then_some(true)
    }
}

fn nanos(time: u128) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When and how the belief changes, in ms, of a stream whose time at each of these is what `shown` says.
    fn changes(until: u64, shown: impl Fn(u64) -> u64) -> Vec<(u64, bool)> {
        let mut tempo = Tempo::default();
        let heard = |ms| Some((ms, tempo.heard(Mono(ms * 1_000_000), Duration::from_millis(shown(ms)))?));
        (0..until).step_by(40).filter_map(heard).collect()
    }

    #[test]
    fn a_clock_that_goes_as_ours_does_is_believed_whatever_the_network_does() {
        assert_eq!(changes(1_000_000, |ms| ms + 90_000), [(2000, true)]);
        assert_eq!(changes(1_000_000, |ms| ms - ms % 400), [(2000, true)], "it comes in bursts");
    }

    #[test]
    fn a_clock_that_drifts_is_set_anew_now_and_then() {
        let fast = changes(200_000, |ms| ms + ms / 1000);
        assert_eq!(fast, [(2000, true), (182_000, false), (184_000, true)]);
        assert_eq!(changes(1_000_000, |ms| ms + ms / 100_000), [(2000, true)], "a millisecond in two minutes");
    }

    #[test]
    fn what_is_no_clock_is_not_believed_or_no_longer() {
        assert_eq!(changes(10_000, |_| 0), []);
        assert_eq!(changes(10_000, |ms| ms * 10), []);
        assert_eq!(changes(300_000, |ms| ms.min(30_000)), [(2000, true), (122_000, false)], "it stops");
    }

    #[test]
    fn where_pictures_overtake_each_other_it_has_to_be_believed() {
        let mut tempo = Tempo::default();
        assert_eq!((tempo.overtaken(), tempo.overtaken()), (Some(true), None));
    }
}
