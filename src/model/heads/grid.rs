//! The grids of cells that a detector lays over its input.
//!
//! Owns their order: coarser grids follow finer ones, cells go row by row. Refuses to know what a cell says.

/// One grid: a cell every `stride` pixels, from the top left, also where the last one sticks out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) stride: u32,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Grid {
    /// Over an input of `size` (width, height).
    pub(super) fn over(size: [u32; 2], stride: u32) -> Grid {
        let [columns, rows] = size.map(|side| side.div_ceil(stride) as usize);
        Grid { stride, columns, rows }
    }

    pub(super) fn cells(&self) -> usize {
        self.columns * self.rows
    }

    /// Where cell `index` is: its column and row.
    pub(super) fn place(&self, index: usize) -> [f32; 2] {
        [(index % self.columns) as f32, (index / self.columns) as f32]
    }
}

/// How many cells `grids` have in all.
pub(super) fn cells(grids: &[Grid]) -> usize {
    grids.iter().map(Grid::cells).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_known_inputs() {
        let grids = [8, 16, 32].map(|stride| Grid::over([416, 416], stride));
        assert_eq!(cells(&grids), 3549);
        let odd = Grid::over([320, 180], 32);
        assert_eq!((odd.columns, odd.rows, odd.place(10), odd.place(11)), (10, 6, [0.0, 1.0], [1.0, 1.0]));
    }
}
