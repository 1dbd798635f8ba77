//! The format `trio-live-monitor`: the webhooks of Trio's live monitor, `live_monitor_triggered` and `job_status`.
//!
//! Owns the keys and their order (contracts/payloads.md). `timestamp` is the envelope's moment in both: that service's
//! receivers take it for the event's identity, across both types. `frame_b64` is always there. Pure.

use serde::Serialize;
use uuid::Uuid;

use super::moment::micros;
use super::{Envelope, json, with_hole_before};
use crate::event::{Event, EventData, JobReport, Triggered};

/// Counts the changes of what this file writes.
pub(super) const VERSION: u32 = 1;

pub(super) fn render(event: &Event, envelope: Envelope) -> Option<String> {
    match &event.data {
        EventData::Triggered(triggered) => Some(with_hole_before(json(&Alert::new(triggered, envelope)), "\"}}")),
        EventData::JobStatus(report) => Some(json(&Job::new(event, report, envelope))),
        _ => None,
    }
}

#[derive(Serialize)]
struct Alert<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    source_url: &'a str,
    data: AlertData<'a>,
}

#[derive(Serialize)]
struct AlertData<'a> {
    condition: &'a str,
    triggered: bool,
    explanation: &'a str,
    frame_b64: &'static str,
}

#[derive(Serialize)]
struct Job {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    job_id: Uuid,
    status: &'static str,
    details: Details,
}

#[derive(Serialize)]
struct Details {
    checks_performed: u64,
    triggers_fired: u64,
    frames_skipped: u64,
    auto_stopped: bool,
    reason: &'static str,
    elapsed_seconds: u64,
}

impl<'a> Alert<'a> {
    fn new(triggered: &'a Triggered, envelope: Envelope) -> Self {
        Alert {
            kind: "live_monitor_triggered",
            timestamp: micros(envelope.moment_us),
            source_url: &triggered.source_url,
            data: AlertData {
                condition: &triggered.condition,
                triggered: true,
                explanation: &triggered.explanation,
                frame_b64: "",
            },
        }
    }
}

impl Job {
    fn new(event: &Event, report: &JobReport, envelope: Envelope) -> Self {
        let counters = &report.counters;
        Job {
            kind: "job_status",
            timestamp: micros(envelope.moment_us),
            job_id: event.job.unwrap_or_default(),
            status: report.reason.status().as_str(),
            details: Details {
                checks_performed: counters.checks_performed,
                triggers_fired: counters.triggers_fired,
                frames_skipped: counters.skipped(),
                auto_stopped: report.reason.auto_stopped(),
                reason: report.reason.as_str(),
                elapsed_seconds: counters.elapsed_ms / 1000,
            },
        }
    }
}
