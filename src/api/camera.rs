//! A camera, as `/v1/status` and `/metrics` show it.
//!
//! Owns its fields (contracts/api.md); refuses to know how they come about. Plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::status::to_places;
use crate::journal::Origin;
use crate::name::Name;

/// A camera at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    /// `[[camera]] name`
    pub name: Name,
    /// Whether pictures come.
    pub state: CameraState,
    /// Why none come.
    pub cause: Option<String>,
    /// What is decoded now: `all`, `keyframes` (it sleeps) or `awake` (all, for now).
    pub decode: String,
    /// Why that is so.
    #[serde(default)]
    pub decode_why: String,
    /// Packets that came since the daemon started; each holds one picture.
    #[serde(default)]
    pub packets: u64,
    /// Of these, so many that were decoded.
    #[serde(default)]
    pub packets_decoded: u64,
    /// The longest of the latest intervals between keyframes; null where it isn't known.
    #[serde(default)]
    pub keyframe_interval_s: Option<f64>,
    /// Pictures a second that the camera sends, a mean over some seconds.
    pub fps: f64,
    /// Age of the newest picture in seconds; null before the first.
    pub last_frame_age_s: Option<f64>,
    /// Since the daemon started.
    pub frames_decoded: u64,
    /// What decodes: the GStreamer element in the pipeline, and whether it is hardware. Null before the first picture.
    #[serde(default)]
    pub decoder: Option<String>,
    /// Why a decoder that was preferred doesn't decode, in one line; null: it does.
    #[serde(default)]
    pub degraded: Option<String>,
    /// Decoders that failed since the daemon started.
    #[serde(default)]
    pub decoder_failures: u64,
    /// Connections after the first.
    pub reconnects: u64,
    /// Who made it: the file, or a client of the API.
    #[serde(default)]
    pub origin: Origin,
}

/// Whether pictures come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CameraState {
    /// Never so far.
    Connecting,
    /// They do.
    Online,
    /// They do not; it is tried again for ever.
    Offline,
    /// A clip that does not loop is over.
    Ended,
}

impl CameraState {
    /// Every state there is.
    pub const ALL: [CameraState; 4] =
        [CameraState::Connecting, CameraState::Online, CameraState::Offline, CameraState::Ended];
}

impl fmt::Display for CameraState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CameraState::Connecting => "connecting",
            CameraState::Online => "online",
            CameraState::Offline => "offline",
            CameraState::Ended => "ended",
        })
    }
}

impl Camera {
    pub(super) fn tidy(mut self) -> Camera {
        self.fps = to_places(self.fps, 1);
        self.last_frame_age_s = self.last_frame_age_s.map(|age| to_places(age, 1));
        self.keyframe_interval_s = self.keyframe_interval_s.map(|interval| to_places(interval, 2));
        self
    }
}
