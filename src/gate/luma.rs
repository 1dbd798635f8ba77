//! A small picture of light.
//!
//! Owns how it is made; refuses to compare. Pure.

/// Cells in a row.
pub const COLUMNS: usize = 64;
/// Rows of cells.
pub const ROWS: usize = 36;

/// The mean luma of each cell of a 64 by 36 grid over a picture, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Luma(pub(super) Vec<u8>);

impl Luma {
    /// Of a luma plane with `stride` bytes a row. A picture smaller than the grid repeats its samples.
    pub fn of(plane: &[u8], stride: usize, width: usize, height: usize) -> Luma {
        let row = |y: usize| plane.get(y * stride..y * stride + width).unwrap_or_default();
        let mut cells = Vec::with_capacity(COLUMNS * ROWS);
        for cell_row in 0..ROWS {
            let from_y = cell_row * height / ROWS;
            let to_y = ((cell_row + 1) * height / ROWS).max(from_y + 1).min(height.max(1));
            for column in 0..COLUMNS {
                let from_x = column * width / COLUMNS;
                let to_x = ((column + 1) * width / COLUMNS).max(from_x + 1).min(width.max(1));
                let samples = (from_y..to_y).flat_map(|y| row(y).get(from_x..to_x).unwrap_or_default());
                let (sum, count) =
                    samples.fold((0u32, 0u32), |(sum, count), sample| (sum + u32::from(*sample), count + 1));
                cells.push(u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX));
            }
        }
        Luma(cells)
    }
}
