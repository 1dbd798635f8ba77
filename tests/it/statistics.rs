//! What `status` and the API tell of endpoints and monitors, and what they warn of: of the built binary, over a journal that
//! already owes something.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use stakeout::time::now;

use crate::appliance::Appliance;
use crate::owing::{accept, journal};
use crate::receiver::{Answer, Receiver};

/// `count` events of the monitor `gate`, owed to each of `endpoints`, in the journal of a daemon that does not run yet.
fn owe(appliance: &Appliance, count: usize, endpoints: &[&str]) {
    let journal = journal(appliance);
    (0..count).for_each(|_| drop(accept(&journal, now(), endpoints)));
    journal.close().unwrap();
}

fn endpoint(name: &str, url: &str) -> String {
    format!(
        "[[endpoint]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret_file = \"HERE/ops.secret\"\n\
         retry = {{ delays = [{}], max_age = \"1h\" }}\n",
        vec!["\"1s\""; 100].join(", ")
    )
}

/// Of a list of `/v1/…` as `status` shows it, the one of that name.
fn of<'v>(list: &'v Value, name: &str) -> &'v Value {
    list.as_array().unwrap().iter().find(|line| line["name"] == name).unwrap()
}

fn warnings(status: &Value) -> Vec<String> {
    let text = |warning: &Value| format!("{}: {}", warning["what"].as_str().unwrap(), warning["do"].as_str().unwrap());
    status["warnings"].as_array().unwrap().iter().map(text).collect()
}

/// A port at which nobody listens.
fn nowhere() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://127.0.0.1:{port}/hook")
}

#[test]
fn status_warns_of_what_is_wrong_and_no_longer_once_it_is_over() {
    let accepts = Arc::new(AtomicBool::new(false));
    let strict = {
        let accepts = Arc::clone(&accepts);
        Receiver::start(move |_, _| Answer::status(if accepts.load(Ordering::SeqCst) { 200 } else { 401 }))
    };
    let refuses = Receiver::start(|_, _| Answer::status(501));
    let mut appliance = Appliance::new(
        &[
            "[[camera]]\nname = \"yard\"\nurl = \"rtsp://127.0.0.1:1/none\"\n\
             [[monitor]]\nname = \"gate\"\ncamera = \"yard\"\ncondition = \"?\"\nmodel = \"yard-classifier\"\n\
             labels = [\"person_in_zone\"]\nexpect_event_within = \"1s\"\nendpoints = [\"strict\"]\n"
                .to_owned(),
            endpoint("strict", &strict.url()),
            endpoint("refuses", &refuses.url()),
            endpoint("down", &nowhere()),
        ]
        .concat(),
    );
    owe(&appliance, 2, &["strict", "refuses", "down"]);
    appliance.start();
    let expected = [
        "camera `yard` is not watched: ",
        "endpoint `refuses` has 2 dead letters: `stakeout dlq list --endpoint refuses`, then ",
        "monitor `gate` has been silent for ",
        "endpoint `down` does not answer; what it is owed is held: ",
        "endpoint `strict` does not take what it is sent: the receiver does not accept us: compare its secret with ",
    ];
    let status = appliance.until("every warning", |it| {
        let status = it.status();
        let told = warnings(&status);
        expected.iter().all(|begin| told.iter().any(|text| text.starts_with(begin))).then_some(status)
    });
    let strict_now = of(&status["endpoints"], "strict");
    assert_eq!((&strict_now["last_error"], &strict_now["statistics"]["failing"]), (&"status 401".into(), &true.into()));
    assert_eq!(strict_now["success_rate"], 1.0, "what is tried again has not failed");
    let refuses = of(&status["endpoints"], "refuses");
    assert_eq!((&refuses["success_rate"], &refuses["statistics"]["dlq_count"]), (&0.0.into(), &2.into()));
    assert!(of(&status["endpoints"], "down")["statistics"]["oldest_pending_age_s"].is_number());

    accepts.store(true, Ordering::SeqCst);
    let status = appliance.until("both delivered", |it| {
        let status = it.status();
        (of(&status["endpoints"], "strict")["delivered_24h"] == 2).then_some(status)
    });
    let strict_now = of(&status["endpoints"], "strict");
    assert_eq!(strict_now["last_error"], Value::Null, "it is over");
    assert_eq!(strict_now["statistics"]["last_error"], "status 401", "but not forgotten");
    appliance.until("no warning of it", |it| {
        warnings(&it.status()).iter().all(|text| !text.contains("`strict`")).then_some(())
    });
    appliance.stop();
}

#[test]
fn a_kill_changes_no_statistics() {
    let takes = Receiver::start(|_, _| Answer::status(200));
    let refuses = Receiver::start(|_, _| Answer::status(501));
    let mut appliance = Appliance::new(
        &[
            "[[camera]]\nname = \"yard\"\nurl = \"rtsp://127.0.0.1:1/none\"\n\
             [[monitor]]\nname = \"gate\"\ncamera = \"yard\"\ncondition = \"?\"\nmodel = \"yard-classifier\"\n\
             labels = [\"person_in_zone\"]\nendpoints = [\"takes\"]\n"
                .to_owned(),
            endpoint("takes", &takes.url()),
            endpoint("refuses", &refuses.url()),
        ]
        .concat(),
    );
    owe(&appliance, 3, &["takes", "refuses"]);
    appliance.start();
    let before = appliance.until("all six over", |it| {
        let status = it.status();
        let over = |name, key: &str| of(&status["endpoints"], name)["statistics"][key] == 3;
        (over("takes", "delivered_24h") && over("refuses", "dlq_count")).then_some(status)
    });
    let gate = &of(&before["monitors"], "gate")["statistics"];
    assert_eq!((&gate["events_24h"], &gate["delivered_24h"], &gate["dlq_count"]), (&3.into(), &3.into(), &3.into()));
    assert_eq!((&gate["delivery_success_rate"], &gate["oldest_pending_age_s"]), (&0.5.into(), &Value::Null));
    let keys: Vec<&str> = gate.as_object().unwrap().keys().map(String::as_str).collect();
    let promised = [
        "events_24h",
        "delivered_24h",
        "delivery_success_rate",
        "dlq_count",
        "held",
        "pending",
        "oldest_pending_age_s",
        "avg_latency_ms",
        "p95_latency_ms",
        "last_success",
        "last_error",
        "last_error_at",
        "failing",
    ];
    assert_eq!(keys, promised);
    appliance.kill();
    appliance.start();
    let after = appliance.status();
    assert_eq!(after["endpoints"], before["endpoints"]);
    assert_eq!(of(&after["monitors"], "gate")["statistics"], *gate);
    appliance.stop();
}
