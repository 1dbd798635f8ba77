//! `/v1/ws` in this process: who hears what, and how conversations end.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use stakeout::broadcast::{Alert, Checked};
use stakeout::event::{Event, EventData, Metadata, ModelIdentity, Priority, Triggered};
use stakeout::time::{Boot, now};
use stakeout::verdict::{Answer, Region, Verdict};
use tungstenite::Message;

use super::clients::{Closed, Ws};
use super::{Station, name};

fn checked(monitor: &str, explanation: &str) -> Checked {
    let verdict = Verdict {
        confidence: 0.912_345_6,
        answer: Answer::Yes,
        explanation: explanation.to_owned(),
        regions: Vec::new(),
        z: None,
        answer_mass: None,
    };
    Checked { monitor: name(monitor), camera: name("yard"), condition: "Is it?".into(), verdict, seen: now() }
}

fn alert(explanation: &str) -> Alert {
    let observed = now();
    let triggered = Triggered {
        open_id: observed.new_id(),
        repeat: 0,
        condition: "Is it?".into(),
        answer: Answer::Yes,
        confidence: 0.9,
        threshold: 0.8,
        explanation: explanation.to_owned(),
        regions: Vec::new(),
        z: None,
        answer_mass: None,
        model: ModelIdentity { name: name("yard"), sha256: String::new() },
        source_url: String::new(),
        label: "zone".into(),
        from_ms: 1000,
        to_ms: 1500,
        clip: None,
        started: observed.wall,
    };
    let event = Event {
        id: observed.new_id(),
        observed,
        boot: Boot::current(),
        device: "box".into(),
        camera: Some(name("yard")),
        monitor: Some(name("zone")),
        job: Some(observed.new_id()),
        priority: Priority::Normal,
        metadata: Metadata::new(),
        data: EventData::Triggered(triggered),
    };
    Alert { event, moment_us: observed.wall.0 * 1000 }
}

#[test]
fn each_client_hears_the_channels_that_it_chose() {
    let station = Station::start();
    let mut alerts = Ws::open(&station.socket(), "?channels=alert");
    let mut both = Ws::open(&station.socket(), "?channels=alert,scene_index");
    station.broadcast.checks.say(|| checked("zone", "Nobody is there."));
    assert_eq!(both.next().unwrap()["data"]["explanation"], "Nobody is there.");
    station.broadcast.alerts.say(|| alert("Somebody is there."));
    let (first, second) = (alerts.next().unwrap(), both.next().unwrap());
    assert_eq!(first, second);
    assert_eq!(first["channel"], "alert");
    let fields: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["channel", "data"]);
    station.end();
}

#[test]
fn a_check_is_told_with_its_explanation() {
    let station = Station::start();
    let mut scenes = Ws::open(&station.socket(), "?channels=scene_index");
    station.broadcast.checks.say(|| checked("zone", "A person is \"inside\"."));
    let mut message = scenes.next().unwrap();
    assert!(message["data"]["observed_at"].take().as_str().unwrap().ends_with('Z'));
    assert!(["synced", "estimated"].contains(&message["data"]["clock"].take().as_str().unwrap()));
    let expected = serde_json::json!({"channel": "scene_index", "data": {
        "monitor": "zone", "camera": "yard", "condition": "Is it?", "answer": "yes", "confidence": 0.9123,
        "explanation": "A person is \"inside\".", "regions": [], "observed_at": null, "clock": null,
    }});
    assert_eq!(message, expected);
    station.end();
}

/// Whether `data` is as the document says, and a field more is not.
pub fn assert_documented(data: &serde_json::Value, schema: &str) {
    let document = include_str!("../../../packaging/openapi.json");
    let mut document: serde_json::Value = serde_json::from_str(document).unwrap();
    document["$ref"] = format!("#/components/schemas/{schema}").into();
    let validator = jsonschema::validator_for(&document).unwrap();
    let wrong: Vec<String> = validator.iter_errors(data).map(|error| error.to_string()).collect();
    assert_eq!(wrong, [""; 0], "{data}");
    let mut more = data.clone();
    more["colour"] = "red".into();
    assert!(!validator.is_valid(&more));
}

#[test]
fn what_is_told_is_as_the_document_says() {
    let station = Station::start();
    let mut client = Ws::open(&station.socket(), "");
    assert_documented(&client.next_of("status"), "Summary");
    let mut seen = checked("zone", "");
    let region = Region { label: "person".into(), score: 0.5, bounds: [0.1, 0.2, 0.3, 0.4] };
    seen.verdict.regions.push(region);
    station.broadcast.checks.say(|| seen);
    assert_documented(&client.next_of("scene_index"), "Scene");
    station.end();
}

#[test]
fn of_many_checks_the_newest_is_told() {
    let station = Station::start();
    let mut scenes = Ws::open(&station.socket(), "?channels=scene_index");
    for number in 0..50 {
        station.broadcast.checks.say(|| checked("zone", &number.to_string()));
    }
    station.broadcast.checks.say(|| checked("gate", "last"));
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "49") {
        told.push(scenes.next_of("scene_index")["explanation"].as_str().unwrap().to_owned());
    }
    assert!(told.len() < 10, "{told:?}");
    assert!(told.contains(&"last".to_owned()), "another monitor has its own turn: {told:?}");
    station.end();
}

#[test]
fn nothing_is_said_while_nobody_listens() {
    let station = Station::start();
    let is_heard = || (station.broadcast.alerts.is_heard(), station.broadcast.checks.is_heard());
    assert_eq!(is_heard(), (false, false));
    let status = Ws::open(&station.socket(), "?channels=status");
    assert_eq!(is_heard(), (false, false));
    let alerts = Ws::open(&station.socket(), "?channels=alert");
    assert_eq!(is_heard(), (true, false));
    drop((status, alerts));
    while is_heard() != (false, false) {
        std::thread::sleep(Duration::from_millis(5));
    }
    station.end();
}

#[test]
fn the_status_is_told_at_once_and_when_it_changes() {
    let station = Station::start();
    let mut client = Ws::open(&station.socket(), "");
    let status = client.next_of("status");
    let fields: Vec<&String> = status.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["device", "version", "uptime_s", "clock", "cameras", "monitors", "endpoints", "warnings"]);
    assert_eq!(status["cameras"], serde_json::json!([{"name": "dock", "state": "offline", "cause": "no route"}]));
    let mut late = Ws::open(&station.socket(), "?channels=status");
    assert_eq!(late.next_of("status"), status);
    station.end();
}

/// It reads nothing while far more is said than may wait for it.
#[test]
fn a_client_that_is_too_slow_is_left_with_a_code_and_nobody_else_notices() {
    let station = Station::start();
    let mut slow = Ws::open(&station.socket(), "?channels=alert");
    let mut keen = Ws::open(&station.socket(), "?channels=alert");
    let long = "x".repeat(10_000);
    for number in 0..600 {
        station.broadcast.alerts.say(|| alert(&format!("{number} {long}")));
        let told = keen.next_of("alert").to_string();
        assert!(told.contains(&format!("\"{number} x")), "the keen one hears everything, in order");
    }
    let mut heard = 0;
    let closed = loop {
        match slow.next() {
            Ok(_) => heard += 1,
            Err(closed) => break closed,
        }
    };
    assert_eq!(closed, Closed(Some(1013)), "after {heard} messages");
    assert!(heard < 600);
    // It may come back, and hears what is new.
    let mut again = Ws::open(&station.socket(), "?channels=alert");
    station.broadcast.alerts.say(|| alert("new"));
    assert!(again.next_of("alert").to_string().contains("\"new\""));
    station.end();
}

#[test]
fn who_sends_too_much_or_nonsense_is_left_and_who_sends_a_little_is_not() {
    let station = Station::start();
    let mut client = Ws::open(&station.socket(), "?channels=alert");
    client.0.send(Message::text("hello")).unwrap();
    client.0.send(Message::binary(vec![0; 4096])).unwrap();
    client.0.send(Message::Ping("are you there".into())).unwrap();
    assert_eq!(client.0.read().unwrap(), Message::Pong("are you there".into()));
    station.broadcast.alerts.say(|| alert("still here"));
    client.next_of("alert");
    client.0.send(Message::text("x".repeat(5000))).unwrap();
    assert_eq!(client.next(), Err(Closed(Some(1009))));

    let mut garbled = Ws::open(&station.socket(), "?channels=alert");
    // A reserved opcode, masked, empty.
    std::io::Write::write_all(garbled.0.get_mut(), &[0x83, 0x80, 0, 0, 0, 0]).unwrap();
    assert_eq!(garbled.next(), Err(Closed(Some(1002))));
    station.end();
}

#[test]
fn what_is_no_channel_and_no_websocket_is_refused() {
    let station = Station::start();
    let (status, refusal) = Ws::try_open(&station.socket(), "?channels=alarm").err().unwrap();
    assert_eq!(status, 400);
    assert_eq!(refusal["error"], "there is no channel `alarm`");
    assert_eq!(Ws::try_open(&station.socket(), "?chanels=alert").err().unwrap().0, 400);
    let mut plain = UnixStream::connect(station.socket()).unwrap();
    std::io::Write::write_all(&mut plain, b"GET /v1/ws HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut plain, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(answer.contains("this is no WebSocket"), "{answer}");
    station.end();
}

#[test]
fn a_stop_says_good_bye_to_everybody() {
    let station = Station::start();
    let mut clients: Vec<Ws> = (0..20).map(|_| Ws::open(&station.socket(), "?channels=alert")).collect();
    let serving = std::thread::spawn(move || station.end());
    for client in &mut clients {
        assert_eq!(client.next(), Err(Closed(Some(1001))));
    }
    // The clients' own good-byes.
    clients.iter_mut().for_each(|client| drop(client.0.flush()));
    serving.join().unwrap();
}
