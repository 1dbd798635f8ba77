//! The format `pagerduty`: Events v2, `trigger` and `resolve` with one `dedup_key`.
//!
//! Owns the keys and their order (contracts/payloads.md). `routing_key` is a secret and stands in no journal: it is the
//! first key of every body, empty, and the sender puts it in. Repeats have the first alert's `dedup_key`, so that they add
//! to its incident. Pure.

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::json;
use super::moment::iso_format;
use super::people::{answer, camera, shortened};
use crate::event::{Event, EventData, Priority, Triggered};
use crate::name::Name;
use crate::verdict::rounded;

/// Counts the changes of what this file writes.
pub(super) const VERSION: u32 = 1;

/// PagerDuty cuts what is longer, in characters.
const SUMMARY: usize = 1024;

pub(super) fn render(event: &Event) -> Option<String> {
    match &event.data {
        EventData::Triggered(triggered) => Some(json(&Trigger {
            routing_key: "",
            event_action: "trigger",
            dedup_key: dedup_key(event, triggered.open_id),
            payload: Payload::new(event, triggered),
        })),
        EventData::Cleared(cleared) => Some(resolve(dedup_key(event, cleared.open_id))),
        _ => None,
    }
}

/// The end of an incident that there never was: PagerDuty looks at the key, and nobody is called.
pub(super) fn check(id: Uuid) -> String {
    resolve(format!("stakeout-check:{id}"))
}

fn resolve(dedup_key: String) -> String {
    json(&Resolve { routing_key: "", event_action: "resolve", dedup_key })
}

fn dedup_key(event: &Event, open_id: Uuid) -> String {
    format!("{}:{open_id}", event.monitor.as_ref().map_or("", Name::as_str))
}

#[derive(Serialize)]
struct Trigger<'a> {
    routing_key: &'static str,
    event_action: &'static str,
    dedup_key: String,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct Resolve {
    routing_key: &'static str,
    event_action: &'static str,
    dedup_key: String,
}

#[derive(Serialize)]
struct Payload<'a> {
    summary: String,
    source: &'a str,
    severity: &'static str,
    timestamp: String,
    custom_details: Map<String, Value>,
}

impl<'a> Payload<'a> {
    fn new(event: &'a Event, triggered: &'a Triggered) -> Self {
        Payload {
            summary: shortened(&answer(event, triggered), SUMMARY),
            source: camera(event),
            severity: severity(event),
            timestamp: event.observed.wall.to_string(),
            custom_details: custom_details(event, triggered),
        }
    }
}

/// Ours first, and metadata of the same name left out: an object has a key once.
fn custom_details(event: &Event, triggered: &Triggered) -> Map<String, Value> {
    let monitor = event.monitor.as_ref().map_or("", Name::as_str);
    let mut details = Map::new();
    details.insert("confidence".into(), rounded(triggered.confidence).into());
    details.insert("subscription_id".into(), monitor.into());
    details.insert("frame_ts".into(), iso_format(event.observed.wall).into());
    for (key, value) in &event.metadata {
        details.entry(key).or_insert_with(|| value.clone());
    }
    details
}

/// One of the four words that PagerDuty knows: what `metadata.severity` means, else what the priority does.
fn severity(event: &Event) -> &'static str {
    let said = event.metadata.get("severity").and_then(Value::as_str).map(str::to_ascii_lowercase);
    match said.as_deref() {
        Some("critical" | "fatal" | "emergency") => "critical",
        Some("error" | "high" | "major") => "error",
        Some("warning" | "warn" | "medium" | "normal" | "moderate" | "minor") => "warning",
        Some("info" | "low" | "notice") => "info",
        _ => match event.priority {
            Priority::Critical => "critical",
            Priority::High => "error",
            Priority::Normal => "warning",
            Priority::Low => "info",
        },
    }
}
