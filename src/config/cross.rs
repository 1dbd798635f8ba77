//! What has to fit between sections: unique names, and references that lead somewhere.
//!
//! Owns the links between cameras, models, monitors and endpoints; refuses to know the keys of any of them.

use std::collections::BTreeSet;

use super::diagnostic::Diagnostic;
use super::monitor::Draft;
use super::settings::{Device, Endpoint, Located, Model, Monitor};
use super::suggest;
use crate::event::EventType;
use crate::name::Name;

/// Tells every name that an earlier section of the same kind has.
pub(super) fn unique(kind: &str, names: &[Located<Name>], found: &mut Vec<Diagnostic>) {
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = names[..index].iter().find(|earlier| earlier.value == name.value) {
            let title = format!("two {kind}s are named `{}`", name.value);
            let diagnostic = Diagnostic::error(title).at(name.at.clone(), "give this one another name");
            found.push(diagnostic.related(first.at.clone(), "the first one"));
        }
    }
}

/// Names that monitors may refer to, those of sections with problems included.
pub(super) struct Known<'a> {
    /// Of cameras.
    pub(super) cameras: &'a [Located<Name>],
    /// Of endpoints.
    pub(super) endpoints: &'a [Located<Name>],
}

/// Follows a monitor's references; those that lead nowhere are told.
pub(super) fn link(draft: Draft, known: &Known<'_>, found: &mut Vec<Diagnostic>) -> Monitor {
    let Draft { title, mut monitor, cameras, endpoints, .. } = draft;
    for camera in &cameras {
        exists(&title, "camera", camera, known.cameras, found);
    }
    monitor.cameras = cameras.into_iter().map(|camera| camera.value).collect();
    for (index, endpoint) in endpoints.iter().flatten().enumerate() {
        exists(&title, "endpoint", endpoint, known.endpoints, found);
        let earlier = endpoints.iter().flatten().take(index);
        if earlier.into_iter().any(|earlier| earlier.value == endpoint.value) {
            let title = format!("{title}: endpoint `{}` is named twice", endpoint.value);
            found.push(Diagnostic::error(title).at(endpoint.at.clone(), "leave it out"));
        }
    }
    monitor.endpoints = match endpoints {
        Some(chosen) => chosen.into_iter().map(|endpoint| endpoint.value).collect(),
        None => known.endpoints.iter().map(|endpoint| endpoint.value.clone()).collect(),
    };
    monitor
}

fn exists(title: &str, kind: &str, wanted: &Located<Name>, known: &[Located<Name>], found: &mut Vec<Diagnostic>) {
    if known.iter().any(|name| name.value == wanted.value) {
        return;
    }
    let names: BTreeSet<_> = known.iter().map(|name| name.value.as_str()).collect();
    let label = match suggest::closest(wanted.value.as_str(), names.iter().copied()) {
        _ if known.is_empty() => format!("there is no `[[{kind}]]` in this file"),
        Some(name) => format!("did you mean `{name}`? {kind}s known here: {}", suggest::quoted(names.iter().copied())),
        None => format!("{kind}s known here: {}", suggest::quoted(names.iter().copied())),
    };
    let title = format!("{title}: unknown {kind} `{}`", wanted.value);
    found.push(Diagnostic::error(title).at(wanted.at.clone(), label));
}

/// Adds models that monitors name and that have no section: they are looked up in the models folders.
pub(super) fn complete(models: &mut Vec<Model>, monitors: &[Monitor]) {
    let candidates = monitors.iter().filter_map(|monitor| Some(&monitor.only_when.as_ref()?.model));
    for named in monitors.iter().map(|monitor| &monitor.model).chain(candidates) {
        if !models.iter().any(|model| model.name == named.value) {
            let Located { value: name, at } = named.clone();
            models.push(Model { name, path: None, at });
        }
    }
}

/// A heartbeat that nobody hears.
pub(super) fn unheard(device: &Device, endpoints: &[Endpoint], found: &mut Vec<Diagnostic>) {
    let hears = |endpoint: &Endpoint| endpoint.events.contains(&EventType::Heartbeat);
    if device.heartbeat.is_some() && !endpoints.iter().any(hears) {
        let warning = Diagnostic::warning("no endpoint gets the heartbeat that `[device] heartbeat` asks for");
        found.push(
            warning.help(
                "an endpoint of `format = \"stakeout\"` gets it, unless its `events` leave `device.heartbeat` out",
            ),
        );
    }
}

/// What works, but not the way anybody would want it.
pub(super) fn surprises(monitors: &[Monitor], endpoints: &[Located<Name>], found: &mut Vec<Diagnostic>) {
    if monitors.is_empty() {
        let warning = Diagnostic::warning("nothing is watched: there is no `[[monitor]]`");
        found.push(warning.help("`stakeout config` prints an example"));
        return;
    }
    for endpoint in endpoints {
        if !monitors.iter().any(|monitor| monitor.endpoints.contains(&endpoint.value)) {
            let title = format!("endpoint `{}` never gets anything", endpoint.value);
            found.push(Diagnostic::warning(title).at(endpoint.at.clone(), "no monitor names it in its `endpoints`"));
        }
    }
    if endpoints.is_empty() {
        let warning = Diagnostic::warning("events are journaled but sent nowhere: there is no `[[endpoint]]`");
        found.push(warning.help("`stakeout config` prints an example"));
    }
}
