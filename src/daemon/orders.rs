//! Orders of the API about what runs: looked at, written down, carried out, one after the other.
//!
//! Owns what may be made, changed and taken away, and that the journal has it first; refuses to know HTTP and how threads
//! are started. Runs on tokio's threads for blocking calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::departed::Departures;
use super::foreman::{Change, Foreman};
use super::made::{Body, Made};
use super::plan::Plan;
use super::roster;
use super::step::{self, Step};
use super::{StartError, heirloom, hopeless};
use crate::api::{self, Commission, Commissioned, Connected, Denied, Order, Switched};
use crate::config::{self, Part, Unfit};
use crate::journal::{Origin, Reader, Revision};
use crate::name::Name;
use crate::preflight::{self, Folders};
use crate::redact::Loan;
use crate::secret::Secret;
use crate::time;
use crate::watch::{About, Shown};

/// So many parts are made at most, so that nothing is unbounded.
const MOST: usize = 2_000;

/// In bytes: what is secret is looked for in every line of the log from then on.
pub(super) const LONGEST_SECRET: usize = 512;

/// Who takes orders.
pub(super) struct Orders {
    pub(super) foreman: Foreman,
    /// Held by whoever's turn it is.
    reader: Mutex<Reader>,
    /// Of the models that run.
    folders: Mutex<Folders>,
    departures: Departures,
}

impl Orders {
    /// Orders for `foreman`, who reads with `reader` what the journal remembers. `folders` are what is known of models.
    pub(super) fn new(foreman: Foreman, reader: Reader, folders: Folders) -> Orders {
        Orders { foreman, reader: Mutex::new(reader), folders: Mutex::new(folders), departures: Departures::default() }
    }

    /// Waits for one's turn.
    pub(super) fn turn(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// First the journal, then what runs: a kill between the two leaves the rest to the next start.
    ///
    /// # Errors
    /// The system has not what it takes, or the journal refused, and nothing has changed; or the daemon stops.
    pub(super) fn take(&self, step: Step, reader: &Reader) -> Result<(), Denied> {
        let taken = self.go(step, reader);
        // Also those that were started for a change that came to nothing.
        self.foreman.let_models_go();
        taken
    }

    fn go(&self, step: Step, reader: &Reader) -> Result<(), Denied> {
        let Step { roster, revision, change } = step;
        let config = roster.config();
        // Whoever asks for more than the system has is refused: that must not end what runs.
        let equipped = self.foreman.equip(&config, change).map_err(|error| lacking(&error))?;
        let before = self.foreman.plans.now();
        let departed: Vec<Name> =
            revision.gone.iter().filter(|(_, gone)| *gone).map(|(name, _)| name.clone()).collect();
        let back = step::back(&revision, &before.roster, time::now().wall).map_err(|error| bad_json(&error))?;
        self.are_free(&revision)?;
        self.foreman.scribe.writer.revise(revision).wait()?;
        let plan = Plan { roster, config };
        match self.foreman.go_over_to(plan.into(), equipped, reader) {
            Ok(()) => {}
            Err(StartError::Stopping) => return Err(Denied::Stopping),
            Err(error) => self.give_up(back, &error),
        }
        // Once the daemon stops, something may still be on its way to them: the next start sees them off.
        if !self.foreman.crew.is_stopping() {
            departed.into_iter().for_each(|endpoint| self.see_off(endpoint));
        }
        Ok(())
    }

    /// What `endpoint` is owed, which was taken away, ends.
    pub(super) fn see_off(&self, endpoint: Name) {
        let Foreman { desks, scribe, .. } = &self.foreman;
        self.departures.begin(&desks.tokio, scribe.writer.clone(), endpoint);
    }

    /// Nothing of the endpoints that `revision` makes is still going away.
    fn are_free(&self, revision: &Revision) -> Result<(), Denied> {
        let mut made = revision.gone.iter().filter(|(_, gone)| !gone).map(|(endpoint, _)| endpoint);
        let hurries = || self.foreman.crew.is_stopping();
        match made.find(|endpoint| !self.departures.is_over(endpoint, hurries)) {
            None => Ok(()),
            Some(endpoint) => {
                let error = format!("what the last endpoint `{endpoint}` was owed has not ended yet");
                Err(Denied::Conflict(Unfit::new(error, "try again in a minute, or take another name")))
            }
        }
    }

    /// Half of a change is in force, and the other half can't be: what was before comes back with the next start.
    fn give_up(&self, back: Revision, error: &StartError) -> ! {
        let what = match self.foreman.scribe.writer.revise(back).wait() {
            Ok(()) => "a change could not be put in force and is taken back",
            Err(_) => "a change could not be put in force",
        };
        hopeless::end(&format!("{what}: {error}"))
    }

    /// The newest job of `monitor` on each camera.
    fn jobs_of(&self, monitor: &Name) -> Vec<(Name, Uuid)> {
        let job = |shown: Arc<Mutex<Shown>>| {
            let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let About { monitor: its, camera, .. } = &shown.subject.about;
            Some((camera.clone(), shown.state.job().filter(|_| its == monitor)?.id()))
        };
        self.foreman.crew.shown().into_iter().filter_map(job).collect()
    }

    /// Looks at `made`, and opens what it needs beside everything else that runs after `step`.
    pub(super) fn add(&self, step: &mut Step, made: Made) -> Result<(), Denied> {
        if step.roster.made(made.part, &made.name).is_none() && step.roster.count() >= MOST {
            let error = format!("there are {MOST} parts already that were made over the API");
            return Err(Denied::Conflict(Unfit::new(error, "take some away, or put them into the file")));
        }
        let beside = step.roster.beside(made.part, &made.name);
        let defined = made.define(&beside).map_err(Denied::Bad)?;
        let running = self.foreman.crew.models();
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        // What is asked already is not looked at again: what runs is what was read then.
        folders.keep(|model| running.contains_key(model));
        let (secret, loan) = (made.body.secret(), Loan::begin());
        let open = || preflight::open(&defined, secret.as_ref(), &beside, &running, &mut folders);
        let opened = loan.during(open).map_err(Denied::Bad)?;
        step.make(made, (defined, opened), loan).map_err(|error| bad_json(&error))
    }
}

impl api::Registrar for Orders {
    fn make(&self, order: Order) -> Result<api::Made, Denied> {
        let reader = self.turn();
        let before = self.foreman.plans.now();
        let Order { part, name, body } = order;
        let replaces = name.is_some();
        let is_silent = secret_key(part).is_some_and(|key| !body.contains_key(key));
        let (name, mut body) = read(part, name, body)?;
        if before.roster.is_in_file(part, &name) {
            return Err(Denied::Conflict(roster::taken_by_file(part, &name)));
        }
        let old = before.roster.made(part, &name);
        if let Some(why) = old.and_then(Made::unchangeable) {
            return Err(Denied::Conflict(why));
        }
        if old.is_some() && !replaces {
            let what = part.as_str();
            let error = format!("{what} `{name}` exists already");
            return Err(Denied::Conflict(Unfit::new(error, format!("change it with PUT /v1/{what}s/{name}"))));
        }
        if let Some(old) = old.filter(|_| is_silent) {
            body.secret = heirloom::secret(part, &body.section, &old.body).map_err(Denied::Bad)?;
        }
        let is_new = old.is_none();
        let made = old.map_or(time::now().wall, |old| old.made);
        let mut step = Step::from(&before.roster);
        self.add(&mut step, Made { part, name: name.clone(), body: body.clone(), made, idle: None })?;
        self.take(step, &reader)?;
        let (kind, definition) = (part.as_str().to_owned(), body.section);
        Ok(api::Made { kind, name, origin: Origin::Api, definition, is_new })
    }

    fn remove(&self, part: Part, name: &Name) -> Result<(), Denied> {
        let reader = self.turn();
        let before = self.foreman.plans.now();
        let what = part.as_str();
        if before.roster.made(part, name).is_none() {
            return Err(match before.roster.is_in_file(part, name) {
                true => Denied::Conflict(Unfit::new(
                    format!("{what} `{name}` stands in the configuration file"),
                    "take it out of the file and restart the daemon",
                )),
                false => Denied::Unknown(unknown(&before.config, part, name)),
            });
        }
        let mut step = Step::from(&before.roster);
        step.forget(part, name);
        if let Some((other, _)) = step.roster.misfit() {
            let error = format!("{} `{}` needs {what} `{name}`", other.part.as_str(), other.name);
            return Err(Denied::Conflict(Unfit::new(error, "change that first, or take it away")));
        }
        if let Some(alert) = step.roster.bindings.needing(name).filter(|_| part == Part::Endpoint) {
            let (error, hint) = (format!("alert `{alert}` needs endpoint `{name}`"), "take that away with DELETE");
            return Err(Denied::Conflict(Unfit::new(error, format!("{hint} /v1/alerts/{alert} first"))));
        }
        self.take(step, &reader)
    }

    fn switch(&self, monitor: &Name, enabled: bool) -> Result<Switched, Denied> {
        let reader = self.turn();
        let before = self.foreman.plans.now();
        if !roster::has(&before.config, Part::Monitor, monitor) {
            return Err(Denied::Unknown(unknown(&before.config, Part::Monitor, monitor)));
        }
        let next = before.roster.switched(monitor, enabled);
        let differs_from_file = next.is_switched(monitor);
        let mut revision = Revision::default();
        match next.switch_row(monitor, time::now().wall) {
            Some(row) => revision.keep.push(row),
            None => revision.forget.push(roster::switch_key(monitor)),
        }
        let starts = enabled.then(|| monitor.clone());
        let jobs = self.jobs_of(monitor);
        self.take(Step { roster: next, revision, change: Change { starts, ..Change::default() } }, &reader)?;
        let begun = self.jobs_of(monitor).into_iter().filter(|job| !jobs.contains(job)).collect();
        Ok(Switched { monitor: monitor.clone(), enabled, differs_from_file, begun })
    }

    fn commission(&self, commission: Commission) -> Result<Commissioned, Denied> {
        // What is refused is not to be remembered for good.
        Loan::begin().during(|| self.begin(commission))
    }

    fn connect(&self, stream: &Secret, label: Option<&str>) -> Result<Connected, Denied> {
        Loan::begin().during(|| self.camera_of(stream, label))
    }
}

/// The system has not what it takes.
fn lacking(error: &StartError) -> Denied {
    let hint =
        "nothing has changed; take something away, or raise the limits of the service (`LimitNOFILE`, `TasksMax`)";
    Denied::Conflict(Unfit::new(format!("it can't be put in force: {error}"), hint))
}

pub(super) fn bad_json(error: &serde_json::Error) -> Denied {
    Denied::Bad(Unfit::new(error.to_string(), "send plain JSON"))
}

/// The name and the parts of a body; what is secret stands apart from here on.
fn read(part: Part, name: Option<Name>, mut section: Map<String, Value>) -> Result<(Name, Body), Denied> {
    let what = part.as_str();
    let bad = |error: String, hint: &str| Err(Denied::Bad(Unfit::new(error, hint)));
    let secret_key = secret_key(part);
    let secret = match secret_key.and_then(|key| section.shift_remove(key)) {
        None | Some(Value::Null) => None,
        Some(Value::String(secret)) if secret.len() > LONGEST_SECRET || secret.contains(['\n', '\r']) => {
            let hint = format!("send one line of at most {LONGEST_SECRET} bytes");
            return bad(
                format!("the `{}` of the {what} is too long or of many lines", secret_key.unwrap_or("secret")),
                &hint,
            );
        }
        Some(Value::String(secret)) => Some(secret),
        Some(_) if part == Part::Camera => {
            return bad("the `password` of the camera must be a string".to_owned(), "put it into quotes");
        }
        Some(_) => return bad(format!("the `secret` of the {what} must be a string"), "`stakeout keygen` makes one"),
    };
    let said = section.get("name").and_then(Value::as_str).map(Name::new).and_then(Result::ok);
    let name = match (name, said, section.contains_key("name")) {
        (Some(name), None, false) => {
            section.shift_insert(0, "name".to_owned(), Value::from(name.as_str()));
            name
        }
        (Some(name), Some(said), _) if name == said => name,
        (Some(name), _, _) => {
            return bad(format!("the body is of another {what} than `{name}`"), "leave `name` out of it");
        }
        (None, Some(said), _) => said,
        (None, None, _) => {
            return bad(
                format!("the {what} has no `name`, or one that can't be used"),
                "add `\"name\": \"dock-east\"`",
            );
        }
    };
    Ok((name, Body { section, secret, ..Body::default() }))
}

/// Where the secret of a part stands in a body.
fn secret_key(part: Part) -> Option<&'static str> {
    match part {
        Part::Endpoint => Some("secret"),
        Part::Camera => Some("password"),
        Part::Monitor => None,
    }
}

/// There is no such part.
pub(super) fn unknown(config: &config::Config, part: Part, name: &Name) -> Unfit {
    let names: Vec<&str> = match part {
        Part::Camera => config.cameras.iter().map(|camera| camera.name.as_str()).collect(),
        Part::Endpoint => config.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect(),
        Part::Monitor => config.monitors.iter().map(|monitor| monitor.name.as_str()).collect(),
    };
    let what = part.as_str();
    let hint = match names.as_slice() {
        [] => format!("there is no {what} at all"),
        names => format!("{what}s known here: {}", config::quoted(names.iter().copied())),
    };
    Unfit::new(format!("there is no {what} `{name}`"), hint)
}

#[cfg(test)]
mod tests;
