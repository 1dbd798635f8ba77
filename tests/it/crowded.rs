//! Clips on a disk that is full: with the built binary, where clips go before alerts, whoever filled it; and the recorder alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use stakeout::camera::Address;
use stakeout::journal::{ClipRow, ClipState};
use stakeout::recorder::Told;

use crate::appliance::Appliance;
use crate::camera::{launch, make_clip};
use crate::disk::Disk;
use crate::filmed::{bodies, clips, endpoint, wrong};
use crate::receiver::{Answer, Receiver};
use crate::recordings::{Rig, SIZE, agrees_with_its_file, complaints};
use crate::shared::runtime;

const MIB: u64 = 1 << 20;
const DISK: u64 = 32 * MIB;

/// A box that has something to say and to record all the time, 2 MB a second, on a disk that is small.
struct Crowded {
    // Before its folder: unmounted first.
    disk: Disk,
    ops: Receiver,
    appliance: Appliance,
}

/// Pictures that no encoder can make small.
fn noise(folder: &Path) -> PathBuf {
    let path = folder.join("noise.mp4");
    launch(&format!(
        "videotestsrc pattern=snow num-buffers=150 ! video/x-raw,format=I420,width=640,height=360,framerate=15/1 ! \
         x264enc speed-preset=ultrafast bitrate=16000 key-int-max=15 bframes=0 ! h264parse ! mp4mux ! \
         filesink location={}",
        path.display()
    ));
    path
}

impl Crowded {
    /// None: this test is skipped.
    fn start() -> Option<Crowded> {
        runtime()?;
        let ops = Receiver::start(|_, _| Answer::status(200));
        let mut appliance = Appliance::new(&format!(
            "[recording]\nmax_size = \"1GiB\"\n\
             [[camera]]\nname = \"noise\"\nurl = \"file://HERE/noise.mp4\"\nloop = true\n\
             [[monitor]]\nname = \"anything\"\ncamera = \"noise\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
             condition = \"Is there anything?\"\nconfidence_threshold = 0.0001\nclear_threshold = 0.0\nhold = \"1 of 1\"\n\
             check_interval = \"100ms\"\ncooldown = \"1s\"\nclip = {{ before = \"1s\", after = \"1s\", max = \"3s\" }}\n{}",
            endpoint("ops", "stakeout", &ops)
        ));
        appliance.edit("[storage]\n", "[storage]\nsnapshot_width = 160\n");
        noise(appliance.folder.path());
        let disk = Disk::mount_at(&appliance.folder.path().join("state"), &DISK.to_string())?;
        appliance.start();
        Some(Crowded { disk, ops, appliance })
    }

    fn told(&self, kind: &str) -> Vec<Value> {
        bodies(&self.ops).into_iter().filter(|body| body["type"] == kind).collect()
    }

    fn in_state(&self, state: ClipState) -> Vec<ClipRow> {
        clips(&self.appliance).into_iter().filter(|clip| clip.state == state).collect()
    }

    /// Waits until as many alerts more have arrived.
    fn goes_on_alerting(&self, alerts: usize) {
        let before = self.told("monitor.triggered").len();
        self.appliance
            .until("more alerts", |_| (self.told("monitor.triggered").len() >= before + alerts).then_some(()));
    }

    /// Stops it: rows and files agree, whoever was to be told has been told of everything, and it lived no more `lives` than
    /// it was given.
    fn ends_well(&mut self, lives: usize) {
        self.appliance.until("everything has arrived", |it| {
            let arrived: BTreeSet<String> = bodies(&self.ops)
                .iter()
                .map(|body| body["data"]["event_id"].as_str().unwrap_or_default().to_owned())
                .collect();
            let events = it.events();
            let is_owed = |event: &&Value| !event["deliveries"].as_array().unwrap().is_empty();
            events.iter().filter(is_owed).all(|event| arrived.contains(event["id"].as_str().unwrap())).then_some(())
        });
        self.appliance.stop();
        assert_eq!(wrong(&self.appliance), (0, 0, 0), "{:?}", clips(&self.appliance));
        assert_eq!(self.appliance.log().matches("generation=").count(), lives, "{}", self.appliance.log());
    }
}

#[test]
fn clips_that_fill_their_disk_give_way_to_newer_ones_and_cost_no_alert_its_picture() {
    let Some(mut it) = Crowded::start() else { return };
    it.appliance.until("three clips made room", |_| (it.in_state(ClipState::Gone).len() >= 3).then_some(()));
    it.goes_on_alerting(5);
    let newest = clips(&it.appliance)[0].n;
    it.appliance.until("a clip that began since is ready", |_| {
        it.in_state(ClipState::Ready).iter().any(|clip| clip.n > newest).then_some(())
    });
    assert_eq!(it.in_state(ClipState::Failed), [], "an older one goes instead");
    it.ends_well(1);
    let recorded: u64 = it.told("clip.ready").iter().filter_map(|body| body["data"]["bytes"].as_u64()).sum();
    assert!(recorded > DISK, "the control: all of them have no room on this disk: {recorded}");
    let alerts = it.told("monitor.triggered");
    assert!(alerts.iter().all(|body| body["data"]["frame_b64"] != ""), "{}", it.appliance.log());
    let log = it.appliance.log();
    assert!(!log.contains("gave up its ballast"), "{log}");
}

#[test]
fn somebody_who_fills_the_disk_takes_clips_and_no_alerts_and_recording_goes_on_once_there_is_room() {
    let Some(mut it) = Crowded::start() else { return };
    it.appliance.until("two clips", |_| (it.in_state(ClipState::Ready).len() >= 2).then_some(()));
    let oldest: Vec<_> = it.in_state(ClipState::Ready).iter().map(|clip| clip.id).collect();
    it.disk.fill_but(0);
    it.goes_on_alerting(3);
    it.appliance.until("the oldest made room", |_| {
        let gone = it.in_state(ClipState::Gone);
        oldest.iter().any(|clip| gone.iter().any(|gone| gone.id == *clip)).then_some(())
    });
    it.appliance.until("a clip that found no room", |_| {
        // Somebody takes whatever is given up.
        it.disk.fill_but(MIB);
        (!it.told("clip.failed").is_empty()).then_some(())
    });
    let failed = it.in_state(ClipState::Failed);
    assert!(failed.iter().any(|clip| clip.why.as_ref().unwrap().contains("room")), "{failed:?}");
    it.goes_on_alerting(3);
    it.appliance.until("no clip takes room", |_| {
        it.disk.fill_but(MIB);
        clips(&it.appliance).iter().all(|clip| !clip.has_file).then_some(())
    });
    let newest = clips(&it.appliance)[0].n;
    it.disk.empty();
    it.appliance.until("a clip that began since is ready", |_| {
        it.in_state(ClipState::Ready).iter().any(|clip| clip.n > newest).then_some(())
    });
    it.ends_well(1);
}

#[test]
fn a_box_that_is_killed_on_a_full_disk_starts_at_the_expense_of_clips() {
    let Some(mut it) = Crowded::start() else { return };
    // The first start has the ballast to live on, the second only clips.
    for given_up in ["clips/nothing", "ballast"] {
        it.appliance.until("two clips", |_| (it.in_state(ClipState::Ready).len() >= 2).then_some(()));
        it.appliance.kill();
        let _ = fs::remove_file(it.disk.path().join(given_up));
        it.disk.fill();
        let before = it.in_state(ClipState::Gone).len();
        it.appliance.start();
        it.goes_on_alerting(3);
        it.appliance.until("clips made room", |_| (it.in_state(ClipState::Gone).len() > before).then_some(()));
        it.appliance.kill();
        assert_eq!(wrong(&it.appliance).0, 0, "no row names a missing file: {:?}", clips(&it.appliance));
        it.disk.empty();
        it.appliance.start();
    }
    let gone = it.in_state(ClipState::Gone);
    assert!(gone.iter().any(|clip| clip.why.as_deref() == Some("its file is missing")), "the control: {gone:?}");
    it.appliance.until("nothing is unfinished but what is new", |_| {
        let newest = clips(&it.appliance)[0].n;
        it.in_state(ClipState::Recording).iter().all(|clip| clip.n == newest).then_some(())
    });
    it.ends_well(5);
}

fn ball(folder: &tempfile::TempDir) -> Address {
    let path = make_clip(folder, "short.mp4", 30, SIZE, "key-int-max=15 bframes=0");
    Address::File { path, repeat: true }
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_write_that_finds_the_disk_full_ends_a_clip_where_it_is_whole() {
    let Some(disk) = Disk::mount("8m") else { return };
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::watch(ball(&folder), disk.path());
    rig.runs_in(20);
    let (cut, began) = rig.begin(Duration::ZERO, HOUR);
    let mut told = rig.hears(3);
    disk.fill();
    told.extend(rig.told());
    agrees_with_its_file(&told, &rig.file(cut), began);
    assert_eq!(complaints(&rig.file(cut)), "");
    disk.fill();
    let (failing, _) = rig.begin(Duration::ZERO, HOUR);
    let why = "the clip can't be written: No space left on device (os error 28); look at the disk, and at the room that is \
               left on it";
    assert_eq!(rig.told(), [Told::Failed { clip: failing, why: why.into() }]);
    // Whoever hears of it takes the file away, if it got that far.
    let _ = fs::remove_file(rig.file(failing));
    disk.empty();
    let (next, now) = rig.begin(Duration::ZERO, Duration::from_secs(1));
    agrees_with_its_file(&rig.told(), &rig.file(next), now);
}

#[test]
fn a_recorder_without_room_waits_for_it_loses_nothing_and_gives_up_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let room = Arc::new(AtomicBool::new(false));
    let has_room = room.clone();
    let rig = Rig::on_a_disk(move || has_room.load(Ordering::Relaxed), ball(&folder), folder.path());
    rig.runs_in(20);
    let (clip, _) = rig.begin(Duration::ZERO, HOUR);
    let why = "the disk has no room for clips; free some space on it, or lower `[recording] max_size`";
    assert_eq!(rig.told(), [Told::Failed { clip, why: why.into() }]);
    assert!(!rig.folder.exists());

    let (clip, began) = rig.begin(Duration::ZERO, HOUR);
    // What comes meanwhile waits in the tap.
    std::thread::sleep(Duration::from_secs(1));
    room.store(true, Ordering::Relaxed);
    let mut told = rig.hears(3);
    let shorter = fs::metadata(rig.file(clip)).unwrap().len();
    room.store(false, Ordering::Relaxed);
    told.extend(rig.told());
    assert!(fs::metadata(rig.file(clip)).unwrap().len() >= shorter);
    agrees_with_its_file(&told, &rig.file(clip), began);
}
