//! The ledger of the daemon: what a machine decided becomes events, deliveries and rows, in one transaction.
//!
//! Owns which facts an event states and to whom it is owed; refuses to know SQL, formats and thresholds. Runs on the watch
//! thread, which waits for the commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::addressees::Addressees;
use super::aloud;
use super::footage::{Footage, Scene};
use super::kept::Kept;
use super::ledger::{Evidence, Happening, Ledger, Refused};
use super::machine::Machine;
use super::subject::About;
use crate::broadcast::Broadcast;
use crate::condition::Effect;
use crate::config::{Endpoint, FrameChoice, Storage};
use crate::event::{AlertClip, Cleared, Event, EventData, EventType, JobReport, JobStatus, Triggered};
use crate::journal::{Accepted, Body, Checkpoint, JobRow, Owed, OwedFrame, Record, Stamp, Writer};
use crate::name::Name;
use crate::payload::{self, Envelope};
use crate::picture::{self, Scaler};
use crate::time::{Boot, Mono, Now, Wall};
use crate::verdict::{Verdict, rounded};

/// Writes what happens on one camera into the journal.
pub struct JournalLedger {
    writer: Writer,
    device: Arc<str>,
    addressees: Addressees,
    snapshot_width: u32,
    snapshot_quality: u8,
    boot: Boot,
    scaler: Scaler,
    /// The last picture, and when its frame arrived: many monitors may trigger at one.
    last: Option<(Mono, Arc<[u8]>)>,
    broadcast: Broadcast,
    /// None: nothing is recorded.
    footage: Option<Footage>,
}

impl JournalLedger {
    /// Events of `device`, owed to `addressees`.
    pub fn new(writer: Writer, device: Arc<str>, addressees: Addressees, storage: &Storage) -> JournalLedger {
        JournalLedger {
            writer,
            device,
            addressees,
            snapshot_width: storage.snapshot_width,
            snapshot_quality: storage.snapshot_quality,
            boot: Boot::current(),
            scaler: Scaler::default(),
            last: None,
            broadcast: Broadcast::default(),
            footage: None,
        }
    }

    /// Says aloud what happens, too.
    pub fn heard_by(self, broadcast: Broadcast) -> JournalLedger {
        JournalLedger { broadcast, ..self }
    }

    /// Has alerts recorded, too.
    pub fn filmed_by(self, footage: Footage) -> JournalLedger {
        JournalLedger { footage: Some(footage), ..self }
    }

    /// Brings counters and hold windows on disk.
    ///
    /// # Errors
    /// The journal refused.
    pub fn checkpoint(&mut self, machines: &[Machine], now: Now) -> Result<(), Refused> {
        let mut checkpoint = Checkpoint::default();
        for machine in machines.iter().filter(|machine| machine.is_alone()) {
            checkpoint.machines.push(Kept::row(&machine.subject().about, machine.state(), now, self.boot)?);
            checkpoint.jobs.extend(machine.state().job().map(|job| (job.id(), job.counters().clone())));
        }
        self.writer.checkpoint(checkpoint).wait()?;
        Ok(())
    }

    fn accept(&mut self, happening: &Happening<'_>, effect: &Effect, clip: Option<AlertClip>) -> Option<Accepted> {
        let (job, observed, data) = facts(happening, effect, clip)?;
        let frame = match (&data, happening.evidence) {
            (EventData::Triggered(_), Some(evidence)) => self.snapshot(evidence),
            _ => None,
        };
        let about = happening.about;
        let event = Event {
            id: happening.now.new_id(),
            observed,
            boot: self.boot,
            device: self.device.to_string(),
            camera: Some(about.camera.clone()),
            monitor: Some(about.monitor.clone()),
            job: Some(job),
            priority: about.priority,
            metadata: about.metadata.clone(),
            data,
        };
        let owed = if about.shadow { Vec::new() } else { self.owed(about, &event, frame.as_ref()) };
        Some(Accepted { event, frame, owed })
    }

    /// The frame as JPEG. An event without its picture is still an event.
    fn snapshot(&mut self, evidence: Evidence<'_>) -> Option<Arc<[u8]>> {
        let arrived = evidence.frame.arrived.mono;
        if let Some((_, jpeg)) = self.last.as_ref().filter(|(of, _)| *of == arrived) {
            return Some(jpeg.clone());
        }
        match picture::jpeg(&mut self.scaler, evidence.frame, self.snapshot_width, self.snapshot_quality) {
            Ok(jpeg) => {
                let jpeg: Arc<[u8]> = jpeg.into();
                self.last = Some((arrived, jpeg.clone()));
                Some(jpeg)
            }
            Err(error) => {
                tracing::error!(%error, "an event goes without its frame");
                None
            }
        }
    }

    fn owed(&self, about: &About, event: &Event, frame: Option<&Arc<[u8]>>) -> Vec<Owed> {
        let shared = Arc::new(event.clone());
        let subscribed = |endpoint: &&Endpoint| wants(endpoint, about, event.data.kind());
        // Endpoints with one `max_body` share one picture: scaling is the dear part of an alert.
        let mut fitted = BTreeMap::new();
        let owed = |endpoint| owed_to(endpoint, &shared, frame, &mut fitted);
        self.addressees.now().iter().filter(subscribed).filter_map(owed).collect()
    }

    /// Whom each of `events` would have been told to, had the monitor been armed.
    fn would_be_owed(&self, about: &About, events: &[Accepted]) -> Vec<Vec<Name>> {
        let endpoints = self.addressees.now();
        let addressees = |accepted: &Accepted| {
            let kind = accepted.event.data.kind();
            let told =
                endpoints.iter().filter(|endpoint| wants(endpoint, about, kind) && endpoint.format.expresses(kind));
            told.map(|endpoint| endpoint.name.clone()).collect()
        };
        events.iter().map(addressees).collect()
    }
}

/// Whether `endpoint` gets events of this kind of that monitor.
fn wants(endpoint: &Endpoint, about: &About, kind: EventType) -> bool {
    about.endpoints.contains(&endpoint.name) && endpoint.events.contains(&kind)
}

impl Ledger for JournalLedger {
    fn record(&mut self, happening: Happening<'_>) -> Result<(), Refused> {
        let footage = self.footage.clone();
        let plan = footage.as_ref().and_then(|footage| footage.plan_for(&happening));
        let mut scene = footage.as_ref().zip(plan.as_ref()).map(|(footage, plan)| Scene::new(footage, plan));
        let (mut events, mut filmed) = (Vec::new(), Vec::new());
        for effect in happening.effects {
            let (clip, film) = scene.as_mut().and_then(|scene| scene.see(&happening, effect)).unzip();
            if let Some(event) = self.accept(&happening, effect, clip) {
                events.push(event);
                filmed.push(film);
            }
        }
        let accepted: Vec<Uuid> = events.iter().map(|accepted| accepted.event.id).collect();
        let shadow = happening.about.shadow.then(|| self.would_be_owed(happening.about, &events));
        let unsaid = match shadow {
            None => aloud::alerts_of(&events, &self.broadcast),
            Some(_) => Vec::new(),
        };
        let machine = Kept::row(happening.about, happening.state, happening.now, self.boot)?;
        let jobs = happening.effects.iter().filter_map(|effect| job_row(&happening, effect)).collect();
        let record = Record { at: happening.now, events, machine: Some(machine), jobs };
        let recorded = match shadow {
            None => self.writer.record_filmed(record, filmed),
            Some(addressees) => self.writer.rehearse(record, addressees),
        };
        let recorded = recorded.wait()?;
        if let Some(scene) = scene {
            scene.recorded();
        }
        // The promise in words: scripts/bench durability holds the daemon to it.
        for event in accepted {
            tracing::debug!(id = %event, "accepted");
        }
        aloud::say(unsaid, &recorded, &self.broadcast);
        for effect in happening.effects {
            announce(happening.about, effect);
        }
        Ok(())
    }

    fn verdict(&mut self, about: &About, verdict: &Verdict, seen: Now) {
        aloud::checked(about, verdict, seen, &self.broadcast);
    }
}

/// What an effect states as an event: its job, when it was observed, and the facts. None: it is no event.
fn facts(happening: &Happening<'_>, effect: &Effect, clip: Option<AlertClip>) -> Option<(Uuid, Now, EventData)> {
    match effect {
        Effect::Triggered { job, open_id, repeat, confidence, started, observed } => {
            let Evidence { subject, verdict, .. } = happening.evidence?;
            let ran_ms = happening.state.job().filter(|it| it.id() == *job).map_or(0, |it| it.counters().elapsed_ms);
            let (from_ms, to_ms) = within_job(ran_ms, happening.now, *started, *observed);
            let triggered = Triggered {
                open_id: *open_id,
                repeat: *repeat,
                condition: happening.about.condition.clone(),
                answer: verdict.answer,
                confidence: *confidence,
                threshold: subject.spec.confidence_threshold,
                explanation: verdict.explanation.clone(),
                regions: verdict.regions.clone(),
                z: verdict.z,
                answer_mass: verdict.answer_mass,
                model: subject.model.clone(),
                source_url: subject.source_url.clone(),
                started: *started,
                label: subject.label.clone(),
                from_ms,
                to_ms,
                clip,
            };
            Some((*job, *observed, EventData::Triggered(triggered)))
        }
        Effect::Cleared { job, open_id, started, ended, peak_confidence, reason } => {
            let cleared = Cleared {
                open_id: *open_id,
                condition: happening.about.condition.clone(),
                started: *started,
                ended: ended.wall,
                peak_confidence: *peak_confidence,
                reason: *reason,
            };
            Some((*job, *ended, EventData::Cleared(cleared)))
        }
        Effect::JobEnded { job, reason, counters } => {
            let report = JobReport { reason: *reason, counters: counters.clone() };
            Some((*job, happening.now, EventData::JobStatus(report)))
        }
        Effect::JobStarted { .. } | Effect::JobRunning { .. } => None,
    }
}

/// From when to when an event goes that is triggered by a check of what was `observed`, in milliseconds of its job's run
/// time, of which `ran_ms` have passed by `now`.
fn within_job(ran_ms: u64, now: Now, started: Wall, observed: Now) -> (u64, u64) {
    let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let to = ran_ms.saturating_sub(ms(now.mono.since(observed.mono)));
    (to.saturating_sub(ms(observed.wall.since(started))), to)
}

/// The row of a job that began, changed or ended. Its start, once written, stays.
fn job_row(happening: &Happening<'_>, effect: &Effect) -> Option<JobRow> {
    let counters = || happening.state.job().map(|job| job.counters().clone()).unwrap_or_default();
    let (id, status, reason, counters) = match effect {
        Effect::JobStarted { job } => (*job, JobStatus::Pending, None, Default::default()),
        Effect::JobRunning { job } => (*job, JobStatus::Running, None, counters()),
        Effect::JobEnded { job, reason, counters } => (*job, reason.status(), Some(*reason), counters.clone()),
        Effect::Triggered { .. } | Effect::Cleared { .. } => return None,
    };
    let wall = happening.now.wall;
    Some(JobRow {
        id,
        monitor: happening.about.monitor.clone(),
        camera: happening.about.camera.clone(),
        origin: happening.about.origin,
        status,
        reason,
        counters,
        started: wall,
        ended: reason.map(|_| wall),
        request: happening.about.request.as_ref().map(ToString::to_string),
    })
}

/// What `endpoints` are owed because of an event of the whole box: every one that wants its type.
pub fn owed_by_the_box(event: &Event, endpoints: &[Endpoint]) -> Vec<Owed> {
    owed_by(event, endpoints.iter().filter(|endpoint| endpoint.events.contains(&event.data.kind())))
}

/// What those of `endpoints` are owed because of an event without a frame whose formats can say it.
pub fn owed_by<'e>(event: &Event, endpoints: impl Iterator<Item = &'e Endpoint>) -> Vec<Owed> {
    let shared = Arc::new(event.clone());
    endpoints.filter_map(|endpoint| owed_to(endpoint, &shared, None, &mut BTreeMap::new())).collect()
}

/// What `endpoint` is owed: a body that is rendered inside the transaction, and a frame that fits into it.
/// `fitted` are the frames of this event so far, by the bytes that they may take. None: its format can't say it.
fn owed_to(
    endpoint: &Endpoint,
    event: &Arc<Event>,
    frame: Option<&Arc<[u8]>>,
    fitted: &mut BTreeMap<usize, OwedFrame>,
) -> Option<Owed> {
    let (format, choice) = (endpoint.format, endpoint.frame);
    if !format.expresses(event.data.kind()) {
        return None;
    }
    let frame = match (frame, choice, payload::frame_budget(format, event, endpoint.max_body)) {
        (Some(frame), FrameChoice::Inline, Some(budget)) => {
            fitted.entry(budget).or_insert_with(|| fitting(frame, budget)).clone()
        }
        _ => OwedFrame::None,
    };
    let event = event.clone();
    let render = move |stamp: &Stamp| {
        let envelope = Envelope { epoch: stamp.epoch, sequence: stamp.sequence, moment_us: stamp.moment_us };
        let text = payload::render(format, &event, envelope, choice);
        Body::marked(text.expect("a format renders what it expresses"), payload::HOLE)
    };
    let version = payload::version(format);
    Some(Owed { endpoint: endpoint.name.clone(), frame, format_version: version, render: Box::new(render) })
}

fn fitting(frame: &Arc<[u8]>, budget: usize) -> OwedFrame {
    if frame.len() <= budget {
        return OwedFrame::Original;
    }
    match picture::fit(frame, budget) {
        Ok(Some(smaller)) => OwedFrame::Scaled(smaller.into()),
        Ok(None) => OwedFrame::None,
        Err(error) => {
            tracing::error!(%error, "a frame could not be scaled down");
            OwedFrame::None
        }
    }
}

/// One line of log for what is now on stable storage.
fn announce(about: &About, effect: &Effect) {
    let About { monitor, camera, .. } = about;
    match effect {
        Effect::Triggered { confidence, repeat, open_id, .. } => {
            let confidence = rounded(*confidence);
            let event = EventType::Triggered.as_str();
            tracing::info!(%monitor, %camera, event, confidence, repeat, %open_id, "triggered");
        }
        Effect::Cleared { open_id, reason, .. } => {
            let event = EventType::Cleared.as_str();
            tracing::info!(%monitor, %camera, event, %open_id, reason = reason.as_str(), "cleared");
        }
        Effect::JobStarted { job } => tracing::info!(%monitor, %camera, %job, "job started"),
        Effect::JobRunning { job } => tracing::info!(%monitor, %camera, %job, "job running"),
        Effect::JobEnded { job, reason, .. } => {
            let event = EventType::JobStatus.as_str();
            tracing::info!(%monitor, %camera, event, %job, reason = reason.as_str(), "job ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        let wall = Wall(1_769_423_700_000).plus(Duration::from_millis(ms));
        Now { mono: Mono(ms * 1_000_000), wall, synced: true }
    }

    #[test]
    fn an_event_goes_from_the_first_positive_check_to_the_one_that_triggers() {
        // The job's first frame came at 10 s, the check of what was seen at 14.8 s is answered at 15 s.
        let within = |started| within_job(5000, at(15_000), at(started).wall, at(14_800));
        assert_eq!(within(13_800), (3800, 4800));
        assert_eq!(within(14_800), (4800, 4800), "by one check");
        assert_eq!(within(15_900), (4800, 4800), "a wall clock that was set back");
        assert_eq!(within(0), (0, 4800), "the job was off since");
        assert_eq!(within_job(100, at(15_000), at(14_800).wall, at(14_800)), (0, 0), "its first frame");
    }
}
