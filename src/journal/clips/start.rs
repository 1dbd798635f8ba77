//! Clips at a start: rows and files agree again, and there is a key for links.
//!
//! Owns what a kill or a power cut may have left apart; refuses to open files (what was being recorded is mended later:
//! `folder::mend`). Runs on the thread that opens.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::folder::{clip_path, contents};
use super::rows::{CLIP_IS_NAMED, link_key};
use crate::journal::columns::{id, to_integer};
use crate::journal::error::OpenError;
use crate::journal::open::io_at;
use crate::recording::link::KEY_BYTES;

/// The system's random source.
const RANDOM: &str = "/dev/urandom";

/// The camera of a clip of which only the file is left.
const NOBODY_KNOWS: &str = "unknown";

/// Files go whose rows say that they are gone, and rows that name files which are no longer there say so. A file without any
/// row is what damage to the journal left of a clip: it gets a row, as if it were being recorded. Answers how many files went.
pub(in crate::journal) fn reconcile(connection: &Connection, dir: &Path) -> Result<u64, OpenError> {
    let database = |source| OpenError::database(dir, source);
    make_key(connection, dir)?;
    let (there, strangers) = contents(dir).map_err(io_at(&dir.join(super::FOLDER)))?;
    for file in strangers {
        tracing::warn!(file = %file.display(), "what is no clip stays where clips are; nobody counts what it takes");
    }
    let (mut gone, mut lost) = (Vec::new(), Vec::new());
    let mut is_named = connection.prepare(CLIP_IS_NAMED).map_err(database)?;
    for clip in &there {
        match is_named.query_row([clip.as_bytes()], |row| row.get(0)).optional().map_err(database)? {
            Some(true) => {}
            Some(false) => gone.push(clip_path(dir, *clip)),
            None => lost.push(*clip),
        }
    }
    adopt(connection, dir, &lost).map_err(database)?;
    let there: HashSet<Uuid> = there.into_iter().collect();
    let mut naming =
        connection.prepare("SELECT id FROM clip WHERE file = 1 AND state <> 'recording'").map_err(database)?;
    let naming = naming.query_map([], |row| id(row, "id")).map_err(database)?;
    for clip in naming.collect::<Result<Vec<_>, _>>().map_err(database)? {
        if !there.contains(&clip) {
            connection
                .execute(
                    "UPDATE clip SET state = 'gone', file = 0, bytes = 0, why = 'its file is missing' WHERE id = ?1",
                    [clip.as_bytes()],
                )
                .map_err(database)?;
        }
    }
    Ok(gone.iter().filter(|file| is_removed(file)).count() as u64)
}

/// Makes rows of files that have none, with the alerts that name them, if there still are any.
fn adopt(connection: &Connection, dir: &Path, lost: &[Uuid]) -> rusqlite::Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    let transaction = connection.unchecked_transaction()?;
    let mut alerts = transaction.prepare(
        "SELECT seq, camera, json_extract(data, '$.Triggered.clip.id') AS clip FROM event
         WHERE type = 'monitor.triggered' AND json_valid(data) AND clip IS NOT NULL ORDER BY seq",
    )?;
    let found = alerts.query_map([], |row| Ok((row.get("clip")?, (row.get("seq")?, row.get("camera")?))))?;
    let mut shown: HashMap<String, Vec<(i64, String)>> = HashMap::new();
    for alert in found {
        let (clip, alert) = alert?;
        shown.entry(clip).or_default().push(alert);
    }
    drop(alerts);
    for clip in lost {
        let alerts = shown.remove(&clip.to_string()).unwrap_or_default();
        let camera = alerts.first().map_or(NOBODY_KNOWS, |(_, camera)| camera);
        let asked_ms = clip.get_timestamp().map_or(0, |at| {
            let (seconds, nanos) = at.to_unix();
            to_integer(seconds.saturating_mul(1000)).saturating_add(i64::from(nanos / 1_000_000))
        });
        let bytes = fs::metadata(clip_path(dir, *clip)).map_or(0, |file| file.len());
        transaction.execute(
            "INSERT INTO clip (id, camera, state, asked_ms, bytes) VALUES (?1, ?2, 'recording', ?3, ?4)",
            (clip.as_bytes(), camera, asked_ms, to_integer(bytes)),
        )?;
        let n = transaction.last_insert_rowid();
        for (event, _) in &alerts {
            // Whom it was to be told is lost; what was told already is not told again.
            transaction.execute("INSERT INTO clip_event (clip, event, told) VALUES (?1, ?2, '[]')", (n, event))?;
        }
    }
    transaction.commit()?;
    tracing::warn!(clips = lost.len(), "clips that the journal had lost were taken up again");
    Ok(())
}

fn is_removed(file: &Path) -> bool {
    let removed = fs::remove_file(file);
    if let Err(error) = &removed {
        tracing::warn!(file = %file.display(), %error, "a clip's file could not be removed");
    }
    removed.is_ok()
}

fn make_key(connection: &Connection, dir: &Path) -> Result<(), OpenError> {
    let database = |source| OpenError::database(dir, source);
    if link_key(connection).map_err(database)?.is_some() {
        return Ok(());
    }
    let mut random = [0; KEY_BYTES];
    File::open(RANDOM).and_then(|mut source| source.read_exact(&mut random)).map_err(io_at(Path::new(RANDOM)))?;
    connection.execute("INSERT INTO link_key VALUES (1, ?1)", [random]).map(drop).map_err(database)
}
