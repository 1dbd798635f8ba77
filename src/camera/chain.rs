//! A decoder's pipeline: encoded pictures into our pad, decoded ones out of an appsink.
//!
//! Owns the GStreamer objects and the ceremony that they want; refuses to know which packets go in and what a picture is
//! for. Runs on the caller's thread: decoding happens inside [`Chain::push`].

use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::codec::Codec;
use super::packet::{Class, Packet};
use super::problem::Problem;

/// What follows the decoder. `async=false`: a sink that waits for preroll can block the end of a stream for ever.
const SINK: &str = "appsink name=pictures sync=false async=false enable-last-sample=false";

/// A running pipeline. Dropping it stops it.
pub(super) struct Chain {
    codec: Codec,
    pipeline: gst::Pipeline,
    element: gst::Element,
    input: gst::Pad,
    output: gst_app::AppSink,
    bus: gst::Bus,
}

/// Why it takes no more.
#[derive(Debug)]
pub(super) enum Stopped {
    /// GStreamer refuses something that it never should.
    Refused,
    /// In the element's own words.
    Failed(String),
}

impl Chain {
    /// Of the elements that `description` lists, of which one is called `decoder`. It is not started.
    ///
    /// # Errors
    /// [`Problem::MissingElement`]
    pub(super) fn new(codec: Codec, description: &str) -> Result<Chain, Problem> {
        let pipeline = gst::parse::launch(&format!("{description} ! {SINK}"))
            .ok()
            .and_then(|element| element.downcast::<gst::Pipeline>().ok())
            .ok_or(Problem::MissingElement)?;
        let element = pipeline.by_name("decoder").ok_or(Problem::MissingElement)?;
        let output =
            pipeline.by_name("pictures").and_then(|sink| sink.downcast().ok()).ok_or(Problem::MissingElement)?;
        let bus = pipeline.bus().ok_or(Problem::MissingElement)?;
        // Our own pad instead of an appsrc: decoding happens inside `push`, without a thread or a queue between.
        let input = gst::Pad::new(gst::PadDirection::Src);
        let sink = pipeline.find_unlinked_pad(gst::PadDirection::Sink).ok_or(Problem::MissingElement)?;
        input.link(&sink).map_err(|_| Problem::MissingElement)?;
        Ok(Chain { codec, pipeline, element, input, output, bus })
    }

    /// Ready for the first keyframe.
    pub(super) fn start(&self) -> Result<(), Stopped> {
        self.input.set_active(true).map_err(|_| Stopped::Refused)?;
        self.pipeline.set_state(gst::State::Playing).map_err(|_| self.said())?;
        let caps: gst::Caps = self.codec.caps().parse().map_err(|_| Stopped::Refused)?;
        let pushed = self.input.push_event(gst::event::StreamStart::new("camera"))
            && self.input.push_event(gst::event::Caps::new(&caps));
        if !pushed {
            return Err(Stopped::Refused);
        }
        self.segment()
    }

    /// After [`Chain::end`]: ready for a keyframe again.
    pub(super) fn start_again(&self) -> Result<(), Stopped> {
        // A pad that has sent the end sends nothing more before it was off.
        self.input.set_active(false).map_err(|_| Stopped::Refused)?;
        self.pipeline.set_state(gst::State::Ready).map_err(|_| self.said())?;
        self.start()
    }

    /// From here on times may be anything. Without it every picture after a step back would get one and the same time.
    pub(super) fn segment(&self) -> Result<(), Stopped> {
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        self.input.push_event(gst::event::Segment::new(&segment)).then_some(()).ok_or(Stopped::Refused)
    }

    /// Decodes a packet.
    pub(super) fn push(&self, packet: &Packet) -> Result<(), Stopped> {
        self.input.push(buffer(packet)).map(|_| ()).map_err(|_| self.said())
    }

    /// Has a decoder show what it holds back, as before a still picture.
    pub(super) fn show_what_you_have(&self) {
        self.input.push_event(gst_video::StillFrameEvent::builder(true).build());
    }

    /// There is no more to come.
    pub(super) fn end(&self) {
        self.input.push_event(gst::event::Eos::new());
    }

    /// Whether everything before the end is out.
    pub(super) fn is_at_its_end(&self) -> bool {
        self.output.is_eos()
    }

    /// The next picture, if one comes within `wait`.
    pub(super) fn pull(&self, wait: Duration) -> Option<gst::Sample> {
        self.output.try_pull_sample(gst::ClockTime::try_from(wait).ok())
    }

    /// Whether something went wrong; empties the bus.
    pub(super) fn check(&self) -> Result<(), Stopped> {
        while let Some(message) = self.bus.peek() {
            if message.type_() == gst::MessageType::Error {
                return Err(self.said());
            }
            self.bus.pop();
        }
        Ok(())
    }

    /// The GStreamer element that really decodes.
    pub(super) fn element(&self) -> String {
        self.element.factory().map(|factory| factory.name().to_string()).unwrap_or_default()
    }

    /// What the bus tells about the end.
    fn said(&self) -> Stopped {
        let mut said = None;
        while let Some(message) = self.bus.pop() {
            if let gst::MessageView::Error(message) = message.view() {
                said = said.or_else(|| Some(message.error().message().trim_end_matches('.').to_owned()));
            }
        }
        Stopped::Failed(said.unwrap_or_else(|| "it takes no data".to_owned()))
    }
}

impl Drop for Chain {
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
