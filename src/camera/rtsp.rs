//! Cameras on the network: RTSP over TCP, UDP or TLS.
//!
//! Owns the RTSP pipeline, its credentials and what its errors mean; refuses to decode. Runs on the camera's thread.

use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use url::Url;

use super::codec::Codec;
use super::dialogue::Dialogue;
use super::elements;
use super::ingest::{Ingest, Stop};
use super::packet::Packet;
use super::probe;
use super::problem::Problem;
use super::route::{Route, Way};
use super::settings::{Address, Settings};
use super::source::Source;
use super::trust::{self, Distrust};
use crate::redact;
use crate::secret::Secret;

/// A lost packet that is asked for again comes too late for us.
const CAMERA: &str = "rtspsrc name=camera do-retransmission=false";

/// For each step of connecting. Slow cameras need seconds; a longer wait would only miss one that comes back, because the
/// kernel asks at 0, 1, 3 and 7 s for a TCP connection and then not again before 15 s.
const STEP_TIMEOUT: Duration = Duration::from_secs(8);

/// For the first packet over UDP. With a quick camera there is then time left for TCP within the same attempt.
const UDP_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the camera may take to hear that we leave, in nanoseconds.
const TEARDOWN_NS: u64 = 200_000_000;

/// A keyframe comes as one burst. As far as the kernel's own limit allows, in bytes.
const UDP_BUFFER: i32 = 2 << 20;

/// A camera may send us on so many times in a row.
const REDIRECTS: u32 = 2;

/// What a camera wants to see before it streams.
#[derive(Clone, Debug)]
pub struct Login {
    /// As configured.
    pub username: String,
    /// As it is, in any characters.
    pub password: Secret,
}

/// A camera that speaks RTSP.
pub(super) struct Rtsp {
    settings: Arc<Settings>,
    route: Route,
    session: Option<Session>,
}

/// One pipeline, while it plays.
struct Session {
    ingest: Ingest,
    dialogue: Arc<Dialogue>,
    place: Place,
    connection: u64,
    /// A packet came.
    fed: bool,
}

/// Where to, and as whom.
#[derive(Clone)]
struct Place {
    url: Url,
    login: Option<Login>,
    /// How many times the camera sent us on to get here.
    redirects: u32,
}

impl Rtsp {
    /// `settings.address` is no file's.
    pub(super) fn new(settings: Arc<Settings>) -> Rtsp {
        let secure =
            matches!(&settings.address, Address::Rtsp(url, _) | Address::Secret(url, _) if url.scheme() == "rtsps");
        Rtsp { route: Route::new(settings.transport, secure), settings, session: None }
    }

    fn connect(&mut self, place: Place, connection: u64) -> Result<(), Problem> {
        let anchors = match place.url.scheme() {
            "rtsps" => trust::anchors(self.settings.ca_file.as_deref()).map_err(Problem::Tls)?,
            _ => None,
        };
        let mut dialogue = None;
        let ingest = Ingest::start(
            &pipeline(),
            |pipeline| {
                let Some(camera) = pipeline.by_name("camera") else { return };
                configure(&camera, self.route.way());
                if let Some(anchors) = &anchors {
                    camera.set_property("tls-database", anchors);
                }
                let location = place.aim(&camera);
                dialogue = Some(Dialogue::attend(&camera, location));
            },
            connection,
        )?;
        let dialogue = dialogue.ok_or(Problem::MissingElement)?;
        self.session = Some(Session { ingest, dialogue, place, connection, fed: false });
        Ok(())
    }

    /// A session came to its end: goes on elsewhere, or another way, or says why not.
    fn after(&mut self, session: Session, stop: Stop) -> Result<(), Problem> {
        if let Some(to) = session.dialogue.moved_to() {
            let place = session.place.moved(&to)?;
            // What it sends us to is as secret as what sent us there.
            if let Address::Secret(..) = self.settings.address {
                redact::conceal_passing_url(&place.url);
            }
            let connection = session.connection;
            // Many cameras have room for one viewer only.
            drop(session);
            return self.connect(place, connection);
        }
        let problem = session.problem(stop, self.route.way());
        let (place, connection, in_vain) = (session.place.clone(), session.connection, session.agreed_in_vain());
        drop(session);
        if in_vain && self.route.turn() {
            return self.connect(place, connection);
        }
        Err(problem)
    }
}

impl Source for Rtsp {
    fn open(&mut self, connection: u64) -> Result<(), Problem> {
        self.close();
        let (Address::Rtsp(url, login) | Address::Secret(url, login)) = &self.settings.address else {
            return Err(Problem::Protocol);
        };
        let place = Place { url: url.clone(), login: login.clone(), redirects: 0 };
        self.route.begin();
        self.connect(place, connection)
    }

    fn next(&mut self, wait: Duration) -> Result<Option<Packet>, Problem> {
        let mut session = self.session.take().ok_or(Problem::Disconnected)?;
        match session.ingest.next(wait) {
            Ok(packet) => {
                session.fed |= packet.is_some();
                self.session = Some(session);
                Ok(packet)
            }
            Err(stop) => self.after(session, stop).map(|()| None),
        }
    }

    fn close(&mut self) {
        // Given up from outside, because it took too long: the other way is next.
        if self.session.take().is_some_and(|session| session.agreed_in_vain()) {
            self.route.turn();
        }
    }
}

impl Place {
    /// Sends `camera` here, and tells the location. The password is never part of it: locations are logged.
    fn aim(&self, camera: &gst::Element) -> String {
        let mut url = self.url.clone();
        // The default port of `rtsps` is not the same in all versions of `rtspsrc`.
        let _ = url.set_port(Some(probe::port(&self.url)));
        camera.set_property("location", url.as_str());
        if let Some(login) = &self.login {
            camera.set_property("user-id", &login.username);
            camera.set_property("user-pw", login.password.expose());
        }
        url.into()
    }

    /// Where the camera sends us. The login is for this camera: another host doesn't get it.
    fn moved(&self, to: &str) -> Result<Place, Problem> {
        let mut url = self.url.join(to).map_err(|_| Problem::Protocol)?;
        if !matches!(url.scheme(), "rtsp" | "rtsps") || self.redirects >= REDIRECTS {
            return Err(Problem::Protocol);
        }
        if self.url.scheme() == "rtsps" && url.scheme() == "rtsp" {
            return Err(Problem::Tls(Distrust::Downgrade));
        }
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        let login = self.login.clone().filter(|_| same_host(&url, &self.url));
        Ok(Place { url, login, redirects: self.redirects + 1 })
    }
}

/// Names of these schemes are not brought to lower case by themselves.
fn same_host(one: &Url, other: &Url) -> bool {
    one.host_str().zip(other.host_str()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}

impl Session {
    /// The camera is there and has what we want, but it doesn't arrive.
    fn agreed_in_vain(&self) -> bool {
        self.dialogue.track().is_some() && !self.fed
    }

    /// What its end means.
    fn problem(&self, stop: Stop, way: Way) -> Problem {
        let no_video = || self.dialogue.other_video().map_or(Problem::CodecUnsupported, Problem::CodecOther);
        let (error, status) = match stop {
            // A camera that dies ends its stream as if it were a clip.
            Stop::End => return Problem::Disconnected,
            Stop::NoVideo { .. } => return no_video(),
            Stop::Error { error, status } => (error, status),
        };
        if let Some(why) = self.dialogue.distrust() {
            return Problem::Tls(why);
        }
        let in_vain = self.agreed_in_vain();
        let silent = in_vain && way == Way::Udp && self.ingest.age() >= UDP_TIMEOUT;
        match status {
            // Cameras lock an account in these words, too.
            Some(401 | 403) => return Problem::Auth,
            Some(404 | 410) => return Problem::NotFound,
            Some(453 | 503) => return Problem::Busy,
            _ => {}
        }
        match (error.kind::<gst::ResourceError>(), error.kind::<gst::StreamError>()) {
            (Some(gst::ResourceError::NotAuthorized), _) => Problem::Auth,
            (Some(gst::ResourceError::NotFound), _) => Problem::NotFound,
            (Some(gst::ResourceError::Settings), _) => Problem::Protocol,
            (Some(gst::ResourceError::Read), _) if silent => Problem::NothingOverUdp(UDP_TIMEOUT),
            (Some(_), _) => self.cut_off(),
            // In these words `rtspsrc` says that it has set up no track.
            (_, Some(gst::StreamError::CodecNotFound)) if in_vain => Problem::Transport(way.as_str()),
            (_, Some(gst::StreamError::CodecNotFound | gst::StreamError::WrongType | gst::StreamError::Format)) => {
                no_video()
            }
            (_, Some(_)) => Problem::Disconnected,
            _ => Problem::Protocol,
        }
    }

    /// There is no connection, or no longer: the network is asked why.
    fn cut_off(&self) -> Problem {
        match probe::why_not(&self.place.url, self.dialogue.began()) {
            Problem::Disconnected if self.ingest.age() >= STEP_TIMEOUT => Problem::Timeout(STEP_TIMEOUT),
            problem => problem,
        }
    }
}

/// Explicit chains, one for each codec: what is no such video is never set up, so an audio track can not fail them.
fn pipeline() -> String {
    let chain = |codec: Codec| {
        let (name, depayloader, tail) = (codec.encoding_name(), codec.depayloader(), codec.tail());
        format!("camera. ! application/x-rtp,media=video,encoding-name={name} ! {depayloader} ! {tail}")
    };
    [CAMERA.to_owned()].into_iter().chain(elements::spoken().map(chain)).collect::<Vec<_>>().join(" ")
}

/// What depends on the way. One way at a time: `rtspsrc`'s own change from UDP to TCP would say neither what worked nor why
/// the other one didn't, and would begin every connection with the one that doesn't.
fn configure(camera: &gst::Element, way: Way) {
    camera.set_property("tcp-timeout", STEP_TIMEOUT.as_micros() as u64);
    camera.set_property("teardown-timeout", TEARDOWN_NS);
    match way {
        // The jitter buffer has nothing to do where nothing is lost or reordered; its latency, in milliseconds, only
        // matters to cameras that lie about that.
        Way::Tcp => {
            camera.set_property_from_str("protocols", "tcp");
            camera.set_property("latency", 100_u32);
        }
        // Packets that overtake each other on a local network do so within a few milliseconds; Wi-Fi repeats for some
        // hundred. What comes later counts as lost, and what waits for so long is dropped instead of piling up.
        Way::Udp => {
            camera.set_property_from_str("protocols", "udp+udp-mcast");
            camera.set_property("latency", 200_u32);
            camera.set_property("drop-on-latency", true);
            camera.set_property("timeout", UDP_TIMEOUT.as_micros() as u64);
            camera.set_property("udp-buffer-size", UDP_BUFFER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Place {
        let login = Login { username: "viewer".to_owned(), password: Secret::new("pass".to_owned()) };
        Place { url: url.parse().unwrap(), login: Some(login), redirects: 0 }
    }

    #[test]
    fn a_login_is_not_taken_along_to_another_host() {
        let here = place("rtsps://cam.example:8322/a?b=c");
        let moved = here.moved("rtsps://CAM.example/other").unwrap();
        assert_eq!((moved.url.as_str(), moved.login.is_some()), ("rtsps://CAM.example/other", true));
        let elsewhere = here.moved("rtsps://viewer:guess@other.example/a").unwrap();
        assert_eq!((elsewhere.url.as_str(), elsewhere.login.is_some()), ("rtsps://other.example/a", false));
    }

    #[test]
    fn only_to_cameras_and_never_out_of_tls_and_not_for_ever() {
        let secure = place("rtsps://cam.example/a");
        assert_eq!(secure.moved("rtsp://cam.example/a").err(), Some(Problem::Tls(Distrust::Downgrade)));
        let plain = place("rtsp://cam.example/a");
        assert_eq!(plain.moved("http://cam.example/").err(), Some(Problem::Protocol));
        let upgraded = plain.moved("rtsps://cam.example/a").unwrap();
        assert_eq!(upgraded.moved("rtsps://cam.example/b").unwrap().moved("/c").err(), Some(Problem::Protocol));
    }
}
