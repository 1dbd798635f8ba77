//! The NanoDet head: scores per cell, and for each side of its box a distribution over distances (GFL's bins).
//!
//! Two layouts: scores and bins of each grid apart (NanoDet-m as it was first published), or all of them in one output.
//! Source: `nanodet/model/head/{gfl_head,nanodet_plus_head}.py` of RangiLyu's NanoDet. Cells are measured from the middle of
//! their pixels as in its first releases; NanoDet-Plus, which has a fourth grid, measures from their top left corner.

use super::super::graph::Slot;
use super::candidates::{Candidate, best};
use super::grid::{Grid, cells};
use super::numbers::{Length, Numbers, Unreadable};
use super::{Misfit, position};

/// Of the grids that a NanoDet has.
const STRIDES: [u32; 3] = [8, 16, 32];
/// The fourth one of NanoDet-Plus.
const COARSEST: u32 = 64;
/// How many bins published models have per side (`reg_max` 7, 10 and 16, and zero): in one output with the scores their
/// number can only be told from that of the labels if not everything is possible.
const BINS: [usize; 3] = [8, 11, 17];

/// Where scores and bins lie.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    grids: Vec<Grid>,
    labels: usize,
    layout: Layout,
}

#[derive(Clone, Debug)]
enum Layout {
    /// The output with a row per cell: scores, then bins of the four sides.
    Joined { output: usize, bins: usize },
    /// Per grid, the output with the scores and the one with the bins, and how many bins a side has.
    Split(Vec<[usize; 3]>),
}

impl Cells {
    pub(super) fn find(outputs: &[Slot], size: [u32; 2], labels: usize) -> Result<Cells, Misfit> {
        let three: Vec<Grid> = STRIDES.iter().map(|stride| Grid::over(size, *stride)).collect();
        let four: Vec<Grid> = three.iter().copied().chain([Grid::over(size, COARSEST)]).collect();
        for grids in [&four, &three] {
            let layout = joined(outputs, grids, labels).or_else(|| split(outputs, grids, labels));
            if let Some(layout) = layout {
                return Ok(Cells { grids: grids.clone(), labels, layout });
            }
        }
        match [&four, &three].into_iter().find_map(|grids| labels_of(outputs, grids)) {
            Some(others) => Err(Misfit::Labels(others)),
            None => Err(Misfit::Shapes(format!(
                "f32 [1, {}, {}], or f32 [{}, {labels}] and f32 [{2}, {}] and so on for each grid",
                cells(&three),
                labels + 4 * BINS[0],
                three[0].cells(),
                4 * BINS[0],
            ))),
        }
    }

    pub(super) fn outputs(&self) -> Vec<usize> {
        match &self.layout {
            Layout::Joined { output, .. } => vec![*output],
            Layout::Split(grids) => grids.iter().flat_map(|[scores, boxes, _]| [*scores, *boxes]).collect(),
        }
    }

    pub(super) fn candidates(&self, numbers: &Numbers<'_>, threshold: f32) -> Result<Vec<Candidate>, Unreadable> {
        let mut found = Vec::new();
        match &self.layout {
            Layout::Joined { output, bins } => {
                let columns = self.labels + 4 * bins;
                let mut rows = numbers.exactly(*output, cells(&self.grids) * columns)?.chunks_exact(columns);
                for grid in &self.grids {
                    for (index, row) in rows.by_ref().take(grid.cells()).enumerate() {
                        let (scores, sides) = row.split_at(self.labels);
                        found.extend(self.candidate(grid, index, scores, sides, threshold));
                    }
                }
            }
            Layout::Split(places) => {
                for (grid, [scores, boxes, bins]) in self.grids.iter().zip(places) {
                    let scores = numbers.exactly(*scores, grid.cells() * self.labels)?.chunks_exact(self.labels);
                    let sides = numbers.exactly(*boxes, grid.cells() * 4 * bins)?.chunks_exact(4 * bins);
                    for (index, (scores, sides)) in scores.zip(sides).enumerate() {
                        found.extend(self.candidate(grid, index, scores, sides, threshold));
                    }
                }
            }
        }
        Ok(found)
    }

    fn candidate(&self, grid: &Grid, index: usize, scores: &[f32], sides: &[f32], threshold: f32) -> Option<Candidate> {
        let (label, score) = best(scores, threshold)?;
        let stride = grid.stride as f32;
        let middle = if self.grids.len() > STRIDES.len() { 0.0 } else { (stride - 1.0) / 2.0 };
        let [x, y] = grid.place(index).map(|place| place * stride + middle);
        let bins = sides.len() / 4;
        let [left, top, right, bottom] =
            std::array::from_fn(|side| expectation(&sides[side * bins..][..bins]) * stride);
        Some(Candidate { label, score: score.min(1.0), bounds: [x - left, y - top, x + right, y + bottom] })
    }
}

/// The mean of a distribution over 0, 1, 2 … that is given by its logits.
fn expectation(logits: &[f32]) -> f32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut mean) = (0.0, 0.0);
    for (distance, logit) in logits.iter().enumerate() {
        let power = (logit - top).exp();
        sum += power;
        mean += power * distance as f32;
    }
    mean / sum
}

fn joined(outputs: &[Slot], grids: &[Grid], labels: usize) -> Option<Layout> {
    let shape = |bins| [Length::Pictures, Length::Is(cells(grids)), Length::Is(labels + 4 * bins)];
    BINS.into_iter().find_map(|bins| Some(Layout::Joined { output: position(outputs, &shape(bins))?, bins }))
}

fn split(outputs: &[Slot], grids: &[Grid], labels: usize) -> Option<Layout> {
    let found = grids.iter().map(|grid| {
        let scores = outputs.iter().position(|slot| columns(slot, grid) == Some(labels))?;
        let boxes = |index: usize| index != scores && columns(&outputs[index], grid).and_then(bins).is_some();
        let boxes = (0..outputs.len()).find(|index| boxes(*index))?;
        Some([scores, boxes, columns(&outputs[boxes], grid).and_then(bins)?])
    });
    found.collect::<Option<Vec<_>>>().map(Layout::Split)
}

/// How many numbers a cell of `grid` has in this output; None: it isn't one of that grid.
fn columns(slot: &Slot, grid: &Grid) -> Option<usize> {
    let cells = Length::Is(grid.cells());
    let of_grid = slot.fits(&[cells, Length::Any]) || slot.fits(&[Length::Pictures, cells, Length::Any]);
    slot.shape.last().copied().flatten().filter(|_| of_grid)
}

/// How many bins each of four sides has.
fn bins(columns: usize) -> Option<usize> {
    (columns.is_multiple_of(4) && columns >= 8).then_some(columns / 4)
}

/// How many labels a graph is for whose outputs are of the kind.
fn labels_of(outputs: &[Slot], grids: &[Grid]) -> Option<usize> {
    let shape = [Length::Pictures, Length::Is(cells(grids)), Length::Any];
    if let Some(index) = position(outputs, &shape) {
        return outputs[index].shape[2]?.checked_sub(4 * BINS[0]).filter(|labels| *labels > 0);
    }
    let of_finest: Vec<usize> = outputs.iter().filter_map(|slot| columns(slot, grids.first()?)).collect();
    match of_finest.as_slice() {
        [scores, boxes] if bins(*boxes).is_some() => Some(*scores),
        [_, scores] => Some(*scores),
        _ => None,
    }
}
