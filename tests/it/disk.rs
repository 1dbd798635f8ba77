//! A small disk: a file system of its own that fills up in seconds (tmpfs; only root may mount one).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shared::skip;

/// Unmounted when dropped.
pub struct Disk {
    at: PathBuf,
    _own: Option<tempfile::TempDir>,
}

impl Disk {
    /// In a place of its own. None where nobody may mount one; the test is skipped.
    pub fn mount(size: &str) -> Option<Disk> {
        let own = tempfile::tempdir().unwrap();
        let mut disk = Disk::mount_at(own.path(), size)?;
        disk._own = Some(own);
        Some(disk)
    }

    /// The same at `at`, which is made.
    pub fn mount_at(at: &Path, size: &str) -> Option<Disk> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "stakeout-test"]).arg(at).output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            skip("only root may mount a small file system");
            return None;
        }
        Some(Disk { at: at.to_owned(), _own: None })
    }

    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Somebody else takes all that is left.
    pub fn fill(&self) {
        self.fill_but(0);
        assert!(self.free() < 4096, "{}", self.free());
    }

    /// Somebody else takes what is left, but for so many bytes. What is given up meanwhile may stay.
    pub fn fill_but(&self, bytes: u64) {
        let mut file = File::options().create(true).append(true).open(self.theirs()).unwrap();
        for block in [1 << 16, 1 << 10, 1] {
            while self.free() >= bytes + block && file.write(&vec![7_u8; block as usize]).is_ok() {}
        }
    }

    /// They take it away again.
    pub fn empty(&self) {
        fs::remove_file(self.theirs()).unwrap();
    }

    pub fn free(&self) -> u64 {
        stakeout::journal::free_bytes(&self.at).unwrap()
    }

    fn theirs(&self) -> PathBuf {
        self.at.join("somebody-else")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
