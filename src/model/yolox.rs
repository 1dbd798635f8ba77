//! The YOLOX head: from its raw grid to boxes.
//!
//! Owns the decoding and the suppression of duplicates; refuses to know labels by name. Source: Megvii's YOLOX,
//! `demo/ONNXRuntime` and `yolox/utils/demo_utils.py`.

use super::manifest::Detect;
use crate::judge::Detection;
use crate::picture::Placement;

/// A row: cx, cy, w, h, objectness, then one score per label.
pub(super) const BEFORE_CLASSES: usize = 5;
/// The grids, finest first; their rows follow one another.
const STRIDES: [u32; 3] = [8, 16, 32];
/// Noise must not make the suppression quadratic in thousands: only the best so many are looked at.
const MAX_CANDIDATES: usize = 1000;

/// How many rows an input of that size (width, height) gives.
pub(super) fn cells(size: [u32; 2]) -> usize {
    STRIDES.iter().map(|stride| (size[0] / stride) as usize * (size[1] / stride) as usize).sum()
}

/// A box in model pixels that may be a thing.
struct Candidate {
    label: usize,
    score: f32,
    bounds: [f32; 4],
}

/// Boxes above the threshold without duplicates, best first. `rows` holds [`cells`] rows.
pub(super) fn decode(
    rows: &[f32],
    size: [u32; 2],
    labels: usize,
    detect: Detect,
    placement: &Placement,
) -> Vec<Detection> {
    let mut candidates = candidates(rows, size, labels, detect.score_threshold);
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    candidates.truncate(MAX_CANDIDATES);
    suppressed(candidates, detect.nms_iou)
        .into_iter()
        .map(|kept| Detection { label: kept.label, score: kept.score, bounds: placement.to_frame(kept.bounds) })
        .collect()
}

fn candidates(rows: &[f32], size: [u32; 2], labels: usize, threshold: f32) -> Vec<Candidate> {
    let mut rows = rows.chunks_exact(BEFORE_CLASSES + labels);
    let mut found = Vec::new();
    for stride in STRIDES {
        let (columns, lines) = (size[0] / stride, size[1] / stride);
        let grid = (0..lines).flat_map(|y| (0..columns).map(move |x| (x as f32, y as f32)));
        for ((x, y), row) in grid.zip(&mut rows) {
            let objectness = row[4];
            // Scores are products with this one, and at most 1 themselves: nearly every row ends here.
            if objectness <= threshold {
                continue;
            }
            let classes = row[BEFORE_CLASSES..].iter().copied().enumerate();
            let Some((label, class)) = classes.max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
            let score = (objectness * class).min(1.0);
            if score > threshold {
                let scale = stride as f32;
                let [cx, cy] = [(row[0] + x) * scale, (row[1] + y) * scale];
                let [w, h] = [row[2].exp() * scale / 2.0, row[3].exp() * scale / 2.0];
                found.push(Candidate { label, score, bounds: [cx - w, cy - h, cx + w, cy + h] });
            }
        }
    }
    found
}

/// Of boxes of one label that overlap by more than `limit`, only the best. Expects them best first.
fn suppressed(candidates: Vec<Candidate>, limit: f32) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        let duplicate =
            |other: &Candidate| other.label == candidate.label && overlap(&other.bounds, &candidate.bounds) > limit;
        if !kept.iter().any(duplicate) {
            kept.push(candidate);
        }
    }
    kept
}

/// Intersection over union.
fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let area = |bounds: &[f32; 4]| (bounds[2] - bounds[0]).max(0.0) * (bounds[3] - bounds[1]).max(0.0);
    let common = area(&[a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    let union = area(a) + area(b) - common;
    if union > 0.0 { common / union } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Resize;

    const DETECT: Detect = Detect { score_threshold: 0.3, nms_iou: 0.45 };

    /// A 64x32 input has 8x4, 4x2 and 2x1 cells.
    fn seen(rows: &[(usize, [f32; 7])]) -> Vec<Detection> {
        let size = [64, 32];
        let mut grid = vec![0.0; cells(size) * 7];
        for (cell, row) in rows {
            grid[cell * 7..(cell + 1) * 7].copy_from_slice(row);
        }
        decode(&grid, size, 2, DETECT, &Placement::new(Resize::Squash, [640, 320], size))
    }

    #[test]
    fn a_row_becomes_the_box_of_its_cell() {
        assert_eq!(cells([416, 416]), 3549);
        // The second grid starts at row 32; its row 32 + 4 is cell (0, 1): centre 16 * 0.5, 16 * 1.5, 16x16 large.
        let things = seen(&[(36, [0.5, 0.5, 0.0, 0.0, 0.9, 0.1, 1.0])]);
        assert_eq!(things, [Detection { label: 1, score: 0.9, bounds: [0.0, 0.5, 0.25, 1.0] }]);
    }

    #[test]
    fn duplicates_go_by_label_and_the_best_stays() {
        let at = |objectness: f32, first: f32| [0.5, 0.5, 0.0, 0.0, objectness, first, 1.0 - first];
        let near = |objectness: f32, first: f32| [-0.4, 0.5, 0.0, 0.0, objectness, first, 1.0 - first];
        let same = seen(&[(0, at(0.8, 1.0)), (1, near(0.9, 1.0))]);
        assert_eq!(same.iter().map(|thing| thing.score).collect::<Vec<_>>(), [0.9]);
        assert_eq!(seen(&[(0, at(0.8, 1.0)), (1, near(0.9, 0.0))]).len(), 2, "another label");
        assert_eq!(seen(&[(0, at(0.8, 1.0)), (3, near(0.9, 1.0))]).len(), 2, "elsewhere");
        assert_eq!(seen(&[(0, at(0.5, 0.6))]), [], "0.5 * 0.6 is not above the threshold");
    }
}
