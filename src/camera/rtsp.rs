//! Cameras on the network: RTSP over TCP.
//!
//! Owns the RTSP pipeline, its credentials and what its errors mean; refuses to decode. Runs on the camera's thread.

use std::fmt;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use url::Url;
use zeroize::Zeroizing;

use super::ingest::{Ingest, Stop};
use super::packet::Packet;
use super::probe;
use super::problem::Problem;
use super::source::Source;

/// An explicit chain: what is not H.264 video is never linked, so an audio track can not fail it. The jitter buffer has
/// nothing to do over TCP, where nothing is lost or reordered; its latency only matters to cameras that lie about that.
const HEAD: &str = "rtspsrc name=camera protocols=tcp latency=100 \
     camera. ! application/x-rtp,media=video,encoding-name=H264 ! rtph264depay";

/// For each step of connecting. Slow cameras need seconds; a longer wait would only miss one that comes back, because the
/// kernel asks at 0, 1, 3 and 7 s for a TCP connection and then not again before 15 s.
const STEP_TIMEOUT: Duration = Duration::from_secs(8);

/// How long the camera may take to hear that we leave, in nanoseconds.
const TEARDOWN_NS: u64 = 200_000_000;

/// What a camera wants to see before it streams. `Debug` shows no password.
#[derive(Clone)]
pub struct Login {
    /// As configured.
    pub username: String,
    /// Wiped from memory when it is dropped.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A camera that speaks RTSP.
pub(super) struct Rtsp {
    url: Url,
    login: Option<Login>,
    ingest: Option<Ingest>,
}

impl Rtsp {
    pub(super) fn new(url: Url, login: Option<Login>) -> Rtsp {
        Rtsp { url, login, ingest: None }
    }

    fn configure(&self, pipeline: &gst::Pipeline) {
        let Some(camera) = pipeline.by_name("camera") else { return };
        camera.set_property("location", self.url.as_str());
        camera.set_property("tcp-timeout", STEP_TIMEOUT.as_micros() as u64);
        camera.set_property("teardown-timeout", TEARDOWN_NS);
        if let Some(login) = &self.login {
            camera.set_property("user-id", &login.username);
            camera.set_property("user-pw", login.password.as_str());
        }
    }
}

impl Source for Rtsp {
    fn open(&mut self, connection: u64) -> Result<(), Problem> {
        self.close();
        self.ingest = Some(Ingest::start(HEAD, |pipeline| self.configure(pipeline), connection)?);
        Ok(())
    }

    fn next(&mut self, wait: Duration) -> Result<Option<Packet>, Problem> {
        let ingest = self.ingest.as_mut().ok_or(Problem::Disconnected)?;
        ingest.next(wait).map_err(|stop| match stop {
            // A camera that dies ends its stream as if it were a clip.
            Stop::End => Problem::Disconnected,
            Stop::Error { not_linked: true, .. } => Problem::CodecUnsupported,
            Stop::Error { error, .. } => meaning(&error).unwrap_or_else(|| match probe::why_not(&self.url) {
                Problem::Disconnected if ingest.age() >= STEP_TIMEOUT => Problem::Timeout(STEP_TIMEOUT),
                problem => problem,
            }),
        })
    }

    fn close(&mut self) {
        self.ingest = None;
    }
}

/// What `rtspsrc` means by an error; None when it only says that there was no connection.
fn meaning(error: &gst::glib::Error) -> Option<Problem> {
    if let Some(resource) = error.kind::<gst::ResourceError>() {
        return match resource {
            gst::ResourceError::NotAuthorized => Some(Problem::Auth),
            gst::ResourceError::NotFound => Some(Problem::NotFound),
            gst::ResourceError::Settings => Some(Problem::Protocol),
            _ => None,
        };
    }
    match error.kind::<gst::StreamError>() {
        Some(gst::StreamError::CodecNotFound | gst::StreamError::WrongType | gst::StreamError::Format) => {
            Some(Problem::CodecUnsupported)
        }
        Some(_) => Some(Problem::Disconnected),
        None => Some(Problem::Protocol),
    }
}
