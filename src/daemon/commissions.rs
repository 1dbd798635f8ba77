//! What clients want watched: a monitor of their own, with the camera and the endpoint that it needs, made in one step.
//!
//! Owns what of that there is already; refuses to know HTTP, any client's format and what is called how. Runs on
//! tokio's threads for blocking calls.
//!
//! All parts are one change in the journal: a kill leaves nothing of it, or the next start begins what was asked for.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::made::{Body, Made};
use super::names;
use super::orders::{Orders, bad_json};
use super::plan::Plan;
use super::roster::{self, Roster};
use super::sources::{Source, camera};
use super::step::Step;
use crate::api::{Commission, Commissioned, Denied, Request};
use crate::config::{Format, Part, Unfit};
use crate::event::JobStatus;
use crate::journal::Reader;
use crate::name::Name;
use crate::time::{self, Now};

/// The limit of a job that names none.
const MAX_DURATION: &str = "10m";

impl Orders {
    /// Begins what is asked for, unless the same goes on.
    pub(super) fn begin(&self, commission: Commission) -> Result<Commissioned, Denied> {
        let reader = self.turn();
        let plan = self.foreman.plans.now();
        let source = Source::of(&plan, &commission.stream)?;
        let now = time::now();
        let mut step = Step::from(&plan.roster);
        if let Source::Known(camera) = &source {
            for equal in equals(&plan.roster, camera, &commission.request) {
                let job = self.job_of(&equal);
                if goes_on(&commission.request, job) {
                    return Ok(Commissioned { monitor: equal, job, is_new: false });
                }
                // It had ended, and this one takes its place.
                step.forget(Part::Monitor, &equal);
            }
        }
        let camera = match source {
            Source::Known(camera) => camera,
            Source::New(address) => {
                let name = names::fresh("stream", now)?;
                self.add(&mut step, camera(name.clone(), address, true, now))?;
                name
            }
        };
        let endpoint = self.hook(&mut step, &plan, (commission.format, &commission.webhook_url))?;
        let made = monitor(commission, &camera, &endpoint, plan.config.api.default_model.as_ref(), now)?;
        let monitor = made.name.clone();
        self.add(&mut step, made)?;
        let job = self.put_in_force(step, &reader, || self.job_of(&monitor))?;
        Ok(Commissioned { monitor, job: Some(job), is_new: true })
    }

    /// The endpoint of a client's webhook, made where none runs. It is signed as the file says at the time: [`Made::section`].
    pub(super) fn hook(&self, step: &mut Step, plan: &Plan, (format, url): (Format, &str)) -> Result<Name, Denied> {
        let name = names::of_hook(format, url)?;
        if plan.roster.is_in_file(Part::Endpoint, &name) {
            return Err(Denied::Conflict(roster::taken_by_file(Part::Endpoint, &name)));
        }
        let section = object(json!({"name": name, "url": url, "format": format.as_str()}));
        match plan.roster.made(Part::Endpoint, &name) {
            Some(Made { body, .. }) if !body.attached || !is_same(&body.section, &section) => {
                let error = format!("endpoint `{name}` has the name of this webhook, and is none of clients' webhooks");
                let hint = format!("take it away with DELETE /v1/endpoints/{name}, or send another URL");
                return Err(Denied::Conflict(Unfit::new(error, hint)));
            }
            Some(Made { idle: None, .. }) => {}
            _ => {
                let body = Body { section, attached: true, ..Body::default() };
                let (part, made) = (Part::Endpoint, time::now().wall);
                self.add(step, Made { part, name: name.clone(), body, made, idle: None })?;
            }
        }
        Ok(name)
    }

    /// The job of a monitor that watches one camera.
    fn job_of(&self, monitor: &Name) -> Option<(Uuid, JobStatus)> {
        self.foreman.crew.shown().iter().find_map(|shown| {
            let shown = shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let job = shown.state.job().filter(|_| shown.subject.about.monitor == *monitor)?;
            Some((job.id(), job.status()))
        })
    }

    /// All of it, or nothing. `runs` tells of what is to run afterwards, if it does.
    pub(super) fn put_in_force<T>(
        &self,
        step: Step,
        reader: &Reader,
        runs: impl FnOnce() -> Option<T>,
    ) -> Result<T, Denied> {
        let (parts, before) = (step.change.renewed.clone(), self.foreman.plans.now());
        self.take(step, reader)?;
        if let Some(running) = runs() {
            return Ok(running);
        }
        let mut back = Step::from(&self.foreman.plans.now().roster);
        // Those that refer to others first.
        for (part, name) in parts.iter().rev() {
            match before.roster.made(*part, name) {
                // Only what was idle is made again: what it owes is no matter of this one.
                Some(idle) => back.restore(idle, &before.roster).map_err(|error| bad_json(&error))?,
                None => back.forget(*part, name),
            }
        }
        self.take(back, reader)?;
        let hint = "nothing is left of it; `stakeout status` tells what this box lacks";
        Err(Denied::Conflict(Unfit::new("it could not begin: it does not run", hint)))
    }
}

/// Clients' monitors on `camera` that were asked for in the same words.
fn equals(roster: &Roster, camera: &Name, request: &Request) -> Vec<Name> {
    let is_equal = |made: &&Made| {
        made.body.request.as_ref() == Some(request)
            && made.body.section.get("camera").and_then(Value::as_str) == Some(camera.as_str())
    };
    roster.all_made().iter().filter(is_equal).map(|made| made.name.clone()).collect()
}

/// Whether what was asked for before is still what is asked for: a job until it has ended, a subscription until it is taken
/// away.
fn goes_on(request: &Request, job: Option<(Uuid, JobStatus)>) -> bool {
    match request {
        Request::Job(_) => job.is_some_and(|(_, status)| matches!(status, JobStatus::Pending | JobStatus::Running)),
        Request::Subscription(_) => true,
    }
}

/// Whether two endpoints send the same to the same place.
fn is_same(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    ["url", "format"].iter().all(|key| one.get(*key) == other.get(*key))
}

/// A client's monitor. Only a job ends by itself.
fn monitor(
    commission: Commission,
    camera: &Name,
    endpoint: &Name,
    model: Option<&Name>,
    now: Now,
) -> Result<Made, Denied> {
    let Commission { monitor: asked, request, .. } = commission;
    let (kind, restart) = match &request {
        Request::Job(_) => ("job", "never"),
        Request::Subscription(_) => ("subscription", "always"),
    };
    let name = names::fresh(kind, now)?;
    let mut section = object(json!({"name": name, "camera": camera, "endpoints": [endpoint]}));
    section.extend(asked);
    if !section.contains_key("model") {
        let Some(model) = model else {
            let hint = "name one as `[api] default_model` in the configuration, or send `\"model\"`";
            return Err(Denied::Bad(Unfit::new(format!("there is no model for {kind}s"), hint)));
        };
        section.insert("model".to_owned(), Value::from(model.as_str()));
    }
    section.insert("restart".to_owned(), Value::from(restart));
    if matches!(request, Request::Job(_)) {
        section.entry("max_duration").or_insert_with(|| Value::from(MAX_DURATION));
    }
    let body = Body { section, request: Some(request), ..Body::default() };
    Ok(Made { part: Part::Monitor, name, body, made: now.wall, idle: None })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
