//! A box says what it has watched, whatever happens to it: so silence means something.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use stakeout::sign::{Key, Message, verify};

use crate::appliance::{Appliance, SECRET};
use crate::receiver::{Answer, Arrived, Receiver};
use crate::shared::runtime;

fn body(arrived: &Arrived) -> Value {
    serde_json::from_slice(&arrived.body).unwrap()
}

/// Each body once, in the order of its first arrival.
fn bodies(receiver: &Receiver) -> Vec<Value> {
    let mut bodies: Vec<Value> = Vec::new();
    for body in receiver.arrived().iter().map(body) {
        if !bodies.contains(&body) {
            bodies.push(body);
        }
    }
    bodies
}

/// A box with a camera that is watched.
fn yard(heartbeat: &str, endpoints: &str) -> Appliance {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[monitor]]\nname = \"anybody\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
         confidence_threshold = 1.0\ncheck_interval = \"500ms\"\ngate = \"off\"\nshadow = true\n{endpoints}",
        clip.display()
    ));
    appliance.edit("id = \"box\"\n", &format!("id = \"box\"\nheartbeat = \"{heartbeat}\"\n"));
    appliance
}

fn endpoint(name: &str, receiver: &Receiver, more: &str) -> String {
    let url = receiver.url();
    format!("[[endpoint]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret_file = \"HERE/ops.secret\"\n{more}\n")
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A heartbeat of a box whose endpoint `slow` doesn't get its own.
fn says_what_was_watched(told: &Value) {
    let second = &told["data"];
    let promised = [
        "event_id",
        "device",
        "epoch",
        "sequence",
        "observed_at",
        "clock",
        "interval_s",
        "cameras",
        "monitors",
        "endpoints",
        "version",
        "uptime_s",
    ];
    assert_eq!((told["type"].as_str(), keys(second)), (Some("device.heartbeat"), promised.to_vec()));
    let (camera, monitor) = (&second["cameras"][0], &second["monitors"][0]);
    assert_eq!(keys(camera), ["camera", "state", "decode", "frames_decoded", "last_frame_age_s"]);
    assert_eq!((&camera["camera"], &camera["state"]), (&"yard".into(), &"online".into()));
    assert!(camera["frames_decoded"].as_u64() > Some(0) && camera["last_frame_age_s"].is_number(), "{camera}");
    let of_a_monitor = ["monitor", "camera", "checks", "skipped", "last_confidence", "last_check_age_s", "open"];
    assert_eq!(keys(monitor), of_a_monitor);
    assert!(monitor["checks"].as_u64() > Some(0) && monitor["last_confidence"].is_number(), "{monitor}");
    let names: Vec<_> = second["endpoints"].as_array().unwrap().iter().map(|it| it["endpoint"].as_str()).collect();
    assert_eq!(names, [Some("ops"), Some("slow"), Some("deaf")]);
    let waits = &second["endpoints"][1];
    assert_eq!((waits["pending"].as_u64().unwrap() + waits["held"].as_u64().unwrap(), &waits["dead"]), (1, &0.into()));
    assert!(waits["oldest_s"].is_number() && second["endpoints"][2]["oldest_s"].is_null(), "{second}");
}

/// Whether each goes on where the one before ended.
fn seamless(told: &[Value]) -> bool {
    let at = |body: &Value| body["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    told.windows(2).all(|two| {
        let between = (at(&two[1]) - at(&two[0])) as f64 / 1000.0;
        let gapless = two[1]["data"]["sequence"].as_u64() == two[0]["data"]["sequence"].as_u64().map(|n| n + 1);
        gapless && (two[1]["data"]["interval_s"].as_f64().unwrap() - between).abs() < 0.5
    })
}

fn is_signed(arrived: &Arrived) {
    let key = [Key::new(SECRET).unwrap()];
    let sent =
        Message { id: arrived.header("webhook-id"), timestamp: arrived.header("webhook-timestamp").parse().unwrap() };
    verify(&key, arrived.header("webhook-signature"), Some(sent), &arrived.body).unwrap();
}

#[test]
fn a_heartbeat_says_what_was_watched_and_an_outage_leaves_one_behind() {
    if runtime().is_none() {
        return;
    }
    let open = Arc::new(AtomicBool::new(false));
    let is_open = open.clone();
    let ops = Receiver::start(|_, _| Answer::status(204));
    let deaf = Receiver::start(|_, _| Answer::status(204));
    let slow = Receiver::start(move |_, _| Answer::status(if is_open.load(Ordering::SeqCst) { 204 } else { 503 }));
    let patient = format!("retry = {{ delays = [{}] }}", ["\"2s\""; 60].join(", "));
    let endpoints = [
        endpoint("ops", &ops, ""),
        endpoint("slow", &slow, &patient),
        endpoint("deaf", &deaf, "events = [\"monitor.*\"]"),
    ];
    let mut appliance = yard("10s", &endpoints.concat());
    appliance.start();
    ops.wait_for(4);
    assert_eq!(bodies(&slow).len(), 1, "three were due meanwhile, and one waits");
    open.store(true, Ordering::SeqCst);
    appliance.until("the outage is over", |_| (bodies(&slow).len() >= 2).then_some(()));
    appliance.stop();

    let told = bodies(&ops);
    says_what_was_watched(&told[1]);
    assert!(seamless(&told), "{told:#?}");
    let after = bodies(&slow);
    assert!(seamless(&after), "{after:#?}");
    assert!(after[1]["data"]["interval_s"].as_f64() > Some(20.0), "all of the time since: {}", after[1]);
    assert!(!seamless(&[told[0].clone(), told[2].clone()]), "what is left out is noticed");

    let arrived = &ops.arrived()[1];
    is_signed(arrived);
    assert_eq!(arrived.header("x-stakeout-event"), "device.heartbeat");
    assert_eq!(deaf.arrived().len(), 0, "its filter lets none through");
    let listed = appliance.events();
    let beats: Vec<_> = listed.iter().filter(|it| it["type"] == "device.heartbeat").collect();
    assert!(beats.len() >= told.len() && beats[0]["camera"].is_null(), "{listed:#?}");
    assert!(appliance.run(&["events"]).status.success());
}

#[test]
fn a_box_that_is_killed_again_and_again_says_it_in_time_and_one_without_heartbeats_never() {
    if runtime().is_none() {
        return;
    }
    let (ops, quiet) = (Receiver::start(|_, _| Answer::status(204)), Receiver::start(|_, _| Answer::status(204)));
    let mut appliance = yard("20s", &endpoint("ops", &ops, ""));
    let mut silent = yard("off", &endpoint("ops", &quiet, ""));
    silent.start();
    appliance.start();
    ops.wait_for(1);
    appliance.until("it is delivered", |it| (it.status()["endpoints"][0]["delivered_24h"] == 1).then_some(()));
    appliance.kill();
    thread::sleep(Duration::from_secs(20));
    appliance.start();
    ops.wait_for(2);
    let second = &bodies(&ops)[1]["data"];
    let (interval, uptime) = (second["interval_s"].as_f64().unwrap(), second["uptime_s"].as_f64().unwrap());
    assert!(interval >= 20.0 && uptime < interval, "it was due before this process had run that long: {second}");
    // What is killed before it is known to be delivered is sent again.
    appliance.until("it is delivered", |it| (it.status()["endpoints"][0]["delivered_24h"] == 2).then_some(()));
    appliance.edit("heartbeat = \"20s\"", "heartbeat = \"1h\"");
    appliance.kill();
    appliance.start();
    thread::sleep(Duration::from_secs(16));
    assert_eq!(ops.arrived().len(), 2, "a start is no reason");
    assert_eq!(quiet.arrived().len(), 0);
}
