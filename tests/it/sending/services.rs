//! Services that know nothing of us: Slack and PagerDuty get what their own documentation says, and nothing else.

use stakeout::secret::Secret;

use super::*;

const KEY: &str = "R015NGKEYR015NGKEYR015NGKEY00001";

const TRIGGER: &str = r#"{"routing_key":"","event_action":"trigger","dedup_key":"person/1","payload":{"summary":"\"routing_key\":\"\""}}"#;

fn serving(outbox: &Outbox, format: Format, url: &str, retry: Retry) -> Sending {
    let office = Office::new(&outbox.bells, outbox.clock.clone(), false);
    let endpoint = Endpoint { format, ..endpoint(url, retry) };
    let routing_key = (format == Format::Pagerduty).then(|| Secret::new(KEY));
    let keys = vec![Key::new("unused").unwrap()];
    let credentials = Credentials { routing_key, ..Credentials::signing(url.parse().unwrap(), keys) };
    outbox.send_with(&office, endpoint, credentials, Tls::default())
}

/// Signatures are the one thing of ours that a request to a service lacks.
fn assert_unsigned(arrived: &Arrived) {
    let names: Vec<&str> = arrived.headers.iter().map(|(name, _)| name.as_str()).collect();
    for (name, _) in &arrived.headers {
        let signature = name.starts_with("webhook-") || name.contains("signature");
        assert!(!signature, "{name} in {names:?}");
    }
    assert_eq!(arrived.header("content-type"), "application/json");
    assert!(!arrived.header("x-stakeout-delivery").is_empty());
    assert!(arrived.header("user-agent").starts_with("stakeout/"));
    assert_eq!(arrived.header("x-site"), "dock", "what the operator adds is sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_routing_key_is_put_in_when_it_is_sent() {
    let receiver = Receiver::start(|n, _| Reply::status(if n == 0 { 500 } else { 202 }));
    let outbox = Outbox::new();
    let sending = serving(&outbox, Format::Pagerduty, &receiver.url(), quick(&[50]));
    outbox.accept_body(TRIGGER, None);
    let rows = outbox.until_state(State::Delivered).await;
    sending.end().await;
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 2);
    let with_key = TRIGGER.replacen("\"routing_key\":\"\"", &format!("\"routing_key\":\"{KEY}\""), 1);
    for request in &arrived {
        assert_eq!(String::from_utf8_lossy(&request.body), with_key);
        assert_eq!(request.header("idempotency-key"), rows[0].event_id.to_string());
        assert_unsigned(request);
    }
    let kept = std::fs::read_dir(outbox.dir.path()).unwrap().flatten().filter(|entry| entry.path().is_file());
    let mut files = 0;
    for entry in kept {
        let bytes = std::fs::read(entry.path()).unwrap();
        files += usize::from(bytes.windows(9).any(|window| window == b"dedup_key"));
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{:?} holds the key", entry.path());
    }
    assert!(files > 0, "the body is in one of the files that were searched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_format_does_not_go_out() {
    let receiver = Receiver::start(|_, _| Reply::status(202));
    let outbox = Outbox::new();
    let sending = serving(&outbox, Format::Pagerduty, &receiver.url(), Retry::Edge);
    outbox.accept(triggered(), None);
    let rows = outbox.until_state(State::Dead).await;
    sending.end().await;
    assert_eq!((rows[0].standing.reason.as_deref(), receiver.arrived().len()), (Some("config"), 0));
    assert!(rows[0].last_error.as_ref().unwrap().starts_with("its body was written for another format "));
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_takes_what_it_documents() {
    let ok = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    let receiver = Receiver::start(|_, _| Reply::Bytes(ok.to_vec()));
    let outbox = Outbox::new();
    let sending = serving(&outbox, Format::Slack, &receiver.url(), Retry::Edge);
    let body = r#"{"text":"Video Alert","blocks":[]}"#;
    outbox.accept_body(body, None);
    outbox.until_state(State::Delivered).await;
    sending.end().await;
    let [arrived] = &receiver.arrived()[..] else { panic!("one request") };
    assert_eq!(arrived.body, body.as_bytes());
    assert_unsigned(arrived);
}

/// As both services document their refusals.
#[tokio::test(flavor = "multi_thread")]
async fn what_services_refuse() {
    let answer = |status: u16, header: &str, body: &str| {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} x\r\n{header}Connection: close\r\nContent-Length: {length}\r\n\r\n");
        Reply::Bytes((head + body).into_bytes())
    };
    for (reply, state, reason) in [
        (answer(429, "Retry-After: 30\r\n", "rate_limited"), State::Held, Some("throttled")),
        (answer(400, "", "invalid_payload"), State::RetryWait, None),
        (answer(403, "", "invalid_token"), State::RetryWait, None),
        (answer(404, "", "no_service"), State::RetryWait, None),
        (answer(500, "", "rollup_error"), State::RetryWait, None),
    ] {
        let receiver = Receiver::start(move |_, _| reply.clone());
        let outbox = Outbox::new();
        let sending = serving(&outbox, Format::Slack, &receiver.url(), Retry::Edge);
        outbox.accept_body("{}", None);
        let rows = outbox.until("refused", |row| row.standing.tries == 1).await;
        sending.end().await;
        assert_eq!((rows[0].standing.state, rows[0].standing.reason.as_deref()), (state, reason));
    }
}

/// It is the content, once the same service takes another of its kind.
#[tokio::test(flavor = "multi_thread")]
async fn content_that_a_service_refuses_is_a_dead_letter_once_it_takes_another() {
    let receiver = Receiver::start(|_, arrived| Reply::status(if arrived.body == b"{\"bad\":1}" { 400 } else { 202 }));
    let outbox = Outbox::new();
    let sending = serving(&outbox, Format::Slack, &receiver.url(), Retry::Edge);
    let bad = outbox.accept_body("{\"bad\":1}", None);
    outbox.until("refused", |row| row.standing.tries >= 1).await;
    outbox.accept_body("{}", None);
    let rows = outbox.until("over", |row| !row.standing.state.is_open()).await;
    sending.end().await;
    let dead = rows.iter().find(|row| row.id == bad.delivery).unwrap();
    assert_eq!((dead.standing.state, dead.standing.reason.as_deref()), (State::Dead, Some("rejected")));
}
