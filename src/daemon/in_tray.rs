//! What was said of clips and is not written down yet.
//!
//! Owns its order: of each clip as it was said, and what is refused of one keeps no other back. Refuses to know who writes
//! and when it is tried again. Runs on tokio.

use std::collections::{BTreeSet, VecDeque};

use uuid::Uuid;

use crate::journal::ClipStep;

/// Of each clip little is said, so that what waits here is bounded by the clips that there are.
#[derive(Default)]
pub(super) struct InTray {
    waiting: VecDeque<(Uuid, ClipStep)>,
    /// Of them, so many were not looked at in this round.
    left: usize,
    /// Clips of which something was refused in this round.
    refused: BTreeSet<Uuid>,
}

impl InTray {
    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Behind what waits already.
    pub(super) fn put(&mut self, clip: Uuid, step: ClipStep) {
        self.waiting.push_back((clip, step));
    }

    /// All that waits is to be tried once.
    pub(super) fn begin(&mut self) {
        self.left = self.waiting.len();
        self.refused.clear();
    }

    /// What is to be tried next in this round.
    pub(super) fn next(&mut self) -> Option<(Uuid, ClipStep)> {
        while self.left > 0 {
            self.left -= 1;
            let (clip, step) = self.waiting.pop_front()?;
            if !self.refused.contains(&clip) {
                return Some((clip, step));
            }
            self.waiting.push_back((clip, step));
        }
        None
    }

    /// What [`InTray::next`] gave waits for the next round, and with it all of its clip.
    pub(super) fn refuse(&mut self, clip: Uuid, step: ClipStep) {
        self.refused.insert(clip);
        self.waiting.push_back((clip, step));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(bytes: u64) -> ClipStep {
        ClipStep::Grown { bytes }
    }

    /// Tries all of it, and tells what was tried. `refused`: the clip that is refused.
    fn tried(tray: &mut InTray, refused: u128) -> Vec<(u128, ClipStep)> {
        let mut tried = Vec::new();
        tray.begin();
        while let Some((clip, step)) = tray.next() {
            tried.push((clip.as_u128(), step.clone()));
            if clip.as_u128() == refused {
                tray.refuse(clip, step);
            }
        }
        tried
    }

    #[test]
    fn what_is_refused_of_one_clip_keeps_no_other_back_and_comes_in_order() {
        let mut tray = InTray::default();
        for (clip, bytes) in [(1, 10), (2, 20), (1, 11), (3, 30), (1, 12)] {
            tray.put(Uuid::from_u128(clip), grown(bytes));
        }
        assert_eq!(tried(&mut tray, 1), [(1, grown(10)), (2, grown(20)), (3, grown(30))]);
        assert!(!tray.is_empty());
        assert_eq!(tried(&mut tray, 0), [10, 11, 12].map(|bytes| (1, grown(bytes))));
        assert!(tray.is_empty());
    }
}
