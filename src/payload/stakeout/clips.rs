//! `clip.ready` and `clip.failed` in the format `stakeout`.
//!
//! Owns their keys and their order; refuses to know the envelope. Pure.

use serde::Serialize;
use uuid::Uuid;

use super::clock;
use crate::event::{ClipReport, Event};
use crate::payload::Envelope;

#[derive(Serialize)]
pub(super) struct ClipData<'a> {
    event_id: Uuid,
    device: &'a str,
    epoch: Uuid,
    sequence: u64,
    observed_at: String,
    clock: &'static str,
    trigger_event_id: Uuid,
    url: &'a str,
    player_url: &'a str,
    duration_s: f64,
    bytes: u64,
    sha256: &'a str,
}

impl<'a> ClipData<'a> {
    pub(super) fn new(event: &'a Event, envelope: Envelope, report: &'a ClipReport) -> Self {
        ClipData {
            event_id: event.id,
            device: &event.device,
            epoch: envelope.epoch,
            sequence: envelope.sequence,
            observed_at: event.observed.wall.to_string(),
            clock: clock(event),
            trigger_event_id: report.alert,
            url: &report.url,
            player_url: &report.player_url,
            duration_s: report.duration_ms as f64 / 1000.0,
            bytes: report.bytes,
            sha256: &report.sha256,
        }
    }
}
