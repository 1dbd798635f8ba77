//! Webhook bodies: one file per format, each a pure function of an event and its delivery's envelope.
//!
//! Owns the text of a body and the mark at the place of its frame; refuses to know how a body is kept and filled
//! (`journal/`), signed (`sign`) or sent (`transport/`), and never looks inside a picture. Pure: runs wherever it is called.

mod aioz;
mod check;
mod email;
mod moment;
mod pagerduty;
mod people;
mod slack;
mod stakeout;
mod trio_live_monitor;
mod trio_stream;
mod upload;
mod videodb;

#[cfg(test)]
mod tests;

use serde::Serialize;
use uuid::Uuid;

use crate::config::{Format, FrameChoice};
use crate::event::Event;

pub use check::{CHECK, check};
pub use upload::WholeClip;
pub use videodb::rule;

/// Stands in a rendered body, once at most, where the base64 of the frame goes (`journal::Body::marked` takes it out).
/// JSON text cannot contain it otherwise: strings escape it.
pub const HOLE: &str = "\0";

/// What a body says about the delivery that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The journal's epoch: sequences compare only within one.
    pub epoch: Uuid,
    /// Gapless per endpoint, so that a receiver can prove that nothing is missing.
    pub sequence: u64,
    /// When it was observed, in microseconds of the wall clock; what is below its milliseconds tells events apart: some
    /// services' receivers take it for the event's identity.
    pub moment_us: i64,
}

/// The version of a format's rendering, kept with each delivery. A change of the bytes is a new version.
pub fn version(format: Format) -> u32 {
    match format {
        Format::Stakeout => stakeout::VERSION,
        Format::TrioLiveMonitor => trio_live_monitor::VERSION,
        Format::TrioStream => trio_stream::VERSION,
        Format::Videodb => videodb::VERSION,
        Format::Aioz => aioz::VERSION,
        Format::Slack => slack::VERSION,
        Format::Pagerduty => pagerduty::VERSION,
        Format::Email => email::VERSION,
        Format::Upload => upload::VERSION,
    }
}

/// Renders `event` for an endpoint, with a [`HOLE`] for the frame if the format has one and `frame` asks for it. None: the
/// format does not express events of that type ([`Format::expresses`]), whatever the envelope and the frame.
pub fn render(format: Format, event: &Event, envelope: Envelope, frame: FrameChoice) -> Option<String> {
    match format {
        Format::Stakeout => format.expresses(event.data.kind()).then(|| stakeout::render(event, envelope, frame)),
        Format::TrioLiveMonitor => trio_live_monitor::render(event, envelope),
        Format::TrioStream => trio_stream::render(event),
        Format::Videodb => videodb::render(event, envelope),
        Format::Aioz => aioz::render(event, envelope),
        Format::Slack => slack::render(event),
        Format::Pagerduty => pagerduty::render(event),
        Format::Email => email::render(event, frame),
        Format::Upload => upload::render(event),
    }
}

/// How many bytes a JPEG may have so that the filled body stays within `max_body` bytes, whatever its sequence number;
/// None when the body has no place for a frame.
pub fn frame_budget(format: Format, event: &Event, max_body: u64) -> Option<usize> {
    let widest =
        Envelope { epoch: Uuid::max(), sequence: u64::MAX, moment_us: event.observed.wall.0.saturating_mul(1000) };
    let text = render(format, event, widest, FrameChoice::Inline)?;
    let size_without_frame = text.find(HOLE).map(|_| text.len() - HOLE.len())?;
    let room = usize::try_from(max_body).unwrap_or(usize::MAX).saturating_sub(size_without_frame);
    Some(room / 4 * 3)
}

/// A body as text.
fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("strings, numbers and maps with string keys always serialise")
}

/// Opens the empty string before `end`, the last bytes of `body`.
fn with_hole_before(mut body: String, end: &str) -> String {
    debug_assert!(body.ends_with(&format!("\"frame_b64\":\"{end}")));
    body.insert_str(body.len() - end.len(), HOLE);
    body
}
