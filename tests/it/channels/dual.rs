//! One alert on every way out of the built binary: it is the same one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::clients::{Sse, Ws};
use super::resume::{socket, talkative};
use crate::receiver::{Answer, Arrived, Receiver};
use crate::shared::runtime;

/// The event's id of each body, by the body.
fn ids(arrived: &[Arrived]) -> BTreeMap<String, String> {
    let text = |request: &Arrived| serde_json::from_slice::<Value>(&request.body).unwrap().to_string();
    arrived.iter().map(|request| (text(request), request.header("webhook-id").to_owned())).collect()
}

#[test]
fn an_alert_is_the_same_over_websocket_webhook_and_stream() {
    if runtime().is_none() {
        return;
    }
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let mut appliance = talkative(&format!(
        "[[endpoint]]\nname = \"db\"\nformat = \"videodb\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n",
        receiver.url()
    ));
    appliance.start();
    let mut stream = Sse::open(&socket(&appliance), "?type=monitor.triggered", None).unwrap();
    let mut alerts = Ws::open(&socket(&appliance), "?channels=alert");
    let told: Vec<Value> = (0..5).map(|_| alerts.next_of("alert")).collect();
    // Whatever came over WebSocket comes as a webhook, byte for byte.
    let arrived = |alert: &Value| ids(&receiver.arrived()).get(&alert.to_string()).cloned();
    let events: Vec<String> = told.iter().map(|alert| appliance.until("its webhook", |_| arrived(alert))).collect();
    // And the webhook's event is the stream's, in the same order. The stream may have begun a little earlier.
    let mut streamed: Vec<String> = Vec::new();
    while streamed.last() != events.last() {
        streamed.push(stream.next().unwrap().line["id"].as_str().unwrap().to_owned());
    }
    assert!(streamed.ends_with(&events), "{events:?}\n{streamed:?}");

    // One rule, five occurrences, which a receiver keeps apart by the pair.
    let pair = |alert: &Value| (alert["event_id"].to_string(), alert["timestamp"].to_string());
    let pairs: BTreeSet<_> = told.iter().map(pair).collect();
    assert_eq!(pairs.len(), 5);
    assert_eq!(pairs.iter().map(|(rule, _)| rule).collect::<BTreeSet<_>>().len(), 1);
    // The control: another moment is another alert, which no webhook told of.
    let mut other = told[0].clone();
    other["timestamp"] = "2026-01-26T10:35:00.120007Z".into();
    assert_eq!(arrived(&other), None);
    appliance.stop();
}
