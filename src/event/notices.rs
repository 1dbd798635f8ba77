//! What the journal itself has to say: that it began anew, that it had to drop something.
//!
//! Owns the data of these two events; refuses to know how either comes about. Plain data.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Priority;
use crate::name::Name;

/// `journal.reset`: the journal was damaged; it was moved aside, and what could be read goes on in a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalReset {
    /// Deliveries that go on: owed ones and dead letters.
    pub salvaged: u64,
    /// Sequence numbers whose deliveries could not be read. Some of them may have been over and purged before.
    pub lost: Vec<SequenceRange>,
    /// The epoch of the damaged journal; None when even that could not be read.
    pub previous_epoch: Option<Uuid>,
}

/// Sequence numbers of one endpoint, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceRange {
    /// Whose.
    pub endpoint: Name,
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// `journal.overflow`: what was owed was dropped, because there was no room. One for a whole episode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalOverflow {
    /// What was dropped, by endpoint and priority.
    pub dropped: Vec<DroppedRange>,
    /// Free space of the journal's disk in bytes when this was stated.
    pub free_bytes: u64,
}

/// Deliveries of one endpoint and priority that were dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedRange {
    /// To whom they were owed.
    pub endpoint: Name,
    /// Their priority.
    pub priority: Priority,
    /// The lowest sequence number of them.
    pub from: u64,
    /// The highest; other priorities share the numbers in between.
    pub to: u64,
    /// How many.
    pub count: u64,
}
