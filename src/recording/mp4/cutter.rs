//! Where a stream is cut into fragments.
//!
//! Owns the pictures that are not in a fragment yet; refuses to know files. Pure.
//!
//! A fragment begins with a keyframe, or after [`LONGEST`] with a picture that is shown after all those before it. How long
//! its last picture is shown is known only once the next fragment's earliest one is: a cut waits for that.

use std::time::Duration;

use super::TICKS;
use super::fragment::{Sample, fragment};

/// Pictures that are all keyframes must not be a fragment each.
const SHORTEST: u64 = TICKS as u64;
/// So much is lost by a kill, and a cut's wait.
const LONGEST: u64 = 2 * TICKS as u64;
/// A fragment of more bytes is cut as soon as it may be …
const LARGE: usize = 4 << 20;
/// … and one of so many wherever it is.
const TOO_LARGE: usize = 32 << 20;
/// The same of pictures: of a camera whose time stands still, or that sends nothing but headers. More than come in [`LONGEST`].
const MANY: usize = 250;
/// How long a clip's only picture is shown.
const MOMENT: u64 = TICKS as u64 / 25;

/// A picture to be recorded.
#[derive(Clone, Debug)]
pub struct Picture {
    /// As [`Sets::sample`](super::Sets::sample) gives it.
    pub sample: Vec<u8>,
    /// When it is shown, from the clip's beginning.
    pub shown: Duration,
    /// Decoding can start here.
    pub starts: bool,
}

/// Whole boxes, to be appended to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// `moof` and `mdat`.
    pub bytes: Vec<u8>,
    /// Where in the clip it ends: how long the clip is with it.
    pub ends: Duration,
}

/// Puts pictures together until they are a fragment.
#[derive(Debug, Default)]
pub struct Cutter {
    pending: Vec<Sample>,
    /// The latest time at which one of these is shown.
    newest: Option<u64>,
    /// The first so many of them are the next fragment.
    cut: Option<usize>,
    bytes: usize,
    made: u32,
    ends: u64,
}

impl Cutter {
    /// Takes the next picture in decoding order; the first one of a clip must be one to start at. What became whole by it.
    pub fn push(&mut self, picture: Picture) -> Option<Fragment> {
        let sample = Sample { data: picture.sample, shown: ticks(picture.shown), starts: picture.starts };
        let is_newest = self.newest.is_none_or(|newest| newest < sample.shown);
        let is_full = self.is_full();
        let cut = self.cut.take_if(|_| is_newest || is_full);
        let whole = cut.map(|cut| self.cut_off(cut));
        if self.cut.is_none() && self.is_to_be_cut(&sample, is_newest) {
            self.cut = Some(self.pending.len());
        }
        self.bytes += sample.data.len();
        self.newest = self.newest.max(Some(sample.shown));
        self.pending.push(sample);
        whole
    }

    /// There is no more to come: what is left.
    pub fn finish(mut self) -> Vec<Fragment> {
        let whole = self.cut.take().map(|cut| self.cut_off(cut));
        let rest = (!self.pending.is_empty()).then(|| self.cut_off(self.pending.len()));
        whole.into_iter().chain(rest).collect()
    }

    fn is_to_be_cut(&self, next: &Sample, is_newest: bool) -> bool {
        let Some(first) = self.pending.first() else { return false };
        let lasts = next.shown.saturating_sub(first.shown);
        let is_long = lasts >= LONGEST || self.bytes > LARGE;
        let is_group = next.starts && (lasts >= SHORTEST || !first.starts);
        is_group || is_long && is_newest || self.is_full()
    }

    fn is_full(&self) -> bool {
        self.bytes > TOO_LARGE || self.pending.len() >= MANY
    }

    fn cut_off(&mut self, count: usize) -> Fragment {
        let samples: Vec<Sample> = self.pending.drain(..count).collect();
        self.bytes -= samples.iter().map(|sample| sample.data.len()).sum::<usize>();
        let shown = || self.pending.iter().map(|sample| sample.shown);
        let next = shown().min();
        self.newest = shown().max();
        let until = next.unwrap_or_else(|| expected_end(&samples));
        self.made += 1;
        let (bytes, ends) = fragment(self.made, self.ends, until, &samples);
        self.ends = ends;
        Fragment { bytes, ends: duration(ends) }
    }
}

/// Nothing comes behind the last picture: it is shown for as long as the one before it was.
fn expected_end(samples: &[Sample]) -> u64 {
    let mut shown: Vec<u64> = samples.iter().map(|sample| sample.shown).collect();
    shown.sort_unstable();
    let last = shown.last().copied().unwrap_or_default();
    last + shown.iter().rev().nth(1).map_or(MOMENT, |before| (last - before).clamp(1, LONGEST))
}

fn ticks(time: Duration) -> u64 {
    u64::try_from((time.as_nanos() * u128::from(TICKS) + 500_000_000) / 1_000_000_000).unwrap_or(u64::MAX / 2)
}

/// The time of so many ticks.
pub(super) fn duration(ticks: u64) -> Duration {
    Duration::from_nanos((u128::from(ticks) * 1_000_000_000 / u128::from(TICKS)).try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::walk::tests::{Shown, shown};
    use super::*;

    fn picture(ms: u64, starts: bool) -> Picture {
        Picture { sample: vec![0, 0, 0, 1, 7], shown: Duration::from_millis(ms), starts }
    }

    /// The fragments that these become, and the times in each, in ms.
    fn cut(pictures: impl IntoIterator<Item = Picture>) -> Vec<Vec<u64>> {
        let mut cutter = Cutter::default();
        let mut fragments: Vec<Fragment> = pictures.into_iter().filter_map(|picture| cutter.push(picture)).collect();
        fragments.extend(cutter.finish());
        let bytes: Vec<u8> = fragments.iter().flat_map(|fragment| fragment.bytes.clone()).collect();
        let Shown { fragments: times, gaps } = shown(&bytes);
        assert_eq!(gaps, 0, "each begins where the one before ends");
        times
    }

    #[test]
    fn a_fragment_is_a_group_of_pictures() {
        let found = cut((0..75).map(|nth| picture(nth * 40, nth % 25 == 0)));
        assert_eq!(
            found.iter().map(|times| (times[0], times.len())).collect::<Vec<_>>(),
            [(0, 25), (1000, 25), (2000, 25)]
        );
    }

    #[test]
    fn a_long_group_is_cut_every_two_seconds_and_keyframes_alone_are_put_together() {
        let starts = |found: &[Vec<u64>]| found.iter().map(|times| times[0]).collect::<Vec<_>>();
        assert_eq!(starts(&cut((0..70).map(|nth| picture(nth * 100, nth % 50 == 0)))), [0, 2000, 4000, 5000]);
        assert_eq!(starts(&cut((0..30).map(|nth| picture(nth * 100, true)))), [0, 1000, 2000]);
    }

    #[test]
    fn pictures_that_overtake_each_other_are_never_parted() {
        // Shown as 0 3 1 2 6 4 5 9 7 8 …, half a second each, and a keyframe whose leading pictures come behind it.
        let order = (0..10).flat_map(|group| [3, 1, 2].map(|nth| group * 3 + nth));
        let found = cut(std::iter::once(0).chain(order).map(|nth| picture(nth * 500, nth == 0 || nth == 15)));
        for pair in found.windows(2) {
            assert!(pair[0].iter().max() < pair[1].iter().min(), "{found:?}");
        }
        assert_eq!(found.concat().len(), 31);
        assert!(found.iter().any(|times| times[..3] == [7500, 6500, 7000]), "{found:?}");
    }

    #[test]
    fn a_fragment_has_not_too_many_pictures_whatever_their_times() {
        let groups = |ms: fn(u64) -> u64| {
            let found = cut((0..2000).map(|nth| picture(ms(nth), nth == 0)));
            assert_eq!(found.concat().len(), 2000);
            found.iter().map(Vec::len).max()
        };
        assert!(groups(|nth| nth / 1000) <= Some(MANY + 1), "a thousand a second");
        assert!(groups(|_| 0) <= Some(MANY + 1), "its time stands still");
        assert!(groups(|nth| 2000 - nth) <= Some(MANY + 1), "its time goes backwards");
        assert_eq!(groups(|nth| nth * 10), Some(200), "control: those of two seconds");
    }

    #[test]
    fn the_last_picture_is_shown_as_long_as_the_one_before() {
        let ends = |pictures: &[u64]| {
            let mut cutter = Cutter::default();
            pictures.iter().for_each(|ms| assert_eq!(cutter.push(picture(*ms, *ms == 0)), None));
            cutter.finish().last().map(|fragment| fragment.ends.as_millis())
        };
        assert_eq!([ends(&[0]), ends(&[0, 100]), ends(&[0, 300, 100, 200])], [40, 200, 400].map(Some));
        assert_eq!(ends(&[]), None);
    }

    proptest! {
        #[test]
        fn whatever_the_times_no_picture_is_lost_and_time_goes_forward(
            times in prop::collection::vec((0u64..10_000, prop::bool::weighted(0.1)), 1..80)
        ) {
            let found = cut(times.iter().map(|(ms, starts)| picture(*ms, *starts)));
            prop_assert_eq!(found.concat(), times.iter().map(|(ms, _)| *ms).collect::<Vec<_>>());
        }
    }
}
