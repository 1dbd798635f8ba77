//! The format `slack`: a message for an incoming webhook.
//!
//! Owns the message: one section of mrkdwn, and a line for notifications, which show no blocks. What a model or an operator
//! wrote is data, so that the three characters that mean something in mrkdwn are escaped. Pure.

use serde::Serialize;

use super::json;
use super::moment::time_of_day;
use super::people::{answer, percent, shortened, zone};
use crate::event::{Event, EventData};
use crate::name::Name;

/// Counts the changes of what this file writes.
pub(super) const VERSION: u32 = 1;

/// Slack takes 3000 characters in a section; escaping makes five of one.
const ANSWER: usize = 500;
const ZONE: usize = 80;

pub(super) fn render(event: &Event) -> Option<String> {
    let EventData::Triggered(triggered) = &event.data else { return None };
    let zone = escaped(&shortened(&zone(event), ZONE));
    let answer = escaped(&shortened(&answer(event, triggered), ANSWER));
    let (confidence, time) = (percent(triggered.confidence), time_of_day(event.observed.wall));
    Some(message(
        format!("🚨 *Video Alert — {zone}*\n{answer}\nConfidence: {confidence} | {time}"),
        format!("🚨 Video Alert — {zone}: {answer} ({confidence})"),
    ))
}

/// A message that says that nothing happened.
pub(super) fn check(device: &str, endpoint: &Name, message_to_people: &str) -> String {
    let text = format!("*Stakeout on {}*, endpoint {endpoint}: {message_to_people}", escaped(device));
    message(text.clone(), text)
}

fn message(section: String, fallback: String) -> String {
    let text = Mrkdwn { kind: "mrkdwn", text: section };
    json(&Message { blocks: [Section { kind: "section", text }], text: fallback })
}

#[derive(Serialize)]
struct Message {
    blocks: [Section; 1],
    text: String,
}

#[derive(Serialize)]
struct Section {
    #[serde(rename = "type")]
    kind: &'static str,
    text: Mrkdwn,
}

#[derive(Serialize)]
struct Mrkdwn {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
}

/// As Slack asks for, in that order.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_that_is_said_becomes_a_link_or_a_mention() {
        assert_eq!(
            escaped("<!channel> a && b &lt; <http://x|y>"),
            "&lt;!channel&gt; a &amp;&amp; b &amp;lt; &lt;http://x|y&gt;"
        );
    }
}
