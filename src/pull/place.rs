//! Where a download lies until it is a model: the hidden folder `.NAME.part` beside the models.
//!
//! Owns that folder, what is noted beside it, the lock file on disk, and that everything is on the disk before it gets its
//! name; refuses to know where bytes come from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, statvfs};
use rustix::io::retry_on_intr;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::PullError;
use crate::catalogue::{DescribedFile, Lock, Locked};
use crate::name::Name;

/// What is known of a file whose download has begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// From where.
    pub url: String,
    /// The server's word for these very bytes.
    pub validator: Option<String>,
    /// During which run of the system it was written: what a power cut left is only as good as its hash.
    pub boot: Option<Uuid>,
    /// As announced.
    pub size: Option<u64>,
    /// As announced.
    pub sha256: Option<String>,
    /// The commit of the hub's repository.
    pub revision: Option<String>,
    /// The hash that it had when it was whole.
    pub whole: Option<String>,
}

/// The folder of one download. Nobody else has it at the same time.
pub(super) struct Place {
    folder: PathBuf,
    notes_path: PathBuf,
    notes: BTreeMap<String, Note>,
    /// Held for the exclusive lock on the folder.
    _alone: File,
}

impl Place {
    /// The folder for a download of `name` into `models`, with what an earlier attempt left in it.
    pub(super) fn open(models: &Path, name: &Name) -> Result<Place, PullError> {
        let folder = models.join(format!(".{name}.part"));
        fs::create_dir_all(&folder).map_err(PullError::disk(&folder))?;
        let alone = File::open(&folder).map_err(PullError::disk(&folder))?;
        flock(&alone, FlockOperation::NonBlockingLockExclusive).map_err(|_| PullError::Busy { name: name.clone() })?;
        let notes_path = models.join(format!(".{name}.part.json"));
        // Notes that can't be read are as good as none: then everything comes again.
        let notes = fs::read(&notes_path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Ok(Place { folder, notes_path, notes, _alone: alone })
    }

    /// Where the file `path` of the model lies meanwhile.
    pub(super) fn part(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// What was noted of a file.
    pub(super) fn note(&self, path: &str) -> Option<&Note> {
        self.notes.get(path)
    }

    /// Notes something of a file.
    pub(super) fn set_note(&mut self, path: &str, note: Note) -> Result<(), PullError> {
        self.notes.insert(path.to_owned(), note);
        let text =
            serde_json::to_vec(&self.notes).map_err(io::Error::other).map_err(PullError::disk(&self.notes_path))?;
        replace(&self.notes_path, &text).map_err(PullError::disk(&self.notes_path))
    }

    /// Opens the part of a file for more, `from` its first bytes on; what is behind them is cut off.
    pub(super) fn append(&self, path: &str, from: u64) -> Result<File, PullError> {
        let part = self.part(path);
        if let Some(folder) = part.parent() {
            fs::create_dir_all(folder).map_err(PullError::disk(folder))?;
        }
        let open = || {
            let file = File::options().create(true).append(true).open(&part)?;
            file.set_len(from)?;
            Ok(file)
        };
        open().map_err(PullError::disk(&part))
    }

    /// Puts a whole file there; its size and hash.
    pub(super) fn put(&self, path: &str, text: &str) -> Result<(u64, String), PullError> {
        let mut file = self.append(path, 0)?;
        let part = self.part(path);
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(PullError::disk(&part))?;
        Ok((text.len() as u64, hex::encode(Sha256::digest(text))))
    }

    /// Throws a part away.
    pub(super) fn discard(&mut self, path: &str) -> Result<(), PullError> {
        let part = self.part(path);
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(PullError::Disk { at: part, error }),
            _ => {}
        }
        self.set_note(path, Note::default())
    }

    /// So many bytes fit onto this disk.
    pub(super) fn free(&self) -> Option<u64> {
        statvfs(&self.folder).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Where it is, for people.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a model of what is here: with its manifest, and by one rename.
    pub(super) fn become_model(self, manifest: &str, folder: &Path) -> Result<(), PullError> {
        let path = self.folder.join("manifest.toml");
        replace(&path, manifest.as_bytes()).map_err(PullError::disk(&path))?;
        self.keep_only(manifest)?;
        sync_folders(&self.folder).map_err(PullError::disk(&self.folder))?;
        fs::rename(&self.folder, folder).map_err(PullError::disk(folder))?;
        self.forget();
        sync_parent(folder)
    }

    /// Nothing came, or nothing is to be downloaded: the folder goes, unless there is something in it for another attempt.
    pub(super) fn leave(self) {
        if is_empty(&self.folder) {
            let _ = fs::remove_dir_all(&self.folder);
            self.forget();
        }
    }

    /// The notes have served; what is left of them by accident is read by nobody.
    fn forget(&self) {
        let _ = fs::remove_file(&self.notes_path);
        let _ = fs::remove_file(self.notes_path.with_extension("json.new"));
    }

    /// What an attempt at another precision left behind is no part of this model.
    fn keep_only(&self, manifest: &str) -> Result<(), PullError> {
        let described = crate::catalogue::Described::parse(manifest);
        let kept: Vec<String> = described.into_iter().flat_map(|it| it.files).map(|file| file.path).collect();
        for path in self.notes.keys().filter(|path| !kept.contains(path)) {
            let _ = fs::remove_file(self.part(path));
        }
        Ok(())
    }

    /// Moves whole files into a folder that has a manifest already, one by one: each is the one that it means.
    pub(super) fn move_into(self, paths: &[&Path], folder: &Path) -> Result<(), PullError> {
        for path in paths {
            let to = folder.join(path);
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent).map_err(PullError::disk(parent))?;
            }
            fs::rename(self.folder.join(path), &to).map_err(PullError::disk(&to))?;
        }
        sync_folders(folder).map_err(PullError::disk(folder))?;
        self.forget();
        let _ = fs::remove_dir_all(&self.folder);
        Ok(())
    }
}

/// Whether there is not a single byte in the files of a folder. One that can't be read may have some.
fn is_empty(folder: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(folder) else { return false };
    entries.all(|entry| {
        let Ok(entry) = entry else { return false };
        match entry.metadata() {
            Ok(about) if about.is_dir() => is_empty(&entry.path()),
            Ok(about) => about.len() == 0,
            Err(_) => false,
        }
    })
}

/// How a file of a folder compares with what its manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is the one.
    Right,
    /// It isn't there.
    Missing,
    /// It is another one.
    Other {
        /// Its SHA-256.
        actual: String,
    },
}

/// Compares the file with its description; reads all of it.
///
/// # Errors
/// It is there and can't be read.
pub fn state_of(folder: &Path, file: &DescribedFile) -> io::Result<FileState> {
    match hash(&folder.join(&file.path)) {
        Ok((_, actual)) if actual == file.sha256 => Ok(FileState::Right),
        Ok((_, actual)) => Ok(FileState::Other { actual }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(FileState::Missing),
        Err(error) => Err(error),
    }
}

/// Size and SHA-256 (lower-case hex) of a file.
///
/// # Errors
/// It can't be read.
pub(super) fn hash(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut size, mut hasher, mut block) = (0, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok((size, hex::encode(hasher.finalize()))),
            read => {
                size += read as u64;
                hasher.update(&block[..read]);
            }
        }
    }
}

const LOCK: &str = "models.lock";

/// The lock file of a folder of models; an empty one when there is none.
pub(super) fn read_lock(models: &Path) -> Result<Lock, PullError> {
    let path = models.join(LOCK);
    match fs::read_to_string(&path) {
        Ok(text) => Lock::parse(&text).map_err(|error| PullError::Lock { file: path, error }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock::default()),
        Err(error) => Err(PullError::Disk { at: path, error }),
    }
}

/// Takes `files` into the lock file, whole. Downloads of two models may end at the same moment: neither forgets the other's.
pub(super) fn take_into_lock(models: &Path, files: Vec<Locked>) -> Result<(), PullError> {
    let alone = File::open(models).map_err(PullError::disk(models))?;
    retry_on_intr(|| flock(&alone, FlockOperation::LockExclusive))
        .map_err(|error| PullError::Disk { at: models.to_owned(), error: error.into() })?;
    let mut lock = read_lock(models)?;
    lock.take(files);
    let path = models.join(LOCK);
    replace(&path, lock.text().as_bytes()).map_err(PullError::disk(&path))
}

/// Whoever reads `path` sees what it held or what it holds now, also after a power cut.
///
/// # Errors
/// What the system says; then it holds what it held.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

fn sync_parent(path: &Path) -> Result<(), PullError> {
    match path.parent().map(File::open) {
        Some(Ok(parent)) => parent.sync_all().map_err(PullError::disk(path)),
        _ => Ok(()),
    }
}

/// So that the names of the files in it survive a power cut, too.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_folders(&path)?;
        }
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_that_end_at_the_same_moment_are_all_remembered() {
        let models = tempfile::TempDir::new().unwrap();
        let locked = |number: usize| Locked {
            model: Name::new(&format!("m{number}")).unwrap(),
            path: "model.onnx".to_owned(),
            url: "https://example.com/model.onnx".to_owned(),
            revision: String::new(),
            size: 1,
            sha256: "0".repeat(64),
        };
        let begin = std::sync::Barrier::new(16);
        std::thread::scope(|scope| {
            for number in 0..16 {
                let (begin, models) = (&begin, models.path());
                scope.spawn(move || {
                    begin.wait();
                    take_into_lock(models, vec![locked(number)]).unwrap();
                });
            }
        });
        assert_eq!(read_lock(models.path()).unwrap().files.len(), 16);
    }
}
