//! The format `trio-stream`: the webhook of Trio's stream API.
//!
//! Owns the keys and their order (contracts/payloads.md). A stream is a camera, a subscription a monitor, and the answer the
//! explanation in words. `request_id` is the event's id, the same on every attempt. Pure.

use serde::Serialize;
use uuid::Uuid;

use super::json;
use super::moment::iso_format;
use super::people::camera;
use crate::event::{Event, EventData, Metadata};
use crate::name::Name;
use crate::verdict::rounded;

/// Counts the changes of what this file writes.
pub(super) const VERSION: u32 = 1;

pub(super) fn render(event: &Event) -> Option<String> {
    let EventData::Triggered(triggered) = &event.data else { return None };
    Some(json(&Alert {
        request_id: event.id,
        stream_id: camera(event),
        subscription_id: event.monitor.as_ref().map_or("", Name::as_str),
        question: &triggered.condition,
        answer: &triggered.explanation,
        confidence: rounded(triggered.confidence),
        frame_ts: iso_format(event.observed.wall),
        metadata: &event.metadata,
    }))
}

#[derive(Serialize)]
struct Alert<'a> {
    request_id: Uuid,
    stream_id: &'a str,
    subscription_id: &'a str,
    question: &'a str,
    answer: &'a str,
    confidence: f64,
    frame_ts: String,
    metadata: &'a Metadata,
}
