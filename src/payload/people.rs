//! What messages to people have in common.
//!
//! Owns how a place, a confidence and an answer are put into words, and how long they may get; refuses to know how a
//! service marks text up. Pure.

use serde_json::Value;

use crate::event::{Event, Triggered};
use crate::name::Name;

/// Where it happened: the monitor's `metadata.zone`, else the camera. One line.
pub(super) fn zone(event: &Event) -> String {
    let written = match event.metadata.get("zone") {
        Some(Value::String(text)) => one_line(text),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    if written.is_empty() { camera(event).to_owned() } else { written }
}

/// The camera's name.
pub(super) fn camera(event: &Event) -> &str {
    event.camera.as_ref().map_or("", Name::as_str)
}

/// What the model said, else what it was asked: never empty, as the monitor has a name. One line.
pub(super) fn answer(event: &Event, triggered: &Triggered) -> String {
    let monitor = event.monitor.as_ref().map_or("", Name::as_str);
    let words = [&triggered.explanation, &triggered.condition, monitor].map(one_line);
    words.into_iter().find(|words| !words.is_empty()).unwrap_or_default()
}

/// `91%`
pub(super) fn percent(confidence: f32) -> String {
    format!("{:.0}%", f64::from(confidence) * 100.0)
}

/// The first `most` characters; an ellipsis stands for what is left out.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Without line breaks and other control characters, each run of blanks as one.
fn one_line(text: impl AsRef<str>) -> String {
    let plain: String = text.as_ref().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        assert_eq!(shortened("vier", 4), "vier");
        assert_eq!(shortened("fünf Türen", 6), "fünf…");
        assert_eq!(shortened("fünfe Türen", 6), "fünfe…");
        assert_eq!(shortened("人人人", 2), "人…");
    }

    #[test]
    fn what_would_break_a_line_is_a_blank() {
        assert_eq!(one_line(" a\r\nBcc: b\u{0}\t c\u{2028}d "), "a Bcc: b c d");
    }

    #[test]
    fn confidences_are_whole_percents() {
        assert_eq!([0.0, 0.91, 0.555, 0.996, 1.0].map(percent), ["0%", "91%", "56%", "100%", "100%"]);
    }
}
