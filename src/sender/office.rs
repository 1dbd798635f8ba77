//! What the senders of one box share.
//!
//! Owns the bells, the clock, the count of those with alerts to send, the holds of the whole box and the caution after an
//! unclean end; refuses to know endpoints. Cheap to clone; used from every sender's task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::clock::Clock;
use super::doorbell::Doorbells;
use super::traffic::Traffic;
use super::uplink::Uplink;

/// After an unclean end so many deliveries are claimed in the journal before they are sent.
const CAUTIOUS: u32 = 100;

/// What the senders of one box share.
#[derive(Clone, Debug)]
pub struct Office {
    pub(super) bells: Doorbells,
    pub(super) clock: Clock,
    pub(super) uplink: Uplink,
    pub(super) traffic: Traffic,
    /// So many deliveries must come to an end before nobody is cautious any more.
    cautious: Arc<AtomicU32>,
}

impl Office {
    /// For senders that the journal wakes through `bells`. `unclean`: the last process did not say good-bye, perhaps
    /// because of what it was sending.
    pub fn new(bells: &Doorbells, clock: Clock, unclean: bool) -> Office {
        let cautious = AtomicU32::new(if unclean { CAUTIOUS } else { 0 });
        Office {
            bells: bells.clone(),
            clock,
            uplink: Uplink::default(),
            traffic: Traffic::default(),
            cautious: Arc::new(cautious),
        }
    }

    /// Whether a delivery must be claimed before it is sent.
    pub(super) fn is_cautious(&self) -> bool {
        self.cautious.load(Ordering::Relaxed) > 0
    }

    /// A delivery was sent, and the process still runs.
    pub(super) fn survived_one(&self) {
        let fewer = |left: u32| left.checked_sub(1);
        // Nothing to do when it was over already.
        let _ = self.cautious.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
    }
}
