//! Reads a secret that a configuration points at.
//!
//! Owns what is said about one that can't be had, and of the API's own what a good one is; refuses to show it and to know what
//! else it is for.

use super::advice;
use crate::config::{Api, Diagnostic, Diagnostics, SecretRef};
use crate::secret::Secret;
use crate::secrets::{self, SecretError};

/// Shorter tokens can be guessed over the network.
const SHORTEST_TOKEN: usize = 16;

/// The API's token.
pub(super) fn token(api: &Api, diagnostics: &mut Diagnostics) -> Option<Secret> {
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
