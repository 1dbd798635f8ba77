//! Where cameras are: names, ports, queries, IPv6, and cameras that send us elsewhere. And leaving them.

use stakeout::camera::Problem;
use stakeout::config::Transport;
use url::Url;

use super::wire::{Udp, Wire, header, talker};
use super::{at, frame, loss, watch, with_login};
use crate::camera::{frame_of, small_clip};
use crate::rtsp::Server;
use crate::transport::namespace::{LOOPBACK, inside};

fn redirecting(to: impl Fn() -> String + Send + Sync + 'static) -> Url {
    talker(move |_| format!("RTSP/1.0 302 Moved\r\nLocation: {}\r\n\r\n", to()))
}

#[test]
fn queries_and_ipv6_hosts_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &["--address", "::1"]);
    assert_eq!(server.url.host_str(), Some("[::1]"));
    frame(at(&server.url, Transport::Tcp));
    frame(at(&server.url, Transport::Udp));

    let server = Server::start(&small_clip(&folder), 0, &[]);
    let mut wire = Wire::to(&server.url, Udp::Whole);
    wire.url.set_query(Some("channel=1&subtype=0"));
    frame(at(&wire.url, Transport::Tcp));
    let described = wire.requests().into_iter().find(|request| request.starts_with("DESCRIBE")).unwrap();
    assert!(described.contains("/cam?channel=1&subtype=0 RTSP/1.0"), "{described}");
}

#[test]
fn a_redirect_is_followed_and_the_login_stays_with_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Server::start(&small_clip(&folder), 0, &["--user", "viewer", "--password", "right", "--auth", "basic"]);
    let wire = Wire::to(&server.url, Udp::Whole);
    let same = wire.url.to_string();
    let other = same.replace("127.0.0.1", "localhost");
    let first = redirecting(move || same.clone());
    frame(with_login(&first, "viewer", "right"));

    let before = wire.requests().len();
    let second = redirecting(move || other.clone());
    assert_eq!(loss(with_login(&second, "viewer", "right")), Problem::Auth, "as if there were no login");
    let after = &wire.requests()[before..];
    assert!(!after.is_empty() && after.iter().all(|request| header(request, "Authorization").is_none()), "{after:?}");
}

#[test]
fn redirects_to_nowhere_end() {
    let to_web = redirecting(|| "http://127.0.0.1/".to_owned());
    assert_eq!(loss(at(&to_web, Transport::Tcp)), Problem::Protocol);
    let place = std::sync::Arc::new(std::sync::OnceLock::<Url>::new());
    let known = place.clone();
    let in_circles = redirecting(move || known.get().unwrap().to_string() + "/again");
    place.set(in_circles.clone()).unwrap();
    let wire = Wire::to(&in_circles, Udp::Whole);
    assert_eq!(loss(at(&wire.url, Transport::Tcp)), Problem::Protocol);
}

#[test]
fn a_camera_hears_that_we_leave() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    for (transport, number) in [(Transport::Tcp, 1), (Transport::Udp, 1)] {
        let wire = Wire::to(&server.url, Udp::Whole);
        let camera = watch(at(&wire.url, transport));
        frame_of(&camera, "a frame");
        assert_eq!(wire.count("TEARDOWN"), 0);
        camera.join();
        assert_eq!(wire.count("TEARDOWN"), number, "{transport:?}");
    }
}

#[test]
fn what_a_camera_answers_has_a_meaning() {
    let answers = [
        ("401 Unauthorized", Problem::Auth),
        ("403 Forbidden", Problem::Auth),
        ("404 Not Found", Problem::NotFound),
        ("453 Not Enough Bandwidth", Problem::Busy),
        ("503 Service Unavailable", Problem::Busy),
        ("500 Internal Server Error", Problem::Disconnected),
    ];
    for (answer, expected) in answers {
        let camera = talker(move |request| match request.split(' ').next() {
            Some("DESCRIBE") => format!("RTSP/1.0 {answer}\r\n\r\n"),
            _ => "RTSP/1.0 200 OK\r\n\r\n".to_owned(),
        });
        assert_eq!(loss(at(&camera, Transport::Tcp)), expected, "{answer}");
    }
}

#[test]
fn a_camera_that_accepts_and_says_nothing_times_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtsp://{}/cam", listener.local_addr().unwrap()).parse().unwrap();
    let problem = loss(at(&url, Transport::Auto));
    assert_eq!(problem.code(), "timeout", "{problem}");
}

#[test]
fn web_servers_are_no_cameras() {
    let web = talker(|_| "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_owned());
    assert_eq!(loss(at(&web, Transport::Tcp)), Problem::Protocol);
}

#[test]
fn nobody_there_is_told_apart_from_nobody_listening() {
    if !inside("network_camera::places::nobody_there_is_told_apart_from_nobody_listening", LOOPBACK) {
        return;
    }
    let why = |url: &str| loss(at(&url.parse().unwrap(), Transport::Tcp));
    assert_eq!(why("rtsp://192.0.2.1/cam"), Problem::Unreachable, "no route");
    assert_eq!(why("rtsp://127.0.0.1:9/cam"), Problem::Refused);
    assert_eq!(why("rtsp://no-such-name.invalid/cam"), Problem::Unreachable);
}
