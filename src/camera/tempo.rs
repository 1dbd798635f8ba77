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
/// … and a clock that is wrong by so much is none.
const ASTRAY: Duration = Duration::from_secs(10);

/// One connection's clock.
#[derive(Debug, Default)]
pub(super) struct Tempo {
    /// Where the comparison begins: arrival, and the stream's time.
    since: Option<(Mono, Duration)>,
    belief: Belief,
}

/// What is thought of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Belief {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It is a clock.
    Believed,
    /// It was believed once, and won't be again.
    Refuted,
}

impl Tempo {
    /// A packet came that is shown later than all before it. What is thought from here on, if that changes.
    pub(super) fn heard(&mut self, arrived: Mono, shown: Duration) -> Option<Belief> {
        let (from, began) = *self.since.get_or_insert((arrived, shown));
        let (span, error) = (arrived.since(from), shown.saturating_sub(began).abs_diff(arrived.since(from)));
        match self.belief {
            Belief::Unknown if span >= PROOF => {
                self.since = Some((arrived, shown));
                (error < span / PART).then(|| self.thinks(Belief::Believed))
            }
            Belief::Believed if span >= WINDOW => {
                self.since = Some((arrived, shown));
                (error >= ASTRAY).then(|| self.thinks(Belief::Refuted))
            }
            _ => None,
        }
    }

    /// Pictures overtake each other: nobody but the camera can tell when they are shown.
    pub(super) fn overtaken(&mut self) -> Option<Belief> {
        (self.belief == Belief::Unknown).then(|| self.thinks(Belief::Believed))
    }

    fn thinks(&mut self, belief: Belief) -> Belief {
        self.belief = belief;
        belief
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When and how the belief changes, in ms, of a stream whose time at each of these is what `shown` says.
    fn changes(until: u64, shown: impl Fn(u64) -> u64) -> Vec<(u64, Belief)> {
        let mut tempo = Tempo::default();
        let heard = |ms| Some((ms, tempo.heard(Mono(ms * 1_000_000), Duration::from_millis(shown(ms)))?));
        (0..until).step_by(40).filter_map(heard).collect()
    }

    #[test]
    fn a_clock_that_goes_as_ours_does_is_believed_whatever_the_network_does_and_however_it_drifts() {
        assert_eq!(changes(10_000, |ms| ms + 90_000), [(2000, Belief::Believed)]);
        assert_eq!(changes(10_000, |ms| ms - ms % 400), [(2000, Belief::Believed)], "it comes in bursts");
        assert_eq!(
            changes(1_000_000, |ms| ms + ms / 1000),
            [(2000, Belief::Believed)],
            "a second in a quarter of an hour"
        );
    }

    #[test]
    fn what_is_no_clock_is_not_believed_or_no_longer() {
        assert_eq!(changes(10_000, |_| 0), []);
        assert_eq!(changes(10_000, |ms| ms * 10), []);
        let stops = changes(200_000, |ms| ms.min(30_000));
        assert_eq!(stops, [(2000, Belief::Believed), (62_000, Belief::Refuted)]);
    }

    #[test]
    fn where_pictures_overtake_each_other_it_has_to_be_believed() {
        let mut tempo = Tempo::default();
        assert_eq!((tempo.overtaken(), tempo.overtaken()), (Some(Belief::Believed), None));
    }
}
