//! From the journal to a receiver: real SQLite, real sockets; the real clock, or where days must pass one that is driven.

mod flow;
mod letters;
mod offline;
mod order;
mod outage;
mod services;
mod taxonomy;
mod uploads;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stakeout::config::{Endpoint, EndpointUrl, Format, FrameChoice, Located, Rate, Retry};
use stakeout::credentials::Credentials;
use stakeout::delivery::{HoldReason, State};
use stakeout::event::{
    ClearReason, Cleared, Event, EventData, EventType, Metadata, ModelIdentity, Priority, Triggered,
};
use stakeout::journal::{
    Accepted, Body, DeadFilter, DeliveryFilter, DeliveryRow, Journal, Keep, Owed, OwedFrame, Record, Stamp,
};
use stakeout::name::Name;
use stakeout::payload::{self, Envelope};
use stakeout::sender::{Clock, Doorbells, Driven, Office, Outlet, Report, Sender};
use stakeout::sign::{Key, Message, verify};
use stakeout::time::{Boot, Now, now};
use stakeout::transport::{Settings, Tls};
use stakeout::verdict::Answer;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::receiver::{Answer as Reply, Arrived, Receiver};
use crate::transport as wire;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn endpoint(url: &str, retry: Retry) -> Endpoint {
    Endpoint {
        name: name("ops"),
        url: EndpointUrl::Open(Located { value: url.parse().unwrap(), at: 0..0 }),
        allow_http: false,
        format: Format::Stakeout,
        secrets: Vec::new(),
        routing_key: None,
        mail: None,
        events: EventType::ALL.to_vec(),
        retry,
        timeout: Duration::from_secs(5),
        concurrency: 4,
        rate: Some(Rate { count: 10, per: Duration::from_secs(1) }),
        bandwidth: None,
        frame: FrameChoice::Inline,
        max_body: 262_144,
        headers: BTreeMap::from([("X-Site".to_owned(), "dock".to_owned())]),
        ca_file: None,
        client: None,
        enabled: true,
    }
}

fn quick(delays: &[u64]) -> Retry {
    let delays = delays.iter().copied().map(Duration::from_millis).collect();
    Retry::Custom { delays, max_age: Duration::from_secs(72 * 3600) }
}

fn triggered() -> EventData {
    EventData::Triggered(Triggered {
        open_id: Uuid::new_v4(),
        repeat: 0,
        condition: "Steht jemand in der gelben Zone? 人".into(),
        answer: Answer::Yes,
        confidence: 0.91,
        threshold: 0.85,
        explanation: "A person is inside the yellow zone.".into(),
        regions: Vec::new(),
        z: None,
        answer_mass: None,
        model: ModelIdentity { name: name("yard"), sha256: "ab".into() },
        source_url: "rtsp://10.0.0.21/stream1".into(),
        started: now().wall,
        label: "person".into(),
        from_ms: 1000,
        to_ms: 2500,
        clip: None,
    })
}

fn cleared() -> EventData {
    EventData::Cleared(Cleared {
        open_id: Uuid::new_v4(),
        condition: "person".into(),
        started: now().wall,
        ended: now().wall,
        peak_confidence: 0.9,
        reason: ClearReason::Cleared,
    })
}

fn event(data: EventData) -> Event {
    Event {
        id: Uuid::new_v4(),
        observed: now(),
        boot: Boot::current(),
        device: "box".into(),
        camera: Some(name("dock")),
        monitor: Some(name("person")),
        job: Some(Uuid::from_u128(7)),
        priority: Priority::Normal,
        metadata: Metadata::new(),
        data,
    }
}

/// A journal in a directory, the bells of its endpoints, and the time.
struct Outbox {
    dir: TempDir,
    journal: Option<Journal>,
    bells: Doorbells,
    clock: Clock,
}

/// A sender that runs.
struct Sending {
    stop: watch::Sender<bool>,
    report: watch::Receiver<Report>,
    task: JoinHandle<()>,
}

impl Outbox {
    fn new() -> Outbox {
        Outbox::for_endpoints(&["ops"], Clock::Real)
    }

    fn driven(clock: &Driven) -> Outbox {
        Outbox::for_endpoints(&["ops"], Clock::Driven(clock.clone()))
    }

    fn for_endpoints(names: &[&str], clock: Clock) -> Outbox {
        let dir = tempfile::tempdir().unwrap();
        let bells = Doorbells::new(names.iter().map(|text| name(text)));
        let journal = Some(open(dir.path(), &bells, clock.now()));
        Outbox { dir, journal, bells, clock }
    }

    /// As after a restart of the daemon.
    fn reopen(&mut self) {
        self.journal.take().unwrap().close().unwrap();
        self.journal = Some(open(self.dir.path(), &self.bells, self.clock.now()));
    }

    /// As after a kill of the daemon.
    fn reopen_after_a_kill(&mut self) {
        drop(self.journal.take());
        self.journal = Some(open(self.dir.path(), &self.bells, self.clock.now()));
    }

    fn journal(&self) -> &Journal {
        self.journal.as_ref().unwrap()
    }

    fn accept(&self, data: EventData, frame: Option<&[u8]>) -> Stamp {
        let event = Event { observed: self.clock.now(), ..event(data) };
        self.accept_all(vec![(event, "ops")], frame).remove(0)
    }

    /// With this body, in which a NUL stands where the frame goes.
    fn accept_body(&self, body: &str, frame: Option<&[u8]>) -> Stamp {
        let event = Event { observed: self.clock.now(), ..event(triggered()) };
        let text = body.to_owned();
        let mut accepted = accepted(event, "ops", frame);
        accepted.owed[0].render = Box::new(|_| Body::marked(text, payload::HOLE));
        let record = Record { at: self.clock.now(), events: vec![accepted], machine: None, jobs: Vec::new() };
        let recorded = self.journal().writer().record(record);
        tokio::task::block_in_place(|| recorded.wait()).unwrap().events[0].deliveries[0]
    }

    /// Of a delivery, what became of each attempt: class, status, error.
    fn attempts(&self, delivery: Uuid) -> Vec<(String, Option<u16>, Option<String>)> {
        let (_, attempts) = self.journal().reader().unwrap().delivery(delivery).unwrap().unwrap();
        attempts.into_iter().map(|attempt| (attempt.outcome, attempt.status, attempt.error)).collect()
    }

    fn accept_as(&self, priority: Priority) -> Stamp {
        let event = Event { observed: self.clock.now(), priority, ..event(triggered()) };
        self.accept_all(vec![(event, "ops")], None).remove(0)
    }

    /// Events in one commit, each owed to its endpoint.
    fn accept_all(&self, events: Vec<(Event, &str)>, frame: Option<&[u8]>) -> Vec<Stamp> {
        let events = events.into_iter().map(|(event, endpoint)| accepted(event, endpoint, frame)).collect();
        let record = Record { at: self.clock.now(), events, machine: None, jobs: Vec::new() };
        let recorded = self.journal().writer().record(record);
        let recorded = tokio::task::block_in_place(|| recorded.wait()).unwrap();
        recorded.events.into_iter().map(|event| event.deliveries[0]).collect()
    }

    fn send(&self, endpoint: Endpoint, keys: Vec<Key>) -> Sending {
        let office = Office::new(&self.bells, self.clock.clone(), !self.journal().start().clean);
        self.send_from(&office, endpoint, keys)
    }

    fn send_from(&self, office: &Office, endpoint: Endpoint, keys: Vec<Key>) -> Sending {
        let EndpointUrl::Open(url) = endpoint.url.clone() else { panic!("no secrets here") };
        let credentials = Credentials::signing(url.value, keys);
        self.send_with(office, endpoint, credentials, Tls::default())
    }

    fn send_with(&self, office: &Office, endpoint: Endpoint, credentials: Credentials, tls: Tls) -> Sending {
        let settings = Settings { tls, ..Settings::new(endpoint.timeout) };
        let outlet = Outlet::new(&endpoint, &credentials, &settings).unwrap();
        let (writer, reader) = (self.journal().writer(), self.journal().reader().unwrap());
        let (sender, report) = Sender::new(endpoint, credentials, outlet, writer, reader, office);
        let (stop, stopped) = watch::channel(false);
        Sending { stop, report, task: tokio::spawn(sender.run(stopped, Duration::from_millis(300))) }
    }

    fn deliveries(&self) -> Vec<DeliveryRow> {
        let filter = DeliveryFilter { limit: 20_000, ..DeliveryFilter::default() };
        self.journal().reader().unwrap().deliveries(&filter).unwrap()
    }

    /// Waits until all deliveries are as `expected` says.
    async fn until(&self, what: &str, expected: impl Fn(&DeliveryRow) -> bool) -> Vec<DeliveryRow> {
        for _ in 0..2400 {
            let rows = self.deliveries();
            if !rows.is_empty() && rows.iter().all(&expected) {
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("never {what}: {:?}", self.deliveries());
    }

    async fn until_state(&self, state: State) -> Vec<DeliveryRow> {
        self.until(state.as_str(), |row| row.standing.state == state).await
    }
}

impl Sending {
    async fn end(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

fn accepted(event: Event, endpoint: &str, frame: Option<&[u8]>) -> Accepted {
    let rendered = event.clone();
    let owed = Owed {
        endpoint: name(endpoint),
        frame: if frame.is_some() { OwedFrame::Original } else { OwedFrame::None },
        format_version: payload::version(Format::Stakeout),
        render: Box::new(move |stamp| {
            let envelope = Envelope { epoch: stamp.epoch, sequence: stamp.sequence, moment_us: stamp.moment_us };
            let text = payload::render(Format::Stakeout, &rendered, envelope, FrameChoice::Inline);
            Body::marked(text.unwrap(), payload::HOLE)
        }),
    };
    Accepted { event, frame: frame.map(Arc::from), owed: vec![owed] }
}

fn open(dir: &Path, bells: &Doorbells, now: Now) -> Journal {
    let hour = Duration::from_secs(3600);
    let keep = Keep { delivered: hour, dead: hour, max_size: 1 << 30 };
    Journal::open(dir, keep, now, bells.wake()).unwrap()
}

/// Every body by its event id; fails if an id ever carried other bytes.
fn bodies(arrived: &[Arrived]) -> BTreeMap<String, Vec<u8>> {
    let mut bodies = BTreeMap::new();
    for request in arrived {
        let first = bodies.entry(request.header("idempotency-key").to_owned()).or_insert_with(|| request.body.clone());
        assert_eq!(*first, request.body, "the same id with other bytes");
    }
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_says_who_it_is() {
    let receiver = Receiver::start(|_, _| Reply::status(200));
    let outbox = Outbox::new();
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    let stamp = outbox.accept(triggered(), Some(b"\xff\xd8jpeg"));
    let rows = outbox.until_state(State::Delivered).await;
    sending.end().await;

    let [arrived] = &receiver.arrived()[..] else { panic!("one request") };
    let event_id = rows[0].event_id.to_string();
    assert_eq!(arrived.request_line, "POST /hook HTTP/1.1");
    assert_eq!(arrived.header("content-type"), "application/json");
    assert_eq!(arrived.header("user-agent"), concat!("stakeout/", env!("CARGO_PKG_VERSION")));
    assert_eq!(arrived.header("x-stakeout-event"), "monitor.triggered");
    assert_eq!(arrived.header("x-stakeout-delivery"), stamp.delivery.to_string());
    assert_eq!(arrived.header("x-stakeout-attempt"), "1");
    assert_eq!(arrived.header("x-stakeout-sequence"), "1");
    assert_eq!(arrived.header("idempotency-key"), event_id);
    assert_eq!(arrived.header("x-site"), "dock");
    assert!(arrived.has_header("x-stakeout-age"));
    for absent in ["x-stakeout-late", "x-trio-signature", "webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert!(!arrived.has_header(absent), "{absent}");
    }
    let body: serde_json::Value = serde_json::from_slice(&arrived.body).unwrap();
    assert_eq!(body["data"]["event_id"], event_id);
    assert_eq!(body["data"]["sequence"], 1);
    assert_eq!(body["data"]["epoch"], stamp.epoch.to_string());
    assert_eq!(body["data"]["frame_b64"], "/9hqcGVn");
    assert_eq!((rows[0].standing.attempts, rows[0].standing.tries), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_down_gets_everything_once_it_is_up() {
    let address = Receiver::start(|_, _| Reply::status(200)).address();
    let outbox = Outbox::new();
    for n in 0..20 {
        outbox.accept(if n % 2 == 0 { triggered() } else { cleared() }, None);
    }
    let sending = outbox.send(endpoint(&format!("http://{address}/hook"), Retry::Edge), vec![]);
    let mut report = sending.report.clone();
    report.wait_for(|report| report.held == Some(HoldReason::EndpointDown)).await.unwrap();
    assert!(outbox.deliveries().iter().all(|row| row.standing.attempts == 0), "nothing was burnt");

    // Some answers are lost, though not that of the probe.
    let receiver =
        Receiver::start_at(address, |n, _| if (1..4).contains(&n) { Reply::HangUp } else { Reply::status(200) });
    let rows = outbox.until_state(State::Delivered).await;
    sending.end().await;

    assert_eq!(rows.len(), 20);
    assert!(rows.iter().any(|row| row.standing.holds > 0 && row.standing.tries > row.standing.attempts));
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 23);
    assert_eq!(bodies(&arrived).len(), 20);
    let sequences: BTreeSet<u64> =
        arrived.iter().map(|request| request.header("x-stakeout-sequence").parse().unwrap()).collect();
    assert_eq!(sequences, (1..=20).collect());
}

/// The negative control of the test above: without holds the same outage costs the delivery.
#[tokio::test(flavor = "multi_thread")]
async fn a_preset_that_counts_attempts_gives_up_on_a_receiver_that_is_down() {
    let url = Receiver::start(|_, _| Reply::status(200)).url();
    let outbox = Outbox::new();
    outbox.accept(triggered(), None);
    let sending = outbox.send(endpoint(&url, Retry::Aioz), vec![]);
    let rows = outbox.until_state(State::Dead).await;
    sending.end().await;
    assert_eq!((rows[0].standing.attempts, rows[0].standing.holds), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_blocks_its_own_slot_only() {
    let receiver = Receiver::start(|n, _| match n {
        0 => Reply::Silence,
        1 => Reply::status(500),
        _ => Reply::status(200),
    });
    let outbox = Outbox::new();
    let hanging = outbox.accept(triggered(), None);
    let sending = outbox.send(
        Endpoint { concurrency: 2, timeout: Duration::from_secs(30), ..endpoint(&receiver.url(), quick(&[10])) },
        vec![],
    );
    receiver.wait_for(1);
    outbox.accept(cleared(), None);
    let other = |row: &DeliveryRow| row.id == hanging.delivery || row.standing.state == State::Delivered;
    let rows = outbox.until("retried beside the one that hangs", other).await;
    assert_eq!(rows.iter().map(|row| row.standing.tries).collect::<Vec<_>>(), [0, 2]);
    sending.report.clone().wait_for(|report| report.in_flight == 1).await.unwrap();
    sending.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_as_configured_is_a_dead_letter_at_once() {
    let receiver = Receiver::start(|_, _| Reply::status(200));
    let outbox = Outbox::new();
    outbox.accept(triggered(), None);
    let mut endpoint = endpoint(&receiver.url(), Retry::Edge);
    endpoint.headers = BTreeMap::from([("X-Bad".to_owned(), "a\nb".to_owned())]);
    let sending = outbox.send(endpoint, vec![]);
    let rows = outbox.until_state(State::Dead).await;
    assert_eq!(rows[0].standing.reason.as_deref(), Some("config"));
    let error = "the header `X-Bad` has a value that HTTP does not allow: correct it";
    assert_eq!(rows[0].last_error.as_deref(), Some(error));
    let advice = "correct `url` and `headers` of the endpoint, then restart";
    sending.report.clone().wait_for(|report| report.advice == Some(advice)).await.unwrap();
    sending.end().await;
    assert_eq!(receiver.arrived(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_follow_the_schedule() {
    let receiver = Receiver::start(|n, _| Reply::status(if n < 2 { 500 } else { 200 }));
    let outbox = Outbox::new();
    outbox.accept(triggered(), None);
    let sending = outbox.send(endpoint(&receiver.url(), quick(&[10, 20, 30])), vec![]);
    let rows = outbox.until_state(State::Delivered).await;
    sending.end().await;
    let arrived = receiver.arrived();
    let attempts: Vec<_> = arrived.iter().map(|request| request.header("x-stakeout-attempt")).collect();
    assert_eq!(attempts, ["1", "2", "3"]);
    assert_eq!(bodies(&arrived).len(), 1);
    assert_eq!((rows[0].standing.attempts, rows[0].standing.tries, rows[0].standing.holds), (3, 3, 0));

    let (_, attempts) = outbox.journal().reader().unwrap().delivery(rows[0].id).unwrap().unwrap();
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(500), Some(500), Some(200)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_that_was_decided_is_in_the_journal() {
    let receiver = Receiver::start(|_, _| Reply::status(503));
    let outbox = Outbox::new();
    outbox.accept(triggered(), None);
    let sending = outbox.send(endpoint(&receiver.url(), quick(&[10, 3_600_000])), vec![]);
    let rows = outbox.until("burnt twice", |row| row.standing.attempts == 2).await;
    sending.end().await;
    assert_eq!(rows[0].standing.state, State::RetryWait);
    assert_eq!(rows[0].standing.delay, Duration::from_secs(3600));
    assert_eq!(rows[0].last_status, Some(503));
    assert_eq!(receiver.arrived().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn trio_gives_up_after_six_attempts_and_a_redrive_starts_anew() {
    let works = Arc::new(AtomicBool::new(false));
    let repaired = Arc::clone(&works);
    let receiver = Receiver::start(move |_, _| Reply::status(if repaired.load(Ordering::SeqCst) { 200 } else { 500 }));
    let outbox = Outbox::new();
    outbox.accept(triggered(), None);
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Trio), vec![]);
    let dead = outbox.until_state(State::Dead).await;
    assert_eq!(dead[0].standing.reason.as_deref(), Some("exhausted"));
    assert_eq!(dead[0].standing.attempts, 6);
    assert_eq!(receiver.arrived().len(), 6);

    works.store(true, Ordering::SeqCst);
    assert_eq!(outbox.journal().writer().redrive(DeadFilter::default(), now()).await.unwrap(), 1);
    let delivered = outbox.until_state(State::Delivered).await;
    sending.end().await;
    assert_eq!((delivered[0].id, delivered[0].redriven), (dead[0].id, 1));
    assert_eq!(delivered[0].standing.attempts, 1, "attempts start anew");
    assert_eq!(receiver.arrived().len(), 7);
    assert_eq!(bodies(&receiver.arrived()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttling_receiver_is_left_alone_and_nothing_is_burnt() {
    let busy = b"HTTP/1.1 429 x\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n".to_vec();
    let receiver = Receiver::start(move |n, _| if n == 0 { Reply::Bytes(busy.clone()) } else { Reply::status(200) });
    let outbox = Outbox::new();
    let sending = outbox.send(Endpoint { concurrency: 1, ..endpoint(&receiver.url(), Retry::Edge) }, vec![]);
    let mut report = sending.report.clone();
    outbox.accept(triggered(), None);
    report.wait_for(|report| report.held == Some(HoldReason::Throttled)).await.unwrap();
    outbox.accept(cleared(), None);
    let rows = outbox.until_state(State::Delivered).await;
    sending.end().await;
    assert_eq!(rows.iter().map(|row| row.standing.attempts).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(rows.iter().map(|row| row.standing.holds).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(receiver.arrived().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_endpoint_gets_nothing_and_keeps_what_it_is_owed() {
    let receiver = Receiver::start(|_, _| Reply::status(200));
    let outbox = Outbox::new();
    outbox.accept(triggered(), None);
    let sending = outbox.send(Endpoint { enabled: false, ..endpoint(&receiver.url(), Retry::Edge) }, vec![]);
    let mut report = sending.report.clone();
    report.wait_for(|report| report.held == Some(HoldReason::Paused)).await.unwrap();
    outbox.accept(triggered(), None);
    sending.end().await;
    assert_eq!(receiver.arrived(), []);

    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    outbox.until_state(State::Delivered).await;
    sending.end().await;
    assert_eq!(receiver.arrived().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_by_a_stop_is_sent_again_and_409_then_means_delivered() {
    let receiver = Receiver::start(|n, _| if n == 0 { Reply::Silence } else { Reply::status(409) });
    let mut outbox = Outbox::new();
    outbox.accept(triggered(), None);
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    receiver.wait_for(1);
    sending.end().await;
    let rows = outbox.deliveries();
    assert_eq!((rows[0].standing.attempts, rows[0].standing.maybe_received), (0, true));

    outbox.reopen();
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    outbox.until_state(State::Delivered).await;
    sending.end().await;
    assert_eq!(receiver.arrived().len(), 2);
    assert_eq!(bodies(&receiver.arrived()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_is_not_sent_again_after_a_restart() {
    let receiver = Receiver::start(|_, _| Reply::status(200));
    let mut outbox = Outbox::new();
    for _ in 0..3 {
        outbox.accept(triggered(), None);
        let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
        outbox.until_state(State::Delivered).await;
        sending.end().await;
        outbox.reopen();
    }
    assert_eq!(receiver.arrived().len(), 3);
}

const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// One delivery, signed with these secrets, as it arrived.
async fn signed(secrets: &[&str]) -> Arrived {
    let receiver = Receiver::start(|_, _| Reply::status(200));
    let outbox = Outbox::new();
    let keys = secrets.iter().map(|secret| Key::new(secret).unwrap()).collect();
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), keys);
    outbox.accept(triggered(), Some(b"\xff\xd8jpeg"));
    outbox.until_state(State::Delivered).await;
    sending.end().await;
    receiver.arrived().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_secrets_sign_while_one_replaces_the_other() {
    let arrived = signed(&[NEW, OLD]).await;
    let id = arrived.header("webhook-id");
    assert_eq!(id, arrived.header("idempotency-key"));
    let timestamp = arrived.header("webhook-timestamp").parse().unwrap();
    let message = Some(Message { id, timestamp });
    let (standard, trio) = (arrived.header("webhook-signature"), arrived.header("x-trio-signature"));
    for secret in [NEW, OLD] {
        verify(&[Key::new(secret).unwrap()], standard, message, &arrived.body).unwrap();
    }
    verify(&[Key::new(OLD).unwrap()], trio, None, &arrived.body).unwrap();
    verify(&[Key::new(NEW).unwrap()], trio, None, &arrived.body).unwrap_err();
    let age = now().wall.unix_seconds() - timestamp;
    assert!(age.abs() < 300, "receivers allow five minutes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_the_disk_does_not_give_back_is_tried_again() {
    let receiver = Receiver::start(|_, _| Reply::status(200));
    let outbox = Outbox::new();
    outbox.accept(triggered(), Some(b"jpeg"));
    let file = std::fs::read_dir(outbox.dir.path().join("frames")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&file).unwrap();
    // Reading it is an error, but not that it is gone.
    std::fs::create_dir(&file).unwrap();
    let sending = outbox.send(endpoint(&receiver.url(), quick(&[50; 1000])), Vec::new());
    let rows = outbox.until("put off", |row| row.standing.attempts > 0).await;
    assert_eq!(rows[0].standing.state, State::RetryWait);
    assert!(receiver.arrived().is_empty(), "nothing was posted");
    assert!(rows[0].last_error.as_ref().unwrap().starts_with("what is to be sent cannot be read: "));
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, b"jpeg").unwrap();
    outbox.until_state(State::Delivered).await;
    sending.end().await;
}

/// The receiver answers the first request of each connection and closes it when a second one has come: as one does whose
/// keep-alive has just run out.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_broke_costs_no_attempt_and_nothing_arrives_twice() {
    let taken = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&taken);
    let address = wire::serve(move |_, mut stream| {
        if let Some(head) = wire::answer(&mut stream, wire::OK) {
            seen.lock().unwrap().push(wire::header(&head, "webhook-id"));
            wire::read_request(&mut stream);
        }
    });
    let outbox = Outbox::new();
    let sending = outbox.send(endpoint(&format!("http://{address}/"), Retry::Edge), vec![Key::new("s").unwrap()]);
    // A connection is not always free again when the next event comes.
    let mut rows = Vec::new();
    while !rows.iter().any(|row: &DeliveryRow| row.standing.tries == 2) {
        assert!(rows.len() < 100, "no connection was used twice: {rows:?}");
        outbox.accept(triggered(), None);
        rows = outbox.until_state(State::Delivered).await;
    }
    sending.end().await;
    assert!(rows.iter().all(|row| row.standing.attempts == 1 && row.standing.holds == 0), "{rows:?}");
    let taken = taken.lock().unwrap();
    assert_eq!((taken.len(), taken.iter().collect::<BTreeSet<_>>().len()), (rows.len(), rows.len()), "each event once");
}
