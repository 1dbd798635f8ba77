//! `/jobs`: runs of monitors, as Trio's live monitor shows them.
//!
//! Owns the shape (contracts/api.md) and where each field comes from: the journal has every job, the running daemon the
//! newest counters of those that run, and what their monitors look at. Refuses to know SQL and machines.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::Shared;
use super::events::{id, limit};
use super::lines::Utc;
use super::refusal::Refusal;
use super::site::Watched;
use super::status::Monitor;
use crate::config::{is_login, is_telling};
use crate::event::{JobReason, JobStatus};
use crate::journal::{JobFilter, JobRow, Reader};
use crate::name::Name;
use crate::time::now;

/// Which jobs. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobQuery {
    /// Only in this status.
    pub status: Option<JobStatus>,
    /// Only of this monitor.
    pub monitor: Option<Name>,
    /// At most so many, 1 to 1000; 100 unless given.
    pub limit: Option<u32>,
}

impl JobQuery {
    /// As the journal alone knows them, where no daemon runs: without what only the configuration says.
    ///
    /// # Errors
    /// A limit out of range, or the journal cannot be read.
    pub fn read(&self, reader: &Reader) -> Result<Jobs, Refusal> {
        let kept = kept(reader, &self.filter()?)?;
        Ok(Jobs { jobs: kept.into_iter().map(|(row, failed)| line(row, failed, &[], &[])).collect() })
    }

    fn filter(&self) -> Result<JobFilter, Refusal> {
        let limit = limit(self.limit)?;
        Ok(JobFilter { id: None, monitor: self.monitor.clone(), status: self.status, limit })
    }
}

impl JobLine {
    /// One job, as [`JobQuery::read`].
    ///
    /// # Errors
    /// There is none, or the journal cannot be read.
    pub fn read(reader: &Reader, job: Uuid) -> Result<JobLine, Refusal> {
        let kept = kept(reader, &JobFilter { id: Some(job), ..JobFilter::default() })?.pop();
        kept.map(|(row, failed)| line(row, failed, &[], &[])).ok_or_else(|| no_such_job(job))
    }
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jobs {
    /// The newest first.
    pub jobs: Vec<JobLine>,
}

/// A job at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobLine {
    /// Its id.
    pub job_id: Uuid,
    /// Where it stands.
    pub status: JobStatus,
    /// What it did, as in `job_status`.
    pub details: Details,
    /// Without credentials; null where nobody knows any more.
    pub stream_url: Option<String>,
    /// Verbatim; null where nobody knows any more.
    pub condition: Option<String>,
    /// As the client gave it; null for jobs of the file, whose endpoints have names.
    pub webhook_url: Option<String>,
    /// Which monitor.
    pub monitor: Name,
    /// On which camera.
    pub camera: Name,
    /// When it was started.
    pub started_at: Utc,
    /// When it ended.
    pub ended_at: Option<Utc>,
    /// What went wrong.
    pub logs: Logs,
    /// Whatever else the client asked for.
    #[serde(flatten)]
    pub request: Map<String, Value>,
}

/// What a job did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Verdicts asked for.
    pub checks_performed: u64,
    /// Alerts.
    pub triggers_fired: u64,
    /// Frames seen but not checked.
    pub frames_skipped: u64,
    /// It ended by its duration limit: receivers start it again.
    pub auto_stopped: bool,
    /// Why it ended; null while it has not.
    pub reason: Option<JobReason>,
    /// Run time in whole seconds.
    pub elapsed_seconds: u64,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// Deliveries of its events that ended without success.
    pub webhooks_failed: u64,
}

const QUERY_HINT: &str =
    "jobs take `status` (`pending`, `running`, `stopped`, `completed`, `failed`), `monitor` and `limit`";

pub(super) async fn list(
    State(shared): State<Shared>,
    query: Result<Query<JobQuery>, QueryRejection>,
) -> Result<Json<Jobs>, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::bad_request(rejection.body_text(), QUERY_HINT))?;
    Ok(Json(Jobs { jobs: lines(&shared, query.filter()?).await? }))
}

pub(super) async fn one(State(shared): State<Shared>, Path(job): Path<String>) -> Result<Json<JobLine>, Refusal> {
    line_of(&shared, &job).await.map(Json)
}

/// One job, by what a client says is its id.
pub(super) async fn line_of(shared: &Shared, job: &str) -> Result<JobLine, Refusal> {
    let job = id(job)?;
    let found = lines(shared, JobFilter { id: Some(job), ..JobFilter::default() }).await?.pop();
    found.ok_or_else(|| no_such_job(job))
}

fn no_such_job(job: Uuid) -> Refusal {
    Refusal::not_found(format!("there is no job `{job}`"), "list them with `stakeout jobs list`")
}

async fn lines(shared: &Shared, filter: JobFilter) -> Result<Vec<JobLine>, Refusal> {
    let (watched, running) = (shared.site.watched(), shared.site.monitors(now()));
    let kept = shared.store.read(move |reader| kept(reader, &filter)).await?;
    Ok(kept.into_iter().map(|(row, failed)| line(row, failed, &watched, &running)).collect())
}

fn kept(reader: &Reader, filter: &JobFilter) -> Result<Vec<(JobRow, u64)>, Refusal> {
    let rows = reader.jobs(filter)?;
    let failed: BTreeMap<Uuid, u64> = if rows.is_empty() { BTreeMap::new() } else { reader.failures_of_jobs()? };
    let with_failed = |row: JobRow| {
        let failed = failed.get(&row.id).copied().unwrap_or_default();
        (row, failed)
    };
    Ok(rows.into_iter().map(with_failed).collect())
}

fn line(row: JobRow, webhooks_failed: u64, watched: &[Watched], running: &[Monitor]) -> JobLine {
    let watched = watched.iter().find(|it| it.monitor == row.monitor && it.camera == row.camera);
    let mut request = row.request.as_deref().map(request).unwrap_or_default();
    let mut asked = |key: &str| match request.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (stream_url, condition, webhook_url) = (asked("stream_url"), asked("condition"), asked("webhook_url"));
    let current = running.iter().find(|it| it.job.as_ref().is_some_and(|job| job.id == row.id));
    let (status, details) = current.and_then(of_running).unwrap_or_else(|| (row.status, of_kept(&row)));
    JobLine {
        job_id: row.id,
        status,
        details,
        stream_url: stream_url.map(|url| stripped(&url)).or_else(|| watched.map(|it| it.stream_url.clone())),
        condition: condition.or_else(|| watched.map(|it| it.condition.clone())),
        webhook_url,
        monitor: row.monitor,
        camera: row.camera,
        started_at: Utc(row.started),
        ended_at: row.ended.map(Utc),
        logs: Logs { webhooks_failed },
        request,
    }
}

/// The daemon knows more of a job that runs than was checkpointed.
fn of_running(monitor: &Monitor) -> Option<(JobStatus, Details)> {
    let job = monitor.job.as_ref()?;
    let details = Details {
        checks_performed: monitor.checks,
        triggers_fired: monitor.triggers,
        frames_skipped: monitor.skipped.values().sum(),
        auto_stopped: job.reason.is_some_and(JobReason::auto_stopped),
        reason: job.reason,
        elapsed_seconds: job.elapsed_s,
    };
    Some((job.status, details))
}

fn of_kept(row: &JobRow) -> Details {
    Details {
        checks_performed: row.counters.checks_performed,
        triggers_fired: row.counters.triggers_fired,
        frames_skipped: row.counters.skipped(),
        auto_stopped: row.reason.is_some_and(JobReason::auto_stopped),
        reason: row.reason,
        elapsed_seconds: row.counters.elapsed_ms / 1000,
    }
}

/// Fields of a line that no client's word for them replaces.
const OWN: [&str; 8] = ["job_id", "status", "details", "monitor", "camera", "started_at", "ended_at", "logs"];

/// What a client asked for, without what may be secret.
fn request(text: &str) -> Map<String, Value> {
    let mut request: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    request.retain(|key, _| !OWN.contains(&key.as_str()) && !is_login(key) && !is_telling(key));
    request
}

/// A stream's address without the login in it.
pub(super) fn stripped(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    if parsed.username().is_empty() && parsed.password().is_none() {
        return url.to_owned();
    }
    let _ = parsed.set_username("").and_then(|()| parsed.set_password(None));
    parsed.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Counters;
    use crate::journal::Origin;
    use crate::time::Wall;

    fn row(request: Option<&str>) -> JobRow {
        JobRow {
            id: Uuid::from_u128(7),
            monitor: Name::new("person").unwrap(),
            camera: Name::new("dock").unwrap(),
            origin: Origin::Api,
            status: JobStatus::Stopped,
            reason: Some(JobReason::MaxDurationReached),
            counters: Counters { checks_performed: 45, elapsed_ms: 600_900, ..Counters::default() },
            started: Wall(0),
            ended: Some(Wall(601_000)),
            request: request.map(str::to_owned),
        }
    }

    #[test]
    fn a_receiver_can_start_it_again_from_what_it_reads() {
        let asked = r#"{"stream_url": "rtsp://viewer:hunter2@10.0.0.21/1", "condition": "Is there fire?", "status": "mine",
            "webhook_url": "https://app.example/hook?k=1", "max_duration": 60, "api_key": "s3cret"}"#;
        let line = serde_json::to_value(line(row(Some(asked)), 2, &[], &[])).unwrap();
        let expected = serde_json::json!({
            "job_id": Uuid::from_u128(7), "status": "stopped",
            "details": {"checks_performed": 45, "triggers_fired": 0, "frames_skipped": 0, "auto_stopped": true,
                "reason": "max_duration_reached", "elapsed_seconds": 600},
            "stream_url": "rtsp://10.0.0.21/1", "condition": "Is there fire?",
            "webhook_url": "https://app.example/hook?k=1", "monitor": "person", "camera": "dock",
            "started_at": "1970-01-01T00:00:00.000Z", "ended_at": "1970-01-01T00:10:01.000Z",
            "logs": {"webhooks_failed": 2}, "max_duration": 60,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_job_of_the_file_looks_at_what_its_monitor_does() {
        let watched = Watched {
            monitor: Name::new("person").unwrap(),
            camera: Name::new("dock").unwrap(),
            condition: "Is a person there?".to_owned(),
            stream_url: "rtsp://10.0.0.21/1".to_owned(),
        };
        let known = line(row(None), 0, std::slice::from_ref(&watched), &[]);
        assert_eq!(
            (known.stream_url.as_deref(), known.condition.as_deref()),
            (Some("rtsp://10.0.0.21/1"), Some("Is a person there?"))
        );
        let elsewhere = Watched { camera: Name::new("gate").unwrap(), ..watched };
        assert_eq!(line(row(None), 0, &[elsewhere], &[]).stream_url, None, "the file has changed since");
        assert_eq!(line(row(Some("nonsense")), 0, &[], &[]).webhook_url, None);
    }
}
