//! Receivers of Trio's live monitor, of its stream API and of VideoDB, on a real clip.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::relay::Relay;
use super::running::{Language, Running, copied};
use super::{Owed, sorted, watched};
use crate::appliance::{Appliance, SECRET};
use crate::shared::{runtime, shared};

const WRONG: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// The line without which a repeated delivery is handled again.
pub const IDEMPOTENCY: (&str, &str) = ("if idempotency_key in processed_events:", "if False:");

/// Monitor, condition, severity: two of them alert on the same frame and end at the same moment.
const MONITORS: [(&str, &str, &str); 2] =
    [("person", "Is a person in the room?", "high"), ("visitor", "Is there a visitor?", "low")];

/// A receiver with a relay before it.
struct Station {
    format: &'static str,
    receiver: Running,
    relay: Relay,
}

impl Station {
    fn new(
        python: &Language,
        format: &'static str,
        loses: bool,
        edits: &[(&str, &str)],
        environment: (&str, &str),
    ) -> Self {
        let script = match format {
            "trio-live-monitor" => "live_monitor",
            "trio-stream" => "stream",
            _ => "videodb",
        };
        let folder = copied(python, "tests/it/receivers", edits);
        let receiver = Running::start(python, folder.path(), script, &[environment]);
        let relay = Relay::to(receiver.address, "/webhook", loses);
        Station { format, receiver, relay }
    }

    fn endpoint(&self, name: &str) -> String {
        format!(
            "[[endpoint]]\nname = \"{name}\"\nurl = \"{}\"\nformat = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n\
             retry = \"trio\"\n",
            self.relay.url(),
            self.format
        )
    }
}

/// The room with its visitors, watched by both monitors, whose jobs end every 8 s and start again.
fn room(clip: &str) -> String {
    let monitor = |(name, condition, severity): (&str, &str, &str)| {
        format!(
            "[[monitor]]\nname = \"{name}\"\ncamera = \"room\"\ncondition = \"{condition}\"\nmodel = \"yolox-nano\"\n\
             labels = [\"person\"]\nconfidence_threshold = 0.4\ncheck_interval = \"200ms\"\ncooldown = \"1500ms\"\n\
             max_duration = \"8s\"\n\
             metadata = {{ zone = \"door\", severity = \"{severity}\" }}\n"
        )
    };
    let camera = format!("[[camera]]\nname = \"room\"\nurl = \"file://{clip}\"\n");
    MONITORS.into_iter().map(monitor).fold(camera, |text, monitor| text + &monitor)
}

#[test]
fn receivers_as_other_services_publish_them_handle_every_alert_once() {
    let Some(clip) = shared("videos/one-by-one-person-detection.mp4") else { return };
    let (Some(_), Some(python)) = (runtime(), Language::python()) else { return };
    let archives = tempfile::tempdir().unwrap();
    let (archive, nowhere) = (archives.path().join("archive"), archives.path().join("none/archive"));
    let live = |loses, edits: &[_], secret| {
        Station::new(&python, "trio-live-monitor", loses, edits, ("WEBHOOK_SECRET", secret))
    };
    let stream = |loses, archive: &Path| {
        Station::new(&python, "trio-stream", loses, &[], ("ARCHIVE", archive.to_str().unwrap()))
    };
    let stations = [
        ("live", live(true, &[], SECRET)),
        ("forgetful", live(true, &[IDEMPOTENCY], SECRET)),
        ("wrong", live(false, &[], WRONG)),
        ("stream", stream(true, &archive)),
        ("failing", stream(false, &nowhere)),
        ("videodb", Station::new(&python, "videodb", true, &[], ("NOTHING", ""))),
    ];
    let endpoints: String = stations.iter().map(|(name, station)| station.endpoint(name)).collect();
    let mut appliance = Appliance::new(&(room(clip.canonicalize().unwrap().to_str().unwrap()) + &endpoints));
    appliance.start();
    let owed = watched(&appliance, &MONITORS.map(|(name, ..)| name), "wrong");
    appliance.stop();

    let accounts = BTreeMap::from(stations.map(|(name, station)| (name, (station.receiver.end(), station.relay))));
    for name in ["live", "forgetful", "stream", "videodb"] {
        accounts[name].1.assert_every_delivery_was_repeated();
    }
    assert_eq!(complaints_about_live(&accounts["live"].0, &owed), [] as [String; 0]);
    assert_ne!(complaints_about_live(&accounts["forgetful"].0, &owed), [] as [String; 0], "it can't tell repeats");
    assert_stream(&accounts["stream"].0, &owed);
    assert_eq!(sorted(&lines(&archive), "request_id"), owed.ids(&["monitor.triggered"]));
    assert_videodb(&accounts["videodb"].0, &owed);

    let (told, relay) = &accounts["wrong"];
    let answers = relay.answers();
    assert!(
        told.is_empty() && !answers.is_empty() && answers.iter().all(|it| it.status == 401),
        "{told:?} {answers:?}"
    );

    // It marks the id, routes, and then fails: to it the second attempt is a duplicate.
    let (told, relay) = &accounts["failing"];
    assert_stream(told, &owed);
    let of = |status| relay.answers().iter().filter(|it| it.status == status).count();
    assert_eq!((of(500), of(200)), (told.len(), told.len()), "{:?}", relay.answers());
}

fn lines(file: &Path) -> Vec<Value> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the account of a live monitor's receiver has wrong.
fn complaints_about_live(told: &[Value], owed: &Owed) -> Vec<String> {
    let mut wrong = Vec::new();
    for (monitor, condition, _) in MONITORS {
        let triggers = owed.of("monitor.triggered", monitor);
        let alerts: Vec<_> = told.iter().filter(|line| line["condition"] == condition).collect();
        if alerts.len() != triggers.len() {
            wrong.push(format!("{} alerts of {} for {monitor}", alerts.len(), triggers.len()));
        }
        let sound = |line: &&&Value| line["triggered"] == true && line["frame_is_jpeg"] == true;
        wrong.extend(alerts.iter().filter(|line| !sound(line)).map(|line| format!("{line}")));
        let jobs = owed.of("job.status", monitor);
        for (number, job) in jobs.iter().map(|event| &event["job_id"]).enumerate() {
            let of_job = triggers.iter().filter(|event| event["job_id"] == *job).count();
            let ended: Vec<_> = told.iter().filter(|line| line["job"] == *job).collect();
            let sound = |line: &&Value| line["status"] == "stopped" && line["triggers"] == of_job;
            // The first one ended by its limit, the last one by hand.
            let by_itself = number > 0 || ended.iter().all(|line| line["auto_stopped"] == true);
            if ended.len() != 1 || !ended.iter().all(sound) || !by_itself {
                wrong.push(format!("{ended:?} of job {job} with {of_job} triggers"));
            }
        }
    }
    wrong
}

fn assert_stream(told: &[Value], owed: &Owed) {
    assert_eq!(sorted(told, "id"), owed.ids(&["monitor.triggered"]));
    for (monitor, condition, severity) in MONITORS {
        for event in owed.of("monitor.triggered", monitor) {
            let line = told.iter().find(|line| line["id"] == event["id"]).unwrap();
            let seen_at: jiff::Timestamp = event["observed_at"].as_str().unwrap().parse().unwrap();
            let expected = json!({
                "way": if severity == "high" { "page" } else { "message" }, "zone": "door", "id": event["id"],
                "stream": "room", "subscription": monitor, "question": condition, "confident": true,
                "seen_at_ms": seen_at.as_millisecond(),
            });
            assert_eq!(*line, expected);
        }
    }
}

fn assert_videodb(told: &[Value], owed: &Owed) {
    assert_eq!(told.len(), owed.ids(&["monitor.triggered"]).len(), "{told:?}");
    for (monitor, _, _) in MONITORS {
        let alerts: Vec<_> = told.iter().filter(|line| line["label"] == monitor).collect();
        assert_eq!(alerts.len(), owed.of("monitor.triggered", monitor).len());
        assert!(alerts.iter().all(|line| line["rule"] == alerts[0]["rule"] && line["year"].as_i64() > Some(2000)));
        assert!(alerts.iter().all(|line| line["confident"] == true && line["lasts"] == true));
        assert!(alerts.iter().all(|line| line["clip"] == json!(["", ""])));
    }
}
