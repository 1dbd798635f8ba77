//! Webhook bodies: one file per format, each a pure function of an event and an endpoint's envelope.
//!
//! Owns the frozen body and the hole in it where the frame goes; refuses to know how a body is kept (`journal/`), signed
//! (`sign`) or sent (`transport/`), and never looks inside a picture. Pure: runs wherever an event is accepted.

mod stakeout;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::config::{Format, FrameChoice};
use crate::event::Event;

/// Marks the place of the frame in a frozen body. JSON text cannot contain it otherwise: strings escape it.
const HOLE: char = '\0';

/// What a body says about the delivery that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The journal's epoch: sequences compare only within one.
    pub epoch: Uuid,
    /// Gapless per endpoint, so that a receiver can prove that nothing is missing.
    pub sequence: u64,
}

/// A rendered body, never rendered again: JSON text with at most one hole, where the base64 of a JPEG goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(String);

/// Why a stored text is not a [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored body has {holes} places for a frame, at most one is possible: the row is damaged, drop it")]
pub struct DamagedBody {
    holes: usize,
}

/// Renders `event` for an endpoint, with a hole for the frame if the format has one and `frame` asks for it.
pub fn freeze(format: Format, event: &Event, envelope: Envelope, frame: FrameChoice) -> Body {
    match format {
        Format::Stakeout => stakeout::freeze(event, envelope, frame),
    }
}

impl Body {
    /// A body as it was stored.
    pub fn stored(text: String) -> Result<Body, DamagedBody> {
        match text.matches(HOLE).count() {
            0 | 1 => Ok(Body(text)),
            holes => Err(DamagedBody { holes }),
        }
    }

    /// The text to store: the place of the frame, if there is one, is a single NUL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a frame belongs into it.
    pub fn has_hole(&self) -> bool {
        self.0.contains(HOLE)
    }

    /// Bytes of the body when it carries no frame.
    pub fn size_without_frame(&self) -> usize {
        self.0.len() - usize::from(self.has_hole())
    }

    /// How many bytes a JPEG may have so that the filled body stays within `max_body` bytes.
    pub fn frame_budget(&self, max_body: u64) -> usize {
        let room = usize::try_from(max_body).unwrap_or(usize::MAX).saturating_sub(self.size_without_frame());
        room / 4 * 3
    }

    /// The bytes to send: the hole is filled with the base64 (padded, standard alphabet) of `jpeg`, or with nothing when
    /// there is none. A body without a hole ignores `jpeg`.
    pub fn fill(&self, jpeg: Option<&[u8]>) -> Vec<u8> {
        let Some((before, after)) = self.0.split_once(HOLE) else {
            return self.0.clone().into_bytes();
        };
        let frame = jpeg.map(|jpeg| STANDARD.encode(jpeg)).unwrap_or_default();
        [before, &frame, after].concat().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hole_takes_the_frame_and_nothing_else_changes() {
        let body = Body::stored("{\"frame_b64\":\"\0\"}".into()).unwrap();
        assert!(body.has_hole());
        assert_eq!(body.fill(Some(b"\xff\xd8\xff\xe0")), br#"{"frame_b64":"/9j/4A=="}"#);
        assert_eq!(body.fill(None), br#"{"frame_b64":""}"#);
        assert_eq!(body.size_without_frame(), body.fill(None).len());
    }

    #[test]
    fn a_body_without_a_hole_stays_as_it_is() {
        let body = Body::stored("{}".into()).unwrap();
        assert!(!body.has_hole());
        assert_eq!(body.fill(Some(b"jpeg")), b"{}");
        assert_eq!(body.size_without_frame(), 2);
    }

    #[test]
    fn two_holes_are_damage() {
        let error = Body::stored("\0\0".into()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the stored body has 2 places for a frame, at most one is possible: the row is damaged, drop it"
        );
    }

    #[test]
    fn a_frame_within_the_budget_fits_and_the_budget_wastes_less_than_a_group() {
        let body = Body::stored("{\"frame_b64\":\"\0\"}".into()).unwrap();
        for max_body in [16_u64, 17, 20, 21, 100, 1000, 1001, 1002, 1003] {
            let budget = body.frame_budget(max_body);
            let filled = |bytes: usize| body.fill(Some(&vec![0; bytes])).len() as u64;
            assert!(filled(budget) <= max_body, "{max_body}: {budget}");
            assert!(filled(budget + 1) > max_body, "{max_body}: {budget}");
        }
        assert_eq!(body.frame_budget(3), 0, "no room at all");
    }
}
