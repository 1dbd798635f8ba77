//! Orders about alerts: monitors that clients bind to webhooks of their own.
//!
//! Owns what of that there is already and how many there may be; refuses to know HTTP and what a binding adds (`bindings`).
//! Runs on tokio's threads for blocking calls.
//!
//! Binding and endpoint are one change in the journal: a kill leaves nothing of it, or the next start puts it in force.

use super::bindings::{Binding, Body};
use super::names;
use super::orders::{Orders, unknown};
use super::plan::Plan;
use super::roster;
use super::step::Step;
use crate::api::{Alerting, Denied, alert_id};
use crate::config::{Format, Part, Unfit};
use crate::name::Name;
use crate::time;

/// So many are kept, so that nothing is unbounded.
const MOST: usize = 1_000;

impl Alerting for Orders {
    fn bind(&self, monitor: &Name, callback_url: &str) -> Result<bool, Denied> {
        let reader = self.turn();
        let plan = self.foreman.plans.now();
        if !roster::has(&plan.config, Part::Monitor, monitor) {
            return Err(Denied::Unknown(unknown(&plan.config, Part::Monitor, monitor)));
        }
        let bindings = &plan.roster.bindings;
        let id = alert_id(monitor, callback_url);
        if bindings.get(&id).is_some() {
            return Ok(false);
        }
        if bindings.count() >= MOST {
            let error = format!("there are {MOST} alerts already");
            return Err(Denied::Conflict(Unfit::new(error, "DELETE /v1/alerts/{id} takes one away")));
        }
        let (monitor, callback_url) = (monitor.clone(), callback_url.to_owned());
        let body =
            Body { monitor, endpoint: names::of_hook(Format::Videodb, &callback_url)?, callback_url, enabled: true };
        let mut step = Step::from(&plan.roster);
        self.put(&mut step, &plan, &id, Binding { body, made: time::now().wall })?;
        self.take(step, &reader)?;
        Ok(true)
    }

    fn switch_alert(&self, alert: &Name, enabled: bool) -> Result<(), Denied> {
        let reader = self.turn();
        let plan = self.foreman.plans.now();
        let Some(Binding { body, made }) = plan.roster.bindings.get(alert).cloned() else { return Err(gone(alert)) };
        let mut step = Step::from(&plan.roster);
        self.put(&mut step, &plan, alert, Binding { body: Body { enabled, ..body }, made })?;
        self.take(step, &reader)
    }

    fn unbind(&self, alert: &Name) -> Result<(), Denied> {
        let reader = self.turn();
        let plan = self.foreman.plans.now();
        if plan.roster.bindings.get(alert).is_none() {
            return Err(gone(alert));
        }
        let mut step = Step::from(&plan.roster);
        step.unbind(alert);
        self.take(step, &reader)
    }
}

impl Orders {
    /// A binding, and its endpoint where it is to be in force and none runs.
    fn put(&self, step: &mut Step, plan: &Plan, id: &Name, binding: Binding) -> Result<(), Denied> {
        let Body { callback_url, enabled, .. } = &binding.body;
        if *enabled {
            self.hook(step, plan, (Format::Videodb, callback_url))?;
        }
        step.bind(id, binding).map_err(|error| Denied::Bad(Unfit::new(error.to_string(), "send plain text")))
    }
}

fn gone(alert: &Name) -> Denied {
    Denied::Unknown(Unfit::new(format!("there is no alert `{alert}`"), "GET /v1/alerts lists all there are"))
}
