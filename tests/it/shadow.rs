//! Monitors in the shadow, with the built binary: everything is decided and journaled, and nobody is told.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::appliance::Appliance;
use crate::channels::clients::{Sse, Ws};
use crate::receiver::{Answer, Arrived, Receiver};
use crate::shared::runtime;

/// A box that looks at the drawn yard, where somebody is in the zone from 7.333 s on.
fn yard(monitors: &str, receiver: &Receiver) -> Appliance {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n{monitors}\
         [[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\nevents = [\"*\"]\n",
        clip.display(),
        receiver.url()
    ))
}

fn monitor(name: &str, more: &str) -> String {
    format!(
        "[[monitor]]\nname = \"{name}\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\n\
         condition = \"Is a person inside the marked zone?\"\nhold = \"1 of 1\"\ncheck_interval = \"100ms\"\n{more}"
    )
}

fn body(request: &Arrived) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// The events of a monitor.
fn events(appliance: &Appliance, monitor: &str) -> Vec<Value> {
    appliance.json(&["events", "--json", "--monitor", monitor])
}

#[test]
fn a_shadow_is_journaled_and_told_to_nobody() {
    if runtime().is_none() {
        return;
    }
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let lively = "cooldown = \"300ms\"\nclear_after = \"500ms\"\n";
    // The control: the same monitor, armed.
    let both = monitor("trial", &format!("{lively}shadow = true\n")) + &monitor("armed", lively);
    let mut appliance = yard(&both, &receiver);
    appliance.start();
    let socket = appliance.folder.path().join("stakeout.sock");
    let (mut stream, mut alerts) = (Sse::open(&socket, "", Some(0)).unwrap(), Ws::open(&socket, "?channels=alert"));
    let shadows = appliance.until("three shadows", |it| Some(events(it, "trial")).filter(|it| it.len() >= 3));
    for event in &shadows {
        assert_eq!((&event["shadow"], &event["deliveries"]), (&json!(["ops"]), &json!([])), "{event}");
    }
    appliance.until("three alerts", |it| (events(it, "armed").len() >= 3).then_some(()));
    assert!(events(&appliance, "armed").iter().all(|event| event.get("shadow").is_none()));

    // Nobody hears of the trial, and everybody of the other.
    for request in receiver.wait_for(3) {
        assert_eq!(body(&request)["data"]["monitor"], "armed");
    }
    for told in stream.take(3) {
        assert_eq!(told.line["monitor"], "armed", "{told:?}");
    }
    for alert in (0..3).map(|_| alerts.next_of("alert")) {
        assert_eq!(alert["label"], "armed");
    }
    let owed = appliance.json(&["deliveries", "--json"]);
    let shadows: Vec<&Value> = shadows.iter().map(|event| &event["id"]).collect();
    assert!(!owed.is_empty() && owed.iter().all(|delivery| !shadows.contains(&&delivery["event_id"])));

    // People are told, and the picture is there to be looked at.
    let status = appliance.status();
    let line = |name: &str| status["monitors"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
    assert!(line("trial")["shadow"]["withheld_24h"].as_u64().unwrap() >= 3, "{status}");
    assert_eq!(line("armed")["shadow"], Value::Null);
    let screen = String::from_utf8(appliance.run(&["status"]).stdout).unwrap();
    let row = |name: &str| screen.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{screen}"));
    assert!(row("trial").contains("shadow: ") && row("trial").ends_with(" would have been sent in 24 h"), "{screen}");
    assert!(!row("armed").contains("shadow"), "{screen}");
    let listed = String::from_utf8(appliance.run(&["events"]).stdout).unwrap();
    assert!(
        listed.lines().filter(|line| line.contains(" trial ")).all(|line| line.contains("shadow: ops")),
        "{listed}"
    );
    assert!(listed.lines().filter(|line| line.contains(" armed ")).all(|line| !line.contains("shadow")), "{listed}");
    let journal = appliance.folder.path().join("state/journal.db");
    let reader = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    const PICTURES: &str = "SELECT count(*) FROM event WHERE monitor = 'trial' AND frame IS NOT NULL";
    assert!(reader.query_row(PICTURES, [], |row| row.get::<_, u32>(0)).unwrap() > 0);
    appliance.stop();
}

#[test]
fn arming_sends_nothing_of_the_past_and_disarming_ends_what_was_told() {
    if runtime().is_none() {
        return;
    }
    let receiver = Receiver::start(|_, _| Answer::status(200));
    // Once open it stays open, and alerts once.
    let mut appliance =
        yard(&monitor("zone", "cooldown = \"1h\"\nclear_after = \"1h\"\nrepeat = false\nshadow = true\n"), &receiver);
    appliance.start();
    let first = appliance.until("the shadow's alert", |it| events(it, "zone").pop());
    appliance.stop();

    appliance.edit("shadow = true", "shadow = false");
    appliance.start();
    let alert = receiver.wait_for(1).remove(0);
    // A gapless number: this is the first thing that the endpoint was ever owed.
    assert_eq!(alert.header("x-stakeout-sequence"), "1");
    let told = body(&alert);
    assert_eq!((&told["type"], &told["data"]["repeat"]), (&json!("monitor.triggered"), &json!(0)), "{told}");
    let kinds = |appliance: &Appliance, shadow: bool| -> Vec<String> {
        let all = events(appliance, "zone").into_iter().filter(|event| event.get("shadow").is_some() == shadow);
        all.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&appliance, true), ["monitor.triggered", "monitor.cleared", "job.status"], "it said good-bye");
    assert_ne!(first["id"], events(&appliance, "zone").pop().unwrap()["id"], "what still holds is a new alert");
    appliance.stop();

    appliance.edit("shadow = false", "shadow = true");
    appliance.start();
    // Over two connections they may overtake each other.
    let mut rest: Vec<String> =
        receiver.wait_for(3)[1..].iter().map(|it| body(it)["type"].as_str().unwrap().to_owned()).collect();
    rest.sort_unstable();
    assert_eq!(rest, ["job.status", "monitor.cleared"], "whoever was told of an alert is told of its end");
    appliance.until("another shadow", |it| (kinds(it, true).len() == 4).then_some(()));
    assert_eq!(receiver.arrived().len(), 3);
    appliance.stop();
}
