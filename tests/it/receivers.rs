//! The receivers' kit, and receivers written from the published examples of other services: they run as they are against the
//! built binary, and by their own account handle every alert once, also when the first answer to each delivery is lost.

mod foreign;
mod kit;
pub mod relay;
mod round_the_clock;
pub mod running;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::appliance::Appliance;

/// Waits until each of `monitors` has alerted and its job has ended by itself, disables them, and gives what the journal owes
/// the world, once all of it is delivered to everybody but `unreachable`.
fn watched(appliance: &Appliance, monitors: &[&str], unreachable: &str) -> Owed {
    appliance.until("alerts and ended jobs", |it| {
        let owed = Owed::of_events(it.events());
        let enough =
            |name: &&str| owed.of("monitor.triggered", name).len() > 1 && !owed.of("job.status", name).is_empty();
        monitors.iter().all(enough).then_some(())
    });
    for monitor in monitors {
        assert!(appliance.run(&["monitor", "disable", monitor]).status.success());
    }
    let stopped =
        |status: &Value| status["monitors"].as_array().unwrap().iter().all(|it| it["job"]["status"] == "stopped");
    appliance.until("the jobs are stopped", |it| stopped(&it.status()).then_some(()));
    appliance.until("all is delivered", |it| {
        let events = it.events();
        let mut owed = events.iter().flat_map(|event| event["deliveries"].as_array().unwrap());
        let delivered = owed.all(|it| it["state"] == "delivered" || it["endpoint"] == unreachable);
        delivered.then(|| Owed::of_events(events))
    })
}

/// Lines of events, by type and monitor.
#[derive(Default)]
struct Owed(BTreeMap<(String, String), Vec<Value>>);

impl Owed {
    fn of_events(events: Vec<Value>) -> Owed {
        let mut owed = Owed::default();
        for event in events {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            owed.0.entry((text("type"), text("monitor"))).or_default().push(event);
        }
        owed
    }

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
