//! The receivers' kit, and receivers written from the published examples of other services: they run as they are against the
//! built binary, and by their own account handle every alert once, also when the first answer to each delivery is lost.

mod foreign;
mod kit;
mod relay;
mod running;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::appliance::Appliance;

/// What the journal owes the world: ids of events by (type, monitor), once as many jobs have ended and all of it is delivered
/// to everybody but `unreachable`.
fn settled(appliance: &Appliance, jobs: usize, unreachable: &str) -> Owed {
    let events = appliance.until("all is delivered", |it| {
        let events = it.events();
        let ended = events.iter().filter(|event| event["type"] == "job.status").count();
        let owed = events.iter().flat_map(|event| event["deliveries"].as_array().unwrap());
        let delivered = owed.filter(|it| it["endpoint"] != unreachable).all(|it| it["state"] == "delivered");
        (ended == jobs && delivered).then_some(events)
    });
    let mut owed = Owed::default();
    for event in events {
        let monitor = event["monitor"].as_str().unwrap_or_default().to_owned();
        let kind = event["type"].as_str().unwrap().to_owned();
        owed.0.entry((kind, monitor)).or_default().push(event);
    }
    owed
}

/// Lines of events, by type and monitor.
#[derive(Default)]
struct Owed(BTreeMap<(String, String), Vec<Value>>);

impl Owed {
    /// Of one type and monitor.
    fn of(&self, kind: &str, monitor: &str) -> &[Value] {
        self.0.get(&(kind.to_owned(), monitor.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// The ids of these types, sorted.
    fn ids(&self, kinds: &[&str]) -> Vec<String> {
        let chosen = self.0.iter().filter(|((kind, _), _)| kinds.contains(&kind.as_str()));
        let mut ids: Vec<_> = chosen.flat_map(|(_, events)| texts(events, "id")).collect();
        ids.sort();
        ids
    }
}

/// The text at `key` of each.
fn texts(values: &[Value], key: &str) -> Vec<String> {
    values.iter().map(|value| value[key].as_str().unwrap().to_owned()).collect()
}

/// The same, sorted.
fn sorted(values: &[Value], key: &str) -> Vec<String> {
    let mut texts = texts(values, key);
    texts.sort();
    texts
}
