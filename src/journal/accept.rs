//! Acceptance: events, what is owed because of them, the machine and its jobs, in one transaction.
//!
//! Owns the order files, sequence, body, row; refuses to know formats (a closure of the caller's renders) and schedules.
//! Runs on the thread `journal-writer`.

use std::io;
use std::sync::Arc;

use rusqlite::named_params;
use uuid::Uuid;

use super::body::Body;
use super::clips::{self, Filmed};
use super::clock;
use super::columns::{to_integer, to_json, to_rank};
use super::entry::{Accepted, Owed, OwedFrame, Record, Recorded, RecordedEvent, Stamp};
use super::error::Error;
use super::frames::Frames;
use super::group::{Change, Ledger};
use super::machines::{put_job, put_machine};
use super::relief::{self, Reach};
use super::room::Purpose;
use crate::delivery::State;
use crate::event::{Event, EventData, Priority};
use crate::name::Name;
use crate::time::Now;

/// A [`Record`] on its way into the journal.
pub(super) struct Acceptance {
    record: Record,
    files: Vec<Files>,
    /// Whom its events would have been told to, had their monitor been armed; None: it is.
    shadow: Option<Vec<Vec<Name>>>,
    /// The clip that shows each of its events, where one does.
    filmed: Vec<Option<Filmed>>,
}

/// What events are to the journal: how much room there is for them, and what may go for their sake.
#[derive(Clone, Copy)]
enum Worth {
    /// Of a monitor that only rehearses: it takes nobody's room. What it has begun may end: who is armed begins behind it.
    Rehearsal { holds_alert: bool },
    /// It takes the room of nothing that somebody waits for.
    Heartbeat,
    /// What became of clips: nor does it take any that an alert may need.
    News,
    /// The most urgent has this priority.
    Alert(Priority),
    /// The same, of anything else.
    Outcome(Priority),
}

impl Worth {
    fn purpose(self) -> Purpose {
        match self {
            Worth::Rehearsal { holds_alert: true } => Purpose::Rehearsal,
            Worth::Rehearsal { holds_alert: false } => Purpose::Outcome,
            Worth::Heartbeat => Purpose::Heartbeat,
            Worth::News => Purpose::News,
            Worth::Alert(priority) => Purpose::Alert(priority),
            Worth::Outcome(_) => Purpose::Outcome,
        }
    }

    fn reach(self) -> Reach {
        match self {
            Worth::Rehearsal { .. } => Reach::Rehearsed,
            Worth::Heartbeat | Worth::News => Reach::Over,
            Worth::Alert(priority) | Worth::Outcome(priority) => Reach::Owed(priority),
        }
    }
}

/// The files of one event.
struct Files {
    original: Option<String>,
    /// One for each [`Owed`].
    owed: Vec<Option<String>>,
}

impl Acceptance {
    /// Nothing is written yet.
    pub(super) fn new(record: Record) -> Acceptance {
        Acceptance { record, files: Vec::new(), shadow: None, filmed: Vec::new() }
    }

    /// The same of alerts that are recorded. `filmed`: of each event, whether a clip shows it, and which.
    pub(super) fn filmed(record: Record, filmed: Vec<Option<Filmed>>) -> Acceptance {
        Acceptance { filmed, ..Acceptance::new(record) }
    }

    /// The same of events that have no pictures, so that nothing needs to be prepared.
    pub(super) fn without_frames(record: Record) -> Acceptance {
        let none = |accepted: &Accepted| Files { original: None, owed: vec![None; accepted.owed.len()] };
        Acceptance { files: record.events.iter().map(none).collect(), ..Acceptance::new(record) }
    }

    /// What its events are to the journal; None: there are none.
    fn worth(&self) -> Option<Worth> {
        let most_urgent = self.events().map(|event| event.priority).min()?;
        let is_alert = |event: &Event| matches!(event.data, EventData::Triggered(_));
        let holds_alert = self.events().any(is_alert);
        Some(if self.shadow.is_some() {
            Worth::Rehearsal { holds_alert }
        } else if self.events().all(|event| matches!(event.data, EventData::Heartbeat(_))) {
            Worth::Heartbeat
        } else if self.events().all(tells_of_clip) {
            Worth::News
        } else if holds_alert {
            Worth::Alert(most_urgent)
        } else {
            Worth::Outcome(most_urgent)
        })
    }

    fn events(&self) -> impl Iterator<Item = &Event> {
        self.record.events.iter().map(|accepted| &accepted.event)
    }

    /// Whether there is room for what happened. States of machines and jobs need none of it worth speaking of: mostly they
    /// replace what is there.
    fn find_room(&self, ledger: &Ledger<'_>) -> Result<(), Error> {
        let Some(worth) = self.worth() else { return Ok(()) };
        if ledger.room.is_left(ledger.connection, worth.purpose())? {
            return Ok(());
        }
        Err(match worth {
            Worth::Rehearsal { .. } => Error::Tight("a rehearsal takes no room of what is told"),
            Worth::Heartbeat => Error::Tight("a heartbeat takes no room of what is owed"),
            Worth::News => Error::Tight("what is told of a clip takes no room of alerts"),
            Worth::Alert(_) | Worth::Outcome(_) => Error::Full("its database has no room for another event".to_owned()),
        })
    }

    /// The same of a monitor that only rehearses. `addressees`: who would have been owed each event.
    pub(super) fn rehearsed(record: Record, addressees: Vec<Vec<Name>>) -> Acceptance {
        Acceptance { shadow: Some(addressees), ..Acceptance::new(record) }
    }
}

impl Change for Acceptance {
    type Answer = Recorded;

    fn prepare(&mut self, frames: &mut Frames) -> io::Result<()> {
        self.files =
            self.record.events.iter().map(|accepted| keep_frames(accepted, frames)).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn make_room(&self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        match self.worth() {
            Some(worth) => relief::make_room(ledger, worth.reach(), self.record.at.wall),
            None => Ok(()),
        }
    }

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<Recorded, Error> {
        self.find_room(ledger)?;
        let at = self.record.at;
        clock::advance(ledger.connection, at)?;
        let mut events = Vec::with_capacity(self.record.events.len());
        for (n, (accepted, files)) in self.record.events.into_iter().zip(self.files).enumerate() {
            let Accepted { event, owed, .. } = accepted;
            let shadow = self.shadow.as_ref().map(|shadow| shadow.get(n).map_or(&[][..], Vec::as_slice));
            let seq = insert_event(ledger, &event, at, files.original.as_deref(), (owed.len(), shadow))?;
            if let Some(filmed) = self.filmed.get(n).and_then(Option::as_ref) {
                let camera = event.camera.as_ref().map_or("", Name::as_str);
                clips::film(ledger.connection, filmed, camera, (seq, at.wall))?;
            }
            let moment_us = moment_us(&event, seq, ledger.start.epoch);
            let mut deliveries = Vec::with_capacity(owed.len());
            for (owed, file) in owed.into_iter().zip(files.owed) {
                deliveries.push(insert_delivery(ledger, &event, (seq, moment_us), at, owed, file)?);
            }
            ledger.newest = Some(seq);
            events.push(RecordedEvent { seq, moment_us, deliveries });
        }
        if let Some(machine) = &self.record.machine {
            put_machine(ledger.connection, machine)?;
        }
        for job in &self.record.jobs {
            put_job(ledger.connection, job)?;
        }
        Ok(Recorded { events })
    }
}

fn tells_of_clip(event: &Event) -> bool {
    matches!(event.data, EventData::Clip(_))
}

/// Writes the original, and one file for each distinct picture that was scaled down. One that the disk refuses is left
/// out: an event without its picture is worth more than none.
fn keep_frames(accepted: &Accepted, frames: &mut Frames) -> io::Result<Files> {
    let event = accepted.event.id;
    let original = match &accepted.frame {
        Some(jpeg) => frames.keep(event, 0, jpeg)?,
        None => None,
    };
    let mut scaled: Vec<(Arc<[u8]>, String)> = Vec::new();
    let mut owed = Vec::with_capacity(accepted.owed.len());
    for Owed { frame, .. } in &accepted.owed {
        owed.push(match frame {
            OwedFrame::None => None,
            OwedFrame::Original => original.clone(),
            OwedFrame::Scaled(jpeg) => match scaled.iter().find(|(other, _)| other == jpeg) {
                Some((_, name)) => Some(name.clone()),
                None => {
                    let name = frames.keep(event, scaled.len() + 1, jpeg)?;
                    scaled.extend(name.clone().map(|name| (jpeg.clone(), name)));
                    name
                }
            },
        });
    }
    Ok(Files { original, owed })
}

fn insert_event(
    ledger: &Ledger<'_>,
    event: &Event,
    at: Now,
    frame: Option<&str>,
    (owed, shadow): (usize, Option<&[Name]>),
) -> Result<i64, Error> {
    let (open_id, repeat) = match &event.data {
        EventData::Triggered(triggered) => (Some(triggered.open_id), Some(triggered.repeat)),
        EventData::Cleared(cleared) => (Some(cleared.open_id), None),
        EventData::JobStatus(_)
        | EventData::CameraOffline(_)
        | EventData::CameraOnline(_)
        | EventData::Heartbeat(_)
        | EventData::JournalReset(_)
        | EventData::JournalOverflow(_)
        | EventData::Clip(_) => (None, None),
    };
    let mut statement = ledger.connection.prepare_cached(
        "INSERT INTO event (id, type, device, camera, monitor, job, open_id, repeat, priority, observed_ms, boot,
                            observed_ns, synced, recorded_ms, metadata, data, frame, owed, shadow)
         VALUES (:id, :type, :device, :camera, :monitor, :job, :open_id, :repeat, :priority, :observed_ms, :boot,
                 :observed_ns, :synced, :recorded_ms, :metadata, :data, :frame, :owed, :shadow)",
    )?;
    Ok(statement.insert(named_params! {
        ":id": event.id.as_bytes(),
        ":type": event.data.kind().as_str(),
        ":device": event.device,
        ":camera": event.camera.as_ref().map_or("", Name::as_str),
        ":monitor": event.monitor.as_ref().map_or("", Name::as_str),
        ":job": event.job.unwrap_or_default().as_bytes(),
        ":open_id": open_id.map(Uuid::into_bytes),
        ":repeat": repeat,
        ":priority": to_rank(event.priority),
        ":observed_ms": event.observed.wall.0,
        ":boot": event.boot.0.as_bytes(),
        ":observed_ns": to_integer(event.observed.mono.0),
        ":synced": event.observed.synced,
        ":recorded_ms": at.wall.0,
        ":metadata": to_json(&event.metadata)?,
        ":data": to_json(&event.data)?,
        ":frame": frame,
        ":owed": to_integer(owed as u64),
        ":shadow": shadow.map(|addressees| to_json(&addressees)).transpose()?,
    })?)
}

/// Microseconds of the wall clock that no other event has, but for a thousandth later one of the same millisecond; the same
/// for whoever is owed it. Events come with milliseconds, and not in order; what is below them tells events apart, and boxes
/// that share a receiver, whose epochs differ.
fn moment_us(event: &Event, seq: i64, epoch: Uuid) -> i64 {
    let below = (epoch.as_u128() % 1000) as i64 + seq % 1000;
    event.observed.wall.0.saturating_mul(1000).saturating_add(below % 1000)
}

/// Takes the endpoint's next sequence number, freezes the body with it, and makes the delivery due at once; an endpoint
/// that is gone gets its row all the same, so that the number is accounted for and the body can be re-driven.
fn insert_delivery(
    ledger: &mut Ledger<'_>,
    event: &Event,
    (seq, moment_us): (i64, i64),
    at: Now,
    owed: Owed,
    frame: Option<String>,
) -> Result<Stamp, Error> {
    let (sequence, gone): (i64, bool) = ledger
        .connection
        .prepare_cached(
            "INSERT INTO endpoint_state (name, next_sequence) VALUES (?1, 2)
             ON CONFLICT (name) DO UPDATE SET next_sequence = next_sequence + 1
             RETURNING next_sequence - 1, gone",
        )?
        .query_row([owed.endpoint.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (delivery, epoch) = (at.new_id(), ledger.start.epoch);
    let stamp = Stamp { delivery, sequence: sequence.unsigned_abs(), moment_us, epoch };
    let body: Body = (owed.render)(&stamp);
    let state = if gone { State::SkippedGone } else { State::Pending };
    let mut statement = ledger.connection.prepare_cached(
        "INSERT INTO delivery (id, event_seq, endpoint, sequence, priority, state, due_ms, delay_ms, generation,
                               accepted_ms, accepted_ns, ended_ms, format_version, body, hole, frame, of_clip)
         VALUES (:id, :event_seq, :endpoint, :sequence, :priority, :state, :at, 0, :generation,
                 :at, :accepted_ns, :ended_ms, :format_version, :body, :hole, :frame, :of_clip)",
    )?;
    statement.execute(named_params! {
        ":id": stamp.delivery.as_bytes(),
        ":event_seq": seq,
        ":endpoint": owed.endpoint.as_str(),
        ":sequence": sequence,
        ":priority": to_rank(event.priority),
        ":state": state.as_str(),
        ":at": at.wall.0,
        ":generation": to_integer(ledger.start.generation),
        ":accepted_ns": to_integer(at.mono.0),
        ":ended_ms": gone.then_some(at.wall.0),
        ":format_version": owed.format_version,
        ":body": body.text(),
        ":hole": body.hole().map(|hole| to_integer(hole as u64)),
        ":frame": frame,
        ":of_clip": tells_of_clip(event),
    })?;
    if !gone {
        ledger.woken.insert(owed.endpoint);
    }
    Ok(stamp)
}
