//! The same alert in every format over HTTP, from the built binary on a clip: what arrives fits its published schema.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::appliance::Appliance;
use crate::receiver::{Answer, Arrived, Receiver};

/// Formats, and how many requests each makes of an alert that ends its job: the alert, its end, the job's end.
const FORMATS: [(&str, usize); 6] =
    [("stakeout", 3), ("trio-live-monitor", 2), ("trio-stream", 1), ("videodb", 1), ("slack", 1), ("pagerduty", 2)];

const MAX_BODY: usize = 16 << 10;

/// A box that watches the yard until somebody is in the zone, with an endpoint of each format.
fn appliance(receiver: &Receiver) -> Appliance {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let mut config = format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\n\
         [[monitor]]\nname = \"person-in-zone\"\ncamera = \"yard\"\ncondition = \"Is a person inside the marked zone?\"\n\
         model = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\nconfidence_threshold = 0.8\n\
         check_interval = \"100ms\"\nstop_on_trigger = true\nmetadata = {{ zone = \"dock <1>\", severity = \"high\" }}\n",
        clip.display()
    );
    for (format, _) in FORMATS {
        let more = match format {
            "slack" => "",
            "pagerduty" => "routing_key_file = \"HERE/pager.key\"\n",
            "stakeout" => "secret_file = \"HERE/ops.secret\"\nevents = [\"monitor.*\", \"job.*\"]\n",
            _ => "secret_file = \"HERE/ops.secret\"\n",
        };
        config += &format!(
            "[[endpoint]]\nname = \"{format}\"\nformat = \"{format}\"\nurl = \"http://{}/{format}\"\n\
             max_body = \"{}KiB\"\n{more}",
            receiver.address(),
            MAX_BODY >> 10
        );
    }
    let appliance = Appliance::new(&config);
    fs::write(appliance.folder.path().join("pager.key"), "r0utingk3y").unwrap();
    appliance
}

fn schema(format: &str) -> Validator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/schemas");
    let text = fs::read_to_string(folder.join(format!("{format}.schema.json"))).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

/// The bodies that arrived, by format, in the order of arrival.
fn sorted(arrived: &[Arrived]) -> BTreeMap<String, Vec<Value>> {
    let mut bodies: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for request in arrived {
        let format = request.request_line.split(['/', ' ']).nth(2).unwrap().to_owned();
        assert!(request.body.len() <= MAX_BODY, "{format}: {} bytes", request.body.len());
        let is_signed = request.has_header("x-trio-signature") && request.has_header("webhook-signature");
        assert_eq!(is_signed, !matches!(format.as_str(), "slack" | "pagerduty"), "{format}");
        bodies.entry(format).or_default().push(serde_json::from_slice(&request.body).unwrap());
    }
    bodies
}

fn find<'a>(bodies: &'a [Value], key: &str, value: &str) -> &'a Value {
    bodies.iter().find(|body| body[key] == value).unwrap_or_else(|| panic!("no `{value}` in {bodies:#?}"))
}

#[test]
fn one_alert_in_every_format_fits_its_schema() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = appliance(&receiver);
    appliance.start();
    let arrived = receiver.wait_for(FORMATS.iter().map(|(_, count)| count).sum());
    appliance.stop();
    let bodies = sorted(&arrived);
    for (format, count) in FORMATS {
        let (schema, bodies) = (schema(format), &bodies[format]);
        assert_eq!(bodies.len(), count, "{format}: {bodies:#?}");
        for body in bodies {
            let wrong: Vec<_> = schema.iter_errors(body).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{format}: {wrong:?}\n{body:#}");
            let mut more = body.clone();
            more["extra"] = json!(1);
            assert!(!schema.is_valid(&more), "the schema of `{format}` lets anything through");
        }
    }

    let ours = find(&bodies["stakeout"], "type", "monitor.triggered");
    let stream = &bodies["trio-stream"][0];
    assert_eq!(stream["request_id"], ours["data"]["event_id"], "one event, one id");
    assert_eq!((&stream["stream_id"], &stream["subscription_id"]), (&json!("yard"), &json!("person-in-zone")));
    assert_eq!(stream["confidence"], ours["data"]["confidence"]);

    let live = &bodies["trio-live-monitor"];
    let (alert, job) = (find(live, "type", "live_monitor_triggered"), find(live, "type", "job_status"));
    assert_ne!(alert["timestamp"], job["timestamp"], "what tells them apart");
    assert_eq!((&job["status"], &job["details"]["reason"]), (&json!("completed"), &json!("condition_triggered")));
    assert_eq!(job["job_id"], ours["data"]["job_id"]);
    let frame = STANDARD.decode(alert["data"]["frame_b64"].as_str().unwrap()).unwrap();
    assert!(frame.starts_with(&[0xff, 0xd8]) && frame.len() > 1000, "a picture, scaled down: {} bytes", frame.len());

    let rule = &bodies["videodb"][0];
    assert_eq!(rule["label"], "person_in_zone");
    let (from, to) = (rule["start_time"].as_f64().unwrap(), rule["end_time"].as_f64().unwrap());
    assert!(0.0 <= from && from <= to && to > 0.0, "{from} to {to}");

    let section = bodies["slack"][0]["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!(section.starts_with("🚨 *Video Alert — dock &lt;1&gt;*\n"), "{section}");

    let incident = &bodies["pagerduty"];
    let (trigger, resolve) = (find(incident, "event_action", "trigger"), find(incident, "event_action", "resolve"));
    assert_eq!(trigger["dedup_key"], resolve["dedup_key"]);
    let open_id = ours["data"]["open_id"].as_str().unwrap();
    assert_eq!(trigger["dedup_key"], format!("person-in-zone:{open_id}"));
    assert_eq!(trigger["payload"]["severity"], "error");
}

/// A box with one endpoint of that format, which a receiver answers with 200.
fn with_one(format: &str, receiver: &Receiver) -> Appliance {
    let url = receiver.url();
    let config = format!("[[endpoint]]\nname = \"ops\"\nformat = \"{format}\"\nurl = \"{url}\"\n");
    Appliance::new(&config)
}

#[test]
fn a_check_says_that_nothing_happened() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let checked = with_one("slack", &receiver).run(&["endpoint", "check", "ops"]);
    let (out, said) = (String::from_utf8(checked.stdout).unwrap(), String::from_utf8(checked.stderr).unwrap());
    assert!(checked.status.success() && said.is_empty(), "nothing is odd about an unsigned message to Slack: {said}");
    assert!(out.contains("signature    none: its format knows none"), "{out}");
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 1, "there is no signature to forge");
    let body: Value = serde_json::from_slice(&arrived[0].body).unwrap();
    assert!(schema("slack").is_valid(&body), "{body}");
    assert!(body["text"].as_str().unwrap().ends_with("Nothing happened."), "{body}");
}

#[test]
fn receivers_that_act_on_whatever_comes_are_not_tried() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let appliance = with_one("videodb", &receiver);
    let checked = appliance.run(&["endpoint", "check", "ops"]);
    let said = String::from_utf8(checked.stderr).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("endpoint `ops`: the format `videodb` has no message for trying out"), "{said}");
    let checked = appliance.run(&["check", "--live"]);
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(checked.status.success(), "not tried is no failure: {said}");
    assert!(said.contains("warning: endpoint `ops` was not tried: the format `videodb`"), "{said}");
    assert_eq!(receiver.arrived(), []);
}
