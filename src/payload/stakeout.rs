//! The format `stakeout`: our own, in the Standard Webhooks envelope `{type, timestamp, data}`.
//!
//! Owns the keys and their order (contracts/payloads.md; the order of fields below is the order on the wire). Inside `data`:
//!
//! - every type begins `event_id, device, epoch, sequence`;
//! - `monitor.triggered` goes on as the contract's example does, with `open_id, repeat` after `condition` (where
//!   `monitor.cleared` has its `open_id`): `camera, monitor, job_id, condition, open_id, repeat, answer, confidence,
//!   threshold, explanation, regions, model, observed_at, clock, source_url, metadata, priority, frame_b64`;
//! - the others go on `observed_at, clock`, then as in the contract's table; `camera.offline` as `camera, cause, since,
//!   common, flaps`, `camera.online` as `camera, cause, since, down_s, flaps` (what they say: `event/cameras.rs`), and
//!   `device.heartbeat` in the order of `event/heartbeat.rs`.
//!
//! `frame_b64` is always there, so that receivers with strict schemas see one shape: it is the empty string when no frame
//! is embedded. Text is passed through verbatim; scores, thresholds and boxes have four decimals at most.
//! Refuses to know what a picture is: it only leaves the hole. Pure.

mod clips;

use serde::Serialize;
use uuid::Uuid;

use self::clips::ClipData;
use super::{Envelope, json, with_hole_before};
use crate::config::FrameChoice;
use crate::event::{
    CameraOffline, CameraOnline, Cleared, DroppedRange, Event, EventData, JobReport, JournalOverflow, JournalReset,
    Metadata, ModelIdentity, SequenceRange, Triggered,
};
use crate::name::Name;
use crate::verdict::{Region, rounded};

/// Counts the changes of what this file writes.
pub(super) const VERSION: u32 = 1;

pub(super) fn render(event: &Event, envelope: Envelope, frame: FrameChoice) -> String {
    match &event.data {
        EventData::Triggered(triggered) => {
            let text = message(event, TriggeredData::new(event, envelope, triggered));
            if frame == FrameChoice::Inline { with_hole_before(text, "\"}}") } else { text }
        }
        EventData::Cleared(cleared) => told(event, envelope, ClearedData::new(event, cleared)),
        EventData::JobStatus(report) => told(event, envelope, JobData::new(event, report)),
        EventData::CameraOffline(offline) => told(event, envelope, OfflineData::new(event, offline)),
        EventData::CameraOnline(online) => told(event, envelope, OnlineData::new(event, online)),
        EventData::Heartbeat(watched) => told(event, envelope, watched),
        EventData::JournalReset(reset) => told(event, envelope, ResetData::new(reset)),
        EventData::JournalOverflow(overflow) => told(event, envelope, OverflowData::new(overflow)),
        EventData::Clip(report) => told(event, envelope, ClipData::new(report)),
    }
}

/// Whatever is no alert.
fn told<T: Serialize>(event: &Event, envelope: Envelope, rest: T) -> String {
    let head = Head::new(event, envelope);
    message(event, Data { head, observed_at: event.observed.wall.to_string(), clock: clock(event), rest })
}

fn message<T: Serialize>(event: &Event, data: T) -> String {
    let message = Message { kind: event.data.kind().as_str(), timestamp: event.observed.wall.to_string(), data };
    json(&message)
}

#[derive(Serialize)]
struct Message<T> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: T,
}

/// How the `data` of every type begins.
#[derive(Serialize)]
struct Head<'a> {
    event_id: Uuid,
    device: &'a str,
    epoch: Uuid,
    sequence: u64,
}

/// How it goes on, but for alerts.
#[derive(Serialize)]
struct Data<'a, T> {
    #[serde(flatten)]
    head: Head<'a>,
    observed_at: String,
    clock: &'static str,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
struct TriggeredData<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    camera: &'a str,
    monitor: &'a str,
    job_id: Uuid,
    condition: &'a str,
    open_id: Uuid,
    repeat: u32,
    answer: &'static str,
    confidence: f64,
    threshold: f64,
    explanation: &'a str,
    regions: Vec<RegionData<'a>>,
    model: &'a ModelIdentity,
    observed_at: String,
    clock: &'static str,
    source_url: &'a str,
    metadata: &'a Metadata,
    priority: &'static str,
    frame_b64: &'static str,
}

#[derive(Serialize)]
struct RegionData<'a> {
    label: &'a str,
    score: f64,
    #[serde(rename = "box")]
    bounds: [f64; 4],
}

#[derive(Serialize)]
struct ClearedData<'a> {
    camera: &'a str,
    monitor: &'a str,
    job_id: Uuid,
    condition: &'a str,
    open_id: Uuid,
    started_at: String,
    ended_at: String,
    duration_s: f64,
    peak_confidence: f64,
    reason: &'static str,
    metadata: &'a Metadata,
    priority: &'static str,
}

#[derive(Serialize)]
struct JobData<'a> {
    camera: &'a str,
    monitor: &'a str,
    job_id: Uuid,
    status: &'static str,
    reason: &'static str,
    auto_stopped: bool,
    checks_performed: u64,
    triggers_fired: u64,
    frames_skipped: u64,
    verdict_errors: u64,
    elapsed_seconds: u64,
}

#[derive(Serialize)]
struct OfflineData<'a> {
    camera: &'a str,
    cause: &'a str,
    since: String,
    common: bool,
    flaps: u64,
}

#[derive(Serialize)]
struct OnlineData<'a> {
    camera: &'a str,
    cause: &'a str,
    since: String,
    down_s: f64,
    flaps: u64,
}

#[derive(Serialize)]
struct ResetData<'a> {
    salvaged: u64,
    lost_ranges: &'a [SequenceRange],
    previous_epoch: Option<Uuid>,
}

#[derive(Serialize)]
struct OverflowData<'a> {
    dropped: &'a [DroppedRange],
    free_bytes: u64,
}

/// A name that events of this type have; the empty string in one that was made without.
fn text(name: Option<&Name>) -> &str {
    name.map_or("", Name::as_str)
}

fn clock(event: &Event) -> &'static str {
    if event.observed.synced { "synced" } else { "estimated" }
}

impl<'a> Head<'a> {
    fn new(event: &'a Event, envelope: Envelope) -> Self {
        let Envelope { epoch, sequence, .. } = envelope;
        Head { event_id: event.id, device: &event.device, epoch, sequence }
    }
}

impl<'a> TriggeredData<'a> {
    fn new(event: &'a Event, envelope: Envelope, triggered: &'a Triggered) -> Self {
        TriggeredData {
            head: Head::new(event, envelope),
            camera: text(event.camera.as_ref()),
            monitor: text(event.monitor.as_ref()),
            job_id: event.job.unwrap_or_default(),
            condition: &triggered.condition,
            open_id: triggered.open_id,
            repeat: triggered.repeat,
            answer: triggered.answer.as_str(),
            confidence: rounded(triggered.confidence),
            threshold: rounded(triggered.threshold),
            explanation: &triggered.explanation,
            regions: triggered.regions.iter().map(RegionData::new).collect(),
            model: &triggered.model,
            observed_at: event.observed.wall.to_string(),
            clock: clock(event),
            source_url: &triggered.source_url,
            metadata: &event.metadata,
            priority: event.priority.as_str(),
            frame_b64: "",
        }
    }
}

impl<'a> RegionData<'a> {
    fn new(region: &'a Region) -> Self {
        RegionData { label: &region.label, score: rounded(region.score), bounds: region.bounds.map(rounded) }
    }
}

impl<'a> ClearedData<'a> {
    fn new(event: &'a Event, cleared: &'a Cleared) -> Self {
        ClearedData {
            camera: text(event.camera.as_ref()),
            monitor: text(event.monitor.as_ref()),
            job_id: event.job.unwrap_or_default(),
            condition: &cleared.condition,
            open_id: cleared.open_id,
            started_at: cleared.started.to_string(),
            ended_at: cleared.ended.to_string(),
            duration_s: cleared.ended.since(cleared.started).as_millis() as f64 / 1000.0,
            peak_confidence: rounded(cleared.peak_confidence),
            reason: cleared.reason.as_str(),
            metadata: &event.metadata,
            priority: event.priority.as_str(),
        }
    }
}

impl<'a> JobData<'a> {
    fn new(event: &'a Event, report: &'a JobReport) -> Self {
        JobData {
            camera: text(event.camera.as_ref()),
            monitor: text(event.monitor.as_ref()),
            job_id: event.job.unwrap_or_default(),
            status: report.reason.status().as_str(),
            reason: report.reason.as_str(),
            auto_stopped: report.reason.auto_stopped(),
            checks_performed: report.counters.checks_performed,
            triggers_fired: report.counters.triggers_fired,
            frames_skipped: report.counters.skipped(),
            verdict_errors: report.counters.verdict_errors,
            elapsed_seconds: report.counters.elapsed_ms / 1000,
        }
    }
}

impl<'a> OfflineData<'a> {
    fn new(event: &'a Event, offline: &'a CameraOffline) -> Self {
        OfflineData {
            camera: text(event.camera.as_ref()),
            cause: &offline.cause,
            since: offline.since.to_string(),
            common: offline.common,
            flaps: offline.flaps,
        }
    }
}

impl<'a> OnlineData<'a> {
    fn new(event: &'a Event, online: &'a CameraOnline) -> Self {
        OnlineData {
            camera: text(event.camera.as_ref()),
            cause: &online.cause,
            since: online.since.to_string(),
            down_s: online.down_ms as f64 / 1000.0,
            flaps: online.flaps,
        }
    }
}

impl<'a> ResetData<'a> {
    fn new(reset: &'a JournalReset) -> Self {
        ResetData { salvaged: reset.salvaged, lost_ranges: &reset.lost, previous_epoch: reset.previous_epoch }
    }
}

impl<'a> OverflowData<'a> {
    fn new(overflow: &'a JournalOverflow) -> Self {
        OverflowData { dropped: &overflow.dropped, free_bytes: overflow.free_bytes }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::event::{ClearReason, Counters, JobReason, Priority, SkipReason};
    use crate::payload::HOLE;
    use crate::time::{Boot, Mono, Now, Wall};
    use crate::verdict::Answer;

    const ENVELOPE: Envelope = Envelope { epoch: Uuid::from_u128(0xe), sequence: 42, moment_us: 0 };

    fn event(data: EventData) -> Event {
        Event {
            id: Uuid::from_u128(1),
            observed: Now { mono: Mono(5), wall: Wall(1_769_423_700_120), synced: true },
            boot: Boot(Uuid::from_u128(9)),
            device: "dock-box-01".into(),
            camera: Some(Name::new("loading-dock-east").unwrap()),
            monitor: Some(Name::new("person-in-zone").unwrap()),
            job: Some(Uuid::from_u128(2)),
            priority: Priority::High,
            metadata: serde_json::from_str(r#"{"zone": "dock", "a": 1}"#).unwrap(),
            data,
        }
    }

    fn triggered() -> Event {
        event(EventData::Triggered(Triggered {
            open_id: Uuid::from_u128(3),
            repeat: 0,
            condition: "Is a person inside the zone marked with yellow tape?".into(),
            answer: Answer::Yes,
            confidence: 0.91,
            threshold: 0.85,
            explanation: "A person is inside the yellow zone.".into(),
            regions: vec![Region { label: "person".into(), score: 0.91, bounds: [0.41, 0.22, 0.52, 0.71] }],
            z: Some(2.3),
            answer_mass: None,
            model: ModelIdentity { name: Name::new("smolvlm-256m").unwrap(), sha256: "ab12".into() },
            source_url: "rtsp://10.0.0.21/stream1".into(),
            started: Wall(1_769_423_699_000),
            label: "person_in_zone".into(),
            from_ms: 1_234_500,
            to_ms: 1_238_000,
            clip: None,
        }))
    }

    fn cleared() -> Event {
        event(EventData::Cleared(Cleared {
            open_id: Uuid::from_u128(3),
            condition: "person".into(),
            started: Wall(1_769_423_700_120),
            ended: Wall(1_769_423_712_370),
            peak_confidence: 0.987_654,
            reason: ClearReason::CameraLost,
        }))
    }

    fn rendered(event: &Event, frame: FrameChoice) -> String {
        render(event, ENVELOPE, frame)
    }

    #[test]
    fn monitor_triggered_to_the_letter() {
        assert_eq!(
            rendered(&triggered(), FrameChoice::Inline),
            concat!(
                r#"{"type":"monitor.triggered","timestamp":"2026-01-26T10:35:00.120Z","data":{"#,
                r#""event_id":"00000000-0000-0000-0000-000000000001","device":"dock-box-01","#,
                r#""epoch":"00000000-0000-0000-0000-00000000000e","sequence":42,"#,
                r#""camera":"loading-dock-east","monitor":"person-in-zone","#,
                r#""job_id":"00000000-0000-0000-0000-000000000002","#,
                r#""condition":"Is a person inside the zone marked with yellow tape?","#,
                r#""open_id":"00000000-0000-0000-0000-000000000003","repeat":0,"answer":"yes","#,
                r#""confidence":0.91,"threshold":0.85,"explanation":"A person is inside the yellow zone.","#,
                r#""regions":[{"label":"person","score":0.91,"box":[0.41,0.22,0.52,0.71]}],"#,
                r#""model":{"name":"smolvlm-256m","sha256":"ab12"},"#,
                r#""observed_at":"2026-01-26T10:35:00.120Z","clock":"synced","#,
                r#""source_url":"rtsp://10.0.0.21/stream1","metadata":{"zone":"dock","a":1},"priority":"high","#,
                "\"frame_b64\":\"\0\"}}",
            )
        );
    }

    #[test]
    fn events_of_the_journal_to_the_letter() {
        let ops = Name::new("ops").unwrap();
        let of_the_box = |data| Event { camera: None, monitor: None, job: None, ..event(data) };
        let begins = |kind: &str| {
            format!(
                concat!(
                    r#"{{"type":"{}","timestamp":"2026-01-26T10:35:00.120Z","data":{{"#,
                    r#""event_id":"00000000-0000-0000-0000-000000000001","device":"dock-box-01","#,
                    r#""epoch":"00000000-0000-0000-0000-00000000000e","sequence":42,"#,
                    r#""observed_at":"2026-01-26T10:35:00.120Z","clock":"synced","#,
                ),
                kind
            )
        };
        let lost = vec![SequenceRange { endpoint: ops.clone(), from: 3, to: 5 }];
        let reset = JournalReset { salvaged: 7, lost, previous_epoch: Some(Uuid::from_u128(0xd)) };
        let told = concat!(
            r#""salvaged":7,"lost_ranges":[{"endpoint":"ops","from":3,"to":5}],"#,
            r#""previous_epoch":"00000000-0000-0000-0000-00000000000d"}}"#,
        );
        let body = rendered(&of_the_box(EventData::JournalReset(reset)), FrameChoice::Inline);
        assert_eq!(body, begins("journal.reset") + told);

        let dropped = vec![DroppedRange { endpoint: ops, priority: Priority::Low, from: 1, to: 9, count: 4 }];
        let overflow = JournalOverflow { dropped, free_bytes: 12 };
        let told = r#""dropped":[{"endpoint":"ops","priority":"low","from":1,"to":9,"count":4}],"free_bytes":12}}"#;
        let body = rendered(&of_the_box(EventData::JournalOverflow(overflow)), FrameChoice::Inline);
        assert_eq!(body, begins("journal.overflow") + told);
    }

    #[test]
    fn events_of_a_camera_to_the_letter() {
        let of_a_camera = |data| Event { monitor: None, job: None, ..event(data) };
        let begins = |kind: &str| {
            format!(
                concat!(
                    r#"{{"type":"{}","timestamp":"2026-01-26T10:35:00.120Z","data":{{"#,
                    r#""event_id":"00000000-0000-0000-0000-000000000001","device":"dock-box-01","#,
                    r#""epoch":"00000000-0000-0000-0000-00000000000e","sequence":42,"#,
                    r#""observed_at":"2026-01-26T10:35:00.120Z","clock":"synced","camera":"loading-dock-east","#,
                ),
                kind
            )
        };
        let since = Wall(1_769_423_690_000);
        let offline = CameraOffline { cause: "stalled".into(), since, common: true, flaps: 2 };
        let told = r#""cause":"stalled","since":"2026-01-26T10:34:50.000Z","common":true,"flaps":2}}"#;
        let body = rendered(&of_a_camera(EventData::CameraOffline(offline)), FrameChoice::Inline);
        assert_eq!(body, begins("camera.offline") + told);

        let online = CameraOnline { cause: "stalled".into(), since, down_ms: 95_250, flaps: 0 };
        let told = r#""cause":"stalled","since":"2026-01-26T10:34:50.000Z","down_s":95.25,"flaps":0}}"#;
        let body = rendered(&of_a_camera(EventData::CameraOnline(online)), FrameChoice::Inline);
        assert_eq!(body, begins("camera.online") + told);
    }

    #[test]
    fn without_a_frame_the_key_stays_and_is_empty() {
        let body = rendered(&triggered(), FrameChoice::None);
        assert!(body.ends_with(r#""frame_b64":""}}"#));
        assert_eq!(rendered(&triggered(), FrameChoice::Inline).replace(HOLE, ""), body);
    }

    #[test]
    fn a_frame_within_the_budget_fits_whatever_the_sequence() {
        let event = triggered();
        let largest = Envelope { epoch: Uuid::max(), sequence: u64::MAX, moment_us: i64::MAX };
        let text = render(&event, largest, FrameChoice::Inline).len() as u64 - 1;
        for max_body in [0, text, text + 3, text + 4, text + 101, 262_144] {
            let budget =
                crate::payload::frame_budget(crate::config::Format::Stakeout, &event, max_body).unwrap() as u64;
            let filled = |jpeg: u64| text + jpeg.div_ceil(3) * 4;
            assert!(budget == 0 || filled(budget) <= max_body, "{max_body}: {budget}");
            assert!(filled(budget + 1) > max_body, "{max_body}: {budget}");
        }
        let cleared = cleared();
        assert_eq!(crate::payload::frame_budget(crate::config::Format::Stakeout, &cleared, 262_144), None);
    }

    #[test]
    fn monitor_cleared_to_the_letter() {
        assert_eq!(
            rendered(&cleared(), FrameChoice::Inline),
            concat!(
                r#"{"type":"monitor.cleared","timestamp":"2026-01-26T10:35:00.120Z","data":{"#,
                r#""event_id":"00000000-0000-0000-0000-000000000001","device":"dock-box-01","#,
                r#""epoch":"00000000-0000-0000-0000-00000000000e","sequence":42,"#,
                r#""observed_at":"2026-01-26T10:35:00.120Z","clock":"synced","#,
                r#""camera":"loading-dock-east","monitor":"person-in-zone","#,
                r#""job_id":"00000000-0000-0000-0000-000000000002","condition":"person","#,
                r#""open_id":"00000000-0000-0000-0000-000000000003","#,
                r#""started_at":"2026-01-26T10:35:00.120Z","ended_at":"2026-01-26T10:35:12.370Z","#,
                r#""duration_s":12.25,"peak_confidence":0.9877,"reason":"camera_lost","#,
                r#""metadata":{"zone":"dock","a":1},"priority":"high"}}"#,
            )
        );
    }

    #[test]
    fn job_status_to_the_letter() {
        let counters = Counters {
            checks_performed: 45,
            triggers_fired: 3,
            frames_skipped: BTreeMap::from([(SkipReason::Rate, 100), (SkipReason::Load, 12)]),
            verdict_errors: 1,
            elapsed_ms: 600_999,
        };
        let mut event = event(EventData::JobStatus(JobReport { reason: JobReason::MaxDurationReached, counters }));
        event.observed.synced = false;
        assert_eq!(
            rendered(&event, FrameChoice::Inline),
            concat!(
                r#"{"type":"job.status","timestamp":"2026-01-26T10:35:00.120Z","data":{"#,
                r#""event_id":"00000000-0000-0000-0000-000000000001","device":"dock-box-01","#,
                r#""epoch":"00000000-0000-0000-0000-00000000000e","sequence":42,"#,
                r#""observed_at":"2026-01-26T10:35:00.120Z","clock":"estimated","#,
                r#""camera":"loading-dock-east","monitor":"person-in-zone","#,
                r#""job_id":"00000000-0000-0000-0000-000000000002","#,
                r#""status":"stopped","reason":"max_duration_reached","auto_stopped":true,"#,
                r#""checks_performed":45,"triggers_fired":3,"frames_skipped":112,"verdict_errors":1,"#,
                r#""elapsed_seconds":600}}"#,
            )
        );
    }

    #[test]
    fn text_passes_through_verbatim_and_no_metadata_is_an_empty_object() {
        let mut event = triggered();
        event.metadata = Metadata::new();
        if let EventData::Triggered(triggered) = &mut event.data {
            triggered.condition = "Ist jemand \"drin\"? 人 🚨 \u{0} \n".into();
            triggered.regions.clear();
        }
        let body = rendered(&event, FrameChoice::Inline);
        assert!(body.contains(r#""condition":"Ist jemand \"drin\"? 人 🚨 \u0000 \n""#));
        assert!(body.contains(r#""metadata":{},"#));
        assert!(body.contains(r#""regions":[],"#));
        assert_eq!(body.matches(HOLE).count(), 1, "a NUL in the text is no second hole");
        let parsed: serde_json::Value = serde_json::from_str(&body.replace(HOLE, "AAAA")).unwrap();
        assert_eq!(parsed["data"]["condition"], "Ist jemand \"drin\"? 人 🚨 \u{0} \n");
        assert_eq!(parsed["data"]["frame_b64"], "AAAA");
    }

    proptest! {
        #[test]
        fn any_text_gives_one_hole_in_valid_json_with_the_keys_in_order(
            condition in ".*", explanation in "\\PC*", key in ".*", value in ".*", confidence in 0.0_f32..=1.0
        ) {
            let mut event = triggered();
            event.metadata = Metadata::from_iter([(key, serde_json::Value::String(value))]);
            if let EventData::Triggered(triggered) = &mut event.data {
                triggered.condition = condition.clone();
                triggered.explanation = explanation.clone();
                triggered.confidence = confidence;
            }
            let body = rendered(&event, FrameChoice::Inline);
            prop_assert_eq!(body.matches(HOLE).count(), 1);
            let parsed: serde_json::Value = serde_json::from_str(&body.replace(HOLE, "")).unwrap();
            let data = parsed["data"].as_object().unwrap();
            prop_assert_eq!(&data["condition"], &condition);
            prop_assert_eq!(&data["explanation"], &explanation);
            prop_assert_eq!(&data["metadata"], &serde_json::Value::Object(event.metadata));
            prop_assert!(data["confidence"].to_string().len() <= 6, "{}", data["confidence"]);
            let keys: Vec<_> = data.keys().map(String::as_str).collect();
            prop_assert_eq!(
                keys.join(" "),
                "event_id device epoch sequence camera monitor job_id condition open_id repeat answer confidence \
                 threshold explanation regions model observed_at clock source_url metadata priority frame_b64"
            );
        }
    }
}
