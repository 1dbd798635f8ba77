//! Cameras on the network: RTSP over TCP.
//!
//! Owns the RTSP pipeline, its credentials and what its errors mean; refuses to decode. Runs on the camera's thread.

use std::sync::Arc;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use url::Url;

use super::codec::Codec;
use super::ingest::{Ingest, Stop};
use super::packet::Packet;
use super::probe;
use super::problem::Problem;
use super::settings::{Address, Settings};
use super::source::Source;
use crate::secret::Secret;

/// The jitter buffer has nothing to do over TCP, where nothing is lost or reordered; its latency only matters to cameras
/// that lie about that.
const CAMERA: &str = "rtspsrc name=camera protocols=tcp latency=100";

/// For each step of connecting. Slow cameras need seconds; a longer wait would only miss one that comes back, because the
/// kernel asks at 0, 1, 3 and 7 s for a TCP connection and then not again before 15 s.
const STEP_TIMEOUT: Duration = Duration::from_secs(8);

/// How long the camera may take to hear that we leave, in nanoseconds.
const TEARDOWN_NS: u64 = 200_000_000;

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
    ingest: Option<Ingest>,
}

impl Rtsp {
    /// `settings.address` is no file's.
    pub(super) fn new(settings: Arc<Settings>) -> Rtsp {
        Rtsp { settings, ingest: None }
    }

    fn place(&self) -> Option<(&Url, Option<&Login>)> {
        match &self.settings.address {
            Address::Rtsp(url, login) | Address::Secret(url, login) => Some((url, login.as_ref())),
            Address::File { .. } => None,
        }
    }

    fn configure(&self, pipeline: &gst::Pipeline) {
        let (Some(camera), Some((url, login))) = (pipeline.by_name("camera"), self.place()) else { return };
        camera.set_property("location", url.as_str());
        camera.set_property("tcp-timeout", STEP_TIMEOUT.as_micros() as u64);
        camera.set_property("teardown-timeout", TEARDOWN_NS);
        if let Some(login) = login {
            camera.set_property("user-id", &login.username);
            camera.set_property("user-pw", login.password.expose());
        }
    }
}

impl Source for Rtsp {
    fn open(&mut self, connection: u64) -> Result<(), Problem> {
        self.close();
        self.ingest = Some(Ingest::start(&pipeline(), |pipeline| self.configure(pipeline), connection)?);
        Ok(())
    }

    fn next(&mut self, wait: Duration) -> Result<Option<Packet>, Problem> {
        let ingest = self.ingest.as_mut().ok_or(Problem::Disconnected)?;
        let stop = match ingest.next(wait) {
            Ok(packet) => return Ok(packet),
            Err(stop) => stop,
        };
        let age = ingest.age();
        Err(match stop {
            // A camera that dies ends its stream as if it were a clip.
            Stop::End => Problem::Disconnected,
            Stop::NoVideo { instead } => instead.map_or(Problem::CodecUnsupported, Problem::CodecOther),
            Stop::Error(error) => meaning(&error).unwrap_or_else(|| {
                match self.place().map_or(Problem::Disconnected, |(url, _)| probe::why_not(url)) {
                    Problem::Disconnected if age >= STEP_TIMEOUT => Problem::Timeout(STEP_TIMEOUT),
                    problem => problem,
                }
            }),
        })
    }

    fn close(&mut self) {
        self.ingest = None;
    }
}

/// Explicit chains, one for each codec: what is no such video is never linked, so an audio track can not fail them.
fn pipeline() -> String {
    let chain = |codec: Codec| {
        let (name, depayloader, tail) = (codec.encoding_name(), codec.depayloader(), codec.tail());
        format!("camera. ! application/x-rtp,media=video,encoding-name={name} ! {depayloader} ! {tail}")
    };
    [CAMERA.to_owned()].into_iter().chain([Codec::H264].map(chain)).collect::<Vec<_>>().join(" ")
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
