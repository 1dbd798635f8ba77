//! The head for graphs that decode their boxes themselves, as corners: in one output with score and label of each
//! (YOLOv10 and other exports with the suppression built in), or in one beside the scores of all labels.
//!
//! Owns both layouts; refuses to guess whether coordinates are pixels or shares (the manifest says).

use super::super::graph::Slot;
use super::candidates::{Candidate, best};
use super::numbers::{Length, Numbers, Unreadable};
use super::pair::Pair;
use super::ultraface::in_pixels;
use super::{Misfit, position};
use crate::model::manifest::Coordinates;

/// x1, y1, x2, y2, score, label.
const ROW: usize = 6;

/// Where boxes, scores and labels lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boxes {
    layout: Layout,
    coordinates: Coordinates,
    size: [u32; 2],
    labels: usize,
}

#[derive(Clone, Copy, Debug)]
enum Layout {
    /// One output with a row per thing.
    Rows(usize),
    /// Scores of all labels, and boxes.
    Pair(Pair),
}

impl Boxes {
    pub(super) fn find(
        outputs: &[Slot],
        coordinates: Coordinates,
        size: [u32; 2],
        labels: usize,
    ) -> Result<Boxes, Misfit> {
        let layout = match Pair::find(outputs, labels) {
            Some(pair) => Some(Layout::Pair(pair)),
            None => position(outputs, &[Length::Pictures, Length::Any, Length::Is(ROW)]).map(Layout::Rows),
        };
        match (layout, Pair::columns(outputs)) {
            (Some(layout), _) => Ok(Boxes { layout, coordinates, size, labels }),
            (None, Some(others)) => Err(Misfit::Labels(others)),
            (None, None) => {
                Err(Misfit::Shapes(format!("f32 [1, ?, {ROW}], or f32 [1, ?, {labels}] and f32 [1, ?, 4]")))
            }
        }
    }

    pub(super) fn outputs(&self) -> Vec<usize> {
        match &self.layout {
            Layout::Rows(output) => vec![*output],
            Layout::Pair(pair) => pair.outputs(),
        }
    }

    pub(super) fn candidates(&self, numbers: &Numbers<'_>, threshold: f32) -> Result<Vec<Candidate>, Unreadable> {
        let mut found = Vec::new();
        match &self.layout {
            Layout::Rows(output) => {
                let (rows, _) = numbers.rows(*output, ROW)?.as_chunks::<ROW>();
                for [x1, y1, x2, y2, score, label] in rows.iter().copied() {
                    if score > threshold {
                        let bounds = self.in_pixels([x1, y1, x2, y2]);
                        let label = self.label(label).ok_or(Unreadable::NotANumber)?;
                        found.push(Candidate { label, score: score.min(1.0), bounds });
                    }
                }
            }
            Layout::Pair(pair) => {
                for (scores, corners) in pair.rows(numbers)? {
                    if let Some((label, score)) = best(scores, threshold) {
                        found.push(Candidate { label, score: score.min(1.0), bounds: self.in_pixels(corners) });
                    }
                }
            }
        }
        Ok(found)
    }

    /// A label's index, which came as a float; None: there is no such label.
    fn label(&self, number: f32) -> Option<usize> {
        let label = number.round();
        (label >= 0.0 && label < self.labels as f32).then_some(label as usize)
    }

    fn in_pixels(&self, corners: [f32; 4]) -> [f32; 4] {
        match self.coordinates {
            Coordinates::Pixels => corners,
            Coordinates::Normalised => in_pixels(corners, self.size),
        }
    }
}
