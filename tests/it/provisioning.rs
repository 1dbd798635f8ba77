//! A box on which hundreds of monitors were made over the API, and one on which a change can't be put in force.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use rusqlite::Connection;
use serde_json::{Value, json};
use stakeout::journal::{Definition, Revision};
use stakeout::time::now;

use crate::appliance::Appliance;
use crate::definitions::{clip, good, line, monitor, name, state, when_triggered, yard};
use crate::owing::journal;

/// How often the log says that.
fn said(appliance: &Appliance, what: &str) -> usize {
    appliance.log().lines().filter(|line| line.contains(what)).count()
}

#[test]
fn a_start_reads_each_of_five_hundred_monitors_once_and_opens_their_model_once() {
    const MANY: usize = 500;
    let filter = "[log]\nfilter = \"info,stakeout::daemon::made=trace,stakeout::preflight=debug\"\n";
    let mut appliance = yard(filter);
    let kept = journal(&appliance);
    let definition = |kind: &str, name: &str, section: Value| Definition {
        kind: kind.to_owned(),
        name: self::name(name),
        body: json!({ "section": section }).to_string(),
        made: now().wall,
    };
    let disabled = |index: usize| {
        let mut body = monitor(&format!("zone-{index}"), "gate", "1h");
        body["enabled"] = json!(false);
        definition("monitor", &format!("zone-{index}"), body)
    };
    let gate = definition("camera", "gate", json!({"name": "gate", "url": clip(), "loop": true}));
    let keep = std::iter::once(gate).chain((1..MANY).map(disabled)).collect();
    kept.writer().revise(Revision { keep, ..Revision::default() }).wait().unwrap();
    kept.close().unwrap();

    appliance.start();
    let read =
        |it: &Appliance| (said(it, "a definition is read"), said(it, "its folder is opened and hashed model=yard"));
    assert_eq!(appliance.status()["monitors"].as_array().unwrap().len(), MANY - 1);
    // Read anew for each that follows, they would be read a hundred thousand times.
    assert_eq!(read(&appliance), (MANY, 1), "each once, and their model once");
    good(&appliance, "POST", "/v1/monitors", &monitor("another", "gate", "1h"));
    good(&appliance, "POST", "/v1/monitors/zone-7/enable", &json!({}));
    good(&appliance, "DELETE", "/v1/monitors/zone-8", &Value::Null);
    assert_eq!(read(&appliance), (MANY + 1, 1), "an order reads what it brings");
    when_triggered(&appliance, "another");
    appliance.stop();
}

/// A row that a newer release wrote can't be gone on from: who changes what watches that camera finds it too late.
#[test]
fn a_change_that_fails_half_way_is_taken_back_and_the_next_start_watches_as_before() {
    let mut appliance = yard("");
    appliance.start();
    good(&appliance, "POST", "/v1/monitors", &monitor("zone", "yard", "1h"));
    let job = when_triggered(&appliance, "zone")["job"]["id"].clone();
    let by_hand = || Connection::open(appliance.folder.path().join("state/journal.db")).unwrap();
    let state: String = by_hand().query_row("SELECT state FROM machine", [], |row| row.get(0)).unwrap();
    let mut newer: Value = serde_json::from_str(&state).unwrap();
    newer["machine"]["version"] = json!(9999);
    by_hand()
        .execute(
            "INSERT INTO machine (monitor, camera, definition, state, counters) \
             SELECT 'ghost', camera, definition, ?1, counters FROM machine",
            [newer.to_string()],
        )
        .unwrap();
    assert_eq!(ask_in_vain(&appliance, &monitor("other", "yard", "1h")), "", "nobody is left to answer");
    let last_words = "a change could not be put in force and is taken back";
    appliance.until("it ends", |it| it.log().contains(last_words).then_some(()));
    by_hand().execute("DELETE FROM machine WHERE monitor = 'ghost'", []).unwrap();
    appliance.kill();
    let definitions = self::state(&appliance).definitions().unwrap();
    assert_eq!(definitions.into_iter().map(|it| it.name).collect::<Vec<_>>(), [name("zone")]);

    appliance.start();
    assert_eq!(line(&appliance, "other"), None);
    let after = appliance.until("it watches", |it| line(it, "zone").filter(|it| it["state"] == "open"));
    assert_eq!(after["job"]["id"], job, "what was before goes on");
    appliance.stop();
}

/// What comes back for an order to make a monitor: nothing where the daemon ends over it.
fn ask_in_vain(appliance: &Appliance, body: &Value) -> String {
    let body = body.to_string();
    let mut stream = UnixStream::connect(appliance.folder.path().join("stakeout.sock")).unwrap();
    let head = "POST /v1/monitors HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    // Cut off, or closed.
    let _ = stream.read_to_string(&mut answer);
    answer
}
