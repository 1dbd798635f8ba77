//! `stakeout jobs start`: what an ended job did begins anew, whoever asked for it first.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::appliance::Appliance;
use crate::receiver::{Answer, Receiver};
use crate::rtsp::Server;

const PASSWORD: &str = "Tr0ub4dor-of-the-gate";

const NOBODY: &str = "00000000-0000-0000-0000-000000000001";

fn clip() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4")
}

/// A monitor that goes on, and one whose job ends soon and stays ended.
fn yard() -> Appliance {
    let monitor = |name: &str, more: &str| {
        format!(
            "[[monitor]]\nname = \"{name}\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\n\
             labels = [\"person_in_zone\"]\ncheck_interval = \"100ms\"\n{more}"
        )
    };
    let appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n{}{}",
        clip().display(),
        monitor("steady", ""),
        monitor("brief", "max_duration = \"1s\"\nrestart = \"never\"\n"),
    ));
    appliance.edit("[api]\n", "[api]\ndefault_model = \"yard-classifier\"\n");
    appliance
}

/// Status and answer.
fn curl(appliance: &Appliance, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-w", "\n%{http_code}", "-X", method, "--unix-socket"]);
    curl.arg(appliance.folder.path().join("stakeout.sock")).arg(format!("http://x{path}"));
    if !body.is_null() {
        curl.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
    }
    let answer = String::from_utf8(curl.output().expect("curl is installed").stdout).unwrap();
    let (body, status) = answer.rsplit_once('\n').expect(&answer);
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

/// The newest job of a monitor, once it is so.
fn newest(appliance: &Appliance, monitor: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    appliance.until("its newest job is as it should be", |it| {
        it.json(&["jobs", "list", "--monitor", monitor, "--limit", "1", "--json"]).pop().filter(|job| is_so(job))
    })
}

fn runs(job: &Value) -> bool {
    job["status"] == "running"
}

fn ended(job: &Value) -> bool {
    !job["ended_at"].is_null()
}

fn id(job: &Value) -> &str {
    job["job_id"].as_str().unwrap()
}

/// What it says to a person, and its exit code.
fn start(appliance: &Appliance, job: &str) -> (String, i32) {
    let Output { status, stdout, stderr } = appliance.run(&["jobs", "start", job]);
    (String::from_utf8([stdout, stderr].concat()).unwrap(), status.code().unwrap())
}

#[test]
fn a_job_of_the_file_is_started_again_whether_it_was_ended_or_came_to_its_end() {
    let mut appliance = yard();
    appliance.start();
    let first = newest(&appliance, "steady", runs);
    assert_eq!(start(&appliance, id(&first)), (format!("job `{}` runs already\n", id(&first)), 0));
    assert!(appliance.run(&["jobs", "stop", id(&first)]).status.success());
    let (said, code) = start(&appliance, id(&first));
    let second = newest(&appliance, "steady", runs);
    assert_ne!(second["job_id"], first["job_id"]);
    assert_eq!((said, code), (format!("job `{}` has begun\n", id(&second)), 0));
    let already = format!("monitor `steady` runs already, as job `{}`\n", id(&second));
    assert_eq!(start(&appliance, id(&first)), (already, 0));
    let told = appliance.json(&["jobs", "start", id(&first), "--json"]).remove(0);
    assert_eq!((&told["job_id"], &told["monitor"]), (&second["job_id"], &json!("steady")), "for scripts, too");

    let brief = newest(&appliance, "brief", ended);
    assert_eq!(brief["details"]["reason"], "max_duration_reached");
    let begun = appliance.json(&["jobs", "start", id(&brief), "--json"]).remove(0);
    assert!(begun["job_id"] != brief["job_id"] && begun["ended_at"].is_null(), "{begun}");
    appliance.kill();
    appliance.start();
    assert_eq!(newest(&appliance, "steady", runs)["job_id"], second["job_id"], "it is a job like any other");
    assert_eq!(newest(&appliance, "brief", ended)["job_id"], begun["job_id"]);

    let (said, code) = start(&appliance, NOBODY);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("there is no job `{NOBODY}`")) && said.contains("stakeout jobs list"), "{said}");
    assert_eq!(start(&appliance, "seven").1, 2, "usage");
    assert_eq!(curl(&appliance, "POST", "/jobs/seven/start", &Value::Null).0, 400);
    appliance.stop();
    assert_eq!(start(&appliance, id(&first)).1, 3, "nobody is there to start it");
}

#[test]
fn what_is_gone_is_not_started_and_the_way_back_is_told() {
    let mut appliance = yard();
    appliance.start();
    let made = json!({"name": "made", "camera": "yard", "model": "yard-classifier", "labels": ["person_in_zone"]});
    assert_eq!(curl(&appliance, "POST", "/v1/monitors", &made).0, 201);
    let job = newest(&appliance, "made", runs);
    assert_eq!(curl(&appliance, "DELETE", "/v1/monitors/made", &Value::Null).0, 204);
    let (said, code) = start(&appliance, id(&job));
    assert!(code == 1 && said.contains("there is no monitor `made` on camera `yard` any more"), "{said}");
    assert!(said.contains("define it again"), "{said}");
    assert_eq!(curl(&appliance, "POST", &format!("/jobs/{}/start", id(&job)), &Value::Null).0, 410);
    assert_eq!(curl(&appliance, "POST", "/v1/monitors", &made).0, 201);
    let again = newest(&appliance, "made", runs);
    assert_eq!(start(&appliance, id(&job)).0, format!("monitor `made` runs already, as job `{}`\n", id(&again)));
    appliance.stop();
}

#[test]
fn a_clients_job_is_started_with_the_login_that_nobody_shows() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let server = Server::start(&clip(), 0, &["--user", "viewer", "--password", PASSWORD]);
    let stream = server.url.as_str().replace("rtsp://", &format!("rtsp://viewer:{PASSWORD}@"));
    let mut appliance = yard();
    appliance.start();
    let asked = json!({
        "stream_url": stream, "condition": "Is a person inside the marked zone?", "webhook_url": receiver.url(),
        "labels": ["person_in_zone"], "check_interval": "100ms", "max_duration": 2,
    });
    let (status, started) = curl(&appliance, "POST", "/live-monitor", &asked);
    assert_eq!(status, 201, "{started}");
    let get = |job: &Value| curl(&appliance, "GET", &format!("/jobs/{}", id(job)), &Value::Null).1;
    let first = appliance.until("its limit", |_| Some(get(&started)).filter(ended));
    let (said, code) = start(&appliance, id(&first));
    assert_eq!(code, 0, "{said}");
    let second = newest(&appliance, first["monitor"].as_str().unwrap(), |job| job["job_id"] != first["job_id"]);
    assert_eq!(said, format!("job `{}` has begun\n", id(&second)));
    let over = appliance.until("its limit, too", |_| Some(get(&second)).filter(ended));
    assert_eq!(over["details"]["reason"], "max_duration_reached", "the camera let it in");
    assert!(over["details"]["checks_performed"].as_u64() > Some(0), "{over}");
    for key in ["condition", "stream_url", "webhook_url", "labels", "max_duration"] {
        assert_eq!(over[key], first[key], "{key}");
    }

    let third = appliance.json(&["jobs", "start", id(&over), "--json"]).remove(0);
    assert!(appliance.run(&["jobs", "stop", id(&third)]).status.success());
    let start_route = format!("/jobs/{}/start", id(&third));
    let (_, refused) = appliance.until("what it needed goes", |it| {
        let gone = it.status()["cameras"].as_array().unwrap().len() == 1;
        gone.then(|| curl(it, "POST", &start_route, &Value::Null)).filter(|(status, _)| *status == 410)
    });
    assert!(refused["hint"].as_str().unwrap().contains("/live-monitor"), "{refused}");
    assert!(!appliance.log().contains(PASSWORD));
    appliance.stop();
}
