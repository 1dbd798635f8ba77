//! Clips as rows.
//!
//! Owns how they are written at an alert and how they are read; refuses to know what becomes of them (`news`, `quota`).
//! Writing runs on `journal-writer`, reading on whichever thread calls it.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, ToSql, Transaction};
use uuid::Uuid;

use super::folder::clip_path;
use crate::event::Event;
use crate::journal::columns::{duration, id, json, name, to_json, unsigned, word};
use crate::journal::error::Error;
use crate::journal::reader::{self, Reader, Values};
use crate::name::Name;
use crate::recording::link::{KEY_BYTES, Key};
use crate::time::Wall;

/// Where a clip stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipState {
    /// It is being recorded, or about to be.
    Recording,
    /// It is whole.
    Ready,
    /// Nothing came of it.
    Failed,
    /// It was ready, and had to make room or was deleted.
    Gone,
}

impl ClipState {
    /// Every state.
    pub const ALL: [ClipState; 4] = [ClipState::Recording, ClipState::Ready, ClipState::Failed, ClipState::Gone];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            ClipState::Recording => "recording",
            ClipState::Ready => "ready",
            ClipState::Failed => "failed",
            ClipState::Gone => "gone",
        }
    }

    /// The state of that name.
    pub fn parse(text: &str) -> Option<ClipState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Which clips. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClipFilter {
    /// Only of this camera.
    pub camera: Option<Name>,
    /// Only in this state.
    pub state: Option<ClipState>,
    /// Only those before this [`ClipRow::n`]; None: from the newest.
    pub before: Option<i64>,
    /// At most so many, the newest first.
    pub limit: u32,
}

/// A clip as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipRow {
    /// Its place in the order in which they were begun.
    pub n: i64,
    /// Its id.
    pub id: Uuid,
    /// Of which camera.
    pub camera: Name,
    /// Lines of its picture, as the alert saw it.
    pub height: Option<u32>,
    /// Where it stands.
    pub state: ClipState,
    /// There is a file: see [`clip_path`].
    pub has_file: bool,
    /// When an alert began it.
    pub asked: Wall,
    /// The moment of its first picture, in microseconds of the wall clock.
    pub started_us: Option<i64>,
    /// The moment of its end, in the same.
    pub ended_us: Option<i64>,
    /// Of its file, as far as it is whole.
    pub bytes: u64,
    /// Of its file, once that is ready: lower-case hex.
    pub sha256: Option<String>,
    /// How long it plays, once it is ready.
    pub duration: Option<Duration>,
    /// Why it failed or is gone.
    pub why: Option<String>,
    /// Since when nobody is owed an alert of it any more, as far as that was noticed.
    pub over: Option<Wall>,
    /// The alerts that it shows, by their ids, in order.
    pub alerts: Vec<Uuid>,
}

/// A range of `clip_event`, and a seek for each.
pub(in crate::journal) const ALERTS_OF: &str = "SELECT event.id FROM clip_event CROSS JOIN event ON seq = event
     WHERE clip = ?1 AND type = 'monitor.triggered' ORDER BY seq";

/// Whether a file is to stay; no row: nobody knows it.
pub(in crate::journal) const CLIP_IS_NAMED: &str = "SELECT file = 1 OR state = 'recording' FROM clip WHERE id = ?1";

/// An alert that a clip shows, on its way into the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filmed {
    /// Which clip; it begins with the first alert that names it.
    pub clip: Uuid,
    /// Lines of the picture.
    pub height: Option<u32>,
    /// The endpoints that are told what becomes of the clip.
    pub told: Vec<Name>,
}

/// An alert that a clip shows.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipAlert {
    /// The alert.
    pub event: Event,
    /// The endpoints that are told what becomes of the clip because of it.
    pub told: Vec<Name>,
}

/// Ties an alert to its clip; `camera` begins to be recorded where there is no such clip yet.
pub(in crate::journal) fn film(
    connection: &Connection,
    filmed: &Filmed,
    camera: &str,
    (event, at): (i64, Wall),
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO clip (id, camera, height, state, asked_ms) VALUES (?1, ?2, ?3, 'recording', ?4)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute((filmed.clip.as_bytes(), camera, filmed.height, at.0))?;
    join(connection, filmed.clip, event, &filmed.told)
}

/// Ties an event to a clip.
pub(super) fn join(connection: &Connection, clip: Uuid, event: i64, told: &[Name]) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO clip_event (clip, event, told) SELECT n, ?2, ?3 FROM clip WHERE id = ?1 ON CONFLICT DO NOTHING",
        )?
        .execute((clip.as_bytes(), event, to_json(&told)?))?;
    Ok(())
}

/// The alerts that the clip at that place shows, in order.
pub(super) fn alerts(connection: &Connection, n: i64) -> Result<Vec<ClipAlert>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT event.*, told FROM clip_event CROSS JOIN event ON seq = event
         WHERE clip = ?1 AND type = 'monitor.triggered' ORDER BY seq",
    )?;
    let alert = |row: &Row<'_>| Ok(ClipAlert { event: reader::event(row)?, told: json(row, "told")? });
    Ok(statement.query_map([n], alert)?.collect::<Result<_, _>>()?)
}

/// One clip.
pub(in crate::journal) fn find(connection: &Connection, clip: Uuid) -> Result<Option<ClipRow>, Error> {
    let mut statement = connection.prepare_cached("SELECT * FROM clip WHERE id = ?1")?;
    let row = statement.query_row([clip.as_bytes()], clip_row).optional()?;
    row.map(|row| with_alerts(connection, row)).transpose()
}

pub(in crate::journal) fn clip_row(row: &Row<'_>) -> rusqlite::Result<ClipRow> {
    Ok(ClipRow {
        n: row.get("n")?,
        id: id(row, "id")?,
        camera: name(row, "camera")?,
        height: row.get("height")?,
        state: word(row, "state", ClipState::parse)?,
        has_file: row.get("file")?,
        asked: Wall(row.get("asked_ms")?),
        started_us: row.get("started_us")?,
        ended_us: row.get("ended_us")?,
        bytes: unsigned(row, "bytes")?,
        sha256: row.get("sha256")?,
        duration: match row.get::<_, Option<i64>>("duration_ms")? {
            Some(_) => Some(duration(row, "duration_ms")?),
            None => None,
        },
        why: row.get("why")?,
        over: row.get::<_, Option<i64>>("over_ms")?.map(Wall),
        alerts: Vec::new(),
    })
}

fn with_alerts(connection: &Connection, mut clip: ClipRow) -> Result<ClipRow, Error> {
    let mut statement = connection.prepare_cached(ALERTS_OF)?;
    clip.alerts = statement.query_map([clip.n], |row| id(row, "id"))?.collect::<Result<_, _>>()?;
    Ok(clip)
}

/// A range of the primary key, of `clip_camera` or of `clip_state`.
pub(in crate::journal) fn clips_sql(filter: &ClipFilter) -> (String, Values) {
    let mut values: Values = vec![Box::new(filter.before.unwrap_or(i64::MAX)), Box::new(filter.limit)];
    let mut sql = "SELECT * FROM clip WHERE n < ?1".to_owned();
    if let Some(camera) = &filter.camera {
        values.push(Box::new(camera.to_string()));
        sql += &format!(" AND camera = ?{}", values.len());
    }
    if let Some(state) = filter.state {
        values.push(Box::new(state.as_str()));
        sql += &format!(" AND state = ?{}", values.len());
    }
    sql += " ORDER BY n DESC LIMIT ?2";
    (sql, values)
}

/// What signs links. None: no daemon of this release was started with this journal yet.
pub(in crate::journal) fn link_key(connection: &Connection) -> rusqlite::Result<Option<[u8; KEY_BYTES]>> {
    connection.query_row("SELECT key FROM link_key", [], |row| row.get(0)).optional()
}

impl Reader {
    /// Clips, the newest first.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn clips(&self, filter: &ClipFilter) -> Result<Vec<ClipRow>, Error> {
        let Some(snapshot) = self.with_clips()? else { return Ok(Vec::new()) };
        let (sql, values) = clips_sql(filter);
        let values: Vec<&dyn ToSql> = values.iter().map(|value| &**value as &dyn ToSql).collect();
        let mut statement = snapshot.prepare_cached(&sql)?;
        let rows: Vec<ClipRow> = statement.query_map(&*values, clip_row)?.collect::<Result<_, _>>()?;
        rows.into_iter().map(|row| with_alerts(&snapshot, row)).collect()
    }

    /// One clip.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn clip(&self, clip: Uuid) -> Result<Option<ClipRow>, Error> {
        let Some(snapshot) = self.with_clips()? else { return Ok(None) };
        find(&snapshot, clip)
    }

    /// The clip that shows an alert; where others go on from it, the one that the alert names.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn clip_of(&self, event: Uuid) -> Result<Option<ClipRow>, Error> {
        let Some(snapshot) = self.with_clips()? else { return Ok(None) };
        let mut statement = snapshot.prepare_cached(
            "SELECT * FROM clip WHERE n = (SELECT min(clip) FROM clip_event
                                           WHERE event = (SELECT seq FROM event WHERE id = ?1))",
        )?;
        let row = statement.query_row([event.as_bytes()], clip_row).optional()?;
        row.map(|row| with_alerts(&snapshot, row)).transpose()
    }

    /// Where a clip's file is, if it has one.
    pub fn clip_file(&self, clip: &ClipRow) -> Option<PathBuf> {
        clip.has_file.then(|| clip_path(&self.dir, clip.id))
    }

    /// What signs links to clips. None: no daemon of this release has been started with this journal yet.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn link_key(&self) -> Result<Option<Key>, Error> {
        let Some(snapshot) = self.with_clips()? else { return Ok(None) };
        Ok(link_key(&snapshot)?.map(Key::new))
    }

    /// A state of the journal; None: it is one of an older release, which knew no clips. Whoever only reads such a journal
    /// doesn't bring it up to date.
    fn with_clips(&self) -> Result<Option<Transaction<'_>>, Error> {
        let snapshot = self.snapshot()?;
        let has_clips = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'clip')";
        let has_clips = snapshot.prepare_cached(has_clips)?.query_row([], |row| row.get(0))?;
        Ok(Some(snapshot).filter(|_| has_clips))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A journal of that version of the schema, as a release left it.
    fn left_by(version: u32) -> (tempfile::TempDir, Reader) {
        let dir = tempfile::tempdir().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/journals/v{version}.sqlite"));
        std::fs::copy(fixture, dir.path().join("journal.db")).unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        (dir, reader)
    }

    #[test]
    fn a_journal_of_a_release_without_clips_is_read_as_one_without_clips() {
        let all = ClipFilter { limit: 1000, ..ClipFilter::default() };
        for version in [7, 8] {
            let (_dir, reader) = left_by(version);
            assert_eq!(reader.clips(&all).unwrap(), []);
            assert_eq!(reader.clip(Uuid::nil()).unwrap(), None);
            assert_eq!(reader.clip_of(Uuid::nil()).unwrap(), None);
            assert!(reader.link_key().unwrap().is_none());
        }
        assert!(left_by(9).1.clips(&all).is_ok(), "the control: one that may have some");
    }
}
