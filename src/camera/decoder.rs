//! Encoded pictures in, frames out, at once.
//!
//! Owns a decoder of its own, apart from any connection: what is fed decides what is decoded (a live stream, a lone
//! keyframe, two seconds of the ring once more). Refuses to know where packets come from and who looks at frames. Runs on
//! the caller's thread: a packet's pictures are out before `decode` returns.

use std::collections::VecDeque;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::packet::{Class, Packet};
use super::planes;
use super::problem::Problem;
use crate::frame::Frame;
use crate::time::Now;

/// `std-compliance=normal`: otherwise streams without reordering information wait for a whole picture buffer.
/// `output-corrupt=false`: half-built pictures never reach a model. One thread: cameras are many, cores are few.
const PIPELINE: &str = "avdec_h264 name=decoder max-threads=1 output-corrupt=false qos=false \
     ! appsink name=pictures sync=false async=false enable-last-sample=false";

/// Byte stream: sizes and profiles travel in the stream itself and may change at any keyframe.
const CAPS: &str = "video/x-h264,stream-format=byte-stream,alignment=au";

/// Packets without a picture are forgotten beyond this; H.264 reorders at most 16.
const MAX_PENDING: usize = 64;

/// What came out.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Whole pictures, wanted or not.
    pub pictures: u64,
    /// The wanted ones, in the order in which they are shown.
    pub frames: Vec<Frame>,
}

/// An H.264 decoder. It may be fed with packets of any connection, and with the same ones again.
pub struct Decoder {
    pipeline: gst::Pipeline,
    input: gst::Pad,
    output: gst_app::AppSink,
    bus: gst::Bus,
    /// What the next packet must continue; None before the first.
    stream: Option<Stream>,
    /// Packets whose pictures are not out yet.
    pending: VecDeque<(Duration, Now)>,
}

struct Stream {
    connection: u64,
    /// The first picture's time, which frames call zero.
    origin: Duration,
    /// The latest picture fed.
    newest: Duration,
}

impl Decoder {
    /// A decoder that waits for a keyframe.
    pub fn new() -> Result<Decoder, Problem> {
        let pipeline = gst::parse::launch(PIPELINE)
            .ok()
            .and_then(|element| element.downcast::<gst::Pipeline>().ok())
            .ok_or(Problem::MissingElement)?;
        let decoder = pipeline.by_name("decoder").ok_or(Problem::MissingElement)?;
        if decoder.has_property("std-compliance") {
            decoder.set_property_from_str("std-compliance", "normal");
        }
        let output =
            pipeline.by_name("pictures").and_then(|sink| sink.downcast().ok()).ok_or(Problem::MissingElement)?;
        let bus = pipeline.bus().ok_or(Problem::MissingElement)?;
        // Our own pad instead of an appsrc: decoding happens inside `push`, without a thread or a queue between.
        let input = gst::Pad::new(gst::PadDirection::Src);
        let sink = decoder.static_pad("sink").ok_or(Problem::MissingElement)?;
        input.link(&sink).map_err(|_| Problem::Decoder)?;
        input.set_active(true).map_err(|_| Problem::Decoder)?;
        let decoder = Decoder { pipeline, input, output, bus, stream: None, pending: VecDeque::new() };
        decoder.pipeline.set_state(gst::State::Playing).map_err(|_| Problem::Decoder)?;
        decoder.begin()?;
        Ok(decoder)
    }

    /// Feeds one packet and takes out what is ready; `wanted` is asked, by arrival, which pictures become frames.
    ///
    /// Packets before the first keyframe of a connection are passed over.
    pub fn decode(&mut self, packet: &Packet, wanted: impl Fn(Now) -> bool) -> Result<Decoded, Problem> {
        let mut decoded = Decoded::default();
        if !self.continues(packet) {
            if packet.class == Class::Delta {
                return Ok(decoded);
            }
            decoded = self.drain(&wanted)?;
            self.restart(packet)?;
        }
        if let Some(stream) = &mut self.stream {
            stream.newest = stream.newest.max(packet.pts);
        }
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back((packet.pts, packet.arrived));
        self.input.push(buffer(packet)).map_err(|_| Problem::Decoder)?;
        self.collect(&wanted, &mut decoded)?;
        Ok(decoded)
    }

    /// Takes out the pictures that the decoder holds back for reordering. The next packet must be a keyframe.
    pub fn drain(&mut self, wanted: impl Fn(Now) -> bool) -> Result<Decoded, Problem> {
        let mut decoded = Decoded::default();
        if self.stream.is_some() {
            // The one way that was measured to work, and the cheapest: a decoder shows what it has before a still picture.
            self.input.push_event(gst_video::StillFrameEvent::builder(true).build());
            self.collect(&wanted, &mut decoded)?;
        }
        Ok(decoded)
    }

    /// Whether `packet` goes on where the last one stopped. Only at a keyframe does a step back in time mean a new start:
    /// within a GOP it is reordering.
    fn continues(&self, packet: &Packet) -> bool {
        self.stream.as_ref().is_some_and(|stream| {
            stream.connection == packet.connection && (packet.class == Class::Delta || packet.pts > stream.newest)
        })
    }

    fn restart(&mut self, packet: &Packet) -> Result<(), Problem> {
        let same = self.stream.as_ref().filter(|stream| stream.connection == packet.connection);
        let origin = same.map_or(packet.pts, |stream| stream.origin);
        if self.stream.is_some() {
            // Without a new segment every picture after a step back would get one and the same time.
            self.segment()?;
        }
        self.pending.clear();
        self.stream = Some(Stream { connection: packet.connection, origin, newest: packet.pts });
        Ok(())
    }

    fn begin(&self) -> Result<(), Problem> {
        let caps: gst::Caps = CAPS.parse().map_err(|_| Problem::Decoder)?;
        let pushed = self.input.push_event(gst::event::StreamStart::new("camera"))
            && self.input.push_event(gst::event::Caps::new(&caps));
        if !pushed {
            return Err(Problem::Decoder);
        }
        self.segment()
    }

    fn segment(&self) -> Result<(), Problem> {
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        self.input.push_event(gst::event::Segment::new(&segment)).then_some(()).ok_or(Problem::Decoder)
    }

    fn collect(&mut self, wanted: &impl Fn(Now) -> bool, decoded: &mut Decoded) -> Result<(), Problem> {
        while let Some(message) = self.bus.pop() {
            if message.type_() == gst::MessageType::Error {
                return Err(Problem::Decoder);
            }
        }
        while let Some(sample) = self.output.try_pull_sample(gst::ClockTime::ZERO) {
            let (Some(buffer), Some(stream)) = (sample.buffer(), &self.stream) else { continue };
            let Some(shown) = buffer.pts().map(Duration::from) else { continue };
            let Some(at) = self.pending.iter().position(|(pts, _)| *pts == shown) else { continue };
            let Some((pts, arrived)) = self.pending.remove(at) else { continue };
            if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
                continue;
            }
            decoded.pictures += 1;
            if wanted(arrived) {
                let since_start = pts.saturating_sub(stream.origin);
                decoded.frames.push(planes::copy(&sample, arrived, since_start, stream.connection)?);
            }
        }
        Ok(())
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let _ = self.input.set_active(false);
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn buffer(packet: &Packet) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(packet.data.clone());
    if let Some(fresh) = buffer.get_mut() {
        fresh.set_pts(gst::ClockTime::try_from(packet.pts).ok());
        if packet.class == Class::Delta {
            fresh.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
    }
    buffer
}
