//! Which cells are looked at.
//!
//! Owns the way from polygons to cells; refuses to know what happens in them. Pure.

use super::luma::{COLUMNS, ROWS};

/// A cell is masked when any of these points in it is: along a side, in parts of a cell. What moves under the edge of a
/// mask must not be seen beside it.
const PROBES: [f32; 3] = [0.1, 0.5, 0.9];

/// For each cell, row by row, whether it is looked at: it lies outside of all `polygons` (normalised, closed by
/// themselves).
pub(super) fn open_cells(polygons: &[Vec<[f32; 2]>]) -> Vec<bool> {
    let masked = |x: f32, y: f32| polygons.iter().any(|polygon| is_inside(polygon, x, y));
    let cell = |index: usize| {
        let (column, row) = ((index % COLUMNS) as f32, (index / COLUMNS) as f32);
        let mut points = PROBES.iter().flat_map(|dx| PROBES.iter().map(move |dy| (column + dx, row + dy)));
        !points.any(|(x, y)| masked(x / COLUMNS as f32, y / ROWS as f32))
    };
    (0..COLUMNS * ROWS).map(cell).collect()
}

/// Even-odd rule: a ray to the right crosses the outline an odd number of times.
fn is_inside(polygon: &[[f32; 2]], x: f32, y: f32) -> bool {
    let ends = polygon.iter().cycle().skip(1);
    let crosses = |(a, b): &(&[f32; 2], &[f32; 2])| {
        let ([ax, ay], [bx, by]) = (**a, **b);
        (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax)
    };
    polygon.iter().zip(ends).filter(crosses).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_within_or_under_the_edge_of_a_polygon_are_masked() {
        assert_eq!(open_cells(&[]), vec![true; COLUMNS * ROWS]);
        // The right half from the middle of column 40 on, of the upper half.
        let half = vec![[40.5 / 64.0, 0.0], [1.0, 0.0], [1.0, 0.5], [40.5 / 64.0, 0.5]];
        let cells = open_cells(&[half]);
        for (index, open) in cells.iter().enumerate() {
            let (column, row) = (index % COLUMNS, index / COLUMNS);
            assert_eq!(*open, column < 40 || row >= 18, "{column} {row}");
        }
    }

    #[test]
    fn polygons_need_not_be_convex_or_alone() {
        let arrow = vec![[0.0, 0.0], [1.0, 0.0], [0.5, 0.5]];
        let corner = vec![[0.0, 0.9], [0.1, 0.9], [0.1, 1.0], [0.0, 1.0]];
        let cells = open_cells(&[arrow, corner]);
        let open = |column: usize, row: usize| cells[row * COLUMNS + column];
        assert!(!open(32, 4) && !open(2, 34));
        assert!(open(2, 10) && open(61, 10) && open(32, 34));
    }
}
