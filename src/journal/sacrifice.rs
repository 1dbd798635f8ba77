//! What is given up so that a journal opens on a full disk.
//!
//! Owns the order: the ballast, damaged journals that were kept, clips, the oldest frames. Events go before pictures: one whose
//! frame is missing is sent without it. Of frames, those that a receiver may have seen go last. Refuses to touch rows. Runs on the thread that opens.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::ballast;
use super::clips;
use super::database::open_as_it_is;
use super::error::OpenError;
use super::frames::FOLDER;
use super::quarantine;

/// Frames that go at once: a few megabytes.
const FRAMES: usize = 50;

/// Opens with less and less beside it, until it succeeds, or nothing is left to give up.
pub(super) fn until_there_is_room<T>(dir: &Path, open: impl Fn() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let steps: [&dyn Fn(&Path) -> bool; 4] =
        [&ballast::release, &|dir| quarantine::forget(dir, 0), &clips::forget, &forget_frames];
    let mut result = open();
    for step in steps {
        if matches!(result, Err(OpenError::Full { .. })) && step(dir) {
            tracing::warn!("the disk is full: something was given up so that the journal can be opened");
            result = open();
        }
    }
    result
}

/// Their names begin with a UUIDv7: the oldest come first. Those that were posted already come last, because the same id
/// would come with other bytes then; as far as the rows can be read on a full disk.
fn forget_frames(dir: &Path) -> bool {
    let posted = posted(dir);
    let files = fs::read_dir(dir.join(FOLDER)).into_iter().flatten().flatten();
    let mut files: Vec<_> = files.map(|file| (posted.contains(&file.file_name()), file.path())).collect();
    files.sort();
    files.iter().take(FRAMES).filter(|(_, file)| fs::remove_file(file).is_ok()).count() > 0
}

/// Files of what is owed and was posted.
fn posted(dir: &Path) -> HashSet<OsString> {
    let read = |with_log| -> rusqlite::Result<HashSet<OsString>> {
        let connection = open_as_it_is(dir, with_log)?;
        let mut frames = connection.prepare(
            "SELECT frame FROM delivery
             WHERE frame IS NOT NULL AND ended_ms IS NULL AND (tries > 0 OR maybe_received)",
        )?;
        frames.query_map([], |row| row.get::<_, String>(0).map(OsString::from))?.collect()
    };
    read(true).or_else(|_| read(false)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::database::open_for_writing;

    #[test]
    fn frames_that_were_posted_are_given_up_last() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        fs::create_dir(dir.path().join(FOLDER)).unwrap();
        for n in 0..=FRAMES {
            let name = format!("{n:04}.jpg");
            fs::write(dir.path().join(FOLDER).join(&name), "x").unwrap();
            let sql =
                "INSERT INTO delivery (id, event_seq, endpoint, sequence, priority, state, due_ms, delay_ms, tries,
                                             generation, accepted_ms, accepted_ns, format_version, frame)
                       VALUES (CAST(?1 AS BLOB), ?1, 'a', ?1, 2, 'retry_wait', 0, 0, ?1 = 0, 1, 0, 0, 1, ?2)";
            connection.execute(sql, (n as i64, &name)).unwrap();
        }
        assert!(forget_frames(dir.path()));
        let left: Vec<_> =
            fs::read_dir(dir.path().join(FOLDER)).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, ["0000.jpg"], "the oldest, but it was posted");
        assert!(forget_frames(dir.path()), "the last resort");
    }
}
