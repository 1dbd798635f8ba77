//! What a camera is set to.
//!
//! Owns the settings that a camera's thread works with; refuses to know the file they come from. Plain data.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

use super::hardware::Lineup;
use super::rtsp::Login;
use crate::config::{self, Decode, Transport};

/// Where a camera is.
#[derive(Clone, Debug)]
pub enum Address {
    /// `rtsp://` or `rtsps://`, without credentials.
    Rtsp(Url, Option<Login>),
    /// A clip on disk, played at its own pace.
    File {
        /// MP4, MOV or Matroska.
        path: PathBuf,
        /// Starts again at its end.
        repeat: bool,
    },
}

impl Address {
    /// As configured; `password` is what the configured secret holds.
    pub fn of(camera: &config::Camera, password: Option<Zeroizing<String>>) -> Address {
        let url = &camera.url.value;
        if camera.is_file() {
            let path = url.to_file_path().unwrap_or_else(|()| PathBuf::from(url.path()));
            return Address::File { path, repeat: camera.repeat };
        }
        let login = camera.username.clone().map(|username| Login { username, password: password.unwrap_or_default() });
        Address::Rtsp(url.clone(), login)
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
    /// How late its strictest enabled monitor may notice something; None: nobody watches it.
    pub notice_within: Option<Duration>,
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
        }
    }

    /// What `camera` is set to; `monitors` are all of the file's.
    pub fn of(camera: &config::Camera, monitors: &[config::Monitor], password: Option<Zeroizing<String>>) -> Settings {
        let watching = monitors.iter().filter(|it| it.enabled && it.cameras.contains(&camera.name));
        Settings {
            address: Address::of(camera, password),
            transport: camera.transport,
            ca_file: camera.ca_file.clone().map(|file| file.value),
            decode: camera.decode,
            hardware: Lineup::from(&camera.hardware.value),
            mask: camera.mask.clone(),
            notice_within: watching.map(|monitor| monitor.notice_within).min(),
        }
    }
}
