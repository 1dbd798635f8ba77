//! The receivers of `packaging/examples/receivers`, with the daemon and without.

use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use stakeout::sign::{Key, Message, sign};
use tempfile::TempDir;

use super::relay::{Relay, post, status};
use super::running::{Language, Running, copied};
use super::{sorted, watched};
use crate::appliance::{Appliance, SECRET};
use crate::shared::runtime;

/// A receiver of the kit, and where it keeps its inbox.
struct Station {
    language: Language,
    home: TempDir,
    receiver: Running,
}

impl Station {
    fn new(language: Language) -> Station {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("secret"), format!("{SECRET}\n")).unwrap();
        let receiver = start(&language, &home, &[]);
        Station { language, home, receiver }
    }

    /// SIGKILL, and a new start on the same inbox.
    fn killed_and_started(self, edits: &[(&str, &str)]) -> Station {
        self.receiver.kill();
        let receiver = start(&self.language, &self.home, edits);
        Station { receiver, ..self }
    }

    /// The status of the answer to a request.
    fn post(&self, headers: &[(String, String)], body: &[u8]) -> u16 {
        status(&post(self.receiver.address, "/events", headers, body).unwrap())
    }
}

fn start(language: &Language, home: &TempDir, edits: &[(&str, &str)]) -> Running {
    let place = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let folder = copied(language, language.kit(), edits);
    let environment = [("STAKEOUT_SECRET_FILE", &*place("secret")), ("STAKEOUT_INBOX", &*place("inbox"))];
    Running::start(language, folder.path(), "receiver", &environment)
}

/// What a `work` does that never comes to an end.
fn hanging(language: &Language) -> (&'static str, &'static str) {
    match language {
        Language::Python(_) => ("print(json.dumps(told), flush=True)", "threading.Event().wait()"),
        Language::Node(_) => {
            let prints =
                "console.log(JSON.stringify({ id, type: event.type, monitor: data.monitor, why: data.explanation }));";
            (prints, "await new Promise(() => {});")
        }
    }
}

/// A body with that id, and its headers by name: signed in both ways at `at`, in seconds since 1970.
fn signed(id: &str, at: i64) -> (Vec<u8>, Vec<(String, String)>) {
    let body =
        json!({"type": "monitor.triggered", "data": {"event_id": id, "monitor": "gate"}}).to_string().into_bytes();
    let made = sign(&[Key::new(SECRET).unwrap()], Message { id, timestamp: at }, &body).unwrap();
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", &at.to_string()),
        ("webhook-signature", &made.standard),
        ("x-trio-signature", &made.trio),
    ];
    (body, headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

/// Those headers without some, and with others.
fn changed(headers: &[(String, String)], without: &[&str], with: &[(&str, &str)]) -> Vec<(String, String)> {
    let kept =
        headers.iter().filter(|(name, _)| !without.contains(&name.as_str()) && !with.iter().any(|it| it.0 == name));
    kept.cloned().chain(with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

#[test]
fn the_kits_receivers_handle_every_event_once_and_tell_forged_ones() {
    let (Some(_), Some(python), Some(node)) = (runtime(), Language::python(), Language::node()) else { return };
    let stations = [("python", Station::new(python)), ("node", Station::new(node))];
    let relays = stations.each_ref().map(|(_, it)| Relay::to(it.receiver.address, "/events", true));
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let mut config = format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[monitor]]\nname = \"gate\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
         check_interval = \"200ms\"\ncooldown = \"1s\"\nmax_duration = \"5s\"\n",
        clip.display()
    );
    for ((name, _), relay) in stations.iter().zip(&relays) {
        let url = relay.url();
        config += &format!(
            "[[endpoint]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret_file = \"HERE/ops.secret\"\nretry = \"trio\"\n"
        );
    }
    let mut appliance = Appliance::new(&config);
    appliance.start();
    let owed = watched(&appliance, &["gate"], "");
    appliance.stop();
    let events = owed.ids(&["monitor.triggered", "monitor.cleared", "job.status"]);

    for ((name, station), relay) in stations.into_iter().zip(relays) {
        relay.assert_every_delivery_was_repeated();

        relay.lose_nothing();
        let before = relay.answers().len();
        let seen = appliance.json(&["endpoint", "check", name, "--json"]).remove(0);
        assert_eq!(
            (&seen["status"], &seen["verifies"], &seen["forged_status"]),
            (&204.into(), &true.into(), &401.into())
        );
        assert_eq!(relay.answers().len(), before + 2);
        // The check came last, so nothing is still to come.
        let told = station.receiver.wait_for(events.len() + 1);
        let (checks, told): (Vec<_>, Vec<_>) = told.into_iter().partition(|line| line["type"] == "endpoint.check");
        assert_eq!((checks.len(), sorted(&told, "id")), (1, events.clone()), "{name}");

        let again = &relay.arrived()[0];
        let station = station.killed_and_started(&[]);
        assert_eq!(station.post(&again.headers, &again.body), 204, "{name}: known from before it was killed");
        let (body, headers) = signed("after", now());
        assert_eq!(station.post(&headers, &body), 204);
        let check = checks[0]["id"].as_str().unwrap();
        assert_eq!(all_but(check, "after", station.receiver), ["after"], "{name}: that one is not handled again");
    }
}

#[test]
fn the_kits_receiver_in_python_refuses_what_is_forged_and_keeps_what_it_took() {
    let Some(python) = Language::python() else { return };
    refuses_and_keeps(python);
}

#[test]
fn the_kits_receiver_in_node_refuses_what_is_forged_and_keeps_what_it_took() {
    let Some(node) = Language::node() else { return };
    refuses_and_keeps(node);
}

fn refuses_and_keeps(language: Language) {
    let hanging = hanging(&language);
    let station = Station::new(language);
    let (body, headers) = signed("one", now());
    let standard = ["webhook-signature"];
    let trio = ["x-trio-signature"];
    let of_another = signed("another", now()).1;
    let (_, old) = signed("one", now() - 3600);
    let zeros = "0".repeat(64);
    let digits = "9".repeat(4000);
    let refused: &[(&str, Vec<(String, String)>)] = &[
        ("unsigned", vec![]),
        ("neither signature", changed(&headers, &["webhook-signature", "x-trio-signature"], &[])),
        ("signatures of another body", of_another),
        ("a wrong hex", changed(&headers, &standard, &[("x-trio-signature", &zeros)])),
        ("another id", changed(&headers, &trio, &[("webhook-id", "two")])),
        ("no id", changed(&headers, &["x-trio-signature", "webhook-id"], &[])),
        ("too old", changed(&old, &trio, &[])),
        ("an endless time", changed(&headers, &trio, &[("webhook-timestamp", &digits)])),
        ("no base64", changed(&headers, &trio, &[("webhook-signature", "v1,ä,, v1 ,v1")])),
        ("no hex", changed(&headers, &standard, &[("x-trio-signature", "ä")])),
    ];
    for (what, headers) in refused {
        assert_eq!(station.post(headers, &body), 401, "{what}\n{}", station.receiver.said());
    }
    assert_eq!(station.post(&headers, b"{}"), 401, "another body");
    assert_eq!(station.post(&headers, &vec![b'x'; 2 << 20]), 413);

    // Once by either signature, whatever id somebody wrote beside the one that covers none.
    assert_eq!(station.post(&changed(&headers, &standard, &[("webhook-id", "other")]), &body), 204);
    assert_eq!(station.post(&changed(&headers, &trio, &[]), &body), 204);
    let (_, rotating) = signed("one", now());
    let both = format!("v1,AAAA {}", rotating[2].1);
    assert_eq!(station.post(&changed(&rotating, &trio, &[("webhook-signature", &both)]), &body), 204);
    assert_eq!(station.post(&signed("two", now()).1, &signed("two", now()).0), 204);
    assert_eq!(sorted(&station.receiver.wait_for(2), "id"), ["one", "two"]);

    // Answered at once though its work never ends; and that is done after a crash.
    let station = station.killed_and_started(&[hanging]);
    let (later, headers) = signed("later", now());
    assert_eq!(station.post(&headers, &later), 204);
    assert_eq!(station.post(&headers, &later), 204);
    let station = station.killed_and_started(&[]);
    let (last, headers) = signed("last", now());
    assert_eq!(station.post(&headers, &last), 204);
    assert_eq!(all_but("two", "last", station.receiver), ["last", "later"]);
}

/// The ids of what it has ever told, ended once `last` is among them. Without `killed`, which it was at, or was about to strike
/// off, when it was killed: that it may do again.
fn all_but(killed: &str, last: &str, receiver: Running) -> Vec<String> {
    receiver.wait_until(|told| told.iter().any(|line| line["id"] == last));
    let mut told = receiver.end();
    told.retain(|line| line["id"] != killed);
    sorted(&told, "id")
}
