//! Letters: the journal, retries and dead letters are those of any endpoint. The mail server is aiosmtpd.

use serde_json::{Value, json};
use stakeout::config::Mail;
use stakeout::credentials::Login;
use stakeout::secret::Secret;

use super::*;
use crate::certificates::Authority;
use crate::mail::{LOGIN, MailServer};

const BODY: &str = "{\"subject\":\"[Stakeout] dock — Ein Mensch\",\"text\":\"Zone: dock\\n\",\"frame_b64\":\"\0\"}";

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 not much of a picture \xff\xd9";

/// An endpoint that gets letters, and who logs in there.
fn mailing(server: &MailServer, retry: Retry) -> Endpoint {
    let mail = Mail {
        username: Some(LOGIN.0.to_owned()),
        password: None,
        from: "Dock box <box@site.example>".to_owned(),
        to: vec!["ops@site.example".to_owned()],
    };
    let timeout = Duration::from_secs(20);
    Endpoint { format: Format::Email, mail: Some(mail), timeout, ..endpoint(&server.url("smtp"), retry) }
}

struct Mailing {
    outbox: Outbox,
    server: MailServer,
    sending: Sending,
}

/// A sender to a server that does what `wanted` says, logging in with `password`.
fn sending(mut wanted: Value, password: &str, retry: Retry) -> Option<Mailing> {
    let authority = Authority::new("Yard CA");
    wanted["login"] = json!([LOGIN.0, LOGIN.1]);
    let server = MailServer::of(&authority, "later", wanted)?;
    let outbox = Outbox::new();
    let office = Office::new(&outbox.bells, outbox.clock.clone(), false);
    let endpoint = mailing(&server, retry);
    let EndpointUrl::Open(url) = endpoint.url.clone() else { panic!("no secrets here") };
    let login = Login { username: LOGIN.0.to_owned(), password: Secret::new(password) };
    let credentials = Credentials { login: Some(login), ..Credentials::signing(url.value, Vec::new()) };
    let tls = Tls::default().trusting(authority.pem.as_bytes()).unwrap();
    let sending = outbox.send_with(&office, endpoint, credentials, tls);
    Some(Mailing { outbox, server, sending })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_put_off_arrives_once() {
    let Some(it) = sending(json!({"defer": 2}), LOGIN.1, quick(&[100, 100, 100])) else { return };
    let stamp = it.outbox.accept_body(BODY, Some(JPEG));
    let rows = it.outbox.until_state(State::Delivered).await;
    it.sending.end().await;
    assert_eq!((rows[0].standing.attempts, rows[0].standing.holds, it.server.count()), (3, 0, 1));
    let put_off = "the mail server answers `451 4.7.1 Greylisted, come back later` to RCPT TO:<ops@site.example>";
    let put_off = ("status".to_owned(), Some(451), Some(put_off.to_owned()));
    let delivered = ("delivered".to_owned(), Some(250), None);
    assert_eq!(it.outbox.attempts(stamp.delivery), [put_off.clone(), put_off, delivered]);

    let read = it.server.letter(0);
    assert_eq!((&read["subject"], &read["text"]), (&json!("[Stakeout] dock — Ein Mensch"), &json!("Zone: dock\n")));
    assert_eq!(read["id"], format!("<{}@site.example>", rows[0].event_id));
    assert_eq!(read["pictures"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_whose_answer_is_lost_is_sent_again_to_the_byte() {
    let Some(it) = sending(json!({"drop": 1}), LOGIN.1, quick(&[100])) else { return };
    it.outbox.accept_body(BODY, Some(JPEG));
    let rows = it.outbox.until_state(State::Delivered).await;
    it.sending.end().await;
    assert!(rows[0].standing.maybe_received);
    assert_eq!((rows[0].standing.attempts, it.server.count()), (2, 2));
    assert_eq!(it.server.raw(0), it.server.raw(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_always_refused_is_a_dead_letter_with_the_servers_words() {
    let wanted = json!({"refuse": {"ops@site.example": "550 5.1.1 nobody here"}});
    let Some(it) = sending(wanted, LOGIN.1, quick(&[50, 50])) else { return };
    it.outbox.accept_body(BODY, None);
    let rows = it.outbox.until_state(State::Dead).await;
    assert_eq!((rows[0].standing.reason.as_deref(), rows[0].standing.attempts), (Some("exhausted"), 3));
    assert_eq!(rows[0].last_status, Some(550));
    assert!(rows[0].last_error.as_ref().unwrap().contains("`550 5.1.1 nobody here` to RCPT"));
    let mut report = it.sending.report.clone();
    let report = report.wait_for(|report| report.advice.is_some()).await.unwrap();
    assert_eq!(report.advice, Some("are the addresses in `to` right?"));
    drop(report);
    it.sending.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_is_tried_again() {
    let Some(it) = sending(json!({}), "hunter2-hunter2", quick(&[3_600_000])) else { return };
    let stamp = it.outbox.accept_body(BODY, None);
    let rows = it.outbox.until_state(State::RetryWait).await;
    it.sending.end().await;
    assert_eq!((rows[0].standing.attempts, rows[0].last_status, it.server.count()), (1, Some(535), 0));
    let [(_, _, Some(error))] = &it.outbox.attempts(stamp.delivery)[..] else { panic!("one attempt") };
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_costs_nothing() {
    let Some(mut it) = sending(json!({}), LOGIN.1, Retry::Edge) else { return };
    it.server.stop();
    it.outbox.accept_body(BODY, None);
    let rows = it.outbox.until_state(State::Held).await;
    it.sending.end().await;
    assert_eq!((rows[0].standing.reason.as_deref(), rows[0].standing.attempts), (Some("endpoint_down"), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_format_is_nobodys_letter() {
    let Some(it) = sending(json!({}), LOGIN.1, Retry::Edge) else { return };
    it.outbox.accept(triggered(), None);
    let rows = it.outbox.until_state(State::Dead).await;
    it.sending.end().await;
    assert_eq!((rows[0].standing.reason.as_deref(), it.server.count()), (Some("config"), 0));
}
