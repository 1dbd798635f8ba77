//! Cameras against real streams: clips on disk, and a real RTSP server that dies, freezes and comes back.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use stakeout::camera::{self, Address, Camera, Clip, Demand, Notice, Problem, Settings, State};
use stakeout::frame::{Frame, Matrix, PixelFormat};
use stakeout::name::Name;
use stakeout::time::{Mono, Now};
use tempfile::TempDir;

use crate::rtsp::Server;
use crate::shared::shared;

/// Nothing here takes so long; it only keeps a failure from hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A clip of moving shapes. `video` are properties of the source's caps, `encoder` of x264enc.
pub fn make_clip(folder: &TempDir, name: &str, frames: u32, video: &str, encoder: &str) -> PathBuf {
    let path = folder.path().join(name);
    let muxer = if name.ends_with("mkv") { "matroskamux" } else { "mp4mux" };
    launch(&format!(
        "videotestsrc pattern=ball num-buffers={frames} ! video/x-raw,format=I420,{video} \
         ! x264enc speed-preset=ultrafast {encoder} ! h264parse ! {muxer} ! filesink location={}",
        path.display()
    ));
    path
}

pub fn launch(pipeline: &str) {
    let output = Command::new("gst-launch-1.0").arg("-q").args(pipeline.split_whitespace()).output();
    let output = output.expect("gst-launch-1.0 is installed by scripts/setup");
    assert!(output.status.success(), "{pipeline}: {}", String::from_utf8_lossy(&output.stderr));
}

pub fn frames(path: &Path) -> Vec<Frame> {
    camera::init().unwrap();
    Clip::open(path).unwrap().map(|frame| frame.unwrap()).collect()
}

fn problem(path: &Path) -> String {
    camera::init().unwrap();
    match Clip::open(path).map(|clip| clip.collect::<Result<Vec<_>, _>>()) {
        Err(problem) | Ok(Err(problem)) => problem.to_string(),
        Ok(Ok(frames)) => panic!("{} frames", frames.len()),
    }
}

/// As many pictures as another program gets out of the file, in order, each at its own time.
#[test]
fn a_real_clip_is_decoded_whole_and_in_order() {
    let Some(path) = shared("videos/one-by-one-person-detection.mp4") else { return };
    let count = Command::new("gst-launch-1.0")
        .args(["-v", "filesrc", &format!("location={}", path.display()), "!", "qtdemux", "!", "h264parse", "!"])
        .args(["avdec_h264", "!", "fakesink", "silent=false", "sync=false"])
        .output()
        .unwrap();
    let expected = String::from_utf8_lossy(&count.stdout).matches("chain   *****").count();
    assert!(expected > 1000, "the other program counted {expected}");

    camera::init().unwrap();
    let mut times = Vec::new();
    for frame in Clip::open(&path).unwrap() {
        let frame = frame.unwrap();
        assert_eq!((frame.width, frame.height, frame.format), (768, 432, PixelFormat::I420));
        assert_eq!(frame.arrived, Now::in_clip(frame.pts));
        times.push(frame.pts);
    }
    assert_eq!(times.len(), expected);
    assert_eq!(times[0], Duration::ZERO);
    assert!(times.is_sorted_by(|earlier, later| earlier < later), "every frame once and in the order it is shown");
}

#[test]
fn b_frames_and_matroska_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (name, encoder) in [
        ("plain.mp4", "key-int-max=10 bframes=0"),
        ("reordered.mp4", "key-int-max=10 bframes=3 b-adapt=false"),
        ("reordered.mkv", "key-int-max=10 bframes=3 b-adapt=false"),
    ] {
        let path = make_clip(&folder, name, 45, "width=320,height=240,framerate=15/1", encoder);
        let times: Vec<u128> = frames(&path).iter().map(|frame| (frame.pts.as_micros() + 500) / 1000).collect();
        let expected: Vec<u128> = (0..45).map(|index| (index * 1_000_000 / 15 + 500) / 1000).collect();
        let off = times.iter().zip(&expected).map(|(is, should)| is.abs_diff(*should)).max();
        assert_eq!((times.len(), off.is_some_and(|off| off <= 1)), (45, true), "{name}: {times:?}");
    }
}

/// Widths at which a decoder pads its rows: with the stride mistaken for the width the picture would be sheared.
#[test]
fn odd_widths_are_copied_by_stride() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in [(854, 480), (1366, 768), (322, 242)] {
        let path = folder.path().join("odd.mp4");
        // Left half black, right half white: every row must have its edge in the middle.
        launch(&format!(
            "videomixer name=mix sink_1::xpos={half} ! video/x-raw,format=I420,width={width},height={height},framerate=5/1 \
             ! x264enc speed-preset=ultrafast ! h264parse ! mp4mux ! filesink location={path} \
             videotestsrc pattern=black num-buffers=3 ! video/x-raw,format=I420,width={width},height={height},framerate=5/1 ! mix. \
             videotestsrc pattern=white num-buffers=3 ! video/x-raw,format=I420,width={half},height={height},framerate=5/1 ! mix.",
            half = width / 2,
            path = path.display()
        ));
        let frames = frames(&path);
        assert_eq!(frames.len(), 3);
        let frame = &frames[2];
        assert_eq!((frame.width, frame.height), (width, height));
        let matrix = if height >= 720 { Matrix::Bt709 } else { Matrix::Bt601 };
        assert_eq!((frame.color.matrix, frame.color.full_range), (matrix, false));
        let (luma, half) = (&frame.planes[0], width as usize / 2);
        for row in luma.data.chunks(luma.stride) {
            assert!(row[..half - 4].iter().all(|sample| *sample < 40), "{width}: black on the left");
            assert!(row[half + 4..].iter().all(|sample| *sample > 210), "{width}: white on the right");
        }
        let chroma = [width.div_ceil(2), height.div_ceil(2)].map(|side| side as usize);
        for plane in &frame.planes[1..] {
            assert_eq!((plane.stride, plane.data.len()), (chroma[0], chroma[0] * chroma[1]));
        }
    }
}

#[test]
fn what_is_not_a_video_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let sound = folder.path().join("sound.mp4");
    launch(&format!("audiotestsrc num-buffers=20 ! avenc_aac ! mp4mux ! filesink location={}", sound.display()));
    let hint = "give an MP4, MOV or Matroska file with H.264, H.265 or MJPEG video";
    for (path, reason) in [
        (write("x.txt", b"no video at all, only words"), "it is neither MP4, MOV nor Matroska"),
        (write("empty.mp4", b""), "it is empty"),
        (write("named.mp4", b"\0\0\0\x18ftypisom and then nonsense that is no box at all"), "it is damaged or cut off"),
        (sound, "there is no H.264, H.265 or MJPEG video in it"),
    ] {
        let expected = format!("`{}` isn't a video that can be played: {reason}; {hint}", path.display());
        assert_eq!(problem(&path), expected);
    }
    let absent = folder.path().join("absent.mp4");
    let expected =
        format!("`{}` can't be read: there is no such file; check the path and its permissions", absent.display());
    assert_eq!(problem(&absent), expected);
}

/// Starts a camera of which every frame is wanted.
pub fn watch(address: Address) -> Camera {
    camera::init().unwrap();
    let camera = camera::spawn(Name::new("cam").unwrap(), Settings::at(address)).unwrap();
    camera.mailbox().demand(Demand::newest_from(Mono(0)));
    camera
}

/// Waits for mail until `done` has what it wants.
pub fn until<T>(camera: &Camera, what: &str, mut done: impl FnMut(camera::Mail) -> Option<T>) -> T {
    let mailbox = camera.mailbox();
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = done(mailbox.take()) {
            return found;
        }
        let rang = mailbox.bell().recv_deadline(deadline);
        assert!(rang.is_ok(), "{what} did not happen; the camera is {:?}", camera.status());
    }
}

pub fn frame_of(camera: &Camera, what: &str) -> Frame {
    until(camera, what, |mail| mail.frames.into_iter().next_back())
}

pub fn loss(camera: &Camera) -> Problem {
    until(camera, "a loss", |mail| {
        mail.notices.into_iter().find_map(|notice| match notice {
            Notice::Lost(problem) => Some(problem),
            _ => None,
        })
    })
}

/// The cause changes without a notice while a camera stays offline.
pub fn status_until(camera: &Camera, done: impl Fn(&camera::Snapshot) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(&camera.status()) {
        assert!(Instant::now() < deadline, "the camera stays {:?}", camera.status());
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn small_clip(folder: &TempDir) -> PathBuf {
    make_clip(folder, "small.mp4", 150, "width=320,height=240,framerate=15/1", "key-int-max=15 bframes=0")
}

#[test]
fn a_server_that_dies_and_returns_is_lost_once_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let clip = small_clip(&folder);
    let server = Server::start(&clip, 0, &[]);
    let url = server.url.clone();
    let camera = watch(Address::Rtsp(url.clone(), None));
    let first = frame_of(&camera, "a frame");
    assert_eq!((first.width, first.height, first.connection), (320, 240, 1));

    drop(server);
    assert_eq!(loss(&camera), Problem::Disconnected);
    status_until(&camera, |status| status.cause == Some(Problem::Refused));
    assert_eq!(camera.status().state, State::Offline);

    let _server = Server::start(&clip, url.port().unwrap(), &[]);
    let (mut notices, mut frame) = (Vec::new(), None);
    // A frame is there a moment before the notice.
    let again = until(&camera, "a frame after the return, and the notice of it", |mail| {
        notices.extend(mail.notices);
        frame = mail.frames.into_iter().next_back().or(frame.take());
        frame.take_if(|_| !notices.is_empty())
    });
    assert!(again.connection > first.connection);
    assert_eq!(notices, [Notice::Online], "one notice per change, none per attempt");
    assert_eq!((camera.status().state, camera.status().reconnects), (State::Online, 1));
}

/// A frozen process keeps its connections open and says nothing, as an unplugged camera does.
#[test]
fn a_server_that_freezes_is_noticed_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let camera = watch(Address::Rtsp(server.url.clone(), None));
    frame_of(&camera, "a frame");
    server.signal("-STOP");
    assert_eq!(loss(&camera), Problem::Stalled(Duration::from_secs(5)));
    server.signal("-CONT");
    until(&camera, "a frame of a new connection", |mail| mail.frames.into_iter().find(|frame| frame.connection > 1));
}

#[test]
fn every_reason_not_to_connect_has_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &["--user", "viewer", "--password", "Tr0ub4dor"]);
    let login =
        |password: &str| Some(camera::Login { username: "viewer".to_owned(), password: password.to_owned().into() });
    let mut elsewhere = server.url.clone();
    elsewhere.set_path("/no-such-stream");
    let mut closed = server.url.clone();
    closed.set_port(Some(1)).unwrap();

    for (url, password, expected) in [
        (&server.url, None, Problem::Auth),
        (&server.url, Some("wrong"), Problem::Auth),
        (&elsewhere, Some("Tr0ub4dor"), Problem::NotFound),
        (&closed, None, Problem::Refused),
    ] {
        let camera = watch(Address::Rtsp(url.clone(), password.and_then(login)));
        assert_eq!(loss(&camera), expected, "{url} {password:?}");
    }
    let right = login("Tr0ub4dor");
    assert!(!format!("{right:?}").contains("Tr0ub4dor"));
    frame_of(&watch(Address::Rtsp(server.url.clone(), right)), "a frame after the right login");
}

#[test]
fn a_video_of_another_codec_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.mp4");
    launch(&format!(
        "videotestsrc num-buffers=10 ! video/x-raw,format=I420 ! avenc_mpeg4 ! mp4mux ! filesink location={}",
        path.display()
    ));
    assert!(problem(&path).contains("its video is `video/mpeg`; give"), "{}", problem(&path));
}

#[test]
fn a_clip_plays_at_its_own_pace_ends_once_and_loops_without_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = make_clip(&folder, "short.mp4", 10, "width=320,height=240,framerate=10/1", "bframes=0");
    let once = watch(Address::File { path: path.clone(), repeat: false });
    let (mut seen, mut arrivals) = (Vec::new(), Vec::new());
    until(&once, "the end", |mail| {
        seen.extend(mail.notices);
        arrivals.extend(mail.frames.iter().map(|frame| frame.arrived.mono));
        (seen.last() == Some(&Notice::Ended)).then_some(())
    });
    assert_eq!(seen, [Notice::Online, Notice::Ended]);
    assert_eq!((once.status().state, once.status().decoded), (State::Ended, 10));
    // A lower bound holds on any machine: ten pictures, a tenth of a second apart.
    assert!(arrivals[arrivals.len() - 1].since(arrivals[0]) >= Duration::from_millis(800));

    let looping = watch(Address::File { path, repeat: true });
    let mut notices = Vec::new();
    let third = until(&looping, "the third round", |mail| {
        notices.extend(mail.notices);
        mail.frames.into_iter().find(|frame| frame.connection == 3)
    });
    assert!(third.pts < Duration::from_secs(1));
    assert_eq!(notices, [Notice::Online]);
}

#[test]
fn frames_that_nobody_wants_are_decoded_but_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let path = make_clip(&folder, "short.mp4", 10, "width=320,height=240,framerate=30/1", "bframes=0");
    camera::init().unwrap();
    let camera = camera::spawn(Name::new("cam").unwrap(), Settings::at(Address::File { path, repeat: false })).unwrap();
    until(&camera, "the end", |mail| {
        assert!(mail.frames.is_empty());
        mail.notices.contains(&Notice::Ended).then_some(())
    });
    assert_eq!((camera.status().decoded, camera.status().skipped), (10, 10));
}
