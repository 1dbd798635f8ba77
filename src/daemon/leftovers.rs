//! What clients leave behind: the monitors of their jobs, and the cameras and endpoints of all their monitors, taken away once
//! nobody needs them.
//!
//! Owns when that is; refuses to make any. Runs as a task, and looks on a thread that may wait.
//!
//! A job's parts go when it has ended and its endpoint is owed nothing more. One that ended by its limit keeps them for a
//! while: its receiver may start it again from `/jobs/{id}`, which doesn't tell the camera's login. A subscription's monitor
//! only goes when its client says so.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::made::Made;
use super::orders::Orders;
use super::roster::Roster;
use super::step::Step;
use crate::api::{Denied, Request};
use crate::config::{Config, Part};
use crate::event::JobReason;
use crate::journal::{JobFilter, JobRow, Reader};
use crate::name::Name;
use crate::time::{self, Wall};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(5);

/// How long a job that ended by its limit may be started again with what it had.
const STARTED_AGAIN_WITHIN: Duration = Duration::from_secs(120);

/// Looks again and again.
pub(super) async fn keep_clear(orders: Arc<Orders>) {
    let mut due = tokio::time::interval(LOOK);
    loop {
        due.tick().await;
        let orders = orders.clone();
        match tokio::task::spawn_blocking(move || orders.clear_away()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "what clients left behind is not taken away yet"),
            Err(error) => tracing::error!(%error, "nobody could look for what clients left behind"),
        }
    }
}

impl Orders {
    /// Takes away what is no longer needed.
    ///
    /// # Errors
    /// The journal failed, or the daemon stops.
    fn clear_away(&self) -> Result<(), Denied> {
        let reader = self.turn();
        let plan = self.foreman.plans.now();
        let is_a_clients = |made: &Made| made.body.request.is_some() || made.body.attached;
        if !plan.roster.all_made().iter().any(is_a_clients) {
            return Ok(());
        }
        // In this order: the end of a job is in the journal together with what is owed because of it.
        let ended = ended(&plan.roster, &reader)?;
        let counts = reader.endpoint_counts(time::now())?;
        let owing = counts.into_iter().filter(|it| it.counts.pending + it.counts.held > 0).map(|it| it.endpoint);
        let owing: BTreeSet<Name> = owing.collect();
        let mut step = Step::from(&plan.roster);
        for monitor in ended.iter().filter(|monitor| !owes(&plan.config, monitor, &owing)) {
            step.forget(Part::Monitor, monitor);
        }
        let left = step.roster.config();
        for (part, name) in spare(&step.roster, &left, &owing) {
            step.forget(part, &name);
        }
        if step.revision.forget.is_empty() {
            return Ok(());
        }
        tracing::info!(parts = step.revision.forget.len(), "what clients left behind is taken away");
        self.take(step, &reader)
    }
}

/// Monitors of clients' jobs that have ended.
fn ended(roster: &Roster, reader: &Reader) -> Result<Vec<Name>, Denied> {
    let now = time::now().wall;
    let mut ended = Vec::new();
    let of_jobs = |made: &&Made| matches!(made.body.request, Some(Request::Job(_)));
    for Made { name, .. } in roster.all_made().iter().filter(of_jobs) {
        let newest = JobFilter { monitor: Some(name.clone()), limit: 1, ..JobFilter::default() };
        if reader.jobs(&newest)?.iter().any(|job| is_over(job, now)) {
            ended.push(name.clone());
        }
    }
    Ok(ended)
}

/// Whether an endpoint of that monitor is owed something.
fn owes(config: &Config, monitor: &Name, owing: &BTreeSet<Name>) -> bool {
    let running = config.monitors.iter().find(|it| it.name == *monitor);
    running.is_some_and(|it| it.endpoints.iter().any(|endpoint| owing.contains(endpoint)))
}

fn is_over(job: &JobRow, now: Wall) -> bool {
    let Some(ended) = job.ended else { return false };
    // A clock that was set back must not keep it for ever.
    let is_recent = now.since(ended) < STARTED_AGAIN_WITHIN && now >= ended;
    !(job.reason.is_some_and(JobReason::auto_stopped) && is_recent)
}

/// Cameras and endpoints that were made for monitors that are gone. One that no longer fits the file isn't gone: it may fit
/// again.
fn spare(roster: &Roster, left: &Config, owing: &BTreeSet<Name>) -> Vec<(Part, Name)> {
    let idle: Vec<&Made> = roster.idle().map(|(made, _)| made).filter(|made| made.part == Part::Monitor).collect();
    let is_spare = |made: &&Made| match made.part {
        Part::Camera => {
            !left.monitors.iter().any(|monitor| monitor.cameras.contains(&made.name))
                && !idle.iter().any(|it| names(it, &["camera", "cameras"], &made.name))
        }
        Part::Endpoint => {
            !owing.contains(&made.name)
                && !left.monitors.iter().any(|it| it.endpoints.contains(&made.name))
                && !idle.iter().any(|it| names(it, &["endpoints"], &made.name))
                && roster.bindings.needing(&made.name).is_none()
        }
        Part::Monitor => false,
    };
    let attached = roster.all_made().iter().filter(|made| made.body.attached);
    attached.filter(is_spare).map(|made| (made.part, made.name.clone())).collect()
}

/// Whether a monitor's section has `name` under one of these keys.
fn names(monitor: &Made, keys: &[&str], name: &Name) -> bool {
    let is_it = |value: &Value| value == name.as_str();
    let has = |value: &Value| is_it(value) || value.as_array().is_some_and(|list| list.iter().any(is_it));
    keys.iter().filter_map(|key| monitor.body.section.get(*key)).any(has)
}
