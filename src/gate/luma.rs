//! A small picture of light.
//!
//! Owns how it is made; refuses to compare. Pure.

use crate::frame::{Frame, PixelFormat};

/// Cells in a row.
pub const COLUMNS: usize = 64;
/// Rows of cells.
pub const ROWS: usize = 36;

/// So many rows of samples are enough for a cell's mean: the noise of a 1080p cell falls to a 17th.
const ROWS_PER_CELL: usize = 10;

/// The mean luma of each cell of a 64 by 36 grid over a picture, row by row, in 256ths of a level: what is smaller than a
/// cell changes its mean by fractions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Luma(pub(super) Vec<u16>);

impl Luma {
    /// Of a luma plane with `stride` bytes a row. A picture smaller than the grid repeats its samples.
    pub fn of(plane: &[u8], stride: usize, width: usize, height: usize) -> Luma {
        let columns: Vec<(usize, usize)> = (0..COLUMNS).map(|column| part(column, COLUMNS, width)).collect();
        let mut cells = Vec::with_capacity(COLUMNS * ROWS);
        for cell_row in 0..ROWS {
            let (from, to) = part(cell_row, ROWS, height);
            // Odd, so that both fields of an interlaced picture are sampled.
            let step = ((to - from) / ROWS_PER_CELL).max(1) | 1;
            let (mut sums, mut rows) = ([0_u32; COLUMNS], 0_u32);
            for row in (from..to).step_by(step).filter_map(|y| plane.get(y * stride..y * stride + width)) {
                rows += 1;
                for (sum, (from, to)) in sums.iter_mut().zip(&columns) {
                    *sum +=
                        row.get(*from..*to).unwrap_or_default().iter().map(|sample| u32::from(*sample)).sum::<u32>();
                }
            }
            for (sum, (from, to)) in sums.iter().zip(&columns) {
                let samples = u64::from(rows.max(1)) * (to - from) as u64;
                cells.push(u16::try_from(u64::from(*sum) * 256 / samples).unwrap_or(u16::MAX));
            }
        }
        Luma(cells)
    }

    /// Of a frame; of a picture in RGB the mean of all three.
    pub fn of_frame(frame: &Frame) -> Luma {
        let Some(plane) = frame.planes.first() else { return Luma(vec![0; COLUMNS * ROWS]) };
        let samples = if frame.format == PixelFormat::Rgb { 3 } else { 1 };
        Luma::of(&plane.data, plane.stride, frame.width as usize * samples, frame.height as usize)
    }
}

/// The samples that the `index`th of `parts` takes of `all`: at least one.
fn part(index: usize, parts: usize, all: usize) -> (usize, usize) {
    let from = (index * all / parts).min(all.saturating_sub(1));
    let to = ((index + 1) * all / parts).max(from + 1);
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_the_mean_of_its_samples() {
        // 640 by 360, of which cell (3, 2) is 10 by 10: half of it is lit.
        let mut plane = vec![16_u8; 700 * 360];
        for y in 20..30 {
            plane[y * 700 + 30..y * 700 + 35].fill(116);
        }
        let luma = Luma::of(&plane, 700, 640, 360);
        assert_eq!(luma.0[2 * COLUMNS + 3], 66 * 256);
        assert_eq!(luma.0.iter().filter(|cell| **cell != 16 * 256).count(), 1);
    }

    #[test]
    fn any_size_gives_every_cell() {
        for (width, height) in [(1, 1), (2, 2), (63, 35), (64, 36), (65, 37), (1366, 767), (3840, 2160)] {
            let luma = Luma::of(&vec![200; width * height], width, width, height);
            assert_eq!(luma.0, vec![200 * 256; COLUMNS * ROWS], "{width} by {height}");
        }
        assert_eq!(Luma::of(&[], 0, 0, 0).0.len(), COLUMNS * ROWS);
        assert_eq!(Luma::of(&[9; 10], 100, 100, 100).0, vec![0; COLUMNS * ROWS], "a plane that is too short");
    }
}
