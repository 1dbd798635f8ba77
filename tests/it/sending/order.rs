//! The end of an alert comes behind the alert where the receiver can't tell: PagerDuty opens an incident with the one and
//! closes it with the other.

use serde_json::Value;
use stakeout::secret::Secret;

use super::*;

/// An alert that lasts.
struct Opening(Uuid);

impl Opening {
    fn triggered(&self, repeat: u32) -> EventData {
        let EventData::Triggered(triggered) = triggered() else { panic!() };
        EventData::Triggered(Triggered { open_id: self.0, repeat, ..triggered })
    }

    fn cleared(&self) -> EventData {
        let EventData::Cleared(cleared) = cleared() else { panic!() };
        EventData::Cleared(Cleared { open_id: self.0, ..cleared })
    }

    /// The end of PagerDuty's key.
    fn key(&self) -> String {
        format!("person:{}", self.0)
    }
}

fn opening() -> Opening {
    Opening(Uuid::new_v4())
}

pub(super) fn in_format(format: Format, data: EventData) -> Accepted {
    let event = Event { observed: now(), ..event(data) };
    let rendered = event.clone();
    let mut accepted = accepted(event, "ops", None);
    accepted.owed[0].format_version = payload::version(format);
    accepted.owed[0].render = Box::new(move |stamp| {
        let envelope = Envelope { epoch: stamp.epoch, sequence: stamp.sequence, moment_us: stamp.moment_us };
        let text = payload::render(format, &rendered, envelope, FrameChoice::None);
        Body::marked(text.unwrap(), payload::HOLE)
    });
    accepted
}

impl Outbox {
    /// In one commit.
    fn owe(&self, format: Format, events: impl IntoIterator<Item = EventData>) -> Vec<Uuid> {
        let events = events.into_iter().map(|data| in_format(format, data)).collect();
        let recorded = self.journal().writer().record(Record { at: now(), events, machine: None, jobs: Vec::new() });
        let recorded = tokio::task::block_in_place(|| recorded.wait()).unwrap();
        recorded.events.into_iter().map(|event| event.deliveries[0].delivery).collect()
    }

    fn send_as(&self, format: Format, url: &str, retry: Retry) -> Sending {
        let office = Office::new(&self.bells, self.clock.clone(), false);
        let credentials = Credentials {
            routing_key: (format == Format::Pagerduty).then(|| Secret::new("R015NGKEYR015NGKEYR015NGKEY00001")),
            ..Credentials::signing(url.parse().unwrap(), Vec::new())
        };
        self.send_with(&office, Endpoint { format, rate: None, ..endpoint(url, retry) }, credentials, Tls::default())
    }
}

/// What came, by `X-Stakeout-Event`.
fn kinds(receiver: &Receiver) -> Vec<String> {
    receiver.arrived().iter().map(|request| request.header("x-stakeout-event").to_owned()).collect()
}

/// Refuses the first `times` alerts.
fn refusing(times: usize) -> Receiver {
    let left = std::sync::Mutex::new(times);
    Receiver::start(move |_, request| {
        let mut left = left.lock().unwrap();
        let refuses = *left > 0 && request.header("x-stakeout-event") == "monitor.triggered";
        *left -= usize::from(refuses);
        Reply::status(if refuses { 500 } else { 202 })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn pagerduty_resolves_only_what_it_was_told_of() {
    for (format, expected) in [
        (Format::Pagerduty, ["monitor.triggered", "monitor.triggered", "monitor.triggered", "monitor.cleared"]),
        // Where the sequence tells, nobody waits: without that the one before would say the same.
        (Format::Stakeout, ["monitor.triggered", "monitor.cleared", "monitor.triggered", "monitor.triggered"]),
    ] {
        let receiver = refusing(2);
        let outbox = Outbox::new();
        let sending = outbox.send_as(format, &receiver.url(), quick(&[3000, 100]));
        let alert = opening();
        outbox.owe(format, [alert.triggered(0)]);
        receiver.wait_for(1);
        outbox.owe(format, [alert.cleared()]);
        outbox.until_state(State::Delivered).await;
        sending.end().await;
        assert_eq!(kinds(&receiver), expected, "{format:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_waits_for_every_repeat_and_in_the_same_commit() {
    let receiver = refusing(3);
    let outbox = Outbox::new();
    let alert = opening();
    outbox.owe(Format::Pagerduty, [alert.triggered(0), alert.triggered(1), alert.triggered(2), alert.cleared()]);
    let sending = outbox.send_as(Format::Pagerduty, &receiver.url(), quick(&[100, 100, 100]));
    let rows = outbox.until_state(State::Delivered).await;
    sending.end().await;
    assert_eq!((rows.len(), kinds(&receiver).len()), (4, 7));
    assert_eq!(kinds(&receiver).iter().position(|kind| kind == "monitor.cleared"), Some(6));
    let keys = receiver.arrived().into_iter().map(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
    assert!(keys.into_iter().all(|body| body["dedup_key"] == alert.key()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_dead_alert_goes_and_nobody_waits_for_ends_that_wait() {
    let bad = opening();
    let refused = bad.key();
    let receiver = Receiver::start(move |_, request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let refuses = body["dedup_key"] == *refused && body["event_action"] == "trigger";
        Reply::status(if refuses { 500 } else { 202 })
    });
    let outbox = Outbox::new();
    let sending = outbox.send_as(Format::Pagerduty, &receiver.url(), quick(&[5000]));
    let [alert] = outbox.owe(Format::Pagerduty, [bad.triggered(0)])[..] else { panic!() };
    receiver.wait_for(1);
    // More than a look reads, each with the alert before it.
    let ends = outbox.owe(Format::Pagerduty, (0..200).map(|_| bad.cleared()));
    let other = opening();
    outbox.owe(Format::Pagerduty, [other.triggered(0), other.cleared()]);
    let arrived = receiver.wait_for(3);
    let told: Vec<Value> = arrived[1..3].iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
    assert!(told.iter().all(|body| body["dedup_key"] == other.key()), "{told:?}");
    assert_eq!((&told[0]["event_action"], &told[1]["event_action"]), (&"trigger".into(), &"resolve".into()));

    let rows = outbox.until("over", |row| !row.standing.state.is_open()).await;
    sending.end().await;
    let state = |id: Uuid| rows.iter().find(|row| row.id == id).unwrap().standing.state;
    assert_eq!(state(alert), State::Dead);
    assert!(ends.into_iter().all(|end| state(end) == State::Delivered));
}
