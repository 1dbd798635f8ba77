//! Loads the models, and checks what monitors ask of them.
//!
//! Owns that labels, words, zones and counts fit the model that is asked; refuses to know how a model is loaded.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::folders::Folders;
use super::{advice, candidates};
use crate::catalogue;
use crate::config::{self, Config, Diagnostic, Diagnostics, Located, Model, Monitor};
use crate::model::{
    self, Family, Folder, FolderError, Handle, LoadError, Loaded, NotOffered, Options, Problem, QuestionError, Runtime,
};
use crate::name::Name;
use crate::systemd;

/// What is looked at: a whole configuration, or one monitor of it.
pub(super) struct Asked<'c> {
    /// Models.
    pub(super) models: &'c [Model],
    /// Others that are known to load, to be named to whoever asks for one that is not.
    pub(super) others: Vec<Name>,
    /// Who asks them.
    pub(super) monitors: &'c [Monitor],
    /// What they run on.
    pub(super) runtime: &'c config::Runtime,
    /// The state directory.
    pub(super) storage: &'c Path,
}

impl<'c> From<&'c Config> for Asked<'c> {
    fn from(config: &'c Config) -> Asked<'c> {
        let Config { models, monitors, runtime, storage, .. } = config;
        Asked { models, others: Vec::new(), monitors, runtime, storage: &storage.path }
    }
}

/// Every model that a monitor names, but for those of `running`. Models that nobody names are checked, but not loaded.
pub(super) fn load(
    asked: &Asked<'_>,
    running: &BTreeMap<Name, Handle>,
    known: &mut Folders,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<Name, Loaded> {
    let used = |model: &Model| asked.monitors.iter().any(|monitor| named_by(monitor).any(|it| it.value == model.name));
    let runtime = if asked.models.iter().any(used) { runtime(asked, diagnostics) } else { None };
    let providers = asked.runtime.execution_providers.value.clone();
    let options = Options { threads: asked.runtime.threads, providers };
    let (mut all, mut folders) = (BTreeMap::new(), BTreeMap::new());
    for entry in asked.models {
        let folder = match known.open(entry, asked.storage) {
            Ok(folder) => folder,
            Err(error) => {
                diagnostics.push(unusable(asked, entry, &error));
                continue;
            }
        };
        let asking = || asked.monitors.iter().filter(|monitor| monitor.model.value == entry.name);
        asking().for_each(|monitor| fits(monitor, &folder, diagnostics));
        folders.insert(entry.name.clone(), folder.clone());
        if let Some(model) = running.get(&entry.name) {
            asking().for_each(|monitor| is_understood(monitor, model.model(), diagnostics));
            continue;
        }
        let Some(runtime) = runtime.filter(|_| used(entry)) else { continue };
        allow_time(asked, runtime);
        match model::load(runtime, &folder, options.clone()) {
            Ok(loaded) => {
                asking().for_each(|monitor| is_understood(monitor, &loaded.model, diagnostics));
                all.insert(entry.name.clone(), loaded);
            }
            Err(error) => {
                diagnostics.push(unusable(asked, entry, &error));
                known.is_of_no_use(&entry.name, Arc::new(error));
            }
        }
    }
    asked.monitors.iter().for_each(|monitor| candidates::check(monitor, &folders, diagnostics));
    all
}

/// The model that is loaded next gets a time of its own: many together may take long, and one that hangs still ends the
/// start. Each provider is tried by itself.
fn allow_time(asked: &Asked<'_>, runtime: &Runtime) {
    let ways = runtime.ways(&asked.runtime.execution_providers.value).map_or(1, |ways| ways.len());
    let one = asked.runtime.run_timeout.saturating_mul(model::FIRST);
    systemd::starting(one.saturating_mul(u32::try_from(ways).unwrap_or(u32::MAX)));
}

/// `[api] default_model`, which no monitor may name yet. It is not kept: whoever asks for it loads it.
pub(super) fn of_clients(config: &Config, known: &mut Folders, diagnostics: &mut Diagnostics) {
    let Some(name) = &config.api.default_model else { return };
    if config.monitors.iter().any(|monitor| named_by(monitor).any(|it| it.value == *name)) {
        return;
    }
    let section = config.models.iter().find(|model| model.name == *name);
    let entry = section.cloned().unwrap_or_else(|| Model { name: name.clone(), path: None, at: 0..0 });
    let folder = match known.open(&entry, &config.storage.path) {
        Ok(folder) => folder,
        Err(error) => {
            // Of one with a section this has been told.
            if section.is_none() {
                diagnostics.push(of_no_use_to_clients(&error));
            }
            return;
        }
    };
    let asked = Asked::from(config);
    let Some(runtime) = (!diagnostics.has_errors()).then(|| runtime(&asked, diagnostics)).flatten() else { return };
    let providers = asked.runtime.execution_providers.value.clone();
    allow_time(&asked, runtime);
    if let Err(error) = model::load(runtime, &folder, Options { threads: asked.runtime.threads, providers }) {
        diagnostics.push(of_no_use_to_clients(&error));
    }
}

fn of_no_use_to_clients(error: &LoadError) -> Diagnostic {
    let text = error.to_string();
    let (what, advice) = advice(&text, "; ");
    Diagnostic::error(format!("`[api] default_model`: {what}")).help(advice).may_heal(error.may_heal())
}

/// The models that a monitor asks: its own, and its candidate.
fn named_by(monitor: &Monitor) -> impl Iterator<Item = &Located<Name>> {
    [&monitor.model].into_iter().chain(monitor.only_when.as_ref().map(|only_when| &only_when.model))
}

fn runtime(asked: &Asked<'_>, diagnostics: &mut Diagnostics) -> Option<&'static Runtime> {
    let configured = asked.runtime.onnxruntime.as_ref();
    match Runtime::load(configured.map(|library| library.value.as_path())) {
        Ok(runtime) => offered(asked, runtime, diagnostics),
        Err(error) => {
            let text = error.to_string();
            let (what, advice) = advice(&text, "; ");
            let diagnostic = Diagnostic::error(what).may_heal(error.may_heal());
            diagnostics.push(match configured {
                Some(library) => diagnostic.at(library.at.clone(), "").help(advice),
                None => diagnostic.help(advice),
            });
            None
        }
    }
}

/// The library, if it has every provider that the file names.
fn offered(asked: &Asked<'_>, runtime: &'static Runtime, diagnostics: &mut Diagnostics) -> Option<&'static Runtime> {
    let wanted = &asked.runtime.execution_providers;
    let told = |error: NotOffered| {
        let text = error.to_string();
        let (what, advice) = advice(&text, "; ");
        diagnostics.push(Diagnostic::error(what).at(wanted.at.clone(), "").help(advice));
    };
    runtime.ways(&wanted.value).map_err(told).is_ok().then_some(runtime)
}

fn unusable(asked: &Asked<'_>, entry: &Model, error: &LoadError) -> Diagnostic {
    let asking = asked.monitors.iter().find(|monitor| named_by(monitor).any(|it| it.at == entry.at));
    if let (Problem::Folder(FolderError::NotFound { .. }), Some(monitor)) = (&error.problem, asking) {
        return unknown(asked, entry, monitor, &error.problem.to_string()).may_heal(error.may_heal());
    }
    let at = entry.path.as_ref().map_or(entry.at.clone(), |path| path.at.clone());
    let text = error.to_string();
    let (what, advice) = advice(&text, "; ");
    Diagnostic::error(what).at(at, "").help(advice).may_heal(error.may_heal())
}

/// A monitor names a model that has no section and is in none of the folders.
fn unknown(asked: &Asked<'_>, entry: &Model, monitor: &Monitor, text: &str) -> Diagnostic {
    let named = |other: &Model| asked.monitors.iter().any(|monitor| named_by(monitor).any(|it| it.at == other.at));
    let sections = asked.models.iter().filter(|other| !named(other));
    let mut known: Vec<Name> = sections.map(|model| model.name.clone()).collect();
    known.extend(asked.others.iter().filter(|name| **name != entry.name).cloned());
    known.extend(model::available(asked.storage));
    known.sort();
    known.dedup();
    let names = || known.iter().map(Name::as_str);
    let label = match config::closest(entry.name.as_str(), names()) {
        _ if known.is_empty() => "no models are known here".to_owned(),
        Some(name) => format!("did you mean `{name}`? models known here: {}", config::quoted(names())),
        None => format!("models known here: {}", config::quoted(names())),
    };
    let (what, _) = advice(text, "; ");
    let by_hand = "copy its folder into one of these places, or name it in a `[[model]]` section";
    let help = match catalogue::find(entry.name.as_str()) {
        Some(_) => format!("`stakeout models pull {}` downloads it; or {by_hand}", entry.name),
        None => by_hand.to_owned(),
    };
    Diagnostic::error(format!("monitor `{}`: unknown model `{}`", monitor.name, entry.name))
        .at(entry.at.clone(), label)
        .note(what)
        .help(help)
}

/// Whether a model that reads takes the monitor's words.
fn is_understood(monitor: &Monitor, model: &model::Model, diagnostics: &mut Diagnostics) {
    if let Err(error @ QuestionError::Wording { .. }) = model.question(monitor) {
        let text = error.to_string();
        let (what, advice) = advice(&text, "; ");
        diagnostics.push(Diagnostic::error(what).at(monitor.model.at.clone(), "").help(advice));
    }
}

/// Whether the model is of a kind that can answer what the monitor asks.
fn fits(monitor: &Monitor, folder: &Folder, diagnostics: &mut Diagnostics) {
    match folder.manifest.family() {
        family @ (Family::ZeroShot | Family::Vlm) => reads(monitor, folder, family, diagnostics),
        family => knows(monitor, folder, family, diagnostics),
    }
}

/// A model that reads is asked in words.
fn reads(monitor: &Monitor, folder: &Folder, family: Family, diagnostics: &mut Diagnostics) {
    let model = &folder.identity.name;
    let mut wrong = |what: String, hint: &str| {
        let what = format!("monitor `{}`: {what}", monitor.name);
        diagnostics.push(Diagnostic::error(what).at(monitor.model.at.clone(), hint));
    };
    if monitor.condition.trim().is_empty() {
        wrong(format!("model `{model}` reads, and there is nothing to read"), "ask a question in `condition`");
    }
    if !monitor.labels.is_empty() {
        wrong(
            format!("model `{model}` knows no labels"),
            "say in `condition` what is looked for, and leave `labels` out",
        );
    }
    if family == Family::Vlm && !(monitor.prompts.is_empty() && monitor.negatives.is_empty()) {
        let hint = "ask one question in `condition`, and leave `prompts` and `negatives` out";
        wrong(format!("`prompts` and `negatives` need a zero-shot model, which `{model}` is not"), hint);
    }
    if monitor.min_count > 1 {
        wrong(format!("model `{model}` doesn't count"), "put the number into the question, and leave `min_count` out");
    }
    if family == Family::Vlm && !monitor.zone.is_empty() && monitor.only_when.is_none() {
        let hint = "say in `condition` where it must be, and leave `zone` out";
        wrong(format!("`zone` needs a model that gives boxes, which `{model}` does not"), hint);
    }
}

/// A model that knows labels is asked for those that it has.
fn knows(monitor: &Monitor, folder: &Folder, family: Family, diagnostics: &mut Diagnostics) {
    let title = |what: String| format!("monitor `{}`: {what}", monitor.name);
    let model = &folder.identity.name;
    if !(monitor.prompts.is_empty() && monitor.negatives.is_empty()) {
        let what = title(format!("`prompts` and `negatives` need a zero-shot model, which `{model}` is not"));
        let hint = "it looks for `labels`: leave `prompts` and `negatives` out";
        diagnostics.push(Diagnostic::error(what).at(monitor.model.at.clone(), hint));
    }
    let known = || folder.labels.iter().map(String::as_str);
    for label in monitor.labels.iter().filter(|label| !folder.labels.contains(&label.value)) {
        let what = title(format!("model `{model}` has no label `{}`", label.value));
        let nearest = config::nearest(&label.value, known(), 3);
        let hint = format!("the nearest it has: {}", config::quoted(nearest));
        diagnostics.push(Diagnostic::error(what).at(label.at.clone(), hint));
    }
    if monitor.labels.is_empty() {
        let what = title(format!("model `{model}` reads no questions, so that any of its labels counts"));
        let few = config::quoted(known().take(3));
        let hint = format!("name `labels`; it has {few}{}", if folder.labels.len() > 3 { ", …" } else { "" });
        diagnostics.push(Diagnostic::warning(what).at(monitor.model.at.clone(), hint));
    }
    if family == Family::Detector {
        return;
    }
    let asked = if monitor.labels.is_empty() { folder.labels.len() } else { monitor.labels.len() };
    if !monitor.zone.is_empty() && monitor.only_when.is_none() {
        let what = title(format!("`zone` needs a detector, which `{model}` is not"));
        let hint = "a classifier sees the picture as a whole: leave `zone` out";
        diagnostics.push(Diagnostic::error(what).at(monitor.model.at.clone(), hint));
    }
    if monitor.min_count as usize > asked {
        let what = title(format!("`min_count = {}` can never be reached", monitor.min_count));
        let hint = format!("a classifier gives one score a label, and it is asked for {asked}");
        diagnostics.push(Diagnostic::error(what).at(monitor.model.at.clone(), hint));
    }
}
