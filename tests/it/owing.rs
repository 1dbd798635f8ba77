//! The journal of a box that is off, and deliveries put into it: what a daemon finds when it starts.

use std::time::Duration;

use stakeout::event::{Event, EventData, JobReason, JobReport, Metadata, Priority};
use stakeout::journal::{Accepted, Body, Journal, Keep, Owed, OwedFrame, Record};
use stakeout::name::Name;
use stakeout::time::{Boot, Now, now};
use uuid::Uuid;

use crate::appliance::Appliance;

const DAY: Duration = Duration::from_secs(86_400);

/// The journal of a box that is off.
pub fn journal(appliance: &Appliance) -> Journal {
    let keep = Keep { delivered: DAY, dead: DAY, max_size: 1 << 30 };
    Journal::open(&appliance.folder.path().join("state"), keep, now(), Box::new(|_| {})).unwrap()
}

/// Accepts, at `at`, one event of the monitor `gate` on the camera `yard`; the deliveries, one for each of `endpoints`.
pub fn accept(journal: &Journal, at: Now, endpoints: &[&str]) -> Vec<Uuid> {
    let name = |text| Name::new(text).unwrap();
    let event = Event {
        id: now().new_id(),
        observed: now(),
        boot: Boot::current(),
        device: "box".into(),
        camera: Some(name("yard")),
        monitor: Some(name("gate")),
        job: Some(Uuid::from_u128(7)),
        priority: Priority::Normal,
        metadata: Metadata::new(),
        data: EventData::JobStatus(JobReport { reason: JobReason::UserRequested, counters: Default::default() }),
    };
    let owed = endpoints.iter().map(|endpoint| {
        let render = Box::new(|_: &_| Body::whole("{}".to_owned()));
        Owed { endpoint: name(endpoint), frame: OwedFrame::None, format_version: 1, render }
    });
    let events = vec![Accepted { event, frame: None, owed: owed.collect() }];
    let recorded = journal.writer().record(Record { at, events, machine: None, jobs: Vec::new() }).wait().unwrap();
    recorded.events[0].deliveries.iter().map(|stamp| stamp.delivery).collect()
}
