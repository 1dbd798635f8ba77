//! Everything that can be known before the first frame: secrets, certificates, models, labels, GStreamer, clips.
//!
//! Owns the checks of a configuration against the world, and hands on what they opened, so that nothing is read twice;
//! refuses to start anything. What is wrong is told at its line of the file, all at once. `check` and `run` both come
//! through here, on the thread that starts the daemon.

mod added;
mod cameras;
mod candidates;
mod credentials;
mod folders;
mod keys;
mod logins;
mod models;
mod tls;

use std::collections::BTreeMap;
use std::time::Duration;

pub use added::{Opened, open};
pub use folders::Folders;

use crate::camera::Address;
use crate::config::{Config, Diagnostics, Endpoint};
use crate::credentials::Credentials;
use crate::egress::Egress;
use crate::model::Loaded;
use crate::name::Name;
use crate::secret::Secret;
use crate::systemd;
use crate::transport::Tls;

/// However long the models took, what is left of a start has as long as the whole of one without them: the unit's
/// `TimeoutStartSec`.
const THE_REST: Duration = Duration::from_secs(600);

/// What the checks opened.
pub struct Ready {
    /// Every model that a monitor names, loaded.
    pub models: BTreeMap<Name, Loaded>,
    /// What is known of their folders, and of those that nobody names.
    pub folders: Folders,
    /// Where every camera is, with its login.
    pub addresses: BTreeMap<Name, Address>,
    /// What opens the way to every endpoint.
    pub credentials: BTreeMap<Name, Credentials>,
    /// What the TLS of every endpoint rests on.
    pub tls: BTreeMap<Name, Tls>,
    /// What has to be shown to the API over TCP.
    pub token: Option<Secret>,
}

/// Checks `config` against the world. Problems and warnings are added to `diagnostics` (those of
/// [`Parsed`](crate::config::Parsed)). None if there is an error among them.
pub fn check(config: &Config, diagnostics: &mut Diagnostics) -> Option<Ready> {
    let addresses = logins::addresses(&config.cameras, diagnostics);
    let credentials = credentials::of(&config.endpoints, &config.egress, diagnostics);
    let tls = tls::of(&config.endpoints, diagnostics);
    tls::of_cameras(&config.cameras, diagnostics);
    cameras::check(&config.cameras, diagnostics);
    let token = keys::token(&config.api, diagnostics);
    credentials::of_clients(&config.api, diagnostics);
    let mut folders = Folders::default();
    let models = models::load(&config.into(), &BTreeMap::new(), &mut folders, diagnostics);
    models::of_clients(config, &mut folders, diagnostics);
    systemd::starting(THE_REST);
    (!diagnostics.has_errors()).then_some(Ready { models, folders, addresses, credentials, tls, token })
}

/// Only what sending to `endpoint` needs: its credentials, and what its TLS rests on. Otherwise as [`check`].
pub fn endpoint(endpoint: &Endpoint, egress: &Egress, diagnostics: &mut Diagnostics) -> Option<(Credentials, Tls)> {
    let only = std::slice::from_ref(endpoint);
    let credentials = credentials::of(only, egress, diagnostics).remove(&endpoint.name);
    let tls = tls::of(only, diagnostics).remove(&endpoint.name);
    credentials.zip(tls).filter(|_| !diagnostics.has_errors())
}

/// Only the models, for a replay, which needs neither secrets nor cameras. Otherwise as [`check`].
pub fn models(config: &Config, diagnostics: &mut Diagnostics) -> Option<BTreeMap<Name, Loaded>> {
    let models = models::load(&config.into(), &BTreeMap::new(), &mut Folders::default(), diagnostics);
    (!diagnostics.has_errors()).then_some(models)
}

/// "What is wrong; what to do" (or with another `mark` between the two), taken apart.
fn advice<'t>(text: &'t str, mark: &str) -> (&'t str, &'t str) {
    text.rsplit_once(mark).unwrap_or((text, ""))
}
