//! Connections to the SQLite file: settings, schema, migrations.
//!
//! Owns the PRAGMAs (but for those of size, see `room`) and the schema's version; refuses to know rows. Runs on the thread that opens.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use uuid::Uuid;

use super::error::OpenError;
use super::version;

/// The database, in the state directory.
pub(super) const FILE: &str = "journal.db";

/// The schema that this release writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// What brings the schema from each version to the next, from nothing on.
const STEPS: [&str; 9] = [
    include_str!("schema.sql"),
    include_str!("schema-figures.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
    include_str!("schema-6.sql"),
    include_str!("schema-7.sql"),
    include_str!("schema-8.sql"),
    include_str!("schema-9.sql"),
];

/// A version that is higher than this by more is no version: the file is damaged.
const PLAUSIBLE: i64 = 1000;

/// Before it, SQLite could corrupt a database when a checkpoint reset the WAL.
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a connection waits for another one's lock. Only checkpoints and VACUUM of a second tool can make it wait.
const BUSY: Duration = Duration::from_secs(5);

/// Bytes: small events wear flash less with small pages.
const PAGE_SIZE: i64 = 2048;

/// `synchronous=FULL`, as SQLite tells it.
const FULL: i64 = 2;

/// Opens the database for writing, or makes it, and brings its schema to [`VERSION`].
///
/// It is made under another name first: a `journal.db` is whole, or it was damaged.
pub(super) fn open_for_writing(dir: &Path) -> Result<Connection, OpenError> {
    let mut connection = connect(dir)?;
    upgrade(&mut connection, dir)?;
    Ok(connection)
}

/// Opens the database for writing, or makes it, and changes nothing that is there yet.
pub(super) fn connect(dir: &Path) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite { found: rusqlite::version() });
    }
    let file = dir.join(FILE);
    // SQLite deletes a log whose database is gone or empty, and with it what was committed last.
    match fs::metadata(&file).map(|file| file.len()) {
        Ok(0) => return Err(OpenError::damaged(dir, "it is empty")),
        Ok(_) => {}
        Err(_) if log_size(dir) > 0 => return Err(OpenError::damaged(dir, "its log is there, but not itself")),
        Err(_) => make(dir, &file)?,
    }
    let database = |source| OpenError::database(dir, source);
    let mut connection = Connection::open_with_flags(&file, FOR_WRITING).map_err(database)?;
    // Until somebody has looked at it, closing must not fold a log in.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(database)?;
    if refuse_newer(&connection, dir)? == 0 {
        return Err(OpenError::damaged(dir, "it has no schema"));
    }
    configure(&mut connection).map_err(database)?;
    insist_on_durability(&connection, dir)?;
    Ok(connection)
}

/// Trusts the database from here on, and brings its schema to [`VERSION`].
pub(super) fn upgrade(connection: &mut Connection, dir: &Path) -> Result<(), OpenError> {
    let trusted = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
    // A step that does not work is a mistake of this release, not damage.
    trusted.and_then(|_| migrate(connection)).map_err(|source| OpenError::upgrade(dir, source))
}

/// Bytes of the write-ahead log; 0 after a clean end.
pub(super) fn log_size(dir: &Path) -> u64 {
    fs::metadata(dir.join(format!("{FILE}-wal"))).map_or(0, |log| log.len())
}

/// Opens what may be damaged, for reading, and leaves everything as it is; `with_log`: as the log has it, otherwise the
/// bare file.
pub(super) fn open_as_it_is(dir: &Path, with_log: bool) -> rusqlite::Result<Connection> {
    let file = dir.join(FILE).to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{file}?{}", if with_log { "mode=ro" } else { "immutable=1" });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Otherwise a file that is too short for what its header says cannot be read at all.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

const FOR_WRITING: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX).union(OpenFlags::SQLITE_OPEN_URI);

/// A fresh, empty journal, whole on stable storage before it gets its name.
fn make(dir: &Path, file: &Path) -> Result<(), OpenError> {
    let database = |source| OpenError::database(dir, source);
    let io = |source| OpenError::Io { path: dir.to_owned(), source };
    let unfinished = dir.join(format!("{FILE}.new"));
    drop(build(&unfinished).map_err(database)?);
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(&unfinished, file).map_err(io)?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)
}

/// A journal that is filled before it counts: quick, and without a log, because what is lost on the way is made again.
/// Whatever is there goes. The caller flushes the file once it is closed.
pub(super) fn build(file: &Path) -> rusqlite::Result<Connection> {
    for leftover in ["", "-journal", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(leftover);
        let _ = fs::remove_file(name);
    }
    let mut connection = Connection::open(file)?;
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens an existing database for reading.
pub(super) fn open_for_reading(dir: &Path) -> Result<Connection, OpenError> {
    let file = dir.join(FILE);
    if !file.exists() {
        return Err(OpenError::Missing { dir: dir.to_owned() });
    }
    leave_newer_alone(dir)?;
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

/// Refuses a journal of a newer release before anything touches it: SQLite would make a log and its index beside it.
pub(super) fn leave_newer_alone(dir: &Path) -> Result<(), OpenError> {
    match version::of(dir) {
        Some(found) if (VERSION + 1..=VERSION + PLAUSIBLE).contains(&found) => {
            Err(OpenError::Newer { dir: dir.to_owned(), found, known: VERSION })
        }
        _ => Ok(()),
    }
}

/// The same of a journal that nobody writes: see [`open_as_it_is`].
pub(super) fn open_untouched(dir: &Path) -> Result<Connection, OpenError> {
    if !dir.join(FILE).exists() {
        return Err(OpenError::Missing { dir: dir.to_owned() });
    }
    leave_newer_alone(dir)?;
    let connection = open_as_it_is(dir, false).map_err(|source| OpenError::database(dir, source))?;
    match refuse_newer(&connection, dir)? {
        0 => Err(OpenError::Missing { dir: dir.to_owned() }),
        _ => Ok(connection),
    }
}

fn refuse_newer(connection: &Connection, dir: &Path) -> Result<i64, OpenError> {
    let found = user_version(connection).map_err(|source| OpenError::database(dir, source))?;
    if !(0..=VERSION + PLAUSIBLE).contains(&found) {
        return Err(OpenError::damaged(dir, &format!("its schema version is {found}")));
    }
    if found > VERSION {
        return Err(OpenError::Newer { dir: dir.to_owned(), found, known: VERSION });
    }
    Ok(found)
}

fn user_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Durable, small log, quick recovery: `synchronous=FULL` is the promise (an acknowledged commit survives a power cut),
/// the rest keeps the log short and flash wear low. How large pages are and that the file can shrink was settled when it was
/// made ([`build`]).
fn configure(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    fold_often(connection)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// When the log has so many pages it is folded into the database.
const LOG_PAGES: i32 = 256;

/// As `wal_autocheckpoint` would do it, but a disk that fails meanwhile is told of: SQLite's own hook keeps that to itself,
/// and then nobody knows what is on the disk. The commit that meets it is reported as failed although it is there, which
/// ends the process, as any failed flush does.
fn fold_often(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.wal_hook(Some(|log: &mut Wal, pages| {
        let folded = if pages < LOG_PAGES { Ok(()) } else { log.checkpoint() };
        match folded {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => Err(error),
            // A reader in the way, a disk that is full: later.
            _ => Ok(()),
        }
    }))
}

/// An acknowledgement means something only with a write-ahead log that is flushed at every commit.
fn insist_on_durability(connection: &Connection, dir: &Path) -> Result<(), OpenError> {
    let database = |source| OpenError::database(dir, source);
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(database)?;
    let level: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(database)?;
    match (mode.as_str(), level) {
        ("wal", FULL) => Ok(()),
        _ => Err(OpenError::NotDurable { dir: dir.to_owned(), found: format!("{mode}, synchronous {level}") }),
    }
}

/// Brings an older schema up, whole or not at all: a process that is killed meanwhile leaves the old one, which the release
/// that wrote it still reads.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let found = user_version(connection)?;
    if found >= VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    for (version, step) in (1_i64..).zip(STEPS).skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(step)?;
        if version == 1 {
            let epoch = Uuid::new_v4();
            transaction.execute(
                "INSERT INTO meta (one, epoch, generation, clean, unclean_generation) VALUES (1, ?1, 0, 1, 0)",
                [epoch.into_bytes()],
            )?;
            // On the first page, which nearly every log holds: so that a log can be told from that of another journal.
            transaction.pragma_update(None, "application_id", epoch.as_fields().0.cast_signed())?;
        }
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
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
        connection.execute_batch("CREATE TABLE filled (what BLOB)").unwrap();
        for _ in 0..1000 {
            connection.execute("INSERT INTO filled VALUES (zeroblob(500))", []).unwrap();
        }
        assert!(log_size(dir.path()) < 2 * 256 * (2048 + 24), "the log stays short: {}", log_size(dir.path()));
        assert_eq!(number("page_size"), 2048);
        assert_eq!(number("auto_vacuum"), 2, "incremental");
        assert_eq!(number("foreign_keys"), 1);
        assert_eq!(number("user_version"), VERSION);
        assert_eq!(number("cell_size_check"), 1);
        assert_eq!(number("trusted_schema"), 0);
        assert_eq!(number("mmap_size"), 0);
        assert_eq!(number("temp_store"), 2, "memory");
        assert_eq!(number("busy_timeout"), 5000);
    }

    #[test]
    fn a_journal_that_is_not_flushed_at_every_commit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_for_writing(dir.path()).unwrap();
        connection.pragma_update(None, "synchronous", "NORMAL").unwrap();
        let error = insist_on_durability(&connection, dir.path()).unwrap_err();
        assert!(matches!(&error, OpenError::NotDurable { found, .. } if found == "wal, synchronous 1"), "{error}");
    }

    #[test]
    fn an_empty_file_is_no_journal() {
        let dir = tempfile::tempdir().unwrap();
        File::create(dir.path().join(FILE)).unwrap();
        let error = open_for_writing(dir.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
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
    fn a_journal_is_brought_up_whole_or_not_at_all_wherever_the_process_is_killed() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/journals/v1.sqlite");
        let schema = |connection: &Connection| -> Vec<String> {
            let mut statement =
                connection.prepare("SELECT name || coalesce(sql, '') FROM sqlite_master ORDER BY 1").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let dir = tempfile::tempdir().unwrap();
        fs::copy(&fixture, dir.path().join(FILE)).unwrap();
        let mut connection = connect(dir.path()).unwrap();
        let old = schema(&connection);
        // Little room in memory: what is not committed yet is in the log, too.
        connection.pragma_update(None, "cache_size", 10).unwrap();
        migrate(&mut connection).unwrap();
        let new = schema(&connection);
        let log = fs::read(dir.path().join(format!("{FILE}-wal"))).unwrap();
        let page = usize::try_from(PAGE_SIZE).unwrap() + 24;
        assert!(log.len() > 20 * page, "{} bytes", log.len());
        assert!(
            fs::read(dir.path().join(FILE)).unwrap() == fs::read(&fixture).unwrap(),
            "all that is new is in the log"
        );
        // A log only grows while a transaction is written: a kill leaves as much of it as was written until then.
        for length in (32..=log.len()).step_by(page / 2) {
            let killed = tempfile::tempdir().unwrap();
            fs::copy(&fixture, killed.path().join(FILE)).unwrap();
            fs::write(killed.path().join(format!("{FILE}-wal")), &log[..length]).unwrap();
            let mut after = connect(killed.path()).unwrap();
            let (version, expected) = if length == log.len() { (VERSION, &new) } else { (1, &old) };
            assert_eq!(user_version(&after).unwrap(), version, "{length} of {} bytes", log.len());
            assert_eq!(&schema(&after), expected, "{length} of {} bytes", log.len());
            upgrade(&mut after, killed.path()).unwrap();
            assert_eq!(schema(&after), new);
        }
    }

    #[test]
    fn dead_letters_of_an_older_journal_are_found_by_their_monitor() {
        let mut connection = Connection::open_in_memory().unwrap();
        STEPS[..5].iter().for_each(|step| connection.execute_batch(step).unwrap());
        let rows = "
            INSERT INTO event (seq, id, type, device, camera, monitor, job, priority, observed_ms, boot, observed_ns, synced,
                recorded_ms, metadata, data, owed) VALUES (1, x'01', 't', 'd', 'c', 'gate', x'00', 2, 0, x'00', 0, 1, 0, '{}', '{}', 3);
            INSERT INTO delivery (n, id, event_seq, endpoint, sequence, priority, state, reason, due_ms, delay_ms, generation,
                accepted_ms, accepted_ns, format_version) VALUES
                (1, x'01', 1, 'a', 1, 2, 'dead', 'exhausted', 0, 0, 1, 0, 0, 1),
                (2, x'02', 1, 'a', 2, 2, 'delivered', NULL, 0, 0, 1, 0, 0, 1),
                (3, x'03', 1, 'a', 3, 2, 'dead', 'dropped_by_hand', 0, 0, 1, 0, 0, 1);
            PRAGMA user_version = 5";
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        let mut statement = connection.prepare("SELECT monitor, endpoint, n FROM dead_letter").unwrap();
        let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let found: Vec<(String, String, i64)> = found.map(Result::unwrap).collect();
        assert_eq!(found, [("gate".to_owned(), "a".to_owned(), 1)]);
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
