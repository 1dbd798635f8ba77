//! Two outputs that go together: for each of so many things a row of scores and a row of four box coordinates.
//!
//! Owns finding and walking them; refuses to know what scores and coordinates mean.

use super::super::graph::Slot;
use super::numbers::{Length, Numbers, Unreadable};

/// The two outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    scores: usize,
    boxes: usize,
    columns: usize,
}

impl Pair {
    /// `[pictures, things, columns]` and `[pictures, things, 4]`. Where both have four columns, scores come first.
    pub(super) fn find(outputs: &[Slot], columns: usize) -> Option<Pair> {
        let places = 0..outputs.len();
        places.clone().find_map(|scores| {
            let wanted = |index: usize, columns| {
                outputs[index].fits(&[Length::Pictures, Length::Any, Length::Is(columns)])
                    && outputs[index].shape[1] == outputs[scores].shape[1]
            };
            let boxes = wanted(scores, columns)
                .then(|| places.clone().find(|index| *index != scores && is_box(&outputs[*index]) && wanted(*index, 4)))
                .flatten()?;
            Some(Pair { scores, boxes, columns })
        })
    }

    /// How many columns of scores there are beside boxes; None: there are no boxes, or no scores.
    pub(super) fn columns(outputs: &[Slot]) -> Option<usize> {
        let boxes = outputs.iter().position(is_box)?;
        let scores = |(index, slot): (usize, &Slot)| {
            let of_kind = index != boxes && slot.fits(&[Length::Pictures, Length::Any, Length::Any]);
            slot.shape.last().copied().flatten().filter(|_| of_kind)
        };
        outputs.iter().enumerate().find_map(scores)
    }

    pub(super) fn outputs(&self) -> Vec<usize> {
        vec![self.scores, self.boxes]
    }

    /// Scores and box of each thing.
    pub(super) fn rows<'a>(
        &self,
        numbers: &Numbers<'a>,
    ) -> Result<impl Iterator<Item = (&'a [f32], [f32; 4])> + use<'a>, Unreadable> {
        let scores = numbers.rows(self.scores, self.columns)?;
        let boxes = numbers.exactly(self.boxes, scores.len() / self.columns * 4)?;
        let (boxes, _) = boxes.as_chunks::<4>();
        Ok(scores.chunks_exact(self.columns).zip(boxes.iter().copied()))
    }
}

fn is_box(slot: &Slot) -> bool {
    slot.shape.last() == Some(&Some(4)) && slot.fits(&[Length::Pictures, Length::Any, Length::Is(4)])
}
