//! What a webhook comes to, and whose clips it hears of.

use super::*;
use crate::config::{self, Defined, Retry};

const FILE: &str = r#"
[[camera]]
name = "yard"
url = "rtsp://10.0.0.21/1"

[[model]]
name = "m"
path = "/models/m"

[[endpoint]]
name = "ops"
url = "http://127.0.0.1:9/ops"

[[monitor]]
name = "zone"
camera = "yard"
condition = "Is a person there?"
model = "m"
labels = ["person"]
endpoints = ["ops"]
clip = { before = "5s" }

[[monitor]]
name = "quiet"
camera = "yard"
condition = "Is a car there?"
model = "m"
labels = ["car"]
"#;

const DONE: Moments = Moments {
    file_received: false,
    encoding_started: false,
    partial_finished: false,
    encoding_finished: true,
    encoding_failed: true,
};

fn file() -> Config {
    config::parse(FILE, "stakeout.toml").unwrap().config
}

fn webhook(id: u128) -> Made {
    let id = Uuid::from_u128(id);
    let name = names::of_webhook(id).unwrap();
    let section = section(&name, "http://127.0.0.1:9/clips?box=1", DONE);
    let webhook = Some(Webhook { id, title: "Lager – Tür".to_owned(), changed: Wall(7) });
    let body = Body { section, webhook, ..Body::default() };
    Made { part: Part::Endpoint, name, body, made: Wall(5), idle: None }
}

#[test]
fn a_webhook_is_an_endpoint_that_retries_as_aioz_does() {
    let made = webhook(1);
    let Defined::Endpoint(endpoint) = made.define(&file()).unwrap() else { panic!() };
    assert_eq!((endpoint.format, endpoint.retry), (Format::Aioz, Retry::Aioz));
    assert_eq!(endpoint.events, DONE.events());
    assert_eq!((moments(&made.body), url(&made.body)), (DONE, "http://127.0.0.1:9/clips?box=1"));
    assert_eq!(Moments::of(|_| true).events().len(), 5);
    assert!(made.unchangeable().unwrap().hint.contains(&format!("PUT /api/webhooks/{}", Uuid::from_u128(1))));
    let kept: Body = serde_json::from_str(&made.row().unwrap().body).unwrap();
    assert_eq!(kept.webhook, made.body.webhook, "one row keeps both");
}

#[test]
fn a_webhook_hears_of_what_is_recorded_and_of_nothing_else() {
    let mut config = file();
    let all = [webhook(1), webhook(2), webhook(3)];
    // The third one doesn't run.
    for made in &all[..2] {
        config::add(&mut config, made.define(&file()).unwrap());
    }
    let plain = Made { body: Body { webhook: None, ..webhook(4).body }, name: Name::new("ops").unwrap(), ..webhook(4) };
    for _ in 0..2 {
        apply(all.iter().chain([&plain]), &mut config);
    }
    let endpoints = |monitor: usize| config.monitors[monitor].endpoints.iter().map(Name::as_str).collect::<Vec<_>>();
    let [first, second] = [1, 2].map(|id| webhook(id).name);
    assert_eq!(endpoints(0), ["ops", first.as_str(), second.as_str()], "once each, and no other endpoint");
    assert_eq!(endpoints(1), ["ops"], "it records nothing");
}

#[test]
fn a_webhook_that_is_told_of_nothing_is_refused() {
    assert!(some(DONE).is_ok());
    let Err(Denied::Bad(why)) = some(Moments::default()) else { panic!() };
    assert!(why.hint.contains("`encoding_failed`"), "{}", why.hint);
}
