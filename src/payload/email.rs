//! The format `email`: what a message says. The message itself is composed when it is sent.
//!
//! Owns subject and text; refuses to know MIME and addresses (`transport/`). The frozen body is an object with `subject`,
//! `text` and `frame_b64`, the last with the hole for the frame, or empty. Pure.

use serde::Serialize;

use super::moment::date_and_time;
use super::people::{answer, camera, percent, shortened, zone};
use super::{json, with_hole_before};
use crate::config::FrameChoice;
use crate::event::{Event, EventData};
use crate::name::Name;

/// Counts the changes of what this file writes.
pub(super) const VERSION: u32 = 1;

/// Characters of the answer in a subject.
const IN_SUBJECT: usize = 60;
/// Of the zone: a line of a header has its limits.
const ZONE: usize = 80;

pub(super) fn render(event: &Event, frame: FrameChoice) -> Option<String> {
    let EventData::Triggered(triggered) = &event.data else { return None };
    let zone = shortened(&zone(event), ZONE);
    let answer = answer(event, triggered);
    let text = format!(
        "{answer}\n\nZone: {zone}\nConfidence: {}\nStream: {}\nTime: {}\n",
        percent(triggered.confidence),
        camera(event),
        date_and_time(event.observed.wall),
    );
    let first = answer.chars().take(IN_SUBJECT).collect::<String>();
    let body = message(format!("[Stakeout] {zone} — {}", first.trim_end()), text);
    Some(if frame == FrameChoice::Inline { with_hole_before(body, "\"}") } else { body })
}

/// A message that says that nothing happened.
pub(super) fn check(device: &str, endpoint: &Name, message_to_people: &str) -> String {
    let subject = format!("[Stakeout] Check of endpoint {endpoint}");
    message(subject, format!("{message_to_people}\n\nDevice: {device}\nEndpoint: {endpoint}\n"))
}

fn message(subject: String, text: String) -> String {
    json(&Message { subject, text, frame_b64: "" })
}

#[derive(Serialize)]
struct Message {
    subject: String,
    text: String,
    frame_b64: &'static str,
}
