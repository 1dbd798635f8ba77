//! Faults of cameras and networks, injected for real. Every camera comes back by itself, and nobody is blamed who is
//! healthy.

mod events;
mod networks;
mod relay;

use std::time::{Duration, Instant};

use stakeout::camera::{self, Address, Camera, Login, Problem, Snapshot, State};

use crate::camera::{frame_of, launch, loss, make_clip, small_clip, status_until, until, watch};
use crate::rtsp::Server;
use relay::Relay;

/// Waits for a whole picture of a later connection than `connection`; its connection.
fn back(camera: &Camera, connection: u64) -> u64 {
    until(camera, "a frame of a new connection", |mail| {
        mail.frames.into_iter().map(|frame| frame.connection).find(|later| *later > connection)
    })
}

/// Drains the mailbox for a while, to see whether anything happens.
fn for_a_while(camera: &Camera, time: Duration) -> Vec<camera::Mail> {
    let (until, mailbox) = (Instant::now() + time, camera.mailbox());
    let mut mails = Vec::new();
    while mailbox.bell().recv_deadline(until).is_ok() {
        mails.push(mailbox.take());
    }
    mails
}

#[test]
fn a_camera_hears_it_when_we_leave() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let relay = Relay::to(&server.url);
    let camera = watch(Address::Rtsp(relay.url.clone(), None));
    frame_of(&camera, "a frame");
    assert_eq!((relay.passed("PLAY"), relay.passed("TEARDOWN")), (1, 0));
    drop(camera);
    let deadline = Instant::now() + Duration::from_secs(10);
    while relay.passed("TEARDOWN") == 0 {
        assert!(Instant::now() < deadline, "no TEARDOWN came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn garbage_costs_pictures_and_connections_but_never_the_camera() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let mut relay = Relay::to(&server.url);
    let camera = watch(Address::Rtsp(relay.url.clone(), None));
    let first = frame_of(&camera, "a frame").connection;
    // How many packets gave no picture, and how many connections ended.
    let harm = |time| {
        let before = camera.status();
        for_a_while(&camera, time);
        let after = camera.status();
        let unseen = (after.packets - before.packets).saturating_sub(after.decoded - before.decoded);
        (unseen, after.losses - before.losses)
    };
    let (unseen, losses) = harm(Duration::from_secs(3));
    assert!(unseen <= 3 && losses == 0, "the control: {unseen}, {losses}");
    relay.tell("garbage 1");
    // What a decoder still makes of it is nobody's promise, but nothing ends, and the way back stays open.
    let (unseen, losses) = harm(Duration::from_secs(8));
    assert!(relay.struck("garbage") > 0);
    assert!(unseen > 3 || losses > 0, "the garbage was felt: {unseen}, {losses}");
    relay.tell("pass");
    relay.tell("cut");
    assert!(back(&camera, first) > first);
    status_until(&camera, |status| status.state == State::Online);
}

#[test]
fn a_half_open_connection_is_left_and_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let mut relay = Relay::to(&server.url);
    let camera = watch(Address::Rtsp(relay.url.clone(), None));
    let first = frame_of(&camera, "a frame").connection;
    relay.tell("silence");
    assert_eq!(loss(&camera), Problem::Stalled(Duration::from_secs(5)));
    relay.tell("pass");
    back(&camera, first);
}

/// Cameras are reconfigured while they run: some go on with other parameter sets, without a word.
#[test]
fn another_size_in_the_middle_of_a_stream_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let other = make_clip(&folder, "other.mp4", 150, "width=480,height=270,framerate=15/1", "key-int-max=15 bframes=0");
    let server = Server::start(&small_clip(&folder), 0, &["--other", other.to_str().unwrap()]);
    let camera = watch(Address::Rtsp(server.url.clone(), None));
    let first = frame_of(&camera, "a frame");
    assert_eq!((first.width, first.height), (320, 240));
    for (width, height) in [(480, 270), (320, 240)] {
        server.signal("-HUP");
        until(&camera, "a frame of the other size", |mail| {
            mail.frames.into_iter().find(|frame| (frame.width, frame.height) == (width, height))
        });
    }
}

/// And others come back as something else.
#[test]
fn another_codec_after_a_restart_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let port = server.url.port().unwrap();
    let camera = watch(Address::Rtsp(server.url.clone(), None));
    let first = frame_of(&camera, "a frame").connection;
    drop(server);
    let other = folder.path().join("other.mp4");
    launch(&format!(
        "videotestsrc pattern=ball num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,framerate=15/1 \
         ! x265enc speed-preset=ultrafast key-int-max=15 ! h265parse ! mp4mux ! filesink location={}",
        other.display()
    ));
    let server = Server::start(&other, port, &["--codec", "h265"]);
    let second = back(&camera, first);
    drop(server);
    let _server = Server::start(&small_clip(&folder), port, &[]);
    back(&camera, second);
}

#[test]
fn a_login_or_a_path_that_is_mended_at_the_camera_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    let guarded = |password| ["--user", "viewer", "--password", password];
    let server = Server::start(&clip, 0, &guarded("other"));
    let port = server.url.port().unwrap();
    let login = Login { username: "viewer".to_owned(), password: "Tr0ub4dor".to_owned().into() };
    let camera = watch(Address::Rtsp(server.url.clone(), Some(login)));
    assert_eq!(loss(&camera), Problem::Auth);
    drop(server);
    let elsewhere = Server::start(&clip, port, &["--path", "/elsewhere"]);
    status_until(&camera, |status| status.cause == Some(Problem::NotFound));
    drop(elsewhere);
    let _server = Server::start(&clip, port, &guarded("Tr0ub4dor"));
    back(&camera, 0);
}

#[test]
fn a_flood_ends_the_connection_and_the_camera_is_back_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let camera = watch(Address::Rtsp(server.url.clone(), None));
    let first = frame_of(&camera, "a frame").connection;
    server.signal("-USR2");
    assert_eq!(loss(&camera), Problem::Flood);
    server.signal("-USR2");
    back(&camera, first);
}

/// Pictures that move, then the same one for ever: one reconnect, a report, and no more ado.
#[test]
fn a_frozen_picture_costs_one_connection_and_is_reported_until_it_moves() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let camera = watch(Address::Rtsp(server.url.clone(), None));
    frame_of(&camera, "a frame");
    for_a_while(&camera, Duration::from_secs(2));
    server.signal("-USR1");
    // A minute must pass before anybody says so.
    for_a_while(&camera, Duration::from_secs(55));
    assert_eq!(loss(&camera), Problem::Still);
    let is_frozen = |status: &Snapshot| (status.state, &status.cause) == (State::Offline, &Some(Problem::Frozen));
    status_until(&camera, |status| is_frozen(status) && status.fps > 0.0);
    let connection = frame_of(&camera, "a frame of a frozen camera").connection;
    let mails = for_a_while(&camera, Duration::from_secs(6));
    assert!(mails.iter().flat_map(|mail| &mail.frames).all(|frame| frame.connection == connection), "it is left alone");
    server.signal("-USR1");
    status_until(&camera, |status| status.state == State::Online);
    assert_eq!(frame_of(&camera, "a frame").connection, connection, "it recovers by itself");
}
