//! Reads what opens the way to endpoints: secret URLs, signing keys, routing keys, passwords of mail servers.
//!
//! Owns what is said about them, and that all of it is concealed from here on; refuses to connect.

use std::collections::BTreeMap;

use url::Url;

use super::{advice, keys};
use crate::config::{self, Api, Diagnostic, Diagnostics, Endpoint, EndpointUrl, Mail, SecretRef};
use crate::credentials::{Credentials, Login};
use crate::egress::Egress;
use crate::name::Name;
use crate::redact;
use crate::secret::Secret;
use crate::sign::{Key, PREFIX};

/// Fewer characters than these are soon tried.
const SHORTEST: usize = 16;

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

/// Whether what goes to the webhooks of clients can be signed.
pub(super) fn of_clients(api: &Api, diagnostics: &mut Diagnostics) {
    if let Some(reference) = &api.webhook_secret {
        key("`[api]`", reference, diagnostics);
    }
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
    let key = match Key::new(secret.expose()) {
        Ok(key) => key,
        Err(why) => {
            let why = why.to_string();
            let (what, advice) = advice(&why, ": ");
            diagnostics.push(Diagnostic::error(format!("{whose}: {what}")).at(reference.at(), advice));
            return None;
        }
    };
    if let Some(title) = guessable(whose, &secret) {
        diagnostics.push(Diagnostic::warning(title).at(reference.at(), "make one with `stakeout keygen`"));
    }
    Some(key)
}

/// What is said of a secret that somebody who saw one delivery could find by trying.
pub(super) fn guessable(whose: &str, secret: &Secret) -> Option<String> {
    let length = secret.expose().strip_prefix(PREFIX).unwrap_or(secret.expose()).len();
    (1..SHORTEST).contains(&length).then(|| format!("{whose}: its signing secret is so short that it can be guessed"))
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SOURCE: &str = r#"
[[endpoint]]
name = "chat"
format = "slack"
url_file = "SITE/slack.url"
[[endpoint]]
name = "pager"
format = "pagerduty"
routing_key_file = "SITE/pager.key"
[[endpoint]]
name = "mail"
format = "email"
url = "smtp://mail.example:587"
username = "box"
password_file = "SITE/mail.pass"
from = "box@site.example"
to = ["ops@site.example"]
"#;

    /// What is read of three files, and what is said.
    fn with(url: &str, key: &str, password: &str) -> (BTreeMap<Name, Credentials>, Vec<String>) {
        let site = tempfile::tempdir().unwrap();
        for (name, content) in [("slack.url", url), ("pager.key", key), ("mail.pass", password)] {
            let path = site.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let source = SOURCE.replace("SITE", site.path().to_str().unwrap());
        let mut diagnostics = Diagnostics::new(&source, "stakeout.toml");
        let config = config::parse(&source, "stakeout.toml").unwrap().config;
        let read = of(&config.endpoints, &config.egress, &mut diagnostics);
        let said = diagnostics.iter().map(|one| format!("{} ({})", one.title, one.label));
        let said = said.map(|text| text.replace(site.path().to_str().unwrap(), "SITE")).collect();
        (read, said)
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_told() {
        let told = |secret: &str| guessable("endpoint `ops`", &Secret::new(secret));
        let said = "endpoint `ops`: its signing secret is so short that it can be guessed";
        assert_eq!((told("x").as_deref(), told("whsec_aGk=").as_deref()), (Some(said), Some(said)));
        assert_eq!((told("0123456789abcdef"), told("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")), (None, None));
    }

    #[test]
    fn what_is_read_is_handed_on_and_shown_nowhere() {
        let (read, said) = with("https://chat.example/T0/hook-slug-1\n", "r0utingk3y\n", "m4il-pass\n");
        assert_eq!(said, [] as [&str; 0]);
        let of = |text| &read[&Name::new(text).unwrap()];
        assert_eq!(of("chat").url.as_str(), "https://chat.example/T0/hook-slug-1");
        assert_eq!(of("pager").routing_key.as_ref().unwrap().expose(), "r0utingk3y");
        assert_eq!(of("pager").url.as_str(), "https://events.pagerduty.com/v2/enqueue");
        let login = of("mail").login.as_ref().unwrap();
        assert_eq!((login.username.as_str(), login.password.expose()), ("box", "m4il-pass"));
        for secret in ["hook-slug-1", "r0utingk3y", "m4il-pass"] {
            assert_eq!(redact::redacted(secret), "***");
            assert!(!format!("{read:?}").contains(secret), "{read:?}");
        }
    }

    #[test]
    fn all_that_cannot_be_used_is_told_at_once_and_not_quoted() {
        let (read, said) = with("chat.example/hunter2", "hunter2 \"", "");
        assert!(read.is_empty());
        assert_eq!(
            said,
            [
                "endpoint `chat`: the URL in its `url_file` is not a URL: relative URL without a base \
                 (for example `\"https://your-app.example/events\"`)",
                "endpoint `pager`: what its routing key's file holds is no routing key \
                 (copy the integration key of an `Events API V2` integration, letters and digits only)",
                "endpoint `mail`: `SITE/mail.pass` is empty (write the secret into it)",
            ]
        );
    }
}
