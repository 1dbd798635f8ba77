//! The client of `packaging/examples/client`: what each of its functions asks for, and that the daemon answers those whose
//! routes there are.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::alerts::{body, guarded, pair};
use crate::appliance::Appliance;
use crate::python;
use crate::receiver::{Answer, Arrived, Receiver};
use crate::shared::runtime;

/// What `messages` needs: packaging/examples/client/requirements.txt.
const WEBSOCKETS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/examples/client/requirements.txt"));

/// What the calls of `calls.py` come to, with that Python.
fn calls(python: &Path, address: &str, token: &[&str]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(python);
    python
        .arg(root.join("tests/it/client/calls.py"))
        .arg(root.join("packaging/examples/client"))
        .arg(address)
        .args(token);
    let output = python.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Says what was asked, or what a daemon says that refuses.
fn echo(request: &Arrived) -> Answer {
    let asked = request.request_line.strip_suffix(" HTTP/1.1").unwrap();
    let (status, body) = match asked {
        "GET /refused" => ("404 x", json!({"error": "no such thing", "hint": "look elsewhere"}).to_string()),
        "GET /broken" => ("502 x", "<html>".to_owned()),
        _ if asked.starts_with("DELETE") => ("204 x", String::new()),
        _ => {
            ("200 x", json!({"asked": asked, "with": serde_json::from_slice::<Value>(&request.body).ok()}).to_string())
        }
    };
    let length = body.len();
    Answer::Bytes(
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes(),
    )
}

#[test]
fn each_function_of_the_client_asks_what_the_contract_says() {
    let box_ = Receiver::start(|_, request| echo(request));
    let Some(python) = python::with(WEBSOCKETS.trim(), "websockets") else { return };
    let told = calls(&python, &format!("http://{}", box_.address()), &["s3cret"]);
    let asked = |asked: &str| json!({"asked": asked, "with": null});
    let posted = |asked: &str, with: Value| json!({"asked": asked, "with": with});
    let hook = "https://app/hook";
    let subscribed = json!({"question": "A person?", "webhook_url": hook, "confidence_threshold": 0.8, "metadata": {"zone": "dock"}});
    let expected = [
        posted("POST /streams", json!({"url": "rtsp://camera/1", "label": "dock"})),
        posted("POST /streams/dock%2F1/subscriptions", subscribed),
        posted(
            "POST /streams/dock/subscriptions",
            json!({"question": "A person?", "webhook_url": hook, "labels": ["person"]}),
        ),
        asked("GET /streams"),
        Value::Null,
        asked("GET /subscriptions"),
        asked("GET /subscriptions/s%201"),
        asked("GET /subscriptions/s1/stats"),
        asked("GET /subscriptions/s1/failed-events?limit=5"),
        Value::Null,
        posted("POST /v1/alerts", json!({"event_id": "event-1", "callback_url": hook})),
        posted("POST /v1/alerts", json!({"event_id": "event-1", "ws_connection_id": "ws-1"})),
        asked("GET /v1/alerts"),
        posted("POST /v1/alerts/a1/enable", json!({})),
        posted("POST /v1/alerts/a1/disable", json!({})),
        Value::Null,
        asked("GET /v1/events?monitor=person&limit=2"),
        json!({"refused": 404, "error": "no such thing", "hint": "look elsewhere"}),
        json!({"refused": 502, "error": "<html>", "hint": ""}),
    ];
    assert_eq!(told, expected);
    let arrived = box_.arrived();
    assert!(arrived.iter().all(|request| request.header("authorization") == "Bearer s3cret"));
    let deleted: Vec<_> =
        arrived.iter().map(|it| &*it.request_line).filter(|line| line.starts_with("DELETE")).collect();
    assert_eq!(
        deleted,
        ["DELETE /streams/dock%2F1 HTTP/1.1", "DELETE /subscriptions/s1 HTTP/1.1", "DELETE /v1/alerts/a1 HTTP/1.1"]
    );
}

#[test]
fn over_the_socket_the_client_talks_to_the_daemon() {
    let Some(python) = python::with(WEBSOCKETS.trim(), "websockets") else { return };
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let mut appliance = Appliance::new(&format!("[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\n", clip.display()));
    appliance.start();
    let address = format!("unix:{}", appliance.folder.path().join("stakeout.sock").display());
    let told = calls(&python, &address, &[]);
    assert_eq!(told[0], "box");
    assert_eq!((&told[1]["items"], told.len()), (&json!([]), 4), "{told:?}");
    assert_eq!(told[2]["refused"], 404, "{told:?}");
    assert!(told[2]["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{told:?}");
    assert_eq!(told[3], "box", "over the WebSocket");
}

#[test]
fn alerts_of_the_client_reach_its_connection_and_its_webhook_alike() {
    let Some(python) = python::with(WEBSOCKETS.trim(), "websockets") else { return };
    if runtime().is_none() {
        return;
    }
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = guarded("");
    appliance.start();
    let address = format!("unix:{}", appliance.folder.path().join("stakeout.sock").display());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples/client");
    let arguments = [folder.to_str().unwrap(), &address, &receiver.url()];
    let told = script(&python, "tests/it/client/alerts.py", &arguments, "");
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rule = &told[0]["event_id"];
    for alert in told[0]["alerts"].as_array().unwrap() {
        assert_eq!(&alert["event_id"], rule);
        let arrived = || receiver.arrived().iter().map(body).find(|it| pair(it) == pair(alert));
        assert_eq!(appliance.until("its webhook", |_| arrived()), *alert);
    }
    let ids = |key: &str| {
        let ids = told[1][key].as_array().unwrap();
        ids.iter().map(ToString::to_string).collect::<BTreeSet<_>>()
    };
    assert_eq!((ids("listed"), ids("made").len()), (ids("made"), 2));
    assert_eq!(told[2], json!({"disabled": "disabled", "enabled": "enabled"}));
    assert_eq!((&told[3], &told[4]["refused"]), (&json!({"left": []}), &json!(404)));
    appliance.stop();
}

/// What that script of the kit's or of ours prints, with these arguments and that input.
fn script(python: &Path, script: &str, arguments: &[&str], input: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(python);
    python.arg(root.join(script)).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_client_connects_subscribes_and_looks_after_what_it_asked_for() {
    let python = Path::new("python3");
    let mut appliance = Appliance::new("");
    appliance.edit("[api]\n", "[api]\ndefault_model = \"yard\"\n");
    appliance.start();
    let address = format!("unix:{}", appliance.folder.path().join("stakeout.sock").display());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples/client");
    let told = script(python, "tests/it/client/streams.py", &[folder.to_str().unwrap(), &address], "");
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let id = told[1]["id"].clone();
    assert_eq!((&told[0]["id"], &told[1]["status"]), (&json!("loading-dock"), &json!("active")));
    assert_eq!(told[2]["streams"][0]["url"], "rtsp://127.0.0.1:9/1");
    assert_eq!(told[3], json!({"subscriptions": [told[4]]}));
    let line = &told[4];
    assert_eq!((&line["id"], &line["stream_id"], &line["question"]), (&id, &told[0]["id"], &json!("A person?")));
    assert_eq!((&line["cooldown_seconds"], &line["model"]), (&json!(5.5), &json!("yard-classifier")));
    assert_eq!((&told[5]["delivery_success_rate"], &told[5]["dlq_count"]), (&json!(1.0), &json!(0)));
    assert_eq!((&told[6], &told[7]), (&json!({"failed_events": []}), &Value::Null));
    assert_eq!((&told[8], &told[9], &told[10]), (&json!({"refused": 404}), &Value::Null, &json!({"streams": []})));

    // Whoever provisions twice has what he had.
    fs::write(appliance.folder.path().join("token"), "s3cret").unwrap();
    let token = appliance.folder.path().join("token");
    let arguments = [&address, token.to_str().unwrap(), "http://127.0.0.1:9/hook"];
    let cameras = "rtsp://127.0.0.1:9/1 Loading dock\n\nrtsp://127.0.0.1:9/2 Gate\n";
    let provision = || script(python, "packaging/examples/client/provision.py", &arguments, cameras);
    let first = provision();
    let ids: BTreeSet<&str> = first.lines().map(|line| line.split('\t').nth(1).unwrap()).collect();
    assert_eq!((first.lines().count(), ids.len()), (6, 6), "each question of each camera: {first}");
    appliance.kill();
    appliance.start();
    assert_eq!(provision(), first);
    assert_eq!(appliance.status()["monitors"].as_array().unwrap().len(), 6);
    appliance.stop();
}
