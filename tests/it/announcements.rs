//! What happens to the journal itself is told to the receivers, by events like any other.

use std::fs;

use serde_json::Value;

use crate::appliance::Appliance;
use crate::receiver::{Answer, Receiver};

#[test]
fn a_journal_that_was_damaged_begins_anew_and_says_so() {
    let receiver = Receiver::start(|_, _| Answer::status(204));
    let mut appliance = Appliance::new(&format!(
        "[[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n",
        receiver.url()
    ));
    appliance.start();
    appliance.stop();
    let file = appliance.folder.path().join("state/journal.db");
    let size = fs::metadata(&file).unwrap().len();
    fs::write(&file, vec![0xa5; size as usize]).unwrap();
    appliance.start();
    let arrived = &receiver.wait_for(1)[0];
    let body: Value = serde_json::from_slice(&arrived.body).unwrap();
    assert_eq!(body["type"], "journal.reset");
    let keys: Vec<&String> = body["data"].as_object().unwrap().keys().collect();
    let promised = [
        "event_id",
        "device",
        "epoch",
        "sequence",
        "observed_at",
        "clock",
        "salvaged",
        "lost_ranges",
        "previous_epoch",
    ];
    assert_eq!(keys, promised);
    assert_eq!((&body["data"]["salvaged"], &body["data"]["previous_epoch"]), (&Value::from(0), &Value::Null));
    assert!(appliance.folder.path().join("state/journal.corrupt-1/journal.db").exists());
    let event = appliance.until("the event is listed", |it| it.events().pop());
    assert_eq!((&event["type"], &event["camera"]), (&Value::from("journal.reset"), &Value::Null));
    assert!(appliance.run(&["events"]).status.success());
    appliance.stop();
    appliance.start();
    appliance.stop();
    assert_eq!(receiver.arrived().len(), 1, "once");
}
