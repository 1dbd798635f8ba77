//! RTP over TCP and UDP, and finding out which.

use std::time::Duration;

use stakeout::camera::Problem;
use stakeout::config::Transport;

use super::wire::{Udp, Wire, header};
use super::{at, frame, loss, watch};
use crate::camera::{frame_of, small_clip, status_until, until};
use crate::rtsp::Server;

/// Of each SETUP, what it asked for.
fn asked_for(wire: &Wire) -> Vec<&'static str> {
    let setups = wire.requests().into_iter().filter(|request| request.starts_with("SETUP"));
    setups.map(|it| if header(&it, "Transport").unwrap().contains("/TCP") { "TCP" } else { "UDP" }).collect()
}

#[test]
fn each_way_works_where_the_camera_knows_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    let (tcp, udp) =
        (Server::start(&clip, 0, &["--transport", "tcp"]), Server::start(&clip, 0, &["--transport", "udp"]));
    for (server, transport) in
        [(&tcp, Transport::Tcp), (&tcp, Transport::Auto), (&udp, Transport::Udp), (&udp, Transport::Auto)]
    {
        let frame = frame(at(&server.url, transport));
        assert_eq!((frame.width, frame.height), (320, 240), "{transport:?}");
    }
    assert_eq!(loss(at(&udp.url, Transport::Tcp)), Problem::Transport("TCP"));
    assert_eq!(loss(at(&tcp.url, Transport::Udp)), Problem::Transport("UDP"));
}

#[test]
fn auto_takes_udp_where_it_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let wire = Wire::to(&server.url, Udp::Whole);
    frame(at(&wire.url, Transport::Auto));
    assert_eq!(asked_for(&wire), ["UDP"]);
}

#[test]
fn auto_goes_round_a_firewall_and_remembers_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    let server = Server::start(&clip, 0, &[]);
    let port = server.url.port().unwrap();
    let wire = Wire::to(&server.url, Udp::Blocked);
    let camera = watch(at(&wire.url, Transport::Auto));
    let first = frame_of(&camera, "a frame over TCP");
    assert_eq!((first.connection, asked_for(&wire)), (1, vec!["UDP", "TCP"]));

    drop(server);
    crate::camera::loss(&camera);
    let _server = Server::start(&clip, port, &[]);
    until(&camera, "a frame of a new connection", |mail| mail.frames.into_iter().find(|frame| frame.connection > 1));
    assert_eq!(asked_for(&wire), ["UDP", "TCP", "TCP"]);
}

#[test]
fn a_firewall_is_named_where_udp_is_a_must() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let wire = Wire::to(&server.url, Udp::Blocked);
    let problem = loss(at(&wire.url, Transport::Udp));
    assert_eq!(problem, Problem::NothingOverUdp(Duration::from_secs(3)));
    assert_eq!((problem.code(), asked_for(&wire)), ("timeout", vec!["UDP"]));
}

/// Over UDP a camera hears nothing of its viewer but this; the server hangs up on who is silent for 4 s.
#[test]
fn a_session_is_kept_alive() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &["--session-timeout", "4"]);
    let wire = Wire::to(&server.url, Udp::Whole);
    let camera = watch(at(&wire.url, Transport::Udp));
    until(&camera, "four signs of life", |mail| {
        assert!(mail.frames.iter().all(|frame| frame.connection == 1), "the server hung up");
        let said = wire.requests();
        (said.iter().skip_while(|request| !request.starts_with("PLAY")).count() > 4).then_some(())
    });
    assert_eq!(wire.count("TEARDOWN"), 0);
}

/// What arrives is the clip's picture to the last sample, or nothing.
#[test]
fn lost_packets_cost_pictures_but_never_spoil_one() {
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    stakeout::camera::init().unwrap();
    let whole: Vec<_> =
        stakeout::camera::Clip::open(&clip).unwrap().map(|frame| frame.unwrap().planes.clone()).collect();
    let server = Server::start(&clip, 0, &["--transport", "udp"]);
    let wire = Wire::to(&server.url, Udp::Lossy(19));
    let camera = watch(at(&wire.url, Transport::Udp));
    let (mut seen, mut last) = (0, None);
    until(&camera, "sixty frames", |mail| {
        for frame in mail.frames {
            let at =
                whole.iter().position(|planes| planes.iter().map(|p| &p.data).eq(frame.planes.iter().map(|p| &p.data)));
            assert!(at.is_some(), "a picture that isn't in the clip, {:?}", frame.pts);
            (seen, last) = (seen + 1, Some(frame.pts));
        }
        (seen >= 60).then_some(())
    });
    // The control: packets did get lost, so pictures are missing.
    let passed = last.unwrap().as_secs_f64() * 15.0;
    assert!(passed > f64::from(seen) + 5.0, "{seen} pictures of {passed}");
    status_until(&camera, |status| status.reconnects == 0);
}
