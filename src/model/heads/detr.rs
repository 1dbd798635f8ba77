//! The DETR head of RT-DETR and D-FINE: so many queries, each with a logit per label and a box; no suppression.
//!
//! Source: `post_process_object_detection` of transformers' `RTDetrImageProcessor` (sigmoid, the best of all queries and
//! labels, as many as there are queries), boxes as cx, cy, w, h in shares of the input.

use super::super::graph::Slot;
use super::Misfit;
use super::candidates::Candidate;
use super::classifier::sigmoid;
use super::numbers::{Numbers, Unreadable};
use super::pair::Pair;
use super::ultraface::in_pixels;
use super::yolov8::corners;

/// The outputs with logits and boxes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queries {
    pub(super) pair: Pair,
    size: [u32; 2],
}

impl Queries {
    pub(super) fn find(outputs: &[Slot], size: [u32; 2], labels: usize) -> Result<Queries, Misfit> {
        match (Pair::find(outputs, labels), Pair::columns(outputs)) {
            (Some(pair), _) => Ok(Queries { pair, size }),
            (None, Some(others)) => Err(Misfit::Labels(others)),
            (None, None) => Err(Misfit::Shapes(format!("f32 [1, ?, {labels}] and f32 [1, ?, 4]"))),
        }
    }

    pub(super) fn candidates(&self, numbers: &Numbers<'_>, threshold: f32) -> Result<Vec<Candidate>, Unreadable> {
        // Logits are compared with the threshold's, so that an exponential is only due to what is above it.
        let limit = (threshold / (1.0 - threshold)).ln();
        let (mut found, mut queries) = (Vec::new(), 0);
        for (logits, bounds) in self.pair.rows(numbers)? {
            queries += 1;
            let above = logits.iter().copied().enumerate().filter(|(_, logit)| *logit > limit);
            let bounds = in_pixels(corners(bounds), self.size);
            found.extend(above.map(|(label, logit)| Candidate { label, score: sigmoid(logit), bounds }));
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(queries);
        Ok(found)
    }
}
