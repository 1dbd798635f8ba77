//! Whether the journal can be trusted.
//!
//! Owns what is looked at before anything is written, and for how long; refuses to mend (`salvage` does). Runs on the
//! thread that opens.
//!
//! A clean end leaves nothing to doubt. After any other, SQLite's own check looks at as many pages as it can in the time,
//! and what the file alone says is compared with what it says with its log: a log of another journal must not be folded in.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use uuid::Uuid;

use super::columns::id;
use super::database::open_as_it_is;
use super::error::OpenError;
use super::reader::{job_row, machine_row};
use super::suspicion;
use crate::time;

/// After an unclean end, cameras wait for this check: what a million rows take longer for is not looked at.
const QUICK: Duration = Duration::from_secs(1);

/// After a process ended because it had read what makes no sense.
const THOROUGH: Duration = Duration::from_secs(20);

/// The check looks at the clock every so many instructions.
const OFTEN: i32 = 10_000;

/// Fails if the journal behind `connection` is damaged, as far as can be told in time. `log_found`: there was a log when it
/// was opened.
pub(super) fn check(connection: &mut Connection, dir: &Path, log_found: bool) -> Result<(), OpenError> {
    let database = |source| OpenError::database(dir, source);
    let (identity, clean) = (identity(connection).map_err(database)?, clean(connection).map_err(database)?);
    if log_found && !is_own_log(dir, identity) {
        return Err(OpenError::damaged(dir, FOREIGN_LOG));
    }
    few_rows_read(connection).map_err(database)?;
    let suspicions = suspicion::times(dir);
    if suspicions > 1 {
        return Err(OpenError::damaged(dir, "two processes in a row read what makes no sense"));
    }
    if clean && !log_found && suspicions == 0 {
        return Ok(());
    }
    let (pragma, limit) = if suspicions == 0 { ("quick_check", QUICK) } else { ("integrity_check", THOROUGH) };
    match run(connection, pragma, limit).map_err(database)?.as_deref() {
        None | Some("ok") => Ok(()),
        Some(wrong) => Err(OpenError::damaged(dir, wrong)),
    }
}

/// What is wrong with a journal whose log is not its own.
pub(super) const FOREIGN_LOG: &str = "its log belongs to another journal";

/// Whether the file alone is the same journal. A file that cannot be read alone tells nothing.
fn is_own_log(dir: &Path, with_log: (Uuid, i64)) -> bool {
    match open_as_it_is(dir, false).and_then(|alone| identity(&alone)) {
        Ok(alone) => alone == with_log,
        Err(_) => true,
    }
}

/// Whether the file without its log is sound: if it is not with it, then the log does not belong to it. (The file's own
/// log has checksums: what is damaged in that is ignored, not misread.)
pub(super) fn is_sound_alone(dir: &Path) -> bool {
    let said = open_as_it_is(dir, false).and_then(|mut alone| run(&mut alone, "quick_check", THOROUGH));
    said.is_ok_and(|said| said.as_deref() == Some("ok"))
}

/// The epoch, from two places: a log may hold either page, or none.
fn identity(connection: &Connection) -> rusqlite::Result<(Uuid, i64)> {
    let epoch = connection.query_row("SELECT epoch FROM meta", [], |row| id(row, "epoch"))?;
    Ok((epoch, connection.pragma_query_value(None, "application_id", |row| row.get(0))?))
}

/// Whether the last end was a clean one.
fn clean(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT clean FROM meta", [], |row| row.get(0))
}

/// Without these the daemon could not start.
fn few_rows_read(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare("SELECT * FROM machine")?.query_map([], machine_row)?.try_for_each(|row| row.map(drop))?;
    let mut jobs = connection.prepare("SELECT * FROM job WHERE status IN ('pending', 'running')")?;
    jobs.query_map([], job_row)?.try_for_each(|row| row.map(drop))
}

/// The first line of what SQLite's check says; None: it took too long.
fn run(connection: &mut Connection, pragma: &str, limit: Duration) -> rusqlite::Result<Option<String>> {
    let until = time::now().mono.plus(limit);
    connection.progress_handler(OFTEN, Some(move || time::now().mono >= until))?;
    let said = connection.query_row(&format!("PRAGMA {pragma}(1)"), [], |row| row.get(0));
    connection.progress_handler(OFTEN, None::<fn() -> bool>)?;
    match said {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
        said => said.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::database::open_for_writing;

    #[test]
    fn a_check_that_takes_too_long_is_broken_off_and_finds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = open_for_writing(dir.path()).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE filled (what BLOB);
                 WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                 INSERT INTO filled SELECT zeroblob(100) FROM n",
            )
            .unwrap();
        assert_eq!(run(&mut connection, "integrity_check", Duration::ZERO).unwrap(), None);
        assert_eq!(run(&mut connection, "integrity_check", THOROUGH).unwrap().as_deref(), Some("ok"));
        connection.execute_batch("SELECT * FROM filled").expect("the limit holds for the check only");
    }

    #[test]
    fn a_log_of_another_journal_is_told_from_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        let (epoch, mark) = identity(&connection).unwrap();
        assert!(is_own_log(dir.path(), (epoch, mark)));
        assert!(!is_own_log(dir.path(), (Uuid::from_u128(1), mark)));
        assert!(!is_own_log(dir.path(), (epoch, !mark)));
    }
}
