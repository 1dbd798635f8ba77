//! Reads the secrets that a configuration points at.
//!
//! Owns which ones there are, and what is said about them; refuses to show them.

use std::collections::BTreeMap;

use super::advice;
use crate::config::{Camera, Diagnostic, Diagnostics, Endpoint, SecretRef};
use crate::name::Name;
use crate::secrets::{self, Secret, SecretError};
use crate::sign::Key;

/// The passwords of cameras.
pub(super) fn passwords(cameras: &[Camera], diagnostics: &mut Diagnostics) -> BTreeMap<Name, Secret> {
    let with_password = cameras.iter().filter_map(|camera| Some((camera, camera.password.as_ref()?)));
    with_password
        .filter_map(|(camera, reference)| {
            let secret = read(&format!("camera `{}`", camera.name), reference, diagnostics)?;
            Some((camera.name.clone(), secret))
        })
        .collect()
}

/// The signing keys of every endpoint, newest first.
pub(super) fn signing(endpoints: &[Endpoint], diagnostics: &mut Diagnostics) -> BTreeMap<Name, Vec<Key>> {
    let mut all = BTreeMap::new();
    for endpoint in endpoints {
        let whose = format!("endpoint `{}`", endpoint.name);
        let mut keys = Vec::new();
        for reference in &endpoint.secrets {
            let Some(secret) = read(&whose, reference, diagnostics) else { continue };
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
