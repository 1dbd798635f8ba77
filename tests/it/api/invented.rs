//! Requests that schemathesis makes up out of `/openapi.json`, right ones and wrong ones: nothing that the daemon answers is
//! otherwise than the document says, nothing that the document forbids is granted, and the daemon stays what it was.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::answers::{python, schemathesis};
use super::{ask, daemon, port, unix};
use crate::appliance::Appliance;
use crate::receiver::{Answer, Receiver};

const DOCUMENT: &str = include_str!("../../../packaging/openapi.json");

/// Routes that answer for ever or only when a camera has a picture.
const ENDLESS: &str = "/stream$|/ws$|/snapshot$";

/// How orders begin and end of which one at least is right, or little was tried.
const OBEYED: [(&str, &str); 20] = [
    ("POST /v1/cameras", ""),
    ("POST /v1/endpoints", ""),
    ("POST /v1/monitors", ""),
    ("PUT /v1/cameras/", ""),
    ("PUT /v1/endpoints/", ""),
    ("DELETE /v1/", ""),
    ("POST /v1/endpoints/", "/check"),
    ("POST /v1/monitors/", "/enable"),
    ("POST /v1/dlq/retry", ""),
    ("POST /live-monitor", ""),
    ("POST /jobs/", "/start"),
    ("POST /streams", ""),
    ("POST /streams/", "/subscriptions"),
    ("DELETE /subscriptions/", ""),
    ("POST /v1/alerts", ""),
    ("DELETE /v1/alerts/", ""),
    ("POST /api/webhooks", ""),
    ("PUT /api/webhooks/", ""),
    ("PATCH /api/webhooks/", ""),
    ("DELETE /api/webhooks/", ""),
];

/// So many subscriptions, alerts and webhooks there are to begin with: one is gone once it was taken away.
const OF_EACH: usize = 4;

fn get(appliance: &Appliance, path: &str) -> Value {
    ask(unix(appliance), &format!("GET {path}"), &[], b"").unwrap().json()
}

/// Of the monitor of the file.
fn event_id(appliance: &Appliance) -> Value {
    get(appliance, "/v1/monitors/person")["items"][0]["event_id"].clone()
}

fn post(appliance: &Appliance, path: &str, body: &Value) {
    let headers = ["Content-Type: application/json"];
    let answer = ask(unix(appliance), &format!("POST {path}"), &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// A daemon, what is asked of it, and with what.
struct Inquiry<'a> {
    python: &'a Path,
    appliance: Appliance,
    methods: &'static [&'static str],
    _receiver: Receiver,
}

impl Inquiry<'_> {
    fn new<'a>(python: &'a Path, methods: &'static [&'static str]) -> Inquiry<'a> {
        let receiver = Receiver::start(|_, _| Answer::status(400));
        let appliance = daemon("127.0.0.1:0", &receiver);
        appliance.until("a dead letter", |it| (!it.json(&["dlq", "list", "--json"]).is_empty()).then_some(()));
        for number in 0..OF_EACH {
            let hook = format!("{}/{number}", receiver.url());
            let asked = json!({"question": "Is a person there?", "labels": ["person"], "webhook_url": hook});
            post(&appliance, "/streams/yard/subscriptions", &asked);
            post(&appliance, "/v1/alerts", &json!({"event_id": event_id(&appliance), "callback_url": hook}));
            post(&appliance, "/api/webhooks", &json!({"url": hook, "encoding_finished": true}));
        }
        Inquiry { python, appliance, methods, _receiver: receiver }
    }

    /// What half of the requests are about: otherwise nearly all were about things that there are not.
    fn what_there_is(&self) -> String {
        let ids = |command: &[&str], key: &str| -> Vec<Value> {
            self.appliance.json(command).iter().map(|line| line[key].clone()).collect()
        };
        let mut text = String::new();
        for (parameter, values) in [
            ("path.name", json!(["yard", "person", "ops", "gate", "hq"])),
            ("path.job_id", json!(ids(&["jobs", "list", "--json"], "job_id"))),
            ("path.id", json!(self.ids(&ids(&["dlq", "list", "--json"], "id")))),
            ("body.camera", json!(["yard"])),
            ("body.model", json!(["yard-classifier"])),
            ("body.event_id", json!([event_id(&self.appliance)])),
            ("body.stream_url", json!(["yard", "rtsp://camera.example/1"])),
        ] {
            let name = parameter.replace('.', "-");
            text += &format!("dictionaries.{name}.values = {values}\n");
            text += &format!("parameters.\"{parameter}\" = {{ dictionary = \"{name}\", probability = 0.5 }}\n");
        }
        text
    }

    /// A dead letter, a stream, the subscriptions, the alerts and the webhooks.
    fn ids(&self, letters: &[Value]) -> Vec<Value> {
        let items = |path: &str, list: &str, id: &str| -> Vec<Value> {
            let items = get(&self.appliance, path);
            items.pointer(list).unwrap().as_array().unwrap().iter().map(|item| item[id].clone()).collect()
        };
        let alerts = items("/v1/alerts", "/alerts", "alert_id");
        let subscriptions = items("/subscriptions", "/subscriptions", "id");
        let webhooks = items("/api/webhooks", "/data/webhooks", "id");
        let fewest = alerts.len().min(subscriptions.len()).min(webhooks.len());
        assert!(fewest > 0, "a run before may have made some and taken some away");
        [vec![json!("yard")], letters[..1].to_vec(), subscriptions, alerts, webhooks].concat()
    }

    /// What it finds on the routes that match `routes`, where the document is this one.
    fn run(&self, document: &str, routes: &str) -> Output {
        let at = SocketAddr::from(([127, 0, 0, 1], port(&self.appliance)));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("openapi.json");
        fs::write(&file, document).unwrap();
        fs::write(folder.path().join("schemathesis.toml"), self.what_there_is()).unwrap();
        let mut run = schemathesis(self.python);
        run.arg("run").arg(file).args(["--url", &format!("http://{at}"), "--checks", "all"]);
        // What is right by itself may be wrong beside what there is.
        run.args(["--exclude-checks", "positive_data_acceptance", "--exclude-path-regex", ENDLESS]);
        run.args(self.methods.iter().flat_map(|method| ["--include-method", method]));
        run.args(["--include-path-regex", routes]);
        run.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "1"]);
        run.args(["--no-shrink", "--request-timeout", "60", "--no-color"]);
        run.current_dir(folder.path()).output().unwrap()
    }

    fn finds_nothing(&self) {
        let Output { status, stdout, stderr } = self.run(DOCUMENT, "^/");
        let told = String::from_utf8_lossy(&stdout);
        assert!(status.success(), "{told}\n{}\n{}", String::from_utf8_lossy(&stderr), self.appliance.log());
        assert!(told.contains("passed"), "{told}");
        assert!(!self.appliance.log().contains("panicked"), "{}", self.appliance.log());
        assert_eq!(ask(unix(&self.appliance), "GET /v1/status", &[], b"").unwrap().status, 200);
    }

    /// With a document that says something else.
    fn finds(&self, routes: &str, right: &str, wrong: &str) {
        assert!(DOCUMENT.contains(right), "{right}");
        let Output { status, stdout, .. } = self.run(&DOCUMENT.replace(right, wrong), routes);
        assert_eq!(status.code(), Some(1), "{wrong}: {}", String::from_utf8_lossy(&stdout));
    }

    /// Of the daemon's memory, the most there ever was, in KiB.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.appliance.process())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

#[test]
fn schemathesis_finds_nothing_where_things_are_read() {
    let Some(python) = python() else { return };
    Inquiry::new(&python, &["GET"]).finds_nothing();
}

#[test]
fn schemathesis_finds_nothing_where_things_are_changed() {
    let Some(python) = python() else { return };
    let inquiry = Inquiry::new(&python, &["POST", "PUT", "PATCH", "DELETE"]);
    let (process, before) = (inquiry.appliance.process(), inquiry.peak());
    inquiry.finds_nothing();
    assert_eq!(inquiry.appliance.process(), process);
    let log = inquiry.appliance.log();
    for (begin, end) in OBEYED {
        let is_it = |line: &str| line.contains(&format!("obeyed `{begin}")) && line.contains(&format!("{end}`"));
        assert!(log.lines().any(is_it), "no `{begin}…{end}` was right\n{log}");
    }
    let more = inquiry.peak().saturating_sub(before);
    assert!(more < 512 << 10, "it took {more} KiB more");
}

/// The negative controls: answers that are otherwise than a document says, and a request that is granted though it says no.
#[test]
fn schemathesis_finds_what_is_wrong() {
    let Some(python) = python() else { return };
    let inquiry = Inquiry::new(&python, &["GET", "POST"]);
    for (routes, right, wrong) in [
        ("^/v1/status$", "\"uptime_s\"", "\"uptime_h\""),
        ("^/v1/dlq/", "\"retried\": {\"type\": \"integer\"", "\"retried\": {\"type\": \"string\""),
        (
            "^/v1/dlq/",
            "\"after\": {\"type\": [\"integer\", \"null\"]",
            "\"after\": {\"type\": [\"string\", \"boolean\"]",
        ),
    ] {
        inquiry.finds(routes, right, wrong);
    }
}
