//! Orders of the API about what runs: looked at, written down, carried out, one after the other.
//!
//! Owns what may be made, changed and taken away, and that the journal has it first; refuses to know HTTP and how threads
//! are started. Runs on tokio's threads for blocking calls.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use super::foreman::{Change, Foreman};
use super::plan::Plan;
use super::roster::{self, Body, Made, Roster};
use super::{StartError, departed};
use crate::api::{self, Denied, Order, Switched};
use crate::config::{self, Part, Unfit};
use crate::journal::{self, Origin, Reader, Revision};
use crate::name::Name;
use crate::preflight;
use crate::time;

/// So many parts are made at most, so that nothing is unbounded.
const MOST: usize = 2_000;

/// In bytes: what is secret is looked for in every line of the log from then on.
const LONGEST_SECRET: usize = 512;

/// Who takes orders.
pub(super) struct Orders {
    foreman: Foreman,
    /// Held by whoever's turn it is.
    reader: Mutex<Reader>,
}

impl Orders {
    /// Orders for `foreman`, who reads with `reader` what the journal remembers.
    pub(super) fn new(foreman: Foreman, reader: Reader) -> Orders {
        Orders { foreman, reader: Mutex::new(reader) }
    }

    fn turn(&self) -> MutexGuard<'_, Reader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// First the journal, then what runs: a kill between the two leaves the rest to the next start.
    fn establish(&self, next: Roster, revision: Revision, change: Change, reader: &Reader) -> Result<(), Denied> {
        self.foreman.scribe.writer.revise(revision).wait()?;
        let config = next.config();
        let plan = Plan { roster: next, config };
        self.foreman.go_over_to(plan.into(), change, reader).map_err(|error| {
            tracing::error!(%error, "a change is not in force yet");
            match error {
                StartError::Stopping => Denied::Journal(journal::Error::Closed),
                error => Denied::Unfinished(error.to_string()),
            }
        })
    }
}

impl api::Registrar for Orders {
    fn make(&self, order: Order) -> Result<api::Made, Denied> {
        let reader = self.turn();
        let before = self.foreman.plans.now();
        let Order { part, name, body, request } = order;
        let replaces = name.is_some();
        let (name, body) = read(part, name, body, request)?;
        if before.roster.is_in_file(part, &name) {
            return Err(Denied::Conflict(roster::taken_by_file(part, &name)));
        }
        let old = before.roster.made(part, &name);
        if old.is_some() && !replaces {
            let what = part.as_str();
            let error = format!("{what} `{name}` exists already");
            return Err(Denied::Conflict(Unfit::new(error, format!("change it with PUT /v1/{what}s/{name}"))));
        }
        if old.is_none() && before.roster.count() >= MOST {
            let error = format!("there are {MOST} parts already that were made over the API");
            return Err(Denied::Conflict(Unfit::new(error, "take some away, or put them into the file")));
        }
        let is_new = old.is_none();
        let made = old.map_or(time::now().wall, |old| old.made);
        let beside = before.roster.without_definition(part, &name).config();
        let defined = config::define(part, &body.section, &beside).map_err(Denied::Bad)?;
        let running = self.foreman.crew.models();
        let opened = preflight::open(&defined, body.secret().as_ref(), &beside, &running).map_err(Denied::Bad)?;
        let made = Made { part, name: name.clone(), body: body.clone(), made, idle: None };
        let row = made.row().map_err(|error| Denied::Bad(Unfit::new(error.to_string(), "send plain JSON")))?;
        // What an endpoint of that name was owed before stays as it ended: it can be sent again by hand.
        let gone = if part == Part::Endpoint { vec![(name.clone(), false)] } else { Vec::new() };
        let revision = Revision { keep: vec![row], gone, ..Revision::default() };
        let change = Change { renewed: Some((part, name.clone())), opened: Some(opened), starts: None };
        self.establish(before.roster.with(made), revision, change, &reader)?;
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
        // An idle one may share its name with a part of the file: that one stays as it is, switch and all.
        let is_alone = !before.roster.is_in_file(part, name);
        let next = match is_alone {
            true => before.roster.without(part, name),
            false => before.roster.without_definition(part, name),
        };
        if let Some((other, _)) = next.misfit() {
            let error = format!("{} `{}` needs {what} `{name}`", other.part.as_str(), other.name);
            return Err(Denied::Conflict(Unfit::new(error, "change that first, or take it away")));
        }
        let mut revision = Revision { forget: vec![(what.to_owned(), name.clone())], ..Revision::default() };
        match part {
            Part::Monitor if is_alone => revision.forget.push(roster::switch_key(name)),
            Part::Endpoint if is_alone => revision.gone.push((name.clone(), true)),
            Part::Monitor | Part::Endpoint | Part::Camera => {}
        }
        self.establish(next, revision, Change::default(), &reader)?;
        if part == Part::Endpoint && is_alone {
            self.foreman.desks.tokio.spawn(departed::skip(self.foreman.scribe.writer.clone(), name.clone()));
        }
        Ok(())
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
        self.establish(next, revision, Change { starts, ..Change::default() }, &reader)?;
        Ok(Switched { monitor: monitor.clone(), enabled, differs_from_file })
    }
}

/// The name and the parts of a body; what is secret stands apart from here on.
fn read(
    part: Part,
    name: Option<Name>,
    mut section: Map<String, Value>,
    request: Option<Value>,
) -> Result<(Name, Body), Denied> {
    let what = part.as_str();
    let bad = |error: String, hint: &str| Err(Denied::Bad(Unfit::new(error, hint)));
    let secret_key = match part {
        Part::Endpoint => Some("secret"),
        Part::Camera => Some("password"),
        Part::Monitor => None,
    };
    let secret = match secret_key.and_then(|key| section.shift_remove(key)) {
        None => None,
        Some(Value::String(secret)) if secret.len() > LONGEST_SECRET || secret.contains(['\n', '\r']) => {
            let hint = format!("send one line of at most {LONGEST_SECRET} bytes");
            return bad(
                format!("the `{}` of the {what} is too long or of many lines", secret_key.unwrap_or("secret")),
                &hint,
            );
        }
        Some(Value::String(secret)) => Some(secret),
        Some(_) => return bad(format!("the secret of a {what} must be a string"), "`stakeout keygen` makes one"),
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
    Ok((name, Body { section, secret, request }))
}

fn unknown(config: &config::Config, part: Part, name: &Name) -> Unfit {
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
