//! What the API asks the running daemon.
//!
//! Owns the questions; refuses to know who answers. The daemon implements it over its cameras, machines and senders, a
//! test over plain values. Called from tokio's workers: answers come from memory, at
//! once; what takes longer is an [`Errand`].

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use super::alerts::{Binding, Rule};
use super::camera::Camera;
use super::check::Check;
use super::model::{Library, Model};
use super::parts::Leads;
use super::status::Monitor;
use super::streams::StreamLine;
use super::subscriptions::Subscription;
use super::warnings::Warning;
use super::webhooks::Webhook;
use crate::config::Unfit;
use crate::journal::Origin;
use crate::meter::Reading;
use crate::name::Name;
use crate::time::Now;

/// The running daemon, as the API sees it.
pub trait Site: Send + Sync + 'static {
    /// `[device] id`, or the hostname.
    fn device(&self) -> String;

    /// Since the daemon started.
    fn uptime(&self, now: Now) -> Duration;

    /// Every camera, in the order of the file, then those that were made over the API.
    fn cameras(&self, now: Now) -> Vec<Camera>;

    /// Every (monitor, camera) pair, in the same order; disabled ones too.
    fn monitors(&self, now: Now) -> Vec<Monitor>;

    /// What inference runs on; None: there are no models.
    fn library(&self) -> Option<Library>;

    /// Every model that runs.
    fn models(&self) -> Vec<Model>;

    /// How long the runs of every model took.
    fn model_runs(&self) -> Vec<(Name, Reading)>;

    /// Every endpoint, in the same order.
    fn endpoints(&self) -> Vec<Name>;

    /// Who made an endpoint.
    fn origin_of_endpoint(&self, _endpoint: &Name) -> Origin {
        Origin::File
    }

    /// Where an endpoint leads; None: there is none of that name.
    fn leads(&self, _endpoint: &Name) -> Option<Leads> {
        None
    }

    /// Monitors with an `expect_event_within`.
    fn expectations(&self) -> Vec<Expectation>;

    /// What only the daemon knows: an endpoint that is down, a model that hung, a decoder or provider that was chosen
    /// automatically and failed. Dead letters, cameras that are not watched, silent monitors and the clock are the API's
    /// own to warn of.
    fn warnings(&self, now: Now) -> Vec<Warning>;

    /// Every monitor, as clients of alerts know it.
    fn rules(&self) -> Vec<Rule> {
        Vec::new()
    }

    /// Every monitor that a client bound to a webhook.
    fn bindings(&self) -> Vec<Binding> {
        Vec::new()
    }

    /// What every (monitor, camera) pair looks at.
    fn watched(&self) -> Vec<Watched>;

    /// Every camera, as clients of streams see it.
    fn streams(&self) -> Vec<StreamLine> {
        Vec::new()
    }

    /// Every monitor that a client asked for as a subscription, whether it runs or not.
    fn subscriptions(&self) -> Vec<Subscription> {
        Vec::new()
    }

    /// Every webhook that a client made for clips, whether it runs or not.
    fn webhooks(&self) -> Vec<Webhook> {
        Vec::new()
    }

    /// What a camera that is online sees, as JPEG: comes with the camera's next packet or keyframe.
    fn picture(&self, camera: &Name) -> Errand<Vec<u8>, NoPicture>;

    /// What a recording shows at that moment of it, or the last picture before its end, as JPEG: everything before that is
    /// decoded, on a core beside what is watched, so let it be one at a time.
    fn still(&self, _recording: PathBuf, _at: Duration) -> Errand<Vec<u8>, NoPicture> {
        Box::pin(async { Err(NoPicture::None) })
    }

    /// Sends a configured endpoint a check. Fails where what it takes can't be read, or where there is nothing to send that
    /// would mean nothing.
    fn check(&self, endpoint: &Name) -> Errand<Check, Unfit>;
}

/// What takes a while: begun at once, waited for by whoever asked.
pub type Errand<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPicture {
    /// None came in time.
    None,
    /// One came that can't be shown, and why.
    Unusable(String),
}

/// What a monitor looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Which monitor.
    pub monitor: Name,
    /// On which camera.
    pub camera: Name,
    /// Verbatim.
    pub condition: String,
    /// The camera's address as anybody may see it.
    pub stream_url: String,
}

/// `expect_event_within`: how long a monitor may be silent before `status` warns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Which monitor; its cameras count together.
    pub monitor: Name,
    /// Without a trigger.
    pub within: Duration,
}
