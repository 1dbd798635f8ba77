//! Logins: whatever the password is made of, and how often a wrong one is tried.

use stakeout::camera::Problem;
use stakeout::config::Transport;

use super::wire::{Udp, Wire, header, talker};
use super::{at, frame, loss, with_login};
use crate::camera::small_clip;
use crate::rtsp::Server;

const NASTY: [&str; 4] = ["a b\"c'd\\e\\\\", "@:/?#%20&=+;,", "Grüße, 門 🔑", "$(x)`y`${HOME}%s%n"];

#[test]
fn a_password_may_hold_any_character() {
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    for (password, scheme) in NASTY.into_iter().zip(["digest", "basic"].into_iter().cycle()) {
        for scheme in [scheme, if scheme == "basic" { "digest" } else { "basic" }] {
            let login = ["--user", "viewer", "--password", password, "--auth", scheme];
            let server = Server::start(&clip, 0, &login);
            let wire = Wire::to(&server.url, Udp::Whole);
            frame(with_login(&wire.url, "viewer", password));
            let said = wire.requests().concat();
            assert!(said.to_ascii_lowercase().contains(&format!("authorization: {scheme}")), "{scheme} {password}");
            assert!(!said.contains(password), "{scheme}: the password itself is never said");
        }
    }
}

/// Cameras lock an account after five wrong logins, some after three.
#[test]
fn a_wrong_password_is_said_at_most_twice_and_none_never() {
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    for scheme in ["digest", "basic"] {
        let server = Server::start(&clip, 0, &["--user", "viewer", "--password", "right", "--auth", scheme]);
        let wire = Wire::to(&server.url, Udp::Whole);
        assert_eq!(loss(with_login(&wire.url, "viewer", "wrong")), Problem::Auth);
        let logins = wire.requests().iter().filter(|request| header(request, "Authorization").is_some()).count();
        assert!((1..=2).contains(&logins), "{scheme}: {logins} wrong logins in one attempt");

        let wire = Wire::to(&server.url, Udp::Whole);
        assert_eq!(loss(at(&wire.url, Transport::Tcp)), Problem::Auth);
        assert_eq!(wire.count("DESCRIBE"), 1, "{scheme}");
    }
}

/// Some ask for it at the first word, and there a refusal comes before anything is described.
#[test]
fn a_camera_that_asks_at_once_hears_a_wrong_password_twice_at_most() {
    let camera = talker(|_| {
        "RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"1f\"\r\n\r\n".to_owned()
    });
    let wire = Wire::to(&camera, Udp::Whole);
    assert_eq!(loss(with_login(&wire.url, "viewer", "wrong")), Problem::Auth);
    let logins = wire.requests().iter().filter(|request| header(request, "Authorization").is_some()).count();
    assert!((1..=2).contains(&logins), "{logins} wrong logins in one attempt");
}
