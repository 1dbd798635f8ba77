//! A running GStreamer pipeline that ends in encoded pictures.
//!
//! Owns the sinks at the end of every source ([`Codec::tail`]), its bus and its end; refuses to know what stands in front
//! of them and what an error means there. Which codec a stream has shows when the first sink is fed; the others stay empty.
//! Runs on the caller's thread; GStreamer's own threads only fill the bounded sinks.

use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::codec::Codec;
use super::packet::{Class, Packet, ParameterSets};
use super::problem::Problem;
use super::tempo::{Belief, Tempo};
use super::turn::Turn;
use crate::time::{self, Now};

/// Why a pipeline gives no more packets.
pub(super) enum Stop {
    /// There is no more to come.
    End,
    /// As on the bus.
    Error {
        error: gst::glib::Error,
        /// RTSP's, where the other side answered with one.
        status: Option<u32>,
    },
    /// There is nothing in the stream that the pipeline asks for.
    NoVideo {
        /// The video that is there instead, as GStreamer or RTP calls it.
        instead: Option<String>,
    },
}

/// So many packets wait to be pulled, what comes while one GOP is decoded at full speed; beyond, the source is held back.
const WAITING: u32 = 64;

/// Until the first sink is fed nobody knows which one it will be. Each is asked for so long in turn: what waits in the one
/// is not kept waiting by the others.
const TURN: Duration = Duration::from_millis(5);

/// A playing pipeline. Dropping it stops it.
pub(super) struct Ingest {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    /// The sinks, or the one that was fed.
    sinks: Vec<(Codec, gst_app::AppSink)>,
    sets: ParameterSets,
    /// As the container says.
    turn: Turn,
    /// Gaps are losses.
    lossy: bool,
    /// A packet has come.
    begun: bool,
    /// The latest time at which a picture is shown.
    newest: Duration,
    /// Whether its times are its camera's.
    tempo: Tempo,
    connection: u64,
    opened: Now,
}

impl Ingest {
    /// Builds `text`, which ends in one or more [`Codec::tail`]s, has `configure` set what must not be written into a
    /// pipeline's text, and starts it.
    pub(super) fn start(
        text: &str,
        configure: impl FnOnce(&gst::Pipeline),
        connection: u64,
    ) -> Result<Ingest, Problem> {
        let pipeline = gst::parse::launch(text)
            .ok()
            .and_then(|element| element.downcast::<gst::Pipeline>().ok())
            .ok_or(Problem::MissingElement)?;
        let sink = |codec: Codec| Some((codec, pipeline.by_name(codec.sink())?.downcast().ok()?));
        let sinks: Vec<(Codec, gst_app::AppSink)> = Codec::ALL.into_iter().filter_map(sink).collect();
        let bus = pipeline.bus().ok_or(Problem::MissingElement)?;
        configure(&pipeline);
        let (sets, turn, opened) = (ParameterSets::default(), Turn::None, time::now());
        let (lossy, begun, newest, tempo) = (true, false, Duration::ZERO, Tempo::default());
        let ingest = Ingest { pipeline, bus, sinks, sets, turn, lossy, begun, newest, tempo, connection, opened };
        // A failure is on the bus, with its cause: the first `next` finds it.
        let _ = ingest.pipeline.set_state(gst::State::Playing);
        // Not before: a sink that holds packets back keeps the lock that its change of state waits for, and nobody pulls yet.
        ingest.sinks.iter().for_each(|(_, sink)| sink.set_max_buffers(WAITING));
        Ok(ingest)
    }

    /// The same of a disk, which loses nothing: a gap is where a recording was put together.
    pub(super) fn of_disk(mut self) -> Ingest {
        self.lossy = false;
        self
    }

    /// The next packet; None when none came within `wait`, or one that is none.
    pub(super) fn next(&mut self, wait: Duration) -> Result<Option<Packet>, Stop> {
        if let Some(sample) = self.pull(wait) {
            // An error waits until the packets that came before it are used; a bus that nobody empties only grows.
            while self.bus.peek().is_some_and(|message| message.type_() != gst::MessageType::Error) {
                self.bus.pop().iter().for_each(|message| self.told(message));
            }
            return Ok(self.packet(&sample));
        }
        while let Some(message) = self.bus.pop() {
            if let gst::MessageView::Error(message) = message.view() {
                let not_linked = message.debug().is_some_and(|debug| debug.contains("not-linked"));
                let instead = || self.unlinked_video();
                return Err(if not_linked {
                    Stop::NoVideo { instead: instead() }
                } else {
                    Stop::Error { error: message.error(), status: status(message) }
                });
            }
            self.told(&message);
        }
        // Without this test a loop would spin: after the end `try_pull_sample` returns at once.
        if self.sinks.iter().any(|(_, sink)| sink.is_eos()) { Err(Stop::End) } else { Ok(None) }
    }

    fn pull(&mut self, wait: Duration) -> Option<gst::Sample> {
        if let [(_, only)] = self.sinks.as_slice() {
            return only.try_pull_sample(clock_time(wait));
        }
        let until = time::now().mono.plus(wait);
        loop {
            let ask = |(_, sink): &(Codec, gst_app::AppSink)| sink.try_pull_sample(clock_time(TURN.min(wait)));
            if let Some((at, sample)) = self.sinks.iter().enumerate().find_map(|(at, sink)| Some((at, ask(sink)?))) {
                self.choose(at);
                return Some(sample);
            }
            let ended = self.sinks.iter().any(|(_, sink)| sink.is_eos());
            if ended || self.bus.peek().is_some() || time::now().mono >= until {
                return None;
            }
        }
    }

    /// The first sink that is fed is the only one from then on.
    fn choose(&mut self, at: usize) {
        let chosen = self.sinks.swap_remove(at);
        for (_, other) in std::mem::replace(&mut self.sinks, vec![chosen]) {
            // A second video in the stream must not be held back, nor kept.
            other.set_max_buffers(1);
            other.set_drop(true);
        }
    }

    fn told(&mut self, message: &gst::Message) {
        if let gst::MessageView::Tag(message) = message.view() {
            let tags = message.tags();
            if let Some(orientation) = tags.get::<gst::tags::ImageOrientation>() {
                self.turn = Turn::of_tag(orientation.get());
            }
        }
    }

    /// Video that no pad took, as its caps name it.
    fn unlinked_video(&self) -> Option<String> {
        let mut pads = self.pipeline.iterate_recurse().into_iter().flatten().flat_map(|element| element.src_pads());
        pads.find_map(|pad| {
            let caps = (!pad.is_linked()).then(|| pad.current_caps())??;
            let media = caps.structure(0)?;
            match media.get::<&str>("media") {
                Ok("video") => media.get("encoding-name").ok(),
                Ok(_) => None,
                Err(_) => ["video/", "image/"]
                    .iter()
                    .any(|kind| media.name().starts_with(kind))
                    .then(|| media.name().to_string()),
            }
        })
    }

    /// Takes RTP's timestamps as they are, or not. Otherwise they are compared with when packets arrive, to follow a camera's
    /// clock: that bends the times of pictures, where these overtake each other by a tenth of a second.
    fn believe_timestamps(&self, all: bool) {
        let mode = if all { "none" } else { "slave" };
        let elements = self.pipeline.iterate_recurse().into_iter().flatten();
        let is_buffer = |element: &gst::Element| element.factory().is_some_and(|it| it.name() == "rtpjitterbuffer");
        elements.filter(is_buffer).for_each(|buffer| buffer.set_property_from_str("mode", mode));
    }

    /// How long ago it was started.
    pub(super) fn age(&self) -> Duration {
        time::now().mono.since(self.opened.mono)
    }

    fn packet(&mut self, sample: &gst::Sample) -> Option<Packet> {
        let arrived = time::now();
        let codec = self.sinks.first()?.0;
        let buffer = sample.buffer()?;
        let start = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let unit = buffer.map_readable().ok()?;
        let (mut class, data) = self.sets.complete(codec, &unit, start)?;
        let pts = buffer.pts().map_or_else(|| arrived.mono.since(self.opened.mono), Duration::from);
        let dts = buffer.dts().map_or(pts, Duration::from);
        let heard = if pts < self.newest { self.tempo.overtaken() } else { self.tempo.heard(arrived.mono, pts) };
        if let Some(belief) = heard {
            self.believe_timestamps(belief == Belief::Believed);
        }
        self.newest = self.newest.max(pts);
        // Every stream begins so, and a JPEG needs nothing of what was before.
        let expected = !std::mem::replace(&mut self.begun, true) || codec == Codec::Mjpeg;
        let after_loss = self.lossy && !expected && buffer.flags().contains(gst::BufferFlags::DISCONT);
        if after_loss {
            // The parser marks what it was putting together: parts of that itself may be what is missing.
            class = Class::Delta;
        }
        let (turn, connection) = (self.turn, self.connection);
        Some(Packet { codec, data, pts, dts, class, after_loss, turn, arrived, connection })
    }
}

fn clock_time(wait: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX))
}

fn status(message: &gst::message::Error) -> Option<u32> {
    message.details()?.get("rtsp-status-code").ok()
}

impl Drop for Ingest {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
