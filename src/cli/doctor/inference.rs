//! ONNX Runtime and the models: here, whole, and able to answer what they are asked.
//!
//! Owns the order; refuses to know how any of it is checked (`model`, `preflight`).

use std::io;

use super::configuration;
use super::report::{Finding, Report};
use crate::config::{Config, Diagnostics};
use crate::model::{self, Folder, FolderError, LoadError, Problem, Runtime};
use crate::name::Name;
use crate::preflight;

pub(super) fn examine(config: &Config, report: &mut Report) -> io::Result<()> {
    let library = library(config, report)?;
    let whole = folders(config, report)?;
    if config.monitors.is_empty() {
        return Ok(());
    }
    if !(library && whole) {
        let found = "not tried: the library or a model is missing";
        return report.tell(Finding::warn("monitors", found, "mend what is named above"));
    }
    let mut diagnostics = Diagnostics::new("", "");
    let loaded = preflight::models(config, &mut diagnostics);
    configuration::tell("monitors", &diagnostics, report)?;
    if loaded.is_some() {
        report.tell(Finding::ok("monitors", "their models load, and know what they are asked"))?;
    }
    Ok(())
}

/// Whether there is one that has what the configuration asks for.
fn library(config: &Config, report: &mut Report) -> io::Result<bool> {
    let nobody_needs_it = config.monitors.is_empty();
    let configured = config.runtime.onnxruntime.as_ref().map(|library| library.value.as_path());
    let runtime = match Runtime::load(configured) {
        Ok(runtime) => runtime,
        Err(error) => {
            return report.tell(Finding::failed("onnxruntime", error).only_odd(nobody_needs_it)).map(|()| false);
        }
    };
    let offers: Vec<&str> = runtime.offers().iter().map(|provider| provider.as_str()).collect();
    let found = format!("{}, {}; it offers {}", runtime.version(), runtime.path().display(), offers.join(", "));
    report.tell(Finding::ok("onnxruntime", found))?;
    match runtime.ways(&config.runtime.execution_providers.value) {
        Ok(_) => Ok(true),
        Err(error) => report.tell(Finding::failed("onnxruntime", error)).map(|()| false),
    }
}

/// Whether those that are needed are whole. Every file is read, so that its hash is known.
fn folders(config: &Config, report: &mut Report) -> io::Result<bool> {
    let mut whole = true;
    for name in names(config) {
        let needed = config.monitors.iter().any(|monitor| {
            monitor.model.value == name || monitor.only_when.as_ref().is_some_and(|it| it.model.value == name)
        });
        let entry = config.models.iter().find(|model| model.name == name);
        let path = entry.and_then(|entry| entry.path.as_ref()).map(|path| path.value.as_path());
        let finding = match Folder::open(&name, path, &config.storage.path) {
            Ok(folder) => {
                let family = folder.manifest.family().as_str();
                Finding::ok("model", format!("{family}, its files are the right ones: {}", folder.path.display()))
            }
            Err(error) if !needed && is_absent(&error) => {
                Finding::ok("model", "nobody asks it, and its files were not fetched")
            }
            Err(error) => {
                whole &= !needed;
                Finding::failed("model", error).only_odd(!needed)
            }
        };
        report.tell(finding.of(&name))?;
    }
    Ok(whole)
}

/// A folder that only describes a model.
fn is_absent(error: &LoadError) -> bool {
    let Problem::Folder(FolderError::Unreadable { error, .. }) = &error.problem else { return false };
    error.kind() == io::ErrorKind::NotFound
}

/// Those of the configuration, and those that lie where models are looked for.
fn names(config: &Config) -> Vec<Name> {
    let mut names: Vec<Name> = config.models.iter().map(|model| model.name.clone()).collect();
    names.extend(model::available(&config.storage.path));
    names.sort();
    names.dedup();
    names
}
