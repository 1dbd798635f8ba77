//! Checks `only_when`: whether a candidate can decide what another model is asked.
//!
//! Owns that it knows labels, has those that are named, tells of scores that low, and can look where the monitor looks; refuses to know how models
//! are loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{self, Diagnostic, Diagnostics, Monitor};
use crate::model::{Family, Folder, Kind};
use crate::name::Name;

/// Tells what is wrong with the candidate of `monitor`. Models without a folder have been told of.
pub(super) fn check(monitor: &Monitor, folders: &BTreeMap<Name, Arc<Folder>>, diagnostics: &mut Diagnostics) {
    let Some(only_when) = &monitor.only_when else { return };
    let Some(folder) = folders.get(&only_when.model.value) else { return };
    let title = |what: String| format!("monitor `{}`: {what}", monitor.name);
    let (name, family) = (&folder.identity.name, folder.manifest.family());
    if matches!(family, Family::Vlm | Family::ZeroShot) {
        let what = title(format!("model `{name}` knows no labels, so that it can't be a candidate"));
        let hint = "name a classifier or a detector";
        diagnostics.push(Diagnostic::error(what).at(only_when.model.at.clone(), hint));
        return;
    }
    for label in only_when.labels.iter().filter(|label| !folder.labels.contains(&label.value)) {
        let what = title(format!("model `{name}` has no label `{}`", label.value));
        let nearest = config::nearest(&label.value, folder.labels.iter().map(String::as_str), 3);
        let hint = format!("the nearest it has: {}", config::quoted(nearest));
        diagnostics.push(Diagnostic::error(what).at(label.at.clone(), hint));
    }
    if let Some(lowest) = lowest_score(folder).filter(|lowest| only_when.above < *lowest) {
        let what = title(format!("model `{name}` never reports a score below {lowest}"));
        let hint = format!("write `> {lowest}` or more, or lower `[output] score_threshold` in its manifest");
        diagnostics.push(Diagnostic::error(what).at(only_when.model.at.clone(), hint));
    }
    let own = folders.get(&monitor.model.value).map(|folder| folder.manifest.family());
    let looks_there = |family: Family| matches!(family, Family::Detector | Family::ZeroShot);
    if !monitor.zone.is_empty() && family == Family::Classifier && !own.is_none_or(looks_there) {
        let what = title(format!("`zone` needs a detector, which neither `{}` nor `{name}` is", monitor.model.value));
        let hint = "name a detector here, or leave `zone` out";
        diagnostics.push(Diagnostic::error(what).at(only_when.model.at.clone(), hint));
    }
}

/// Below it a detector keeps what it sees to itself; a classifier tells all.
fn lowest_score(folder: &Folder) -> Option<f32> {
    match &folder.manifest.kind {
        Kind::Labelled(labelled) => labelled.head.detect().map(|detect| detect.score_threshold),
        Kind::Vlm(_) | Kind::ZeroShot(_) => None,
    }
}
