//! What a camera is set to.
//!
//! Owns the settings that a camera's thread works with; refuses to know the file they come from. Plain data.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::{Position, Url};

use super::hardware::Lineup;
use super::rtsp::Login;
use crate::config::{self, Decode, SecretUrl, Transport};
use crate::name::Name;
use crate::secret::Secret;

/// From a picture to the alert that it gave, and to the order to record: what a clip shows before counts from the picture.
const NOTICED: Duration = Duration::from_secs(5);

/// Where a camera is. `Debug` shows what [`Address::shown`] does.
#[derive(Clone)]
pub enum Address {
    /// `rtsp://` or `rtsps://`, without credentials.
    Rtsp(Url, Option<Login>),
    /// The same with credentials in path or query, without user information.
    Secret(Url, Option<Login>),
    /// A clip on disk, played at its own pace.
    File {
        /// MP4, MOV or Matroska.
        path: PathBuf,
        /// Starts again at its end.
        repeat: bool,
    },
}

impl Address {
    /// What `url` says; `username` and `password` are the configured ones, `repeat` is for clips.
    pub fn of(url: &Url, username: Option<String>, password: Option<Secret>, repeat: bool) -> Address {
        if url.scheme() == "file" {
            let path = url.to_file_path().unwrap_or_else(|()| PathBuf::from(url.path()));
            return Address::File { path, repeat };
        }
        let login = username.map(|username| Login { username, password: password.unwrap_or_default() });
        Address::Rtsp(url.clone(), login)
    }

    /// What may be shown to anybody, receivers included: no login, no query, and of a secret URL only the host.
    pub fn shown(&self) -> String {
        match self {
            Address::Rtsp(url, _) => url[..Position::AfterPath].to_owned(),
            Address::Secret(url, _) => SecretUrl::shown(url),
            Address::File { path, .. } => {
                Url::from_file_path(path).map_or_else(|()| path.display().to_string(), String::from)
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// A camera's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is.
    pub address: Address,
    /// How the stream comes.
    pub transport: Transport,
    /// The authority that an `rtsps://` camera's certificate is checked against; None: the system's.
    pub ca_file: Option<PathBuf>,
    /// Which packets are decoded.
    pub decode: Decode,
    /// Which decoder decodes them, and what is known of those that failed.
    pub hardware: Lineup,
    /// Normalised polygons in which nothing is looked at.
    pub mask: Vec<Vec<[f32; 2]>>,
    /// How late its strictest enabled monitor may notice something, to begin with; None: nobody watches it. Later it is as
    /// the mailbox says ([`Mailbox::watch_within`](super::Mailbox::watch_within)).
    pub notice_within: Option<Duration>,
    /// From how long before an alert on clips show it, to begin with; zero: nothing is recorded. Later it is as the mailbox
    /// says ([`Mailbox::hold`](super::Mailbox::hold)).
    pub pre_roll: Duration,
}

impl Settings {
    /// A camera at `address` with the defaults, of which everything is decoded.
    pub fn at(address: Address) -> Settings {
        Settings {
            address,
            transport: Transport::default(),
            ca_file: None,
            decode: Decode::All,
            hardware: Lineup::default(),
            mask: Vec::new(),
            notice_within: None,
            pre_roll: Duration::ZERO,
        }
    }

    /// What `camera`, which is at `address`, is set to; `monitors` are all of the file's.
    pub fn of(camera: &config::Camera, monitors: &[config::Monitor], address: Address) -> Settings {
        Settings {
            address,
            transport: camera.transport,
            ca_file: camera.ca_file.clone().map(|file| file.value),
            decode: camera.decode,
            hardware: Lineup::from(&camera.hardware.value),
            mask: camera.mask.clone(),
            notice_within: Settings::strictest(&camera.name, monitors),
            pre_roll: Settings::pre_roll(&camera.name, monitors),
        }
    }

    /// How late the strictest of the `monitors` that watch `camera` may notice something; None: nobody watches it.
    pub fn strictest(camera: &Name, monitors: &[config::Monitor]) -> Option<Duration> {
        let watching = monitors.iter().filter(|it| it.enabled && it.cameras.contains(camera));
        watching.map(|monitor| monitor.notice_within).min()
    }

    /// From how long before their alerts on the `monitors` that watch `camera` want to be shown what was, at most. A clip is
    /// begun after its alert, so that something is held wherever there are clips.
    pub fn pre_roll(camera: &Name, monitors: &[config::Monitor]) -> Duration {
        let watching = monitors.iter().filter(|it| it.enabled && it.cameras.contains(camera));
        watching.filter_map(|monitor| monitor.clip.as_ref()).map(|clip| clip.before + NOTICED).max().unwrap_or_default()
    }
}
