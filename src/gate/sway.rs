//! How a camera sways: on its pole in the wind, when a lorry passes.
//!
//! Owns how far the whole picture has shifted, and how much of a cell's difference that may be; refuses to know what moved.
//! Pure.

use super::luma::{COLUMNS, ROWS};

/// What differs by more levels than this is something, and has no say.
const SOMETHING: f32 = 30.0;

/// A shift counts where it explains at least this share of all differences (of their squares): noise, and things that move,
/// are hardly ever like the edges of everything.
const EXPLAINS: f32 = 0.1;

/// No further than this, in cells: beyond it a camera was turned.
const FURTHEST: f32 = 1.0;

/// What is thinner than a cell, a pole, changes its cell's mean by more than the cells beside it tell.
const THIN: f32 = 2.0;

/// By how many cells a picture lies beside what was learned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sway {
    columns: f32,
    rows: f32,
}

impl Sway {
    /// The shift of least squares (Lucas and Kanade, 1981, over the whole picture) that turns `usual` into what differs from
    /// it by `differences`.
    pub(super) fn between(usual: &[f32], differences: &[f32]) -> Sway {
        let mut sums = Sums::default();
        for index in (1..ROWS - 1).flat_map(|row| row * COLUMNS + 1..(row + 1) * COLUMNS - 1) {
            let difference = differences[index];
            if difference.abs() <= SOMETHING {
                sums.add(slope(usual, index), difference);
            }
        }
        sums.solved()
    }

    /// How many levels of a cell's difference are no more than the edge in it that shifted.
    pub(super) fn explains(&self, usual: &[f32], index: usize) -> f32 {
        if *self == Sway::default() {
            return 0.0;
        }
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        let step = |there: bool, other: usize| if there { (usual[other] - usual[index]).abs() } else { 0.0 };
        let columns = step(column > 0, index.wrapping_sub(1)).max(step(column + 1 < COLUMNS, index + 1));
        let rows = step(row > 0, index.wrapping_sub(COLUMNS)).max(step(row + 1 < ROWS, index + COLUMNS));
        THIN * (self.columns.abs() * columns + self.rows.abs() * rows)
    }
}

/// How brightness rises to the right and downwards, in levels a cell.
fn slope(usual: &[f32], index: usize) -> (f32, f32) {
    ((usual[index + 1] - usual[index - 1]) / 2.0, (usual[index + COLUMNS] - usual[index - COLUMNS]) / 2.0)
}

/// Of the normal equations.
#[derive(Default)]
struct Sums {
    columns: f32,
    rows: f32,
    both: f32,
    columns_differ: f32,
    rows_differ: f32,
    differ: f32,
}

impl Sums {
    fn add(&mut self, (columns, rows): (f32, f32), difference: f32) {
        self.columns += columns * columns;
        self.rows += rows * rows;
        self.both += columns * rows;
        self.columns_differ += columns * difference;
        self.rows_differ += rows * difference;
        self.differ += difference * difference;
    }

    fn solved(&self) -> Sway {
        let determinant = self.columns * self.rows - self.both * self.both;
        // A picture with edges in one direction only doesn't tell the shift along them.
        if determinant <= 0.01 * self.columns * self.rows || self.differ <= 0.0 {
            return Sway::default();
        }
        let columns = (self.rows * self.columns_differ - self.both * self.rows_differ) / determinant;
        let rows = (self.columns * self.rows_differ - self.both * self.columns_differ) / determinant;
        let explained = (columns * self.columns_differ + rows * self.rows_differ) / self.differ;
        if explained < EXPLAINS || columns.hypot(rows) > FURTHEST {
            return Sway::default();
        }
        Sway { columns, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Soft bars and stripes, shifted.
    fn picture(columns: f32, rows: f32) -> Vec<f32> {
        let at = |index: usize| ((index % COLUMNS) as f32 - columns, (index / COLUMNS) as f32 - rows);
        (0..COLUMNS * ROWS).map(at).map(|(x, y)| 120.0 + 40.0 * (x * 0.7).sin() + 30.0 * (y * 0.9).sin()).collect()
    }

    fn differences(usual: &[f32], now: &[f32]) -> Vec<f32> {
        usual.iter().zip(now).map(|(usual, now)| now - usual).collect()
    }

    #[test]
    fn a_shifted_picture_is_explained_and_what_stands_in_it_is_not() {
        let (usual, mut now) = (picture(0.0, 0.0), picture(0.25, -0.1));
        let thing = 10 * COLUMNS + 20;
        now[thing] += 60.0;
        let differences = differences(&usual, &now);
        let sway = Sway::between(&usual, &differences);
        // Minus the shift, by the sign of a slope.
        assert!((sway.columns + 0.25).abs() < 0.05 && (sway.rows - 0.1).abs() < 0.05, "{sway:?}");
        let rest = |index: usize| differences[index].abs() - sway.explains(&usual, index);
        let unexplained: Vec<usize> = (0..usual.len()).filter(|index| rest(*index) > 5.0).collect();
        assert_eq!(unexplained, [thing]);
    }

    #[test]
    fn neither_noise_nor_something_large_is_a_sway() {
        let usual = picture(0.0, 0.0);
        let noisy: Vec<f32> = (0..usual.len()).map(|index| ((index * 7919) % 13) as f32 - 6.0).collect();
        assert_eq!(Sway::between(&usual, &noisy), Sway::default());
        let lorry = |index: usize| if (10..40).contains(&(index % COLUMNS)) { 25.0 } else { 0.0 };
        let lorry: Vec<f32> = (0..usual.len()).map(lorry).collect();
        assert_eq!(Sway::between(&usual, &lorry), Sway::default());
        let flat = vec![100.0; usual.len()];
        assert_eq!(Sway::between(&flat, &noisy), Sway::default());
    }

    #[test]
    fn the_rim_of_a_picture_has_fewer_neighbours() {
        let sway = Sway { columns: 0.5, rows: 0.5 };
        let mut usual = vec![100.0; COLUMNS * ROWS];
        usual[0] = 140.0;
        assert_eq!([0, 1, COLUMNS, COLUMNS + 1].map(|index| sway.explains(&usual, index)), [80.0, 40.0, 40.0, 0.0]);
        assert_eq!(sway.explains(&usual, COLUMNS * ROWS - 1), 0.0);
    }
}
