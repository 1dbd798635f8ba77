//! Answers that are slow, huge, broken or packed: the status line decides, and little is read.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use stakeout::delivery::Outcome;

use super::{post, post_within, read_request, reset, serve, status};

/// Sends `bytes` one by one until nobody listens any more.
fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

async fn against(
    script: impl Fn(TcpStream) + Send + Sync + Clone + 'static,
    timeout: Duration,
) -> (Outcome, Option<String>) {
    let address = serve(move |_, mut stream| {
        if read_request(&mut stream).is_some() {
            script(stream);
        }
    });
    let attempt = post_within(timeout, &format!("http://{address}/")).await;
    (attempt.outcome, attempt.snippet)
}

const SHORT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn headers_that_drip() {
    let drip =
        |mut stream: TcpStream| drip(&mut stream, format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(400)).as_bytes());
    assert_eq!(against(drip, SHORT).await.0, Outcome::NoAnswer);
}

#[tokio::test]
async fn a_body_that_drips_after_200() {
    let drip = |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n").unwrap();
        drip(&mut stream, &[b'x'; 400]);
    };
    let (outcome, snippet) = against(drip, SHORT).await;
    assert_eq!(outcome, status(200), "it was delivered with the status line");
    assert!(snippet.unwrap().starts_with('x'));
}

#[tokio::test]
async fn a_body_of_a_gigabyte() {
    const GIGABYTE: u64 = 1 << 30;
    let (told, mut written) = tokio::sync::mpsc::unbounded_channel();
    let huge = move |mut stream: TcpStream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let chunk = [b'x'; 65536];
        let count = (0..GIGABYTE / 65536).take_while(|_| stream.write_all(&chunk).is_ok()).count();
        told.send(count as u64 * 65536).unwrap();
    };
    let (outcome, snippet) = against(huge, super::AMPLE).await;
    assert_eq!((outcome, snippet.map(|text| text.len())), (status(200), Some(1024)));
    let taken = written.recv().await.unwrap();
    assert!(taken < 64 << 20, "{taken} bytes were taken: more than sockets hold");
}

#[tokio::test]
async fn chunks_that_are_none() {
    let chunked = |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzzzz\r\n").unwrap();
    };
    assert_eq!(against(chunked, super::AMPLE).await, (status(200), Some("ok".into())));
}

#[tokio::test]
async fn a_packed_bomb_is_not_unpacked() {
    let (told, heads) = mpsc::channel();
    let address = serve(move |_, mut stream| {
        let Some(head) = read_request(&mut stream) else { return };
        told.send(head).unwrap();
        // The first bytes of gzip, then what would be zeros without end.
        let body = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xed; 3000]].concat();
        let head = format!("HTTP/1.1 500 x\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
    });
    let attempt = post(&format!("http://{address}/")).await;
    assert_eq!(attempt.outcome, status(500));
    assert!(attempt.snippet.unwrap().starts_with("\u{1f}\u{fffd}\u{8}"), "as it came");
    assert!(!heads.recv().unwrap().contains("accept-encoding"));
}

#[tokio::test]
async fn a_reset_after_200() {
    let torn = |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n").unwrap();
        // What was sent must arrive before the reset takes it back: the client reads on only after it has the status.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
        let _ = stream.read(&mut [0]);
        reset(stream);
    };
    assert_eq!(against(torn, super::AMPLE).await.0, status(200));
}

#[tokio::test]
async fn a_reset_amid_the_headers() {
    let torn = |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-").unwrap();
        reset(stream);
    };
    assert_eq!(against(torn, super::AMPLE).await.0, Outcome::NoAnswer);
}

#[tokio::test]
async fn a_reset_at_once() {
    let address = serve(|_, stream| reset(stream));
    // Whether the reset overtakes the end of the handshake is the kernel's affair: before it nothing was sent, after it
    // something may have been.
    let outcome = post(&format!("http://{address}/")).await.outcome;
    assert!(matches!(outcome, Outcome::Unreachable | Outcome::NoAnswer), "{outcome:?}");
}

#[tokio::test]
async fn every_status() {
    let address = serve(|_, mut stream| {
        while let Some(head) = read_request(&mut stream) {
            let code = head.split(['/', ' ']).nth(2).unwrap().to_owned();
            let body = if ["204", "304"].contains(&&*code) { "" } else { "Content-Length: 0\r\n" };
            stream.write_all(format!("HTTP/1.1 {code} x\r\n{body}\r\n").as_bytes()).unwrap();
        }
    });
    let client = super::client(super::AMPLE);
    for code in 200..=599 {
        let attempt = client.send(super::request(&format!("http://{address}/{code}"))).await;
        assert_eq!(attempt.outcome, status(code));
    }
}
