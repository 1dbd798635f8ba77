//! The journal on real disks: round trips, sequences, groups, frames, limits, claims to room, retention, repair, kills, the
//! fixture of version 1.

mod backlog;
mod claims;
mod damage;
mod durability;
mod figures;
mod fixture;
mod full_disk;
mod keeping;
mod limits;
mod repair;
mod settling;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stakeout::delivery::{Attempt, Outcome, State};
use stakeout::event::{
    Counters, Event, EventData, JobReason, JobReport, JobStatus, Metadata, ModelIdentity, Priority, Triggered,
};
use stakeout::journal::{
    Accepted, Body, DeliveryFilter, EventFilter, JobRow, Journal, Keep, MachineRow, Origin, Owed, OwedFrame, Record,
    Settlement, Standing, Wake,
};
use stakeout::name::Name;
use stakeout::time::{Boot, Deadline, Mono, Now, Wall};
use stakeout::verdict::{Answer, Region};
use uuid::Uuid;

pub const HOUR: Duration = Duration::from_secs(3600);
pub const KEEP: Keep = Keep { delivered: HOUR, dead: Duration::from_secs(24 * 3600), max_size: 1 << 30 };

pub fn open(dir: &Path) -> Journal {
    Journal::open(dir, KEEP, at(0), nobody()).unwrap()
}

pub fn nobody() -> Wake {
    Box::new(|_| {})
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// `seconds` after the start of the tests, on both clocks.
pub fn at(seconds: u64) -> Now {
    let delay = Duration::from_secs(seconds);
    Now { mono: Mono(5_000_000_000), wall: Wall(1_800_000_000_000), synced: true }.plus(delay)
}

pub fn triggered(priority: Priority) -> Event {
    Event {
        id: Uuid::now_v7(),
        observed: at(0),
        boot: Boot::current(),
        device: "dock-box-01".to_owned(),
        camera: Some(name("loading-dock")),
        monitor: Some(name("person-in-zone")),
        job: Some(Uuid::from_u128(7)),
        priority,
        metadata: Metadata::from_iter([("zone".to_owned(), "dock".into())]),
        data: EventData::Triggered(Triggered {
            open_id: Uuid::from_u128(9),
            repeat: 1,
            condition: "Is a \"person\" inside?\nÄ".to_owned(),
            answer: Answer::Yes,
            confidence: 0.91,
            threshold: 0.85,
            explanation: "yes".to_owned(),
            regions: vec![Region { label: "person".to_owned(), score: 0.5, bounds: [0.1, 0.2, 0.3, 0.4] }],
            z: None,
            answer_mass: Some(0.7),
            model: ModelIdentity { name: name("yolox"), sha256: "ab".to_owned() },
            source_url: "rtsp://10.0.0.21/stream1".to_owned(),
            started: at(0).wall,
            label: "person".into(),
            from_ms: 1000,
            to_ms: 2500,
        }),
    }
}

pub fn job_ended() -> Event {
    let report = JobReport { reason: JobReason::UserRequested, counters: Counters::default() };
    Event { id: Uuid::now_v7(), data: EventData::JobStatus(report), ..triggered(Priority::Normal) }
}

pub fn owed(endpoint: &str, frame: OwedFrame) -> Owed {
    let render = Box::new(|stamp: &stakeout::journal::Stamp| {
        let text = format!(r#"{{"sequence":{},"delivery":"{}","frame_b64":""#, stamp.sequence, stamp.delivery);
        let hole = text.len();
        Body::with_hole(text + "\"}", hole).unwrap()
    });
    Owed { endpoint: name(endpoint), frame, format_version: 1, render }
}

pub fn jpeg(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

/// One event, owed to `endpoints` without a frame.
pub fn record(event: Event, endpoints: &[&str]) -> Record {
    let owed = endpoints.iter().map(|endpoint| owed(endpoint, OwedFrame::None)).collect();
    Record { at: at(0), events: vec![Accepted { event, frame: None, owed }], machine: None, jobs: Vec::new() }
}

pub fn machine() -> MachineRow {
    MachineRow {
        monitor: name("person-in-zone"),
        camera: name("loading-dock"),
        definition: "cafe".to_owned(),
        state: r#"{"open":true}"#.to_owned(),
        open: Some(Uuid::from_u128(9)),
        cooldown: Some(Deadline::after(at(0), HOUR).save(at(1), Boot::current())),
        counters: Counters { checks_performed: 3, ..Counters::default() },
    }
}

pub fn job() -> JobRow {
    JobRow {
        id: Uuid::from_u128(7),
        monitor: name("person-in-zone"),
        camera: name("loading-dock"),
        origin: Origin::Api,
        status: JobStatus::Running,
        reason: None,
        counters: Counters::default(),
        started: at(0).wall,
        ended: None,
        request: Some("{}".to_owned()),
    }
}

pub fn status(status: u16) -> Attempt {
    let took = Duration::from_millis(12);
    Attempt {
        outcome: Outcome::Status { status, retry_after: None },
        took,
        error: None,
        snippet: Some("ä".repeat(600)),
    }
}

pub fn settlement(delivery: Uuid, state: State, attempt: Option<Attempt>, now: Now) -> Settlement {
    let standing = Standing {
        state,
        reason: (state == State::Dead).then(|| "exhausted".to_owned()),
        due: now.wall.plus(Duration::from_secs(5)),
        delay: Duration::from_secs(5),
        attempts: 1,
        tries: 1,
        holds: 0,
        held: Duration::ZERO,
        maybe_received: false,
    };
    Settlement { delivery, at: now, attempt: attempt.map(|attempt| (now.wall, attempt)), standing }
}

pub fn all_events() -> EventFilter {
    EventFilter { after: 0, limit: 100_000, monitor: None, kind: None }
}

pub fn all_deliveries() -> DeliveryFilter {
    DeliveryFilter { limit: 100_000, ..DeliveryFilter::default() }
}
