//! The taxonomy of contracts/delivery.md, row by row, over real sockets.

use stakeout::delivery::State;
use stakeout::event::Priority;
use stakeout::sender::Driven;

use super::outage::{noticed, pass, some_day};
use super::*;

/// What is in the journal after the first answer that is not a free re-send's reason.
#[derive(Debug, PartialEq)]
struct Met {
    state: State,
    reason: Option<String>,
    attempts: u32,
    tries: u32,
    holds: u32,
    maybe_received: bool,
}

const HOUR: u64 = 3_600_000;

async fn met(retry: Retry, reply: Reply, tries: u32) -> Met {
    let receiver = Receiver::start(move |_, _| reply.clone());
    met_at(&receiver.url(), retry, tries).await
}

async fn met_at(url: &str, retry: Retry, tries: u32) -> Met {
    let outbox = Outbox::new();
    outbox.accept(triggered(), None);
    let timeout = Duration::from_secs(1);
    let sending = outbox.send(Endpoint { timeout, ..endpoint(url, retry) }, vec![]);
    let rows = outbox.until("tried", |row| row.standing.tries == tries).await;
    sending.end().await;
    let standing = rows[0].standing.clone();
    Met {
        state: standing.state,
        reason: standing.reason,
        attempts: standing.attempts,
        tries: standing.tries,
        holds: standing.holds,
        maybe_received: standing.maybe_received,
    }
}

fn burnt(tries: u32) -> Met {
    Met { state: State::RetryWait, reason: None, attempts: 1, tries, holds: 0, maybe_received: false }
}

fn held(reason: &str) -> Met {
    Met { state: State::Held, reason: Some(reason.to_owned()), attempts: 0, holds: 1, ..burnt(1) }
}

fn with_header(status: u16, header: &str) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 {status} x\r\n{header}\r\nContent-Length: 0\r\n\r\n").into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_that_burn_an_attempt() {
    let statuses = [
        301, 304, 307, 400, 401, 403, 404, 405, 406, 407, 408, 409, 410, 411, 413, 414, 415, 418, 422, 425, 431, 500,
        501, 502, 503, 504, 505, 599,
    ];
    for status in statuses {
        assert_eq!(met(quick(&[HOUR]), Reply::status(status), 1).await, burnt(1), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_burns_nothing() {
    for (reply, reason) in [
        (Reply::status(429), "throttled"),
        (with_header(429, "Retry-After: 3600"), "throttled"),
        (with_header(503, "Retry-After: 3600"), "throttled"),
    ] {
        assert_eq!(met(Retry::Edge, reply.clone(), 1).await, held(reason), "{reply:?}");
    }
    let refused = Receiver::start(|_, _| Reply::status(200)).url();
    let plain = Receiver::start(|_, _| Reply::status(200));
    let no_tls = plain.url().replace("http:", "https:");
    for url in [refused, no_tls] {
        assert_eq!(met_at(&url, quick(&[HOUR]), 1).await, held("endpoint_down"), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_free_resend_and_then_it_burns() {
    let nonsense = Reply::Bytes(b"ICY 200 OK\r\n\r\n".to_vec());
    assert_eq!(met(quick(&[HOUR]), Reply::status(421), 2).await, burnt(2));
    assert_eq!(met(quick(&[HOUR]), nonsense, 2).await, Met { maybe_received: true, ..burnt(2) });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_received_is_noted() {
    for reply in [Reply::Silence, Reply::Reset, Reply::HangUp] {
        let expected = Met { maybe_received: true, ..burnt(1) };
        assert_eq!(met(quick(&[HOUR]), reply.clone(), 1).await, expected, "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_2xx_is_delivered_on_its_status_line() {
    let stalls =
        |body: &str| Reply::Stall(format!("HTTP/1.1 200 x\r\nContent-Length: 999999\r\n\r\n{body}").into_bytes());
    let delivered = || Met { state: State::Delivered, ..burnt(1) };
    for reply in [Reply::status(200), Reply::status(202), Reply::status(204), stalls("a beginning")] {
        assert_eq!(met(quick(&[HOUR]), reply.clone(), 1).await, delivered(), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_presets_burn_whatever_went_wrong() {
    let refused = Receiver::start(|_, _| Reply::status(200)).url();
    assert_eq!(met_at(&refused, Retry::Standard, 1).await, burnt(1));
    for reply in [Reply::status(421), with_header(429, "Retry-After: 3600"), Reply::status(410)] {
        assert_eq!(met(Retry::Standard, reply.clone(), 1).await, burnt(1), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_try_is_the_last() {
    for (status, reason) in [(413, "too_large"), (501, "rejected"), (505, "rejected")] {
        let dead = Met { state: State::Dead, reason: Some(reason.to_owned()), attempts: 2, ..burnt(2) };
        assert_eq!(met(quick(&[10, 10, 10]), Reply::status(status), 2).await, dead, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_used_up_is_dead_and_too_much_waiting_is_expired() {
    let exhausted = Met { state: State::Dead, reason: Some("exhausted".to_owned()), attempts: 2, ..burnt(2) };
    assert_eq!(met(quick(&[10]), Reply::status(500), 2).await, exhausted);
    let delays = [10, 60_000].map(Duration::from_millis).to_vec();
    let short = Retry::Custom { delays, max_age: Duration::from_secs(30) };
    let expired = Met { state: State::Expired, attempts: 2, ..burnt(2) };
    assert_eq!(met(short, Reply::status(500), 2).await, expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_rejected_once_the_endpoint_took_other_content() {
    let receiver = Receiver::start(|_, request| match request.header("x-stakeout-sequence") {
        "1" => Reply::status(422),
        _ => Reply::status(200),
    });
    let outbox = Outbox::new();
    outbox.accept(triggered(), None);
    let sending = outbox.send(endpoint(&receiver.url(), quick(&[20; 100])), vec![]);
    let rows = outbox.until("refused three times", |row| row.standing.attempts >= 3).await;
    assert_eq!(rows[0].standing.state, State::RetryWait, "perhaps it refuses everything");
    outbox.accept(triggered(), None);
    let rows = outbox.until("ended", |row| !row.standing.state.is_open()).await;
    assert_eq!(rows[0].standing.reason.as_deref(), Some("rejected"));
    sending.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_after_an_answer_that_never_came_is_delivered_even_after_a_restart() {
    let receiver = Receiver::start(|n, _| if n == 0 { Reply::HangUp } else { Reply::status(409) });
    let clock = some_day();
    let mut outbox = Outbox::driven(&clock);
    outbox.accept(triggered(), None);
    let sending = outbox.send(endpoint(&receiver.url(), quick(&[HOUR])), vec![]);
    outbox.until("burnt", |row| row.standing.attempts == 1).await;
    sending.end().await;
    outbox.reopen();
    let sending = outbox.send(endpoint(&receiver.url(), quick(&[HOUR])), vec![]);
    pass(&clock, Duration::from_millis(HOUR + 1)).await;
    outbox.until_state(State::Delivered).await;
    sending.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_410_a_minute_apart_end_it_until_an_operator_says_otherwise() {
    let gone = Arc::new(AtomicBool::new(true));
    let said = Arc::clone(&gone);
    let receiver = Receiver::start(move |_, _| Reply::status(if said.load(Ordering::SeqCst) { 410 } else { 200 }));
    let clock = some_day();
    let mut outbox = Outbox::driven(&clock);
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    let report = sending.report.clone();
    noticed(&clock, || outbox.accept_as(Priority::Normal)).await;
    pass(&clock, Duration::from_secs(59)).await;
    assert!(!report.borrow().gone, "within a minute it may be an accident");
    noticed(&clock, || outbox.accept_as(Priority::Normal)).await;
    assert!(outbox.deliveries().iter().all(|row| row.standing.state == State::RetryWait));
    pass(&clock, Duration::from_secs(90)).await;
    assert!(report.borrow().gone);
    outbox.until_state(State::SkippedGone).await;

    let before = receiver.arrived().len();
    outbox.accept_as(Priority::Normal);
    outbox.until_state(State::SkippedGone).await;
    sending.end().await;
    outbox.reopen();
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    outbox.accept_as(Priority::Normal);
    pass(&clock, Duration::from_secs(600)).await;
    assert_eq!(receiver.arrived().len(), before, "a restart changes nothing");

    gone.store(false, Ordering::SeqCst);
    let writer = outbox.journal().writer();
    noticed(&clock, || tokio::task::block_in_place(|| writer.set_gone(name("ops"), false).wait().unwrap())).await;
    let redrive = || writer.redrive(DeadFilter::default(), clock.now()).wait().unwrap();
    let redriven = noticed(&clock, || tokio::task::block_in_place(redrive)).await;
    assert_eq!(redriven, 4);
    // The backlog starts at a random moment.
    pass(&clock, Duration::from_secs(40)).await;
    outbox.until_state(State::Delivered).await;
    sending.end().await;
}

/// What is said to the n-th request, and the time at which each came, in seconds since the start.
async fn times(clock: &Driven, replies: Vec<Reply>, restart_after: Duration) -> Vec<u64> {
    let times = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (noted, start, driven) = (Arc::clone(&times), clock.now().mono, clock.clone());
    let receiver = Receiver::start(move |n, _| {
        noted.lock().unwrap().push(driven.now().mono.since(start).as_secs());
        replies.get(n).cloned().unwrap_or(Reply::status(200))
    });
    let mut outbox = Outbox::driven(clock);
    outbox.accept_as(Priority::Normal);
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    pass(clock, restart_after).await;
    sending.end().await;
    outbox.reopen();
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    noticed(clock, || outbox.accept_as(Priority::Critical)).await;
    pass(clock, Duration::from_secs(2 * 3600)).await;
    assert!(outbox.deliveries().iter().all(|row| row.standing.state == State::Delivered && row.standing.attempts == 1));
    sending.end().await;
    times.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_to_be_left_alone_outlives_a_restart_and_is_never_longer_than_an_hour() {
    let asks = |seconds: &str| vec![with_header(429, &format!("Retry-After: {seconds}"))];
    let ten = Duration::from_secs(10);
    assert_eq!(times(&some_day(), asks("300"), ten).await[..2], [0, 300]);
    assert_eq!(times(&some_day(), asks("86400"), ten).await[..2], [0, 3600]);
    let date = "Retry-After: Sun, 06 Nov 1994 08:51:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(times(&some_day(), vec![with_header(503, date)], ten).await[..2], [0, 120]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_without_a_wish_is_waited_out_ever_longer() {
    let times = times(&some_day(), vec![Reply::status(429); 7], Duration::from_secs(3600)).await;
    assert_eq!(times[..8], [0, 30, 90, 210, 450, 930, 1830, 2730]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_refuses_a_box_without_a_clock_gets_it_again_as_soon_as_the_clock_is_right() {
    let clock = some_day();
    clock.set_synced(false);
    let (driven, receiver_clock) = (clock.clone(), clock.clone());
    let receiver = Receiver::start(move |_, _| Reply::status(if receiver_clock.now().synced { 200 } else { 401 }));
    let outbox = Outbox::driven(&driven);
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Edge), vec![]);
    noticed(&clock, || outbox.accept_as(Priority::Normal)).await;
    pass(&clock, Duration::from_secs(100)).await;
    let rows = outbox.deliveries();
    assert_eq!((rows[0].standing.attempts, rows[0].standing.reason.as_deref()), (0, Some("clock")));
    assert!(receiver.arrived().len() <= 5, "every thirty seconds");
    clock.set_synced(true);
    pass(&clock, Duration::from_secs(2)).await;
    outbox.until_state(State::Delivered).await;
    sending.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_costs_nothing_while_the_clock_is_wrong_and_counts_once_it_is_right() {
    let clock = some_day();
    clock.set_synced(false);
    let receiver = Receiver::start(|_, _| Reply::status(403));
    let outbox = Outbox::driven(&clock);
    let sending = outbox.send(endpoint(&receiver.url(), Retry::Trio), vec![]);
    noticed(&clock, || outbox.accept_as(Priority::Normal)).await;
    pass(&clock, Duration::from_secs(3600)).await;
    let standing = outbox.deliveries()[0].standing.clone();
    assert!(standing.attempts == 0 && standing.holds > 60, "{standing:?}");
    clock.set_synced(true);
    pass(&clock, Duration::from_secs(120)).await;
    outbox.until_state(State::Dead).await;
    sending.end().await;
}
