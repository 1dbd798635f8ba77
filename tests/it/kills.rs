//! Kill -9 at random moments: what was ever listed arrives, with the same bytes each time, and the machine goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::appliance::Appliance;
use crate::receiver::{Answer, Arrived, Receiver};

/// A box that watches the yard over and over, and has something to say twice a second while somebody is in the zone.
fn talkative(endpoint: SocketAddr) -> Appliance {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[monitor]]\nname = \"zone\"\ncamera = \"yard\"\ncondition = \"Is a person inside the marked zone?\"\n\
         model = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\nconfidence_threshold = 0.8\nhold = \"1 of 1\"\n\
         check_interval = \"100ms\"\ncooldown = \"400ms\"\nclear_after = \"500ms\"\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"http://{endpoint}/hook\"\nsecret_file = \"HERE/ops.secret\"\n\
         retry = {{ delays = [\"500ms\", \"500ms\", \"500ms\", \"500ms\", \"500ms\", \"500ms\"], max_age = \"1h\" }}\n",
        clip.display()
    ))
}

/// Event ids that were listed but never arrived, and ids that arrived with different bytes.
fn wrong(listed: &BTreeSet<String>, arrived: &[Arrived]) -> (Vec<String>, Vec<String>) {
    let mut bytes: BTreeMap<&str, BTreeSet<&[u8]>> = BTreeMap::new();
    for request in arrived {
        bytes.entry(request.header("webhook-id")).or_default().insert(&request.body);
    }
    let lost = listed.iter().filter(|id| !bytes.contains_key(id.as_str())).cloned().collect();
    let changed = bytes.iter().filter(|(_, bodies)| bodies.len() > 1).map(|(id, _)| (*id).to_owned()).collect();
    (lost, changed)
}

fn ids(events: &[Value]) -> impl Iterator<Item = String> {
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned())
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn every_event_that_was_ever_listed_arrives_with_the_same_bytes() {
    let address = free_address();
    let mut appliance = talkative(address);
    let mut listed = BTreeSet::new();
    let mut jobs = BTreeSet::new();
    appliance.start();
    for kill in 0..10_u64 {
        // Ten moments without a plan: before, in and after commits.
        thread::sleep(Duration::from_millis(fastrand::u64(50..2500)));
        listed.extend(ids(&appliance.events()));
        appliance.kill();
        if kill == 7 {
            // A receiver that takes requests in and refuses them: what comes later must be the same bytes.
            let refusing = Receiver::start_at(address, |_, _| Answer::status(500));
            appliance.start();
            appliance.until("three refused requests", |_| (refusing.arrived().len() >= 3).then_some(()));
            appliance.kill();
            let early = refusing.arrived();
            drop(refusing);
            appliance.start();
            return_of_the_receiver(appliance, address, listed, early, jobs);
            return;
        }
        appliance.start();
        jobs.insert(appliance.status()["monitors"][0]["job"]["id"].as_str().unwrap().to_owned());
        assert_eq!(jobs.len(), 1, "a kill doesn't end a job");
    }
}

/// Two more kills while the receiver is up, then everything must be there.
fn return_of_the_receiver(
    mut appliance: Appliance,
    address: SocketAddr,
    mut listed: BTreeSet<String>,
    early: Vec<Arrived>,
    jobs: BTreeSet<String>,
) {
    appliance.until("twenty events", |it| (it.events().len() >= 20).then_some(()));
    let receiver = Receiver::start_at(address, |_, _| Answer::status(200));
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(fastrand::u64(50..700)));
        listed.extend(ids(&appliance.events()));
        appliance.kill();
        appliance.start();
    }
    listed.extend(ids(&appliance.events()));
    appliance.until("all are delivered", |_| wrong(&listed, &receiver.arrived()).0.is_empty().then_some(()));
    let arrived: Vec<Arrived> = early.into_iter().chain(receiver.arrived()).collect();
    assert_eq!(wrong(&listed, &arrived), (vec![], vec![]));
    let job = appliance.status()["monitors"][0]["job"]["id"].as_str().unwrap().to_owned();
    assert!(jobs.contains(&job), "the same job goes on");
    let sequences: BTreeSet<u64> =
        arrived.iter().map(|request| request.header("x-stakeout-sequence").parse().unwrap()).collect();
    let highest = *sequences.last().unwrap();
    assert_eq!(sequences.len() as u64, highest, "gapless: {sequences:?}");
    appliance.stop();
}

#[test]
fn a_lost_event_and_a_changed_body_are_noticed() {
    let request = |id: &str, body: &str| Arrived {
        request_line: String::new(),
        headers: vec![("webhook-id".into(), id.into())],
        body: body.into(),
    };
    let listed = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    let arrived = [request("a", "1"), request("a", "1"), request("b", "2")];
    assert_eq!(wrong(&listed, &arrived), (vec![], vec![]));
    assert_eq!(wrong(&listed, &arrived[..2]), (vec!["b".into()], vec![]));
    assert_eq!(wrong(&listed, &[request("a", "1"), request("a", "2"), request("b", "2")]), (vec![], vec!["a".into()]));
}

/// A box with a monitor that opens once and stays open, in a clip that does not loop.
fn patient(more: &str) -> Appliance {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\n\
         [[monitor]]\nname = \"zone\"\ncamera = \"yard\"\ncondition = \"Is a person inside the marked zone?\"\n\
         model = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\nconfidence_threshold = 0.8\n\
         check_interval = \"100ms\"\ncooldown = \"1h\"\nclear_after = \"1h\"\n{more}",
        clip.display()
    ))
}

fn monitor(appliance: &Appliance) -> Value {
    appliance.status()["monitors"][0].clone()
}

fn when_open(appliance: &Appliance) -> Value {
    appliance.until("an open event", |it| Some(monitor(it)).filter(|monitor| monitor["open"].is_string()))
}

/// What a kill must not have changed.
fn memory(monitor: &Value) -> (&Value, &Value) {
    (&monitor["open"], &monitor["job"]["id"])
}

#[test]
fn an_open_event_its_cooldown_and_its_job_go_on_after_a_kill() {
    let mut appliance = patient("");
    appliance.start();
    when_open(&appliance);
    // More than five seconds' worth of checks after the alert: some of them were checkpointed since.
    let seen = monitor(&appliance)["checks"].as_u64().unwrap();
    appliance.until("a checkpoint", |it| (monitor(it)["checks"].as_u64()? > seen + 60).then_some(()));
    let before = monitor(&appliance);
    appliance.kill();
    appliance.start();
    let after = monitor(&appliance);
    assert_eq!(memory(&after), memory(&before));
    let left = |monitor: &Value| monitor["cooldown_left_s"].as_f64().unwrap();
    assert!(left(&after) <= left(&before) && left(&after) > 3000.0, "{} then {}", left(&before), left(&after));
    // Five seconds are fifty checks; the rest is for a machine that is busy.
    let checks = |monitor: &Value| monitor["checks"].as_u64().unwrap();
    assert!(checks(&after) + 60 > checks(&before), "{} then {}", checks(&before), checks(&after));
    // It goes on as if nothing had happened: the person is seen again, and nobody is told twice.
    appliance.until("more checks", |it| (checks(&monitor(it)) > checks(&after) + 20).then_some(()));
    assert_eq!(appliance.events().len(), 1);
    appliance.stop();
}

#[test]
fn without_its_journal_a_box_forgets() {
    let mut appliance = patient("");
    appliance.start();
    let before = when_open(&appliance);
    appliance.kill();
    std::fs::remove_dir_all(appliance.folder.path().join("state")).unwrap();
    appliance.start();
    let after = when_open(&appliance);
    assert_ne!(memory(&after).0, memory(&before).0);
    assert_ne!(memory(&after).1, memory(&before).1);
}

#[test]
fn a_monitor_that_means_something_else_says_good_bye_and_begins_anew() {
    let mut appliance = patient("");
    appliance.start();
    let before = when_open(&appliance);
    appliance.stop();
    appliance.edit("inside the marked zone", "where nobody may be");
    appliance.start();
    let told = |it: &Appliance| -> Vec<(String, Value)> {
        it.events().iter().map(|event| (event["type"].as_str().unwrap().to_owned(), event["job_id"].clone())).collect()
    };
    let old = before["job"]["id"].clone();
    let types = ["monitor.triggered", "monitor.cleared", "job.status"];
    assert_eq!(told(&appliance)[..3], types.map(|kind| (kind.to_owned(), old.clone())));
    assert_ne!(monitor(&appliance)["job"]["id"], old);
    appliance.stop();
    // Disabled: the new job ends, and nothing is checked any more. Enabled again: another one.
    appliance.edit("[[monitor]]", "[[monitor]]\nenabled = false");
    appliance.start();
    assert_eq!(monitor(&appliance)["state"], "disabled");
    assert_eq!(monitor(&appliance)["job"]["reason"], "user_requested");
    appliance.stop();
    appliance.edit("enabled = false", "enabled = true");
    appliance.start();
    assert_ne!(monitor(&appliance)["state"], "disabled");
    assert_eq!(monitor(&appliance)["job"]["reason"], Value::Null);
}

#[test]
fn a_stop_does_not_wait_for_a_receiver_that_never_answers_and_loses_nothing() {
    let silent = Receiver::start(|_, _| Answer::Silence);
    let address = silent.address();
    let endpoint = format!(
        "[[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\ntimeout = \"30s\"\n",
        silent.url()
    );
    let mut appliance = patient(&endpoint);
    appliance.start();
    let first = silent.wait_for(1).remove(0);
    appliance.stop();
    drop(silent);
    let receiver = Receiver::start_at(address, |_, _| Answer::status(200));
    appliance.start();
    let again = receiver.wait_for(1).remove(0);
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(again.body, first.body);
}
