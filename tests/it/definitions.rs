//! What is made, changed, switched and taken away while the daemon runs, and what is left of it after a kill.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};
use stakeout::event::JobStatus;
use stakeout::journal::{Definition, JobFilter, Origin, Reader, Revision};
use stakeout::name::Name;
use stakeout::sign::{Key, Message, sign};
use stakeout::time::now;

use crate::appliance::{Appliance, SECRET};
use crate::owing::{accept, journal};
use crate::receiver::{Answer, Arrived, Receiver};

/// A box with a camera that shows the yard over and over, and whatever else `more` says.
pub fn yard(more: &str) -> Appliance {
    Appliance::new(&format!("[[camera]]\nname = \"yard\"\nurl = \"{}\"\nloop = true\n{more}", clip()))
}

pub fn clip() -> String {
    format!("file://{}", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4").display())
}

/// A monitor on the yard that has something to say again and again; of one that says it once, `cooldown` is long.
pub fn monitor(name: &str, camera: &str, cooldown: &str) -> Value {
    json!({
        "name": name, "camera": camera, "condition": "Is a person inside the marked zone?", "model": "yard-classifier",
        "labels": ["person_in_zone"], "check_interval": "100ms", "cooldown": cooldown, "clear_after": cooldown,
        "metadata": {"z": 1, "a": {"deep": [true]}},
    })
}

fn endpoint(name: &str, receiver: &Receiver) -> Value {
    json!({"name": name, "url": receiver.url(), "secret": SECRET})
}

pub fn ask(appliance: &Appliance, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = UnixStream::connect(appliance.folder.path().join("stakeout.sock")).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    assert!(read.is_ok(), "{method} {path}: {read:?}\n{}", appliance.log());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect(body) })
}

pub fn good(appliance: &Appliance, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = ask(appliance, method, path, body);
    assert!((200..300).contains(&status), "{method} {path}: {status} {answer}\n{}", appliance.log());
    answer
}

fn named(list: &Value, name: &str) -> Option<Value> {
    list.as_array().unwrap().iter().find(|it| it["name"] == name).cloned()
}

/// The line of a monitor in `status`.
pub fn line(appliance: &Appliance, name: &str) -> Option<Value> {
    named(&appliance.status()["monitors"], name)
}

/// Waits until the monitor has triggered; its line.
pub fn when_triggered(appliance: &Appliance, name: &str) -> Value {
    appliance.until("it triggers", |it| line(it, name).filter(|line| line["triggers"].as_u64() > Some(0)))
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn state(appliance: &Appliance) -> Reader {
    Reader::open(&appliance.folder.path().join("state")).unwrap()
}

/// Whether the request is signed with our secret.
pub fn is_signed(request: &Arrived) -> bool {
    let timestamp = request.header("webhook-timestamp").parse().unwrap();
    let message = Message { id: request.header("webhook-id"), timestamp };
    let signed = sign(&[Key::new(SECRET).unwrap()], message, &request.body).unwrap();
    request.header("x-trio-signature") == signed.trio
}

fn types(receiver: &Receiver) -> Vec<(String, Value)> {
    let body = |request: &Arrived| serde_json::from_slice::<Value>(&request.body).unwrap();
    let told = receiver.arrived().iter().map(body).collect::<Vec<_>>();
    told.into_iter().map(|body| (body["type"].as_str().unwrap().to_owned(), body["data"].clone())).collect()
}

#[test]
fn what_is_made_over_the_api_watches_delivers_and_survives_kills_and_restarts() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = yard("");
    appliance.start();
    good(&appliance, "POST", "/v1/endpoints", &endpoint("hq", &receiver));
    good(&appliance, "POST", "/v1/cameras", &json!({"name": "gate", "url": clip(), "loop": true}));
    let body = monitor("zone", "gate", "400ms");
    let (status, made) = ask(&appliance, "POST", "/v1/monitors", &body);
    assert_eq!((status, &made["kind"], &made["origin"]), (201, &json!("monitor"), &json!("api")));
    assert_eq!(made["definition"].to_string(), body.to_string(), "as it was sent");

    let before = when_triggered(&appliance, "zone");
    let first = receiver.wait_for(1).remove(0);
    assert!(is_signed(&first));
    assert_eq!((&before["origin"], &before["camera"]), (&json!("api"), &json!("gate")));
    assert_eq!(named(&appliance.status()["endpoints"], "hq").unwrap()["origin"], "api");
    assert_eq!(named(&appliance.status()["cameras"], "yard").unwrap()["origin"], "file");
    appliance.until("a checkpoint", |it| {
        let jobs = state(it).jobs(&JobFilter::default()).unwrap();
        let job = jobs.into_iter().find(|job| job.monitor.as_str() == "zone")?;
        assert_eq!(job.origin, Origin::Api);
        (job.counters.checks_performed >= before["checks"].as_u64()?).then_some(())
    });
    for kill in [true, true, false] {
        if kill {
            appliance.kill()
        } else {
            appliance.stop()
        }
        appliance.start();
        let after = line(&appliance, "zone").expect("it is there again");
        assert_eq!(after["job"]["id"], before["job"]["id"], "the same job goes on");
        assert!(after["checks"].as_u64() >= before["checks"].as_u64(), "its counters go on: {after}");
        let so_far = receiver.arrived().len();
        assert!(is_signed(receiver.wait_for(so_far + 1).last().unwrap()));
    }
    let output = appliance.run(&["status"]);
    let screen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(screen.contains("made over the API"), "{screen}");
    let shown = [appliance.log(), appliance.status().to_string(), made.to_string(), screen].concat();
    assert!(!shown.contains(&SECRET[..12]), "a secret is never shown again");
    appliance.stop();

    // The negative control: without its row it would not have come back.
    let kept = journal(&appliance);
    kept.writer().undefine("monitor", name("zone")).wait().unwrap();
    kept.close().unwrap();
    appliance.start();
    assert_eq!(line(&appliance, "zone"), None);
    appliance.stop();
}

#[test]
fn a_monitor_that_is_disabled_stays_so_and_that_is_shown_as_a_difference() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let fixed = monitor("zone", "yard", "1h");
    let keys = |key: &str| fixed[key].to_string();
    let mut appliance = yard(&format!(
        "[[monitor]]\nname = \"zone\"\ncamera = \"yard\"\ncondition = {}\nmodel = \"yard-classifier\"\nlabels = {}\n\
         check_interval = \"100ms\"\nclear_after = \"1h\"\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n",
        keys("condition"),
        keys("labels"),
        receiver.url()
    ));
    appliance.start();
    let job = when_triggered(&appliance, "zone")["job"]["id"].clone();
    let disabled = appliance.run(&["monitor", "disable", "zone"]);
    assert_eq!(String::from_utf8_lossy(&disabled.stdout), "monitor `zone` is disabled\n");
    assert_eq!(
        String::from_utf8_lossy(&disabled.stderr),
        "the configuration says otherwise: this holds until it is switched back\n"
    );
    assert!(
        appliance
            .log()
            .lines()
            .any(|line| line.contains("by=uid ") && line.contains("obeyed `POST /v1/monitors/zone/disable`"))
    );
    for restart in [false, true, true] {
        if restart {
            appliance.kill();
            appliance.start();
        }
        let line = line(&appliance, "zone").unwrap();
        assert_eq!((&line["state"], &line["differs_from_file"]), (&json!("disabled"), &json!(true)));
        assert_eq!((&line["job"]["id"], &line["job"]["reason"]), (&job, &json!("user_requested")));
        assert_eq!(line["open"], Value::Null);
        let screen = String::from_utf8_lossy(&appliance.run(&["status"]).stdout).into_owned();
        assert!(screen.contains("disabled by hand"), "{screen}");
    }
    receiver.wait_for(3);
    let told = types(&receiver);
    let kinds: BTreeSet<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["job.status", "monitor.cleared", "monitor.triggered"]));
    let cleared = told.iter().find(|(kind, _)| kind == "monitor.cleared").unwrap();
    assert_eq!(cleared.1["reason"], "job_stopped");

    let enabled = appliance.json(&["monitor", "enable", "zone", "--json"]).remove(0);
    assert_eq!(enabled, json!({"monitor": "zone", "enabled": true, "differs_from_file": false}));
    let line = line(&appliance, "zone").unwrap();
    assert_eq!((&line["state"], &line["differs_from_file"]), (&json!("idle"), &json!(false)));
    assert_ne!(line["job"]["id"], job, "a new job");
    let unknown = appliance.run(&["monitor", "enable", "nobody"]);
    assert_eq!(
        String::from_utf8_lossy(&unknown.stderr),
        "error: there is no monitor `nobody`\nhint: monitors known here: `zone`\n"
    );
    appliance.stop();
}

#[test]
fn what_is_taken_away_says_good_bye_and_what_it_was_owed_is_listed() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let silent = Receiver::start(|_, _| Answer::status(500));
    let mut appliance = yard("");
    appliance.start();
    good(&appliance, "POST", "/v1/endpoints", &endpoint("hq", &receiver));
    good(&appliance, "POST", "/v1/endpoints", &endpoint("deaf", &silent));
    good(&appliance, "POST", "/v1/monitors", &monitor("zone", "yard", "1h"));
    good(&appliance, "POST", "/v1/monitors", &monitor("other", "yard", "1h"));
    let job = when_triggered(&appliance, "zone")["job"]["id"].clone();
    let other = when_triggered(&appliance, "other")["job"]["id"].clone();
    let (status, answer) = ask(&appliance, "DELETE", "/v1/monitors/zone", &Value::Null);
    assert_eq!((status, answer), (204, Value::Null));
    assert_eq!(line(&appliance, "zone"), None);
    assert_eq!(line(&appliance, "other").unwrap()["job"]["id"], other, "its neighbour goes on");
    appliance.until("the good-bye", |_| {
        let told = types(&receiver).into_iter().filter(|(_, data)| data["job_id"] == job).collect::<Vec<_>>();
        let of = |kind: &str| told.iter().find(|(told, _)| told == kind).map(|(_, data)| data.clone());
        let (cleared, ended) = (of("monitor.cleared")?, of("job.status")?);
        assert_eq!((&cleared["reason"], &ended["reason"]), (&json!("job_stopped"), &json!("definition_changed")));
        Some(())
    });
    let jobs = state(&appliance).jobs(&JobFilter::default()).unwrap();
    let ended = jobs.iter().find(|it| json!(it.id.to_string()) == job).unwrap();
    assert_eq!((ended.status, ended.origin), (JobStatus::Stopped, Origin::Api));

    good(&appliance, "DELETE", "/v1/endpoints/deaf", &Value::Null);
    appliance.until("what it was owed has ended", |it| {
        let owed = it.json(&["deliveries", "--json", "--endpoint", "deaf"]);
        let skipped = owed.iter().all(|delivery| delivery["state"] == "skipped_gone");
        (skipped && owed.len() >= 4).then_some(())
    });
    // There is one of that name again: it gets what happens, and by hand what it was owed.
    good(&appliance, "POST", "/v1/endpoints", &endpoint("deaf", &receiver));
    let so_far = receiver.arrived().len();
    assert!(appliance.run(&["dlq", "retry", "--endpoint", "deaf"]).status.success());
    receiver.wait_for(so_far + 4);
    appliance.stop();
}

/// What a kill leaves that comes between the journal and what runs: the start does the rest.
#[test]
fn a_kill_right_after_the_journal_leaves_the_rest_to_the_start() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = yard("");
    appliance.start();
    good(&appliance, "POST", "/v1/endpoints", &endpoint("hq", &receiver));
    good(&appliance, "POST", "/v1/endpoints", &endpoint("gone", &receiver));
    good(&appliance, "POST", "/v1/monitors", &monitor("zone", "yard", "1h"));
    let job = when_triggered(&appliance, "zone")["job"]["id"].clone();
    receiver.wait_for(2);
    appliance.kill();
    let kept = journal(&appliance);
    accept(&kept, now(), &["gone"]);
    let section = json!({"section": monitor("made", "yard", "1h")}).to_string();
    let made = Definition { kind: "monitor".to_owned(), name: name("made"), body: section, made: now().wall };
    let forget = vec![("monitor".to_owned(), name("zone")), ("endpoint".to_owned(), name("gone"))];
    kept.writer().revise(Revision { forget, keep: vec![made], gone: vec![(name("gone"), true)] }).wait().unwrap();
    kept.close().unwrap();

    appliance.start();
    when_triggered(&appliance, "made");
    assert_eq!(line(&appliance, "zone"), None);
    appliance.until("the one that was taken away says good-bye", |_| {
        let ended = |(kind, data): &(String, Value)| kind == "job.status" && data["job_id"] == job;
        types(&receiver).iter().any(ended).then_some(())
    });
    appliance.until("what the endpoint was owed has ended", |it| {
        let owed = it.json(&["deliveries", "--json", "--endpoint", "gone", "--state", "skipped_gone"]);
        (!owed.is_empty()).then_some(())
    });
    appliance.stop();
}

#[test]
fn a_change_keeps_the_job_where_it_means_the_same_and_ends_it_where_it_does_not() {
    let mut appliance = yard("");
    appliance.start();
    let mut body = monitor("zone", "yard", "1h");
    good(&appliance, "POST", "/v1/monitors", &body);
    let first = when_triggered(&appliance, "zone");
    body["confidence_threshold"] = json!(0.7);
    body.as_object_mut().unwrap().remove("name");
    let (status, made) = ask(&appliance, "PUT", "/v1/monitors/zone", &body);
    assert_eq!((status, &made["definition"]["name"]), (200, &json!("zone")));
    let second = line(&appliance, "zone").unwrap();
    assert_eq!((&second["job"]["id"], &second["open"]), (&first["job"]["id"], &first["open"]));
    body["condition"] = json!("Is a person inside another zone?");
    good(&appliance, "PUT", "/v1/monitors/zone", &body);
    assert_ne!(line(&appliance, "zone").unwrap()["job"]["id"], first["job"]["id"]);
    // A camera that is changed is connected anew, and the job goes on.
    let job = line(&appliance, "zone").unwrap()["job"]["id"].clone();
    let camera = json!({"name": "gate", "url": clip(), "loop": true});
    good(&appliance, "POST", "/v1/cameras", &camera);
    body["camera"] = json!("gate");
    good(&appliance, "PUT", "/v1/monitors/zone", &body);
    let moved = appliance.until("it watches there", |it| line(it, "zone").filter(|it| it["checks"].as_u64() > Some(3)));
    assert_eq!(moved["camera"], "gate");
    assert_ne!(moved["job"]["id"], job, "another camera, another machine");
    let (status, answer) = ask(&appliance, "DELETE", "/v1/cameras/gate", &Value::Null);
    assert_eq!((status, &answer["error"]), (409, &json!("monitor `zone` needs camera `gate`")));
    good(&appliance, "PUT", "/v1/cameras/gate", &camera);
    assert_eq!(line(&appliance, "zone").unwrap()["job"]["id"], moved["job"]["id"]);
    appliance.until("it goes on", |it| line(it, "zone").filter(|it| it["checks"].as_u64() > moved["checks"].as_u64()));
    good(&appliance, "DELETE", "/v1/monitors/zone", &Value::Null);
    good(&appliance, "DELETE", "/v1/cameras/gate", &Value::Null);
    assert_eq!(named(&appliance.status()["cameras"], "gate"), None);
    appliance.stop();
}

#[test]
fn a_secret_stays_through_a_change_unless_it_is_taken_away_and_a_password_goes_nowhere_else() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = yard("");
    appliance.start();
    good(&appliance, "POST", "/v1/endpoints", &endpoint("hq", &receiver));
    let elsewhere = format!("{}elsewhere", receiver.url());
    let unsigned = json!({"url": elsewhere, "secret": null});
    // Whether it minds a forged signature is asked behind the first check, and not where nothing is signed.
    for (index, body, is_signed) in [(0, json!({"url": elsewhere}), true), (2, unsigned, false)] {
        good(&appliance, "PUT", "/v1/endpoints/hq", &body);
        good(&appliance, "POST", "/v1/endpoints/hq/check", &Value::Null);
        assert_eq!(receiver.wait_for(index + 1)[index].has_header("x-trio-signature"), is_signed, "{body}");
    }
    let camera = |host: &str| json!({"url": format!("rtsp://{host}/1"), "username": "viewer", "decode": "all"});
    let mut known = camera("127.0.0.1:1");
    known["password"] = json!("a long password");
    good(&appliance, "PUT", "/v1/cameras/gate", &known);
    good(&appliance, "PUT", "/v1/cameras/gate", &camera("127.0.0.1:1"));
    let (status, answer) = ask(&appliance, "PUT", "/v1/cameras/gate", &camera("127.0.0.2:1"));
    assert_eq!(status, 400, "{answer}");
    let mut without = camera("127.0.0.2:1");
    without["password"] = Value::Null;
    without.as_object_mut().unwrap().remove("username");
    good(&appliance, "PUT", "/v1/cameras/gate", &without);
    appliance.stop();
}

#[test]
fn a_job_ends_with_its_duration_and_begins_anew_only_where_it_should() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = yard("");
    appliance.start();
    good(&appliance, "POST", "/v1/endpoints", &endpoint("hq", &receiver));
    for (name, restart) in [("once", "never"), ("again", "always")] {
        let mut body = monitor(name, "yard", "1h");
        body["max_duration"] = json!("2s");
        body["restart"] = json!(restart);
        good(&appliance, "POST", "/v1/monitors", &body);
    }
    let once = line(&appliance, "once").unwrap()["job"]["id"].clone();
    let again = line(&appliance, "again").unwrap()["job"]["id"].clone();
    appliance.until("both end", |_| {
        let told = types(&receiver);
        let ended = |job: &Value| {
            let of = |(kind, data): &&(String, Value)| kind == "job.status" && data["job_id"] == *job;
            told.iter().find(of).map(|(_, data)| data.clone())
        };
        for data in [ended(&once)?, ended(&again)?] {
            assert_eq!((&data["reason"], &data["auto_stopped"]), (&json!("max_duration_reached"), &json!(true)));
        }
        Some(())
    });
    appliance.kill();
    appliance.start();
    let line_of_once = line(&appliance, "once").unwrap();
    assert_eq!((&line_of_once["job"]["id"], &line_of_once["state"]), (&once, &json!("stopped")), "it stays ended");
    assert_ne!(line(&appliance, "again").unwrap()["job"]["id"], again);
    // By hand it begins anew.
    good(&appliance, "POST", "/v1/monitors/once/enable", &json!({}));
    assert_ne!(line(&appliance, "once").unwrap()["job"]["id"], once);
    appliance.stop();
}

/// A request, and what is answered.
type Refused = (&'static str, &'static str, Value, u16, &'static str);

fn monitors_refused() -> Vec<Refused> {
    let zone = monitor("zone", "yard", "1h");
    let with = |key: &str, value: Value| {
        let mut body = zone.clone();
        body[key] = value;
        body
    };
    vec![
        ("DELETE", "/v1/monitors/zone", Value::Null, 404, "there is no monitor `zone`"),
        ("POST", "/v1/monitors/zone/disable", json!({}), 404, "there is no monitor `zone`"),
        ("POST", "/v1/monitors", with("camera", json!("dok")), 400, "monitor `zone`: unknown camera `dok`"),
        ("POST", "/v1/monitors", with("endpoints", json!(["x"])), 400, "monitor `zone`: unknown endpoint `x`"),
        ("POST", "/v1/monitors", with("cooldwon", json!("1s")), 400, "monitor `zone`: unknown key `cooldwon`"),
        (
            "POST",
            "/v1/monitors",
            with("labels", json!(["persn"])),
            400,
            "monitor `zone`: model `yard-classifier` has no label `persn`",
        ),
        ("POST", "/v1/monitors", with("model", json!("nothing")), 400, "monitor `zone`: unknown model `nothing`"),
        ("POST", "/v1/monitors", with("hold", Value::Null), 400, "monitor has a null in `hold`"),
        ("POST", "/v1/monitors", json!({}), 400, "the monitor has no `name`, or one that can't be used"),
        ("PUT", "/v1/monitors/other", zone.clone(), 400, "the body is of another monitor than `other`"),
        ("PUT", "/v1/monitors/a%20b", json!({}), 404, "there is nothing of the name `a b`"),
        ("POST", "/v1/monitors", json!([1]), 400, "Failed to deserialize the JSON body into the target type"),
    ]
}

/// Of cameras and endpoints.
fn others_refused(receiver: &Receiver) -> Vec<Refused> {
    vec![
        (
            "POST",
            "/v1/cameras",
            json!({"name": "yard", "url": clip()}),
            409,
            "camera `yard` stands in the configuration file",
        ),
        ("PUT", "/v1/endpoints/ops", endpoint("ops", receiver), 409, "endpoint `ops` stands in the configuration file"),
        ("DELETE", "/v1/cameras/yard", Value::Null, 409, "camera `yard` stands in the configuration file"),
        ("POST", "/v1/endpoints", endpoint("hq", receiver), 409, "endpoint `hq` exists already"),
        (
            "POST",
            "/v1/endpoints",
            json!({"name": "x", "url": "http://169.254.169.254/"}),
            400,
            "endpoint `x`: `url` leads to a link-local address",
        ),
        (
            "POST",
            "/v1/endpoints",
            json!({"name": "x", "url": receiver.url(), "secret": "whsec_%%%-hunter2"}),
            400,
            "endpoint `x`: `secret` is empty, or what follows `whsec_` is not base64",
        ),
        (
            "POST",
            "/v1/endpoints",
            json!({"name": "x", "url": receiver.url(), "secret": "hunter2".repeat(100)}),
            400,
            "the `secret` of the endpoint is too long or of many lines",
        ),
        (
            "POST",
            "/v1/endpoints",
            json!({"name": "x", "url": receiver.url(), "secret_file": "/etc/shadow"}),
            400,
            "endpoint: `secret_file` counts only in the configuration file",
        ),
        ("POST", "/v1/cameras", json!({"name": "x", "url": "file:///nowhere.mp4"}), 400, "camera `x`: "),
        (
            "POST",
            "/v1/cameras",
            json!({"name": "x", "url": "rtsp://10.0.0.1/", "password": "hunter2"}),
            400,
            "camera `x`: a password needs a `username`",
        ),
    ]
}

#[test]
fn what_can_not_be_made_is_told_and_changes_nothing() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let file = format!("[[endpoint]]\nname = \"ops\"\nurl = \"{}\"\n", receiver.url());
    let mut appliance = yard(&file);
    appliance.start();
    good(&appliance, "POST", "/v1/endpoints", &endpoint("hq", &receiver));
    let before = appliance.status();
    for (method, path, body, status, told) in monitors_refused().into_iter().chain(others_refused(&receiver)) {
        let (found, answer) = ask(&appliance, method, path, &body);
        assert_eq!(found, status, "{method} {path} {body}: {answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.starts_with(told), "{method} {path} {body}: {answer}");
        assert!(!answer["hint"].as_str().unwrap().is_empty(), "{answer}");
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
    }
    let after = appliance.status();
    for part in ["cameras", "monitors", "endpoints"] {
        let names =
            |status: &Value| status[part].as_array().unwrap().iter().map(|it| it["name"].clone()).collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after));
    }
    let kept: Vec<_> = state(&appliance).definitions().unwrap().into_iter().map(|it| it.name).collect();
    assert_eq!(kept, [name("hq")]);
    assert!(!appliance.log().contains("hunter2"));
    appliance.stop();
}

#[test]
fn the_command_line_knows_endpoints_that_were_made_over_the_api() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = Appliance::new("[[endpoint]]\nname = \"ops\"\nurl = \"https://127.0.0.1:9/T0\"\n");
    let unheard = appliance.run(&["endpoint", "list"]);
    assert!(String::from_utf8_lossy(&unheard.stderr).ends_with("; only endpoints of the file are listed\n"));
    appliance.start();
    let url = format!("{}/hook?code=hunter2", receiver.url());
    good(&appliance, "POST", "/v1/endpoints", &json!({"name": "hq", "url": url, "secret": SECRET}));
    let trio = json!({"name": "trio", "url": url, "format": "trio-stream"});
    good(&appliance, "POST", "/v1/endpoints", &trio);

    let listed = appliance.json(&["endpoint", "list", "--json"]);
    let names: Vec<_> = listed.iter().map(|line| (line["name"].clone(), line["origin"].clone())).collect();
    assert_eq!(json!(names), json!([["ops", "file"], ["hq", "api"], ["trio", "api"]]));
    let shown = json!(format!("{}/hook?code=***", receiver.url()));
    assert_eq!((&listed[0]["url"], &listed[1]["url"]), (&json!("https://127.0.0.1:9"), &shown));
    assert_eq!((&listed[1]["secrets"], &listed[2]["format"]), (&json!(1), &json!("trio-stream")));
    let (_, told) = ask(&appliance, "GET", "/v1/endpoints", &Value::Null);
    assert_eq!(named(&told["items"], "hq").unwrap()["url"], shown);

    let checked = appliance.json(&["endpoint", "check", "hq", "--json"]);
    assert_eq!((&checked[0]["endpoint"], &checked[0]["outcome"]), (&json!("hq"), &json!("delivered")));
    let (status, refusal) = ask(&appliance, "POST", "/v1/endpoints/trio/check", &json!({}));
    assert_eq!(status, 409, "{refusal}");
    assert!(refusal["error"].as_str().unwrap().contains("no message for trying out"), "{refusal}");
    assert!(!appliance.run(&["endpoint", "check", "nobody"]).status.success());
    appliance.stop();
}

#[test]
fn what_no_longer_fits_the_file_is_kept_not_run_and_warned_of() {
    let mut appliance = yard("[[camera]]\nname = \"gate\"\nurl = \"rtsp://127.0.0.1:9/x\"\n");
    appliance.start();
    good(&appliance, "POST", "/v1/monitors", &monitor("zone", "gate", "1h"));
    good(&appliance, "POST", "/v1/monitors", &monitor("other", "yard", "1h"));
    let receiver = Receiver::start(|_, _| Answer::status(200));
    good(&appliance, "POST", "/v1/endpoints", &endpoint("ops", &receiver));
    appliance.stop();
    appliance.edit("name = \"gate\"", "name = \"gone\"");
    appliance.start();
    assert_eq!((line(&appliance, "zone"), line(&appliance, "other").is_some()), (None, true));
    let warned = "monitor `zone`, which was made over the API, does not run: monitor `zone`: unknown camera `gate`";
    assert!(appliance.status()["warnings"].to_string().contains(warned), "{}", appliance.status()["warnings"]);
    appliance.stop();
    appliance.edit("name = \"gone\"", "name = \"gate\"");
    appliance.start();
    assert!(line(&appliance, "zone").is_some(), "it was kept");
    appliance.stop();
    // The file takes its name: the file wins.
    appliance.edit("[[camera]]\nname = \"gate\"", "[[camera]]\nname = \"gate\"\ndecode = \"all\"");
    appliance.edit("url = \"rtsp://127.0.0.1:9/x\"", &format!("url = \"{}\"\nloop = true", clip()));
    let text = fs::read_to_string(appliance.config()).unwrap();
    let section = "[[monitor]]\nname = \"other\"\ncamera = \"gate\"\nmodel = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\ncheck_interval = \"100ms\"\n\
                   cooldown = \"200ms\"\nclear_after = \"200ms\"\n";
    let url = receiver.url();
    let ops = format!("[[endpoint]]\nname = \"ops\"\nurl = \"{url}\"\nsecret_file = \"HERE/ops.secret\"\n");
    let ops = ops.replace("HERE", &appliance.folder.path().display().to_string());
    fs::write(appliance.config(), text + section + &ops).unwrap();
    appliance.start();
    let other = line(&appliance, "other").unwrap();
    assert_eq!((&other["camera"], &other["origin"]), (&json!("gate"), &json!("file")));
    let warnings = appliance.status()["warnings"].to_string();
    for warned in ["monitor `other` stands in the configuration file", "DELETE /v1/monitors/other", "`ops` stands in"] {
        assert!(warnings.contains(warned), "{warnings}");
    }
    assert!(!warnings.contains("PUT"), "it would be refused: {warnings}");
    // Those of the file go on as they are when what shares their name is taken away.
    good(&appliance, "POST", "/v1/monitors/other/disable", &json!({}));
    for path in ["monitors/other", "endpoints/ops"] {
        good(&appliance, "DELETE", &format!("/v1/{path}"), &Value::Null);
    }
    assert_eq!(appliance.status()["warnings"], json!([]));
    assert_eq!(line(&appliance, "other").unwrap()["state"], "disabled", "its switch stays");
    let before = receiver.arrived().len();
    good(&appliance, "POST", "/v1/monitors/other/enable", &json!({}));
    assert!(is_signed(&receiver.wait_for(before + 1)[before]), "the endpoint of the file still gets what happens");
    appliance.stop();
}

/// Threads and open files of the daemon.
fn holds(appliance: &Appliance) -> (usize, usize) {
    let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", appliance.process())).unwrap().count();
    (count("task"), count("fd"))
}

#[test]
fn making_and_taking_away_fifty_times_leaks_neither_threads_nor_files() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = yard("");
    appliance.start();
    let round = |appliance: &Appliance| {
        good(appliance, "POST", "/v1/cameras", &json!({"name": "gate", "url": clip(), "loop": true}));
        good(appliance, "POST", "/v1/endpoints", &endpoint("hq", &receiver));
        let mut body = monitor("zone", "gate", "1h");
        body.as_object_mut().unwrap().remove("camera");
        body["cameras"] = json!(["gate", "yard"]);
        good(appliance, "POST", "/v1/monitors", &body);
        good(appliance, "POST", "/v1/monitors/zone/disable", &json!({}));
        for path in ["monitors/zone", "endpoints/hq", "cameras/gate"] {
            good(appliance, "DELETE", &format!("/v1/{path}"), &Value::Null);
        }
    };
    // What is made once and kept: pools of threads, connections for reading.
    (0..5).for_each(|_| round(&appliance));
    let before = holds(&appliance);
    (0..50).for_each(|_| round(&appliance));
    // Threads that have nothing to do any more end within moments. One thing left behind in each round would be fifty.
    appliance.until("nothing is left behind", |it| {
        let (threads, files) = holds(it);
        (threads <= before.0 + 10 && files <= before.1 + 10).then_some(())
    });
    assert_eq!(state(&appliance).definitions().unwrap(), []);
    appliance.stop();
}
