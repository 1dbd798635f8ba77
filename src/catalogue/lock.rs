//! `models.lock`: which files were downloaded, so that the same name means the same bytes tomorrow.
//!
//! Owns the file's grammar. Trust on first use: what was downloaded once is what is expected from then on. Refuses to read
//! or write the file itself.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::name::Name;

/// The files that were downloaded into one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// In the order of names and paths.
    #[serde(default, rename = "file")]
    pub files: Vec<Locked>,
}

/// A file that was downloaded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Of which model.
    pub model: Name,
    /// Within the model's folder.
    pub path: String,
    /// From where: the first URL, before any redirect.
    pub url: String,
    /// The commit of the hub's repository; empty where there is none.
    pub revision: String,
    /// In bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// A lock file that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}; correct it, or move the file away: then the next download is trusted as it comes")]
pub struct LockError {
    line: usize,
    message: String,
}

impl Lock {
    /// Reads the text of a lock file.
    ///
    /// # Errors
    /// Text that isn't one.
    pub fn parse(text: &str) -> Result<Lock, LockError> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            LockError { line, message: error.message().replace('\n', ", ") }
        })
    }

    /// What is known of a file.
    pub fn find(&self, model: &Name, path: &str) -> Option<&Locked> {
        self.files.iter().find(|file| file.model == *model && file.path == path)
    }

    /// The revision that the files of `model` are of, where there is one.
    pub fn revision(&self, model: &Name) -> Option<&str> {
        let mut revisions = self.files.iter().filter(|file| file.model == *model).map(|file| file.revision.as_str());
        revisions.find(|revision| !revision.is_empty())
    }

    /// Takes `files` in, in place of what was known of them.
    pub fn take(&mut self, files: Vec<Locked>) {
        self.files.retain(|known| !files.iter().any(|file| file.model == known.model && file.path == known.path));
        self.files.extend(files);
        self.files.sort();
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "# What `stakeout models pull` has downloaded. A later download must bring the same bytes;\n\
             # `--update` takes new ones in.\n",
        );
        let quoted = |value: &str| toml::Value::String(value.to_owned()).to_string();
        for Locked { model, path, url, revision, size, sha256 } in &self.files {
            let _ = write!(
                text,
                "\n[[file]]\nmodel = {}\npath = {}\nurl = {}\nrevision = {}\nsize = {size}\nsha256 = {}\n",
                quoted(model.as_str()),
                quoted(path),
                quoted(url),
                quoted(revision),
                quoted(sha256)
            );
        }
        text
    }
}
