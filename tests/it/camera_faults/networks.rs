//! Networks that lose packets, some or all.

use std::process::Command;

use stakeout::config::Transport;

use super::*;
use crate::transport::namespace;

/// In a network of its own, whose only link goes down: nothing arrives any more, and nobody is told.
#[test]
fn a_link_that_goes_down_is_noticed_and_comes_back() {
    let test = "camera_faults::networks::a_link_that_goes_down_is_noticed_and_comes_back";
    if !namespace::inside(test, "ip link set lo up") {
        return;
    }
    let link = |way| assert!(Command::new("ip").args(["link", "set", "lo", way]).status().unwrap().success());
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let camera = watch(Address::Rtsp(server.url.clone(), None));
    let first = frame_of(&camera, "a frame").connection;
    link("down");
    assert_eq!(loss(&camera), Problem::Stalled(Duration::from_secs(5)));
    status_until(&camera, |status| status.cause == Some(Problem::Unreachable));
    link("up");
    back(&camera, first);
}

/// Lost packets cost pictures. They are no reason to begin anew.
#[test]
fn five_percent_loss_over_udp_keeps_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &["--transport", "udp"]);
    let mut relay = Relay::to(&server.url);
    let address = Address::Rtsp(relay.url.clone(), None);
    camera::init().unwrap();
    let settings = camera::Settings { transport: Transport::Udp, ..camera::Settings::at(address) };
    let camera = camera::spawn(stakeout::name::Name::new("cam").unwrap(), settings).unwrap();
    camera.mailbox().demand(camera::Demand::newest_from(stakeout::time::Mono(0)));
    let first = frame_of(&camera, "a frame").connection;
    relay.tell("loss 0.05");
    let lossy = for_a_while(&camera, Duration::from_secs(10));
    let frames = lossy.iter().flat_map(|mail| &mail.frames);
    assert!(relay.struck("loss") > 0, "packets were lost");
    assert!(frames.clone().count() > 10, "most pictures don't miss a packet");
    assert!(frames.clone().all(|frame| frame.connection == first), "{:?}", camera.status());
    // The control: without any packet it does begin anew.
    relay.tell("loss 1");
    assert_eq!(loss(&camera), Problem::Stalled(Duration::from_secs(5)));
    relay.tell("pass");
    back(&camera, first);
}
