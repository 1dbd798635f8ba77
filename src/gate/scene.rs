//! What a camera always shows.
//!
//! Owns the decision what a look says: nothing, movement, or another light. Refuses to know who asks and what follows.
//! Pure.

use std::time::Duration;

use super::background::Background;
use super::blobs;
use super::clutter::Clutter;
use super::luma::{COLUMNS, Luma, ROWS};
use super::mask;
use crate::frame::Motion;
use crate::time::Mono;

/// What a picture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The first one: there is nothing to compare it with.
    First,
    /// What is always there.
    Still,
    /// Something else, be it another picture altogether: a lamp with its shadows looks like a lorry at the loading dock.
    Moved,
    /// The light changed: look once, something may have come with it. It is said once, and it need not wake anybody.
    Lit,
}

impl Look {
    /// What a frame of that picture is to say. The light counts as movement: the frame is to be checked.
    pub fn motion(self) -> Motion {
        match self {
            Look::First => Motion::Unknown,
            Look::Still => Motion::Still,
            Look::Moved | Look::Lit => Motion::Moved,
        }
    }
}

/// Where this share of the cells differs after the light has been accounted for, it is another picture: a lamp with its
/// shadows, a switch to infrared, a camera that turned, or something right before it. None tells itself from the last.
const ANOTHER_PICTURE: f32 = 0.4;

/// A picture brighter or darker by so many levels than what has been learned is in another light.
const ANOTHER_LIGHT: f32 = 12.0;

/// So long after the light changed it may go on changing without being told again; at the end it is told once more if it did.
const SETTLING: Duration = Duration::from_secs(3);

/// A cell that differs counts by itself when one near it differed in the look before, if that was not longer ago.
const SAME_THING: Duration = Duration::from_secs(10);

/// A camera's background.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Cells that are looked at.
    open: Vec<bool>,
    background: Option<Background>,
    /// The cells that differed in the last look, and when that was.
    before: Vec<bool>,
    looked: Mono,
    clutter: Clutter,
    settling: Option<Settling>,
}

/// The light changed a short while ago.
#[derive(Clone, Copy, Debug)]
struct Settling {
    until: Mono,
    /// It did so again since then.
    again: bool,
}

impl Scene {
    /// A scene that is to be learned. Nothing is looked at within `mask`, normalised polygons.
    pub fn new(mask: &[Vec<[f32; 2]>]) -> Scene {
        let before = vec![false; COLUMNS * ROWS];
        Scene {
            open: mask::open_cells(mask),
            background: None,
            before,
            looked: Mono(0),
            clutter: Clutter::default(),
            settling: None,
        }
    }

    /// Compares a picture that arrived at `at` with what is always there, and learns it. Looks may come at any intervals.
    pub fn look(&mut self, luma: &Luma, at: Mono) -> Look {
        let picture: Vec<f32> = luma.0.iter().map(|cell| f32::from(*cell) / 256.0).collect();
        let Some(background) = &mut self.background else {
            self.background = Some(Background::new(&picture, at));
            self.looked = at;
            return Look::First;
        };
        let passed = at.since(std::mem::replace(&mut self.looked, at));
        let differences = background.differences(&picture, &self.open);
        if differences.share >= ANOTHER_PICTURE {
            background.replace(&picture, at);
            self.before.fill(false);
            self.settling = Some(Settling { until: at.plus(SETTLING), again: false });
            return Look::Moved;
        }
        let moved = self.clutter.moved(differences.groups, passed)
            || self.clutter.is_none() && passed <= SAME_THING && blobs::near(&differences.differing, &self.before);
        let relit = differences.light.shift.abs() >= ANOTHER_LIGHT;
        if !relit {
            background.learn(&picture, &differences, at, passed);
        } else if moved {
            // No lamp is so even that the fit explains all of it.
            background.replace(&picture, at);
        } else {
            background.relight(&differences.light);
        }
        self.before = differences.differing;
        match (moved, self.settle(at, relit)) {
            (true, _) => Look::Moved,
            (false, true) => Look::Lit,
            (false, false) => Look::Still,
        }
    }

    /// Whether the light is to be told now.
    fn settle(&mut self, at: Mono, relit: bool) -> bool {
        match &mut self.settling {
            Some(settling) if at < settling.until => {
                settling.again |= relit;
                false
            }
            settling => {
                let lit = relit || settling.is_some_and(|settling| settling.again);
                *settling = relit.then_some(Settling { until: at.plus(SETTLING), again: false });
                lit
            }
        }
    }
}
