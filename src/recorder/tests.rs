//! How a clip begins and ends, packet by packet, on a real folder.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;

use tempfile::TempDir;

use super::clip::{Clip, Desk};
use super::*;
use crate::camera::{Class, Codec, Packet, Turn};
use crate::time::Now;

fn at(ms: u64) -> Mono {
    Now::in_clip(Duration::from_millis(ms)).mono
}

/// A picture that came at `ms`; every fifth begins a group.
fn packet(codec: Codec, ms: u64) -> Packet {
    let starts = ms.is_multiple_of(1000);
    let sets = "000000016742c016da0280f6c044000003000400000300783c58ba800000000168ce";
    let slice = if starts { "0000000165888040" } else { "00000001419a8040" };
    let data = hex::decode(if starts { format!("{sets}{slice}") } else { slice.to_owned() }).unwrap();
    let pts = Duration::from_millis(ms);
    let class = if starts { Class::Idr } else { Class::Delta };
    let (arrived, turn) = (Now::in_clip(pts), Turn::None);
    Packet { codec, data: data.into(), pts, dts: pts, class, after_loss: false, turn, arrived, connection: 1 }
}

fn film(until: u64) -> Vec<Packet> {
    (0..until).step_by(200).map(|ms| packet(Codec::H264, ms)).collect()
}

/// A camera that is there once somebody has put a tap here.
#[derive(Default)]
struct Site(RefCell<VecDeque<Tap>>);

impl Cameras for Site {
    fn record(&self, _: &Name, _: Mono) -> Option<Tap> {
        self.0.borrow_mut().pop_front()
    }
}

#[derive(Default)]
struct Ear(Vec<Told>);

impl Clerk for Ear {
    fn told(&mut self, told: Told) {
        self.0.push(told);
    }
}

struct Stage {
    folder: TempDir,
    site: Site,
    ear: Ear,
    clip: Clip,
}

impl Stage {
    fn new(until: u64) -> Stage {
        let clip = Clip::new(Uuid::nil(), Name::new("dock").unwrap(), (at(0), at(until)));
        Stage { folder: tempfile::tempdir().unwrap(), site: Site::default(), ear: Ear::default(), clip }
    }

    fn sends(&self, packets: &[Packet]) {
        self.site.0.borrow_mut().push_back(Tap::of(packets));
    }

    fn goes_on(&mut self, now: u64) -> bool {
        let folder: &Path = self.folder.path();
        let mut desk = Desk { folder, cameras: &self.site, has_room: &|| true, clerk: &mut self.ear };
        self.clip.goes_on(at(now), &mut desk)
    }

    /// How far it reaches, and how long it plays, in ms; or why there is none.
    fn ended(&self) -> Result<(u64, u128), String> {
        match self.ear.0.last() {
            Some(Told::Ready { reached, duration, .. }) => Ok((reached.0 / 1_000_000, duration.as_millis())),
            Some(Told::Failed { why, .. }) => Err(why.clone()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_clip_shows_all_until_its_end() {
    let mut stage = Stage::new(2500);
    stage.sends(&film(4000));
    assert!(!stage.goes_on(4000));
    assert_eq!(stage.ended(), Ok((2500, 2600)), "the last picture began before the end");
}

#[test]
fn a_camera_that_goes_over_to_mjpeg_ends_its_clip_where_it_is() {
    let mut stage = Stage::new(60_000);
    stage.sends(&[film(3000), vec![packet(Codec::Mjpeg, 3000)]].concat());
    assert!(!stage.goes_on(3000));
    assert_eq!(stage.ended(), Ok((3000, 3000)), "the next one may begin with what this one could not take");
    assert_eq!(std::fs::read_dir(stage.folder.path()).unwrap().count(), 1);

    let mut stage = Stage::new(60_000);
    stage.sends(&[packet(Codec::Mjpeg, 0)]);
    assert!(!stage.goes_on(0));
    assert!(stage.ended().unwrap_err().starts_with("MJPEG can't be recorded"), "control: it began so");
}

#[test]
fn a_camera_that_is_being_set_up_is_waited_for() {
    let mut stage = Stage::new(2000);
    assert!(stage.goes_on(0) && stage.goes_on(4000));
    stage.sends(&film(4000));
    assert!(!stage.goes_on(4500));
    assert_eq!(stage.ended(), Ok((2000, 2000)));

    let mut stage = Stage::new(2000);
    assert!(stage.goes_on(0) && !stage.goes_on(5000));
    assert_eq!(stage.ended(), Err("camera `dock` is not running; look at `stakeout status`".to_owned()));
}

#[test]
fn what_cannot_be_written_on_leaves_what_is_on_disk() {
    let mut stage = Stage::new(60_000);
    stage.sends(&film(6000));
    assert!(stage.goes_on(6000));
    let begun = stage.ear.0.len();
    assert!(begun > 3, "fragments are on disk: {:?}", stage.ear.0);
    let file = stage.folder.path().join(format!("{}.mp4", Uuid::nil()));
    let before = std::fs::read(&file).unwrap();
    stage.clip.breaks();
    let mut desk =
        Desk { folder: stage.folder.path(), cameras: &stage.site, has_room: &|| true, clerk: &mut stage.ear };
    stage.clip.end(&mut desk);
    let (reached, lasts) = stage.ended().unwrap();
    assert!(
        lasts >= 4000 && u128::from(reached) == lasts,
        "{reached} {lasts}: what was not on disk is for the next one"
    );
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
