//! What is given up so that a journal opens on a full disk.
//!
//! Owns the order: the ballast, damaged journals that were kept, the oldest frames. Events go before pictures: one whose
//! frame is missing is sent without it. Refuses to touch rows. Runs on the thread that opens.

use std::fs;
use std::path::Path;

use super::ballast;
use super::error::OpenError;
use super::frames::FOLDER;
use super::quarantine;

/// Frames that go at once: a few megabytes.
const FRAMES: usize = 50;

/// Opens with less and less beside it, until it succeeds, or nothing is left to give up.
pub(super) fn until_there_is_room<T>(dir: &Path, open: impl Fn() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let steps: [&dyn Fn(&Path) -> bool; 3] = [&ballast::release, &|dir| quarantine::forget(dir, 0), &forget_frames];
    let mut result = open();
    for step in steps {
        if matches!(result, Err(OpenError::Full { .. })) && step(dir) {
            tracing::warn!("the disk is full: something was given up so that the journal can be opened");
            result = open();
        }
    }
    result
}

/// Their names begin with a UUIDv7: the oldest come first.
fn forget_frames(dir: &Path) -> bool {
    let files = fs::read_dir(dir.join(FOLDER)).into_iter().flatten().flatten();
    let mut files: Vec<_> = files.map(|file| file.path()).collect();
    files.sort();
    files.iter().take(FRAMES).filter(|file| fs::remove_file(file).is_ok()).count() > 0
}
