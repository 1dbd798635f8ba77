//! Why a download didn't become a model.

use std::io;
use std::path::{Path, PathBuf};

use super::file::RESERVE;
use crate::catalogue::{LockError, SourceError};
use crate::model::ManifestError;
use crate::name::Name;
use crate::transport::FetchError;

/// Why a download didn't become a model. What was right so far is kept for the next attempt.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// Neither in the catalogue nor a folder.
    #[error("the catalogue has no model `{name}`, and `{}` has no folder of that name; {hint}", .models.display())]
    Unknown {
        /// As given.
        name: Name,
        /// Where folders are.
        models: PathBuf,
        /// What there is.
        hint: String,
    },
    /// Not published in that form.
    #[error("`{name}` is not published as {precision}; it has {known}")]
    Precision {
        /// Which model.
        name: Name,
        /// As given.
        precision: &'static str,
        /// What there is.
        known: String,
    },
    /// The folder's place is taken.
    #[error("`{}` is in the way; move it away, then pull again", .folder.display())]
    InTheWay {
        /// The model's folder.
        folder: PathBuf,
    },
    /// Its manifest can't be read.
    #[error("`{}` doesn't say which files the model has; correct it, or move its folder away", .file.display())]
    Unreadable {
        /// The manifest.
        file: PathBuf,
    },
    /// Its manifest knows no hash of a file that is missing.
    #[error("`{}` has no SHA-256 for `{key}`, so what is downloaded couldn't be checked; write it down", .file.display())]
    NoHash {
        /// The manifest.
        file: PathBuf,
        /// The file's key.
        key: String,
    },
    /// Its manifest names no place to download from.
    #[error("files are missing beside `{}`: {error}", .file.display())]
    Source {
        /// The manifest.
        file: PathBuf,
        /// Why not.
        error: SourceError,
    },
    /// This version can't use the model.
    #[error("`{name}` can't be used by this version: {error}")]
    Manifest {
        /// Which model.
        name: Name,
        /// Why not.
        error: ManifestError,
    },
    /// The lock file is no lock file.
    #[error("`{}`, {error}", .file.display())]
    Lock {
        /// Where it is.
        file: PathBuf,
        /// What is wrong.
        error: LockError,
    },
    /// Somebody else is at it.
    #[error("another `models pull` is downloading `{name}`; wait until it has ended")]
    Busy {
        /// Which model.
        name: Name,
    },
    /// A path that makes no URL.
    #[error("`{0}` makes no URL; give another `--base-url`")]
    NoUrl(String),
    /// No HTTP client.
    #[error("the HTTP client cannot be set up: {0}; please report this")]
    Client(String),
    /// Nothing came, or no more.
    #[error("`{path}`: {error}")]
    Fetch {
        /// Which file.
        path: String,
        /// What happened.
        error: FetchError,
    },
    /// It broke off, again and again.
    #[error("`{path}`: {error}; {have} bytes are here, and pulling again goes on from there")]
    Interrupted {
        /// Which file.
        path: String,
        /// The last thing that happened.
        error: FetchError,
        /// So much is kept.
        have: u64,
    },
    /// Nobody says how long it is.
    #[error(
        "`{path}`: the server says neither how long the file is nor what its hash is, so a part couldn't be told from the whole; use another"
    )]
    Unmeasured {
        /// Which file.
        path: String,
    },
    /// More bytes than were said.
    #[error(
        "`{path}` is longer than the {size} bytes that were announced; it was thrown away: try again, or use another server"
    )]
    TooLong {
        /// Which file.
        path: String,
        /// As announced.
        size: u64,
    },
    /// Other bytes than they should be.
    #[error("`{path}` has SHA-256 {actual}, but {by} says {expected}; it was thrown away: {advice}")]
    Hash {
        /// Which file.
        path: String,
        /// What it has.
        actual: String,
        /// What it should have.
        expected: String,
        /// Who says so.
        by: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The disk is too small.
    #[error(
        "`{path}` needs {needed} bytes more, `{}` has {free} left, and {RESERVE} of them are not for models; make room, or choose another folder with `--to`",
        .folder.display()
    )]
    NoSpace {
        /// Which file.
        path: String,
        /// Still to come.
        needed: u64,
        /// Left on the disk.
        free: u64,
        /// Where.
        folder: PathBuf,
    },
    /// The disk said no.
    #[error("`{}`: {error}; check its permissions, or choose another folder with `--to`", .at.display())]
    Disk {
        /// What was to be read or written.
        at: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl PullError {
    /// For `map_err`: an error of the system at a path.
    pub(super) fn disk(at: &Path) -> impl FnOnce(io::Error) -> PullError {
        let at = at.to_owned();
        move |error| PullError::Disk { at, error }
    }
}
