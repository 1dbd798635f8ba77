//! What one part needs that is added to a configuration in use: the same checks, of that part alone.
//!
//! Owns which checks belong to which part, and what is made of a secret that came with it; refuses to start anything. On
//! whichever thread adds it, which it may keep for as long as a model takes to load.

use std::collections::BTreeMap;

use super::folders::Folders;
use super::models::Asked;
use super::{cameras, credentials, endpoint, logins, models, tls};
use crate::camera::Address;
use crate::config::{Camera, Config, Defined, Diagnostics, Endpoint, Model, Monitor, Severity, Unfit};
use crate::credentials::Credentials;
use crate::egress::Egress;
use crate::model::{Handle, Loaded};
use crate::name::Name;
use crate::redact;
use crate::secret::Secret;
use crate::sign::{Key, PREFIX};
use crate::transport::Tls;

/// What the checks of one part opened.
pub enum Opened {
    /// Where the camera is.
    Camera(Address),
    /// What opens the way to it, and what TLS rests on.
    Endpoint(Credentials, Tls),
    /// The models that didn't run yet.
    Monitor(BTreeMap<Name, Loaded>),
}

/// Checks `part`, which `config` doesn't have yet, against the world. `secret` came with it: the password of a camera, the
/// key of an endpoint. Models of `running` are not loaded again, and folders that are `known` not opened again.
///
/// # Errors
/// All that is wrong with it.
pub fn open(
    part: &Defined,
    secret: Option<&Secret>,
    config: &Config,
    running: &BTreeMap<Name, Handle>,
    known: &mut Folders,
) -> Result<Opened, Unfit> {
    let mut diagnostics = Diagnostics::new("", "the request");
    let opened = match part {
        Defined::Camera(camera) => self::camera(camera, secret, &mut diagnostics)?.map(Opened::Camera),
        Defined::Endpoint(endpoint) => signed(endpoint, secret, &config.egress, &mut diagnostics)?,
        Defined::Monitor(monitor) => {
            let models = named(monitor, config);
            let monitors = std::slice::from_ref(monitor);
            let others = running.keys().chain(config.models.iter().map(|model| &model.name)).cloned().collect();
            let (runtime, storage) = (&config.runtime, config.storage.path.as_path());
            let asked = Asked { models: &models, others, monitors, runtime, storage };
            Some(Opened::Monitor(models::load(&asked, running, known, &mut diagnostics)))
        }
    };
    for warning in diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning) {
        tracing::warn!("{}: {}", warning.title, warning.label);
    }
    match (Unfit::of(&diagnostics), opened) {
        (None, Some(opened)) => {
            conceal(&opened, secret);
            Ok(opened)
        }
        (Some(unfit), _) => Err(unfit),
        (None, None) => Err(Unfit::new("it can't be used", "see `journalctl -u stakeout`")),
    }
}

/// What else of it than was read from files.
fn conceal(opened: &Opened, secret: Option<&Secret>) {
    let login = match opened {
        Opened::Camera(Address::Rtsp(_, login)) => login.as_ref(),
        Opened::Camera(_) | Opened::Endpoint(..) | Opened::Monitor(_) => None,
    };
    let Some(secret) = secret else {
        // A name without a password is a token.
        let token = login.filter(|login| login.password.expose().is_empty());
        return token.into_iter().for_each(|login| redact::conceal(&Secret::new(login.username.as_str())));
    };
    redact::conceal(secret);
    if let Some(encoded) = secret.expose().strip_prefix(PREFIX) {
        redact::conceal(&Secret::new(encoded));
    }
    if let Some(login) = login {
        redact::conceal_login(&login.username, &login.password);
    }
}

fn camera(camera: &Camera, secret: Option<&Secret>, diagnostics: &mut Diagnostics) -> Result<Option<Address>, Unfit> {
    let whose = format!("camera `{}`", camera.name);
    let only = std::slice::from_ref(camera);
    let address = logins::addresses(only, diagnostics).remove(&camera.name);
    tls::of_cameras(only, diagnostics);
    cameras::check(only, diagnostics);
    let Some(password) = secret else { return Ok(address) };
    if camera.password.is_some() {
        let what = format!("{whose}: there are two passwords, `password` and a file or credential");
        return Err(Unfit::new(what, "leave one of them out"));
    }
    match address {
        Some(Address::Rtsp(url, Some(mut login))) => {
            login.password = password.clone();
            Ok(Some(Address::Rtsp(url, Some(login))))
        }
        Some(_) => Err(Unfit::new(format!("{whose}: a password needs a `username`"), "add `username`")),
        None => Ok(None),
    }
}

fn signed(
    endpoint: &Endpoint,
    secret: Option<&Secret>,
    egress: &Egress,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Opened>, Unfit> {
    let opened = self::endpoint(endpoint, egress, diagnostics);
    let Some(secret) = secret else { return Ok(opened.map(|(open, tls)| Opened::Endpoint(open, tls))) };
    if !endpoint.format.is_signed() {
        let what = format!("endpoint `{}`: `{}` is never signed", endpoint.name, endpoint.format.as_str());
        return Err(Unfit::new(what, "leave `secret` out"));
    }
    if !endpoint.secrets.is_empty() {
        let what = format!("endpoint `{}`: `secret` stands beside a file or credential", endpoint.name);
        return Err(Unfit::new(what, "leave one of them out"));
    }
    let key = Key::new(secret.expose()).map_err(|_| {
        let what = format!("endpoint `{}`: `secret` is empty, or what follows `whsec_` is not base64", endpoint.name);
        Unfit::new(what, "make one with `stakeout keygen`")
    })?;
    if let Some(warning) = credentials::guessable(&format!("endpoint `{}`", endpoint.name), secret) {
        tracing::warn!("{warning}: make one with `stakeout keygen`");
    }
    Ok(opened.map(|(open, tls)| Opened::Endpoint(Credentials { keys: vec![key], ..open }, tls)))
}

/// The models of `monitor`, so that only these are looked at.
fn named(monitor: &Monitor, config: &Config) -> Vec<Model> {
    let named = |name: &Name| {
        monitor.model.value == *name || monitor.only_when.as_ref().is_some_and(|other| other.model.value == *name)
    };
    let mut models: Vec<_> = config.models.iter().filter(|model| named(&model.name)).cloned().collect();
    crate::config::complete(&mut models, monitor);
    models
}
