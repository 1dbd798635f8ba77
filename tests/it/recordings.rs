//! Clips of real streams: what the camera sent, bit by bit, in files that other programs play without a complaint.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use sha2::{Digest, Sha256};
use stakeout::camera::{self, Address, Camera, Mailbox, Settings, Tap};
use stakeout::config::{Decode, Transport};
use stakeout::name::Name;
use stakeout::recorder::{self, Cameras, Clerk, Order, Recorder, Told};
use stakeout::recording::mp4;
use stakeout::time::{self, Mono, Now};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use crate::camera::{launch, make_clip};
use crate::rtsp::Server;

/// Nothing here takes so long; it only keeps a failure from hanging.
const PATIENCE: Duration = Duration::from_secs(60);
pub const SIZE: &str = "width=320,height=240,framerate=15/1";

struct Ear(Sender<Told>);

impl Clerk for Ear {
    fn told(&mut self, told: Told) {
        // A test that is over listens no more.
        let _ = self.0.send(told);
    }
}

#[derive(Clone, Default)]
struct Site(BTreeMap<Name, Arc<Mailbox>>);

impl Cameras for Site {
    fn record(&self, camera: &Name, from: Mono) -> Option<Tap> {
        Some(self.0.get(camera)?.tap(from))
    }
}

/// One camera, and a recorder that hears of nothing else.
pub struct Rig {
    pub folder: PathBuf,
    camera: Camera,
    recorder: Recorder,
    told: Receiver<Told>,
}

fn name() -> Name {
    Name::new("gate").unwrap()
}

impl Rig {
    pub fn watch(address: Address, folder: &Path) -> Rig {
        Rig::on_a_disk(|| true, address, folder)
    }

    /// `has_room`: whether clips may grow.
    pub fn on_a_disk(has_room: impl Fn() -> bool + Send + 'static, address: Address, folder: &Path) -> Rig {
        Rig::made_of(has_room, crossbeam_channel::unbounded(), address, folder)
    }

    fn made_of(
        has_room: impl Fn() -> bool + Send + 'static,
        (ear, told): (Sender<Told>, Receiver<Told>),
        address: Address,
        folder: &Path,
    ) -> Rig {
        camera::init().unwrap();
        // Over UDP a busy machine loses packets.
        let (transport, pre_roll) = (Transport::Tcp, Duration::from_secs(4));
        let settings = Settings { transport, pre_roll, decode: Decode::All, ..Settings::at(address) };
        let camera = camera::spawn(name(), settings).unwrap();
        let site = Site([(name(), camera.mailbox())].into());
        let folder = folder.join("clips");
        let recorder = recorder::spawn(folder.clone(), has_room, site, Ear(ear)).unwrap();
        Rig { folder, camera, recorder, told }
    }

    fn stream(url: &Url, folder: &Path) -> Rig {
        Rig::watch(Address::of(url, None, None, false), folder)
    }

    /// Waits until so many pictures have come.
    pub fn runs_in(&self, frames: u64) {
        let until = std::time::Instant::now() + PATIENCE;
        while self.camera.status().packets < frames {
            assert!(std::time::Instant::now() < until, "{:?}", self.camera.status());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Begins a clip that shows `before`, too; when that was.
    pub fn begin(&self, before: Duration, after: Duration) -> (Uuid, Now) {
        let (clip, now) = (Uuid::new_v4(), time::now());
        let [from, until] = [now.mono.minus(before), now.mono.plus(after)];
        assert!(self.recorder.order(Order::Begin { clip, camera: name(), from, until }));
        (clip, now)
    }

    /// What was told first of a clip, as many times as it may be told without an end.
    pub fn hears(&self, count: usize) -> Vec<Told> {
        let next = |_| self.told.recv_timeout(PATIENCE).unwrap();
        (0..count).map(next).collect()
    }

    /// What was told of a clip until it ended.
    pub fn told(&self) -> Vec<Told> {
        let mut told = Vec::new();
        loop {
            told.push(self.told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{told:?}")));
            if matches!(told.last(), Some(Told::Ready { .. } | Told::Failed { .. })) {
                return told;
            }
        }
    }

    pub fn file(&self, clip: Uuid) -> PathBuf {
        self.folder.join(format!("{clip}.mp4"))
    }
}

/// A program's two outputs.
fn run(program: &str, arguments: &[&str], file: &Path) -> (Vec<u8>, String) {
    let at = arguments.iter().position(|argument| *argument == "FILE").unwrap();
    let output = Command::new(program)
        .args(&arguments[..at])
        .arg(file)
        .args(&arguments[at + 1..])
        .output()
        .expect("ffmpeg is installed by scripts/setup --dev");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    (output.stdout, String::from_utf8(output.stderr).unwrap())
}

/// What ffmpeg has to say of a file that it plays from end to end.
pub fn complaints(file: &Path) -> String {
    run("ffmpeg", &["-nostdin", "-v", "warning", "-i", "FILE", "-f", "null", "-"], file).1
}

/// The NAL units of a file's pictures as ffmpeg finds them, parameter sets and messages left out.
fn slices(file: &Path, codec: &str) -> Vec<Vec<u8>> {
    let format = if codec == "h265" { "hevc" } else { codec };
    let (stream, _) = run("ffmpeg", &["-nostdin", "-v", "error", "-i", "FILE", "-c", "copy", "-f", format, "-"], file);
    let starts: Vec<usize> =
        stream.windows(3).enumerate().filter(|(_, it)| it == &[0, 0, 1]).map(|it| it.0 + 3).collect();
    let ends = starts.iter().skip(1).map(|start| start - 3).chain([stream.len()]);
    let units = starts.iter().zip(ends).map(|(start, end)| &stream[*start..end]);
    let trimmed = units.map(|unit| unit[..=unit.iter().rposition(|byte| *byte != 0).unwrap()].to_vec());
    let is_slice = |unit: &Vec<u8>| if codec == "h265" { unit[0] >> 1 < 32 } else { matches!(unit[0] & 0x1f, 1..=5) };
    trimmed.filter(is_slice).collect()
}

/// Whether `recorded` is a part of `source`, played again and again.
fn is_part_of(recorded: &[Vec<u8>], source: &[Vec<u8>]) -> bool {
    let follows =
        |start: usize| recorded.iter().zip(source.iter().cycle().skip(start)).all(|(one, other)| one == other);
    !recorded.is_empty() && (0..source.len()).any(follows)
}

/// When ffprobe says that each picture is shown, in order, in seconds; and how long the file is.
fn times(file: &Path) -> (Vec<f64>, f64) {
    let entries = "format=duration:frame=pts_time";
    let arguments = ["-v", "error", "-select_streams", "v", "-show_entries", entries, "-of", "json", "FILE"];
    let probed: serde_json::Value = serde_json::from_slice(&run("ffprobe", &arguments, file).0).unwrap();
    let seconds = |value: &serde_json::Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let frames = probed["frames"].as_array().unwrap().iter().map(|frame| seconds(&frame["pts_time"])).collect();
    (frames, seconds(&probed["format"]["duration"]))
}

/// Eight seconds, a keyframe each.
fn film(folder: &TempDir, codec: &str, reordered: bool) -> PathBuf {
    let bframes = if reordered { 3 } else { 0 };
    if codec == "h264" {
        return make_clip(folder, "film.mp4", 120, SIZE, &format!("key-int-max=15 bframes={bframes} b-adapt=false"));
    }
    let path = folder.path().join("film.mp4");
    launch(&format!(
        "videotestsrc pattern=ball num-buffers=120 ! video/x-raw,format=I420,{SIZE} ! x265enc log-level=none \
         speed-preset=ultrafast key-int-max=15 option-string=bframes={bframes}:b-adapt=0:open-gop=0 ! h265parse ! mp4mux \
         ! filesink location={}",
        path.display()
    ));
    path
}

/// What was told of a clip that became one agrees with its file.
pub fn agrees_with_its_file(told: &[Told], file: &Path, before: Now) -> Duration {
    let (Some(Told::Begun { started_us: begun_us, file: named, .. }), Some(Told::Ready { .. })) =
        (told.first(), told.last())
    else {
        panic!("{told:?}")
    };
    let Some(Told::Ready { started_us, ended_us, bytes, sha256, duration, .. }) = told.last() else { unreachable!() };
    let content = fs::read(file).unwrap();
    assert_eq!(Some(named.as_str()), file.file_name().and_then(|name| name.to_str()));
    assert_eq!((*bytes, sha256), (content.len() as u64, &hex::encode(Sha256::digest(&content))));
    assert_eq!((begun_us, ended_us - started_us), (started_us, duration.as_micros() as i64));
    assert!(*started_us <= before.wall.0 * 1000, "it begins with a keyframe at or before what was asked for");
    let durable: Vec<u64> = told
        .iter()
        .filter_map(|told| if let Told::Fragment { bytes, .. } = told { Some(*bytes) } else { None })
        .collect();
    let whole = mp4::walk(&mut Cursor::new(&content)).unwrap().unwrap();
    let found: Vec<u64> = whole.fragments.iter().map(|span| span.at + span.bytes).collect();
    assert_eq!(found, durable, "each fragment was told");
    assert!(whole.lasts().abs_diff(*duration) < Duration::from_millis(1));
    *duration
}

fn is_recorded_as_sent(codec: &str, reordered: bool) {
    let folder = tempfile::tempdir().unwrap();
    let film = film(&folder, codec, reordered);
    let server = Server::start(&film, 0, &["--codec", codec]);
    let rig = Rig::stream(&server.url, folder.path());
    // Its clock is believed by then.
    rig.runs_in(75);
    let before = Duration::from_millis(1500);
    let (clip, now) = rig.begin(before, Duration::from_secs(4));
    let told = rig.told();
    let file = rig.file(clip);
    let from = Now { wall: now.wall.minus(before), ..now };
    let duration = agrees_with_its_file(&told, &file, from);

    let (recorded, source) = (slices(&file, codec), slices(&film, codec));
    assert!(is_part_of(&recorded, &source), "{codec}: other bytes than the source's");
    let mut spoilt = recorded.clone();
    *spoilt.last_mut().unwrap().last_mut().unwrap() ^= 1;
    assert!(!is_part_of(&spoilt, &source), "control: a spoilt byte is noticed");

    let (shown, length) = times(&file);
    assert_eq!(complaints(&file), "", "{codec}: {shown:?}");
    assert_eq!(shown.len(), recorded.len(), "every picture is one slice, and is shown");
    assert!(shown.is_sorted_by(|earlier, later| earlier < later), "{shown:?}");
    assert!((length - duration.as_secs_f64()).abs() < 0.002, "{length} {duration:?}");
    let pace = shown.len() as f64 / length;
    assert!((12.0..18.0).contains(&pace), "{pace} pictures a second instead of 15");
    assert!(length >= 4.5, "it shows what was before and what came: {length}");
}

#[test]
fn h264_is_recorded_as_it_was_sent() {
    is_recorded_as_sent("h264", false);
}

#[test]
fn h264_whose_pictures_overtake_each_other_is_recorded_as_it_was_sent() {
    is_recorded_as_sent("h264", true);
}

#[test]
fn h265_is_recorded_as_it_was_sent() {
    is_recorded_as_sent("h265", false);
}

#[test]
fn h265_whose_pictures_overtake_each_other_is_recorded_as_it_was_sent() {
    is_recorded_as_sent("h265", true);
}

/// A camera that is lost and comes back (here: a film that begins again), an order that comes later, and a kill.
#[test]
fn a_clip_goes_on_after_a_loss_ends_when_it_is_told_and_plays_wherever_it_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = make_clip(&folder, "short.mp4", 30, SIZE, "key-int-max=15 bframes=2 b-adapt=false");
    let rig = Rig::watch(Address::File { path: path.clone(), repeat: true }, folder.path());
    rig.runs_in(20);
    let (clip, now) = rig.begin(Duration::ZERO, Duration::from_secs(3600));
    let mut told = vec![rig.told.recv_timeout(PATIENCE).unwrap()];
    let fragments = |told: &[Told]| told.iter().filter(|told| matches!(told, Told::Fragment { .. })).count();
    while fragments(&told) < 5 {
        told.push(rig.told.recv_timeout(PATIENCE).unwrap());
    }
    assert!(rig.recorder.order(Order::Until { clip, until: time::now().mono }));
    told.extend(rig.told());
    let duration = agrees_with_its_file(&told, &rig.file(clip), now);
    assert!(duration > Duration::from_secs(4), "more than one round of the film: {duration:?}");
    assert_eq!(complaints(&rig.file(clip)), "");

    let content = fs::read(rig.file(clip)).unwrap();
    let cut = folder.path().join("cut.mp4");
    let whole = mp4::walk(&mut Cursor::new(&content)).unwrap().unwrap();
    for part in 1..8 {
        let left = &content[..content.len() * part / 8];
        let found = mp4::walk(&mut Cursor::new(left)).unwrap().unwrap();
        assert!(whole.fragments.starts_with(&found.fragments) && found.bytes() <= left.len() as u64);
        if found.fragments.is_empty() {
            continue;
        }
        fs::write(&cut, &left[..found.bytes() as usize]).unwrap();
        assert_eq!(complaints(&cut), "", "{part}");
        let (shown, length) = times(&cut);
        assert!((length - found.lasts().as_secs_f64()).abs() < 0.002 && !shown.is_empty(), "{part}: {length}");
    }
}

#[test]
fn a_camera_that_changes_what_it_sends_ends_its_clip() {
    let folder = tempfile::tempdir().unwrap();
    let film = film(&folder, "h264", false);
    let other = make_clip(&folder, "other.mp4", 120, "width=640,height=360,framerate=15/1", "key-int-max=15 bframes=0");
    let server = Server::start(&film, 0, &["--other", other.to_str().unwrap()]);
    let rig = Rig::stream(&server.url, folder.path());
    // Its clock is believed by then.
    rig.runs_in(60);
    let (clip, now) = rig.begin(Duration::ZERO, Duration::from_secs(3600));
    rig.runs_in(80);
    server.signal("-HUP");
    agrees_with_its_file(&rig.told(), &rig.file(clip), now);
    assert_eq!(complaints(&rig.file(clip)), "");
    assert!(is_part_of(&slices(&rig.file(clip), "h264"), &slices(&film, "h264")), "nothing of the other film");
}

#[test]
fn what_cannot_be_recorded_fails_with_the_reason_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let film = film(&folder, "h264", false);
    let server = Server::start(&film, 0, &["--codec", "mjpeg", "--transcode"]);
    let rig = Rig::stream(&server.url, folder.path());
    rig.runs_in(10);
    let (clip, _) = rig.begin(Duration::ZERO, Duration::from_secs(1));
    let why = "MJPEG can't be recorded; set the camera to H.264 or H.265".to_owned();
    assert_eq!(rig.told(), [Told::Failed { clip, why }]);
    let nowhere = Name::new("nowhere").unwrap();
    let until = time::now().mono;
    assert!(rig.recorder.order(Order::Begin { clip, camera: nowhere, from: until, until }));
    let why = "camera `nowhere` is not running; look at `stakeout status`".to_owned();
    assert_eq!(rig.told(), [Told::Failed { clip, why }]);
    assert!(!rig.folder.exists());
}

/// As a disk that stands still does: the recorder waits until somebody hears what it has to say.
#[test]
fn a_recorder_that_hangs_holds_up_no_camera() {
    let folder = tempfile::tempdir().unwrap();
    let path = make_clip(&folder, "short.mp4", 30, SIZE, "key-int-max=15 bframes=0");
    let rig = Rig::made_of(|| true, crossbeam_channel::bounded(0), Address::File { path, repeat: true }, folder.path());
    rig.runs_in(20);
    let (clip, now) = rig.begin(Duration::ZERO, Duration::from_secs(4));
    rig.runs_in(120);
    let waiting = mp4::walk(&mut fs::File::open(rig.file(clip)).unwrap()).unwrap().unwrap();
    assert!(waiting.fragments.is_empty(), "it waits: {waiting:?}");
    agrees_with_its_file(&rig.told(), &rig.file(clip), now);
}
