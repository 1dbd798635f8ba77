//! What the daemon shows of jobs, and what a camera sees, over the API and on the command line.

use serde_json::Value;

use super::{Answer, ask, daemon, unix};
use crate::receiver::{self, Receiver};

fn get(appliance: &crate::appliance::Appliance, path: &str) -> Answer {
    ask(unix(appliance), &format!("GET {path}"), &[], b"").unwrap()
}

#[test]
fn jobs_run_are_counted_and_outlive_the_daemon() {
    let receiver = Receiver::start(|_, _| receiver::Answer::status(400));
    let mut appliance = daemon("127.0.0.1:0", &receiver);
    let job = appliance.until("a delivery of the job fails", |it| {
        let job = it.json(&["jobs", "list", "--json"]).pop()?;
        (job["logs"]["webhooks_failed"].as_u64()? > 0).then_some(job)
    });
    let fields: Vec<_> = job.as_object().unwrap().keys().map(String::as_str).collect();
    let promised = [
        "job_id",
        "status",
        "details",
        "stream_url",
        "condition",
        "webhook_url",
        "monitor",
        "camera",
        "started_at",
        "ended_at",
        "logs",
    ];
    assert_eq!(fields, promised);
    let details: Vec<_> = job["details"].as_object().unwrap().keys().map(String::as_str).collect();
    let of_job_status =
        ["checks_performed", "triggers_fired", "frames_skipped", "auto_stopped", "reason", "elapsed_seconds"];
    assert_eq!(details, of_job_status);
    assert_eq!((&job["status"], &job["condition"]), (&"running".into(), &"Is a person in the yard?".into()));
    assert!(job["stream_url"].as_str().unwrap().ends_with("yard.mp4"));
    let status = appliance.status();
    assert_eq!(job["job_id"], status["monitors"][0]["job"]["id"]);

    let id = job["job_id"].as_str().unwrap();
    let one = get(&appliance, &format!("/jobs/{id}")).json();
    assert!(one["details"]["checks_performed"].as_u64() >= job["details"]["checks_performed"].as_u64());
    let listed = get(&appliance, "/jobs?status=running&monitor=person").json();
    assert_eq!(listed["jobs"][0]["job_id"], job["job_id"]);
    assert_eq!(get(&appliance, "/jobs?status=failed").json(), serde_json::json!({"jobs": []}));
    get(&appliance, "/jobs/00000000-0000-0000-0000-000000000001").assert_refusal(404);
    let shown = appliance.run(&["jobs", "show", id]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("Is a person in the yard?") && shown.contains("not delivered"), "{shown}");

    appliance.stop();
    let kept: Vec<Value> = appliance.json(&["jobs", "list", "--json"]);
    assert_eq!((kept.len(), &kept[0]["job_id"]), (1, &job["job_id"]), "the journal knows it");
}

#[test]
fn a_snapshot_is_what_the_camera_sees_and_of_one_that_is_away_there_is_none() {
    let receiver = Receiver::start(|_, _| receiver::Answer::status(200));
    let appliance = daemon("127.0.0.1:0", &receiver);
    let picture = appliance.until("the yard is seen", |it| {
        let answer = get(it, "/v1/cameras/yard/snapshot");
        (answer.status == 200).then_some(answer)
    });
    assert!(picture.head.contains("\r\ncontent-type: image/jpeg\r\n"), "{}", picture.head);
    let frame = stakeout::picture::still(&picture.body).unwrap();
    let file = appliance.folder.path().join("yard.jpg");
    let output = appliance.run(&["snapshot", "yard", "-o", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let saved = stakeout::picture::still(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!((saved.width, saved.height), (frame.width, frame.height));

    let away = get(&appliance, "/v1/cameras/away/snapshot");
    away.assert_refusal(503);
    assert!(away.text().contains("camera `away` is"), "{}", away.text());
    get(&appliance, "/v1/cameras/nowhere/snapshot").assert_refusal(404);
    let output = appliance.run(&["snapshot", "away", "-o", "/dev/null"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hint: "));
}
