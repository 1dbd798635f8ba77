//! Which cameras are there, said by events: `camera.offline`, `camera.online`.
//!
//! Owns the looking, the making of such an event and its way into the journal; refuses to know what is worth one
//! (`presence`). Runs on tokio; a camera's thread never waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::crew::{Crew, Status};
use super::scribe::Scribe;
use crate::camera::{Snapshot, State};
use crate::event::{Event, EventData, Metadata, Priority};
use crate::journal::{self, Reader, Record};
use crate::name::Name;
use crate::presence::{Presence, Sight};
use crate::time::{self, Boot, Now};

/// Cameras are looked at this often.
const LOOK: Duration = Duration::from_secs(1);

/// A journal that refused is asked again after so long.
const REFUSED: Duration = Duration::from_secs(30);

/// All cameras, and who is told.
pub(super) struct Attendance {
    scribe: Scribe,
    crew: Arc<Crew>,
    started: Now,
    /// Which of the crew's lists `seats` follows.
    changes: Option<u64>,
    /// What was told of them by the last process, until their cameras are seated.
    kept: BTreeMap<Name, String>,
    seats: Vec<Seat>,
}

/// One camera.
struct Seat {
    camera: Name,
    status: Status,
    presence: Presence,
    /// Not before; the journal refused.
    not_before: Option<Now>,
}

impl Attendance {
    /// Goes on from what was told of the cameras of `crew` by the last process.
    ///
    /// # Errors
    /// The journal can't be read.
    pub(super) fn new(
        reader: &Reader,
        scribe: Scribe,
        crew: Arc<Crew>,
        started: Now,
    ) -> Result<Attendance, super::StartError> {
        let kept = reader.presences()?.into_iter().collect();
        Ok(Attendance { scribe, crew, started, changes: None, kept, seats: Vec::new() })
    }

    /// For ever.
    pub(super) async fn keep(mut self) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            self.follow();
            for index in 0..self.seats.len() {
                self.look(index, time::now()).await;
            }
        }
    }

    /// One seat for each camera that there is; of others nothing is remembered.
    fn follow(&mut self) {
        let changes = Some(self.crew.changes());
        if self.changes == changes {
            return;
        }
        self.changes = changes;
        let mut before: BTreeMap<Name, Presence> =
            std::mem::take(&mut self.seats).into_iter().map(|seat| (seat.camera, seat.presence)).collect();
        for (camera, status) in self.crew.each(|it| (it.camera.name().clone(), it.camera.status_reader())) {
            let presence = before.remove(&camera).unwrap_or_else(|| loaded(&camera, self.kept.remove(&camera)));
            self.seats.push(Seat { camera, status, presence, not_before: None });
        }
        for gone in before.into_keys().chain(std::mem::take(&mut self.kept).into_keys()) {
            // In order with everything that follows, so nobody needs to wait for it.
            drop(self.scribe.writer.forget_camera(gone));
        }
    }

    async fn look(&mut self, index: usize, now: Now) {
        let seat = &mut self.seats[index];
        let Some(sight) = sight(&(seat.status)(), self.started) else { return };
        seat.presence.look(sight);
        if seat.not_before.is_some_and(|at| now.mono < at.mono) {
            return;
        }
        let seat = &self.seats[index];
        let Some((next, data)) = seat.presence.tell(now, Boot::current()) else { return };
        let told = self.tell(&seat.camera, &next, data, now).await;
        let seat = &mut self.seats[index];
        match told {
            Ok(()) => seat.presence = next,
            Err(error) => {
                tracing::error!(camera = %seat.camera, %error, "what happened to a camera can't be recorded yet");
                seat.not_before = Some(now.plus(REFUSED));
            }
        }
    }

    async fn tell(&self, camera: &Name, next: &Presence, data: EventData, now: Now) -> Result<(), journal::Error> {
        let event = Event {
            id: now.new_id(),
            observed: now,
            boot: Boot::current(),
            device: self.scribe.device.to_string(),
            camera: Some(camera.clone()),
            monitor: None,
            job: None,
            priority: Priority::High,
            metadata: Metadata::new(),
            data,
        };
        let (id, kind) = (event.id, event.data.kind());
        let record = Record { at: now, events: vec![self.scribe.accepted(event)], machine: None, jobs: Vec::new() };
        self.scribe.writer.tell_of_camera(camera.clone(), next.saved(), record).await?;
        tracing::info!(%camera, event = kind.as_str(), %id, "told");
        Ok(())
    }
}

/// What was told of a camera; nothing where that is not known.
fn loaded(camera: &Name, kept: Option<String>) -> Presence {
    kept.map_or_else(Presence::fresh, |saved| {
        Presence::load(&saved).unwrap_or_else(|error| {
            tracing::error!(%camera, %error, "its events begin afresh");
            Presence::fresh()
        })
    })
}

/// None: there is nothing to say about it, a clip is at its end.
fn sight(status: &Snapshot, started: Now) -> Option<Sight> {
    if status.state == State::Ended {
        return None;
    }
    Some(Sight {
        up: status.state == State::Online,
        since: status.since.unwrap_or(started),
        picture: status.last_frame,
        cause: status.cause.as_ref().map_or("timeout", |problem| problem.code()),
        common: status.common,
        losses: status.losses,
    })
}
