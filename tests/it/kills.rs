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
            refusing.wait_for(3);
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
    assert!(jobs.is_empty() || jobs.contains(&job), "the same job goes on");
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

#[test]
fn an_open_event_its_cooldown_and_its_job_go_on_after_a_kill() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let mut appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\n\
         [[monitor]]\nname = \"zone\"\ncamera = \"yard\"\ncondition = \"Is a person inside the marked zone?\"\n\
         model = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\nconfidence_threshold = 0.8\n\
         check_interval = \"100ms\"\ncooldown = \"1h\"\nclear_after = \"1h\"\n",
        clip.display()
    ));
    appliance.start();
    let before = appliance.until("an open event", |it| {
        let monitor = it.status()["monitors"][0].clone();
        monitor["open"].is_string().then_some(monitor)
    });
    appliance.kill();
    appliance.start();
    let after = appliance.status()["monitors"][0].clone();
    assert_eq!(after["open"], before["open"]);
    assert_eq!(after["job"]["id"], before["job"]["id"]);
    let left = |monitor: &Value| monitor["cooldown_left_s"].as_f64().unwrap();
    assert!(left(&after) <= left(&before) && left(&after) > 3000.0, "{} then {}", left(&before), left(&after));
    // It goes on as if nothing had happened: the person is seen again, and nobody is told twice.
    let checks = after["checks"].as_u64().unwrap();
    appliance.until("more checks", |it| (it.status()["monitors"][0]["checks"].as_u64()? > checks + 20).then_some(()));
    assert_eq!(appliance.events().len(), 1);
    appliance.stop();
}
