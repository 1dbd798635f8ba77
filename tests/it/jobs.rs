//! Jobs that clients start over the API, watch, lose sight of in a kill, start again and end, as at Trio's live monitor.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use stakeout::journal::Reader;
use stakeout::sign::{Key, Message, sign};

use crate::appliance::{Appliance, SECRET};
use crate::receiver::{Answer, Arrived, Receiver};
use crate::rtsp::Server;

pub const PASSWORD: &str = "Tr0ub4dor-of-the-dock";

pub fn clip() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4")
}

/// A box that clients may use, and whatever else `more` says.
pub fn shared_box(more: &str) -> Appliance {
    let appliance = Appliance::new(more);
    let secret = appliance.folder.path().join("ops.secret");
    let settings =
        format!("[api]\ndefault_model = \"yard-classifier\"\nwebhook_secret_file = \"{}\"\n", secret.display());
    appliance.edit("[api]\n", &settings);
    appliance
}

/// What a client sends; the model is one that knows labels.
pub fn request(stream: &str, receiver: &Receiver) -> Value {
    json!({
        "stream_url": stream, "condition": "Is a person inside the marked zone?", "webhook_url": receiver.url(),
        "labels": ["person_in_zone"], "check_interval": "100ms", "cooldown": 3600, "max_duration": 25,
        "include_frame": true, "endpoints": ["ops"],
    })
}

/// As from a shell: status and answer.
pub fn curl(appliance: &Appliance, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-w", "\n%{http_code}", "-X", method, "--unix-socket"]);
    curl.arg(appliance.folder.path().join("stakeout.sock")).arg(format!("http://x{path}"));
    if !body.is_null() {
        curl.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
    }
    let answer = String::from_utf8(curl.output().expect("curl is installed").stdout).unwrap();
    let (body, status) = answer.rsplit_once('\n').expect(&answer);
    let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect(body) };
    (status.parse().unwrap(), body)
}

pub fn get(appliance: &Appliance, path: &str) -> Value {
    let (status, answer) = curl(appliance, "GET", path, &Value::Null);
    assert_eq!(status, 200, "{answer}");
    answer
}

pub fn body(request: &Arrived) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// The first webhook of that type, about `job` where it names one.
fn told(receiver: &Receiver, kind: &str, job: &Value) -> Option<Arrived> {
    let is_it = |request: &Arrived| {
        let body = body(request);
        body["type"] == kind && (body["job_id"].is_null() || body["job_id"] == *job)
    };
    receiver.arrived().into_iter().find(is_it)
}

pub fn is_signed(request: &Arrived) -> bool {
    let timestamp = request.header("webhook-timestamp").parse().unwrap();
    let message = Message { id: request.header("webhook-id"), timestamp };
    sign(&[Key::new(SECRET).unwrap()], message, &request.body).unwrap().trio == request.header("x-trio-signature")
}

/// How many cameras, monitors and endpoints there are, and how many definitions are kept.
pub fn parts(appliance: &Appliance) -> [usize; 4] {
    let status = appliance.status();
    let count = |key: &str| status[key].as_array().unwrap().len();
    let kept = Reader::open(&appliance.folder.path().join("state")).unwrap().definitions().unwrap().len();
    [count("cameras"), count("monitors"), count("endpoints"), kept]
}

/// Neither here nor to the receiver; the stream itself is.
fn no_secret_is_shown(appliance: &Appliance, receiver: &Receiver, stream: &str) {
    let bodies: Vec<u8> = receiver.arrived().into_iter().flat_map(|request| request.body).collect();
    let shown = [get(appliance, "/jobs").to_string(), appliance.status().to_string(), appliance.log()].concat();
    assert!(shown.contains(stream), "the negative control");
    for secret in [PASSWORD, &SECRET[6..]] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(!String::from_utf8_lossy(&bodies).contains(secret));
    }
}

#[test]
fn a_client_has_a_stream_watched_that_nobody_configured_and_starts_it_again_from_what_it_reads() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let server = Server::start(&clip(), 0, &["--user", "viewer", "--password", PASSWORD]);
    let plain = server.url.to_string();
    let with_login = plain.replace("rtsp://", &format!("rtsp://viewer:{PASSWORD}@"));
    let mut appliance = shared_box("");
    appliance.start();
    assert_eq!(parts(&appliance), [0, 0, 0, 0]);
    let asked = request(&with_login, &receiver);
    let (status, started) = curl(&appliance, "POST", "/live-monitor", &asked);
    assert_eq!(status, 201, "{started}\n{}", appliance.log());
    let job = started["job_id"].clone();
    assert_eq!(started, json!({"job_id": job, "status": "pending"}));
    let path = format!("/jobs/{}", job.as_str().unwrap());

    // The same again, with and without the login, is the same job; another condition is another one.
    for stream in [&with_login, &plain] {
        let (status, again) = curl(&appliance, "POST", "/live-monitor", &request(stream, &receiver));
        assert_eq!((status, &again["job_id"]), (200, &job));
    }
    assert_eq!(parts(&appliance), [1, 1, 1, 3]);
    let mut other = request(&plain, &receiver);
    other["condition"] = json!("Is somebody else there?");
    let (status, second) = curl(&appliance, "POST", "/live-monitor", &other);
    assert_eq!(status, 201);
    assert_ne!(second["job_id"], job);
    assert_eq!(parts(&appliance), [1, 2, 1, 4], "one camera and one endpoint for both");
    let ended = curl(&appliance, "DELETE", &format!("/jobs/{}", second["job_id"].as_str().unwrap()), &Value::Null);
    assert_eq!((ended.0, &ended.1["details"]["reason"]), (200, &json!("user_requested")));

    let alert = appliance.until("it triggers", |_| told(&receiver, "live_monitor_triggered", &job));
    assert!(is_signed(&alert));
    assert_eq!(body(&alert)["source_url"], json!(plain));
    appliance.kill();
    appliance.start();
    let line = get(&appliance, &path);
    assert!(["pending", "running"].contains(&line["status"].as_str().unwrap()), "a kill ends no job: {line}");

    let last = appliance.until("it ends by itself", |_| told(&receiver, "job_status", &job));
    assert!(is_signed(&last));
    let line = get(&appliance, &path);
    let counted = &line["details"];
    assert_eq!((&line["status"], counted), (&body(&last)["status"], &body(&last)["details"]));
    assert_eq!((&counted["reason"], &counted["auto_stopped"]), (&json!("max_duration_reached"), &json!(true)));
    assert_eq!(counted["triggers_fired"], 1);
    assert!(counted["elapsed_seconds"].as_u64() >= Some(25), "{counted}");
    assert!(counted["checks_performed"].as_u64() > Some(10), "{counted}");
    assert_eq!((&line["stream_url"], &line["webhook_url"]), (&json!(plain), &asked["webhook_url"]));

    // What it read is enough, and the camera is logged in to without the password.
    let (status, again) = curl(&appliance, "POST", "/live-monitor", &line);
    assert_eq!(status, 201, "{again}");
    let again = again["job_id"].clone();
    assert_ne!(again, job);
    let path = format!("/jobs/{}", again.as_str().unwrap());
    appliance.until("it runs", |it| (get(it, &path)["status"] == "running").then_some(()));
    assert_eq!(get(&appliance, &path)["condition"], asked["condition"]);
    let output = appliance.run(&["jobs", "stop", again.as_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = appliance.until("its end is told", |_| told(&receiver, "job_status", &again));
    assert_eq!(body(&last)["details"]["auto_stopped"], json!(false));

    // Nothing is left but what happened.
    appliance.until("what the jobs needed goes", |it| (parts(it) == [0, 0, 0, 0]).then_some(()));
    assert_eq!(get(&appliance, &path)["stream_url"], json!(plain));
    assert_eq!(get(&appliance, "/jobs")["jobs"].as_array().unwrap().len(), 3);
    no_secret_is_shown(&appliance, &receiver, &plain);
    appliance.stop();
}

#[test]
fn a_job_on_a_camera_of_the_file_leaves_it_alone_and_a_bad_request_leaves_nothing() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let file = format!("file://{}", clip().display());
    let mut appliance = shared_box(&format!("[[camera]]\nname = \"yard\"\nurl = \"{file}\"\nloop = true\n"));
    appliance.start();
    let bare = parts(&appliance);
    let good = request("rtsp://127.0.0.1:9/1", &receiver);
    let with = |key: &str, value: Value| {
        let mut bad = good.clone();
        bad[key] = value;
        bad
    };
    for (bad, told) in [
        (json!({}), "`stream_url` is missing"),
        (json!([]), "invalid type"),
        (with("webhook_url", Value::Null), "`webhook_url` is missing"),
        (with("stream_url", json!("https://box.example/live.m3u8")), "neither an RTSP stream nor a camera"),
        (with("stream_url", json!("file:///etc/passwd")), "neither an RTSP stream nor a camera"),
        (with("stream_url", json!("rtsp://")), "`stream_url` can't be used"),
        (with("stream_url", json!(format!("rtsp://me:{}@127.0.0.1:9/1", "x".repeat(513)))), "is too long"),
        (with("webhook_url", json!("ftp://box.example/")), "ftp"),
        (with("webhook_url", json!("http://169.254.169.254/latest")), "url"),
        (with("model", json!("nobody")), "nobody"),
        (with("labels", json!(["unicorn"])), "unicorn"),
        (with("max_duration", json!(-1)), "max_duration"),
    ] {
        let (status, answer) = curl(&appliance, "POST", "/live-monitor", &bad);
        let error = answer["error"].as_str().unwrap();
        assert!(status == 400 && error.contains(told), "{bad}: {status} {answer}");
        assert!(!answer["hint"].as_str().unwrap().is_empty(), "{answer}");
        assert_eq!(parts(&appliance), bare, "nothing is left of {bad}");
    }
    let nobody = "00000000-0000-0000-0000-000000000001";
    assert_eq!(curl(&appliance, "DELETE", &format!("/jobs/{nobody}"), &Value::Null).0, 404);

    for stream in ["yard", &file] {
        let (status, started) = curl(&appliance, "POST", "/live-monitor", &request(stream, &receiver));
        assert_eq!(status, 201, "{started}");
        let path = format!("/jobs/{}", started["job_id"].as_str().unwrap());
        appliance.until("it runs", |it| (get(it, &path)["status"] == "running").then_some(()));
        let (status, ended) = curl(&appliance, "DELETE", &path, &Value::Null);
        assert_eq!((status, &ended["status"]), (200, &json!("stopped")));
        assert_eq!(curl(&appliance, "DELETE", &path, &Value::Null), (200, ended), "it has ended already");
    }
    appliance.until("what the jobs needed goes", |it| (parts(it) == bare).then_some(()));
    appliance.stop();
}

#[test]
fn those_who_start_a_job_at_the_same_time_are_told_of_one_new_job() {
    let mut appliance = shared_box(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[monitor]]\nname = \"person\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n",
        clip().display()
    ));
    appliance.start();
    let job = get(&appliance, "/jobs")["jobs"][0]["job_id"].as_str().unwrap().to_owned();
    assert_eq!(curl(&appliance, "DELETE", &format!("/jobs/{job}"), &Value::Null).0, 200);
    let start = || curl(&appliance, "POST", &format!("/jobs/{job}/start"), &Value::Null);
    let answers: Vec<(u16, Value)> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201], "{answers:?}");
    assert!(answers.iter().all(|(_, line)| line["job_id"] == answers[0].1["job_id"]), "{answers:?}");
    assert_ne!(answers[0].1["job_id"], json!(job));
    appliance.stop();
}
