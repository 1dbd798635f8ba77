//! A receiver of Trio's live monitor that watches for longer than a job lasts: it starts each one again from what the API
//! says of it, over TCP with a token, on a stream that no configuration names. Everything is told once by its own account,
//! though the first answer to each delivery is lost and the daemon is killed in between.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use super::foreign::IDEMPOTENCY;
use super::relay::Relay;
use super::running::{Language, Running, copied};
use crate::appliance::{Appliance, SECRET};
use crate::rtsp::Server;
use crate::shared::{runtime, shared};

const TOKEN: &str = "t0ken-of-the-receiver";

/// The line without which nothing is started again.
const RESTARTING: (&str, &str) = ("if details[\"auto_stopped\"] and TRIO_API:", "if False:");

const MAX_DURATION_S: u64 = 8;

/// A box that nothing is configured on, and whose API listens for clients.
struct Site {
    appliance: Appliance,
    at: SocketAddr,
}

impl Site {
    fn new() -> Site {
        let appliance = Appliance::new("");
        let here = appliance.folder.path();
        let token = here.join("api.token");
        fs::write(&token, TOKEN).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        // The same after a kill: whoever has it must find it again.
        let at = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let settings = format!(
            "[api]\nlisten = \"{at}\"\ntoken_file = \"{}\"\ndefault_model = \"yolox-nano\"\nwebhook_secret_file = \"{}\"\n",
            token.display(),
            here.join("ops.secret").display()
        );
        appliance.edit("[api]\n", &settings);
        Site { appliance, at }
    }

    /// As from another machine's shell: status and answer.
    fn curl(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-w", "\n%{http_code}", "-X", method, &format!("http://{}{path}", self.at)]);
        curl.args(["-H", &format!("Authorization: Bearer {token}"), "-H", "Content-Type: application/json"]);
        if !body.is_null() {
            curl.args(["-d", &body.to_string()]);
        }
        let answer = String::from_utf8(curl.output().expect("curl is installed").stdout).unwrap();
        let (body, status) = answer.rsplit_once('\n').expect(&answer);
        (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    /// The jobs of a webhook, the oldest first.
    fn jobs(&self, webhook: &str) -> Vec<Value> {
        let (status, answer) = self.curl(TOKEN, "GET", "/jobs?limit=1000", &Value::Null);
        assert_eq!(status, 200, "{answer}");
        let mut jobs = answer["jobs"].as_array().unwrap().clone();
        jobs.retain(|job| job["webhook_url"] == webhook);
        jobs.reverse();
        jobs
    }

    /// Ends whatever a webhook's receiver has started last, however often it starts something.
    fn end(&self, webhook: &str) {
        self.appliance.until("its last job is ended by hand", |_| {
            for job in self.jobs(webhook).iter().filter(|job| job["ended_at"].is_null()) {
                self.curl(TOKEN, "DELETE", &format!("/jobs/{}", id(job)), &Value::Null);
            }
            let jobs = self.jobs(webhook);
            (jobs.last().unwrap()["details"]["reason"] == "user_requested").then_some(())
        });
    }
}

fn id(job: &Value) -> &str {
    job["job_id"].as_str().unwrap()
}

/// A receiver with a relay before it, which loses the first answer to each delivery.
struct Station {
    receiver: Running,
    relay: Relay,
}

impl Station {
    fn new(site: &Site, python: &Language, edits: &[(&str, &str)]) -> Station {
        let folder = copied(python, "tests/it/receivers", edits);
        let api = format!("http://{}", site.at);
        let environment = [("WEBHOOK_SECRET", SECRET), ("TRIO_API", &api), ("TRIO_API_KEY", TOKEN)];
        let receiver = Running::start(python, folder.path(), "live_monitor", &environment);
        let relay = Relay::to(receiver.address, "/webhook", true);
        Station { receiver, relay }
    }
}

/// As the service's guide has it, but with what a model needs that knows labels, and short.
fn request(stream: &str, webhook: &str) -> Value {
    json!({
        "stream_url": stream, "condition": "Is a person in the room?", "webhook_url": webhook, "include_frame": true,
        "labels": ["person"], "confidence_threshold": 0.4, "check_interval": "300ms", "cooldown": "1500ms",
        "max_duration": MAX_DURATION_S,
    })
}

#[test]
fn a_receiver_that_starts_its_job_again_watches_on_across_limits_lost_answers_and_a_kill() {
    let Some(clip) = shared("videos/one-by-one-person-detection.mp4") else { return };
    let (Some(_), Some(python)) = (runtime(), Language::python()) else { return };
    let server = Server::start(&clip, 0, &[]);
    let mut site = Site::new();
    site.appliance.start();
    let stations = [("good", &[][..]), ("forgetful", &[IDEMPOTENCY]), ("idle", &[RESTARTING])];
    let stations = BTreeMap::from(stations.map(|(name, edits)| (name, Station::new(&site, &python, edits))));
    let webhooks: BTreeMap<_, _> = stations.iter().map(|(name, station)| (*name, station.relay.url())).collect();
    for webhook in webhooks.values() {
        let asked = request(server.url.as_str(), webhook);
        assert_eq!(site.curl("another-t0ken", "POST", "/live-monitor", &asked).0, 401);
        let (status, started) = site.curl(TOKEN, "POST", "/live-monitor", &asked);
        assert_eq!(status, 201, "{started}\n{}", site.appliance.log());
    }

    let runs = |job: &Value| job["status"] == "running";
    site.appliance
        .until("the second job runs", |_| site.jobs(&webhooks["good"]).get(1).is_some_and(runs).then_some(()));
    site.appliance.kill();
    site.appliance.start();
    site.appliance.until("limits and alerts", |_| {
        let ended = |name: &str| site.jobs(&webhooks[name]).iter().filter(|job| !job["ended_at"].is_null()).count();
        let alerts: u64 =
            site.jobs(&webhooks["good"]).iter().filter_map(|job| job["details"]["triggers_fired"].as_u64()).sum();
        (ended("good") > 2 && ended("forgetful") > 0 && ended("idle") > 0 && alerts > 1).then_some(())
    });
    site.end(&webhooks["good"]);
    // The forgetful one goes on for as long as it likes.
    site.appliance.until("all is delivered", |it| {
        let deliveries = it.json(&["deliveries", "--json"]);
        deliveries.iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    });
    stations["good"].relay.assert_every_delivery_was_repeated();

    let accounts: BTreeMap<_, _> = stations.into_iter().map(|(name, it)| (name, it.receiver.end())).collect();
    let complaints = |name: &str| complaints(&site, &webhooks[name], server.url.as_str(), &accounts[name]);
    assert_eq!(complaints("good"), [] as [String; 0]);
    assert_ne!(complaints("forgetful"), [] as [String; 0], "it can't tell repeats");
    assert_eq!(site.jobs(&webhooks["idle"]).len(), 1, "nothing starts again by itself");
    assert_ne!(complaints("idle"), [] as [String; 0], "a job that is not started again is noticed");
    site.appliance.stop();
}

/// What is wrong with the account of a receiver, held against the journal and what the box says of its jobs.
fn complaints(site: &Site, webhook: &str, stream: &str, told: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    let jobs = site.jobs(webhook);
    let events = site.appliance.events();
    let of = |kind: &str, key: &str, value: &Value| -> Vec<&Value> {
        told.iter().filter(|line| line["type"] == kind && line[key] == *value).collect()
    };
    let mut alerts = 0;
    for (index, job) in jobs.iter().enumerate() {
        let its = |event: &&Value| event["type"] == "monitor.triggered" && event["job_id"] == job["job_id"];
        let triggers = events.iter().filter(its).count();
        alerts += triggers;
        let details = &job["details"];
        let shown = site.appliance.json(&["jobs", "show", id(job), "--json"]).remove(0);
        let by_limit = index + 1 < jobs.len();
        let least = |key: &str, least: u64| details[key].as_u64() >= Some(least);
        let lasted = least("elapsed_seconds", MAX_DURATION_S) && least("checks_performed", 1);
        let counted = details["triggers_fired"] == triggers && (lasted || !by_limit);
        if !counted || shown["details"] != *details || details["auto_stopped"] != by_limit {
            wrong.push(format!("{triggers} triggers in the journal, {shown} shown of {job}"));
        }
        match &of("job_status", "job", &job["job_id"])[..] {
            [end] if end["details"] == *details && end["status"] == "stopped" => {}
            ends => wrong.push(format!("{ends:?} told of the end of {job}")),
        }
        let next = jobs.get(index + 1).map(|next| &next["job_id"]);
        let restarts = of("restarted", "before", &job["job_id"]);
        if restarts.iter().map(|line| &line["now"]).ne(next) {
            wrong.push(format!("{restarts:?}, but {next:?} followed {}", id(job)));
        }
    }
    let handled: Vec<_> = told.iter().filter(|line| line["type"] == "live_monitor_triggered").collect();
    let sound = |line: &&&Value| line["triggered"] == true && line["frame_is_jpeg"] == true && line["source"] == stream;
    if handled.len() != alerts || handled.iter().filter(sound).count() != alerts {
        wrong.push(format!("{handled:?} of {alerts} alerts"));
    }
    wrong
}
