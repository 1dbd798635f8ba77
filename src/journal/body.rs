//! A frozen body: JSON text with at most one hole, where the base64 of an immutable JPEG goes.
//!
//! Owns where the hole is and how it is filled, so that the same row gives the same bytes for ever; refuses to know
//! formats (`payload/` renders) and files. Runs on whichever thread calls it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The text of a delivery as it was frozen when its event was accepted.
///
/// The hole is kept as an offset beside the text, not as a mark inside it: nothing that a model, an operator or a camera
/// says can be mistaken for it, and the text without the frame is JSON by itself (`"frame_b64": ""`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    text: String,
    hole: Option<usize>,
}

impl Body {
    /// A body without a frame.
    pub fn whole(text: String) -> Body {
        Body { text, hole: None }
    }

    /// A body whose frame goes at byte `hole` of `text`. None when that is not a character boundary of it.
    pub fn with_hole(text: String, hole: usize) -> Option<Body> {
        text.is_char_boundary(hole).then_some(Body { text, hole: Some(hole) })
    }

    /// A body from `text` in which the first `mark` stands where the frame goes; the mark is taken out. Without a mark it
    /// is whole. Choose a mark that JSON text cannot hold (a NUL byte) and look for it before anything else is added.
    pub fn marked(mut text: String, mark: &str) -> Body {
        let hole = text.find(mark);
        if let Some(at) = hole {
            text.replace_range(at..at + mark.len(), "");
        }
        Body { text, hole }
    }

    /// The text without the frame.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the frame goes, in bytes from the start of the text.
    pub fn hole(&self) -> Option<usize> {
        self.hole
    }

    /// The bytes to send: the text with the standard, padded base64 of `frame` (a whole JPEG file) in its hole. A body
    /// without a hole ignores the frame; an empty frame leaves the hole empty, as for a frame that had to be pruned.
    pub fn fill(&self, frame: &[u8]) -> Vec<u8> {
        let Some(hole) = self.hole else { return self.text.clone().into_bytes() };
        let (before, after) = self.text.split_at(hole);
        let encoded = base64::encoded_len(frame.len(), true).unwrap_or(0);
        let mut bytes = String::with_capacity(self.text.len() + encoded);
        bytes.push_str(before);
        STANDARD.encode_string(frame, &mut bytes);
        bytes.push_str(after);
        bytes.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_goes_where_the_hole_is() {
        let body = Body::marked("{\"frame_b64\":\"\0\",\"z\":1}".to_owned(), "\0");
        assert_eq!(body.text(), r#"{"frame_b64":"","z":1}"#);
        assert_eq!(body.fill(b"\xff\xd8jpeg"), br#"{"frame_b64":"/9hqcGVn","z":1}"#);
        assert_eq!(body.fill(b""), body.text().as_bytes());
        assert_eq!(Body::with_hole(body.text().to_owned(), body.hole().unwrap()), Some(body));
    }

    #[test]
    fn a_body_without_a_hole_is_sent_as_it_is() {
        let body = Body::marked("{}".to_owned(), "\0");
        assert_eq!(body, Body::whole("{}".to_owned()));
        assert_eq!(body.fill(b"ignored"), b"{}");
    }

    #[test]
    fn a_hole_inside_a_character_or_behind_the_end_is_refused() {
        assert_eq!(Body::with_hole("ä".to_owned(), 1), None);
        assert_eq!(Body::with_hole("ä".to_owned(), 3), None);
    }
}
