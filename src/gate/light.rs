//! How the light of a whole picture differs from that of another.
//!
//! Owns the fit of exposure and gain; refuses to know what moved: whatever covers less than half of the dark cells and
//! half of the bright ones has no say. Pure.

/// Cells this far apart in brightness, in levels, tell a gain from an exposure; in a flatter picture they are the same.
const SPREAD: f32 = 8.0;

/// No lamp and no exposure changes the contrast by more than this; beyond it is another picture.
const GAIN: std::ops::RangeInclusive<f32> = 0.25..=4.0;

/// The share of the cells that agrees best has the last word.
const AGREEING: f32 = 0.6;

/// Beyond these a sensor says little about how bright it really was.
const TELLING: std::ops::RangeInclusive<f32> = 8.0..=235.0;

/// What can be told of a cell's brightness.
pub(super) fn within_range(level: f32) -> f32 {
    level.clamp(*TELLING.start(), *TELLING.end())
}

/// What cells were, and what they are.
type Pairs = [(f32, f32)];

/// What became of brightness, the same way in every cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Light {
    gain: f32,
    offset: f32,
    /// By how many levels the middle of the picture is brighter, or darker where negative.
    pub(super) shift: f32,
}

impl Light {
    /// First the line through two points that outliers can't move far, the medians of the darker and of the brighter half;
    /// then the line through the cells that agree with it (a concentration step of least trimmed squares: Rousseeuw and
    /// Van Driessen, 2006). `pairs` are (before, after), one a cell; they come back in another order.
    pub(super) fn between(pairs: &mut [(f32, f32)]) -> Light {
        let shift = median(pairs, |(before, after)| after - before);
        let telling = tell(pairs);
        let (dark, bright) = halves(telling);
        let rough = line(&[centre(dark), centre(bright)]);
        let agreeing = (telling.len() as f32 * AGREEING) as usize;
        if agreeing == 0 {
            return Light { gain: 1.0, offset: shift, shift };
        }
        telling.select_nth_unstable_by(agreeing, |a, b| rough.miss(*a).total_cmp(&rough.miss(*b)));
        Light { shift, ..line(&telling[..=agreeing]) }
    }

    fn miss(&self, (before, after): (f32, f32)) -> f32 {
        (after - self.gain * before - self.offset).abs()
    }

    /// What a cell that was `before` looks like in this light.
    pub(super) fn on(&self, before: f32) -> f32 {
        (self.gain * before + self.offset).clamp(0.0, 255.0)
    }

    /// What a cell that is `after` looked like before.
    pub(super) fn off(&self, after: f32) -> f32 {
        (after - self.offset) / self.gain
    }
}

/// The pairs that tell something, at the front.
fn tell(pairs: &mut [(f32, f32)]) -> &mut [(f32, f32)] {
    let mut telling = 0;
    for index in 0..pairs.len() {
        let (before, after) = pairs[index];
        if TELLING.contains(&before) && TELLING.contains(&after) {
            pairs.swap(telling, index);
            telling += 1;
        }
    }
    &mut pairs[..telling]
}

/// The darker and the brighter half.
fn halves(pairs: &mut Pairs) -> (&mut Pairs, &mut Pairs) {
    let middle = pairs.len() / 2;
    if middle > 0 {
        pairs.select_nth_unstable_by(middle, |a, b| a.0.total_cmp(&b.0));
    }
    pairs.split_at_mut(middle)
}

/// The least squares line; of points with hardly a spread, the mean change.
fn line(points: &[(f32, f32)]) -> Light {
    let count = points.len().max(1) as f32;
    let (sum, sum_after) = points.iter().fold((0.0, 0.0), |sums, point| (sums.0 + point.0, sums.1 + point.1));
    let (before, after) = (sum / count, sum_after / count);
    let (spread, common) = points.iter().fold((0.0, 0.0), |sums, point| {
        let away = point.0 - before;
        (sums.0 + away * away, sums.1 + away * (point.1 - after))
    });
    let flat = spread / count < SPREAD * SPREAD / 4.0;
    let gain = if flat { 1.0 } else { (common / spread).clamp(*GAIN.start(), *GAIN.end()) };
    Light { gain, offset: after - gain * before, shift: after - before }
}

/// The median brightness of a half, and what became of it by the median of its changes. The changes are taken on their own:
/// of brightness itself a person before a wall would move the median.
fn centre(half: &mut [(f32, f32)]) -> (f32, f32) {
    let before = median(half, |(before, _)| before);
    (before, before + median(half, |(before, after)| after - before))
}

fn median(pairs: &mut [(f32, f32)], of: impl Fn((f32, f32)) -> f32) -> f32 {
    let middle = pairs.len() / 2;
    if pairs.is_empty() {
        return 0.0;
    }
    of(*pairs.select_nth_unstable_by(middle, |a, b| of(*a).total_cmp(&of(*b))).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(cells: impl Iterator<Item = (f32, f32)>) -> Light {
        Light::between(&mut cells.collect::<Vec<_>>())
    }

    #[test]
    fn gain_and_exposure_are_found_under_a_fifth_of_something_else() {
        let light = seen((0..900).map(|i| {
            let before = 20.0 + (i * 7 % 200) as f32;
            let after = if i % 5 == 0 { 90.0 } else { before * 0.7 + 12.0 };
            (before, after)
        }));
        for before in [20.0, 100.0, 200.0] {
            assert!((light.on(before) - (before * 0.7 + 12.0)).abs() < 2.0, "{light:?}");
            assert!((light.off(light.on(before)) - before).abs() < 0.01);
        }
    }

    #[test]
    fn a_flat_picture_only_gets_brighter() {
        let light = seen((0..100).map(|i| (50.0 + (i % 5) as f32, 71.0 + (i % 5) as f32)));
        assert_eq!((light.gain, light.shift), (1.0, 21.0));
        assert!((light.offset - 21.0).abs() < 0.001);
        assert_eq!(seen(std::iter::empty()).on(7.0), 7.0);
    }
}
