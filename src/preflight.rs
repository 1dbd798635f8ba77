//! What can be known before anything runs: secrets, models and their labels, GStreamer's elements.
//!
//! Owns the checks that need the world and points each problem at its line in the file; refuses to start anything. `check`
//! prints what it finds, `run` and `replay` go on with what it has loaded. Runs on the main thread.

use std::collections::BTreeMap;

use crate::camera;
use crate::config::{Camera, Config, Diagnostic, Diagnostics, Endpoint, Model, Monitor, quoted};
use crate::model::{self, Family, Folder, Loaded, Problem, Runtime};
use crate::name::Name;
use crate::secrets::{self, Secret};
use crate::sign::Key;

/// What the checks have brought to light, ready for use.
#[derive(Default)]
pub struct Ready {
    /// Passwords by camera.
    pub passwords: BTreeMap<Name, Secret>,
    /// Signing keys by endpoint, newest first.
    pub keys: BTreeMap<Name, Vec<Key>>,
    /// Models by name, their sessions created.
    pub models: BTreeMap<Name, Loaded>,
}

/// Checks everything and adds every problem to `found`. What is missing from the answer has an error in `found`.
pub fn check(config: &Config, found: &mut Diagnostics) -> Ready {
    let mut ready = Ready::default();
    elements(config, found);
    for camera in &config.cameras {
        ready.passwords.extend(password(camera, found).map(|secret| (camera.name.clone(), secret)));
    }
    for endpoint in &config.endpoints {
        ready.keys.insert(endpoint.name.clone(), keys(endpoint, found));
    }
    ready.models = models(config, &config.models, found);
    for monitor in &config.monitors {
        if let Some(loaded) = ready.models.get(&monitor.model.value) {
            labels(monitor, &loaded.model, found);
        }
    }
    ready
}

/// The models that `monitors` need, and their labels: all that a replay has to know.
pub fn models_for(config: &Config, monitors: &[&Monitor], found: &mut Diagnostics) -> BTreeMap<Name, Loaded> {
    let needed = config.models.iter().filter(|model| monitors.iter().any(|monitor| monitor.model.value == model.name));
    let models = models(config, needed, found);
    for monitor in monitors {
        if let Some(loaded) = models.get(&monitor.model.value) {
            labels(monitor, &loaded.model, found);
        }
    }
    models
}

fn elements(config: &Config, found: &mut Diagnostics) {
    if config.cameras.is_empty() {
        return;
    }
    for missing in camera::missing_elements() {
        let title = format!("the GStreamer element `{}` is missing", missing.element);
        found.push(Diagnostic::error(title).help(format!("install it: `apt-get install {}`", missing.package)));
    }
}

fn password(camera: &Camera, found: &mut Diagnostics) -> Option<Secret> {
    let reference = camera.password.as_ref()?;
    match secrets::read(reference) {
        Ok(secret) => Some(secret),
        Err(error) => {
            let title = format!("camera `{}`: its password can't be had", camera.name);
            found.push(Diagnostic::error(title).at(reference.at(), error.to_string()));
            None
        }
    }
}

fn keys(endpoint: &Endpoint, found: &mut Diagnostics) -> Vec<Key> {
    let mut keys = Vec::new();
    for reference in &endpoint.secrets {
        let key = secrets::read(reference)
            .map_err(|error| error.to_string())
            .and_then(|secret| Key::new(secret.expose()).map_err(|error| error.to_string()));
        match key {
            Ok(key) => keys.push(key),
            Err(why) => {
                let title = format!("endpoint `{}`: its secret can't be used", endpoint.name);
                found.push(Diagnostic::error(title).at(reference.at(), why));
            }
        }
    }
    keys
}

fn models<'a>(
    config: &Config,
    wanted: impl IntoIterator<Item = &'a Model>,
    found: &mut Diagnostics,
) -> BTreeMap<Name, Loaded> {
    let mut wanted = wanted.into_iter().peekable();
    if wanted.peek().is_none() {
        return BTreeMap::new();
    }
    let configured = config.runtime.onnxruntime.as_ref();
    let runtime = match Runtime::load(configured.map(|path| path.value.as_path())) {
        Ok(runtime) => runtime,
        Err(error) => {
            let diagnostic = Diagnostic::error("ONNX Runtime can't be loaded");
            found.push(match configured {
                Some(path) => diagnostic.at(path.at.clone(), error.to_string()),
                None => diagnostic.note(error.to_string()),
            });
            return BTreeMap::new();
        }
    };
    let mut loaded = BTreeMap::new();
    for model in wanted {
        match load(config, runtime, model) {
            Ok(ready) => {
                loaded.insert(model.name.clone(), ready);
            }
            Err(problem) => {
                let at = model.path.as_ref().map_or(&model.at, |path| &path.at);
                let title = format!("model `{}` can't be used", model.name);
                found.push(Diagnostic::error(title).at(at.clone(), problem.to_string()));
            }
        }
    }
    loaded
}

fn load(config: &Config, runtime: &Runtime, model: &Model) -> Result<Loaded, Problem> {
    let path = model.path.as_ref().map(|path| path.value.as_path());
    let folder = Folder::open(&model.name, path, &config.storage.path).map_err(|error| error.problem)?;
    model::load(runtime, &folder, config.runtime.threads).map_err(|error| error.problem)
}

/// What a monitor asks of its model, and what that model can tell.
fn labels(monitor: &Monitor, model: &model::Model, found: &mut Diagnostics) {
    for label in &monitor.labels {
        if let Err(unknown) = model.label_index(&label.value) {
            let title =
                format!("monitor `{}`: model `{}` has no label `{}`", monitor.name, monitor.model.value, label.value);
            let nearest = format!("the nearest it has: {}", quoted(unknown.nearest.iter().map(String::as_str)));
            found.push(Diagnostic::error(title).at(label.at.clone(), nearest));
        }
    }
    if model.family() != Family::Detector && !monitor.zone.is_empty() {
        let title = format!("monitor `{}`: `zone` needs a detector", monitor.name);
        let why = "this model sees the picture as a whole";
        found.push(
            Diagnostic::error(title).at(monitor.model.at.clone(), why).help("leave `zone` out, or use a detector"),
        );
    }
}
