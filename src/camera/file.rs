//! Clips: MP4, MOV and Matroska files that stand in for cameras.
//!
//! Owns the file pipelines, the choice between them by content, and the pace; refuses to decode. Runs on the caller's
//! thread.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::codec::Codec;
use super::elements;
use super::ingest::{Ingest, Stop};
use super::packet::Packet;
use super::problem::Problem;
use super::source::Source;
use crate::time::{self, Mono};

/// How fast a clip's packets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As the clip was recorded.
    Own,
    /// As fast as they are taken.
    Full,
}

/// A clip on disk.
pub(super) struct Clip {
    path: PathBuf,
    pace: Pace,
    ingest: Option<Ingest>,
    /// The packet that is not due yet.
    next: Option<Packet>,
    /// When the first packet was given out, and its decoding time.
    began: Option<(Mono, Duration)>,
}

impl Clip {
    pub(super) fn new(path: PathBuf, pace: Pace) -> Clip {
        Clip { path, pace, ingest: None, next: None, began: None }
    }

    fn pull(&mut self, wait: Duration) -> Result<Option<Packet>, Problem> {
        let ingest = self.ingest.as_mut().ok_or(Problem::EndOfClip)?;
        ingest.next(wait).map_err(|stop| match stop {
            Stop::End => Problem::EndOfClip,
            Stop::NoVideo { instead } => no_video(&self.path, instead),
            Stop::Error { .. } => Problem::not_a_video(&self.path, "it is damaged or cut off"),
        })
    }

    /// How long until `packet` is due.
    fn due_in(&mut self, packet: &Packet) -> Duration {
        if self.pace == Pace::Full {
            return Duration::ZERO;
        }
        let now = time::now().mono;
        let (began, first) = *self.began.get_or_insert((now, packet.dts));
        began.plus(packet.dts.saturating_sub(first)).since(now)
    }
}

impl Source for Clip {
    fn open(&mut self, connection: u64) -> Result<(), Problem> {
        self.close();
        let text = pipeline(demuxer(&self.path)?);
        let configure = |pipeline: &gst::Pipeline| {
            if let Some(file) = pipeline.by_name("file") {
                file.set_property("location", &self.path);
            }
        };
        self.ingest = Some(Ingest::start(&text, configure, connection)?.of_disk());
        Ok(())
    }

    fn next(&mut self, wait: Duration) -> Result<Option<Packet>, Problem> {
        let Some(mut packet) = (match self.next.take() {
            Some(packet) => Some(packet),
            None => self.pull(wait)?,
        }) else {
            return Ok(None);
        };
        let due_in = self.due_in(&packet);
        rest(due_in.min(wait));
        if due_in > wait {
            self.next = Some(packet);
            return Ok(None);
        }
        packet.arrived = time::now();
        Ok(Some(packet))
    }

    fn close(&mut self) {
        self.ingest = None;
        self.next = None;
        self.began = None;
    }
}

/// Explicit chains, one for each codec: what is no such video is never linked, so an audio track can not fail them.
fn pipeline(demuxer: &str) -> String {
    let chain = |codec: Codec| format!("container. ! {} ! {}", codec.media_type(), codec.tail());
    let chains = elements::spoken().map(chain).collect::<Vec<_>>().join(" ");
    format!("filesrc name=file ! {demuxer} name=container {chains}")
}

/// `instead` is the video that is there.
pub(super) fn no_video(path: &Path, instead: Option<String>) -> Problem {
    let none = || "there is no H.264, H.265 or MJPEG video in it".into();
    Problem::not_a_video(path, instead.map_or_else(none, |other| Cow::from(format!("its video is `{other}`"))))
}

/// The demuxer for what the file really is: names lie.
fn demuxer(path: &Path) -> Result<&'static str, Problem> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(12).read_to_end(&mut head));
    read.map_err(|error| Problem::unreadable(path, &error))?;
    if head.is_empty() {
        return Err(Problem::not_a_video(path, "it is empty"));
    }
    if head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        return Ok("matroskademux");
    }
    match head.get(4..8) {
        Some(b"ftyp" | b"moov" | b"mdat" | b"free" | b"skip" | b"wide" | b"pnot") => Ok("qtdemux"),
        _ => Err(Problem::not_a_video(path, "it is neither MP4, MOV nor Matroska")),
    }
}

/// The clip's own pace. Never longer than the caller is willing to be deaf to a stop.
#[expect(clippy::disallowed_methods, reason = "it is bounded by the caller's patience")]
fn rest(pause: Duration) {
    if !pause.is_zero() {
        std::thread::sleep(pause);
    }
}
