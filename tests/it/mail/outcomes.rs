//! One letter at a time: what a mail server does, and what becomes of the attempt.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use stakeout::delivery::{Attempt, Outcome, Step};
use stakeout::egress::Egress;
use stakeout::secret::Secret;
use stakeout::time::Wall;
use stakeout::transport::{Account, Letter, Mailer, Settings, Tls, Way, certificates};
use uuid::Uuid;

use super::{LOGIN, MailServer};
use crate::certificates::Authority;

/// Longer than anything here takes on a loaded machine; only what must run into it gets less.
const AMPLE: Duration = Duration::from_secs(30);

/// A whole JPEG.
fn jpeg() -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = image::RgbImage::from_fn(320, 180, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
    picture.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Jpeg).unwrap();
    bytes
}

fn letter() -> Letter {
    Letter {
        id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
        at: Wall(1_769_423_700_120),
        subject: "[Stakeout] Größe 門 — A person is inside the yellow zone, near the gate, and does not move at all"
            .into(),
        text: "Zone: Größe 門\nConfidence: 91%\n.\n.. two dots\nFrom here on\n".into(),
        picture: jpeg(),
    }
}

fn account(url: &str) -> Account {
    Account {
        url: url.parse().unwrap(),
        allow_plain: false,
        login: Some((LOGIN.0.into(), Secret::new(LOGIN.1))),
        from: "Dock box <box@site.example>".into(),
        to: vec!["ops@site.example".into(), "Nachtwächter <night@site.example>".into()],
    }
}

fn trusting(authority: &Authority) -> Settings {
    Settings { tls: Tls::default().trusting(authority.pem.as_bytes()).unwrap(), ..Settings::new(AMPLE) }
}

async fn traced(account: Account, settings: &Settings) -> (Attempt, Way) {
    Mailer::new(account, settings).unwrap().trace(&letter()).await
}

async fn post(account: Account, settings: &Settings) -> Attempt {
    traced(account, settings).await.0
}

fn reply(code: u16, to: Step) -> Outcome {
    Outcome::Reply { code, to }
}

const TAKEN: Outcome = Outcome::Reply { code: 250, to: Step::Letter };

#[tokio::test]
async fn a_letter_that_arrives_is_what_was_written() {
    let authority = Authority::new("Yard CA");
    for (tls, scheme) in [("later", "smtp"), ("first", "smtps")] {
        let login = json!({"login": [LOGIN.0, LOGIN.1]});
        let Some(server) = MailServer::of(&authority, tls, login) else { return };
        let (attempt, way) = traced(account(&server.url(scheme)), &trusting(&authority)).await;
        assert_eq!((attempt.outcome, attempt.error), (TAKEN, None), "{scheme}");
        assert_eq!(attempt.snippet.as_deref(), Some("250 2.0.0 Ok: queued as 12345"));
        assert_eq!(way.peer.map(|peer| peer.port()), Some(server.port));
        assert_eq!(way.certificate.unwrap().issuer, "CN=Yard CA");

        let envelope = server.envelope(0);
        assert_eq!(envelope["from"], "box@site.example");
        assert_eq!(envelope["to"], json!(["ops@site.example", "night@site.example"]));
        assert_eq!((&envelope["tls"], &envelope["login"]), (&json!(true), &json!(true)));

        let read = server.letter(0);
        assert_eq!(read["defects"], json!([]));
        assert_eq!((&read["subject"], &read["text"]), (&json!(letter().subject), &json!(letter().text)));
        assert_eq!(read["from"], "Dock box <box@site.example>");
        assert_eq!(read["to"], "ops@site.example, Nachtwächter <night@site.example>");
        assert_eq!(read["id"], "<01900000-0000-7000-8000-000000000001@site.example>");
        assert_eq!(read["date"], "2026-01-26T10:35:00+00:00");
        let [picture] = &read["pictures"].as_array().unwrap()[..] else { panic!("one picture") };
        assert_eq!((&picture["type"], &picture["disposition"]), (&json!("image/jpeg"), &json!("inline")));
        let bytes = STANDARD.decode(picture["bytes"].as_str().unwrap()).unwrap();
        assert_eq!(bytes, jpeg());
        assert_eq!(image::load_from_memory(&bytes).unwrap().width(), 320);

        // Attempts differ in nothing.
        post(account(&server.url(scheme)), &trusting(&authority)).await;
        assert_eq!(server.raw(0), server.raw(1));
    }
}

#[tokio::test]
async fn a_login_that_is_wrong_and_one_that_is_missing() {
    let authority = Authority::new("Yard CA");
    for without in [json!([]), json!(["PLAIN"])] {
        let wanted = json!({"login": [LOGIN.0, LOGIN.1], "without": without});
        let Some(server) = MailServer::of(&authority, "later", wanted) else { return };
        assert_eq!(post(account(&server.url("smtp")), &trusting(&authority)).await.outcome, TAKEN, "{without}");
        let wrong = Some((LOGIN.0.into(), Secret::new("hunter2-hunter2")));
        let attempt = post(Account { login: wrong, ..account(&server.url("smtp")) }, &trusting(&authority)).await;
        assert_eq!(attempt.outcome, reply(535, Step::Login), "{attempt:?}");
        let told = attempt.error.unwrap();
        assert!(told.starts_with("the mail server answers `535 ") && !told.contains("hunter2"), "{told}");

        let nobody = Account { login: None, ..account(&server.url("smtp")) };
        assert_eq!(post(nobody, &trusting(&authority)).await.outcome, reply(530, Step::Session));
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn nothing_is_said_where_anybody_could_listen() {
    let authority = Authority::new("Yard CA");
    let Some(server) = MailServer::of(&authority, "never", json!({})) else { return };
    let account = Account { login: None, ..account(&server.url("smtp")) };
    let attempt = post(account.clone(), &trusting(&authority)).await;
    assert_eq!((attempt.outcome, server.count()), (Outcome::Tls, 0));
    assert!(attempt.error.unwrap().starts_with("the mail server offers no STARTTLS; "));

    let allowed = Account { allow_plain: true, ..account };
    assert_eq!(post(allowed, &trusting(&authority)).await.outcome, TAKEN);
    assert_eq!(server.envelope(0)["tls"], false);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for() {
    let (ours, theirs) = (Authority::new("Yard CA"), Authority::new("Yard CA"));
    for (tls, scheme) in [("later", "smtp"), ("first", "smtps")] {
        let Some(server) = MailServer::of(&theirs, tls, json!({})) else { return };
        // Also where letters might be read: whoever offers TLS must get it right.
        for allow_plain in [false, true] {
            let account = Account { allow_plain, ..account(&server.url(scheme)) };
            assert_eq!(post(account, &trusting(&ours)).await.outcome, Outcome::Tls, "{scheme}");
        }
        let other_name = server.url(scheme).replace("localhost", "127.0.0.1");
        assert_eq!(post(account(&other_name), &trusting(&theirs)).await.outcome, Outcome::Tls, "another name");
        assert_eq!(server.count(), 0);
    }
}

#[tokio::test]
async fn a_server_that_wants_to_know_who_we_are() {
    let authority = Authority::new("Yard CA");
    let wanted = json!({"authority": authority.pem});
    let Some(server) = MailServer::of(&authority, "later", wanted) else { return };
    let account = Account { login: None, ..account(&server.url("smtp")) };
    // It hangs up without an alert, so that nobody can say why.
    assert_eq!(post(account.clone(), &trusting(&authority)).await.outcome, Outcome::Unreachable);
    assert_eq!(server.count(), 0);
    let ours = authority.issue("box", |_| {});
    let settings = trusting(&authority);
    let chain = certificates(ours.pem.as_bytes()).unwrap();
    let tls = settings.tls.clone().presenting(chain, ours.key_pem.as_bytes()).unwrap();
    assert_eq!(post(account, &Settings { tls, ..settings }).await.outcome, TAKEN);
}

#[tokio::test]
async fn refusals_for_now_and_for_good() {
    let authority = Authority::new("Yard CA");
    let (ops, night, from) = ("ops@site.example", "night@site.example", "box@site.example");
    let gone = "550 5.1.1 nobody here";
    for (wanted, outcome, told) in [
        (
            json!({"defer": 1}),
            reply(451, Step::Letter),
            "`451 4.7.1 Greylisted, come back later` to RCPT TO:<ops@site.example>",
        ),
        (
            json!({"refuse": {ops: gone, night: gone}}),
            reply(550, Step::Letter),
            "`550 5.1.1 nobody here` to RCPT TO:<ops@",
        ),
        (json!({"refuse": {night: "452 4.2.2 full"}}), reply(452, Step::Letter), "`452 4.2.2 full` to RCPT TO:<night@"),
        (json!({"refuse": {from: "550 5.7.1 not you"}}), reply(550, Step::Session), "`550 5.7.1 not you` to MAIL"),
        (json!({"answer": "552 5.3.4 too big"}), reply(552, Step::Letter), "`552 5.3.4 too big` to the letter"),
        (json!({"answer": "451 4.3.0 no room"}), reply(451, Step::Letter), "`451 4.3.0 no room` to the letter"),
    ] {
        let Some(server) = MailServer::of(&authority, "first", wanted) else { return };
        let account = Account { login: None, ..account(&server.url("smtps")) };
        let attempt = post(account, &trusting(&authority)).await;
        assert_eq!(attempt.outcome, outcome, "{told}");
        let error = attempt.error.unwrap();
        assert!(error.starts_with("the mail server answers ") && error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn one_who_is_refused_keeps_nobody_else_from_a_letter() {
    let authority = Authority::new("Yard CA");
    let wanted = json!({"refuse": {"ops@site.example": "550 5.1.1 nobody here"}});
    let Some(server) = MailServer::of(&authority, "first", wanted) else { return };
    let account = Account { login: None, ..account(&server.url("smtps")) };
    let attempt = post(account, &trusting(&authority)).await;
    assert_eq!(attempt.outcome, TAKEN);
    let told = "the mail server answers `550 5.1.1 nobody here` to RCPT TO:<ops@site.example>";
    assert_eq!(attempt.error.as_deref(), Some(told));
    assert_eq!(server.envelope(0)["to"], json!(["night@site.example"]));
}

#[tokio::test]
async fn a_server_that_hangs_and_one_that_leaves() {
    let authority = Authority::new("Yard CA");
    for (wanted, outcome, arrived) in [
        (json!({"hang": "EHLO"}), Outcome::Unreachable, 0),
        (json!({"hang": "MAIL"}), Outcome::Unreachable, 0),
        (json!({"hang": "DATA"}), Outcome::NoAnswer, 1),
        (json!({"drop": 1}), Outcome::NoAnswer, 1),
    ] {
        let Some(server) = MailServer::of(&authority, "first", wanted.clone()) else { return };
        let account = Account { login: None, ..account(&server.url("smtps")) };
        let settings = Settings { timeout: Duration::from_secs(3), ..trusting(&authority) };
        let attempt = post(account, &settings).await;
        assert_eq!(attempt.outcome, outcome, "{wanted}: {attempt:?}");
        assert_eq!(server.count(), arrived, "{wanted}");
    }
}

#[tokio::test]
async fn what_is_no_mail_server() {
    let settings = Settings::new(AMPLE);
    let account = |url: &str| Account { login: None, ..account(url) };
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let attempt = post(account(&format!("smtp://{nobody}")), &settings).await;
    assert_eq!(attempt.outcome, Outcome::Unreachable, "{attempt:?}");

    let chatty = crate::transport::serve(|_, mut stream| {
        use std::io::{Read, Write};
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let attempt = post(account(&format!("smtp://{chatty}")), &settings).await;
    assert_eq!(attempt.outcome, Outcome::Malformed, "{attempt:?}");

    let endless = crate::transport::serve(|_, mut stream| {
        use std::io::Write;
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let attempt = post(account(&format!("smtp://{endless}")), &settings).await;
    assert_eq!(attempt.outcome, Outcome::Malformed, "{attempt:?}");

    let attempt = post(account(&format!("smtps://{chatty}")), &settings).await;
    assert_eq!(attempt.outcome, Outcome::Tls, "{attempt:?}");
}

#[tokio::test]
async fn letters_keep_to_the_egress_rules() {
    let settings = Settings { egress: Arc::new(Egress::default()), ..Settings::new(AMPLE) };
    for host in ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.1.1]", "0.0.0.0"] {
        let attempt = post(account(&format!("smtp://{host}:25")), &settings).await;
        assert_eq!(attempt.outcome, Outcome::Forbidden, "{host}: {attempt:?}");
    }
}
