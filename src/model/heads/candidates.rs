//! Boxes that may be things, and which of them are.
//!
//! Owns the order and the suppression of duplicates; refuses to know where boxes come from. Source: OpenCV's
//! `dnn::NMSBoxes`, label by label.

use crate::judge::Detection;
use crate::picture::Placement;

/// A box in model pixels that may be a thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) label: usize,
    /// Above the threshold, at most 1.
    pub(super) score: f32,
    /// `[x1, y1, x2, y2]`
    pub(super) bounds: [f32; 4],
}

/// Noise must not make the suppression quadratic in thousands: only the best so many are looked at.
const MAX_CANDIDATES: usize = 1000;

/// The candidates without duplicates, best first, in the coordinates of the frame.
///
/// Of equal scores the earlier candidate wins, so that the same numbers always give the same things.
pub(super) fn detections(mut candidates: Vec<Candidate>, limit: f32, placement: &Placement) -> Vec<Detection> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    candidates.truncate(MAX_CANDIDATES);
    suppress(&mut candidates, limit);
    let detection = |Candidate { label, score, bounds }| Detection { label, score, bounds: placement.to_frame(bounds) };
    candidates.into_iter().map(detection).collect()
}

/// Of boxes of one label that overlap by more than `limit`, only the best. Expects them best first.
fn suppress(candidates: &mut Vec<Candidate>, limit: f32) {
    let mut kept = 0;
    for next in 0..candidates.len() {
        let candidate = candidates[next];
        let duplicate = |other: &Candidate| {
            other.label == candidate.label && overlap(&other.bounds, &candidate.bounds) > f64::from(limit)
        };
        if !candidates[..kept].iter().any(duplicate) {
            candidates[kept] = candidate;
            kept += 1;
        }
    }
    candidates.truncate(kept);
}

/// Intersection over union.
fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f64 {
    let [ax1, ay1, ax2, ay2] = a.map(f64::from);
    let [bx1, by1, bx2, by2] = b.map(f64::from);
    let area = |x1: f64, y1: f64, x2: f64, y2: f64| (x2 - x1).max(0.0) * (y2 - y1).max(0.0);
    let common = area(ax1.max(bx1), ay1.max(by1), ax2.min(bx2), ay2.min(by2));
    let union = area(ax1, ay1, ax2, ay2) + area(bx1, by1, bx2, by2) - common;
    if union > 0.0 { common / union } else { 0.0 }
}

/// The best of a row of scores and its index; of equals the first. None: there are no scores.
///
/// Looks for the best alone first, which runs in vector registers, and for where it is only if it is above `threshold`.
pub(super) fn best(scores: &[f32], threshold: f32) -> Option<(usize, f32)> {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, |top, score| if score > top { score } else { top });
    if top <= threshold {
        return None;
    }
    scores.iter().position(|score| *score == top).map(|label| (label, top))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::picture::Resize;

    fn whole() -> Placement {
        Placement::new(Resize::Squash, [100, 100], [100, 100])
    }

    fn candidate(label: usize, score: f32, x: f32) -> Candidate {
        Candidate { label, score, bounds: [x, 0.0, x + 10.0, 10.0] }
    }

    fn scores(candidates: &[Candidate], limit: f32) -> Vec<f32> {
        detections(candidates.to_vec(), limit, &whole()).iter().map(|thing| thing.score).collect()
    }

    #[test]
    fn duplicates_go_by_label_and_the_best_stays() {
        // Ten pixels wide and two apart: 8 / 12 in common.
        let (one, other) = (candidate(0, 0.8, 0.0), candidate(0, 0.9, 2.0));
        assert_eq!(scores(&[one, other], 0.45), [0.9]);
        assert_eq!(scores(&[one, other], 0.7), [0.9, 0.8], "not alike enough");
        assert_eq!(scores(&[one, Candidate { label: 1, ..other }], 0.45), [0.9, 0.8], "another label");
        // The third lies on the second, which is gone already.
        assert_eq!(scores(&[candidate(0, 0.9, 0.0), candidate(0, 0.8, 3.0), candidate(0, 0.7, 6.0)], 0.45), [0.9, 0.7]);
    }

    #[test]
    fn of_equals_the_first_stays() {
        let things = detections(vec![candidate(0, 0.5, 2.0), candidate(0, 0.5, 0.0)], 0.45, &whole());
        assert_eq!(things, [Detection { label: 0, score: 0.5, bounds: [0.02, 0.0, 0.12, 0.1] }]);
        assert_eq!(best(&[0.2, 0.7, 0.7], 0.3), Some((1, 0.7)));
        assert_eq!(best(&[0.2, 0.3], 0.3), None, "above, not at");
        assert_eq!(best(&[], 0.3), None);
    }

    #[test]
    fn a_limit_of_one_suppresses_nothing() {
        assert_eq!(scores(&[candidate(0, 0.8, 0.0), candidate(0, 0.9, 0.0)], 1.0), [0.9, 0.8]);
    }

    #[test]
    fn a_flood_of_noise_is_cut() {
        let noise: Vec<Candidate> = (0..5000).map(|index| candidate(index, 0.5, 0.0)).collect();
        let things = detections(noise, 0.45, &whole());
        assert_eq!(things.len(), MAX_CANDIDATES);
        assert_eq!(things[MAX_CANDIDATES - 1].label, MAX_CANDIDATES - 1);
    }

    proptest! {
        /// The definition: whoever stays overlaps with nobody better of its label, whoever goes does.
        #[test]
        fn who_stays_and_who_goes(
            seeds in proptest::collection::vec((0usize..2, 0.0f32..1.0, 0.0f32..40.0, 5.0f32..20.0), 0..30),
            limit in 0.1f32..0.9,
        ) {
            let given: Vec<Candidate> = seeds
                .iter()
                .map(|(label, score, x, side)| Candidate {
                    label: *label,
                    score: *score,
                    bounds: [*x, 0.0, x + side, *side],
                })
                .collect();
            let mut kept = given.clone();
            kept.sort_by(|a, b| b.score.total_cmp(&a.score));
            suppress(&mut kept, limit);
            let beaten = |loser: &Candidate| {
                kept.iter().any(|winner| {
                    winner != loser
                        && winner.label == loser.label
                        && winner.score >= loser.score
                        && overlap(&winner.bounds, &loser.bounds) > f64::from(limit)
                })
            };
            for candidate in &given {
                prop_assert_eq!(kept.contains(candidate), !beaten(candidate));
            }
        }
    }
}
