//! A clip that goes on where another one ended, or a daemon did, because its event is still open.
//!
//! Owns which alerts it shows: those that are known to be recorded. Refuses to know why. Runs on `journal-writer`.

use rusqlite::OptionalExtension;
use uuid::Uuid;

use crate::journal::error::Error;
use crate::journal::group::{Change, Ledger};
use crate::name::Name;
use crate::time::Now;

/// A clip that goes on. See [`crate::journal::Writer::go_on_with_clip`].
pub struct ClipSequel {
    /// Its id.
    pub clip: Uuid,
    /// Of which camera.
    pub camera: Name,
    /// The alerts that it shows.
    pub shows: Shows,
    /// When.
    pub at: Now,
}

/// Alerts that a clip shows already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// All that this one shows.
    AsClip(Uuid),
    /// All of this event, by what joins them.
    Event(Uuid),
}

/// A range of `clip_event`, and a seek for each.
pub(in crate::journal) const OF_CLIP: &str =
    "SELECT event, told, height FROM clip JOIN clip_event ON clip = n CROSS JOIN event ON seq = event
     WHERE clip.id = ?1 AND type = 'monitor.triggered'";

/// A range of `event_open`, and seeks for each.
pub(in crate::journal) const OF_EVENT: &str = "SELECT clip_event.event, told, height FROM event
     CROSS JOIN clip_event ON clip_event.event = seq JOIN clip ON n = clip
     WHERE open_id = ?1 AND type = 'monitor.triggered'";

impl Change for ClipSequel {
    type Answer = bool;

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<bool, Error> {
        let (of, id) = match self.shows {
            Shows::AsClip(clip) => (OF_CLIP, clip),
            Shows::Event(open) => (OF_EVENT, open),
        };
        let connection = ledger.connection;
        let height: Option<Option<u32>> =
            connection.prepare_cached(of)?.query_row([id.as_bytes()], |row| row.get("height")).optional()?;
        let Some(height) = height else { return Ok(false) };
        connection
            .prepare_cached(
                "INSERT INTO clip (id, camera, height, state, asked_ms) VALUES (?1, ?2, ?3, 'recording', ?4)",
            )?
            .execute((self.clip.as_bytes(), self.camera.as_str(), height, self.at.wall.0))?;
        let shown = format!(
            "INSERT INTO clip_event (clip, event, told) SELECT (SELECT n FROM clip WHERE id = ?2), event, told FROM ({of})
             WHERE true ON CONFLICT DO NOTHING"
        );
        connection.prepare_cached(&shown)?.execute((id.as_bytes(), self.clip.as_bytes()))?;
        Ok(true)
    }
}
