//! Webhooks of clients that get what a monitor tells, beside the endpoints of its definition, wherever that stands.
//!
//! Owns what a binding says, its row in the journal, and what it adds to a configuration; refuses to know who orders one
//! (`alerts`) and how the endpoint is made (`commissions`). Plain data.
//!
//! A binding needs no monitor and no endpoint to be kept: what lacks one adds nothing, and is told of.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::roster::has;
use super::step::Step;
use crate::api::{self, Warning, no_monitor};
use crate::config::{Config, Monitor, Part};
use crate::journal::Definition;
use crate::name::Name;
use crate::payload;
use crate::time::Wall;

/// The kind of a [`Definition`] that binds a monitor.
const ALERT: &str = "alert";

/// All bindings, by their ids. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Bindings(Arc<BTreeMap<Name, Binding>>);

/// A monitor's alerts are owed to an endpoint, too.
#[derive(Clone, PartialEq)]
pub(super) struct Binding {
    /// What is kept.
    pub(super) body: Body,
    /// When it was made.
    pub(super) made: Wall,
}

/// What is kept of it in the journal.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Body {
    /// Whose.
    pub(super) monitor: Name,
    /// The endpoint of that URL.
    pub(super) endpoint: Name,
    /// As the client gave it.
    pub(super) callback_url: String,
    /// Otherwise it is only kept.
    pub(super) enabled: bool,
}

impl Bindings {
    /// Takes up what the journal keeps. Whether it was a binding.
    pub(super) fn take(&mut self, Definition { kind, name, body, made }: &Definition) -> bool {
        if kind != ALERT {
            return false;
        }
        match serde_json::from_str(body) {
            Ok(body) => self.insert(name, Binding { body, made: *made }),
            Err(error) => tracing::error!(alert = %name, %error, "its row makes no sense; make it again"),
        }
        true
    }

    /// Adds to monitors what is in force.
    pub(super) fn apply(&self, config: &mut Config) {
        for Body { monitor, endpoint, .. } in self.0.values().map(|binding| &binding.body).filter(|it| it.enabled) {
            if !has(config, Part::Endpoint, endpoint) {
                continue;
            }
            let is_bound = |it: &&mut Monitor| it.name == *monitor && !it.endpoints.contains(endpoint);
            config.monitors.iter_mut().filter(is_bound).for_each(|it| it.endpoints.push(endpoint.clone()));
        }
    }

    /// The binding of that id.
    pub(super) fn get(&self, id: &Name) -> Option<&Binding> {
        self.0.get(id)
    }

    /// The row that keeps it, if that is its kind; None: there is none.
    ///
    /// # Errors
    /// It can't be written as JSON.
    pub(super) fn row(&self, kind: &str, id: &Name) -> Result<Option<Definition>, serde_json::Error> {
        self.get(id).filter(|_| kind == ALERT).map(|binding| binding.row(id)).transpose()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// One that an endpoint is made for, in force or not.
    pub(super) fn needing(&self, endpoint: &Name) -> Option<&Name> {
        self.0.iter().find(|(_, binding)| binding.body.endpoint == *endpoint).map(|(id, _)| id)
    }

    /// How many add an endpoint to a monitor that runs.
    pub(super) fn in_force(&self, monitor: &Name, config: &Config) -> u64 {
        let adds = |it: &&Binding| {
            it.body.enabled && it.body.monitor == *monitor && has(config, Part::Endpoint, &it.body.endpoint)
        };
        self.0.values().filter(adds).count() as u64
    }

    fn insert(&mut self, id: &Name, binding: Binding) {
        Arc::make_mut(&mut self.0).insert(id.clone(), binding);
    }

    fn of(&self, monitor: &Name) -> Vec<Name> {
        let its = self.0.iter().filter(|(_, binding)| binding.body.monitor == *monitor);
        its.map(|(id, _)| id.clone()).collect()
    }
}

impl Binding {
    fn row(&self, id: &Name) -> Result<Definition, serde_json::Error> {
        let body = serde_json::to_string(&self.body)?;
        Ok(Definition { kind: ALERT.to_owned(), name: id.clone(), body, made: self.made })
    }
}

impl Plan {
    /// All bindings, as clients are told of them.
    pub(super) fn bindings(&self, device: &str) -> Vec<api::Binding> {
        let bindings = self.roster.bindings.0.iter();
        let told = bindings.map(|(id, Binding { body, made })| api::Binding {
            id: id.clone(),
            monitor: body.monitor.clone(),
            event_id: payload::rule(device, body.monitor.as_str()),
            callback_url: body.callback_url.clone(),
            enabled: body.enabled,
            made: *made,
            problem: self.problem(body),
        });
        told.collect()
    }

    /// Of alerts that nothing comes of because something is gone. What keeps an endpoint from running is told of it.
    pub(super) fn binding_warnings(&self) -> impl Iterator<Item = Warning> {
        let gone = |(id, binding): (&Name, &Binding)| {
            let monitor = &binding.body.monitor;
            (!has(&self.config, Part::Monitor, monitor)).then(|| {
                let remedy = format!("define that monitor again, or take the alert away with DELETE /v1/alerts/{id}");
                Warning::new(format!("alert `{id}` tells nothing: {}", no_monitor(monitor)), remedy)
            })
        };
        self.roster.bindings.0.iter().filter_map(gone)
    }

    fn problem(&self, Body { monitor, endpoint, .. }: &Body) -> Option<String> {
        if !has(&self.config, Part::Monitor, monitor) {
            return Some(no_monitor(monitor));
        }
        let runs = has(&self.config, Part::Endpoint, endpoint);
        (!runs).then(|| format!("its endpoint `{endpoint}` does not run"))
    }
}

impl Step {
    /// That binding is made, or changed.
    ///
    /// # Errors
    /// It can't be written as JSON.
    pub(super) fn bind(&mut self, id: &Name, binding: Binding) -> Result<(), serde_json::Error> {
        self.revision.keep.push(binding.row(id)?);
        self.roster.bindings.insert(id, binding);
        Ok(())
    }

    /// That binding is taken away.
    pub(super) fn unbind(&mut self, id: &Name) {
        self.revision.forget.push((ALERT.to_owned(), id.clone()));
        Arc::make_mut(&mut self.roster.bindings.0).remove(id);
    }

    /// A monitor that was made over the API takes its bindings along: nobody could give them back to it.
    pub(super) fn unbind_all(&mut self, monitor: &Name) {
        self.roster.bindings.of(monitor).iter().for_each(|id| self.unbind(id));
    }
}
