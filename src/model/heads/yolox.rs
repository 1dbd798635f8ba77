//! The YOLOX head: raw rows of a grid.
//!
//! Source: Megvii's YOLOX, `demo/ONNXRuntime` and `yolox/utils/demo_utils.py`.

use super::super::graph::Slot;
use super::candidates::{Candidate, best};
use super::grid::{Grid, cells};
use super::numbers::{Length, Numbers, Unreadable};
use super::{Misfit, position};

/// A row: cx, cy, w, h, objectness, then one score per label.
const BEFORE_CLASSES: usize = 5;

/// The output with one row per cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    pub(super) output: usize,
    grids: [Grid; 3],
    columns: usize,
}

impl Rows {
    pub(super) fn find(outputs: &[Slot], size: [u32; 2], labels: usize) -> Result<Rows, Misfit> {
        let grids = [8, 16, 32].map(|stride| Grid::over(size, stride));
        let columns = BEFORE_CLASSES + labels;
        let shape = |columns| [Length::Pictures, Length::Is(cells(&grids)), columns];
        if let Some(output) = position(outputs, &shape(Length::Is(columns))) {
            return Ok(Rows { output, grids, columns });
        }
        match position(outputs, &shape(Length::Any)).and_then(|index| outputs[index].shape[2]) {
            Some(others) if others > BEFORE_CLASSES => Err(Misfit::Labels(others - BEFORE_CLASSES)),
            _ => Err(Misfit::Shapes(format!("f32 [1, {}, {columns}]", cells(&grids)))),
        }
    }

    pub(super) fn candidates(&self, numbers: &Numbers<'_>, threshold: f32) -> Result<Vec<Candidate>, Unreadable> {
        let mut rows = numbers.exactly(self.output, cells(&self.grids) * self.columns)?.chunks_exact(self.columns);
        let mut found = Vec::new();
        for grid in &self.grids {
            for (index, row) in rows.by_ref().take(grid.cells()).enumerate() {
                let objectness = row[4];
                // Scores are products with this one, and at most 1 themselves: nearly every row ends here.
                if objectness <= threshold {
                    continue;
                }
                let Some((label, class)) = best(&row[BEFORE_CLASSES..], f32::NEG_INFINITY) else { continue };
                let score = (objectness * class).min(1.0);
                if score > threshold {
                    let ([x, y], scale) = (grid.place(index), grid.stride as f32);
                    let [cx, cy] = [(row[0] + x) * scale, (row[1] + y) * scale];
                    let [w, h] = [row[2].exp() * scale / 2.0, row[3].exp() * scale / 2.0];
                    found.push(Candidate { label, score, bounds: [cx - w, cy - h, cx + w, cy + h] });
                }
            }
        }
        Ok(found)
    }
}
