//! A recording, frame by frame.
//!
//! Owns the way from a file to all of its frames, in order and at full speed, in the clip's own time; refuses to know what
//! is done with them. Runs on the caller's thread (`stakeout replay`).

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use super::decoder::{Decoded, Decoder};
use super::elements;
use super::file::{self, Pace};
use super::packet::Packet;
use super::problem::Problem;
use super::source::Source;
use crate::config::Hardware;
use crate::frame::Frame;
use crate::time::{self, Now};

/// A disk that gives nothing for so long is broken.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// A file that fails before its first packet is noticed so fast.
const LOOK: Duration = Duration::from_millis(20);

/// An iterator over every frame of a clip. [`Frame::arrived`] is the frame's position in the clip ([`Now::in_clip`]).
pub struct Clip {
    source: file::Clip,
    decoder: Decoder,
    first: Option<Packet>,
    ready: VecDeque<Frame>,
    ended: bool,
}

impl Clip {
    /// Opens an MP4, MOV or Matroska file with H.264, H.265 or MJPEG video.
    ///
    /// # Errors
    /// [`Problem::Unreadable`], [`Problem::NotAVideo`]: the file can't be played. [`Problem::MissingElement`]: GStreamer is
    /// not installed as needed.
    pub fn open(path: &Path) -> Result<Clip, Problem> {
        elements::init().map_err(|_| Problem::MissingElement)?;
        let mut source = file::Clip::new(path.to_owned(), Pace::Full);
        source.open(1)?;
        let first = match next_packet(&mut source) {
            Err(Problem::EndOfClip) => return Err(file::no_video(path, None)),
            first => first?,
        };
        let decoder = Decoder::new(first.codec, &Hardware::Off)?;
        Ok(Clip { source, decoder, first: Some(first), ready: VecDeque::new(), ended: false })
    }

    fn decode_next(&mut self) -> Result<(), Problem> {
        let packet = match self.first.take() {
            Some(packet) => Ok(packet),
            None => next_packet(&mut self.source),
        };
        let decoded = match packet {
            Ok(packet) => self.decoder.decode(&packet, |_| true)?,
            Err(Problem::EndOfClip) => {
                self.ended = true;
                self.decoder.drain(|_| true)?
            }
            Err(problem) => return Err(problem),
        };
        self.ready.extend(in_clip_time(decoded));
        Ok(())
    }
}

fn next_packet(source: &mut file::Clip) -> Result<Packet, Problem> {
    let began = time::now().mono;
    loop {
        if let Some(packet) = source.next(LOOK)? {
            return Ok(packet);
        }
        if time::now().mono.since(began) >= READ_LIMIT {
            return Err(Problem::Timeout(READ_LIMIT));
        }
    }
}

fn in_clip_time(decoded: Decoded) -> impl Iterator<Item = Frame> {
    decoded.frames.into_iter().map(|frame| Frame { arrived: Now::in_clip(frame.pts), ..frame })
}

impl Iterator for Clip {
    type Item = Result<Frame, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(Ok(frame));
            }
            if self.ended {
                return None;
            }
            if let Err(problem) = self.decode_next() {
                self.ended = true;
                return Some(Err(problem));
            }
        }
    }
}
