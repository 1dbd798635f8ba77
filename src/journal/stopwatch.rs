//! How long a disk takes to keep its word.
//!
//! Owns the measurement: what a commit waits for, again and again, in a file that has no name and leaves nothing behind;
//! refuses to touch the journal and to judge the times. Runs on whichever thread asks, for as long as the disk takes.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fdatasync, open};
use rustix::io::pwrite;

use crate::time;

/// So many times, so that one hiccup shows and a slow disk is not asked for ever.
const ROUNDS: u64 = 8;

/// As large as what a commit usually adds to the log.
const BLOCK: [u8; 4096] = [0x5a; 4096];

/// How long the disk took to flush one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushTimes {
    /// In the middle.
    pub median: Duration,
    /// The slowest.
    pub worst: Duration,
}

/// Measures the disk that `dir` is on.
///
/// # Errors
/// Nothing can be written there.
pub fn flush_times(dir: &Path) -> io::Result<FlushTimes> {
    let file = open(dir, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
    let mut times = (0..ROUNDS).map(|round| flush(&file, round)).collect::<io::Result<Vec<_>>>()?;
    times.sort();
    let (median, worst) = (times.get(times.len() / 2), times.last());
    Ok(FlushTimes { median: median.copied().unwrap_or_default(), worst: worst.copied().unwrap_or_default() })
}

fn flush(file: &OwnedFd, round: u64) -> io::Result<Duration> {
    let began = time::now().mono;
    if pwrite(file, &BLOCK, round * BLOCK.len() as u64)? < BLOCK.len() {
        return Err(io::ErrorKind::StorageFull.into());
    }
    fdatasync(file)?;
    Ok(time::now().mono.since(began))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_measured_and_nothing_stays() {
        let dir = tempfile::tempdir().unwrap();
        let times = flush_times(dir.path()).unwrap();
        assert!(times.median <= times.worst && times.worst > Duration::ZERO);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn where_nothing_can_be_written_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let error = flush_times(&dir.path().join("absent")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
