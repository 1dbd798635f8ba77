//! Where a model's files are: `hf:org/repo@revision`, or the folder at an `https://` URL.
//!
//! Owns the grammar of `source` and of a mirror's URL, that neither carries a secret, and the way from a path to a URL;
//! refuses to fetch anything.

use std::fmt;

use serde::{Deserialize, Deserializer};
use url::Url;

/// The hub that `hf:` means unless `--base-url` names another.
pub const HUB: &str = "https://huggingface.co";

/// Where a model's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A repository of a hub, and a revision of it: a branch, a tag or a commit.
    Hub {
        /// `org/repo`
        repository: String,
        /// `main` unless written.
        revision: String,
    },
    /// A folder on the web; its URL ends with a slash.
    Web(Url),
}

/// Why a source can't be downloaded from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Some other words.
    #[error("`{0}` is nothing to download from; a source is `hf:org/repo@revision` or an `https://` URL")]
    Unknown(String),
    /// `hf:` and then something else.
    #[error("`{0}` names no repository; write `hf:org/repo` or `hf:org/repo@revision`")]
    Repository(String),
    /// A name or a password before the host. Not quoted: it is the secret.
    #[error("a URL to download from must not contain credentials; leave out what stands before the `@`")]
    Credentials,
    /// A mirror that is none. Not quoted: what is wrong with it may be a secret in it.
    #[error("`--base-url` {0}; write `http://mirror.lan/` or `https://mirror.example/models/`")]
    Mirror(String),
}

/// Reads the URL of a mirror, which takes the place of the hub or of a web source.
///
/// # Errors
/// What is no folder on the web, or carries a secret: the URL is written down and shown.
pub fn mirror(text: &str) -> Result<Url, SourceError> {
    let wrong = |why: &str| SourceError::Mirror(why.to_owned());
    let url = Url::parse(text).map_err(|why| wrong(&format!("is not a URL: {why}")))?;
    if has_userinfo(&url) {
        return Err(SourceError::Credentials);
    }
    match (url.scheme(), url.query(), url.fragment()) {
        ("https" | "http", None, None) => Ok(as_folder(url)),
        ("https" | "http", ..) => Err(wrong("ends with `?` or `#` and more, and it is the URL of a folder")),
        _ => Err(wrong("is not on the web")),
    }
}

impl Source {
    /// Reads a `source`.
    ///
    /// # Errors
    /// Words that name no place, or a URL that carries a secret.
    pub fn parse(text: &str) -> Result<Source, SourceError> {
        if let Some(rest) = text.strip_prefix("hf:") {
            let (repository, revision) = rest.split_once('@').unwrap_or((rest, "main"));
            let parts: Vec<&str> = repository.split('/').collect();
            if parts.len() != 2 || !parts.iter().all(|part| is_plain(part)) || !revision.split('/').all(is_plain) {
                return Err(SourceError::Repository(text.to_owned()));
            }
            return Ok(Source::Hub { repository: repository.to_owned(), revision: revision.to_owned() });
        }
        let unknown = || SourceError::Unknown(text.to_owned());
        let url = Url::parse(text).map_err(|_| unknown())?;
        if has_userinfo(&url) {
            return Err(SourceError::Credentials);
        }
        if !matches!(url.scheme(), "https" | "http") || url.query().is_some() || url.fragment().is_some() {
            return Err(unknown());
        }
        Ok(Source::Web(as_folder(url)))
    }

    /// The URL of the file at `path`. `base` takes the place of the hub, or of a web source as a whole.
    pub fn url(&self, base: Option<&Url>, path: &str) -> Option<Url> {
        match self {
            Source::Hub { repository, revision } => {
                let hub = base.cloned().or_else(|| Url::parse(HUB).ok())?;
                as_folder(hub).join(&format!("{repository}/resolve/{revision}/{path}")).ok()
            }
            Source::Web(folder) => base.cloned().map_or_else(|| folder.clone(), as_folder).join(path).ok(),
        }
    }

    /// The same place at another revision; the web has none.
    pub fn at(&self, revision: &str) -> Source {
        match self {
            Source::Hub { repository, .. } => {
                Source::Hub { repository: repository.clone(), revision: revision.to_owned() }
            }
            Source::Web(_) => self.clone(),
        }
    }

    /// The revision; empty on the web.
    pub fn revision(&self) -> &str {
        match self {
            Source::Hub { revision, .. } => revision,
            Source::Web(_) => "",
        }
    }
}

/// A part of a path that means itself wherever it is put.
fn is_plain(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty() && part.chars().all(allowed) && part != "." && part != ".."
}

fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn as_folder(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Hub { repository, revision } => write!(f, "hf:{repository}@{revision}"),
            Source::Web(url) => f.write_str(url.as_str()),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
        Source::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
