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
use super::packet::{Packet, ParameterSets};
use super::problem::Problem;
use crate::time::{self, Now};

/// Why a pipeline gives no more packets.
pub(super) enum Stop {
    /// There is no more to come.
    End,
    /// As on the bus.
    Error {
        error: gst::glib::Error,
        /// No pad took the stream: there was nothing in it that the pipeline asks for.
        not_linked: bool,
    },
}

/// So many packets wait to be pulled, what comes while one GOP is decoded at full speed; beyond, the source is held back.
const WAITING: u32 = 64;

/// A playing pipeline. Dropping it stops it.
pub(super) struct Ingest {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    /// The sinks, or the one that was fed.
    sinks: Vec<(Codec, gst_app::AppSink)>,
    sets: ParameterSets,
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
        let ingest = Ingest { pipeline, bus, sinks, sets: ParameterSets::default(), connection, opened: time::now() };
        // A failure is on the bus, with its cause: the first `next` finds it.
        let _ = ingest.pipeline.set_state(gst::State::Playing);
        // Not before: a sink that holds packets back keeps the lock that its change of state waits for, and nobody pulls yet.
        ingest.sinks.iter().for_each(|(_, sink)| sink.set_max_buffers(WAITING));
        Ok(ingest)
    }

    /// The next packet; None when none came within `wait`.
    pub(super) fn next(&mut self, wait: Duration) -> Result<Option<Packet>, Stop> {
        if let Some(sample) = self.pull(wait) {
            // An error waits until the packets that came before it are used; a bus that nobody empties only grows.
            while self.bus.peek().is_some_and(|message| message.type_() != gst::MessageType::Error) {
                self.bus.pop();
            }
            return Ok(self.packet(&sample));
        }
        while let Some(message) = self.bus.pop() {
            if let gst::MessageView::Error(message) = message.view() {
                let not_linked = message.debug().is_some_and(|debug| debug.contains("not-linked"));
                return Err(Stop::Error { error: message.error(), not_linked });
            }
        }
        // Without this test a loop would spin: after the end `try_pull_sample` returns at once.
        if self.sinks.iter().any(|(_, sink)| sink.is_eos()) { Err(Stop::End) } else { Ok(None) }
    }

    /// The first sink that is fed is the only one from then on.
    fn pull(&mut self, wait: Duration) -> Option<gst::Sample> {
        let each = wait / u32::try_from(self.sinks.len()).unwrap_or(1).max(1);
        let each = gst::ClockTime::from_nseconds(u64::try_from(each.as_nanos()).unwrap_or(u64::MAX));
        let (at, sample) =
            self.sinks.iter().enumerate().find_map(|(at, (_, sink))| Some((at, sink.try_pull_sample(each)?)))?;
        if self.sinks.len() > 1 {
            self.sinks = vec![self.sinks.swap_remove(at)];
        }
        Some(sample)
    }

    /// How long ago it was started.
    pub(super) fn age(&self) -> Duration {
        time::now().mono.since(self.opened.mono)
    }

    fn packet(&mut self, sample: &gst::Sample) -> Option<Packet> {
        let arrived = time::now();
        let buffer = sample.buffer()?;
        let start = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let unit = buffer.map_readable().ok()?;
        let (class, data) = self.sets.complete(&unit, start);
        let pts = buffer.pts().map_or_else(|| arrived.mono.since(self.opened.mono), Duration::from);
        let dts = buffer.dts().map_or(pts, Duration::from);
        let codec = self.sinks.first()?.0;
        Some(Packet { codec, data, pts, dts, class, arrived, connection: self.connection })
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
