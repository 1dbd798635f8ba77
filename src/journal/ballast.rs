//! The ballast: a file that only takes space, to be given up when somebody else has filled the disk.
//!
//! Owns the file and the question how much space is left; refuses to know what the space is used for then. SQLite can
//! neither delete nor checkpoint on a full disk: without something to give up, a full disk stays full. Runs on the thread
//! that opens and on `journal-writer`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

/// Its name in the state directory.
pub(super) const FILE: &str = "ballast";

/// It is made again once so many times its size is free.
pub(super) const AMPLE: u64 = 4;

/// The ballast of one journal.
pub(super) struct Ballast {
    dir: PathBuf,
    size: u64,
    held: bool,
    /// The file system does not set space aside.
    hopeless: bool,
}

impl Ballast {
    /// What there is in `dir`; [`Ballast::hold`] makes it.
    pub(super) fn find(dir: &Path, size: u64) -> Ballast {
        let held = fs::metadata(dir.join(FILE)).is_ok_and(|file| file.len() >= size);
        Ballast { dir: dir.to_owned(), size, held, hopeless: false }
    }

    /// Whether there is something to give up.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Gives it up.
    pub(super) fn release(&mut self) {
        self.held = false;
        if release(&self.dir) {
            tracing::warn!(bytes = self.size, "the disk is full: the journal gave up its ballast");
        }
    }

    /// Takes the space (again), if there is ample. True: it is held from now on.
    pub(super) fn hold(&mut self) -> bool {
        if !self.held && !self.hopeless && free(&self.dir).is_none_or(|free| free >= self.wanted()) {
            match take(&self.dir.join(FILE), self.size) {
                Ok(()) => self.held = true,
                Err(error) => {
                    self.hopeless = error.kind() != io::ErrorKind::StorageFull;
                    tracing::warn!(%error, "the journal has no ballast: it may not get over a full disk by itself");
                    let _ = fs::remove_file(self.dir.join(FILE));
                }
            }
        }
        self.held
    }

    /// Free bytes of the disk that nobody has to worry about.
    pub(super) fn wanted(&self) -> u64 {
        self.size * AMPLE
    }

    /// How many of them the disk lacks.
    pub(super) fn lacks(&self) -> u64 {
        free(&self.dir).map_or(0, |free| self.wanted().saturating_sub(free))
    }

    /// Whether the disk has so much.
    pub(super) fn is_ample(&self) -> bool {
        self.lacks() == 0
    }

    /// Whether the disk is so full that a commit may have failed for it.
    pub(super) fn disk_is_full(&self) -> bool {
        free(&self.dir).is_some_and(|free| free < self.size / 4)
    }

    /// On a full disk: bytes that rows may still take, and those that frames may. The log comes first.
    pub(super) fn left(&self) -> (u64, u64) {
        let free = free(&self.dir).unwrap_or(0);
        (free.saturating_sub(self.size / 4), free.saturating_sub(self.size))
    }
}

/// Gives up the ballast of the journal in `dir`. True: there was one.
pub(super) fn release(dir: &Path) -> bool {
    fs::remove_file(dir.join(FILE)).is_ok()
}

/// Really allocated: a file with holes would give nothing back.
fn take(path: &Path, size: u64) -> io::Result<()> {
    let file = File::create(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, size.max(1))?;
    file.sync_all()
}

/// Free bytes of the disk that `dir` is on, for us; None: it does not tell.
pub fn free(dir: &Path) -> Option<u64> {
    rustix::fs::statvfs(dir).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes of the disk that `dir` is on.
pub(super) fn disk(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |disk| disk.f_blocks.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn it_takes_space_until_it_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let mut ballast = Ballast::find(dir.path(), 1 << 20);
        assert!(!ballast.is_held());
        assert!(ballast.hold() && ballast.is_held());
        let file = fs::metadata(dir.path().join(FILE)).unwrap();
        assert!(file.blocks() * 512 >= 1 << 20, "blocks, not a hole: {}", file.blocks());
        assert!(Ballast::find(dir.path(), 1 << 20).is_held(), "the next process finds it");
        assert!(!Ballast::find(dir.path(), 2 << 20).is_held(), "one that is too small is made anew");
        ballast.release();
        assert!(!ballast.is_held() && !dir.path().join(FILE).exists());
    }

    #[test]
    fn a_disk_with_little_space_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut ballast = Ballast::find(dir.path(), free(dir.path()).unwrap() / 2);
        assert!(!ballast.hold());
        assert!(!dir.path().join(FILE).exists());
    }
}
