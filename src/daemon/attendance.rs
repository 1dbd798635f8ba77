//! Which cameras are there, said by events: `camera.offline`, `camera.online`.
//!
//! Owns the looking, the making of such an event and its way into the journal; refuses to know what is worth one
//! (`presence`). Runs on tokio; a camera's thread never waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::camera::{Camera, Snapshot, State};
use crate::config::Config;
use crate::event::{Event, EventData, Metadata, Priority};
use crate::journal::{self, Accepted, Journal, Record, Writer};
use crate::name::Name;
use crate::presence::{Presence, Sight};
use crate::time::{self, Boot, Now};
use crate::watch;

/// Cameras are looked at this often.
const LOOK: Duration = Duration::from_secs(1);

/// A journal that refused is asked again after so long.
const REFUSED: Duration = Duration::from_secs(30);

/// All cameras, and who is told.
pub(super) struct Attendance {
    writer: Writer,
    config: Arc<Config>,
    device: Arc<str>,
    started: Now,
    seats: Vec<Seat>,
}

/// One camera.
struct Seat {
    camera: Name,
    status: Box<dyn Fn() -> Snapshot + Send + Sync>,
    presence: Presence,
    /// Not before; the journal refused.
    not_before: Option<Now>,
}

impl Attendance {
    /// Goes on from what was told of `cameras` by the last process.
    ///
    /// # Errors
    /// The journal can't be read.
    pub(super) fn new(
        journal: &Journal,
        config: Arc<Config>,
        device: Arc<str>,
        started: Now,
        cameras: &[Camera],
    ) -> Result<Attendance, super::StartError> {
        let mut kept: BTreeMap<Name, String> = journal.reader()?.presences()?.into_iter().collect();
        let mut seats = Vec::new();
        for camera in cameras {
            let presence = kept.remove(camera.name()).map_or_else(Presence::fresh, |saved| {
                Presence::load(&saved).unwrap_or_else(|error| {
                    tracing::error!(camera = %camera.name(), %error, "its events begin afresh");
                    Presence::fresh()
                })
            });
            seats.push(Seat {
                camera: camera.name().clone(),
                status: camera.status_reader(),
                presence,
                not_before: None,
            });
        }
        let writer = journal.writer();
        for gone in kept.into_keys() {
            // In order with everything that follows, so nobody needs to wait for it.
            drop(writer.forget_camera(gone));
        }
        Ok(Attendance { writer, config, device, started, seats })
    }

    /// For ever.
    pub(super) async fn keep(mut self) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            for index in 0..self.seats.len() {
                self.look(index, time::now()).await;
            }
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
            device: self.device.to_string(),
            camera: Some(camera.clone()),
            monitor: None,
            job: None,
            priority: Priority::High,
            metadata: Metadata::new(),
            data,
        };
        let (id, kind) = (event.id, event.data.kind());
        let owed = watch::owed_by_the_box(&event, &self.config.endpoints);
        let accepted = Accepted { event, frame: None, owed };
        let record = Record { at: now, events: vec![accepted], machine: None, jobs: Vec::new() };
        self.writer.tell_of_camera(camera.clone(), next.saved(), record).await?;
        tracing::info!(%camera, event = kind.as_str(), %id, "told");
        Ok(())
    }
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
