//! Where cameras are and how we log in: reads their passwords and secret URLs.
//!
//! Owns what is said about them, and that all of it is concealed from here on; refuses to connect.

use std::collections::BTreeMap;

use super::{advice, keys};
use crate::camera::{Address, Login};
use crate::config::{Camera, CameraUrl, Diagnostic, Diagnostics, SecretRef, SecretUrl, Transport};
use crate::name::Name;
use crate::redact;
use crate::secret::Secret;

/// The address of every camera whose secrets can be had.
pub(super) fn addresses(cameras: &[Camera], diagnostics: &mut Diagnostics) -> BTreeMap<Name, Address> {
    let address = |camera: &Camera| Some((camera.name.clone(), address(camera, diagnostics)?));
    cameras.iter().filter_map(address).collect()
}

fn address(camera: &Camera, diagnostics: &mut Diagnostics) -> Option<Address> {
    let whose = format!("camera `{}`", camera.name);
    let password = match &camera.password {
        Some(reference) => Some(keys::read(&whose, reference, diagnostics)?),
        None => None,
    };
    if let (Some(password), Some(reference)) = (&password, &camera.password) {
        short(&whose, password, reference, diagnostics);
    }
    let username = camera.username.clone();
    let address = match &camera.url {
        CameraUrl::Open(url) => Address::of(&url.value, username, password, camera.repeat),
        CameraUrl::Secret(reference) => {
            let login = username.map(|username| Login { username, password: password.unwrap_or_default() });
            let address = secret(&whose, reference, login, diagnostics)?;
            unencrypted(&whose, camera, &address, diagnostics);
            address
        }
    };
    if let Address::Rtsp(_, Some(login)) | Address::Secret(_, Some(login)) = &address {
        redact::conceal_login(&login.username, &login.password);
    }
    Some(address)
}

/// What a secret URL says. A login beside it is taken unless there is one in it, too.
fn secret(
    whose: &str,
    reference: &SecretRef,
    configured: Option<Login>,
    diagnostics: &mut Diagnostics,
) -> Option<Address> {
    let text = keys::read(whose, reference, diagnostics)?;
    let SecretUrl { url, login } = match SecretUrl::parse(text.expose()) {
        Ok(read) => read,
        Err(why) => {
            let why = why.to_string();
            let (what, advice) = advice(&why, "; ");
            let title = format!("{whose}: `{}` can't be used: {what}", named(reference));
            diagnostics.push(Diagnostic::error(title).at(reference.at(), advice));
            return None;
        }
    };
    redact::conceal_url(&url);
    let login = match (login, configured) {
        (Some(_), Some(_)) => {
            let title =
                format!("{whose}: there are two logins, `username` and one in the URL of `{}`", named(reference));
            let label = "take what stands before the `@` out of it, or leave `username` out";
            diagnostics.push(Diagnostic::error(title).at(reference.at(), label));
            return None;
        }
        (Some((username, password)), None) => {
            // A name without a password is a token.
            if password.expose().is_empty() {
                redact::conceal(&Secret::new(username.as_str()));
            }
            short(whose, &password, reference, diagnostics);
            Some(Login { username, password })
        }
        (None, configured) => configured,
    };
    Some(Address::Secret(url, login))
}

/// As the configuration says of a URL that stands in it.
fn unencrypted(whose: &str, camera: &Camera, address: &Address, diagnostics: &mut Diagnostics) {
    let Address::Secret(url, _) = address else { return };
    if url.scheme() == "rtsps" && camera.transport == Transport::Udp {
        let title = format!("{whose}: over UDP the video of an `rtsps://` camera would not be encrypted");
        let label = "leave `transport` out: the video stays within the TLS connection";
        diagnostics.push(Diagnostic::error(title).at(camera.url.at(), label));
    }
}

/// As the file names it.
fn named(reference: &SecretRef) -> String {
    match reference {
        SecretRef::File(path) => path.value.display().to_string(),
        SecretRef::Credential(name) => name.value.clone(),
    }
}

/// Warns of a password that can't be kept out of the log by itself.
fn short(whose: &str, password: &Secret, reference: &SecretRef, diagnostics: &mut Diagnostics) {
    if (1..redact::SHORTEST).contains(&password.expose().len()) {
        let title = format!("{whose}: its password is too short to be told from other text, which may show it");
        let label = format!("give the camera one of at least {} characters, better 12", redact::SHORTEST);
        diagnostics.push(Diagnostic::warning(title).at(reference.at(), label));
    }
}
