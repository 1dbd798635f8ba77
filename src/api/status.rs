//! `/v1/status`: everything that `stakeout status` shows, in one object.
//!
//! Owns its fields (contracts/api.md), and which warnings follow from them. Cameras and monitors come from the daemon
//! through [`Site`], endpoints' counts and totals from the journal. Serialised here, read back by the CLI.

use std::collections::BTreeMap;
use std::fmt;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Shared;
use super::camera::Camera;
use super::model::{Library, Model};
use super::refusal::Refusal;
use super::site::{Expectation, Site};
use super::statistics::Statistics;
use super::warnings::{Facts, Seen, Warning};
use crate::event::{EventData, EventType, JobReason, JobStatus, SkipReason};
use crate::journal::{EndpointCounts, EventFilter, MonitorCounts, Origin, Reader, Totals};
use crate::name::Name;
use crate::time::{Now, now};

/// The daemon at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Which box.
    pub device: String,
    /// Of the daemon.
    pub version: String,
    /// Seconds since the daemon started.
    pub uptime_s: u64,
    /// Whether times can be believed.
    pub clock: Clock,
    /// In the order of the file.
    pub cameras: Vec<Camera>,
    /// One for each (monitor, camera), in the order of the file.
    pub monitors: Vec<Monitor>,
    /// In the order of the file; then those that are owed something but no longer in it.
    pub endpoints: Vec<Endpoint>,
    /// The models that run, by name.
    #[serde(default)]
    pub models: Vec<Model>,
    /// What they run on; null: there are none.
    #[serde(default)]
    pub onnxruntime: Option<Library>,
    /// What is kept.
    pub journal: Journal,
    /// What a person should look at.
    pub warnings: Vec<Warning>,
}

/// Whether times can be believed; the words of payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// They can.
    Synced,
    /// Not yet.
    Estimated,
}

/// A (monitor, camera) pair at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    /// `[[monitor]] name`
    pub name: Name,
    /// Where it looks.
    pub camera: Name,
    /// What judges.
    pub model: Name,
    /// Whether the condition holds.
    pub state: MonitorState,
    /// The open event's id.
    pub open: Option<Uuid>,
    /// Of the last verdict, 0 to 1; null before the first.
    pub last_confidence: Option<f64>,
    /// Verdicts asked for by the current job.
    pub checks: u64,
    /// Alerts of the current job.
    pub triggers: u64,
    /// Frames seen but not checked, by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Checks that ended without an answer.
    pub verdict_errors: u64,
    /// Checks since the daemon started that `only_when` spared the model.
    #[serde(default)]
    pub spared: u64,
    /// Seconds until the next alert is possible; 0 when it is.
    pub cooldown_left_s: f64,
    /// The latest job; null before the first.
    pub job: Option<Job>,
    /// Of the monitor on all its cameras; from the journal, so the daemon leaves it as it is.
    #[serde(default)]
    pub statistics: Statistics,
    /// Who made it: the file, or a client of the API.
    #[serde(default)]
    pub origin: Origin,
    /// What alerts call it: its id on this device, for ever.
    #[serde(default)]
    pub event_id: String,
    /// Webhooks that alerts made over the API add to its endpoints.
    #[serde(default)]
    pub alerts: u64,
    /// It was enabled or disabled by hand, other than the file says, or what it was made with.
    #[serde(default)]
    pub switched: bool,
    /// It was, or alerts add to it.
    #[serde(default)]
    pub differs_from_file: bool,
    /// It only rehearses (`shadow = true`); null: it is armed.
    #[serde(default)]
    pub shadow: Option<Shadow>,
}

/// What a monitor that only rehearses kept to itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// Events within the last 24 hours, of the monitor on all its cameras, that somebody would have been told of; from the
    /// journal, so the daemon leaves it as it is.
    pub withheld_24h: u64,
}

/// Whether the condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MonitorState {
    /// It doesn't.
    Idle,
    /// It does, but the cooldown of the last alert is running.
    Waiting,
    /// It does, and receivers know.
    Open,
    /// Nobody looks: no job is pending or running.
    Stopped,
    /// `enabled = false`
    Disabled,
}

impl fmt::Display for MonitorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            MonitorState::Idle => "idle",
            MonitorState::Waiting => "waiting",
            MonitorState::Open => "open",
            MonitorState::Stopped => "stopped",
            MonitorState::Disabled => "disabled",
        })
    }
}

/// A run of a monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// Where it stands.
    pub status: JobStatus,
    /// Why it ended.
    pub reason: Option<JobReason>,
    /// Seconds of run time so far.
    pub elapsed_s: u64,
}

/// An endpoint at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `[[endpoint]] name`
    pub name: Name,
    /// It said 410: nothing is sent until an operator says otherwise.
    #[serde(default)]
    pub gone: bool,
    /// Deliveries that wait for their first or next attempt.
    pub pending: u64,
    /// Deliveries that are held.
    pub held: u64,
    /// Dead letters.
    pub dead: u64,
    /// Delivered within the last 24 hours.
    pub delivered_24h: u64,
    /// Of those that ended within the last 24 hours, 0 to 1; 1 when none did.
    pub success_rate: f64,
    /// 95th percentile of the time from acceptance to 2xx; 0 when there is none.
    pub p95_latency_ms: f64,
    /// Of the latest attempt, if it failed; null once one succeeds.
    pub last_error: Option<String>,
    /// All of it.
    #[serde(default)]
    pub statistics: Statistics,
    /// Who made it: the file, or a client of the API.
    #[serde(default)]
    pub origin: Origin,
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The database, its log and all frames.
    pub bytes: u64,
    /// Events that are kept.
    pub events: u64,
    /// Starts of the daemon so far.
    pub generation: u64,
    /// Of these, so many after an end without a good-bye.
    #[serde(default)]
    pub unclean_starts: u64,
    /// Times that a damaged journal was replaced by what could be saved of it.
    #[serde(default)]
    pub resets: u64,
    /// Deliveries that were dropped for want of room.
    #[serde(default)]
    pub dropped: u64,
    /// What can still be filled of its disk; null where the system does not tell.
    #[serde(default)]
    pub disk_free_bytes: Option<u64>,
}

impl From<&Totals> for Journal {
    fn from(totals: &Totals) -> Journal {
        let Totals { bytes, events, generation, unclean_starts, resets, dropped, disk, .. } = *totals;
        let disk_free_bytes = disk.map(|(free, _)| free);
        Journal { bytes, events, generation, unclean_starts, resets, dropped, disk_free_bytes }
    }
}

pub(super) async fn status(State(shared): State<Shared>) -> Result<Json<Status>, Refusal> {
    read(&shared).await.map(Json)
}

/// The daemon at this moment.
pub(super) async fn read(shared: &Shared) -> Result<Status, Refusal> {
    let now = now();
    let expected = shared.site.expectations();
    let kept = shared.store.read(move |reader| Kept::read(reader, now, expected)).await?;
    Ok(assemble(shared.site.as_ref(), now, kept))
}

/// The journal's part.
struct Kept {
    endpoints: Vec<EndpointCounts>,
    monitors: Vec<MonitorCounts>,
    totals: Totals,
    /// With each monitor's last trigger.
    expected: Vec<(Expectation, Option<Seen>)>,
    /// What the journal had to say of itself lately: the last reset and the last overflow.
    said: Vec<(EventData, Seen)>,
}

impl Kept {
    fn read(reader: &Reader, now: Now, expected: Vec<Expectation>) -> Result<Kept, Refusal> {
        let newest = |kind, monitor: Option<&Name>| {
            let filter = EventFilter { after: 0, limit: 1, monitor: monitor.cloned(), kind: Some(kind) };
            let event = reader.latest_events(&filter)?.pop().map(|row| row.event);
            Ok::<_, Refusal>(event.map(|event| (event.data, Seen { at: event.observed, boot: event.boot })))
        };
        let with_last = |expectation: Expectation| {
            let last = newest(EventType::Triggered, Some(&expectation.monitor))?;
            Ok((expectation, last.map(|(_, seen)| seen)))
        };
        let expected = expected.into_iter().map(with_last).collect::<Result<_, Refusal>>()?;
        let said = [newest(EventType::JournalReset, None)?, newest(EventType::JournalOverflow, None)?];
        let (endpoints, monitors) = (reader.endpoint_counts(now)?, reader.monitor_counts(now)?);
        let said = said.into_iter().flatten().collect();
        Ok(Kept { endpoints, monitors, totals: reader.totals()?, expected, said })
    }
}

fn assemble(site: &dyn Site, now: Now, kept: Kept) -> Status {
    let cameras: Vec<Camera> = site.cameras(now).into_iter().map(Camera::tidy).collect();
    let configured = site.endpoints();
    let endpoints = with_origin(site, endpoint_lines(&configured, kept.endpoints));
    let uptime = site.uptime(now);
    let told = site.warnings(now);
    let mut warnings = Facts {
        now,
        uptime,
        cameras: &cameras,
        endpoints: &endpoints,
        configured: &configured,
        expected: &kept.expected,
        totals: &kept.totals,
        said: &kept.said,
        told: &told,
    }
    .warnings();
    warnings.extend(told);
    Status {
        device: site.device(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: uptime.as_secs(),
        clock: if now.synced { Clock::Synced } else { Clock::Estimated },
        cameras,
        monitors: monitor_lines(site.monitors(now), kept.monitors),
        endpoints,
        models: site.models().into_iter().map(Model::tidy).collect(),
        onnxruntime: site.library(),
        journal: Journal::from(&kept.totals),
        warnings,
    }
}

/// Every configured endpoint, also one that was never owed anything; then those that the journal alone still knows.
pub(super) fn endpoint_lines(configured: &[Name], counts: Vec<EndpointCounts>) -> Vec<Endpoint> {
    let mut counts: BTreeMap<Name, EndpointCounts> =
        counts.into_iter().map(|counts| (counts.endpoint.clone(), counts)).collect();
    let mut lines: Vec<Endpoint> =
        configured.iter().map(|name| endpoint_line(name.clone(), counts.remove(name))).collect();
    let owed = |counts: &EndpointCounts| counts.counts.pending + counts.counts.held + counts.counts.dead > 0;
    let forgotten = counts.into_iter().filter(|(_, counts)| owed(counts));
    lines.extend(forgotten.map(|(name, counts)| endpoint_line(name, Some(counts))));
    lines
}

/// Those that were made over the API say so.
pub(super) fn with_origin(site: &dyn Site, endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    let line = |endpoint: Endpoint| Endpoint { origin: site.origin_of_endpoint(&endpoint.name), ..endpoint };
    endpoints.into_iter().map(line).collect()
}

fn endpoint_line(name: Name, counts: Option<EndpointCounts>) -> Endpoint {
    let (statistics, gone) = counts.map(|counts| (Statistics::from(counts.counts), counts.gone)).unwrap_or_default();
    Endpoint {
        name,
        gone,
        pending: statistics.pending,
        held: statistics.held,
        dead: statistics.dlq_count,
        delivered_24h: statistics.delivered_24h,
        success_rate: statistics.delivery_success_rate,
        p95_latency_ms: statistics.p95_latency_ms,
        last_error: statistics.last_error.clone().filter(|_| statistics.failing),
        statistics,
        origin: Origin::File,
    }
}

/// The daemon's monitors with what the journal knows of them.
pub(super) fn monitor_lines(monitors: Vec<Monitor>, counts: Vec<MonitorCounts>) -> Vec<Monitor> {
    let known = |MonitorCounts { monitor, counts }| {
        let shadow = Shadow { withheld_24h: counts.shadow_24h };
        (monitor, (Statistics::from(counts), shadow))
    };
    let known: BTreeMap<Name, (Statistics, Shadow)> = counts.into_iter().map(known).collect();
    let line = |monitor: Monitor| {
        let (statistics, withheld) = known.get(&monitor.name).cloned().unwrap_or_default();
        let shadow = monitor.shadow.map(|_| withheld);
        Monitor { statistics, shadow, ..monitor.tidy() }
    };
    monitors.into_iter().map(line).collect()
}

impl Model {
    fn tidy(mut self) -> Model {
        self.mean_ms = to_places(self.mean_ms, 1);
        self
    }
}

impl Monitor {
    fn tidy(mut self) -> Monitor {
        self.last_confidence = self.last_confidence.map(|confidence| to_places(confidence, 4));
        self.cooldown_left_s = to_places(self.cooldown_left_s, 1);
        self
    }
}

/// Numbers for people: more places would only tell of the measuring.
pub(super) fn to_places(number: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (number * scale).round() / scale
}
