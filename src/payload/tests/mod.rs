//! What every format has to be: the bodies to the letter, within their published schemas, for any text.

mod goldens;
mod schemas;
mod service_limits;

use std::collections::BTreeMap;

use super::*;
use crate::event::{
    CameraOffline, CameraOnline, CameraPulse, ClearReason, Cleared, ClipReport, ClipStage, Counters, EndpointPulse,
    EventData, Heartbeat, JobReason, JobReport, JournalOverflow, JournalReset, ModelIdentity, MonitorPulse, Priority,
    SkipReason, Triggered,
};
use crate::name::Name;
use crate::time::{Boot, Mono, Now, Wall};
use crate::verdict::{Answer, Region};

/// 7 µs after the event: another one of the endpoint had its moment.
const ENVELOPE: Envelope = Envelope { epoch: Uuid::from_u128(0xe), sequence: 42, moment_us: 1_769_423_700_120_007 };

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn event(data: EventData) -> Event {
    Event {
        id: Uuid::from_u128(1),
        observed: Now { mono: Mono(5), wall: Wall(1_769_423_700_120), synced: true },
        boot: Boot::current(),
        device: "dock-box-01".into(),
        camera: Some(name("loading-dock-east")),
        monitor: Some(name("person-in-zone")),
        job: Some(Uuid::from_u128(2)),
        priority: Priority::High,
        metadata: serde_json::from_str(r#"{"zone":"dock","severity":"low","a":1}"#).unwrap(),
        data,
    }
}

fn triggered() -> Triggered {
    Triggered {
        open_id: Uuid::from_u128(3),
        repeat: 0,
        condition: "Is a person inside the zone?".into(),
        answer: Answer::Yes,
        confidence: 0.91,
        threshold: 0.85,
        explanation: "A person is inside the yellow zone.".into(),
        regions: vec![Region { label: "person".into(), score: 0.91, bounds: [0.41, 0.22, 0.52, 0.71] }],
        z: Some(2.3),
        answer_mass: None,
        model: ModelIdentity { name: name("smolvlm-256m"), sha256: "ab12".into() },
        source_url: "rtsp://10.0.0.21/stream1".into(),
        started: Wall(1_769_423_696_620),
        label: "person_in_zone".into(),
        from_ms: 1_234_500,
        to_ms: 1_238_000,
        clip: None,
    }
}

fn cleared() -> Cleared {
    Cleared {
        open_id: Uuid::from_u128(3),
        condition: "Is a person inside the zone?".into(),
        started: Wall(1_769_423_700_120),
        ended: Wall(1_769_423_712_370),
        peak_confidence: 0.987_654,
        reason: ClearReason::Cleared,
    }
}

fn report(reason: JobReason) -> JobReport {
    let counters = Counters {
        checks_performed: 45,
        triggers_fired: 3,
        frames_skipped: BTreeMap::from([(SkipReason::Rate, 100), (SkipReason::Load, 12)]),
        verdict_errors: 1,
        elapsed_ms: 600_999,
    };
    JobReport { reason, counters }
}

fn heartbeat() -> Heartbeat {
    let (camera, monitor) = (name("loading-dock-east"), name("person-in-zone"));
    let skipped = [(SkipReason::NothingMoved, 280), (SkipReason::Rate, 1200), (SkipReason::Load, 3)];
    Heartbeat {
        interval_s: 300.012,
        cameras: vec![CameraPulse {
            camera: camera.clone(),
            state: "online".into(),
            decode: "keyframes".into(),
            frames_decoded: 302,
            last_frame_age_s: Some(0.4),
        }],
        monitors: vec![MonitorPulse {
            monitor,
            camera,
            checks: 17,
            skipped: skipped.into(),
            last_confidence: Some(0.1234),
            last_check_age_s: Some(9.5),
            open: Some(Uuid::from_u128(3)),
        }],
        endpoints: vec![EndpointPulse { endpoint: name("ops"), pending: 2, held: 1, dead: 4, oldest_s: Some(62.5) }],
        version: "0.1.0".into(),
        uptime_s: 86_400,
    }
}

fn clip(stage: ClipStage) -> EventData {
    let is_ready = stage == ClipStage::Ready;
    let link = |piece| match is_ready {
        true => {
            format!("https://box.example/clips/00000000-0000-0000-0000-00000000000c/{piece}?expires=1&signature=a-_")
        }
        false => String::new(),
    };
    EventData::Clip(ClipReport {
        stage,
        clip: Uuid::from_u128(0xc),
        alert: Uuid::from_u128(4),
        alerted: Wall(1_769_423_690_120),
        height: Some(1080),
        url: link("clip.mp4"),
        player_url: link("player"),
        duration_ms: if is_ready { 15_250 } else { 0 },
        bytes: if is_ready { 4_000_000 } else { 0 },
        sha256: if is_ready { "ab".repeat(32) } else { String::new() },
    })
}

/// One event of each type.
fn one_of_each() -> Vec<Event> {
    let since = Wall(1_769_423_690_000);
    vec![
        event(EventData::Triggered(triggered())),
        event(EventData::Cleared(cleared())),
        event(EventData::JobStatus(report(JobReason::MaxDurationReached))),
        event(EventData::CameraOffline(CameraOffline { cause: "stalled".into(), since, common: true, flaps: 2 })),
        event(EventData::CameraOnline(CameraOnline { cause: "stalled".into(), since, down_ms: 95_250, flaps: 0 })),
        event(EventData::Heartbeat(heartbeat())),
        event(EventData::JournalReset(JournalReset { salvaged: 7, lost: Vec::new(), previous_epoch: None })),
        event(EventData::JournalOverflow(JournalOverflow { dropped: Vec::new(), free_bytes: 12 })),
        event(clip(ClipStage::Received)),
        event(clip(ClipStage::Started)),
        event(clip(ClipStage::Partial)),
        event(clip(ClipStage::Ready)),
        event(clip(ClipStage::Failed)),
    ]
}

fn rendered(format: Format, data: EventData) -> String {
    render(format, &event(data), ENVELOPE, FrameChoice::Inline).expect("it expresses that")
}

/// Whoever owes a delivery asks the one, and the journal's writer gets the other.
#[test]
fn a_format_renders_what_it_expresses_and_nothing_else() {
    for format in Format::ALL {
        for event in one_of_each() {
            for frame in [FrameChoice::Inline, FrameChoice::None] {
                let text = render(format, &event, ENVELOPE, frame);
                let kind = event.data.kind();
                assert_eq!(text.is_some(), format.expresses(kind), "{} {kind}", format.as_str());
            }
        }
    }
}

#[test]
fn a_frame_stands_where_the_format_has_a_place_and_the_endpoint_wants_it() {
    use crate::config::FrameRule;
    let event = event(EventData::Triggered(triggered()));
    for format in Format::ALL.into_iter().filter(|format| format.expresses(event.data.kind())) {
        let holes = |frame| render(format, &event, ENVELOPE, frame).unwrap().matches(HOLE).count();
        let expected = match format.frame() {
            FrameRule::Chosen => [1, 0],
            FrameRule::Always => [1, 1],
            FrameRule::Never => [0, 0],
        };
        assert_eq!([holes(FrameChoice::Inline), holes(FrameChoice::None)], expected, "{}", format.as_str());
        assert_eq!(frame_budget(format, &event, 262_144).is_some(), expected[0] == 1, "{}", format.as_str());
    }
}

#[test]
fn a_filled_body_stays_within_its_limit() {
    let event = event(EventData::Triggered(triggered()));
    for format in [Format::TrioLiveMonitor, Format::Email] {
        let text = render(format, &event, ENVELOPE, FrameChoice::Inline).unwrap();
        let filled = |jpeg: usize| text.len() - HOLE.len() + jpeg.div_ceil(3) * 4;
        for max_body in [4096_u64, 4097, 4098, 4099, 262_144] {
            let budget = frame_budget(format, &event, max_body).unwrap();
            assert!(filled(budget) as u64 <= max_body, "{}: {max_body}", format.as_str());
            assert!(filled(budget + 1) as u64 > max_body, "{}: {max_body}", format.as_str());
        }
    }
}
