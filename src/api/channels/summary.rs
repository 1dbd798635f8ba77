//! The channel `status`: how the box is, in short.
//!
//! Owns the object's fields (README, "Channels") and when it is told: to whoever comes, when it changes, and every ten
//! seconds. Refuses to know where a status comes from. One task, which computes only while somebody listens.

use std::future::pending;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::sync::{Notify, watch};

use super::super::Shared;
use super::super::camera::CameraState;
use super::super::status::{self, Clock, MonitorState, Status};
use super::super::warnings::Warning;
use super::relay::message;
use crate::name::Name;
use crate::time::{Mono, now};

/// Looked at this often.
const LOOK: Duration = Duration::from_secs(2);

/// Told this often although nothing has changed.
const ANYWAY: Duration = Duration::from_secs(10);

/// The newest summary, for those who listen: the newest wins, so nobody is ever behind.
#[derive(Default)]
pub(super) struct Summaries {
    newest: watch::Sender<Option<Utf8Bytes>>,
    somebody_came: Notify,
}

/// A client's end.
pub(super) struct Ear(watch::Receiver<Option<Utf8Bytes>>);

impl Ear {
    /// The newest summary that was not yet given; the first one at once, or as soon as it is known.
    pub(super) async fn next(&mut self) -> Utf8Bytes {
        loop {
            if self.0.changed().await.is_err() {
                return pending().await;
            }
            if let Some(message) = self.0.borrow_and_update().clone() {
                return message;
            }
        }
    }
}

impl Summaries {
    /// The newest one, then those that follow.
    pub(super) fn listen(&self) -> Ear {
        let mut ear = self.newest.subscribe();
        ear.mark_changed();
        self.somebody_came.notify_one();
        Ear(ear)
    }

    /// Looks while somebody listens, for ever.
    pub(super) async fn work(&self, shared: &Shared) {
        loop {
            self.somebody_came.notified().await;
            let mut told: Option<(Status, Mono)> = None;
            while self.newest.receiver_count() > 0 {
                match status::read(shared).await {
                    Ok(status) => self.tell(status, &mut told),
                    Err(refusal) => tracing::warn!(error = refusal.error, "the status is not told"),
                }
                tokio::time::sleep(LOOK).await;
            }
            // Whoever comes next must not get what is old by then.
            self.newest.send_replace(None);
        }
    }

    /// Tells `status` if there is something new in it, or if it is time.
    fn tell(&self, status: Status, told: &mut Option<(Status, Mono)>) {
        let now = now().mono;
        let summary = Summary::from(&status);
        let is_new = told.as_ref().is_none_or(|(last, at)| {
            let last = Summary { uptime_s: summary.uptime_s, ..Summary::from(last) };
            last != summary || now.since(*at) >= ANYWAY
        });
        if !is_new {
            return;
        }
        match serde_json::to_string(&summary) {
            Ok(text) => {
                self.newest.send_replace(Some(message("status", text)));
                *told = Some((status, now));
            }
            Err(error) => tracing::error!(%error, "the status can't be put into words"),
        }
    }
}

/// `/v1/status` in short, without what changes all the time.
#[derive(PartialEq, Serialize)]
struct Summary<'a> {
    device: &'a str,
    version: &'a str,
    uptime_s: u64,
    clock: Clock,
    cameras: Vec<CameraPart<'a>>,
    monitors: Vec<MonitorPart<'a>>,
    endpoints: Vec<EndpointPart<'a>>,
    warnings: &'a [Warning],
}

#[derive(PartialEq, Serialize)]
struct CameraPart<'a> {
    name: &'a Name,
    state: CameraState,
    cause: Option<&'a str>,
}

#[derive(PartialEq, Serialize)]
struct MonitorPart<'a> {
    name: &'a Name,
    camera: &'a Name,
    state: MonitorState,
    /// The open event's id.
    open: Option<uuid::Uuid>,
}

#[derive(PartialEq, Serialize)]
struct EndpointPart<'a> {
    name: &'a Name,
    pending: u64,
    held: u64,
    dead: u64,
    last_error: Option<&'a str>,
}

impl<'a> From<&'a Status> for Summary<'a> {
    fn from(status: &'a Status) -> Summary<'a> {
        let cameras = status.cameras.iter();
        let monitors = status.monitors.iter();
        let endpoints = status.endpoints.iter();
        Summary {
            device: &status.device,
            version: &status.version,
            uptime_s: status.uptime_s,
            clock: status.clock,
            cameras: cameras
                .map(|it| CameraPart { name: &it.name, state: it.state, cause: it.cause.as_deref() })
                .collect(),
            monitors: monitors
                .map(|it| MonitorPart { name: &it.name, camera: &it.camera, state: it.state, open: it.open })
                .collect(),
            endpoints: endpoints
                .map(|it| EndpointPart {
                    name: &it.name,
                    pending: it.pending,
                    held: it.held,
                    dead: it.dead,
                    last_error: it.last_error.as_deref(),
                })
                .collect(),
            warnings: &status.warnings,
        }
    }
}
