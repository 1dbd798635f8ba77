//! Connections to the SQLite file: settings, schema, migrations.
//!
//! Owns the PRAGMAs (but for those of size, see `room`) and the schema's version; refuses to know rows. Runs on the thread that opens.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use uuid::Uuid;

use super::error::OpenError;

/// The database, in the state directory.
pub(super) const FILE: &str = "journal.db";

/// The schema that this release writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// What brings the schema from each version to the next, from nothing on.
const STEPS: [&str; 2] = [include_str!("schema.sql"), include_str!("schema-figures.sql")];

/// Before it, SQLite could corrupt a database when a checkpoint reset the WAL.
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a connection waits for another one's lock. Only checkpoints and VACUUM of a second tool can make it wait.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the database for writing, or makes it, and brings its schema to [`VERSION`].
pub(super) fn open_for_writing(dir: &Path) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite { found: rusqlite::version() });
    }
    let database = |source| OpenError::database(dir, source);
    let mut connection = Connection::open(dir.join(FILE)).map_err(database)?;
    refuse_newer(&connection, dir)?;
    configure(&connection).map_err(database)?;
    migrate(&mut connection).map_err(database)?;
    Ok(connection)
}

/// Opens an existing database for reading.
pub(super) fn open_for_reading(dir: &Path) -> Result<Connection, OpenError> {
    let file = dir.join(FILE);
    if !file.exists() {
        return Err(OpenError::Missing { dir: dir.to_owned() });
    }
    let database = |source| OpenError::database(dir, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(database)?;
    connection.busy_timeout(BUSY).map_err(database)?;
    connection.pragma_update(None, "mmap_size", 0).map_err(database)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(database)?;
    match refuse_newer(&connection, dir)? {
        0 => Err(OpenError::Missing { dir: dir.to_owned() }),
        _ => Ok(connection),
    }
}

fn refuse_newer(connection: &Connection, dir: &Path) -> Result<i64, OpenError> {
    let found = user_version(connection).map_err(|source| OpenError::database(dir, source))?;
    if found > VERSION {
        return Err(OpenError::Newer { dir: dir.to_owned(), found, known: VERSION });
    }
    Ok(found)
}

fn user_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Durable, small log, quick recovery: `synchronous=FULL` is the promise (an acknowledged commit survives a power cut),
/// the rest keeps the log short and flash wear low. The first two count only before the first table.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "page_size", 2048)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 256, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", 1_048_576, |_| Ok(()))?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Brings an older schema up, step by step, each step whole or not at all.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let found = usize::try_from(user_version(connection)?).unwrap_or(0);
    for (version, step) in (1_i64..).zip(STEPS).skip(found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        transaction.execute_batch(step)?;
        if version == 1 {
            transaction.execute(
                "INSERT INTO meta (one, epoch, generation, clean, unclean_generation) VALUES (1, ?1, 0, 1, 0)",
                [Uuid::new_v4().into_bytes()],
            )?;
        }
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_that_durability_rests_on_are_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
        assert_eq!(number("synchronous"), 2, "FULL");
        assert_eq!(number("wal_autocheckpoint"), 256);
        assert_eq!(number("page_size"), 2048);
        assert_eq!(number("auto_vacuum"), 2, "incremental");
        assert_eq!(number("foreign_keys"), 1);
        assert_eq!(number("user_version"), VERSION);
    }

    #[test]
    fn a_newer_schema_is_refused_whoever_opens() {
        let dir = tempfile::tempdir().unwrap();
        open_for_writing(dir.path()).unwrap().pragma_update(None, "user_version", VERSION + 1).unwrap();
        let expected = format!(
            "the journal in `{}` has schema version {}, this release knows version {VERSION} at most; install the release \
             that wrote it, or a newer one",
            dir.path().display(),
            VERSION + 1,
        );
        assert_eq!(open_for_writing(dir.path()).unwrap_err().to_string(), expected);
        assert_eq!(open_for_reading(dir.path()).unwrap_err().to_string(), expected);
    }

    #[test]
    fn nothing_to_read_is_said_clearly() {
        let dir = tempfile::tempdir().unwrap();
        let error = open_for_reading(dir.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "there is no journal in `{}`; start the daemon once (`stakeout run`), or check `[storage] path`",
                dir.path().display()
            )
        );
        assert!(!dir.path().join(FILE).exists(), "reading must not make one");
    }
}
