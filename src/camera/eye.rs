//! What was last seen of a camera, and whether something moves.
//!
//! Owns the camera's scene and when something moved in it; refuses to know decoders. Runs on the thread `camera-<name>`.

use super::glance::{Fingerprint, Glance};
use crate::frame::{Frame, Motion};
use crate::gate::{Look, Scene};
use crate::time::Mono;

/// A camera's one scene.
pub(super) struct Eye {
    scene: Scene,
    looked: Option<Mono>,
    moved: Option<Mono>,
    /// Something was seen that no frame has told yet.
    untold: bool,
    latest: Option<Fingerprint>,
}

impl Eye {
    /// Nothing is looked at within `mask`.
    pub(super) fn new(mask: &[Vec<[f32; 2]>]) -> Eye {
        Eye { scene: Scene::new(mask), looked: None, moved: None, untold: false, latest: None }
    }

    /// When the newest picture that was looked at arrived.
    pub(super) fn looked(&self) -> Option<Mono> {
        self.looked
    }

    /// When something last moved.
    pub(super) fn moved(&self) -> Option<Mono> {
        self.moved
    }

    /// The fingerprint of the latest picture since the last call.
    pub(super) fn take_fingerprint(&mut self) -> Option<Fingerprint> {
        self.latest.take()
    }

    /// Looks at a picture that arrived then.
    pub(super) fn look(&mut self, arrived: Mono, glance: &Glance) -> Motion {
        // Pictures come in the order in which they are shown, which is not quite the one in which they arrived.
        let at = self.looked.map_or(arrived, |looked| looked.max(arrived));
        self.looked = Some(at);
        self.latest = Some(glance.fingerprint);
        let look = self.scene.look(&glance.luma, at);
        // Daylight that changes is worth a check, but no reason to be awake.
        if look == Look::Moved {
            self.moved = Some(at);
        }
        self.untold |= look.motion() == Motion::Moved;
        look.motion()
    }

    /// Looks at a frame and writes on it what was seen since the one before. `known`: it is older than what the scene has
    /// learned since, and not looked at. `late`: the camera slept when it arrived.
    pub(super) fn look_at(&mut self, frame: &mut Frame, known: bool, late: bool) {
        frame.motion = match known {
            true => Motion::SleptThrough,
            false => self.look(frame.arrived.mono, &Glance::at(frame)),
        };
        if late {
            frame.motion = Motion::SleptThrough;
        }
        if std::mem::take(&mut self.untold) && frame.motion == Motion::Still {
            frame.motion = Motion::Moved;
        }
    }
}
