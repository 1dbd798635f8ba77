//! Clips at a start: rows and files agree again, and there is a key for links.
//!
//! Owns what a kill or a power cut may have left apart; refuses to open files (what was being recorded is mended later:
//! `folder::mend`). Runs on the thread that opens.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use rusqlite::Connection;
use uuid::Uuid;

use super::folder::{clip_path, contents};
use super::rows::{CLIP_IS_NAMED, link_key};
use crate::journal::columns::id;
use crate::journal::error::OpenError;
use crate::journal::open::io_at;
use crate::recording::link::KEY_BYTES;

/// The system's random source.
const RANDOM: &str = "/dev/urandom";

/// Files that no row names go, and rows that name files which are no longer there say so. Answers how many files went.
pub(in crate::journal) fn reconcile(connection: &Connection, dir: &Path) -> Result<u64, OpenError> {
    let database = |source| OpenError::database(dir, source);
    make_key(connection, dir)?;
    let (there, strangers) = contents(dir).map_err(io_at(&dir.join(super::FOLDER)))?;
    let mut orphans = strangers;
    let mut is_named = connection.prepare(CLIP_IS_NAMED).map_err(database)?;
    for clip in &there {
        if !is_named.query_row([clip.as_bytes()], |row| row.get(0)).map_err(database)? {
            orphans.push(clip_path(dir, *clip));
        }
    }
    let there: HashSet<Uuid> = there.into_iter().collect();
    let mut naming = connection.prepare("SELECT id FROM clip WHERE file = 1 AND state = 'ready'").map_err(database)?;
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
    Ok(orphans.iter().filter(|file| is_removed(file)).count() as u64)
}

fn is_removed(file: &Path) -> bool {
    let removed = fs::remove_file(file);
    if let Err(error) = &removed {
        tracing::warn!(file = %file.display(), %error, "what is no clip could not be removed");
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
