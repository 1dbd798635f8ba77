//! Reads a secret that a configuration points at.
//!
//! Owns what is said about one that can't be had; refuses to show it and to know what it is for.

use super::advice;
use crate::config::{Diagnostic, Diagnostics, SecretRef};
use crate::secret::Secret;
use crate::secrets::{self, SecretError};

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
