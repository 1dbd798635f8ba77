//! Questions in words through the whole product: the shipped VLM, the built binary, a clip, a receiver.

use std::fs;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::appliance::Appliance;
use crate::receiver::{Answer, Receiver};

const CLIP: &str = "tests/data/yard.mp4";
const IN_ZONE: &str = "Is there a person inside the zone marked with yellow tape?";

fn monitor(name: &str, condition: &str) -> String {
    format!(
        "[[monitor]]\nname = \"{name}\"\ncamera = \"yard\"\nmodel = \"yard\"\ncondition = \"{condition}\"\n\
         hold = \"2 of 3\"\ncheck_interval = \"200ms\"\nclear_after = \"1s\"\ncooldown = \"1s\"\nrepeat = false\n"
    )
}

fn camera() -> String {
    format!("[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\n", fs::canonicalize(CLIP).unwrap().display())
}

/// `[start, end)` of what is true in the clip, in seconds.
fn truth(what: &str) -> Vec<(f64, f64)> {
    let text = fs::read_to_string("tests/data/yard.json").unwrap();
    let truth: Value = serde_json::from_str(&text).unwrap();
    let spans = truth["truth"][what].as_array().unwrap();
    spans.iter().map(|span| (span[0].as_f64().unwrap(), span[1].as_f64().unwrap())).collect()
}

#[test]
fn a_question_is_answered_once_for_each_time_that_it_is_true() {
    let questions = [
        ("zone", IN_ZONE, "person_in_zone", "Yes. A person is inside the yellow zone."),
        ("car", "A vehicle is in the picture.", "vehicle", "Yes. One vehicle is visible."),
    ];
    let monitors: String = questions.iter().map(|(name, condition, ..)| monitor(name, condition)).collect();
    let appliance = Appliance::new(&(camera() + &monitors));
    let lines = appliance.json(&["replay", CLIP, "--json"]);
    for (name, _, what, explanation) in questions {
        let alerts = lines.iter().filter(|line| line["monitor"] == name && line["type"] == "monitor.triggered");
        let alerts: Vec<(f64, &str)> =
            alerts.map(|line| (line["t"].as_f64().unwrap(), line["explanation"].as_str().unwrap())).collect();
        let spans = truth(what);
        assert_eq!(alerts.len(), spans.len(), "{name}: {alerts:?}");
        for ((at, said), (start, end)) in alerts.iter().zip(spans) {
            assert!((start - 0.3..end).contains(at), "{name} at {at} for {start} to {end}");
            assert_eq!(*said, explanation);
        }
    }
}

#[test]
fn a_question_that_it_can_not_judge_is_a_verdict_error_and_never_a_no() {
    let mut appliance = Appliance::new(&(camera() + &monitor("dog", "Is there a dog in the picture?")));
    let lines = appliance.json(&["replay", CLIP, "--verdicts", "--json"]);
    let answers: Vec<&Value> = lines.iter().filter(|line| line["type"] == "verdict").map(|l| &l["answer"]).collect();
    assert!(answers.len() > 100);
    assert!(answers.iter().all(|answer| **answer == "abstain"), "{answers:?}");
    assert_eq!(lines.last().unwrap()["unanswered"], answers.len());
    // It looks as idle as a monitor that has nothing to say: status must not leave it at that.
    appliance.start();
    appliance.until("the warning", |it| {
        let warnings = it.status()["warnings"].to_string();
        warnings.contains("monitor `dog` got no answer from model `yard`").then_some(())
    });
}

#[test]
fn the_receiver_gets_the_reason_and_the_journal_keeps_the_numbers() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let endpoint =
        format!("[[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n", receiver.url());
    let mut appliance = Appliance::new(&(camera() + &monitor("zone", IN_ZONE) + &endpoint));
    appliance.start();
    let body: Value = serde_json::from_slice(&receiver.wait_for(1)[0].body).unwrap();
    let data = &body["data"];
    assert_eq!((&data["condition"], &data["answer"]), (&IN_ZONE.into(), &"yes".into()), "{body}");
    assert_eq!(data["explanation"], "Yes. A person is inside the yellow zone.");
    assert!(data["confidence"].as_f64().unwrap() >= 0.8);
    // What is needed to calibrate anew stays in the journal.
    let journal = appliance.folder.path().join("state/journal.db");
    let reader = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    const NUMBERS: &str = "SELECT data ->> '$.Triggered.z', data ->> '$.Triggered.answer_mass' FROM event WHERE type = 'monitor.triggered'";
    let numbers = reader.query_row(NUMBERS, [], |row| Ok((row.get(0)?, row.get(1)?)));
    let (z, mass): (f64, f64) = numbers.unwrap();
    assert!(z > 0.0 && mass > 0.9, "{z}, {mass}");
}
