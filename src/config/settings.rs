//! What a configuration means: validated, defaulted, cross-checked.
//!
//! Owns the shape of every setting with its unit and default; refuses to know TOML, files and where a value was written
//! (but for [`Located`], which lets later checks point at the line).

mod endpoint;
mod format;
mod recording;

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

pub use endpoint::{ClientCertificate, Endpoint, EndpointUrl, FrameChoice, Mail, Rate, Retry};
pub use format::{Format, FrameRule};
pub use recording::{Clip, Recording};

use super::only_when::OnlyWhen;
use super::provider::Providers;
use crate::egress::Egress;
use crate::event::{Metadata, Priority};
use crate::name::Name;

/// A value and where in the file it was written (byte range), so that checks that need the world can point at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Byte range of the value in the file; empty for defaults.
    pub at: Range<usize>,
}

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[device]`
    pub device: Device,
    /// `[storage]`
    pub storage: Storage,
    /// `[recording]`
    pub recording: Recording,
    /// `[runtime]`
    pub runtime: Runtime,
    /// `[api]`
    pub api: Api,
    /// `[log]`
    pub log: Log,
    /// `[egress]`
    pub egress: Egress,
    /// `[[camera]]`, in file order.
    pub cameras: Vec<Camera>,
    /// `[[model]]`, in file order.
    pub models: Vec<Model>,
    /// `[[monitor]]`, in file order.
    pub monitors: Vec<Monitor>,
    /// `[[endpoint]]`, in file order.
    pub endpoints: Vec<Endpoint>,
}

/// `[device]`
#[derive(Clone, Debug)]
pub struct Device {
    /// Told to receivers. None: the hostname.
    pub id: Option<String>,
    /// How often what was watched is told. None: never.
    pub heartbeat: Option<Duration>,
}

/// `[storage]`
#[derive(Clone, Debug)]
pub struct Storage {
    /// The state directory.
    pub path: PathBuf,
    /// Bytes for the journal and its frames: the database gets half at most, the frames what that leaves.
    pub max_size: u64,
    /// How long delivered rows are kept.
    pub keep_delivered: Duration,
    /// How long dead letters are kept.
    pub keep_dead: Duration,
    /// Event frames are at most this wide, in pixels.
    pub snapshot_width: u32,
    /// JPEG quality of event frames, 1 to 100.
    pub snapshot_quality: u8,
}

/// `[runtime]`
#[derive(Clone, Debug)]
pub struct Runtime {
    /// `libonnxruntime.so`. None: next to the binary, `/usr/lib/stakeout`, the system's, `.setup/lib`.
    pub onnxruntime: Option<Located<PathBuf>>,
    /// What inference may run on.
    pub execution_providers: Located<Providers>,
    /// Inference threads; 0 = all cores.
    pub threads: usize,
    /// How long one run of a model may take.
    pub run_timeout: Duration,
}

/// `[api]`
#[derive(Clone, Debug)]
pub struct Api {
    /// The unix socket of the local API.
    pub socket: PathBuf,
    /// Where the API listens over TCP, too; other machines only with a token.
    pub listen: Option<SocketAddr>,
    /// What has to be shown there, but by this machine.
    pub token: Option<SecretRef>,
    /// Signs what goes to the webhooks of jobs, subscriptions and alerts.
    pub webhook_secret: Option<SecretRef>,
    /// Who judges their conditions where they don't say.
    pub default_model: Option<Name>,
    /// What receivers reach this box by, without a slash at the end of its path.
    pub public_url: Option<Url>,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// A tracing filter, `info` by default.
    pub filter: String,
    /// How lines are written to stderr.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Journald when started by systemd, text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A secret that the file only points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// A file that holds nothing else (a trailing newline is ignored).
    File(Located<PathBuf>),
    /// A systemd credential, read from `$CREDENTIALS_DIRECTORY`.
    Credential(Located<String>),
}

impl SecretRef {
    /// Where the reference was written.
    pub fn at(&self) -> Range<usize> {
        match self {
            SecretRef::File(path) => path.at.clone(),
            SecretRef::Credential(name) => name.at.clone(),
        }
    }
}

/// `[[camera]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// Unique among cameras.
    pub name: Name,
    /// Where it is.
    pub url: CameraUrl,
    /// For RTSP authentication.
    pub username: Option<String>,
    /// For RTSP authentication.
    pub password: Option<SecretRef>,
    /// A `file://` clip starts again at its end.
    pub repeat: bool,
    /// How the stream comes.
    pub transport: Transport,
    /// Which packets are decoded.
    pub decode: Decode,
    /// Which decoder decodes them.
    pub hardware: Located<Hardware>,
    /// The authority of an `rtsps://` camera's certificate.
    pub ca_file: Option<Located<PathBuf>>,
    /// Normalised polygons in which nothing is looked at.
    pub mask: Vec<Vec<[f32; 2]>>,
}

impl Camera {
    /// Whether this is a recording.
    pub fn is_file(&self) -> bool {
        matches!(&self.url, CameraUrl::Open(url) if url.value.scheme() == "file")
    }
}

/// Where a camera is.
#[derive(Clone, Debug, PartialEq)]
pub enum CameraUrl {
    /// `rtsp://`, `rtsps://` or `file://`, without credentials.
    Open(Located<Url>),
    /// A secret that holds a URL, which may have credentials anywhere: see [`SecretUrl`](super::SecretUrl).
    Secret(SecretRef),
}

impl CameraUrl {
    /// Where it was written.
    pub fn at(&self) -> Range<usize> {
        match self {
            CameraUrl::Open(url) => url.at.clone(),
            CameraUrl::Secret(reference) => reference.at(),
        }
    }
}

/// Which packets are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decode {
    /// The cheapest that keeps every monitor's `notice_within`.
    Auto,
    /// Every frame.
    All,
    /// Keyframes only, whatever happens.
    Keyframes,
}

/// How an RTSP stream comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Within the RTSP connection.
    #[default]
    Tcp,
    /// RTP over UDP.
    Udp,
    /// UDP, and TCP where nothing comes over it.
    Auto,
}

/// Which decoder decodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hardware {
    /// The best one that works here.
    #[default]
    Auto,
    /// Software.
    Off,
    /// This GStreamer element, or none.
    Element(String),
}

/// Whether frames in which nothing moved are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// They aren't, but for a `recheck`.
    #[default]
    Motion,
    /// Every frame that is due is.
    Off,
}

/// `[[model]]`, or a model that a monitor names and that is looked up in the models folders.
#[derive(Clone, Debug)]
pub struct Model {
    /// Unique among models.
    pub name: Name,
    /// The folder with `manifest.toml`. None: looked up by name.
    pub path: Option<Located<PathBuf>>,
    /// Where the model's name was written, for errors about it.
    pub at: Range<usize>,
}

/// `[[monitor]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// Unique among monitors.
    pub name: Name,
    /// The cameras it watches, at least one; each makes a machine and a job of its own.
    pub cameras: Vec<Name>,
    /// The question, verbatim; empty for models that only know labels.
    pub condition: String,
    /// One of [`Config::models`].
    pub model: Located<Name>,
    /// Further descriptions of the same, for zero-shot models.
    pub prompts: Vec<String>,
    /// Descriptions of what is there otherwise, for zero-shot models.
    pub negatives: Vec<String>,
    /// Any of them, for classifiers and detectors.
    pub labels: Vec<Located<String>>,
    /// The confidence is the n-th best score.
    pub min_count: u32,
    /// Normalised polygon, empty or at least three points; detections count when their foot point is inside.
    pub zone: Vec<[f32; 2]>,
    /// Positive from here, 0 to 1.
    pub confidence_threshold: f32,
    /// Negative below, 0 to 1.
    pub clear_threshold: f32,
    /// k of the last n checks must be positive.
    pub hold: Hold,
    /// Counted from the event that was journaled.
    pub cooldown: Duration,
    /// Alert again after the cooldown while it still holds.
    pub repeat: bool,
    /// How long it must not hold before the event ends.
    pub clear_after: Duration,
    /// How long an open event outlives its camera.
    pub lost_after: Duration,
    /// Between two checks.
    pub check_interval: Duration,
    /// How late an event may be noticed.
    pub notice_within: Duration,
    /// Whether frames in which nothing moved are checked.
    pub gate: Gate,
    /// Checked at least this often, whatever the gate says.
    pub recheck: Duration,
    /// The duration limit; None: unlimited.
    pub max_duration: Option<Duration>,
    /// The job completes with its first trigger.
    pub stop_on_trigger: bool,
    /// A new job follows at once when the duration limit ended one.
    pub restart: bool,
    /// `status` warns when it was silent for longer.
    pub expect_event_within: Option<Duration>,
    /// Orders delivery and dropping.
    pub priority: Priority,
    /// What [`Format::Videodb`] calls its events.
    pub label: String,
    /// Evaluate and journal, deliver nothing.
    pub shadow: bool,
    /// Whether it runs at all.
    pub enabled: bool,
    /// Passed through to receivers.
    pub metadata: Metadata,
    /// Names of [`Config::endpoints`]: those that get its events.
    pub endpoints: Vec<Name>,
    /// Another model decides which frames are worth asking this one.
    pub only_when: Option<OnlyWhen>,
    /// `[calibration]` of the model, overridden.
    pub calibration: Option<Calibration>,
    /// How much of an alert is recorded; None: nothing.
    pub clip: Option<Clip>,
}

/// k of the last n checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// So many positive ones, 1 to `of`.
    pub needed: u32,
    /// Among so many, at most 1000.
    pub of: u32,
}

/// `p = sigmoid(logit(score) / temperature + bias)`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Above zero.
    pub temperature: f32,
    /// In logits.
    pub bias: f32,
}
