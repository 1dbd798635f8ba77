//! The YOLOv8 head: boxes that the graph has brought to pixels already, one per anchor. YOLOv5, v9 and v11 export the same
//! in one of three layouts, which their lengths tell apart.
//!
//! Source: Ultralytics, `ops.non_max_suppression` (v8: `[batch, 4 + labels, anchors]`; v5: `[batch, anchors, 5 + labels]`,
//! the fifth being the objectness). One label per anchor, the best.

use super::super::graph::Slot;
use super::candidates::{Candidate, best};
use super::numbers::{Length, Numbers, Unreadable};
use super::{Misfit, position};

/// cx, cy, w, h in model pixels.
const BOX: usize = 4;

/// The output with one box per anchor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchors {
    pub(super) output: usize,
    labels: usize,
}

impl Anchors {
    pub(super) fn find(outputs: &[Slot], labels: usize) -> Result<Anchors, Misfit> {
        let columns = |count| [Length::Pictures, Length::Is(count), Length::Any];
        let rows = |count| [Length::Pictures, Length::Any, Length::Is(count)];
        let layouts = [columns(BOX + labels), rows(BOX + 1 + labels), rows(BOX + labels)];
        if let Some(output) = layouts.iter().find_map(|layout| position(outputs, layout)) {
            return Ok(Anchors { output, labels });
        }
        // Of other labels: the shorter side is a row's, which begins with an objectness where it lies at the end.
        let any = position(outputs, &[Length::Pictures, Length::Any, Length::Any]);
        let others = any.and_then(|index| match outputs[index].shape.as_slice() {
            [_, Some(a), Some(b)] if a < b => a.checked_sub(BOX),
            [_, Some(_), Some(b)] => b.checked_sub(BOX + 1),
            _ => None,
        });
        match others {
            Some(others) if others > 0 => Err(Misfit::Labels(others)),
            _ => Err(Misfit::Shapes(format!("f32 [1, {}, ?] or f32 [1, ?, {}]", BOX + labels, BOX + 1 + labels))),
        }
    }

    pub(super) fn candidates(&self, numbers: &Numbers<'_>, threshold: f32) -> Result<Vec<Candidate>, Unreadable> {
        let plain = BOX + self.labels;
        match numbers.shape(self.output) {
            [_, first, _] if *first == plain => {
                Ok(by_columns(numbers.rows(self.output, plain)?, self.labels, threshold))
            }
            [_, _, last] if *last == plain => Ok(by_rows(numbers.rows(self.output, plain)?, BOX, plain, threshold)),
            _ => Ok(by_rows(numbers.rows(self.output, plain + 1)?, BOX + 1, plain + 1, threshold)),
        }
    }
}

/// Rows of `columns` numbers of which the scores start at `scores`; right before them there may be an objectness.
fn by_rows(numbers: &[f32], scores: usize, columns: usize, threshold: f32) -> Vec<Candidate> {
    let mut found = Vec::new();
    for row in numbers.chunks_exact(columns) {
        let objectness = if scores > BOX { row[BOX] } else { 1.0 };
        if objectness <= threshold {
            continue;
        }
        let Some((label, class)) = best(&row[scores..], threshold) else { continue };
        let score = (objectness * class).min(1.0);
        if score > threshold {
            found.push(Candidate { label, score, bounds: corners([row[0], row[1], row[2], row[3]]) });
        }
    }
    found
}

/// So many anchors are looked at together: their best scores stay in registers while labels go by.
const BLOCK: usize = 64;

/// The same transposed: all cx, all cy, all w, all h, then all scores of the first label, and so on.
fn by_columns(numbers: &[f32], labels: usize, threshold: f32) -> Vec<Candidate> {
    let anchors = numbers.len() / (BOX + labels);
    let mut found = Vec::new();
    for start in (0..anchors).step_by(BLOCK) {
        let count = BLOCK.min(anchors - start);
        let column = |index: usize| &numbers[index * anchors + start..][..count];
        let (mut top, mut of) = ([threshold; BLOCK], [usize::MAX; BLOCK]);
        for label in 0..labels {
            for ((top, of), score) in top.iter_mut().zip(&mut of).zip(column(BOX + label)) {
                let better = score > top;
                *top = if better { *score } else { *top };
                *of = if better { label } else { *of };
            }
        }
        for (index, label) in of[..count].iter().copied().enumerate().filter(|(_, label)| *label != usize::MAX) {
            let bounds = corners([0, 1, 2, 3].map(|side| column(side)[index]));
            found.push(Candidate { label, score: top[index].min(1.0), bounds });
        }
    }
    found
}

/// From the centre and the size to the corners.
pub(super) fn corners([cx, cy, w, h]: [f32; 4]) -> [f32; 4] {
    [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0]
}
