//! How long the texts of the formats may get, whatever a model says: services refuse or cut what is longer.

use super::*;

#[test]
fn the_longest_texts_are_cut() {
    let long = "<&>".repeat(20_000);
    let mut event = event(EventData::Triggered(Triggered { explanation: long.clone(), ..triggered() }));
    event.metadata.insert("zone".into(), long.into());
    let body = |format| -> serde_json::Value {
        serde_json::from_str(&render(format, &event, ENVELOPE, FrameChoice::None).unwrap()).unwrap()
    };
    let slack = body(Format::Slack);
    let section = slack["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!((1000..=3000).contains(&section.chars().count()), "a section: {}", section.chars().count());
    assert!(section.contains("…*\n") && section.contains("…\nConfidence: 91%"), "{section}");
    let summary = body(Format::Pagerduty)["payload"]["summary"].as_str().unwrap().chars().count();
    assert_eq!(summary, 1024);
    let subject = body(Format::Email)["subject"].as_str().unwrap().chars().count();
    assert_eq!(subject, "[Stakeout]  — ".chars().count() + 80 + 60);
}
