//! Which of the cells that differ belong together.
//!
//! Owns neighbourhood on the grid; refuses to know why cells differ. Pure. Grids are [`COLUMNS`] by [`ROWS`], row by row.

use super::luma::{COLUMNS, ROWS};

/// A thing may go on by so many cells between two looks and is still taken for the same: a tenth of the picture's width
/// is what a walker at a distance makes in 2 s.
const NEAR: usize = 4;

/// The cells around `index` within `reach`, itself included.
fn around(index: usize, reach: usize) -> impl Iterator<Item = usize> {
    let (column, row) = (index % COLUMNS, index / COLUMNS);
    let columns = column.saturating_sub(reach)..=(column + reach).min(COLUMNS - 1);
    let rows = row.saturating_sub(reach)..=(row + reach).min(ROWS - 1);
    rows.flat_map(move |row| columns.clone().map(move |column| row * COLUMNS + column))
}

fn set(grid: &[bool]) -> impl Iterator<Item = usize> {
    grid.iter().enumerate().filter_map(|(index, set)| set.then_some(index))
}

/// Whether a cell of `now` lies near one of `before`.
pub(super) fn near(now: &[bool], before: &[bool]) -> bool {
    set(now).any(|index| around(index, NEAR).any(|other| before[other]))
}

/// Groups of touching cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    /// How many there are.
    pub(super) count: usize,
    /// How many cells the largest one has.
    pub(super) largest: usize,
}

/// The groups in which cells touch, by a side or a corner.
pub(super) fn groups(grid: &[bool]) -> Groups {
    let mut left = grid.to_vec();
    let mut groups = Groups::default();
    for first in 0..left.len() {
        if !std::mem::take(&mut left[first]) {
            continue;
        }
        let (mut group, mut size) = (vec![first], 0);
        while let Some(index) = group.pop() {
            size += 1;
            group.extend(around(index, 1).filter(|other| std::mem::take(&mut left[*other])));
        }
        groups = Groups { count: groups.count + 1, largest: groups.largest.max(size) };
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(cells: &[(usize, usize)]) -> Vec<bool> {
        let mut grid = vec![false; COLUMNS * ROWS];
        cells.iter().for_each(|(column, row)| grid[row * COLUMNS + column] = true);
        grid
    }

    #[test]
    fn near_is_within_four_cells() {
        assert!(near(&grid(&[(10, 10)]), &grid(&[(14, 6)])));
        assert!(!near(&grid(&[(10, 10)]), &grid(&[(15, 10)])));
        assert!(near(&grid(&[(63, 35)]), &grid(&[(63, 35)])));
    }

    #[test]
    fn corners_touch_and_rows_do_not_wrap() {
        let of = |cells: &[(usize, usize)]| (groups(&grid(cells)).count, groups(&grid(cells)).largest);
        assert_eq!(of(&[]), (0, 0));
        assert_eq!(of(&[(3, 3), (4, 4)]), (1, 2));
        assert_eq!(of(&[(3, 3), (5, 3)]), (2, 1));
        assert_eq!(of(&[(63, 3), (0, 4)]), (2, 1));
        assert_eq!(of(&[(0, 0), (1, 1), (1, 2), (9, 9), (63, 35)]), (3, 3));
    }
}
