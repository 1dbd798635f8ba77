//! The main job on a real clip: one alert a visit, from a file and through a real RTSP server.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::appliance::Appliance;
use crate::receiver::{Answer, Receiver};
use crate::rtsp::Server;
use crate::shared::shared;

const CLIP: &str = "one-by-one-person-detection.mp4";

/// The issue's own monitor, with what a test changes.
fn monitor(camera_url: &str, more: &str) -> String {
    format!(
        "[[camera]]\nname = \"counter\"\nurl = \"{camera_url}\"\n\
         [[monitor]]\nname = \"person\"\ncamera = \"counter\"\ncondition = \"Is a person at the counter?\"\n\
         model = \"yolox-nano\"\nlabels = [\"person\"]\nconfidence_threshold = 0.4\nhold = \"2 of 3\"\n\
         check_interval = \"100ms\"\nclear_after = \"1s\"\n{more}"
    )
}

/// `[start, end]` of each visit, in seconds of the clip.
fn visits() -> Option<Vec<(f64, f64)>> {
    spans(CLIP, "person_any_part_visible")
}

/// What the timeline says of a clip: from when to when, in its seconds.
pub fn spans(clip: &str, what: &str) -> Option<Vec<(f64, f64)>> {
    let timeline = fs::read_to_string(shared("videos/timeline.json")?).unwrap();
    let timeline: Value = serde_json::from_str(&timeline).unwrap();
    let spans = timeline[clip][what].as_array().unwrap();
    Some(spans.iter().map(|span| (span[0].as_f64().unwrap(), span[1].as_f64().unwrap())).collect())
}

/// What is wrong with these events (type, seconds of the clip): one alert per visit, at its start, one clear after it.
fn complaints(events: &[(String, f64)], visits: &[(f64, f64)], late: f64) -> Vec<String> {
    let mut wrong = Vec::new();
    if events.len() != 2 * visits.len() {
        wrong.push(format!("{} events for {} visits", events.len(), visits.len()));
    }
    for (pair, (start, end)) in events.chunks(2).zip(visits) {
        let (kind, at) = &pair[0];
        if kind != "monitor.triggered" || *at < start - 0.3 || *at > start + late {
            wrong.push(format!("{kind} at {at} for the visit at {start}"));
        }
        if pair.get(1).is_none_or(|(kind, at)| kind != "monitor.cleared" || *at < end - 0.3) {
            wrong.push(format!("{:?} for the visit that ends at {end}", pair.get(1)));
        }
    }
    wrong
}

#[test]
fn a_replay_gives_one_alert_for_each_visit_and_nothing_else() {
    let (Some(clip), Some(visits)) = (shared(&format!("videos/{CLIP}")), visits()) else { return };
    let url = format!("file://{}", clip.canonicalize().unwrap().display());
    let appliance = Appliance::new(&monitor(&url, "cooldown = \"1s\"\nrepeat = false\n"));
    let mut lines = appliance.json(&["replay", clip.to_str().unwrap(), "--json"]);
    let summary = lines.pop().unwrap();
    assert_eq!(
        (&summary["type"], &summary["triggers"], &summary["frames"]),
        (&"summary".into(), &6.into(), &1394.into())
    );
    let events: Vec<(String, f64)> =
        lines.iter().map(|line| (line["type"].as_str().unwrap().to_owned(), line["t"].as_f64().unwrap())).collect();
    assert_eq!(complaints(&events, &visits, 1.0), [] as [String; 0]);
    assert!(!appliance.folder.path().join("state").exists(), "a replay writes no journal");
}

/// Events with the gate are those without it, by fewer checks.
fn assert_the_gate_spares_checks(interval: &str, within: f64) {
    let Some(clip) = shared(&format!("videos/{CLIP}")) else { return };
    let url = format!("file://{}", clip.canonicalize().unwrap().display());
    let told = |gate: &str| {
        let text = monitor(&url, &format!("cooldown = \"1s\"\nrepeat = false\ngate = \"{gate}\"\n"));
        let appliance = Appliance::new(&text.replace("\"100ms\"", &format!("\"{interval}\"")));
        let mut lines = appliance.json(&["replay", clip.to_str().unwrap(), "--json"]);
        let checks = lines.pop().unwrap()["checks"].as_u64().unwrap();
        let event = |line: &Value| (line["type"].as_str().unwrap().to_owned(), line["t"].as_f64().unwrap());
        (lines.iter().map(event).collect::<Vec<_>>(), checks)
    };
    let ((gated, fewer), (all, checks)) = (told("motion"), told("off"));
    assert!(gated.len() == all.len() && !all.is_empty(), "{gated:?} {all:?}");
    for ((kind, at), (same, then)) in gated.iter().zip(&all) {
        assert!(kind == same && (at - then).abs() < within, "{kind} at {at}, without the gate {same} at {then}");
    }
    assert!(fewer < checks, "{fewer} of {checks}");
}

#[test]
fn with_the_gate_the_same_visits_are_told_by_fewer_checks() {
    assert_the_gate_spares_checks("100ms", 0.5);
}

#[test]
fn frames_that_nobody_looks_at_do_not_open_the_gate() {
    assert_the_gate_spares_checks("1s", 1.5);
}

#[test]
fn complaints_are_made() {
    let visits = [(6.0, 20.3)];
    let event = |kind: &str, at| (format!("monitor.{kind}"), at);
    assert_eq!(complaints(&[event("triggered", 6.2), event("cleared", 21.0)], &visits, 1.0).len(), 0);
    assert_eq!(complaints(&[event("triggered", 7.2), event("cleared", 21.0)], &visits, 1.0).len(), 1, "late");
    assert_eq!(complaints(&[event("triggered", 5.2), event("cleared", 21.0)], &visits, 1.0).len(), 1, "early");
    assert_eq!(complaints(&[event("triggered", 6.2)], &visits, 1.0).len(), 2, "no clear");
    assert_eq!(complaints(&[event("triggered", 6.2), event("cleared", 12.0)], &visits, 1.0).len(), 1, "early clear");
}

#[test]
fn through_a_real_rtsp_server_it_is_the_same() {
    let (Some(clip), Some(visits)) = (shared(&format!("videos/{CLIP}")), visits()) else { return };
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let server = Server::start(&clip, 0, &["--no-loop"]);
    let endpoint =
        format!("[[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n", receiver.url());
    let config = monitor(server.url.as_str(), "cooldown = \"1s\"\nrepeat = false\n") + &endpoint;
    let mut appliance = Appliance::new(&config);
    appliance.start();
    let last = Duration::from_secs(139);
    appliance.until_within(last + Duration::from_secs(20), "twelve events", |it| {
        (it.events().len() >= 2 * visits.len()).then_some(())
    });
    let bodies: Vec<Value> =
        receiver.wait_for(12).iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
    // The clip begins where its first picture came.
    let began = appliance.began();
    let events: Vec<(String, f64)> = bodies
        .iter()
        .map(|body| (body["type"].as_str().unwrap().to_owned(), seconds(&body["data"]["observed_at"]) - began))
        .collect();
    assert_eq!(complaints(&events, &visits, 1.5), [] as [String; 0]);
}

/// Seconds since 1970 of a timestamp in a body.
pub fn seconds(timestamp: &Value) -> f64 {
    let at: jiff::Timestamp = timestamp.as_str().unwrap().parse().unwrap();
    at.as_millisecond() as f64 / 1000.0
}

#[test]
fn a_long_visit_repeats_its_alert_under_the_same_open_id() {
    let Some(clip) = shared(&format!("videos/{CLIP}")) else { return };
    let url = format!("file://{}", clip.canonicalize().unwrap().display());
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let endpoint =
        format!("[[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n", receiver.url());
    let mut appliance = Appliance::new(&(monitor(&url, "cooldown = \"5s\"\n") + &endpoint));
    appliance.start();
    // The first visit lasts from 6.0 s to 20.3 s: an alert, repeats every 5 s, the clear.
    let bodies: Vec<Value> =
        receiver.wait_for(4).iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
    let told: Vec<(&str, Option<u64>)> =
        bodies.iter().map(|body| (body["type"].as_str().unwrap(), body["data"]["repeat"].as_u64())).collect();
    let (alert, cleared) = ("monitor.triggered", "monitor.cleared");
    assert_eq!(told, [(alert, Some(0)), (alert, Some(1)), (alert, Some(2)), (cleared, None)]);
    assert!(bodies.iter().all(|body| body["data"]["open_id"] == bodies[0]["data"]["open_id"]));
    assert!(bodies[..3].iter().all(|body| body["data"]["frame_b64"].as_str().is_some_and(|frame| !frame.is_empty())));
}
