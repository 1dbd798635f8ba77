//! A model's folder on disk: found, read, and its files checked against the manifest's hashes.
//!
//! Owns the search and the hashing; refuses to know ONNX Runtime. No session is created from a file whose hash is wrong.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::{FileEntry, Kind, Manifest, ManifestError};
use super::{LoadError, Problem};
use crate::event::ModelIdentity;
use crate::name::Name;

/// A folder whose manifest is valid and whose files are those that it names.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Its name in the configuration, and the hash of what computes.
    pub identity: ModelIdentity,
    /// Where what is worked out once is kept: the state directory's `cache`.
    pub cache: PathBuf,
    /// What it says about itself.
    pub manifest: Manifest,
    /// The labels, in order; none where the model reads instead.
    pub labels: Vec<String>,
}

/// Why a folder can't be used. Every message goes on after "model `x`: ".
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// None of the places has it.
    #[error("there is no `{name}/manifest.toml` in {searched}; copy its folder into one of them, or give its `path`")]
    NotFound {
        /// The folder's name.
        name: Name,
        /// The places, in the order they were looked at.
        searched: String,
    },
    /// A file of the folder can't be read.
    #[error("`{file}` can't be read: {error}; check the path and its permissions, or copy the model's folder again")]
    Unreadable {
        /// The whole path.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// Its text is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file isn't the one that the manifest means.
    #[error(
        "`{file}` has SHA-256 {actual}, the manifest says {expected}; copy the model's folder again, or correct the SHA-256 in manifest.toml"
    )]
    Hash {
        /// As in the manifest.
        file: String,
        /// What it has.
        actual: String,
        /// What the manifest says.
        expected: String,
    },
    /// Nothing to tell apart, or the same thing twice.
    #[error("`{file}` {what}; correct the labels")]
    Labels {
        /// As in the manifest.
        file: String,
        /// What is wrong.
        what: String,
    },
}

/// Where models are searched, after the state directory's `models`.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/share/stakeout/models", "./models"];

impl Folder {
    /// Finds and checks the folder of model `name`: at `path` if given, otherwise in `<storage>/models`,
    /// `/usr/share/stakeout/models` and `./models`.
    pub fn open(name: &Name, path: Option<&Path>, storage: &Path) -> Result<Folder, LoadError> {
        let failed = |problem: FolderError| LoadError { model: name.clone(), problem: Problem::Folder(problem) };
        let path = match path {
            Some(path) => path.to_owned(),
            None => find(name, storage).map_err(failed)?,
        };
        read(name, path, storage.join("cache")).map_err(failed)
    }

    /// Where a file of the manifest is.
    pub fn file(&self, entry: &FileEntry) -> PathBuf {
        self.path.join(&entry.path)
    }
}

/// The names of all folders with a manifest, wherever models are searched.
pub fn available(storage: &Path) -> Vec<Name> {
    let entries = places(storage).into_iter().filter_map(|place| place.read_dir().ok()).flatten().flatten();
    let folders = entries.map(|entry| entry.path()).filter(|path| path.join("manifest.toml").is_file());
    let mut names: Vec<Name> = folders.filter_map(|path| Name::new(path.file_name()?.to_str()?).ok()).collect();
    names.sort();
    names.dedup();
    names
}

/// The folder that a search for `name` finds.
pub fn place(name: &Name, storage: &Path) -> Option<PathBuf> {
    find(name, storage).ok()
}

/// Where models are searched, for people.
pub fn searched(storage: &Path) -> String {
    places(storage).iter().map(|place| format!("`{}`", place.display())).collect::<Vec<_>>().join(", ")
}

fn places(storage: &Path) -> Vec<PathBuf> {
    std::iter::once(storage.join("models")).chain(SYSTEM_FOLDERS.map(PathBuf::from)).collect()
}

fn find(name: &Name, storage: &Path) -> Result<PathBuf, FolderError> {
    let places = places(storage);
    let found = places.iter().map(|place| place.join(name.as_str())).find(|path| path.join("manifest.toml").is_file());
    found.ok_or_else(|| FolderError::NotFound { name: name.clone(), searched: searched(storage) })
}

fn read(name: &Name, path: PathBuf, cache: PathBuf) -> Result<Folder, FolderError> {
    let manifest_path = path.join("manifest.toml");
    let text = std::fs::read_to_string(&manifest_path).map_err(|error| unreadable(&manifest_path, error))?;
    let manifest = Manifest::parse(&text)?;
    for (_, entry) in manifest.files() {
        verify(&path, entry)?;
    }
    let labels = match &manifest.kind {
        Kind::Labelled(labelled) => labels(&path, &labelled.labels)?,
        Kind::ZeroShot(_) | Kind::Vlm(_) => Vec::new(),
    };
    let identity = ModelIdentity { name: name.clone(), sha256: identity(&manifest) };
    Ok(Folder { path, identity, cache, manifest, labels })
}

/// The SHA-256 of the file that computes; where several do, the SHA-256 of all their SHA-256 in hex, in the manifest's
/// order, so that another precision of one part is another model.
fn identity(manifest: &Manifest) -> String {
    match &manifest.kind {
        Kind::Labelled(labelled) => labelled.model.sha256.clone(),
        Kind::ZeroShot(_) | Kind::Vlm(_) => {
            let mut all = Sha256::new();
            manifest.files().iter().for_each(|(_, entry)| all.update(&entry.sha256));
            hex::encode(all.finalize())
        }
    }
}

fn unreadable(file: &Path, error: io::Error) -> FolderError {
    FolderError::Unreadable { file: file.display().to_string(), error }
}

fn verify(folder: &Path, entry: &FileEntry) -> Result<(), FolderError> {
    let path = folder.join(&entry.path);
    let actual = sha256(&path).map_err(|error| unreadable(&path, error))?;
    if actual == entry.sha256 {
        return Ok(());
    }
    Err(FolderError::Hash { file: entry.path.display().to_string(), actual, expected: entry.sha256.clone() })
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(&block[..read]),
        }
    }
}

fn labels(folder: &Path, entry: &FileEntry) -> Result<Vec<String>, FolderError> {
    let path = folder.join(&entry.path);
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
    let labels: Vec<String> = text.trim_end().lines().map(|line| line.trim().to_owned()).collect();
    let wrong = |what: String| FolderError::Labels { file: entry.path.display().to_string(), what };
    if labels == [""] || labels.is_empty() {
        return Err(wrong("has no labels".to_owned()));
    }
    match labels.iter().position(String::is_empty) {
        Some(line) => Err(wrong(format!("has an empty line {}", line + 1))),
        None => Ok(labels),
    }
}
