//! Which secrets a configuration names, and whether this process can have them.
//!
//! Owns the list; refuses to read them (`preflight` does).

use std::fs::File;
use std::io;

use crate::config::{Api, Camera, CameraUrl, Config, Endpoint, EndpointUrl, SecretRef};

/// All of them, each with whose it is.
pub(super) fn secrets(config: &Config) -> Vec<(String, &SecretRef)> {
    let Api { token, webhook_secret, .. } = &config.api;
    let api = token.iter().chain(webhook_secret).map(|secret| ("[api]".to_owned(), secret));
    let cameras =
        config.cameras.iter().flat_map(|it| of_camera(it).map(|secret| (format!("camera {}", it.name), secret)));
    let endpoints =
        config.endpoints.iter().flat_map(|it| of_endpoint(it).map(|secret| (format!("endpoint {}", it.name), secret)));
    api.chain(cameras).chain(endpoints).collect()
}

pub(super) fn of_camera(camera: &Camera) -> impl Iterator<Item = &SecretRef> {
    let url = match &camera.url {
        CameraUrl::Secret(secret) => Some(secret),
        CameraUrl::Open(_) => None,
    };
    camera.password.iter().chain(url)
}

pub(super) fn of_endpoint(endpoint: &Endpoint) -> impl Iterator<Item = &SecretRef> {
    let url = match &endpoint.url {
        EndpointUrl::Secret(secret) => Some(secret),
        EndpointUrl::Open(_) => None,
    };
    let password = endpoint.mail.as_ref().and_then(|mail| mail.password.as_ref());
    let key = endpoint.client.as_ref().map(|client| &client.key);
    endpoint.secrets.iter().chain(url).chain(&endpoint.routing_key).chain(password).chain(key)
}

/// Why this process can't have one of them although the service may: what is so, and what to do.
pub(super) fn beyond<'a>(secrets: impl Iterator<Item = &'a SecretRef>) -> Option<(String, &'static str)> {
    let handed_over = std::env::var_os("CREDENTIALS_DIRECTORY").is_some();
    secrets.filter_map(|secret| of_one(secret, handed_over)).next()
}

fn of_one(secret: &SecretRef, handed_over: bool) -> Option<(String, &'static str)> {
    match secret {
        SecretRef::Credential(name) if !handed_over => {
            let what = format!("not tried: only the service has its credential `{}`", name.value);
            Some((what, "see `stakeout status` while it runs"))
        }
        SecretRef::File(file) => {
            let denied = File::open(&file.value).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
            denied
                .then(|| (format!("not tried: this user may not read `{}`", file.value.display()), "run this as root"))
        }
        SecretRef::Credential(_) => None,
    }
}
