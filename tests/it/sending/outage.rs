//! Days in seconds: the senders' time is driven, the journal and the receiver are real.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stakeout::config::Endpoint;
use stakeout::delivery::State;
use stakeout::event::Priority;
use stakeout::sender::Driven;
use stakeout::time::{Mono, Now, Wall};

use super::*;

/// A moment in 2026, with the clock synced.
pub(super) fn some_day() -> Driven {
    Driven::at(Now { mono: Mono(1_000_000_000_000), wall: Wall(1_775_000_000_000), synced: true })
}

const SECOND: Duration = Duration::from_secs(1);

/// Moves the time of one sender on, as far as `span`, never past a moment at which it wants to do something.
pub(super) async fn pass(clock: &Driven, span: Duration) {
    let end = clock.now().mono.plus(span);
    while step(clock, end).await < end {}
}

/// Moves the time to the moment at which the sender wants to do something next, `end` at the latest.
async fn step(clock: &Driven, end: Mono) -> Mono {
    let next = clock.until_at_rest(1, 0).await.min(end);
    clock.move_to(next);
    clock.until_at_rest(1, 0).await;
    next
}

/// Lets the sender notice what `change` does to the journal.
pub(super) async fn noticed<T>(clock: &Driven, change: impl FnOnce() -> T) -> T {
    clock.until_at_rest(1, 0).await;
    let before = clock.sleeps();
    let done = change();
    clock.until_at_rest(1, before).await;
    done
}

/// When each delivery arrived, in the time that is driven.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Mono, u64)>>>);

impl Log {
    fn receiver(&self, address: SocketAddr, clock: &Driven) -> Receiver {
        let (log, clock) = (self.0.clone(), clock.clone());
        Receiver::start_at(address, move |_, request| {
            let sequence = request.header("x-stakeout-sequence").parse().unwrap();
            log.lock().unwrap().push((clock.now().mono, sequence));
            Reply::status(200)
        })
    }

    fn all(&self) -> Vec<(Mono, u64)> {
        self.0.lock().unwrap().clone()
    }

    fn arrived_at(&self, sequence: u64) -> Option<Mono> {
        self.all().into_iter().find(|(_, other)| *other == sequence).map(|(at, _)| at)
    }
}

/// However a stretch of time is cut out, no more arrived in it than the bucket gives, and what was borrowed on top.
fn assert_within_bucket(arrivals: &[(Mono, u64)], borrowed: f64) {
    let mut least = f64::INFINITY;
    for (index, (at, _)) in arrivals.iter().enumerate() {
        let ahead = index as f64 - 10.0 * at.0 as f64 / 1e9;
        least = least.min(ahead);
        assert!(ahead - least + 1.0 <= 20.0 + borrowed + 1e-3, "the {index}th came too early");
    }
}

async fn an_outage_of_a_day(events: u64) {
    let clock = some_day();
    let outbox = Outbox::driven(&clock);
    let address = Receiver::start(|_, _| Reply::status(200)).address();
    let sending = outbox.send(endpoint(&format!("http://{address}/hook"), Retry::Edge), vec![]);
    for n in 0..events {
        pass(&clock, SECOND * 24 * 3600 / u32::try_from(events).unwrap()).await;
        let priority = [Priority::Normal, Priority::High, Priority::Low][n as usize % 3];
        noticed(&clock, || outbox.accept_as(priority)).await;
    }
    let open = outbox.deliveries();
    assert!(open.iter().all(|row| row.standing.state.is_open() && row.standing.attempts == 0), "nothing was burnt");
    let tries: u32 = open.iter().map(|row| row.standing.tries).sum();
    assert!(tries < 400, "{tries}: one at a time finds out whether it is over");

    let log = Log::default();
    let receiver = log.receiver(address, &clock);
    while log.all().len() < 50.min(events as usize / 2) {
        pass(&clock, SECOND).await;
    }
    // In the midst of it, something critical.
    let critical = noticed(&clock, || outbox.accept_as(Priority::Critical)).await;
    let accepted = clock.now().mono;
    pass(&clock, 2 * SECOND).await;
    let arrived = log.arrived_at(critical.sequence).expect("within two seconds");
    assert!(arrived.since(accepted) <= 2 * SECOND);
    assert!(log.all().len() < events as usize, "while others waited");

    let seconds = 60 + events / 10 * 2;
    for _ in 0..seconds {
        if log.all().len() > events as usize {
            break;
        }
        pass(&clock, SECOND).await;
    }
    clock.until_at_rest(1, 0).await;
    assert!(outbox.deliveries().iter().all(|row| row.standing.state == State::Delivered));
    assert!(outbox.deliveries().iter().all(|row| row.standing.attempts == 1));
    sending.end().await;
    let mut sequences: Vec<_> = log.all().into_iter().map(|(_, sequence)| sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=events + 1).collect::<Vec<_>>(), "each once");
    assert_within_bucket(&log.all(), 1.0);
    drop(receiver);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_a_day_loses_nothing_and_ends_at_the_pace_of_the_bucket() {
    an_outage_of_a_day(600).await;
}

/// For `scripts/bench durability`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn an_outage_of_a_day_with_ten_thousand_events() {
    an_outage_of_a_day(10_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_flaps_burns_nothing_and_starves_nobody() {
    let clock = some_day();
    let outbox = Outbox::driven(&clock);
    let address = Receiver::start(|_, _| Reply::status(200)).address();
    let log = Log::default();
    let sending = outbox.send(endpoint(&format!("http://{address}/hook"), Retry::Edge), vec![]);
    let before = outbox.journal().commits();
    for _ in 0..120 {
        pass(&clock, 20 * SECOND).await;
        for _ in 0..2 {
            noticed(&clock, || outbox.accept_as(Priority::Normal)).await;
        }
        let receiver = log.receiver(address, &clock);
        pass(&clock, 10 * SECOND).await;
        drop(receiver);
    }
    let commits = outbox.journal().commits() - before;
    assert!(commits < 1500, "{commits} in an hour");
    let rows = outbox.deliveries();
    assert!(rows.iter().all(|row| row.standing.attempts <= 1), "attempts are burnt by answers only");
    let waiting = rows.iter().filter(|row| row.standing.state != State::Delivered);
    let oldest = waiting.map(|row| row.accepted).min();
    let age = oldest.map_or(Duration::ZERO, |accepted| clock.now().wall.since(accepted));
    assert!(age < 900 * SECOND, "something has waited for {age:?}");
    sending.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_priority_makes_progress_under_a_high_load() {
    let clock = some_day();
    let outbox = Outbox::driven(&clock);
    let log = Log::default();
    let receiver = log.receiver("127.0.0.1:0".parse().unwrap(), &clock);
    let low: Vec<u64> = (0..30).map(|_| outbox.accept_as(Priority::Low).sequence).collect();
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    // More than the bucket gives, for a minute and a half.
    for _ in 0..90 {
        for _ in 0..15 {
            outbox.accept_as(Priority::High);
        }
        noticed(&clock, || outbox.accept_as(Priority::High)).await;
        pass(&clock, SECOND).await;
    }
    let arrived = low.iter().filter(|sequence| log.arrived_at(**sequence).is_some()).count();
    assert_eq!(arrived, 30, "every eighth is the oldest of all");
    assert!(outbox.deliveries().iter().any(|row| row.standing.state.is_open()), "there was more than could be sent");
    sending.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_endpoint_costs_no_writes_beside_its_probes() {
    let clock = some_day();
    let outbox = Outbox::driven(&clock);
    let address = Receiver::start(|_, _| Reply::status(200)).address();
    let events = (0..1000).map(|_| (Event { observed: clock.now(), ..event(triggered()) }, "ops")).collect();
    outbox.accept_all(events, None);
    let sending = outbox.send(endpoint(&format!("http://{address}/hook"), Retry::Edge), vec![]);
    pass(&clock, 1800 * SECOND).await;
    let before = outbox.journal().commits();
    pass(&clock, 3600 * SECOND).await;
    let commits = outbox.journal().commits() - before;
    assert!((11..=13).contains(&commits), "{commits} in an hour: one for each probe");
    sending.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_whose_frame_cannot_be_read_keeps_nobody_waiting_for_its_answer() {
    let clock = some_day();
    let outbox = Outbox::driven(&clock);
    let address = Receiver::start(|_, _| Reply::status(200)).address();
    let sending = outbox.send(endpoint(&format!("http://{address}/hook"), Retry::Edge), vec![]);
    noticed(&clock, || outbox.accept_as(Priority::Normal)).await;
    pass(&clock, 60 * SECOND).await;
    assert_eq!(sending.report.borrow().held, Some(HoldReason::EndpointDown));
    let unreadable = || {
        let event = Event { observed: clock.now(), priority: Priority::Critical, ..event(triggered()) };
        let stamp = outbox.accept_all(vec![(event, "ops")], Some(b"jpeg")).remove(0);
        let file = std::fs::read_dir(outbox.dir.path().join("frames")).unwrap().next().unwrap().unwrap().path();
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        stamp
    };
    let unreadable = noticed(&clock, unreadable).await;
    pass(&clock, 310 * SECOND).await;
    let of = |row: &DeliveryRow| row.id == unreadable.delivery;
    assert!(outbox.deliveries().iter().any(|row| of(row) && row.standing.attempts > 0), "it was the probe");
    let _receiver = Receiver::start_at(address, |_, _| Reply::status(200));
    pass(&clock, 600 * SECOND).await;
    outbox.until("the other arrived", |row| of(row) || row.standing.state == State::Delivered).await;
    sending.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_sends_one_ahead_and_then_starts_at_a_random_moment() {
    let clock = some_day();
    let outbox = Outbox::driven(&clock);
    let events = (0..30).map(|_| (Event { observed: clock.now(), ..event(triggered()) }, "ops")).collect();
    outbox.accept_all(events, None);
    clock.move_to(clock.now().mono.plus(600 * SECOND));
    let log = Log::default();
    let receiver = log.receiver("127.0.0.1:0".parse().unwrap(), &clock);
    let start = clock.now().mono;
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    while log.all().is_empty() {
        clock.until_at_rest(1, 0).await;
    }
    assert_eq!(log.all()[0].0, start, "one goes at once");
    // What is new does not wait for the old.
    let new = noticed(&clock, || outbox.accept_as(Priority::Normal)).await;
    pass(&clock, SECOND).await;
    assert!(log.arrived_at(new.sequence).is_some());
    pass(&clock, 60 * SECOND).await;
    let arrivals = log.all();
    assert_eq!(arrivals.len(), 31);
    let second_old = arrivals.iter().filter(|(_, sequence)| *sequence != new.sequence).nth(1).unwrap().0;
    assert!(second_old > start && second_old.since(start) <= 30 * SECOND);
    assert_within_bucket(&arrivals, 0.0);
    sending.end().await;
}

/// Secrets may change while a backlog waits: what is sent is signed with what holds then.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_that_waited_are_signed_with_the_keys_of_today() {
    let mut outbox = Outbox::new();
    let events = (0..1000).map(|_| (event(triggered()), "ops")).collect();
    outbox.accept_all(events, None);
    let address = Receiver::start(|_, _| Reply::status(200)).address();
    let endpoint = Endpoint { rate: None, ..endpoint(&format!("http://{address}/hook"), Retry::Edge) };
    let key = |secret| Key::new(secret).unwrap();
    let before = outbox.send(endpoint.clone(), vec![key(OLD)]);
    before.report.clone().wait_for(|report| report.held == Some(HoldReason::EndpointDown)).await.unwrap();
    before.end().await;
    outbox.reopen();

    let receiver = Receiver::start_at(address, |_, _| Reply::status(200));
    let sending = outbox.send(endpoint, vec![key(NEW), key(OLD)]);
    outbox.until_state(State::Delivered).await;
    sending.end().await;
    let arrived = receiver.arrived();
    assert_eq!(bodies(&arrived).len(), 1000);
    for request in &arrived {
        let timestamp = request.header("webhook-timestamp").parse().unwrap();
        let message = Some(Message { id: request.header("webhook-id"), timestamp });
        let standard = request.header("webhook-signature");
        assert_eq!(standard.split(' ').count(), 2);
        for secret in [NEW, OLD] {
            verify(&[key(secret)], standard, message, &request.body).unwrap();
        }
        verify(&[key(OLD)], request.header("x-trio-signature"), None, &request.body).unwrap();
    }
    let mut sequences = BTreeMap::new();
    for request in &arrived {
        *sequences.entry(request.header("x-stakeout-sequence").to_owned()).or_insert(0) += 1;
    }
    assert_eq!(sequences.len(), 1000);
}
