//! Rain, snow and insects: small changes all over the picture, in no place for long.
//!
//! Owns how large such changes usually are, and from what size on a group of cells is something else; refuses to know
//! where it is. Pure.

use std::time::Duration;

use super::blobs::Groups;

/// A person at a distance is one group of cells, or two; rain is many.
const MANY: usize = 3;

/// Groups beyond this many cells are no clutter, however many there are.
const LARGE: usize = 8;

/// Clutter must exceed its usual size by this to be something.
const BEYOND: f32 = 2.0;

/// It is learned, and forgotten, within this.
const WITHIN: Duration = Duration::from_secs(30);

/// What of it there is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clutter {
    /// The usual size of the largest group, in cells; zero where there is no clutter.
    usual: f32,
}

impl Clutter {
    /// Whether every cell that differs tells something.
    pub(super) fn is_none(self) -> bool {
        self.usual < 0.5
    }

    /// Whether one of the `groups` is more than clutter: at least two cells. Learns them, `passed` after the last ones.
    pub(super) fn moved(&mut self, groups: Groups, passed: Duration) -> bool {
        let moved = groups.largest >= 2 && groups.largest as f32 > self.usual * BEYOND;
        if groups.largest <= LARGE {
            let size = if groups.count >= MANY { groups.largest as f32 } else { 0.0 };
            self.usual += (size - self.usual) * (1.0 - (-passed.as_secs_f32() / WITHIN.as_secs_f32()).exp());
        }
        moved
    }
}
