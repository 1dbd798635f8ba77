//! Which cameras are there, said by events: `camera.offline`, `camera.online`.
//!
//! Owns the looking, the making of such an event and its way into the journal; refuses to know what is worth one
//! (`presence`). Runs on tokio; a camera's thread never waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::crew::{Crew, Status};
use super::plan::Plans;
use super::roster::has;
use super::scribe::Scribe;
use crate::camera::{Mailbox, Snapshot, State};
use crate::config::Part;
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
    plans: Plans,
    started: Now,
    /// Which of the crew's lists `seats` follows.
    changes: Option<u64>,
    /// Of cameras that are to run and don't yet: what was told of them by the last process, or before they were changed.
    kept: BTreeMap<Name, String>,
    seats: Vec<Seat>,
}

/// One camera.
struct Seat {
    camera: Name,
    /// Tells one camera of that name from the next.
    mailbox: Weak<Mailbox>,
    /// It is down since then unless it says otherwise.
    begun: Now,
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
        plans: Plans,
        started: Now,
    ) -> Result<Attendance, super::StartError> {
        let kept = reader.presences()?.into_iter().collect();
        Ok(Attendance { scribe, crew, plans, started, changes: None, kept, seats: Vec::new() })
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

    /// One seat for each camera that runs. Of those that are to run it is kept what was told, of others nothing.
    fn follow(&mut self) {
        let changes = Some(self.crew.changes());
        if self.changes == changes {
            return;
        }
        let begun = if self.changes.is_none() { self.started } else { time::now() };
        self.changes = changes;
        let mut before: BTreeMap<Name, Seat> =
            std::mem::take(&mut self.seats).into_iter().map(|seat| (seat.camera.clone(), seat)).collect();
        let running = self.crew.each(|it| {
            let camera = &it.camera;
            (camera.name().clone(), Arc::downgrade(&camera.mailbox()), camera.status_reader())
        });
        for (camera, mailbox, status) in running {
            let seat = match before.remove(&camera) {
                Some(seat) if seat.mailbox.ptr_eq(&mailbox) => seat,
                // A changed camera counts from nothing again: what follows is as after a restart of the daemon.
                changed => {
                    let told = changed.map(|seat| seat.presence.saved()).or_else(|| self.kept.remove(&camera));
                    let presence = loaded(&camera, told);
                    Seat { camera, mailbox, begun, status, presence, not_before: None }
                }
            };
            self.seats.push(seat);
        }
        self.kept.extend(before.into_iter().map(|(camera, seat)| (camera, seat.presence.saved())));
        let plan = self.plans.now();
        for gone in self.kept.extract_if(.., |camera, _| !has(&plan.config, Part::Camera, camera)) {
            // In order with everything that follows, so nobody needs to wait for it.
            drop(self.scribe.writer.forget_camera(gone.0));
        }
    }

    async fn look(&mut self, index: usize, now: Now) {
        let seat = &mut self.seats[index];
        let Some(sight) = sight(&(seat.status)(), seat.begun) else { return };
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
fn sight(status: &Snapshot, begun: Now) -> Option<Sight> {
    if status.state == State::Ended {
        return None;
    }
    Some(Sight {
        up: status.state == State::Online,
        since: status.since.unwrap_or(begun),
        picture: status.last_frame,
        cause: status.cause.as_ref().map_or("timeout", |problem| problem.code()),
        common: status.common,
        losses: status.losses,
    })
}
