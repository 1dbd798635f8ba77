//! A connection for reading.
//!
//! Owns a read-only connection and what all queries need; refuses to write. Works beside the daemon and without one.

use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::entry::{JobRow, MachineRow};
use super::error::{Error, OpenError};
use super::listing::{
    AttemptRow, DeliveryFilter, DeliveryRow, Due, EndpointCounts, EventFilter, EventRow, JobFilter, Totals,
};
use crate::name::Name;
use crate::time::Wall;

/// A connection for reading: `Send`, not `Sync`, so one for each thread or task. Every query is short, sees one state of
/// the journal, and blocks: from tokio use `spawn_blocking`.
pub struct Reader {}

impl Reader {
    /// Opens the journal in `dir` for reading, without the lock. Errors: [`OpenError::Missing`], [`OpenError::Newer`].
    pub fn open(_dir: &Path) -> Result<Reader, OpenError> {
        todo!()
    }

    /// Events behind `filter.after`, oldest first.
    pub fn events(&self, _filter: &EventFilter) -> Result<Vec<EventRow>, Error> {
        todo!()
    }

    /// The newest `limit` events that the filter lets through, oldest first; `filter.after` holds too.
    pub fn latest_events(&self, _filter: &EventFilter) -> Result<Vec<EventRow>, Error> {
        todo!()
    }

    /// One event.
    pub fn event(&self, _id: Uuid) -> Result<Option<EventRow>, Error> {
        todo!()
    }

    /// Deliveries behind `filter.after`, oldest first.
    pub fn deliveries(&self, _filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, Error> {
        todo!()
    }

    /// Dead letters that no operator dropped, oldest first; `filter.state` narrows them further.
    pub fn dead_letters(&self, _filter: &DeliveryFilter) -> Result<Vec<DeliveryRow>, Error> {
        todo!()
    }

    /// One delivery with its attempts, oldest first.
    pub fn delivery(&self, _id: Uuid) -> Result<Option<(DeliveryRow, Vec<AttemptRow>)>, Error> {
        todo!()
    }

    /// What may be sent to `endpoint` at `now`: by priority, within it by when it became due. In flight is not known here:
    /// ask for as many more as you have in flight, and leave those out.
    pub fn due(&self, _endpoint: &Name, _now: Wall, _limit: u32) -> Result<Vec<Due>, Error> {
        todo!()
    }

    /// When the next delivery of `endpoint` becomes due (it may lie in the past), and after how long at most: a wait of
    /// more than its delay means that the clock was set back ([`super::Writer::rein_in`]).
    pub fn next_due(&self, _endpoint: &Name) -> Result<Option<(Wall, Duration)>, Error> {
        todo!()
    }

    /// All machines.
    pub fn machines(&self) -> Result<Vec<MachineRow>, Error> {
        todo!()
    }

    /// Jobs, newest first.
    pub fn jobs(&self, _filter: &JobFilter) -> Result<Vec<JobRow>, Error> {
        todo!()
    }

    /// How the endpoints do that were ever owed something, by name.
    pub fn endpoint_counts(&self, _now: Wall) -> Result<Vec<EndpointCounts>, Error> {
        todo!()
    }

    /// The journal as a whole.
    pub fn totals(&self) -> Result<Totals, Error> {
        todo!()
    }
}
