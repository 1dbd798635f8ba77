//! Webhooks for clips as clients of AIOZ Stream manage them: a client in the shape of the published ones, and what its
//! receivers are sent.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stakeout::config::{Format, FrameChoice};
use stakeout::event::{ClipReport, ClipStage, Event, EventData, Metadata, Priority};
use stakeout::journal::{Accepted, Body, Journal, Owed, OwedFrame, Record, Stamp};
use stakeout::payload::{Envelope, render};
use stakeout::time::{Boot, now};
use uuid::Uuid;

use crate::appliance::Appliance;
use crate::channels::websocket::assert_documented;
use crate::definitions::{ask, clip, good, is_signed, name, state};
use crate::owing::{accept, journal};
use crate::receiver::{Answer, Arrived, Receiver};
use crate::receivers::running::{Language, Running, copied};
use crate::shared::runtime;

const TOKEN: &str = "secret-key-of-the-box";

/// A box whose monitor `gate`, once it is enabled, records what it sees and sends to an endpoint of its own; `token` is what
/// the API asks for.
fn recording(token: &str) -> Appliance {
    let appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"{}\"\nloop = true\n\
         [[monitor]]\nname = \"gate\"\ncamera = \"yard\"\ncondition = \"Is a person there?\"\n\
         model = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\nhold = \"1 of 1\"\ncheck_interval = \"100ms\"\n\
         cooldown = \"1h\"\nclear_after = \"500ms\"\nenabled = false\nendpoints = [\"ops\"]\n\
         clip = {{ before = \"2s\", after = \"1s\" }}\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"http://127.0.0.1:9/ops\"\nenabled = false\n",
        clip()
    ));
    let at = appliance.folder.path();
    fs::write(at.join("api.token"), token).unwrap();
    fs::set_permissions(at.join("api.token"), fs::Permissions::from_mode(0o600)).unwrap();
    let place = |file: &str| at.join(file).display().to_string();
    let (token, secret) = (place("api.token"), place("ops.secret"));
    let settings = format!("listen = \"127.0.0.1:0\"\ntoken_file = \"{token}\"\nwebhook_secret_file = \"{secret}\"");
    appliance.edit("[api]\n", &format!("[api]\n{settings}\n"));
    appliance
}

/// What a client with these keys is told for each of its orders.
fn client(appliance: &Appliance, secret_key: &str, orders: &[Value]) -> Vec<Value> {
    let base = format!("http://127.0.0.1:{}/api", crate::api::port(appliance));
    let mut python = Command::new("python3")
        .args(["-c", include_str!("aioz/client.py"), &base, "public-key", secret_key])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = orders.iter().map(|order| format!("{order}\n")).collect();
    python.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), appliance.log());
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn one(appliance: &Appliance, order: &Value) -> Value {
    let told = client(appliance, TOKEN, std::slice::from_ref(order)).remove(0);
    assert!(told.get("answer").is_some(), "{order}: {told}");
    told["answer"].clone()
}

fn refused(appliance: &Appliance, order: &Value) -> (u64, String) {
    let told = client(appliance, TOKEN, std::slice::from_ref(order)).remove(0);
    let details = &told["details"];
    assert_eq!((&details["status"], &details["message"]), (&json!("fail"), &details["error"]), "{order}: {told}");
    assert!(details["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{told}");
    (told["code"].as_u64().unwrap(), told["message"].as_str().unwrap().to_owned())
}

/// The endpoint that a webhook is.
fn endpoint(webhook: &Value) -> String {
    format!("webhook-{}", webhook["id"].as_str().unwrap())
}

fn endpoints(appliance: &Appliance) -> Vec<String> {
    let lines = good(appliance, "GET", "/v1/endpoints", &Value::Null);
    lines["items"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_client_of_aioz_makes_changes_checks_and_deletes_webhooks_which_survive_kills() {
    if runtime().is_none() {
        return;
    }
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = recording(TOKEN);
    appliance.start();
    let wanted = json!({
        "name": "Lager – Tür", "url": receiver.url(), "encoding_started": true, "encoding_finished": true,
        "file_received": false, "partial_finished": null,
    });
    let made = one(&appliance, &json!(["create", wanted]));
    assert_eq!(
        (&made["name"], &made["url"], &made["user_id"]),
        (&json!("Lager – Tür"), &json!(receiver.url()), &json!("box"))
    );
    let told = |webhook: &Value| {
        ["file_received", "encoding_started", "partial_finished", "encoding_finished", "encoding_failed"]
            .map(|moment| webhook[moment].as_bool().unwrap())
    };
    assert_eq!(told(&made), [false, true, false, true, false]);
    assert_eq!((&made["created_at"], &made["last_triggered_at"]), (&made["updated_at"], &Value::Null));
    assert_documented(&made, "Webhook");
    let other = one(&appliance, &json!(["create", {"url": receiver.url(), "file_received": true}]));
    assert_eq!(other["name"], "default-name-webhook");
    assert_eq!(endpoints(&appliance), ["ops".to_owned(), endpoint(&made), endpoint(&other)]);

    appliance.kill();
    appliance.start();
    let get = json!(["get", made["id"]]);
    assert_eq!(one(&appliance, &get), made, "as it was made");
    one(&appliance, &json!(["update", made["id"], {"name": "Dock", "encoding_failed": true}]));
    let changed = one(&appliance, &get);
    assert_eq!((&changed["name"], told(&changed)), (&json!("Dock"), [false, true, false, true, true]));
    assert_eq!((&changed["id"], &changed["created_at"]), (&made["id"], &made["created_at"]));
    assert!(changed["updated_at"].as_str() > made["updated_at"].as_str(), "{changed}");
    appliance.kill();
    appliance.start();
    assert_eq!(
        one(&appliance, &json!(["list", {"order_by": "asc"}])),
        json!({"webhooks": [changed, other], "total": 2})
    );
    let some = json!(["list", {"search": "dock", "sort_by": "name", "limit": 1, "encoding_finished": "true"}]);
    assert_eq!(one(&appliance, &some), json!({"webhooks": [changed], "total": 1}));

    one(&appliance, &json!(["delete", made["id"]]));
    assert_eq!(refused(&appliance, &get).0, 404);
    appliance.kill();
    appliance.start();
    assert_eq!(one(&appliance, &json!(["list", {}]))["webhooks"], json!([other]));

    // The negative control: without its row there is nothing of it.
    appliance.stop();
    let kept = journal(&appliance);
    kept.writer().undefine("endpoint", name(&endpoint(&other))).wait().unwrap();
    kept.close().unwrap();
    appliance.start();
    assert_eq!(one(&appliance, &json!(["list", {}]))["total"], 0);
}

#[test]
fn a_check_tells_whether_the_receiver_takes_what_it_is_sent() {
    if runtime().is_none() {
        return;
    }
    let (takes, fails) = (Receiver::start(|_, _| Answer::status(200)), Receiver::start(|_, _| Answer::status(500)));
    let mut appliance = recording(TOKEN);
    appliance.start();
    let hook =
        |receiver: &Receiver| one(&appliance, &json!(["create", {"url": receiver.url(), "encoding_failed": true}]));
    let (good, bad) = (hook(&takes), hook(&fails));
    let answered = one(&appliance, &json!(["check", good["id"]]));
    assert!(answered.as_str().unwrap().starts_with("the webhook answered 200 after "), "{answered}");
    let sent = takes.wait_for(1).remove(0);
    assert!(is_signed(&sent), "as `[api] webhook_secret_file` says");
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(
        (&body["type"], &body["media_type"], &body["user_id"]),
        (&json!("endpoint.check"), &json!("video"), &json!("box"))
    );
    let (code, message) = refused(&appliance, &json!(["check", bad["id"]]));
    assert_eq!(code, 424);
    assert!(message.starts_with("the webhook answered 500 after "), "{message}");
    drop(takes);
    let (code, message) = refused(&appliance, &json!(["check", good["id"]]));
    assert_eq!(code, 424);
    assert!(message.starts_with("the webhook does not answer: "), "{message}");
    assert_eq!(one(&appliance, &json!(["get", good["id"]]))["last_triggered_at"], Value::Null, "a check is no event");
}

#[test]
fn a_webhook_that_fails_is_tried_three_times_again() {
    if runtime().is_none() {
        return;
    }
    let fails = Receiver::start(|_, _| Answer::status(500));
    let recovers = Receiver::start(|n, _| Answer::status(if n == 0 { 503 } else { 200 }));
    let mut appliance = recording(TOKEN);
    appliance.start();
    let hook =
        |receiver: &Receiver| one(&appliance, &json!(["create", {"url": receiver.url(), "encoding_failed": true}]));
    let hooks = [hook(&fails), hook(&recovers)];
    appliance.stop();
    let kept = journal(&appliance);
    accept(&kept, now(), &hooks.each_ref().map(endpoint).each_ref().map(String::as_str));
    kept.close().unwrap();
    appliance.start();
    let dead = appliance.until("it is given up", |it| it.json(&["dlq", "list", "--json"]).pop());
    assert_eq!((&dead["endpoint"], &dead["attempts"]), (&json!(endpoint(&hooks[0])), &json!(4)));
    let attempts = |receiver: &Receiver| -> Vec<String> {
        receiver.arrived().iter().map(|request: &Arrived| request.header("x-stakeout-attempt").to_owned()).collect()
    };
    assert_eq!(attempts(&fails), ["1", "2", "3", "4"]);
    assert_eq!(attempts(&recovers), ["1", "2"], "once it is taken, nothing more comes");
    for hook in hooks {
        assert!(one(&appliance, &json!(["get", hook["id"]]))["last_triggered_at"].is_string());
    }
}

/// Puts what became of a clip into the journal of a box that is off, owed to `endpoint`.
fn tell(journal: &Journal, clip: Uuid, stage: ClipStage, endpoint: &str) {
    let at = now();
    let data = EventData::Clip(ClipReport {
        stage,
        clip,
        alert: Uuid::from_u128(1),
        alerted: at.wall,
        height: Some(720),
        url: String::new(),
        player_url: String::new(),
        duration_ms: 2_000,
        bytes: 1,
        sha256: String::new(),
    });
    let event = Event {
        id: at.new_id(),
        observed: at,
        boot: Boot::current(),
        device: "box".into(),
        camera: Some(name("yard")),
        monitor: Some(name("gate")),
        job: None,
        priority: Priority::Normal,
        metadata: Metadata::new(),
        data,
    };
    let said = event.clone();
    let render = move |stamp: &Stamp| {
        let envelope = Envelope { epoch: stamp.epoch, sequence: stamp.sequence, moment_us: stamp.moment_us };
        Body::whole(render(Format::Aioz, &said, envelope, FrameChoice::None).unwrap())
    };
    let owed = Owed { endpoint: name(endpoint), frame: OwedFrame::None, format_version: 1, render: Box::new(render) };
    let events = vec![Accepted { event, frame: None, owed: vec![owed] }];
    journal.writer().record(Record { at, events, machine: None, jobs: Vec::new() }).wait().unwrap();
}

#[test]
fn a_webhook_of_a_client_hears_of_what_a_monitor_of_the_file_records_as_far_as_it_asked() {
    if runtime().is_none() {
        return;
    }
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = recording(TOKEN);
    appliance.start();
    let asked = json!({"url": receiver.url(), "encoding_started": true, "encoding_finished": true});
    let webhook = one(&appliance, &json!(["create", asked]));
    good(&appliance, "POST", "/v1/monitors/gate/enable", &Value::Null);
    let arrived = receiver.wait_for(2);
    let bodies: Vec<Value> = arrived.iter().map(|it| serde_json::from_slice(&it.body).unwrap()).collect();
    let kinds: BTreeSet<&str> = bodies.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["encoding.started", "encoding.finished"]));
    assert_eq!(bodies[0]["media_id"], bodies[1]["media_id"]);
    assert!(arrived.iter().all(is_signed));
    appliance.until("it has been triggered", |it| {
        one(it, &json!(["get", webhook["id"]]))["last_triggered_at"].as_str().map(str::to_owned)
    });
    appliance.stop();
    assert_eq!(receiver.arrived().len(), 2, "nothing else was asked for");
}

#[test]
fn a_receiver_of_aioz_follows_the_lives_of_clips() {
    let (Some(_), Some(python)) = (runtime(), Language::python()) else { return };
    let scripts = copied(&python, "tests/it/receivers", &[]);
    let receiver = Running::start(&python, scripts.path(), "aioz", &[]);
    let mut appliance = recording(TOKEN);
    appliance.start();
    let url = format!("http://{}/webhook", receiver.address);
    let webhook = one(&appliance, &json!(["create", {"url": url, "encoding_finished": true, "encoding_failed": true}]));
    one(&appliance, &json!(["check", webhook["id"]]));
    appliance.stop();
    let (kept, clips) = (journal(&appliance), [1, 2].map(Uuid::from_u128));
    let lives = [
        (clips[0], &[ClipStage::Received, ClipStage::Started, ClipStage::Partial, ClipStage::Ready][..]),
        (clips[1], &[ClipStage::Received, ClipStage::Failed]),
    ];
    for (clip, stages) in lives {
        stages.iter().for_each(|stage| tell(&kept, clip, *stage, &endpoint(&webhook)));
    }
    kept.close().unwrap();
    appliance.start();
    let told = receiver.wait_for(6);
    appliance.stop();
    assert_eq!(told.len(), 6, "a check is of no medium: {told:?}");
    let of = |clip: Uuid| -> BTreeSet<&str> {
        let its = told.iter().filter(|line| line["medium"] == clip.to_string());
        its.map(|line| line["type"].as_str().unwrap()).collect()
    };
    let whole = BTreeSet::from(["file.received", "encoding.started", "partial.finished", "encoding.finished"]);
    assert_eq!((of(clips[0]), of(clips[1])), (whole, BTreeSet::from(["file.received", "encoding.failed"])));
    for line in told {
        assert_eq!(
            (&line["kind"], &line["qualities"], &line["owner"]),
            (&json!("video"), &json!("720p"), &json!("box"))
        );
        assert_eq!((&line["titled"], &line["as_it_should_be"]), (&json!(true), &json!(true)), "{line}");
        assert!(line["year"].as_i64() > Some(2025), "{line}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_and_nobody_else_may_change_a_webhook() {
    if runtime().is_none() {
        return;
    }
    let mut appliance = recording(TOKEN);
    appliance.start();
    let url = "http://127.0.0.1:9/clips";
    let made = one(&appliance, &json!(["create", {"url": url, "encoding_finished": true}]));
    let id = &made["id"];
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (order, code) in [
        (json!(["create", {}]), 400),
        (json!(["create", {"name": "Test Webhook", "encoding_finished": true}]), 400),
        (json!(["create", {"url": url, "name": "told of nothing"}]), 400),
        (json!(["create", {"url": "not-a-url", "encoding_finished": true}]), 400),
        (json!(["create", {"url": url, "encoding_finished": "yes"}]), 400),
        (json!(["update", id, {"url": "not-a-url"}]), 400),
        (json!(["update", id, {"encoding_finished": false}]), 400),
        (json!(["update", "invalid-id", {}]), 400),
        (json!(["update", nobody, {}]), 404),
        (json!(["delete", nobody]), 404),
        (json!(["check", nobody]), 404),
        (json!(["list", {"offset": -1}]), 400),
    ] {
        assert_eq!(refused(&appliance, &order).0, code, "{order}");
    }
    assert_eq!(one(&appliance, &json!(["get", id])), made, "nothing has changed");
    let orders =
        [json!(["get", id]), json!(["delete", id]), json!(["create", {"url": url, "encoding_finished": true}])];
    for key in ["another-key", &TOKEN[1..]] {
        let codes: Vec<_> = client(&appliance, key, &orders).iter().map(|told| told["code"].clone()).collect();
        assert_eq!(codes, [json!(401), json!(401), json!(401)]);
    }
    let path = format!("/v1/endpoints/{}", endpoint(&made));
    let (code, told) = ask(&appliance, "PUT", &path, &json!({"url": url}));
    assert_eq!(code, 409, "{told}");
    assert!(told["hint"].as_str().unwrap().contains("PUT /api/webhooks/"), "{told}");
    let definitions = state(&appliance).definitions().unwrap();
    assert_eq!(definitions.into_iter().map(|row| row.name).collect::<Vec<_>>(), [name(&endpoint(&made))]);
}
