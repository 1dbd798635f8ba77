//! Recordings of every codec, from the file to the frames and to the alerts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stakeout::camera::{self, Clip};
use stakeout::frame::Frame;
use tempfile::TempDir;

use crate::appliance::Appliance;
use crate::camera::{frames, launch};

const BALL: &str =
    "videotestsrc pattern=ball num-buffers=30 ! video/x-raw,format=I420,width=320,height=240,framerate=15/1";
const H264: &str = "x264enc speed-preset=ultrafast key-int-max=10 ! h264parse";
const H265: &str = "x265enc log-level=none speed-preset=ultrafast key-int-max=10 ! h265parse";

fn make(folder: &TempDir, name: &str, video: &str, more: &str) -> PathBuf {
    let path = folder.path().join(name);
    let muxer = match name.rsplit_once('.') {
        Some((_, "mkv")) => "matroskamux",
        Some((_, "mov")) => "qtmux",
        _ => "mp4mux",
    };
    launch(&format!("{video} ! {muxer} name=file ! filesink location={} {more}", path.display()));
    path
}

#[test]
fn every_codec_in_every_container_gives_every_frame_once_and_sound_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let sound = "audiotestsrc num-buffers=90 ! audio/x-raw,rate=44100 ! avenc_aac ! file.";
    let jpeg = "jpegenc";
    for (name, encoder, more) in [
        ("264.mov", H264, sound),
        ("265.mp4", H265, sound),
        ("265.mov", H265, ""),
        ("265.mkv", H265, sound),
        ("jpeg.mov", jpeg, sound),
        ("jpeg.mkv", jpeg, ""),
    ] {
        let path = make(&folder, name, &format!("{BALL} ! {encoder}"), more);
        let frames = frames(&path);
        assert_eq!(frames.len(), 30, "{name}");
        for (at, frame) in (0..30).zip(&frames) {
            let expected = at * 1_000_000 / 15;
            assert!(frame.pts.as_micros().abs_diff(expected) <= 1500, "{name}: frame {at} at {:?}", frame.pts);
            assert_eq!((frame.width, frame.height, frame.planes.len()), (320, 240, 3), "{name}");
        }
    }
}

/// As a phone writes it: the matrix of the track's header says how to turn it, the samples lie.
fn turn(path: &Path) {
    const UPRIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
    const RIGHT: [u32; 9] = [0, 0x1_0000, 0, 0xffff_0000, 0, 0, 0, 0, 0x4000_0000];
    let bytes = |matrix: [u32; 9]| matrix.map(u32::to_be_bytes).concat();
    let mut file = fs::read(path).unwrap();
    let header = file.windows(4).position(|window| window == b"tkhd").unwrap();
    let matrix = file[header..].windows(36).position(|window| window == bytes(UPRIGHT)).unwrap();
    file.splice(header + matrix..header + matrix + 36, bytes(RIGHT));
    fs::write(path, file).unwrap();
}

#[test]
fn a_recording_that_lies_on_its_side_is_turned_upright() {
    let folder = tempfile::tempdir().unwrap();
    // White on the left, black on the right: turned clockwise it is white above.
    let halves =
        "videomixer name=mix ! video/x-raw,format=I420,width=160,height=90,framerate=5/1 ! x264enc ! h264parse";
    let side = |pattern, width| {
        format!(
            "videotestsrc pattern={pattern} num-buffers=3 ! video/x-raw,format=I420,width={width},height=90,framerate=5/1 ! mix."
        )
    };
    let path = make(&folder, "lying.mp4", halves, &format!("{} {}", side("black", 160), side("white", 80)));
    let lying = frames(&path);
    turn(&path);
    let upright = frames(&path);
    assert_eq!((lying.len(), upright.len()), (3, 3));
    let luma = |frame: &Frame, x: usize, y: usize| frame.planes[0].data[y * frame.planes[0].stride + x];
    assert_eq!((lying[0].width, lying[0].height), (160, 90));
    assert!(luma(&lying[0], 20, 45) > 200 && luma(&lying[0], 140, 45) < 50);
    assert_eq!((upright[0].width, upright[0].height), (90, 160));
    assert!(luma(&upright[0], 45, 20) > 200 && luma(&upright[0], 45, 140) < 50);
}

fn alerts(clip: &Path) -> Vec<(Value, f64)> {
    let url = clip.canonicalize().unwrap();
    let appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\n[[monitor]]\nname = \"car\"\ncamera = \"yard\"\n\
         model = \"yard\"\ncondition = \"A vehicle is in the picture.\"\nhold = \"2 of 3\"\ncheck_interval = \"200ms\"\n\
         clear_after = \"1s\"\ncooldown = \"1s\"\nrepeat = false\n",
        url.display()
    ));
    let lines = appliance.json(&["replay", clip.to_str().unwrap(), "--json"]);
    let events = lines.into_iter().filter(|line| line["type"] != "summary");
    events.map(|mut line| (line["type"].take(), line["t"].as_f64().unwrap())).collect()
}

#[test]
fn a_replay_finds_what_happens_whatever_the_codec() {
    let folder = tempfile::tempdir().unwrap();
    let yard = "filesrc location=tests/data/yard.mp4 ! qtdemux ! h264parse ! avdec_h264 ! identity eos-after=360";
    for (name, encoder) in [("yard.mkv", H265), ("yard.mov", "jpegenc")] {
        let clip = make(&folder, name, &format!("{yard} ! {encoder}"), "");
        let found = alerts(&clip);
        // tests/data/yard.json: there is a vehicle from 19.2 to 21.867 s.
        let [(triggered, begin), (cleared, end)] = &found[..] else { panic!("{name}: {found:?}") };
        assert_eq!((triggered, cleared), (&"monitor.triggered".into(), &"monitor.cleared".into()), "{name}");
        assert!((18.9..20.5).contains(begin) && (21.5..24.0).contains(end), "{name}: {found:?}");
    }
}

#[test]
fn half_a_file_gives_its_first_half() {
    let folder = tempfile::tempdir().unwrap();
    for (name, encoder) in [("265.mkv", H265), ("jpeg.mkv", "jpegenc")] {
        let path = make(&folder, name, &format!("{BALL} ! {encoder}"), "");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() * 2 / 3]).unwrap();
        camera::init().unwrap();
        let frames = Clip::open(&path).unwrap().filter_map(Result::ok).count();
        assert!((5..30).contains(&frames), "{name}: {frames}");
    }
}
