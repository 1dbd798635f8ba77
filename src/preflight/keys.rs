//! Reads the secrets that a configuration points at.
//!
//! Owns which ones there are, and what is said about them; refuses to show them.

use std::collections::BTreeMap;

use super::advice;
use crate::config::{self, Diagnostic, Diagnostics, Endpoint, SecretRef};
use crate::name::Name;
use crate::redact;
use crate::secret::Secret;
use crate::secrets::{self, SecretError};
use crate::sign::{Key, PREFIX};

/// Shorter tokens can be guessed over the network.
const SHORTEST_TOKEN: usize = 16;

/// The signing keys of every endpoint, newest first.
pub(super) fn signing(endpoints: &[Endpoint], diagnostics: &mut Diagnostics) -> BTreeMap<Name, Vec<Key>> {
    let mut all = BTreeMap::new();
    for endpoint in endpoints {
        let whose = format!("endpoint `{}`", endpoint.name);
        let telling = endpoint.headers.iter().filter(|(name, _)| config::is_telling(name));
        // `Bearer`, and what it is about.
        let words = telling.flat_map(|(_, value)| [value.as_str()].into_iter().chain(value.split(' ').skip(1)));
        words.for_each(|word| redact::conceal(&Secret::new(word)));
        let mut keys = Vec::new();
        for reference in &endpoint.secrets {
            let Some(secret) = read(&whose, reference, diagnostics) else { continue };
            if let Some(encoded) = secret.expose().strip_prefix(PREFIX) {
                redact::conceal(&Secret::new(encoded));
            }
            match Key::new(secret.expose()) {
                Ok(key) => keys.push(key),
                Err(why) => {
                    let why = why.to_string();
                    let (what, advice) = advice(&why, ": ");
                    diagnostics.push(Diagnostic::error(format!("{whose}: {what}")).at(reference.at(), advice));
                }
            }
        }
        all.insert(endpoint.name.clone(), keys);
    }
    all
}

/// The API's token.
pub(super) fn token(api: &config::Api, diagnostics: &mut Diagnostics) -> Option<Secret> {
    let reference = api.token.as_ref()?;
    let token = read("`[api]`", reference, diagnostics)?;
    if token.expose().len() < SHORTEST_TOKEN {
        let title = format!("`[api]`: its token has fewer than {SHORTEST_TOKEN} characters, so it can be guessed");
        diagnostics.push(Diagnostic::warning(title).at(reference.at(), "`stakeout keygen` makes a long one"));
    }
    Some(token)
}

/// Reads one; whatever is wrong with it is told as `whose`.
pub(super) fn read(whose: &str, reference: &SecretRef, diagnostics: &mut Diagnostics) -> Option<Secret> {
    if let (Some(mode), SecretRef::File(path)) = (secrets::exposed_mode(reference), reference) {
        let title = format!("{whose}: everybody on this machine can read `{}`", path.value.display());
        let label = format!("its mode is {mode:o}: `chmod 600` it");
        diagnostics.push(Diagnostic::warning(title).at(reference.at(), label));
    }
    match secrets::read(reference) {
        Ok(secret) => Some(secret),
        Err(why) => {
            // A disk that is not mounted yet; what the secret holds heals as little as a credential that the unit lacks.
            let may_heal =
                matches!(why, SecretError::Missing(_) | SecretError::Denied(_) | SecretError::Unreadable(..));
            let why = why.to_string();
            let (what, advice) = advice(&why, ": ");
            let diagnostic = Diagnostic::error(format!("{whose}: {what}")).at(reference.at(), advice);
            diagnostics.push(diagnostic.may_heal(may_heal));
            None
        }
    }
}
