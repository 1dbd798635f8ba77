//! Heads: from the numbers that a graph gives to what was seen.
//!
//! Owns which outputs a head reads, found by their shapes (names differ from export to export), and how they are decoded,
//! one file per head. Refuses to know sessions, files and labels by name. Pure: runs on the caller's thread.

mod boxes;
mod candidates;
mod classifier;
mod detr;
mod grid;
mod nanodet;
mod numbers;
mod pair;
mod ultraface;
mod yolov8;
mod yolox;

use super::graph::Slot;
use super::manifest::Head;
use super::{OutputError, Outputs};
use crate::judge::Seen;
use crate::picture::Placement;

use candidates::detections;
use classifier::Scores;
use numbers::{Numbers, Unreadable};

/// A head that has found its outputs in a graph.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    head: Head,
    layout: Layout,
}

/// Where the numbers lie that a head reads.
#[derive(Clone, Debug)]
enum Layout {
    Scores(Scores),
    Yolox(yolox::Rows),
    Yolov8(yolov8::Anchors),
    Nanodet(nanodet::Cells),
    Ultraface(ultraface::Faces),
    Boxes(boxes::Boxes),
    Detr(detr::Queries),
}

/// Why a head can't read a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The right kind of outputs, for so many labels.
    Labels(usize),
    /// None of the kind; what would be.
    Shapes(String),
}

impl Reader {
    /// Finds what `head` reads among `outputs`, for an input of `size` (width, height) and so many `labels`.
    pub(super) fn find(head: Head, outputs: &[Slot], size: [u32; 2], labels: usize) -> Result<Reader, Misfit> {
        let layout = match head {
            Head::Softmax | Head::Sigmoid | Head::Probabilities => Layout::Scores(Scores::find(outputs, labels)?),
            Head::Yolox(_) => Layout::Yolox(yolox::Rows::find(outputs, size, labels)?),
            Head::Yolov8(_) => Layout::Yolov8(yolov8::Anchors::find(outputs, labels)?),
            Head::Nanodet(_) => Layout::Nanodet(nanodet::Cells::find(outputs, size, labels)?),
            Head::Ultraface(_) => Layout::Ultraface(ultraface::Faces::find(outputs, size, labels)?),
            Head::Boxes(_, coordinates) => Layout::Boxes(boxes::Boxes::find(outputs, coordinates, size, labels)?),
            Head::Detr(_) => Layout::Detr(detr::Queries::find(outputs, size, labels)?),
        };
        Ok(Reader { head, layout })
    }

    /// The indices of the outputs that are read.
    pub(super) fn outputs(&self) -> Vec<usize> {
        match &self.layout {
            Layout::Scores(scores) => vec![scores.output],
            Layout::Yolox(rows) => vec![rows.output],
            Layout::Yolov8(anchors) => vec![anchors.output],
            Layout::Nanodet(cells) => cells.outputs(),
            Layout::Ultraface(faces) => faces.pair.outputs(),
            Layout::Boxes(boxes) => boxes.outputs(),
            Layout::Detr(queries) => queries.pair.outputs(),
        }
    }

    /// What was seen on picture `picture` of the `pictures` that went through the graph together.
    ///
    /// # Errors
    /// Outputs of another size than those that were found.
    pub(super) fn read(
        &self,
        outputs: &Outputs,
        [picture, pictures]: [usize; 2],
        placement: &Placement,
    ) -> Result<Seen, OutputError> {
        let numbers = Numbers::new(outputs, picture, pictures);
        match self.seen(&numbers, placement) {
            Ok(seen) => Ok(seen),
            Err(Unreadable::NotANumber) => Ok(Seen::NotANumber),
            Err(Unreadable::Count(error)) => Err(error),
        }
    }

    fn seen(&self, numbers: &Numbers<'_>, placement: &Placement) -> Result<Seen, Unreadable> {
        let candidates = match &self.layout {
            Layout::Scores(scores) => return scores.read(self.head, numbers).map(Seen::Scores),
            Layout::Yolox(rows) => rows.candidates(numbers, self.threshold())?,
            Layout::Yolov8(anchors) => anchors.candidates(numbers, self.threshold())?,
            Layout::Nanodet(cells) => cells.candidates(numbers, self.threshold())?,
            Layout::Ultraface(faces) => faces.candidates(numbers, self.threshold())?,
            Layout::Boxes(boxes) => boxes.candidates(numbers, self.threshold())?,
            Layout::Detr(queries) => queries.candidates(numbers, self.threshold())?,
        };
        let limit = self.head.detect().map_or(1.0, |detect| detect.nms_iou);
        Ok(Seen::Detections(detections(candidates, limit, placement)))
    }

    fn threshold(&self) -> f32 {
        self.head.detect().map_or(0.0, |detect| detect.score_threshold)
    }
}

/// The first of `slots` whose lengths are `lengths`.
fn position(slots: &[Slot], lengths: &[Length]) -> Option<usize> {
    slots.iter().position(|slot| slot.fits(lengths))
}

pub(super) use numbers::Length;

#[cfg(test)]
mod tests;
