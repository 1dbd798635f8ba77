//! Cameras: what the world was last told of each.
//!
//! Owns their rows, written with the event that told it; refuses to know what a state means. Runs on `journal-writer`.

use super::accept::Acceptance;
use super::entry::{Record, Recorded};
use super::error::Error;
use super::frames::Frames;
use super::group::{Change, Ledger};
use crate::name::Name;

/// See [`super::Writer::tell_of_camera`].
pub(super) struct Telling {
    camera: Name,
    state: String,
    event: Acceptance,
}

impl Telling {
    /// The event, and what is known once it is told.
    pub(super) fn new(camera: Name, state: String, record: Record) -> Telling {
        Telling { camera, state, event: Acceptance::new(record) }
    }
}

impl Change for Telling {
    type Answer = Recorded;

    fn prepare(&mut self, frames: &mut Frames) -> std::io::Result<()> {
        self.event.prepare(frames)
    }

    fn make_room(&self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        self.event.make_room(ledger)
    }

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<Recorded, Error> {
        ledger
            .connection
            .prepare_cached(
                "INSERT INTO presence VALUES (?1, ?2) ON CONFLICT (camera) DO UPDATE SET state = excluded.state",
            )?
            .execute((self.camera.as_str(), &self.state))?;
        self.event.apply(ledger)
    }
}

/// See [`super::Writer::forget_camera`].
pub(super) struct ForgetCamera(pub(super) Name);

impl Change for ForgetCamera {
    type Answer = ();

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        ledger.connection.prepare_cached("DELETE FROM presence WHERE camera = ?1")?.execute([self.0.as_str()])?;
        Ok(())
    }
}
