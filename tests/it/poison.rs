//! Kill -9 while one delivery is on its way, again and again: that one is given up, the others arrive.

use std::time::Duration;

use serde_json::Value;
use stakeout::event::{Event, EventData, JobReason, JobReport, Metadata, Priority};
use stakeout::journal::{Accepted, Body, Journal, Keep, Owed, OwedFrame, Record};
use stakeout::name::Name;
use stakeout::time::{Boot, now};
use uuid::Uuid;

use crate::appliance::Appliance;
use crate::receiver::{Answer, Arrived, Receiver};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The journal of a box that is off.
pub(crate) fn journal(appliance: &Appliance) -> Journal {
    let hour = Duration::from_secs(3600);
    let keep = Keep { delivered: hour, dead: hour, max_size: 1 << 30 };
    Journal::open(&appliance.folder.path().join("state"), keep, now(), Box::new(|_| {})).unwrap()
}

/// Accepts so many deliveries to the endpoint `ops`.
pub(crate) fn accept(journal: &Journal, count: usize) {
    for _ in 0..count {
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
        let render = Box::new(|_: &_| Body::whole("{}".to_owned()));
        let owed = Owed { endpoint: name("ops"), frame: OwedFrame::None, format_version: 1, render };
        let events = vec![Accepted { event, frame: None, owed: vec![owed] }];
        journal.writer().record(Record { at: now(), events, machine: None, jobs: Vec::new() }).wait().unwrap();
    }
}

fn is_first(request: &Arrived) -> bool {
    request.header("x-stakeout-sequence") == "1"
}

/// Kills the daemon each time it sends the first delivery, which is never answered; all deliveries after that many kills.
fn after_kills(kills: usize) -> Vec<Value> {
    let receiver = Receiver::start(|_, request| if is_first(request) { Answer::Silence } else { Answer::status(200) });
    let mut appliance = Appliance::new(&format!(
        "[[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\ntimeout = \"30s\"\n",
        receiver.url()
    ));
    let before = journal(&appliance);
    accept(&before, 3);
    before.close().unwrap();
    let mut seen = 0;
    for _ in 0..kills {
        appliance.start();
        appliance.until("the first is on its way", |_| {
            (receiver.arrived().iter().filter(|request| is_first(request)).count() > seen).then_some(())
        });
        seen = receiver.arrived().iter().filter(|request| is_first(request)).count();
        appliance.kill();
    }
    appliance.start();
    appliance.until("the others arrived", |it| {
        let deliveries = it.json(&["deliveries", "--json"]);
        deliveries[1..].iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    });
    appliance.json(&["deliveries", "--json"])
}

/// At the first kill nobody was suspicious yet, so it does not count.
#[test]
fn what_was_on_its_way_at_three_suspicious_kills_running_is_given_up() {
    let deliveries = after_kills(4);
    assert_eq!((&deliveries[0]["state"], &deliveries[0]["reason"]), (&"dead".into(), &"poison".into()));
}

#[test]
fn two_are_not_enough() {
    let deliveries = after_kills(3);
    assert_ne!(deliveries[0]["state"], "dead");
}
