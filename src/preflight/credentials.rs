//! Reads what opens the way to endpoints: secret URLs, signing keys, routing keys, passwords of mail servers.
//!
//! Owns what is said about them, and that all of it is concealed from here on; refuses to connect.

use std::collections::BTreeMap;

use url::Url;

use super::{advice, keys};
use crate::config::{self, Diagnostic, Diagnostics, Endpoint, EndpointUrl, Mail, SecretRef};
use crate::credentials::{Credentials, Login};
use crate::egress::Egress;
use crate::name::Name;
use crate::redact;
use crate::secret::Secret;
use crate::sign::{Key, PREFIX};

/// Of every endpoint whose secrets can be had.
pub(super) fn of(
    endpoints: &[Endpoint],
    egress: &Egress,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<Name, Credentials> {
    endpoints
        .iter()
        .filter_map(|endpoint| Some((endpoint.name.clone(), read(endpoint, egress, diagnostics)?)))
        .collect()
}

/// Whatever is wrong with any of them is told at once.
fn read(endpoint: &Endpoint, egress: &Egress, diagnostics: &mut Diagnostics) -> Option<Credentials> {
    let whose = format!("endpoint `{}`", endpoint.name);
    conceal_headers(endpoint);
    let url = url(&whose, endpoint, egress, diagnostics);
    let keys = endpoint.secrets.iter().filter_map(|reference| key(&whose, reference, diagnostics)).collect();
    let routing_key = endpoint.routing_key.as_ref().map(|reference| routing_key(&whose, reference, diagnostics));
    let login = endpoint.mail.as_ref().and_then(|mail| login(&whose, mail, diagnostics));
    Some(Credentials {
        url: url?,
        keys,
        routing_key: routing_key.map_or(Some(None), |read| read.map(Some))?,
        login: login.map_or(Some(None), |read| read.map(Some))?,
    })
}

/// Values of telling headers are secrets that stand in the file itself.
fn conceal_headers(endpoint: &Endpoint) {
    let telling = endpoint.headers.iter().filter(|(name, _)| config::is_telling(name));
    // `Bearer`, and what it is about.
    let words = telling.flat_map(|(_, value)| [value.as_str()].into_iter().chain(value.split(' ').skip(1)));
    words.for_each(|word| redact::conceal(&Secret::new(word)));
}

fn url(whose: &str, endpoint: &Endpoint, egress: &Egress, diagnostics: &mut Diagnostics) -> Option<Url> {
    let reference = match &endpoint.url {
        EndpointUrl::Open(url) => return Some(url.value.clone()),
        EndpointUrl::Secret(reference) => reference,
    };
    let text = keys::read(whose, reference, diagnostics)?;
    let read = config::secret_destination(endpoint, reference.at(), text.expose(), egress);
    let url = read.map_err(|told| told.into_iter().for_each(|one| diagnostics.push(one))).ok()?;
    redact::conceal_url(&url);
    Some(url)
}

fn key(whose: &str, reference: &SecretRef, diagnostics: &mut Diagnostics) -> Option<Key> {
    let secret = keys::read(whose, reference, diagnostics)?;
    if let Some(encoded) = secret.expose().strip_prefix(PREFIX) {
        redact::conceal(&Secret::new(encoded));
    }
    Key::new(secret.expose())
        .map_err(|why| {
            let why = why.to_string();
            let (what, advice) = advice(&why, ": ");
            diagnostics.push(Diagnostic::error(format!("{whose}: {what}")).at(reference.at(), advice));
        })
        .ok()
}

/// It goes into a JSON string, as it is.
fn routing_key(whose: &str, reference: &SecretRef, diagnostics: &mut Diagnostics) -> Option<Secret> {
    let key = keys::read(whose, reference, diagnostics)?;
    if key.expose().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Some(key);
    }
    let title = format!("{whose}: what its routing key's file holds is no routing key");
    let label = "copy the integration key of an `Events API V2` integration, letters and digits only";
    diagnostics.push(Diagnostic::error(title).at(reference.at(), label));
    None
}

/// None: nobody logs in. Some(None): the password can't be had.
fn login(whose: &str, mail: &Mail, diagnostics: &mut Diagnostics) -> Option<Option<Login>> {
    let (username, reference) = mail.username.clone().zip(mail.password.as_ref())?;
    let password = keys::read(whose, reference, diagnostics);
    Some(password.map(|password| {
        redact::conceal_login(&username, &password);
        Login { username, password }
    }))
}
