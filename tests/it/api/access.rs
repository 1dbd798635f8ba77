//! Who may call over TCP, and over the unix socket.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Answer, TOKEN, ask, daemon, port, tcp, unix};
use crate::receiver::{self, Receiver};
use crate::shared::skip;

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn basic(token: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(format!("x:{token}")))
}

/// An address of this machine that isn't loopback. Nothing is sent to find it out.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback() && !address.is_unspecified())
}

fn quiet() -> Receiver {
    Receiver::start(|_, _| receiver::Answer::status(200))
}

#[test]
fn this_machine_may_call_by_its_own_names_and_no_web_page_may() {
    let receiver = quiet();
    let appliance = daemon("127.0.0.1:0", &receiver);
    let at = SocketAddr::from(([127, 0, 0, 1], port(&appliance)));
    let get = |headers: &[&str]| ask(tcp(at), "GET /v1/status", headers, b"").unwrap();
    let own = format!("Host: 127.0.0.1:{}", at.port());
    let (right, password, wrong) = (bearer(TOKEN), basic(TOKEN), bearer("t0ken-of-another-one"));
    let (right, own) = (right.as_str(), own.as_str());

    for fine in [vec![], vec![own], vec!["Host:"], vec![right], vec![&password], vec!["Host: box.example", right]] {
        assert_eq!(get(&fine).status, 200, "{fine:?}");
    }
    let same = format!("Origin: http://127.0.0.1:{}", at.port());
    assert_eq!(get(&[own, &same]).status, 200, "a page of our own");

    get(&["Host: evil.example"]).assert_refusal(403);
    get(&["Host: evil.example:8787", "Origin: http://evil.example:8787"]).assert_refusal(403);
    get(&["Origin: https://evil.example"]).assert_refusal(403);
    get(&["Origin: https://evil.example", right]).assert_refusal(403);
    get(&["Sec-Fetch-Site: cross-site", right]).assert_refusal(403);
    let answer = get(&["Sec-Fetch-Site: same-origin"]);
    assert_eq!(answer.status, 200);
    for header in ["x-content-type-options: nosniff", "cross-origin-resource-policy: same-origin"] {
        assert!(answer.head.contains(&format!("\r\n{header}\r\n")), "{}", answer.head);
    }
    for denied in [vec![wrong.as_str()], vec!["X-Forwarded-For: 10.0.0.9"], vec!["Forwarded: for=10.0.0.9", &wrong]] {
        let answer = get(&denied);
        answer.assert_refusal(401);
        assert!(answer.head.contains("\r\nwww-authenticate: basic realm=\"stakeout\""), "{}", answer.head);
        assert!(answer.head.contains("\r\nwww-authenticate: bearer\r\n"), "{}", answer.head);
    }
    let socket = |headers: &[&str]| ask(unix(&appliance), "GET /v1/status", headers, b"").unwrap();
    assert_eq!(socket(&["Host: anything", &wrong]).status, 200, "there its mode decides");
    socket(&["Origin: https://evil.example"]).assert_refusal(403);
}

#[test]
fn who_is_not_on_this_machine_needs_the_token_and_failing_does_not_fill_the_log() {
    let Some(address) = own_address() else { return skip("this machine has no address but loopback") };
    let receiver = quiet();
    let appliance = daemon("0.0.0.0:0", &receiver);
    let at = SocketAddr::new(address, port(&appliance));
    let ask = |request: &str, headers: &[&str]| ask(tcp(at), request, headers, b"").unwrap();
    let of = |token: &str| [bearer(token), basic(token)];
    let refused: Vec<Answer> = ["", "t0ken", &TOKEN[1..], &TOKEN.to_uppercase(), "' or 1=1"]
        .iter()
        .flat_map(|wrong| of(wrong))
        .map(|header| ask("GET /v1/status", &[&header]))
        .chain([ask("GET /v1/status", &[]), ask("POST /v1/dlq/drop", &[]), ask("GET /nothing/here", &[])])
        .collect();
    refused.iter().for_each(|answer| answer.assert_refusal(401));
    for right in of(TOKEN) {
        assert_eq!(ask("GET /v1/status", &[&right]).status, 200);
        assert_eq!(ask("POST /v1/endpoints/ops/enable", &[&right]).status, 200);
    }
    let log = appliance.log();
    let told = log.lines().filter(|line| line.contains("the API refused requests")).count();
    assert!((1..refused.len()).contains(&told), "{told} lines of {} refusals", refused.len());
    let obeyed =
        log.lines().find(|line| line.contains("obeyed `POST /v1/endpoints/ops/enable`")).expect("it is logged");
    assert!(obeyed.contains(&format!("by={address}:")), "who gave the order: {obeyed}");
    assert!(appliance.run(&["endpoint", "enable", "ops"]).status.success());
    assert!(appliance.log().contains("by=uid "), "over the socket it is a user");
}

#[test]
fn without_a_token_other_machines_are_refused_before_anything_runs() {
    let receiver = quiet();
    let mut appliance = daemon("127.0.0.1:0", &receiver);
    appliance.stop();
    std::fs::write(appliance.folder.path().join("api.token"), "short").unwrap();
    let told = String::from_utf8(appliance.run(&["check"]).stderr).unwrap();
    assert!(told.contains("its token has fewer than 16 characters, so it can be guessed"), "{told}");
    appliance.edit("listen = \"127.0.0.1:0\"\ntoken_file", "listen = \"0.0.0.0:0\"\n#token_file");
    for command in ["check", "run"] {
        let output = appliance.run(&[command]);
        assert_eq!(output.status.code(), Some(78), "{command}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("`listen` lets other machines call, and there is no token"), "{told}");
    }
}
