//! Network cameras of many kinds: how they are reached, whom they let in, what they send, and other people's servers.

mod interop;
mod logins;
mod places;
mod tls;
mod tracks;
mod transports;
mod wire;

use stakeout::camera::{self, Address, Camera, Demand, Login, Problem, Settings};
use stakeout::config::Transport;
use stakeout::frame::Frame;
use stakeout::name::Name;
use stakeout::time::Mono;
use url::Url;

/// Starts a camera of which every frame is wanted.
fn watch(settings: Settings) -> Camera {
    camera::init().unwrap();
    let camera = camera::spawn(Name::new("cam").unwrap(), settings).unwrap();
    camera.mailbox().demand(Demand::newest_from(Mono(0)));
    camera
}

fn at(url: &Url, transport: Transport) -> Settings {
    Settings { transport, ..Settings::at(Address::Rtsp(url.clone(), None)) }
}

fn with_login(url: &Url, username: &str, password: &str) -> Settings {
    let login = Login { username: username.to_owned(), password: password.to_owned().into() };
    Settings::at(Address::Rtsp(url.clone(), Some(login)))
}

/// The first frame.
fn frame(settings: Settings) -> Frame {
    crate::camera::frame_of(&watch(settings), "a frame")
}

/// Why there is none.
fn loss(settings: Settings) -> Problem {
    crate::camera::loss(&watch(settings))
}
