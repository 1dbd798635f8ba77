//! Alerts: monitors that clients bind to webhooks and WebSocket connections, as at VideoDB, whoever defined the monitor.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::appliance::Appliance;
use crate::channels::clients::Ws;
use crate::channels::websocket::assert_documented;
use crate::definitions::{ask, clip, good, is_signed, line, monitor, name, state, when_triggered};
use crate::owing::journal;
use crate::receiver::{Answer, Arrived, Receiver};
use crate::shared::runtime;

/// A box that clients may use, with two monitors in its file: `zone`, whose event stays open, and `busy`, which alerts again
/// and again.
pub fn guarded(more: &str) -> Appliance {
    let section = |name: &str, span: &str| {
        format!(
            "[[monitor]]\nname = \"{name}\"\ncamera = \"yard\"\ncondition = \"Is a person inside the marked zone?\"\n\
             model = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\nconfidence_threshold = 0.8\nhold = \"1 of 1\"\n\
             check_interval = \"100ms\"\ncooldown = \"{span}\"\nclear_after = \"{span}\"\n"
        )
    };
    let (zone, busy) = (section("zone", "1h"), section("busy", "400ms"));
    let camera = format!("[[camera]]\nname = \"yard\"\nurl = \"{}\"\nloop = true\n", clip());
    let appliance = Appliance::new(&format!("{camera}{zone}{busy}{more}"));
    let secret = appliance.folder.path().join("ops.secret");
    appliance.edit("[api]\n", &format!("[api]\nwebhook_secret_file = \"{}\"\n", secret.display()));
    appliance
}

fn event_id(appliance: &Appliance, monitor: &str) -> Value {
    let told = good(appliance, "GET", &format!("/v1/monitors/{monitor}"), &Value::Null);
    told["items"][0]["event_id"].clone()
}

fn alerts(appliance: &Appliance) -> Vec<Value> {
    good(appliance, "GET", "/v1/alerts", &Value::Null)["alerts"].as_array().unwrap().clone()
}

fn path(alert: &Value) -> String {
    format!("/v1/alerts/{}", alert["alert_id"].as_str().unwrap())
}

pub fn body(request: &Arrived) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn kinds(appliance: &Appliance) -> Vec<String> {
    state(appliance).definitions().unwrap().into_iter().map(|row| row.kind).collect()
}

/// So many more webhooks come.
fn more(receiver: &Receiver, count: usize) {
    receiver.wait_for(receiver.arrived().len() + count);
}

/// All that the endpoint of alerts was ever owed, by its sequence.
fn owed(appliance: &Appliance) -> Vec<Value> {
    let all = appliance.json(&["deliveries", "--json"]);
    let mut hooks: Vec<Value> =
        all.into_iter().filter(|it| it["endpoint"].as_str().unwrap().starts_with("hook-")).collect();
    hooks.sort_by_key(|it| it["sequence"].as_u64());
    hooks
}

#[test]
fn a_monitor_of_the_file_alerts_a_clients_webhook_too_across_kills_and_goes_on_undisturbed() {
    if runtime().is_none() {
        return;
    }
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = guarded("");
    appliance.start();
    let zone = when_triggered(&appliance, "zone");
    assert_eq!((&zone["alerts"], &zone["differs_from_file"]), (&json!(0), &json!(false)));
    let busy = event_id(&appliance, "busy");
    let mut ids = Vec::new();
    for (event, status) in [(&busy, 201), (&busy, 200), (&json!("busy"), 200)] {
        let asked = json!({"event_id": event, "callback_url": receiver.url(), "ws_connection_id": null});
        let (told, alert) = ask(&appliance, "POST", "/v1/alerts", &asked);
        assert_eq!(told, status, "{alert}");
        assert_eq!((&alert["event_id"], &alert["monitor"], &alert["label"]), (&busy, &json!("busy"), &json!("busy")));
        assert_eq!((&alert["status"], &alert["callback_url"]), (&json!("enabled"), &json!(receiver.url())));
        assert_documented(&alert, "Alert");
        ids.push(alert["alert_id"].clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "the same words are the same alert");
    good(&appliance, "POST", "/v1/alerts", &json!({"event_id": "zone", "callback_url": receiver.url()}));
    let after = line(&appliance, "zone").unwrap();
    assert_eq!((&after["job"]["id"], &after["open"]), (&zone["job"]["id"], &zone["open"]), "nothing is disturbed");
    assert_eq!(
        (&after["alerts"], &after["differs_from_file"], &after["switched"]),
        (&json!(1), &json!(true), &json!(false))
    );
    let screen = String::from_utf8_lossy(&appliance.run(&["status"]).stdout).into_owned();
    assert!(screen.contains("alerts over the API: 1"), "{screen}");
    assert_documented(&after, "Monitor");

    appliance.kill();
    for kill in [true, true, false] {
        appliance.start();
        assert_eq!(line(&appliance, "zone").unwrap()["open"], zone["open"], "it is still open");
        assert_eq!(alerts(&appliance).len(), 2);
        more(&receiver, 2);
        if kill { appliance.kill() } else { appliance.stop() }
    }
    let arrived = receiver.arrived();
    assert!(arrived.iter().all(is_signed));
    let rules: BTreeSet<String> = arrived.iter().map(|it| body(it)["event_id"].to_string()).collect();
    assert_eq!(rules, BTreeSet::from([busy.to_string()]), "an open event doesn't begin again");

    // The negative control: without its row nothing comes of it.
    let kept = journal(&appliance);
    for id in ids.iter().map(|id| name(id.as_str().unwrap())) {
        kept.writer().undefine("alert", id).wait().unwrap();
    }
    kept.close().unwrap();
    appliance.start();
    let told = |it: &Appliance| owed(it).len();
    let before = told(&appliance);
    let triggers = line(&appliance, "busy").unwrap()["triggers"].as_u64().unwrap();
    appliance.until("more triggers", |it| (line(it, "busy")?["triggers"].as_u64()? > triggers + 3).then_some(()));
    assert_eq!((told(&appliance), alerts(&appliance).len()), (before, 1));
    appliance.stop();
}

#[test]
fn an_alert_that_is_disabled_is_kept_and_one_that_is_deleted_leaves_nothing_behind() {
    if runtime().is_none() {
        return;
    }
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = guarded("");
    appliance.start();
    let asked = json!({"event_id": "busy", "callback_url": receiver.url()});
    let alert = good(&appliance, "POST", "/v1/alerts", &asked);
    more(&receiver, 1);
    let disabled = good(&appliance, "POST", &format!("{}/disable", path(&alert)), &json!({}));
    assert_eq!(disabled["status"], "disabled");
    let before = owed(&appliance).len();
    for restart in [false, true] {
        if restart {
            appliance.kill();
            appliance.start();
        }
        assert_eq!(json!(alerts(&appliance)), json!([disabled]));
        let so_far = line(&appliance, "busy").unwrap();
        assert_eq!((&so_far["alerts"], &so_far["differs_from_file"]), (&json!(0), &json!(false)));
        let triggers = so_far["triggers"].as_u64().unwrap();
        appliance.until("more triggers", |it| (line(it, "busy")?["triggers"].as_u64()? > triggers + 3).then_some(()));
        assert_eq!(owed(&appliance).len(), before, "nothing is owed because of it");
    }
    let (status, again) = ask(&appliance, "POST", "/v1/alerts", &asked);
    assert_eq!((status, &again), (200, &disabled), "it stays as it is");
    let enabled = good(&appliance, "POST", &format!("{}/enable", path(&alert)), &json!({}));
    assert_eq!(enabled, alert);
    more(&receiver, 2);

    good(&appliance, "POST", "/v1/monitors/busy/disable", &json!({}));
    let problem = alerts(&appliance)[0]["problem"].to_string();
    assert!(problem.contains("monitor `busy` is disabled"), "{problem}");
    good(&appliance, "POST", "/v1/monitors/busy/enable", &json!({}));
    assert_eq!(alerts(&appliance)[0]["problem"], Value::Null);

    let endpoint = owed(&appliance)[0]["endpoint"].as_str().unwrap().to_owned();
    let (status, refusal) = ask(&appliance, "DELETE", &format!("/v1/endpoints/{endpoint}"), &Value::Null);
    assert_eq!(status, 409, "{refusal}");
    assert!(refusal["hint"].as_str().unwrap().contains(&path(&alert)), "{refusal}");
    assert_eq!(ask(&appliance, "DELETE", &path(&alert), &Value::Null), (204, Value::Null));
    assert_eq!((alerts(&appliance), ask(&appliance, "DELETE", &path(&alert), &Value::Null).0), (vec![], 404));
    appliance.until("its endpoint goes", |it| (it.status()["endpoints"] == json!([])).then_some(()));
    assert_eq!(kinds(&appliance), [""; 0]);
    let last = owed(&appliance).len() as u64;
    appliance.until("it may come again", |it| (ask(it, "POST", "/v1/alerts", &asked).0 == 201).then_some(()));
    more(&receiver, 1);
    let sequences: Vec<u64> = owed(&appliance).iter().map(|it| it["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>(), "it goes on where it was");
    assert!(sequences.len() as u64 > last);
    appliance.stop();
}

#[test]
fn an_alert_whose_monitor_is_gone_is_kept_and_warned_of_and_holds_nothing_up() {
    if runtime().is_none() {
        return;
    }
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = guarded("");
    appliance.start();
    good(&appliance, "POST", "/v1/monitors", &monitor("made", "yard", "1h"));
    for event in ["busy", "made"] {
        good(&appliance, "POST", "/v1/alerts", &json!({"event_id": event, "callback_url": receiver.url()}));
    }
    good(&appliance, "PUT", "/v1/monitors/made", &monitor("made", "yard", "2h"));
    assert_eq!(alerts(&appliance).len(), 2, "a change of the monitor leaves it alone");
    good(&appliance, "DELETE", "/v1/monitors/made", &Value::Null);
    let bound = alerts(&appliance).remove(0);
    assert_eq!(
        (alerts(&appliance).len(), &bound["monitor"]),
        (1, &json!("busy")),
        "the other one went with its monitor"
    );
    more(&receiver, 1);
    appliance.stop();

    appliance.edit("name = \"busy\"", "name = \"calm\"");
    let kept = journal(&appliance);
    let nonsense = stakeout::journal::Definition {
        kind: "alert".to_owned(),
        name: name("alert-0123456789abcdef"),
        body: "[".to_owned(),
        made: stakeout::time::now().wall,
    };
    kept.writer().define(nonsense).wait().unwrap();
    kept.close().unwrap();
    appliance.start();
    let listed = alerts(&appliance).remove(0);
    assert_eq!((&listed["alert_id"], &listed["event_id"]), (&bound["alert_id"], &bound["event_id"]));
    assert_documented(&listed, "Alert");
    assert_eq!((&listed["label"], &listed["problem"]), (&Value::Null, &json!("there is no monitor `busy`")));
    let warnings = appliance.status()["warnings"].to_string();
    assert!(warnings.contains(&format!("alert `{}` tells nothing", bound["alert_id"].as_str().unwrap())), "{warnings}");
    assert!(appliance.log().contains("its row makes no sense"), "{}", appliance.log());
    when_triggered(&appliance, "zone");
    appliance.stop();

    appliance.edit("name = \"calm\"", "name = \"busy\"");
    appliance.start();
    assert_eq!(alerts(&appliance), [bound]);
    assert_eq!(appliance.status()["warnings"], json!([]));
    more(&receiver, 1);
    appliance.stop();
}

#[test]
fn what_can_not_be_bound_is_told_and_leaves_nothing() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = guarded("");
    appliance.start();
    let url = receiver.url();
    let nobody = "ws-0123456789abcdef0123456789abcdef";
    for (asked, status, told, hint) in [
        (json!([]), 400, "invalid type", "event_id"),
        (json!({}), 400, "`event_id` is missing", "GET /v1/monitors"),
        (json!({"event_id": "busy"}), 400, "neither `callback_url` nor `ws_connection_id`", "callback_url"),
        (json!({"event_id": "busy", "callback_url": 7}), 400, "`callback_url` is no text", "callback_url"),
        (
            json!({"event_id": "event-0123456789abcdef", "callback_url": url}),
            404,
            "no monitor with",
            "GET /v1/monitors",
        ),
        (json!({"event_id": "nobody", "callback_url": url}), 404, "no monitor with the event id `nobody`", "`zone`"),
        (json!({"event_id": "busy", "ws_connection_id": nobody}), 404, "no WebSocket connection", "/v1/ws"),
        (json!({"event_id": "busy", "ws_connection_id": "no name!"}), 404, "no WebSocket connection", "/v1/ws"),
        (json!({"event_id": "busy", "callback_url": url, "ws_connection_id": nobody}), 404, "no WebSocket", "/v1/ws"),
        (json!({"event_id": "busy", "callback_url": "ftp://box.example/"}), 400, "ftp", ""),
        (json!({"event_id": "busy", "callback_url": "http://169.254.169.254/latest"}), 400, "link-local", ""),
        (json!({"event_id": "busy", "callback_url": "https://u:hunter2@box.example/"}), 400, "credentials", ""),
    ] {
        let (found, answer) = ask(&appliance, "POST", "/v1/alerts", &asked);
        assert_eq!(found, status, "{asked}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(told), "{asked}: {answer}");
        let said = answer["hint"].as_str().unwrap();
        assert!(!said.is_empty() && said.contains(hint), "{asked}: {answer}");
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
    }
    for (method, path) in [("POST", "/enable"), ("POST", "/disable"), ("DELETE", "")] {
        for id in ["alert-0123456789abcdef", "no%20name"] {
            let (status, answer) = ask(&appliance, method, &format!("/v1/alerts/{id}{path}"), &json!({}));
            assert_eq!(status, 404, "{answer}");
            assert!(answer["hint"].as_str().unwrap().contains("GET /v1/alerts"), "{answer}");
        }
    }
    assert_eq!((alerts(&appliance), kinds(&appliance)), (vec![], vec![]));
    assert_eq!(appliance.status()["endpoints"], json!([]));

    let secret = json!({"event_id": "busy", "callback_url": format!("{url}?code=hunter2")});
    let alert = good(&appliance, "POST", "/v1/alerts", &secret);
    assert_eq!(alert["callback_url"], format!("{url}?code=***"));
    let shown = [alerts(&appliance).remove(0).to_string(), appliance.status().to_string(), appliance.log()].concat();
    assert!(shown.contains(alert["alert_id"].as_str().unwrap()) && !shown.contains("hunter2"), "{shown}");
    assert!(receiver.wait_for(1)[0].request_line.contains("?code=hunter2"), "the receiver gets all of its URL");
    appliance.stop();
}

fn socket(appliance: &Appliance) -> PathBuf {
    appliance.folder.path().join("stakeout.sock")
}

/// What a receiver knows an alert by.
pub fn pair(alert: &Value) -> (String, String) {
    (alert["event_id"].to_string(), alert["timestamp"].to_string())
}

/// Clients that are read from again and again, so that none is left for its silence, and what each has heard.
struct Crowd(Vec<(Ws, Vec<Value>)>);

impl Crowd {
    /// The id of a client's connection.
    fn id(&self, client: usize) -> String {
        self.0[client].0.1.clone()
    }

    /// Reads what was sent to each by now: up to the answer to a ping.
    fn catch_up(&mut self) {
        for (client, heard) in &mut self.0 {
            client.0.send(tungstenite::Message::Ping("here".into())).unwrap();
            loop {
                match client.0.read().unwrap() {
                    tungstenite::Message::Pong(_) => break,
                    tungstenite::Message::Text(text) => {
                        let mut message: Value = serde_json::from_str(&text).unwrap();
                        heard.extend((message["channel"] == "alert").then(|| message["data"].take()));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Forgets what was heard up to now.
    fn begin_anew(&mut self) {
        self.catch_up();
        self.0.iter_mut().for_each(|(_, heard)| heard.clear());
    }

    /// Reads until a client has heard so many alerts of `rule`.
    fn until(&mut self, client: usize, count: usize, rule: &Value) {
        let began = std::time::Instant::now();
        while self.0[client].1.iter().filter(|alert| alert["event_id"] == *rule).count() < count {
            assert!(began.elapsed().as_secs() < 180, "client {client} heard {:?}", self.0[client].1);
            std::thread::sleep(std::time::Duration::from_millis(100));
            self.catch_up();
        }
    }

    /// Of which monitors a client has heard.
    fn rules(&self, client: usize) -> BTreeSet<String> {
        self.0[client].1.iter().map(|alert| alert["event_id"].to_string()).collect()
    }
}

#[test]
fn a_connection_hears_the_alerts_that_are_bound_to_it_and_the_webhook_gets_the_same() {
    if runtime().is_none() {
        return;
    }
    let [receiver, late] = [(); 2].map(|()| Receiver::start(|_, _| Answer::status(200)));
    let mut appliance = guarded("");
    appliance.start();
    good(&appliance, "POST", "/v1/monitors", &monitor("other", "yard", "400ms"));
    let (busy, other) = (event_id(&appliance, "busy"), event_id(&appliance, "other"));
    for webhook in [&receiver, &late] {
        good(&appliance, "POST", "/v1/alerts", &json!({"event_id": busy, "callback_url": webhook.url()}));
        more(webhook, 1);
    }
    // One that chose no alerts, one that chose all, which is the negative control, and one that chose everything.
    let (bound, all, one) = (0, 1, 2);
    let clients = ["?channels=status", "?channels=alert", ""].map(|chosen| Ws::open(&socket(&appliance), chosen));
    let mut crowd = Crowd(clients.into_iter().map(|client| (client, Vec::new())).collect());
    let asked = json!({"event_id": busy, "callback_url": "", "ws_connection_id": crowd.id(bound)});
    let (status, alert) = ask(&appliance, "POST", "/v1/alerts", &asked);
    assert_eq!(
        (status, &alert["callback_url"], &alert["ws_connection_id"]),
        (201, &Value::Null, &json!(crowd.id(bound)))
    );
    assert_eq!(ask(&appliance, "POST", "/v1/alerts", &asked), (200, alert.clone()));
    good(&appliance, "POST", "/v1/alerts", &json!({"event_id": other, "ws_connection_id": crowd.id(one)}));
    crowd.begin_anew();
    crowd.until(all, 3, &busy);
    crowd.until(all, 3, &other);
    crowd.until(bound, 5, &busy);
    crowd.until(one, 3, &other);
    assert_eq!(crowd.rules(bound), BTreeSet::from([busy.to_string()]));
    assert_eq!(crowd.rules(one), BTreeSet::from([other.to_string()]));

    // Byte for byte what every webhook gets.
    let heard = crowd.0[bound].1[..5].to_vec();
    assert_eq!(heard.iter().map(pair).collect::<BTreeSet<_>>().len(), 5);
    for (alert, webhook) in heard.iter().flat_map(|alert| [(alert, &receiver), (alert, &late)]) {
        let arrived = || webhook.arrived().iter().map(body).find(|it| pair(it) == pair(alert));
        let same = appliance.until("its webhook", |_| arrived());
        assert_eq!(same.to_string(), alert.to_string());
    }

    good(&appliance, "POST", &format!("{}/disable", path(&alert)), &json!({}));
    crowd.begin_anew();
    crowd.until(all, 5, &busy);
    assert_eq!(crowd.0[bound].1, [] as [Value; 0], "it is disabled");
    good(&appliance, "POST", &format!("{}/enable", path(&alert)), &json!({}));
    crowd.until(bound, 1, &busy);
    good(&appliance, "DELETE", &path(&alert), &Value::Null);
    crowd.begin_anew();
    crowd.until(all, 5, &busy);
    assert_eq!(crowd.0[bound].1, [] as [Value; 0], "it is gone");

    // Such an alert goes with its connection.
    good(&appliance, "POST", "/v1/alerts", &asked);
    assert_eq!(alerts(&appliance).len(), 4);
    drop(crowd);
    appliance.until("they go with their connections", |it| (alerts(it).len() == 2).then_some(()));
    assert_eq!(ask(&appliance, "POST", "/v1/alerts", &asked).0, 404);
    appliance.stop();
}

#[test]
fn an_alert_of_both_kinds_is_one_and_follows_its_client_to_another_connection() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = guarded("");
    appliance.start();
    let clients =
        [Ws::open(&socket(&appliance), "?channels=status"), Ws::open(&socket(&appliance), "?channels=status")];
    let asked = |client: &Ws| json!({"event_id": "busy", "callback_url": receiver.url(), "ws_connection_id": client.1});
    let first = good(&appliance, "POST", "/v1/alerts", &asked(&clients[0]));
    let (status, second) = ask(&appliance, "POST", "/v1/alerts", &asked(&clients[1]));
    assert_eq!((status, &second["alert_id"]), (200, &first["alert_id"]));
    assert_eq!(second["ws_connection_id"], json!(clients[1].1));
    assert_eq!(alerts(&appliance), [second]);
    let [first_client, mut second_client] = clients;
    drop(first_client);
    assert_eq!(second_client.next_of("alert")["event_id"], first["event_id"]);
    drop(second_client);
    let only = || alerts(&appliance).remove(0);
    appliance.until("the connection goes", |_| only()["ws_connection_id"].is_null().then_some(()));
    assert_eq!(
        (only()["callback_url"].clone(), alerts(&appliance).len()),
        (json!(receiver.url()), 1),
        "the webhook stays"
    );
    appliance.stop();
}
