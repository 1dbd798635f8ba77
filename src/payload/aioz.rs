//! The format `aioz`: the life of a media file, as AIOZ Stream's webhooks tell it.
//!
//! Owns the keys and their order (contracts/payloads.md). A clip is a medium, the box its owner. What is recorded is never
//! encoded again: it is received when there is a file, and its encoding is the recording. Pure.

use serde::Serialize;
use uuid::Uuid;

use super::check::CHECK;
use super::moment::{date_and_time, micros};
use super::people::camera;
use super::{Envelope, json};
use crate::event::{ClipStage, Event, EventData};
use crate::name::Name;
use crate::time::Now;

/// Counts the changes of what this file writes.
pub(super) const VERSION: u32 = 1;

pub(super) fn render(event: &Event, envelope: Envelope) -> Option<String> {
    let EventData::Clip(report) = &event.data else { return None };
    let (kind, status) = match report.stage {
        ClipStage::Received => ("file.received", "transcoding"),
        ClipStage::Started => ("encoding.started", "transcoding"),
        ClipStage::Partial => ("partial.finished", "transcoding"),
        ClipStage::Ready => ("encoding.finished", "done"),
        ClipStage::Failed => ("encoding.failed", "fail"),
    };
    let monitor = event.monitor.as_ref().map_or("", Name::as_str);
    Some(json(&Medium {
        kind,
        emitted_at: micros(envelope.moment_us),
        media_id: report.clip,
        media_type: "video",
        qualities: report.height.map_or_else(String::new, |height| format!("{height}p")),
        title: format!("{monitor}, {}, {}", camera(event), date_and_time(report.alerted)),
        status,
        user_id: &event.device,
    }))
}

/// A check: of a type that is no medium's, and of a medium that nobody hears of again.
pub(super) fn check(id: Uuid, device: &str, message: &str, now: Now) -> String {
    json(&Medium {
        kind: CHECK,
        emitted_at: micros(now.wall.0.saturating_mul(1000)),
        media_id: id,
        media_type: "video",
        qualities: String::new(),
        title: message.to_owned(),
        status: "done",
        user_id: device,
    })
}

#[derive(Serialize)]
struct Medium<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    emitted_at: String,
    media_id: Uuid,
    media_type: &'static str,
    qualities: String,
    title: String,
    status: &'static str,
    user_id: &'a str,
}
