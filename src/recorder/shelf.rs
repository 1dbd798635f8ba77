//! Where clips are written: a file each, in one folder.
//!
//! Owns making a file, appending to it so that it stays, its hash, and letting it go; refuses to know what is in it. Runs on
//! the thread `recorder`, which waits for the disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Nobody but the daemon and its group sees what cameras saw.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// What a clip's file is called.
pub(super) fn file_name(clip: Uuid) -> String {
    format!("{clip}.mp4")
}

/// A file that grows.
pub(super) struct Growing {
    path: PathBuf,
    file: File,
    bytes: u64,
    hash: Sha256,
}

impl Growing {
    /// A file for `clip` that holds `init`, and is durable with its name.
    pub(super) fn create(folder: &Path, clip: Uuid, init: &[u8]) -> io::Result<Growing> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        let path = folder.join(file_name(clip));
        let file = OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(&path)?;
        let mut growing = Growing { path, file, bytes: 0, hash: Sha256::new() };
        let written = growing.append(init).and_then(|()| File::open(folder)?.sync_all());
        match written {
            Ok(()) => Ok(growing),
            Err(error) => {
                growing.discard();
                Err(error)
            }
        }
    }

    /// Appends `bytes`, durably, or nothing of them.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes).and_then(|()| self.file.sync_data()) {
            if let Err(error) = self.file.set_len(self.bytes).and_then(|()| self.file.sync_all()) {
                tracing::warn!(file = %self.path.display(), %error, "a clip may have a torn end");
            }
            return Err(error);
        }
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// What is appended from here on fails.
    #[cfg(test)]
    pub(super) fn breaks(&mut self) {
        self.file = File::open(&self.path).unwrap();
    }

    /// So far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of the whole file, in hexadecimal digits.
    pub(super) fn sha256(self) -> String {
        hex::encode(self.hash.finalize())
    }

    /// Takes it away: its room is needed, or nobody will play it.
    pub(super) fn discard(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(file = %self.path.display(), "a clip that failed could not be removed: {error}");
        }
    }
}
