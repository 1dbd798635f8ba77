//! What clients' jobs leave behind: their monitors, cameras and endpoints, taken away once nobody needs them.
//!
//! Owns when that is; refuses to make any. Runs as a task, and looks on a thread that may wait.
//!
//! A job's parts go when it has ended and its endpoint is owed nothing more. One that ended by its limit keeps them for a
//! while: its receiver may start it again from `/jobs/{id}`, which doesn't tell the camera's login.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::orders::Orders;
use super::roster::{Made, Roster};
use super::step::Step;
use crate::api::Denied;
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
            Ok(Err(error)) => tracing::error!(%error, "what jobs left behind is not taken away yet"),
            Err(error) => tracing::error!(%error, "nobody could look for what jobs left behind"),
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
        let counts = reader.endpoint_counts(time::now())?;
        let owing = counts.into_iter().filter(|it| it.counts.pending + it.counts.held > 0).map(|it| it.endpoint);
        let owing: BTreeSet<Name> = owing.collect();
        let mut step = Step::from(&plan.roster);
        for monitor in over(&plan.roster, &plan.config, &owing, &reader)? {
            step.forget(Part::Monitor, &monitor);
        }
        let left = step.roster.config();
        for (part, name) in spare(&step.roster, &left, &owing) {
            step.forget(part, &name);
        }
        if step.revision.forget.is_empty() {
            return Ok(());
        }
        tracing::info!(parts = step.revision.forget.len(), "what jobs left behind is taken away");
        self.take(step, &reader)
    }
}

/// Clients' monitors whose job has ended and owes nothing.
fn over(roster: &Roster, config: &Config, owing: &BTreeSet<Name>, reader: &Reader) -> Result<Vec<Name>, Denied> {
    let now = time::now().wall;
    let mut over = Vec::new();
    for Made { name, .. } in roster.all_made().iter().filter(|it| roster.is_a_clients(&it.name)) {
        let running = config.monitors.iter().find(|monitor| monitor.name == *name);
        if running.is_some_and(|monitor| monitor.endpoints.iter().any(|endpoint| owing.contains(endpoint))) {
            continue;
        }
        let newest = JobFilter { monitor: Some(name.clone()), limit: 1, ..JobFilter::default() };
        if reader.jobs(&newest)?.iter().any(|job| is_over(job, now)) {
            over.push(name.clone());
        }
    }
    Ok(over)
}

fn is_over(job: &JobRow, now: Wall) -> bool {
    let Some(ended) = job.ended else { return false };
    // A clock that was set back must not keep it for ever.
    let is_recent = now.since(ended) < STARTED_AGAIN_WITHIN && now >= ended;
    !(job.reason.is_some_and(JobReason::auto_stopped) && is_recent)
}

/// Cameras and endpoints that were made for monitors that are gone.
fn spare(roster: &Roster, left: &Config, owing: &BTreeSet<Name>) -> Vec<(Part, Name)> {
    let is_spare = |made: &&Made| match made.part {
        Part::Camera => !left.monitors.iter().any(|monitor| monitor.cameras.contains(&made.name)),
        Part::Endpoint => {
            let is_needed = left.monitors.iter().any(|it| it.endpoints.contains(&made.name))
                || roster.bindings.needing(&made.name).is_some();
            !owing.contains(&made.name) && !is_needed
        }
        Part::Monitor => false,
    };
    let attached = roster.all_made().iter().filter(|made| made.body.attached);
    attached.filter(is_spare).map(|made| (made.part, made.name.clone())).collect()
}
