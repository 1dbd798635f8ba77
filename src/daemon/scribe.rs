//! What it takes to write down what happened on this box.
//!
//! Owns the way into the journal, the box's name and the list of those to whom events are owed; refuses to know what
//! happens. Cheap to clone.

use std::sync::Arc;

use crate::broadcast::Broadcast;
use crate::config::Storage;
use crate::event::{Event, EventData, Metadata, Priority};
use crate::journal::{Accepted, Writer};
use crate::time::{Boot, Now};
use crate::watch::{self, Addressees, Footage, JournalLedger};

/// Writes for one box.
#[derive(Clone)]
pub(super) struct Scribe {
    /// Into the journal.
    pub(super) writer: Writer,
    /// Which box.
    pub(super) device: Arc<str>,
    /// To whom.
    pub(super) addressees: Addressees,
    /// Where, and how large pictures are.
    pub(super) storage: Arc<Storage>,
    /// To whoever listens.
    pub(super) broadcast: Broadcast,
    /// What records alerts.
    pub(super) footage: Footage,
}

impl Scribe {
    /// A ledger for a camera, or for the start.
    pub(super) fn ledger(&self) -> JournalLedger {
        let (writer, device, addressees) = (self.writer.clone(), self.device.clone(), self.addressees.clone());
        JournalLedger::new(writer, device, addressees, &self.storage)
            .heard_by(self.broadcast.clone())
            .filmed_by(self.footage.clone())
    }

    /// What the box says of itself: of no camera, monitor or job.
    pub(super) fn event_of_the_box(&self, data: EventData, priority: Priority, now: Now) -> Event {
        Event {
            id: now.new_id(),
            observed: now,
            boot: Boot::current(),
            device: self.device.to_string(),
            camera: None,
            monitor: None,
            job: None,
            priority,
            metadata: Metadata::new(),
            data,
        }
    }

    /// An event of the whole box, owed to everybody who wants its type.
    pub(super) fn accepted(&self, event: Event) -> Accepted {
        let owed = watch::owed_by_the_box(&event, &self.addressees.now());
        Accepted { event, frame: None, owed }
    }
}
