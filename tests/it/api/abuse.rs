//! What is too much, too slow, too many or nonsense: refused or served, never a crash, never a secret.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::{Answer, Connection, TOKEN, ask, daemon, port, tcp, unix};
use crate::appliance::{Appliance, SECRET};
use crate::receiver::{self, Receiver};

/// A daemon, where it listens, and what keeps its endpoint answering.
fn abused() -> (Appliance, SocketAddr, Receiver) {
    let receiver = Receiver::start(|_, _| receiver::Answer::status(200));
    let appliance = daemon("127.0.0.1:0", &receiver);
    let at = SocketAddr::from(([127, 0, 0, 1], port(&appliance)));
    (appliance, at, receiver)
}

fn each(appliance: &Appliance, at: SocketAddr) -> [Box<dyn Connection>; 2] {
    [unix(appliance), tcp(at)]
}

fn open_files(appliance: &Appliance) -> usize {
    fs::read_dir(format!("/proc/{}/fd", appliance.process())).unwrap().count()
}

#[test]
fn ten_megabytes_are_refused_and_a_kilobyte_is_not() {
    let (appliance, at, _receiver) = abused();
    let json = "Content-Type: application/json";
    let padded = |bytes: usize| format!("{{{}\"endpoint\": \"ops\"}}", " ".repeat(bytes)).into_bytes();
    let chunked = |body: Vec<u8>| {
        let mut framed = format!("{:x}\r\n", body.len()).into_bytes();
        framed.extend(body);
        framed.extend(b"\r\n0\r\n\r\n");
        framed
    };
    for to in each(&appliance, at) {
        let answer = ask(to, "POST /v1/dlq/drop", &[json], &padded(1024)).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "{\"dropped\":0}"));
    }
    for to in each(&appliance, at) {
        ask(to, "POST /v1/dlq/drop", &[json], &padded(10 << 20)).unwrap().assert_refusal(413);
    }
    for to in each(&appliance, at) {
        let headers = [json, "Transfer-Encoding: chunked"];
        ask(to, "POST /v1/dlq/drop", &headers, &chunked(padded(10 << 20))).unwrap().assert_refusal(413);
    }
    for to in each(&appliance, at) {
        ask(to, "POST /v1/nothing", &[json], &padded(65 << 10)).unwrap().assert_refusal(413);
        let long = format!("X-Long: {}", "x".repeat(100 << 10));
        let answer = ask(tcp(at), "GET /v1/status", &[&long], b"");
        // The connection may be closed before all of it was sent.
        assert!(answer.map_or(true, |answer| answer.status == 431));
    }
    assert_eq!(ask(unix(&appliance), "GET /v1/status", &[], b"").unwrap().status, 200);
}

#[test]
fn nonsense_is_refused_in_words_and_leads_to_no_file() {
    let (appliance, at, _receiver) = abused();
    let mut told = Vec::new();
    for path in [
        "/v1/cameras/..%2f..%2f..%2fetc%2fpasswd/snapshot",
        "/v1/cameras/../../../etc/passwd",
        "/v1/cameras/yard%00/snapshot",
        "/v1/monitors/%ff%fe",
        "/v1/monitors/%2e%2e",
        "/v1/events/../../etc/passwd/frame",
        "/v1/events/%2fetc%2fpasswd/frame",
        "/v1/events?after=-9223372036854775808&limit=0",
        "/v1/events?after=99999999999999999999",
        "/v1/events?type=%27%3B+DROP+TABLE+event",
        "/v1/deliveries/'; DROP TABLE event;--".split(' ').next().unwrap(),
        "/v1/deliveries?since=%00",
        "/jobs/1",
        "/jobs?status=dead",
        "/jobs?limit=1001",
        "//etc/passwd",
        "/",
    ] {
        for to in each(&appliance, at) {
            let answer = ask(to, &format!("GET {path}"), &[], b"").unwrap();
            answer.assert_refusal(if [400, 404].contains(&answer.status) { answer.status } else { 404 });
            told.push(answer);
        }
    }
    for (request, status) in
        [("DELETE /v1/status", 405), ("PATCH /v1/events", 405), ("POST /v1/endpoints/ops/check/x", 404)]
    {
        ask(tcp(at), request, &[], b"").unwrap().assert_refusal(status);
    }
    for body in ["", "[", "[]", "{\"colour\": 1}", "{\"id\": \"1\"}", "\u{0}"] {
        let json = "Content-Type: application/json";
        let answer = ask(tcp(at), "POST /v1/dlq/drop", &[json], body.as_bytes()).unwrap();
        answer.assert_refusal(400);
        told.push(answer);
    }
    let shows = |what: &str| told.iter().any(|answer: &Answer| answer.text().contains(what));
    assert!(shows("%00") || shows("\\u0000"), "the search finds what is said");
    for secret in [TOKEN, SECRET, "root:"] {
        assert!(!shows(secret) && !appliance.log().contains(secret), "{secret}");
    }
}

/// What they send some bytes of.
const BEGUN: &[u8] = b"GET /v1/status HTTP/1.1\r\nHost: local";

#[test]
fn a_thousand_half_open_connections_take_neither_the_socket_nor_the_files() {
    let (appliance, at, _receiver) = abused();
    let before = open_files(&appliance);
    let mut halves: Vec<TcpStream> = Vec::new();
    for nth in 0..1000 {
        // Those beyond what the kernel keeps waiting are not connected at all.
        let Ok(mut half) = TcpStream::connect_timeout(&at, Duration::from_millis(100)) else { continue };
        let _ = half.write_all(&BEGUN[..nth % BEGUN.len()]);
        halves.push(half);
    }
    assert!(halves.len() > 256, "more than may be served at once: {}", halves.len());
    assert_eq!(ask(unix(&appliance), "GET /v1/status", &[], b"").unwrap().status, 200);
    assert!(appliance.run(&["status", "--json"]).status.success());
    let accepted = || open_files(&appliance).saturating_sub(before);
    appliance.until("as many as may be are accepted", |_| (accepted() >= 250).then_some(()));
    assert!(accepted() < 300, "{} of {} were accepted", accepted(), halves.len());

    // None of them may stay: the slow ones are closed by the daemon, one by one.
    halves.iter().for_each(|half| half.set_read_timeout(Some(Duration::from_secs(120))).unwrap());
    let mut first = halves.swap_remove(0);
    let mut rest = Vec::new();
    assert!(first.read_to_end(&mut rest).is_ok() || !rest.is_empty(), "it is closed, perhaps with a word");
    drop(halves);
    appliance.until("TCP is served again", |_| {
        ask(tcp(at), "GET /v1/status", &[], b"").ok().filter(|answer| answer.status == 200).map(drop)
    });
    appliance.until("nothing is left of them", |it| (open_files(it) < before + 20).then_some(()));
}

#[test]
fn a_thousand_requests_at_once_are_served_or_refused() {
    let (appliance, at, _receiver) = abused();
    let process = appliance.process();
    for is_tcp in [false, true] {
        let asked = (0..1000).map(|_| {
            let socket = appliance.folder.path().join("stakeout.sock");
            let work = move || {
                let connection: Box<dyn Connection> = match is_tcp {
                    true => Box::new(TcpStream::connect(at)?),
                    false => Box::new(std::os::unix::net::UnixStream::connect(socket)?),
                };
                ask(connection, "GET /v1/monitors", &[], b"").map(|answer| answer.status)
            };
            thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap()
        });
        let asked: Vec<_> = asked.collect();
        let answers: Vec<_> = asked.into_iter().map(|thread| thread.join().unwrap()).collect();
        let served = answers.iter().filter(|answer| matches!(answer, Ok(200))).count();
        let odd: Vec<_> = answers.iter().flatten().filter(|status| **status != 200).collect();
        assert!(served >= 200 && odd.is_empty(), "{served} served, {odd:?}");
    }
    assert_eq!(ask(unix(&appliance), "GET /v1/status", &[], b"").unwrap().status, 200);
    assert_eq!(appliance.process(), process);
    assert!(!appliance.log().contains("panicked"), "{}", appliance.log());
}

/// A client that says how much follows and then sends none of it.
#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    let (appliance, at, _receiver) = abused();
    let mut slow = TcpStream::connect(at).unwrap();
    slow.write_all(b"POST /v1/dlq/drop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 9\r\n\r\n{")
        .unwrap();
    super::read(Box::new(slow)).unwrap().assert_refusal(408);
    assert!(appliance.run(&["status", "--json"]).status.success());
}
