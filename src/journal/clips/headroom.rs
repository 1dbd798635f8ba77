//! What clips leave free on their disk, so that whoever fills it finds clips to take away, and never an alert.
//!
//! Owns two levels: where nothing more is recorded, and a little above it, where the oldest clips go. Refuses to take anything
//! away (`quota` does). Both are multiples of the ballast, so that a journal which has given that up gets it back first. Runs
//! on whichever thread asks.

use std::path::{Path, PathBuf};

use crate::journal::ballast::{self, AMPLE};
use crate::journal::room::Shares;

/// The room of one disk.
#[derive(Clone, Debug)]
pub struct Headroom {
    dir: PathBuf,
    /// Bytes of the ballast.
    ballast: u64,
}

impl Headroom {
    /// Beside the journal in `dir`, which may take `max_size` bytes.
    pub fn of(dir: &Path, max_size: u64) -> Headroom {
        Headroom { dir: dir.to_owned(), ballast: Shares::of(max_size, ballast::disk(dir)).ballast }
    }

    /// Whether clips may grow.
    pub fn is_left(&self) -> bool {
        self.lacks_for(AMPLE) == 0
    }

    /// Bytes that clips have to give back, so that there is room for what is recorded next.
    pub fn lacks(&self) -> u64 {
        self.lacks_for(AMPLE + 1)
    }

    fn lacks_for(&self, ballasts: u64) -> u64 {
        // A disk that doesn't tell is not full.
        ballast::free(&self.dir).map_or(0, |free| (ballasts * self.ballast).saturating_sub(free))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_before_recording_stops() {
        let dir = tempfile::tempdir().unwrap();
        let free = ballast::free(dir.path()).unwrap();
        let [ample, scarce, full] =
            [0, free / 9 * 2, free].map(|ballast| Headroom { dir: dir.path().to_owned(), ballast });
        assert_eq!((ample.is_left(), ample.lacks()), (true, 0));
        assert!(scarce.is_left() && scarce.lacks() > 0, "{} bytes are free", free);
        assert!(!full.is_left() && full.lacks() > scarce.lacks());
    }
}
