//! `clip.ready` and `clip.failed` in the format `stakeout`.
//!
//! Owns their keys and their order; refuses to know the envelope. Pure.

use serde::Serialize;
use uuid::Uuid;

use crate::event::ClipReport;

#[derive(Serialize)]
pub(super) struct ClipData<'a> {
    trigger_event_id: Uuid,
    url: &'a str,
    player_url: &'a str,
    duration_s: f64,
    bytes: u64,
    sha256: &'a str,
}

impl<'a> ClipData<'a> {
    pub(super) fn new(report: &'a ClipReport) -> Self {
        ClipData {
            trigger_event_id: report.alert,
            url: &report.url,
            player_url: &report.player_url,
            duration_s: report.duration_ms as f64 / 1000.0,
            bytes: report.bytes,
            sha256: &report.sha256,
        }
    }
}
