//! The format `videodb`: VideoDB's alert webhook.
//!
//! Owns the keys and their order (contracts/payloads.md). `event_id` names the rule: the monitor on this device, for ever.
//! What tells occurrences apart is `timestamp`, the envelope's moment, which no other event has.
//! `stream_url` and `player_url` are empty where nothing is recorded, or nobody can be told where. Pure.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::moment::micros;
use super::{Envelope, json};
use crate::event::{Event, EventData};
use crate::name::Name;
use crate::verdict::rounded;

/// Counts the changes of what this file writes.
pub(super) const VERSION: u32 = 1;

pub(super) fn render(event: &Event, envelope: Envelope) -> Option<String> {
    let EventData::Triggered(triggered) = &event.data else { return None };
    let monitor = event.monitor.as_ref().map_or("", Name::as_str);
    Some(json(&Alert {
        event_id: rule(&event.device, monitor),
        label: &triggered.label,
        confidence: rounded(triggered.confidence),
        explanation: &triggered.explanation,
        timestamp: micros(envelope.moment_us),
        start_time: seconds(triggered.from_ms),
        end_time: seconds(triggered.to_ms),
        stream_url: triggered.clip.as_ref().map_or("", |clip| &clip.stream_url),
        player_url: triggered.clip.as_ref().map_or("", |clip| &clip.player_url),
    }))
}

#[derive(Serialize)]
struct Alert<'a> {
    event_id: String,
    label: &'a str,
    confidence: f64,
    explanation: &'a str,
    timestamp: String,
    start_time: f64,
    end_time: f64,
    stream_url: &'a str,
    player_url: &'a str,
}

/// What names the monitor for ever: `event-` and 16 hex digits.
pub fn rule(device: &str, monitor: &str) -> String {
    // No name holds a NUL, so no two pairs make the same text.
    let digest = Sha256::new().chain_update(device).chain_update([0]).chain_update(monitor).finalize();
    format!("event-{}", hex::encode(&digest[..8]))
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
