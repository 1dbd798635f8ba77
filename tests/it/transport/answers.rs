//! What a receiver answers, and what it makes of an attempt.

use std::net::TcpListener;
use std::time::Duration;

use stakeout::delivery::{Attempt, Outcome};
use stakeout::secret::Secret;

use super::{client, post, post_within, request, status};
use crate::receiver::{Answer, Receiver};

/// What a receiver that does `answer` makes of an attempt.
async fn against(answer: Answer) -> Attempt {
    let receiver = Receiver::start(move |_, _| answer.clone());
    post_within(Duration::from_secs(2), &receiver.url()).await
}

#[tokio::test]
async fn the_exact_bytes_and_headers_arrive() {
    let receiver = Receiver::start(|_, _| Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec()));
    let attempt = post(&receiver.url()).await;
    assert_eq!(attempt.outcome, status(200));
    assert_eq!(attempt.snippet.as_deref(), Some("hello"));
    assert_eq!(attempt.error, None);
    let [arrived] = &receiver.arrived()[..] else { panic!("one request") };
    assert_eq!(arrived.request_line, "POST /hook HTTP/1.1");
    assert_eq!(arrived.body, b"{\"exact\": \"bytes\"}");
    assert_eq!(arrived.header("x-one"), "1");
    assert_eq!(arrived.header("user-agent"), "stakeout/test");
    assert!(!arrived.has_header("accept-encoding"), "an answer is never unpacked");
}

#[tokio::test]
async fn every_status_is_passed_on_and_redirects_are_not_followed() {
    for code in [201, 204, 301, 302, 307, 308, 400, 404, 410, 429, 500, 503] {
        let elsewhere = Receiver::start(|_, _| Answer::status(200));
        let answer = format!("HTTP/1.1 {code} x\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url());
        assert_eq!(against(Answer::Bytes(answer.into_bytes())).await.outcome, status(code));
        assert_eq!(elsewhere.arrived(), []);
    }
}

#[tokio::test]
async fn retry_after_is_read() {
    let answer = b"HTTP/1.1 429 x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".to_vec();
    let expected = Outcome::Status { status: 429, retry_after: Some(Duration::from_secs(7)) };
    assert_eq!(against(Answer::Bytes(answer)).await.outcome, expected);
}

#[tokio::test]
async fn a_date_to_come_back_at_is_read_off_the_receivers_clock() {
    // Our own clock says something else by decades.
    for (date, retry_after, expected) in [
        ("Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 01 Jan 2001 00:02:00 GMT", Some(120)),
        ("Tue, 01 Jan 2069 00:00:00 GMT", "Tue, 01 Jan 2069 01:00:00 GMT", Some(3600)),
        ("Mon, 01 Jan 2001 00:02:00 GMT", "Mon, 01 Jan 2001 00:00:00 GMT", Some(0)),
        ("yesterday", "Mon, 01 Jan 2001 00:02:00 GMT", None),
    ] {
        let answer =
            format!("HTTP/1.1 503 x\r\nDate: {date}\r\nRetry-After: {retry_after}\r\nContent-Length: 0\r\n\r\n");
        let expected = Outcome::Status { status: 503, retry_after: expected.map(Duration::from_secs) };
        assert_eq!(against(Answer::Bytes(answer.into_bytes())).await.outcome, expected, "{retry_after}");
    }
}

#[tokio::test]
async fn the_status_line_alone_counts() {
    let stalls = Answer::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec());
    let attempt = against(stalls).await;
    assert_eq!((attempt.outcome, attempt.snippet.as_deref()), (status(200), Some("half")));
    let breaks = Answer::Bytes(b"HTTP/1.1 202 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec());
    assert_eq!(against(breaks).await.outcome, status(202));
}

#[tokio::test]
async fn a_long_answer_is_cut() {
    let mut long = b"HTTP/1.1 500 x\r\nContent-Length: 10000000\r\n\r\n".to_vec();
    long.extend(vec![b'a'; 10_000_000]);
    let attempt = against(Answer::Bytes(long)).await;
    assert_eq!(attempt.outcome, status(500));
    assert_eq!(attempt.snippet.map(|snippet| snippet.len()), Some(1024));
}

/// Some receivers say what they were given. The second one would be cut in two.
#[tokio::test]
async fn an_answer_is_kept_without_our_secrets() {
    stakeout::redact::conceal(&Secret::new("t0ken-of-ours"));
    let body = format!("no: t0ken-of-ours{}t0ken-of-ours and more", "a".repeat(1020 - 6));
    let answer = format!("HTTP/1.1 403 x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let snippet = against(Answer::Bytes(answer.into_bytes())).await.snippet.unwrap();
    assert_eq!(snippet, format!("no: ***{}***", "a".repeat(1020 - 6)));
}

#[tokio::test]
async fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let attempt = post(&format!("http://127.0.0.1:{port}/secret-path?token=hunter2")).await;
    assert_eq!(attempt.outcome, Outcome::Unreachable);
    let error = attempt.error.unwrap();
    assert!(error.contains("Connection refused"), "{error}");
    assert!(!error.contains("secret-path") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn tls_with_a_receiver_that_speaks_http() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    assert_eq!(post(&format!("https://127.0.0.1:{port}/")).await.outcome, Outcome::Tls);
    server.join().unwrap();
}

#[tokio::test]
async fn a_handshake_that_never_ends_sent_nothing() {
    // The kernel accepts the connection, nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    assert_eq!(post_within(Duration::from_secs(1), &url).await.outcome, Outcome::Unreachable);
}

#[tokio::test]
async fn sent_and_no_answer() {
    let attempt = against(Answer::Silence).await;
    assert_eq!(attempt.outcome, Outcome::NoAnswer);
    assert_eq!(attempt.error.as_deref(), Some("no answer within 2 s"));
    assert_eq!(against(Answer::HangUp).await.outcome, Outcome::NoAnswer);
    assert_eq!(against(Answer::Reset).await.outcome, Outcome::NoAnswer);
    let headers_never_end = Answer::Stall(b"HTTP/1.1 200 OK\r\nX-Half: ".to_vec());
    assert_eq!(against(headers_never_end).await.outcome, Outcome::NoAnswer);
}

#[tokio::test]
async fn an_answer_that_is_not_http() {
    assert_eq!(against(Answer::Bytes(b"220 mail.example ESMTP\r\n\r\n".to_vec())).await.outcome, Outcome::Malformed);
}

#[tokio::test]
async fn our_own_faults_never_reach_the_wire() {
    let receiver = Receiver::start(|_, _| Answer::status(200));
    let client = client(super::AMPLE);
    for (header, expected) in [
        (("X-Bad", "a\nb"), "the header `X-Bad` has a value that HTTP does not allow: correct it"),
        (("X Bad", "b"), "`X Bad` is no name for a header: correct it"),
    ] {
        let mut request = request(&receiver.url());
        request.headers.push((header.0.into(), header.1.into()));
        let attempt = client.send(request).await;
        assert_eq!(attempt.outcome, Outcome::OurFault);
        assert_eq!(attempt.error.as_deref(), Some(expected));
    }
    let attempt = client.send(request("ftp://127.0.0.1/")).await;
    assert_eq!(attempt.outcome, Outcome::OurFault);
    assert_eq!(attempt.error.as_deref(), Some("`ftp` is no scheme to post to: use https or http"));
    assert_eq!(receiver.arrived(), []);
}
