//! Answers of a running daemon, held against `/openapi.json` by a validator that we did not write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{Answer, ask, daemon, unix};
use crate::appliance::Appliance;
use crate::receiver::{self, Receiver};
use crate::shared::skip;

/// It brings the validator, too.
const PYPI: &str = "schemathesis==4.32.5";

/// The folder of its programs; None where it can't be had, which is a failure in CI. Made by the first run and kept.
pub(super) fn python() -> Option<PathBuf> {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/venv-api");
    let works = || schemathesis(&venv.join("bin")).arg("--version").output().is_ok_and(|it| it.status.success());
    if !works() {
        let _ = Command::new("python3").args(["-m", "venv"]).arg(&venv).output();
        let pip = Command::new(venv.join("bin/python")).args(["-m", "pip", "install", "--quiet", PYPI]).output();
        if !works() {
            skip(&format!("no Python with pip to install `{PYPI}`: {pip:?}"));
            return None;
        }
    }
    Some(venv.join("bin"))
}

/// As a module: programs in such a folder work only where it was made.
pub(super) fn schemathesis(python: &Path) -> Command {
    let mut schemathesis = Command::new(python.join("python"));
    schemathesis.args(["-m", "schemathesis.cli"]);
    schemathesis
}

/// What the validator says of `answers`; empty: all are as the document says.
fn validate(python: &Path, document: &Value, answers: &[Value]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        fs::write(&path, value.to_string()).unwrap();
        path
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/api/answers.py");
    let mut validator = Command::new(python.join("python"));
    validator.arg(script).arg(file("document", document)).arg(file("answers", &json!(answers)));
    let Output { status, stdout, stderr } = validator.output().unwrap();
    assert!(status.code().is_some_and(|code| code < 2) && stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn record(method: &str, route: &str, answer: &Answer) -> Value {
    let kind = answer.head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    let body = if kind == "application/json" { answer.json() } else { Value::Null };
    json!({"method": method, "route": route, "status": answer.status, "type": kind, "body": body})
}

/// Of streams no end would come.
fn is_stream(operation: &Value) -> bool {
    let responses = &operation["responses"];
    responses["101"].is_object() || responses["200"]["content"]["text/event-stream"].is_object()
}

/// Every route that is read without naming anything, and those that name something, of which there is one.
fn asked(appliance: &Appliance, document: &Value) -> Vec<Value> {
    let paths = document["paths"].as_object().unwrap();
    let whole = paths
        .iter()
        .filter(|(route, item)| !route.contains('{') && item["get"].is_object() && !is_stream(&item["get"]));
    let mut asked: Vec<(&str, String, String, &str)> =
        whole.map(|(route, _)| ("get", route.clone(), route.clone(), "")).collect();
    assert!(asked.len() >= 9, "{asked:?}");

    let first = |path: &str| ask(unix(appliance), &format!("GET {path}"), &[], b"").unwrap().json()["items"][0].clone();
    let (event, delivery) = (first("/v1/events?type=monitor.triggered"), first("/v1/dlq"));
    let [event, job, delivery] = [&event["id"], &event["job_id"], &delivery["id"]].map(|id| id.as_str().unwrap());
    let nobody = "00000000-0000-0000-0000-000000000001";
    let alert = stakeout::api::alert_id(&stakeout::name::Name::new("person").unwrap(), "http://127.0.0.1:9/alerts");
    let made = r#"{"name": "made", "url": "http://127.0.0.1:9/", "enabled": false}"#;
    for (method, route, name, body) in [
        ("get", "/v1/cameras/{name}/snapshot", "yard", ""),
        ("get", "/v1/cameras/{name}/snapshot", "away", ""),
        ("get", "/v1/monitors/{name}", "person", ""),
        ("get", "/v1/monitors/{name}", "nobody", ""),
        ("get", "/v1/events/{id}", event, ""),
        ("get", "/v1/events/{id}/frame", event, ""),
        ("get", "/v1/events/{id}", nobody, ""),
        ("get", "/v1/deliveries/{id}", delivery, ""),
        ("get", "/jobs/{job_id}", job, ""),
        ("post", "/v1/endpoints/{name}/check", "ops", ""),
        ("post", "/v1/endpoints/{name}/enable", "ops", ""),
        ("post", "/v1/deliveries/{id}/retry", delivery, ""),
        ("post", "/v1/deliveries/{id}/drop", nobody, ""),
        ("post", "/v1/dlq/retry", "", "{}"),
        ("post", "/v1/dlq/drop", "", "{}"),
        ("post", "/v1/endpoints", "", made),
        ("post", "/v1/endpoints", "", "{}"),
        ("put", "/v1/endpoints/{name}", "made", made),
        ("get", "/v1/endpoints", "", ""),
        ("delete", "/v1/endpoints/{name}", "made", ""),
        ("delete", "/v1/endpoints/{name}", "ops", ""),
        ("post", "/v1/monitors/{name}/disable", "person", ""),
        ("get", "/v1/status", "", ""),
        ("post", "/v1/monitors/{name}/enable", "person", ""),
        ("post", "/v1/alerts", "", r#"{"event_id": "person", "callback_url": "http://127.0.0.1:9/alerts"}"#),
        ("post", "/v1/alerts/{id}/disable", alert.as_str(), ""),
        ("post", "/v1/alerts/{id}/enable", alert.as_str(), ""),
        ("get", "/v1/alerts", "", ""),
        ("get", "/v1/monitors", "", ""),
        ("delete", "/v1/alerts/{id}", alert.as_str(), ""),
        ("post", "/jobs/{job_id}/start", job, ""),
        ("post", "/jobs/{job_id}/start", nobody, ""),
    ] {
        let (before, rest) = route.split_once('{').unwrap_or((route, ""));
        let after = rest.split_once('}').map_or("", |(_, after)| after);
        asked.push((method, route.to_owned(), format!("{before}{name}{after}"), body));
    }
    let answer = |(method, route, path, body): (&str, String, String, &str)| {
        let headers: &[&str] = if body.is_empty() { &[] } else { &["Content-Type: application/json"] };
        let request = format!("{} {path}", method.to_uppercase());
        record(method, &route, &ask(unix(appliance), &request, headers, body.as_bytes()).unwrap())
    };
    asked.into_iter().map(answer).collect()
}

#[test]
fn answers_are_as_the_document_says() {
    let Some(python) = python() else { return };
    let receiver = Receiver::start(|_, _| receiver::Answer::status(400));
    let appliance = daemon("127.0.0.1:0", &receiver);
    appliance.until("a dead letter", |it| (!it.json(&["dlq", "list", "--json"]).is_empty()).then_some(()));
    let document = ask(unix(&appliance), "GET /openapi.json", &[], b"").unwrap().json();
    let answers = asked(&appliance, &document);
    assert_eq!(validate(&python, &document, &answers), "");
    let fine = answers.iter().filter(|answer| (200..300).contains(&answer["status"].as_u64().unwrap())).count();
    assert!(fine >= answers.len() - 8, "most of them are no errors: {fine} of {}", answers.len());

    // What is not as the document says is found.
    let status = answers.iter().find(|answer| answer["route"] == "/v1/status").unwrap();
    for spoil in [
        |status: &mut Value| status["body"]["cameras"][0]["fps"] = json!("many"),
        |status: &mut Value| status["body"]["new"] = json!(1),
        |status: &mut Value| drop(status["body"].as_object_mut().unwrap().remove("device")),
        |status: &mut Value| status["body"]["monitors"][0]["job"]["id"] = json!("seven"),
        |status: &mut Value| status["type"] = json!("text/html"),
    ] {
        let mut spoilt = status.clone();
        spoil(&mut spoilt);
        assert_ne!(validate(&python, &document, &[spoilt.clone()]), "", "{spoilt}");
    }
}
