//! Heartbeats: what was really watched, said by `device.heartbeat` events, so that silence means something.
//!
//! Owns the looking, the making of such an event and its way into the journal; refuses to know when one is due and what it
//! accounts for (`heartbeat`). Runs on tokio; no thread that watches ever waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::crew::Crew;
use super::scribe::Scribe;
use crate::config::Endpoint;
use crate::event::{
    CameraPulse, EndpointPulse, Event, EventData, EventType, Heartbeat, MonitorPulse, Priority, SkipReason,
};
use crate::heartbeat::{Accounts, Counted, Due, JobCounts, Moment, Rhythm, Watched, Work};
use crate::journal::{self, Accepted, EndpointCounts, Reader, Record};
use crate::name::Name;
use crate::time::{self, Boot, Now};
use crate::verdict::rounded;
use crate::watch::{self, Shown};

/// Counters are looked at this often: what a job did in its last moments before another one began would be missed.
const LOOK: Duration = Duration::from_secs(2);

/// Nothing is told before: cameras have a moment to connect, and a daemon that ends sooner than that watches nothing.
const SETTLING: Duration = Duration::from_secs(10);

/// A journal that refused is asked again after so long.
const REFUSED: Duration = Duration::from_secs(30);

/// Where everybody still waits for the one before, it is looked again after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// Who says it, to whom.
pub(super) struct Heartbeats {
    scribe: Scribe,
    crew: Arc<Crew>,
    started: Now,
    reader: Reader,
    rhythm: Rhythm,
    accounts: Accounts,
    /// Not before; the journal refused, or there is nobody to tell.
    not_before: Option<Now>,
}

impl Heartbeats {
    /// Goes on from the latest heartbeats in the journal.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn new(
        interval: Duration,
        reader: Reader,
        scribe: Scribe,
        crew: Arc<Crew>,
        started: Now,
    ) -> Result<Heartbeats, journal::Error> {
        let (mut accounts, mut latest) = (Accounts::default(), None::<(i64, Moment)>);
        for endpoint in told(&scribe) {
            let Some(last) = reader.latest_heartbeat(&endpoint.name)? else { continue };
            let moment = Moment { at: last.at, boot: last.boot };
            accounts.open(endpoint.name, moment, Some(last.delivery));
            if latest.is_none_or(|(seq, _)| last.seq > seq) {
                latest = Some((last.seq, moment));
            }
        }
        let rhythm = Rhythm::after(latest.map(|(_, moment)| moment), interval, started, Boot::current());
        Ok(Heartbeats { scribe, crew, started, reader, rhythm, accounts, not_before: None })
    }

    /// For ever.
    pub(super) async fn keep(mut self) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let now = time::now();
            self.look(now);
            if !self.is_time(now) {
                continue;
            }
            self.not_before = match self.tell(now).await {
                Ok(0) => Some(now.plus(AGAIN)),
                Ok(_) => None,
                Err(error) => {
                    self.scribe.writer.report(&error);
                    tracing::error!(event = EventType::Heartbeat.as_str(), %error, "it can't be recorded yet");
                    Some(now.plus(REFUSED))
                }
            };
        }
    }

    fn is_time(&self, now: Now) -> bool {
        self.rhythm.is_due(now)
            && now.mono.since(self.started.mono) >= SETTLING
            && self.not_before.is_none_or(|at| now.mono >= at.mono)
    }

    /// Counts, for everybody who is to be told.
    fn look(&mut self, now: Now) {
        let (wanted, first) = (told(&self.scribe), self.accounts.is_fresh());
        for Endpoint { name, .. } in &wanted {
            if !self.accounts.knows(name) {
                let since = Moment { at: if first { self.started } else { now }, boot: Boot::current() };
                self.accounts.open(name.clone(), since, None);
            }
        }
        let names: Vec<Name> = wanted.into_iter().map(|endpoint| endpoint.name).collect();
        self.accounts.keep_only(&names);
        self.accounts.look(counted(&self.crew));
    }

    /// Records heartbeats for everybody who waits for none; how many.
    async fn tell(&mut self, now: Now) -> Result<usize, journal::Error> {
        let wanted = told(&self.scribe);
        let (due, counts) = tokio::task::block_in_place(|| self.due(&wanted, now))?;
        for due in &due {
            let event = self.event(due, &counts, now);
            let addressees: Vec<Endpoint> =
                wanted.iter().filter(|endpoint| due.endpoints.contains(&endpoint.name)).cloned().collect();
            let owed = watch::owed_by_the_box(&event, &addressees);
            let (id, names) = (event.id, owed.iter().map(|owed| owed.endpoint.clone()).collect::<Vec<_>>());
            let accepted = Accepted { event, frame: None, owed };
            let record = Record { at: now, events: vec![accepted], machine: None, jobs: Vec::new() };
            let recorded = self.scribe.writer.record(record).await?;
            let moment = Moment { at: now, boot: Boot::current() };
            for (endpoint, stamp) in names.iter().zip(recorded.events.iter().flat_map(|event| &event.deliveries)) {
                self.accounts.told(endpoint, moment, stamp.delivery);
            }
            self.rhythm.told(now);
            tracing::debug!(event = EventType::Heartbeat.as_str(), %id, "told");
        }
        Ok(due.len())
    }

    /// What is due, and how the endpoints do. One that is gone gets nothing: a dead letter each time would help nobody.
    fn due(&mut self, wanted: &[Endpoint], now: Now) -> Result<(Vec<Due>, Counts), journal::Error> {
        for Endpoint { name, .. } in wanted {
            if let Some(delivery) = self.accounts.owed(name)
                && !self.reader.is_owed(delivery)?
            {
                self.accounts.settled(name);
            }
        }
        let counts = self.reader.endpoint_counts(now)?.into_iter().map(|it| (it.endpoint.clone(), it));
        let counts: Counts = counts.collect();
        Ok((self.accounts.due(|name| counts.get(name).is_none_or(|it| !it.gone)), counts))
    }

    fn event(&self, due: &Due, counts: &Counts, now: Now) -> Event {
        let uptime = now.mono.since(self.started.mono);
        let interval = due.since.age(now, Boot::current()).unwrap_or(uptime);
        let data = Heartbeat {
            interval_s: interval.as_millis() as f64 / 1000.0,
            cameras: cameras(&self.crew, &due.watched, now),
            monitors: monitors(&self.crew, &due.watched, now),
            endpoints: self.scribe.addressees.now().iter().map(|it| endpoint(&it.name, counts)).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: uptime.as_secs(),
        };
        // No alert ever waits for it.
        self.scribe.event_of_the_box(EventData::Heartbeat(data), Priority::Low, now)
    }
}

/// How the endpoints do that were ever owed something.
type Counts = BTreeMap<Name, EndpointCounts>;

/// The endpoints that want heartbeats.
fn told(scribe: &Scribe) -> Vec<Endpoint> {
    scribe.addressees.now().iter().filter(|it| it.events.contains(&EventType::Heartbeat)).cloned().collect()
}

fn counted(crew: &Crew) -> Counted {
    let frames = crew.each(|it| (it.camera.name().clone(), it.camera.status().decoded));
    let checks = crew.shown().into_iter().map(|shown| {
        let Shown { subject, state, .. } = &*shown.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = state.job().map(|job| JobCounts { job: Some(job.id()), work: Work::of(job.counters()) });
        ((subject.about.monitor.clone(), subject.about.camera.clone()), counts.unwrap_or_default())
    });
    Counted { frames: frames.into_iter().collect(), checks: checks.collect() }
}

fn cameras(crew: &Crew, watched: &Watched, now: Now) -> Vec<CameraPulse> {
    crew.each(|it| {
        let (camera, status) = (it.camera.name(), it.camera.status());
        CameraPulse {
            camera: camera.clone(),
            state: status.state.as_str().to_owned(),
            decode: status.decoding.mode.as_str().to_owned(),
            frames_decoded: watched.frames.get(camera).copied().unwrap_or_default(),
            last_frame_age_s: status.last_frame_age(now).map(tenths),
        }
    })
}

fn monitors(crew: &Crew, watched: &Watched, now: Now) -> Vec<MonitorPulse> {
    let line = |shown: &Arc<Mutex<Shown>>| {
        let Shown { subject, state, last, .. } = &*shown.lock().unwrap_or_else(PoisonError::into_inner);
        let (monitor, camera) = (subject.about.monitor.clone(), subject.about.camera.clone());
        let work = watched.work.get(&(monitor.clone(), camera.clone())).cloned().unwrap_or_default();
        let skipped = |reason| work.skipped.get(&reason).copied().unwrap_or_default();
        MonitorPulse {
            monitor,
            camera,
            checks: work.checks,
            skipped: SkipReason::ALL.map(|reason| (reason, skipped(reason))).into(),
            last_confidence: last.as_ref().map(|(verdict, _)| rounded(verdict.confidence)),
            last_check_age_s: last.as_ref().map(|(_, seen)| tenths(now.mono.since(seen.mono))),
            open: state.open_id(),
        }
    };
    crew.shown().iter().map(line).collect()
}

/// One that was never owed anything owes nothing.
fn endpoint(name: &Name, counts: &Counts) -> EndpointPulse {
    let counts = counts.get(name).map(|it| &it.counts);
    EndpointPulse {
        endpoint: name.clone(),
        pending: counts.map_or(0, |it| it.pending),
        held: counts.map_or(0, |it| it.held),
        dead: counts.map_or(0, |it| it.dead),
        oldest_s: counts.and_then(|it| it.oldest).map(tenths),
    }
}

fn tenths(age: Duration) -> f64 {
    (age.as_secs_f64() * 10.0).round() / 10.0
}
