//! What every cell of a camera's picture usually is.
//!
//! Owns the mean and the noise of each cell, in one light, and how they are learned; refuses to decide what a difference
//! means. Pure.
//!
//! Everything goes by time, because looks come every 50 ms or every 4 s.

use std::time::Duration;

use super::blobs::{self, Groups};
use super::light::{self, Light};
use super::luma::{COLUMNS, ROWS};
use super::sway::Sway;
use crate::time::Mono;

/// The least by which a cell differs, in levels.
const LEAST: f32 = 5.0;

/// ... and how many times its noise that must be.
const TIMES_NOISE: f32 = 4.5;

/// What a cell's noise is taken for before anything is known of it (standard deviation, levels).
const NOISE_AT_FIRST: f32 = 1.0;

/// No group of cells is taken for noisier than this, whatever happens there: leaves in the wind ...
const MOST_NOISE: f32 = 3.5;

/// ... and no cell that changes on its own: the digits of a clock, raindrops.
const MOST_NOISE_ALONE: f32 = 7.0;

/// Groups of at most so many cells are changes on their own.
const ALONE: usize = 3;

/// A mean follows within this ...
const FOLLOWS: Duration = Duration::from_secs(20);

/// ... and a cell's noise rises within this, where nothing larger moves ...
const ROUGHENS: Duration = Duration::from_secs(20);

/// ... or within this, where it does ...
const ROUGHENS_UNDER_MOVEMENT: Duration = Duration::from_secs(300);

/// ... and falls within this.
const SMOOTHS: Duration = Duration::from_secs(300);

/// Noise is the difference of pictures that lie at least so far apart: leaves are slower than the camera.
const APART: Duration = Duration::from_secs(1);

/// What stays in a cell for so long is the background from then on.
const ABSORBED: Duration = Duration::from_secs(10);

/// The light is uneven: from every cell's difference the mean of so many cells in each direction is taken away.
const NEIGHBOURHOOD: usize = 4;

/// All cells as they usually are.
#[derive(Clone, Debug)]
pub(super) struct Background {
    cells: Vec<Cell>,
    /// When `Cell::earlier` was seen.
    earlier: Mono,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    /// Its mean.
    usual: f32,
    /// Its standard deviation.
    noise: f32,
    /// How it differed a second ago or longer.
    earlier: f32,
    /// What it has been for a while ...
    stays: f32,
    /// ... and since when.
    since: Mono,
}

impl Cell {
    fn limit(&self) -> f32 {
        (self.noise * TIMES_NOISE).max(LEAST)
    }
}

/// How a picture differs from the background.
#[derive(Clone, Debug)]
pub(super) struct Differences {
    /// Its light.
    pub(super) light: Light,
    /// What each cell has beyond that. Cells that are not looked at have nothing.
    plain: Vec<f32>,
    /// … and beyond its neighbourhood.
    beyond: Vec<f32>,
    /// The cells that differ.
    pub(super) differing: Vec<bool>,
    /// ... and how they lie.
    pub(super) groups: Groups,
    /// The share of the cells that differ, even where all around them does.
    pub(super) share: f32,
}

impl Background {
    pub(super) fn new(picture: &[f32], at: Mono) -> Background {
        let cell = |usual: &f32| Cell { usual: *usual, noise: NOISE_AT_FIRST, earlier: 0.0, stays: *usual, since: at };
        Background { cells: picture.iter().map(cell).collect(), earlier: at }
    }

    /// The picture is the background from now on; what is known of the noise stays.
    pub(super) fn replace(&mut self, picture: &[f32], at: Mono) {
        for (cell, now) in self.cells.iter_mut().zip(picture) {
            let noise = cell.noise.max(NOISE_AT_FIRST);
            *cell = Cell { usual: *now, noise, earlier: 0.0, stays: *now, since: at };
        }
        self.earlier = at;
    }

    /// The background in another light.
    pub(super) fn relight(&mut self, light: &Light) {
        for cell in &mut self.cells {
            cell.usual = light.on(cell.usual);
            cell.stays = light.on(cell.stays);
        }
    }

    /// Compares the cells that are `open`.
    pub(super) fn differences(&self, picture: &[f32], open: &[bool]) -> Differences {
        let seen = || self.cells.iter().zip(picture).zip(open);
        let mut pairs: Vec<(f32, f32)> =
            seen().filter(|(_, open)| **open).map(|((cell, now), _)| (cell.usual, *now)).collect();
        let light = Light::between(&mut pairs);
        let difference = |cell: &Cell, now: f32| light::within_range(now) - light::within_range(light.on(cell.usual));
        let mut plain: Vec<f32> =
            seen().map(|((cell, now), open)| if *open { difference(cell, *now) } else { 0.0 }).collect();
        self.hold_still(&mut plain, open);
        let count = plain.iter().zip(&self.cells).filter(|(plain, cell)| plain.abs() > cell.limit()).count();
        let share = count as f32 / pairs.len().max(1) as f32;
        let beyond = beyond_neighbourhood(&plain, open);
        let differs = |(beyond, cell): (&f32, &Cell)| beyond.abs() > cell.limit();
        let differing: Vec<bool> = beyond.iter().zip(&self.cells).map(differs).collect();
        let groups = blobs::groups(&differing);
        Differences { light, plain, beyond, differing, groups, share }
    }

    /// Takes out what is only the camera that sways.
    fn hold_still(&self, plain: &mut [f32], open: &[bool]) {
        let usual: Vec<f32> = self.cells.iter().map(|cell| cell.usual).collect();
        let sway = Sway::between(&usual, plain, open);
        for (index, difference) in plain.iter_mut().enumerate() {
            let rest = (difference.abs() - sway.explains(&usual, index)).max(0.0);
            *difference = rest.copysign(*difference);
        }
    }

    /// A picture was seen, `passed` after the one before.
    pub(super) fn learn(&mut self, picture: &[f32], differences: &Differences, at: Mono, passed: Duration) {
        let Differences { light, plain, differing, groups, .. } = differences;
        let apart = at.since(self.earlier);
        if apart >= APART {
            self.earlier = at;
            self.learn_noise(differences, apart);
        }
        let follows = within(passed, FOLLOWS).min(0.25);
        // Within something large no cell differs from those around it.
        let large = groups.largest > 1;
        for (((cell, now), plain), differs) in self.cells.iter_mut().zip(picture).zip(plain).zip(differing) {
            let hidden = *differs || large && plain.abs() > cell.limit();
            let here = light.off(*now);
            if (here - cell.stays).abs() > cell.limit() {
                (cell.stays, cell.since) = (here, at);
            }
            if !hidden {
                cell.usual += follows * (now - cell.usual);
            } else if at.since(cell.since) >= ABSORBED {
                cell.usual = *now;
            } else {
                // It hides what is behind it; that is in the same light as the rest.
                cell.usual += follows * (light.on(cell.usual) - cell.usual);
            }
        }
    }

    fn learn_noise(&mut self, differences: &Differences, apart: Duration) {
        let alone = differences.groups.largest <= ALONE;
        let (rising, most) = if alone { (ROUGHENS, MOST_NOISE_ALONE) } else { (ROUGHENS_UNDER_MOVEMENT, MOST_NOISE) };
        let (rising, falling) = (within(apart, rising), within(apart, SMOOTHS));
        for (cell, beyond) in self.cells.iter_mut().zip(&differences.beyond) {
            // The mean of the absolute difference of two normal variables is 2/sqrt(pi) times their deviation.
            let noise = (beyond - cell.earlier).abs() * 0.886;
            cell.earlier = *beyond;
            if noise <= cell.noise {
                cell.noise += falling * (noise - cell.noise);
            } else if cell.noise < most {
                cell.noise = (cell.noise + rising * (noise - cell.noise)).min(most);
            }
        }
    }
}

/// The part of the way to a new value that is gone in `passed` by what follows with a time constant of `constant`.
fn within(passed: Duration, constant: Duration) -> f32 {
    1.0 - (-passed.as_secs_f32() / constant.as_secs_f32()).exp()
}

/// Every open cell less the mean of the open cells around it. A shade that spreads over much of the picture disappears,
/// what is small stays as it is, and of what is large the edges do.
fn beyond_neighbourhood(plain: &[f32], open: &[bool]) -> Vec<f32> {
    // Sums over everything above and to the left of a corner.
    let mut sums = vec![(0.0_f32, 0.0_f32); (COLUMNS + 1) * (ROWS + 1)];
    let corner = |column: usize, row: usize| row * (COLUMNS + 1) + column;
    for row in 0..ROWS {
        let mut line = (0.0, 0.0);
        for column in 0..COLUMNS {
            let index = row * COLUMNS + column;
            if open[index] {
                line = (line.0 + plain[index], line.1 + 1.0);
            }
            let above = sums[corner(column + 1, row)];
            sums[corner(column + 1, row + 1)] = (above.0 + line.0, above.1 + line.1);
        }
    }
    let beyond = |index: usize| {
        if !open[index] {
            return 0.0;
        }
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        let (left, right) = (column.saturating_sub(NEIGHBOURHOOD), (column + NEIGHBOURHOOD + 1).min(COLUMNS));
        let (top, bottom) = (row.saturating_sub(NEIGHBOURHOOD), (row + NEIGHBOURHOOD + 1).min(ROWS));
        let [a, b, c, d] =
            [corner(left, top), corner(right, top), corner(left, bottom), corner(right, bottom)].map(|at| sums[at]);
        let (sum, count) = (d.0 - b.0 - c.0 + a.0, d.1 - b.1 - c.1 + a.1);
        plain[index] - sum / count.max(1.0)
    };
    (0..plain.len()).map(beyond).collect()
}
