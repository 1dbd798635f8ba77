//! The UltraFace head: boxes that the graph has decoded already, and scores of which the first is the background's.
//!
//! Source: Linzaer's Ultra-Light-Fast-Generic-Face-Detector-1MB, `run_video_face_detect_onnx.py`.

use super::super::graph::Slot;
use super::Misfit;
use super::candidates::{Candidate, best};
use super::numbers::{Numbers, Unreadable};
use super::pair::Pair;

/// The outputs with scores and boxes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faces {
    pub(super) pair: Pair,
    size: [u32; 2],
}

impl Faces {
    pub(super) fn find(outputs: &[Slot], size: [u32; 2], labels: usize) -> Result<Faces, Misfit> {
        let columns = labels + 1;
        match (Pair::find(outputs, columns), Pair::columns(outputs)) {
            (Some(pair), _) => Ok(Faces { pair, size }),
            (None, Some(others)) if others > 1 => Err(Misfit::Labels(others - 1)),
            _ => Err(Misfit::Shapes(format!("f32 [1, ?, {columns}] and f32 [1, ?, 4]"))),
        }
    }

    pub(super) fn candidates(&self, numbers: &Numbers<'_>, threshold: f32) -> Result<Vec<Candidate>, Unreadable> {
        let mut found = Vec::new();
        for (scores, corners) in self.pair.rows(numbers)? {
            if let Some((label, score)) = best(&scores[1..], threshold) {
                found.push(Candidate { label, score: score.min(1.0), bounds: in_pixels(corners, self.size) });
            }
        }
        Ok(found)
    }
}

/// A box of shares of the input as one of its pixels.
pub(super) fn in_pixels([x1, y1, x2, y2]: [f32; 4], size: [u32; 2]) -> [f32; 4] {
    let [width, height] = size.map(|side| side as f32);
    [x1 * width, y1 * height, x2 * width, y2 * height]
}
