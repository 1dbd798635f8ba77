//! What can go wrong with the journal.
//!
//! Owns the messages, and which errors no process may survive; refuses to know what the caller does about the others.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi;
use uuid::Uuid;

/// Why the journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another daemon holds the lock.
    #[error(
        "the journal in `{}` is in use: another stakeout daemon runs; stop it (`systemctl stop stakeout`) or give this \
         one a `[storage] path` of its own", dir.display()
    )]
    InUse {
        /// The state directory.
        dir: PathBuf,
    },
    /// Opened for reading, and there is none yet.
    #[error("there is no journal in `{}`; start the daemon once (`stakeout run`), or check `[storage] path`", dir.display())]
    Missing {
        /// The state directory.
        dir: PathBuf,
    },
    /// Written by a newer release.
    #[error(
        "the journal in `{}` has schema version {found}, this release knows version {known} at most; install the release \
         that wrote it, or a newer one", dir.display()
    )]
    Newer {
        /// The state directory.
        dir: PathBuf,
        /// The version in the file.
        found: i64,
        /// The version of this release.
        known: i64,
    },
    /// The SQLite in use has a WAL-reset bug that corrupts journals.
    #[error("SQLite {found} can corrupt the journal; build with 3.51.3 or newer (the `bundled` feature of rusqlite)")]
    OldSqlite {
        /// The version that was found.
        found: &'static str,
    },
    /// The directory or a file in it.
    #[error("`{}`: {source}; check that the directory exists on a writable disk and belongs to the daemon's user", path.display())]
    Io {
        /// What could not be created, locked, listed or removed.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file system keeps no write-ahead log, or flushing was switched off.
    #[error(
        "the journal in `{}` cannot be made durable (SQLite says {found}); put `[storage] path` on a local disk", dir.display()
    )]
    NotDurable {
        /// The state directory.
        dir: PathBuf,
        /// The mode that SQLite is in.
        found: String,
    },
    /// What is there is no sound database. The daemon heals it when it starts: only who reads beside it sees this.
    #[error("the journal in `{}` is damaged: {why}; start the daemon, which saves what can be read", dir.display())]
    Damaged {
        /// The state directory.
        dir: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The disk has no room even for opening it, and nothing is left that could be given up for it.
    #[error("the journal in `{}` could not be opened: {source}; free some space on its disk", dir.display())]
    Full {
        /// The state directory.
        dir: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// This user may not open it: even reading needs to write there (SQLite's shared memory).
    #[error("the journal in `{}` could not be opened: {source}; do this as the daemon's user, or with `sudo`", dir.display())]
    Denied {
        /// The state directory.
        dir: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The database itself.
    #[error("the journal in `{}` could not be opened: {source}; see `journalctl -u stakeout`", dir.display())]
    Database {
        /// The state directory.
        dir: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl OpenError {
    /// What SQLite says of the journal in `dir`.
    pub(super) fn database(dir: &Path, source: rusqlite::Error) -> OpenError {
        use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly};
        if is_damage(&source) {
            return OpenError::damaged(dir, &source.to_string());
        }
        let dir = dir.to_owned();
        match source.sqlite_error_code() {
            Some(CannotOpen | PermissionDenied | ReadOnly) => OpenError::Denied { dir, source },
            Some(DiskFull) => OpenError::Full { dir, source },
            _ if extended(&source) == Some(ffi::SQLITE_IOERR_SHMSIZE) => OpenError::Full { dir, source },
            _ => OpenError::Database { dir, source },
        }
    }

    /// What SQLite says of a change of the schema: that it does not understand a statement is not the file's fault.
    pub(super) fn upgrade(dir: &Path, source: rusqlite::Error) -> OpenError {
        match extended(&source) {
            Some(ffi::SQLITE_ERROR) | None => OpenError::Database { dir: dir.to_owned(), source },
            Some(_) => OpenError::database(dir, source),
        }
    }

    /// What is wrong with the journal in `dir`.
    pub(super) fn damaged(dir: &Path, why: &str) -> OpenError {
        OpenError::Damaged { dir: dir.to_owned(), why: why.to_owned() }
    }
}

/// Whether this means that the file does not hold what a journal holds: its pages, its schema or its rows. A disk that
/// does not give a page back counts: it will not later either.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows, SqlInputError,
    };
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, Unknown};
    match error {
        QueryReturnedNoRows | FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) => {
            true
        }
        SqlInputError { .. } => true,
        _ => match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => true,
            // A statement of ours that the schema in the file does not understand.
            Some(Unknown) => extended(error) == Some(ffi::SQLITE_ERROR),
            _ => matches!(
                extended(error),
                Some(
                    ffi::SQLITE_IOERR_READ
                        | ffi::SQLITE_IOERR_SHORT_READ
                        | ffi::SQLITE_IOERR_DATA
                        | ffi::SQLITE_IOERR_CORRUPTFS
                )
            ),
        },
    }
}

fn extended(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

/// Why something was not written, or could not be read. What was not written left no trace.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The disk, the quota or `[storage] max_size` is full.
    #[error("the journal is full: {0}; free some space on its disk, or raise `[storage] max_size`")]
    Full(String),
    /// There is no room to spare for what nobody waits for. What is told and owed is still recorded.
    #[error("the journal is nearly full: {0}; let its deliveries go out, or raise `[storage] max_size`")]
    Tight(&'static str),
    /// No such delivery.
    #[error("there is no delivery `{0}`; list them with `stakeout deliveries`")]
    NoSuchDelivery(Uuid),
    /// A row says what this release cannot understand.
    #[error("the journal holds a row that cannot be read: {0}; please report this")]
    Damaged(String),
    /// The file holds pages that make no sense. The writer ends the process on it: the next start saves what can be read.
    #[error("the journal is damaged: {0}; the daemon heals it when it starts")]
    Corrupt(String),
    /// The disk failed to read, write or flush. What it holds is unknown, so the writer ends the process on it (systemd
    /// starts it again, SQLite recovers); only readers see this.
    #[error("the journal's disk failed: {0}; check it (`journalctl -k`)")]
    Storage(String),
    /// Anything else that SQLite says.
    #[error("the journal: {0}; see `journalctl -u stakeout`")]
    Database(String),
    /// The writer has ended.
    #[error("the journal is closed; the daemon is stopping")]
    Closed,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode;
        match (&error, error.sqlite_error_code()) {
            (rusqlite::Error::FromSqlConversionFailure(..), _) => Error::Damaged(error.to_string()),
            (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => Error::Corrupt(error.to_string()),
            (_, Some(ErrorCode::DiskFull)) => Error::Full(error.to_string()),
            (_, Some(ErrorCode::SystemIoFailure)) => Error::Storage(error.to_string()),
            _ => Error::Database(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_code(code: i32) -> Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    #[test]
    fn a_failed_flush_is_told_from_a_full_disk_and_from_a_bad_change() {
        assert!(matches!(from_code(ffi::SQLITE_IOERR_FSYNC), Error::Storage(_)));
        assert!(matches!(from_code(ffi::SQLITE_IOERR_WRITE), Error::Storage(_)));
        assert!(matches!(from_code(ffi::SQLITE_FULL), Error::Full(_)));
        assert!(matches!(from_code(ffi::SQLITE_CONSTRAINT_UNIQUE), Error::Database(_)));
        assert!(matches!(from_code(ffi::SQLITE_CORRUPT_INDEX), Error::Corrupt(_)));
    }

    #[test]
    fn what_cannot_be_read_at_start_is_damage_and_what_cannot_be_written_is_not() {
        let opened =
            |code| OpenError::database(Path::new("j"), rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_IOERR_READ, ffi::SQLITE_ERROR] {
            assert!(matches!(opened(code), OpenError::Damaged { .. }), "{code}");
        }
        assert!(matches!(opened(ffi::SQLITE_FULL), OpenError::Full { .. }));
        assert!(matches!(opened(ffi::SQLITE_IOERR_SHMSIZE), OpenError::Full { .. }));
        assert!(matches!(opened(ffi::SQLITE_CANTOPEN), OpenError::Denied { .. }));
        assert!(matches!(opened(ffi::SQLITE_IOERR_FSYNC), OpenError::Database { .. }));
    }
}
