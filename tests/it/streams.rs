//! Streams that clients connect and subscribe to, as at Trio's stream API: what is made of them, what a kill leaves, how their
//! webhooks do, and what goes when.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use stakeout::name::Name;

use crate::appliance::{Appliance, SECRET};
use crate::jobs::{self, PASSWORD, body, clip, curl, get, is_signed, parts, shared_box};
use crate::owing::journal;
use crate::receiver::{Answer, Arrived, Receiver};
use crate::rtsp::Server;

/// What a client sends; the model is one that knows labels.
fn question(text: &str, receiver: &Receiver) -> Value {
    json!({
        "question": text, "webhook_url": receiver.url(), "labels": ["person_in_zone"], "check_interval": "100ms",
        "cooldown_seconds": 3600, "confidence_threshold": 0.8, "metadata": {"zone": "dock", "severity": "high"},
        "max_duration": 1, "frames_per_second": 5, "region": null,
    })
}

fn subscribe(appliance: &Appliance, stream: &str, question: &Value) -> (u16, Value) {
    let (status, answer) = curl(appliance, "POST", &format!("/streams/{stream}/subscriptions"), question);
    assert!(answer["id"].is_string(), "{answer}\n{}", appliance.log());
    (status, answer)
}

/// The id of a new one.
fn subscribed(appliance: &Appliance, stream: &str, question: &Value) -> String {
    let (status, answer) = subscribe(appliance, stream, question);
    assert_eq!((status, &answer["status"]), (201, &json!("active")), "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

/// An answer that fits its schema in the API's document.
fn fits(answer: &Value, schema: &str) {
    let document: Value = serde_json::from_str(include_str!("../../packaging/openapi.json")).unwrap();
    let pointer = format!("#/components/schemas/{schema}");
    let schema = json!({"$ref": pointer, "components": document["components"]});
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = validator.iter_errors(answer).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{answer:#}");
    let mut spoilt = answer.clone();
    let first = spoilt.as_object().unwrap().keys().next().unwrap().clone();
    spoilt[&first] = json!({"no": "such"});
    assert!(!validator.is_valid(&spoilt), "the schema lets anything through: {spoilt}");
}

fn delete(appliance: &Appliance, path: &str) -> u16 {
    curl(appliance, "DELETE", path, &Value::Null).0
}

/// Bodies that were told of that subscription, each once, however often it came.
fn told(receiver: &Receiver, subscription: &str) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let bodies = receiver.arrived().iter().map(body).collect::<Vec<_>>();
    let of = |body: &Value| body["subscription_id"] == subscription && seen.insert(body["request_id"].to_string());
    bodies.into_iter().filter(of).collect()
}

fn job_of(appliance: &Appliance, subscription: &str) -> Value {
    let monitors = get(appliance, &format!("/v1/monitors/{subscription}"));
    monitors["items"][0]["job"]["id"].clone()
}

/// Connects a stream, which is called `dock`, in all ways, and others, which go again.
fn is_connected_once(appliance: &Appliance, dock: &str, plain: &str, with_login: &str) {
    let connect = |appliance: &Appliance, url: &str, label: Value| {
        let (status, answer) = curl(appliance, "POST", "/streams", &json!({"url": url, "label": label, "fps": 5}));
        (status, answer["id"].as_str().unwrap_or_else(|| panic!("{answer}\n{}", appliance.log())).to_owned())
    };
    assert_eq!(connect(appliance, with_login, json!("Loading Dock (East)")), (201, dock.to_owned()));
    for known in [with_login, plain, dock] {
        assert_eq!(connect(appliance, known, json!("something else")), (200, dock.to_owned()));
    }
    // Other streams are others, whatever they are called.
    let (status, second) = connect(appliance, "rtsp://127.0.0.1:9/1", json!("loading dock east"));
    assert_eq!((status, second.as_str()), (201, "loading-dock-east-2"));
    let (status, third) = connect(appliance, "rtsp://127.0.0.1:9/2", Value::Null);
    assert!(status == 201 && third.starts_with("stream-"), "{third}");
    for stream in [&second, &third] {
        assert_eq!(delete(appliance, &format!("/streams/{stream}")), 204);
    }
    fits(&get(appliance, "/streams"), "Streams");
    let streams = get(appliance, "/streams")["streams"].clone();
    assert_eq!((&streams[0]["id"], &streams[0]["url"], streams[1].is_null()), (&json!(dock), &json!(plain), true));
}

#[test]
fn a_stream_is_connected_once_and_what_is_asked_of_it_survives_a_kill() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let server = Server::start(&clip(), 0, &["--user", "viewer", "--password", PASSWORD]);
    let plain = server.url.to_string();
    let with_login = plain.replace("rtsp://", &format!("rtsp://viewer:{PASSWORD}@"));
    let mut appliance = shared_box("");
    appliance.start();
    let dock = "loading-dock-east";
    is_connected_once(&appliance, dock, &plain, &with_login);
    let asked = question("Is a person inside the marked zone?", &receiver);
    let id = subscribed(&appliance, dock, &asked);
    assert_eq!(subscribe(&appliance, dock, &asked), (200, json!({"id": id, "status": "active"})));
    assert_eq!(parts(&appliance), [1, 1, 1, 3]);
    let path = format!("/subscriptions/{id}");
    let (before, job) = (get(&appliance, &path), job_of(&appliance, &id));
    let created_at = before["created_at"].clone();
    let expected = json!({
        "id": id, "stream_id": dock, "question": asked["question"], "webhook_url": receiver.url(),
        "confidence_threshold": 0.8, "cooldown_seconds": 3600.0, "metadata": asked["metadata"], "status": "active",
        "created_at": created_at, "labels": ["person_in_zone"], "check_interval": "100ms",
    });
    assert_eq!(before, expected);
    fits(&before, "Subscription");
    fits(&get(&appliance, "/subscriptions"), "Subscriptions");
    fits(&json!({"id": id, "status": "active"}), "MadeSubscription");

    // Right after it was answered, and again after it has alerted.
    appliance.kill();
    appliance.start();
    assert_eq!((get(&appliance, &path), job_of(&appliance, &id)), (before.clone(), job.clone()), "it goes on");
    appliance.until("it alerts", |_| told(&receiver, &id).pop());
    assert!(is_signed(&receiver.arrived()[0]));
    let alert = told(&receiver, &id).remove(0);
    assert_eq!((&alert["stream_id"], &alert["question"]), (&json!(dock), &asked["question"]));
    assert_eq!(alert["metadata"], asked["metadata"]);
    appliance.kill();
    appliance.start();
    assert_eq!((get(&appliance, &path), job_of(&appliance, &id)), (before, job));
    assert_eq!(subscribe(&appliance, dock, &asked), (200, json!({"id": id, "status": "active"})));

    // Another question is another subscription; the first one is told once.
    let other = subscribed(&appliance, dock, &question("Is somebody else there?", &receiver));
    appliance.until("the other one alerts", |_| told(&receiver, &other).pop());
    assert_eq!(told(&receiver, &id).len(), 1);
    assert_eq!(parts(&appliance), [1, 2, 1, 4], "one camera and one endpoint for both");
    let ids = get(&appliance, "/subscriptions")["subscriptions"].as_array().unwrap().clone();
    assert_eq!(ids.iter().map(|it| it["id"].as_str().unwrap()).collect::<Vec<_>>(), [&id, &other]);
    appliance.stop();

    // The negative control: without its row it would not have come back.
    let kept = journal(&appliance);
    kept.writer().undefine("monitor", Name::new(&other).unwrap()).wait().unwrap();
    kept.close().unwrap();
    appliance.start();
    assert_eq!(curl(&appliance, "GET", &format!("/subscriptions/{other}"), &Value::Null).0, 404);

    // What is in use stays; what was connected stays until it is taken away.
    assert_eq!(delete(&appliance, &format!("/streams/{dock}")), 409);
    assert_eq!((delete(&appliance, &path), delete(&appliance, &path)), (204, 404));
    appliance.until("its endpoint goes", |it| (parts(it) == [1, 0, 0, 1]).then_some(()));
    let shown = [get(&appliance, "/streams").to_string(), appliance.status().to_string(), appliance.log()].concat();
    assert!(shown.contains(&plain), "the negative control: the stream itself is shown");
    for secret in [PASSWORD, &SECRET[6..]] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!((delete(&appliance, &format!("/streams/{dock}")), parts(&appliance)), (204, [0, 0, 0, 0]));
    appliance.stop();
}

/// A box with a camera that shows the yard over and over.
fn yard() -> Appliance {
    shared_box(&format!("[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n", clip().display()))
}

/// Of its body, as it arrived.
fn arrived(receiver: &Receiver, request: &Value) -> Value {
    let is_it = |it: &Arrived| body(it)["request_id"] == *request;
    body(receiver.arrived().iter().find(|it| is_it(it)).unwrap_or_else(|| panic!("{request} never arrived")))
}

fn stats(appliance: &Appliance, id: &str) -> Value {
    get(appliance, &format!("/subscriptions/{id}/stats"))
}

fn failed(appliance: &Appliance, id: &str, query: &str) -> Vec<Value> {
    let answer = get(appliance, &format!("/subscriptions/{id}/failed-events{query}"));
    answer["failed_events"].as_array().unwrap().clone()
}

/// What was refused of a subscription of which nothing arrived, with its figures.
fn letters_of(appliance: &Appliance, receiver: &Receiver, bad: &str, of_bad: &Value) -> Vec<Value> {
    let letters = failed(appliance, bad, "");
    let expected = json!({
        "events_24h": letters.len(), "delivery_success_rate": 0.0, "dlq_count": letters.len(), "avg_latency_ms": 0.0,
        "p95_latency_ms": 0.0,
    });
    assert_eq!(*of_bad, expected);
    fits(of_bad, "SubscriptionStats");
    fits(&get(appliance, &format!("/subscriptions/{bad}/failed-events")), "FailedEvents");
    for letter in &letters {
        let mut expected = arrived(receiver, &letter["request_id"]);
        assert_eq!(expected["subscription_id"], bad);
        (expected["error"], expected["attempts"]) = (json!("status 501"), json!(2));
        assert_eq!(*letter, expected);
    }
    assert!(letters[0]["frame_ts"].as_str() > letters[1]["frame_ts"].as_str(), "the newest first");
    assert_eq!(failed(appliance, bad, "?limit=1"), [letters[0].clone()]);
    for query in ["?limit=0", "?limit=many", "?after=1"] {
        let path = format!("/subscriptions/{bad}/failed-events{query}");
        assert_eq!(curl(appliance, "GET", &path, &Value::Null).0, 400, "{query}");
    }
    letters
}

#[test]
fn figures_and_failed_events_are_those_of_one_subscription_though_all_share_a_webhook() {
    let repaired = Arc::new(AtomicBool::new(false));
    let receiver = {
        let repaired = Arc::clone(&repaired);
        Receiver::start(move |_, request| {
            let refused = body(request)["metadata"]["refused"] == true && !repaired.load(Ordering::SeqCst);
            Answer::status(if refused { 501 } else { 200 })
        })
    };
    let mut appliance = yard();
    appliance.start();
    let again_and_again = |text: &str, cooldown: &str, refused: bool| {
        let mut asked = question(text, &receiver);
        asked.as_object_mut().unwrap().remove("cooldown_seconds");
        (asked["cooldown"], asked["clear_after"]) = (json!(cooldown), json!("100ms"));
        asked["metadata"] = json!({"refused": refused});
        subscribed(&appliance, "yard", &asked)
    };
    let mut never = question("Is there nobody?", &receiver);
    never["confidence_threshold"] = json!(1.0);
    never["labels"] = json!(["vehicle"]);
    let never = subscribed(&appliance, "yard", &never);
    let (status, refused) = curl(&appliance, "PUT", &format!("/v1/monitors/{never}"), &json!({"camera": "yard"}));
    assert_eq!(status, 409, "it stays a subscription: {refused}");
    assert!(refused["hint"].as_str().unwrap().contains(&format!("DELETE /subscriptions/{never}")), "{refused}");
    let good = again_and_again("Is a person there?", "500ms", false);
    let bad = again_and_again("Is a person there, again?", "2s", true);
    appliance.until("two dead letters", |it| (stats(it, &bad)["dlq_count"].as_u64() >= Some(2)).then_some(()));
    for id in [&good, &bad] {
        assert_eq!(curl(&appliance, "POST", &format!("/v1/monitors/{id}/disable"), &json!({})).0, 200);
        assert_eq!(get(&appliance, &format!("/subscriptions/{id}"))["status"], "paused");
        appliance.until("all of it ends", |it| {
            let counts = get(it, &format!("/v1/monitors/{id}"))["items"][0]["statistics"].clone();
            (counts["pending"] == 0 && counts["held"] == 0).then_some(())
        });
    }

    let nothing = json!({
        "events_24h": 0, "delivery_success_rate": 1.0, "dlq_count": 0, "avg_latency_ms": 0.0, "p95_latency_ms": 0.0,
    });
    assert_eq!((stats(&appliance, &never), failed(&appliance, &never, "")), (nothing, Vec::new()));
    let (of_good, of_bad) = (stats(&appliance, &good), stats(&appliance, &bad));
    assert_eq!((&of_good["delivery_success_rate"], &of_good["dlq_count"]), (&json!(1.0), &json!(0)));
    assert_eq!(of_good["events_24h"], told(&receiver, &good).len());
    assert!(of_good["avg_latency_ms"].as_f64() > Some(0.0) && of_good["p95_latency_ms"].as_f64() > Some(0.0));
    assert_eq!(failed(&appliance, &good, ""), [] as [Value; 0]);
    let letters = letters_of(&appliance, &receiver, &bad, &of_bad);

    appliance.kill();
    appliance.start();
    assert_eq!((stats(&appliance, &good), stats(&appliance, &bad)), (of_good, of_bad), "a kill changes no figure");
    assert_eq!(failed(&appliance, &bad, ""), letters);
    repaired.store(true, Ordering::SeqCst);
    assert_eq!(curl(&appliance, "POST", "/v1/dlq/retry", &json!({})).1["retried"], letters.len());
    appliance.until("they arrive after all", |it| (stats(it, &bad)["avg_latency_ms"] != 0.0).then_some(()));
    appliance.until("none is left", |it| (stats(it, &bad)["dlq_count"] == 0).then_some(()));
    assert_eq!(failed(&appliance, &bad, ""), [] as [Value; 0]);
    appliance.stop();
}

#[test]
fn a_bad_request_leaves_nothing_and_what_is_not_a_clients_is_not_taken_away() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let monitor = "[[monitor]]\nname = \"person\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
                   condition = \"Is a person there?\"\n";
    let mut appliance = yard();
    appliance.edit("loop = true\n", &format!("loop = true\n{monitor}"));
    appliance.start();
    let bare = parts(&appliance);
    let good = question("Is a person there?", &receiver);
    let with = |key: &str, value: Value| {
        let mut bad = good.clone();
        bad[key] = value;
        bad
    };
    let at_yard = "/streams/yard/subscriptions";
    for (path, bad, code, told) in [
        ("/streams", json!({}), 400, "`url` is missing"),
        ("/streams", json!([]), 400, "invalid type"),
        ("/streams", json!({"url": "https://box.example/live.m3u8"}), 400, "`url` is neither an RTSP stream nor"),
        ("/streams", json!({"url": "file:///etc/passwd"}), 400, "`url` is neither an RTSP stream nor"),
        ("/streams", json!({"url": "rtsp://"}), 400, "`url` can't be used"),
        ("/streams", json!({"url": format!("rtsp://{}@127.0.0.1:9/1", "x".repeat(513))}), 400, "is too long"),
        ("/streams", json!({"url": "rtsp://127.0.0.1:9/1", "label": 7}), 400, "`label` is no text"),
        ("/streams/gate/subscriptions", good.clone(), 404, "there is no stream `gate`"),
        (at_yard, json!({}), 400, "`question` is missing"),
        (at_yard, with("webhook_url", Value::Null), 400, "`webhook_url` is missing"),
        (at_yard, with("webhook_url", json!("ftp://box.example/")), 400, "ftp"),
        (at_yard, with("webhook_url", json!("http://169.254.169.254/latest")), 400, "url"),
        (at_yard, with("model", json!("nobody")), 400, "nobody"),
        (at_yard, with("labels", json!(["unicorn"])), 400, "unicorn"),
        (at_yard, with("cooldown_seconds", json!(-1)), 400, "cooldown"),
        (at_yard, with("confidence_threshold", json!(2)), 400, "confidence_threshold"),
        (at_yard, with("metadata", json!("dock")), 400, "metadata"),
    ] {
        let (status, answer) = curl(&appliance, "POST", path, &bad);
        let error = answer["error"].as_str().unwrap();
        assert!(status == code && error.contains(told), "{path} {bad}: {status} {answer}");
        assert!(!answer["hint"].as_str().unwrap().is_empty(), "{answer}");
        assert_eq!(parts(&appliance), bare, "nothing is left of {bad}");
    }
    assert_eq!(delete(&appliance, "/streams/yard"), 409);
    for path in ["/subscriptions/person", "/subscriptions/nobody", "/streams/nobody", "/subscriptions/a%20b"] {
        assert_eq!(delete(&appliance, path), 404, "{path}");
    }
    assert_eq!(parts(&appliance), bare);
    appliance.stop();
}

#[test]
fn a_stream_that_a_job_brought_stays_once_it_is_connected() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = shared_box("");
    appliance.start();
    for connected in [false, true] {
        let asked = jobs::request("rtsp://127.0.0.1:9/1", &receiver);
        let (_, started) = curl(&appliance, "POST", "/live-monitor", &asked);
        let job = format!("/jobs/{}", started["job_id"].as_str().unwrap());
        let camera = get(&appliance, &job)["camera"].clone();
        if connected {
            let (status, stream) = curl(&appliance, "POST", "/streams", &json!({"url": asked["stream_url"]}));
            assert_eq!((status, &stream["id"]), (200, &camera));
            appliance.kill();
            appliance.start();
        }
        assert_eq!(delete(&appliance, &job), 200);
        // All that goes, goes at once.
        appliance.until("what the job needed goes", |it| (parts(it)[1] == 0).then_some(()));
        let left = usize::from(connected);
        assert_eq!(parts(&appliance), [left, 0, 0, left], "the negative control: otherwise it goes with the job");
    }
    appliance.stop();
}

/// What to ask so that it is told again and again.
fn often(text: &str, receiver: &Receiver) -> Value {
    let mut asked = question(text, receiver);
    (asked["cooldown_seconds"], asked["clear_after"]) = (json!(0.5), json!("100ms"));
    asked
}

#[test]
fn what_no_longer_fits_the_file_is_kept_and_webhooks_are_signed_as_the_file_says() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = yard();
    let signing = format!("webhook_secret_file = \"{}\"\n", appliance.folder.path().join("ops.secret").display());
    appliance.edit(&signing, "# no signature\n");
    appliance.start();
    let id = subscribed(&appliance, "yard", &often("Is a person there?", &receiver));
    let path = format!("/subscriptions/{id}");
    let active = get(&appliance, &path);
    let first = receiver.wait_for(1).remove(0);
    assert!(!first.has_header("x-trio-signature"));
    appliance.stop();

    appliance.edit("name = \"yard\"\nurl", "name = \"gate\"\nurl");
    appliance.edit("# no signature\n", &signing);
    appliance.start();
    let unfit = get(&appliance, &path);
    assert_eq!((&unfit["status"], &unfit["cooldown_seconds"]), (&json!("unfit"), &json!(0.5)), "{unfit}");
    fits(&unfit, "Subscription");
    assert!(get(&appliance, &format!("{path}/stats"))["events_24h"].as_u64() > Some(0));
    appliance.stop();

    appliance.edit("name = \"gate\"\nurl", "name = \"yard\"\nurl");
    let before = receiver.arrived().len();
    appliance.start();
    assert_eq!(get(&appliance, &path), active, "it was kept");
    assert!(is_signed(&receiver.wait_for(before + 1)[before]));
    appliance.stop();
}

#[test]
fn a_webhook_gets_what_it_is_owed_after_its_subscription_is_gone() {
    let repaired = Arc::new(AtomicBool::new(false));
    let broken = {
        let repaired = Arc::clone(&repaired);
        Receiver::start(move |_, _| Answer::status(if repaired.load(Ordering::SeqCst) { 200 } else { 500 }))
    };
    let fine = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = yard();
    appliance.start();
    let ids = [&broken, &fine].map(|receiver| subscribed(&appliance, "yard", &question("A person?", receiver)));
    let owed = body(&broken.wait_for(1)[0])["request_id"].clone();
    fine.wait_for(1);
    for id in &ids {
        assert_eq!(delete(&appliance, &format!("/subscriptions/{id}")), 204);
    }
    appliance.until("the endpoint that is owed nothing goes", |it| (parts(it)[2] < 2).then_some(()));
    assert_eq!(parts(&appliance), [1, 0, 1, 1], "the other one stays");
    repaired.store(true, Ordering::SeqCst);
    appliance.until("that one goes, too", |it| (parts(it) == [1, 0, 0, 0]).then_some(()));
    let last = broken.arrived().pop().unwrap();
    assert_eq!((&body(&last)["request_id"], is_signed(&last)), (&owed, true), "it had what it was owed");
    appliance.stop();
}
