//! A clip while it is recorded: from a camera's packets to a file's fragments.
//!
//! Owns when it begins and ends; refuses to know other clips. Runs on the thread `recorder`.

use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::shelf::{Growing, file_name};
use super::timeline::Timeline;
use super::{Clerk, Told};
use crate::camera::{Class, Codec, Dry, Packet, Tap};
use crate::recording::mp4::{self, Coding, Cutter, Fragment, Picture, Sets, Unfit};
use crate::time::{Mono, Wall};

/// After its end a clip waits so long for what has arrived but is still on its way through the camera's thread.
const LATE: Duration = Duration::from_secs(2);

/// A full disk gets so long to make room (older clips go); its packets wait in the tap.
const PATIENCE: Duration = Duration::from_secs(4);

/// Where a clip goes, as long as there is room, and who hears of it.
pub(super) struct Desk<'d> {
    pub(super) folder: &'d Path,
    pub(super) has_room: &'d dyn Fn() -> bool,
    pub(super) clerk: &'d mut dyn Clerk,
}

/// Of one camera.
pub(super) struct Clip {
    pub(super) id: Uuid,
    pub(super) until: Mono,
    tap: Tap,
    timeline: Timeline,
    writing: Option<Writing>,
    /// Since when there was no room.
    cramped: Option<Mono>,
}

/// It has a file.
struct Writing {
    file: Growing,
    sets: Sets,
    cutter: Cutter,
    started: Wall,
    /// How long it plays so far.
    lasts: Duration,
}

/// How a clip goes on.
#[derive(Debug, PartialEq, Eq)]
enum Course {
    GoesOn,
    Over,
}

/// Why there is no clip.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("camera `{0}` is not running; look at `stakeout cameras`")]
    NoCamera(String),
    #[error("MJPEG can't be recorded; set the camera to H.264 or H.265")]
    Mjpeg,
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("the disk has no room for clips; free some space on it, or lower `[recording] max_size`")]
    NoRoom,
    #[error("the clip can't be written: {0}; look at the disk, and at the room that is left on it")]
    Disk(#[from] std::io::Error),
    #[error("no keyframe came while it was to be recorded; look at the camera and at its I-frame interval")]
    Nothing,
}

impl Clip {
    pub(super) fn new(id: Uuid, until: Mono, tap: Tap) -> Clip {
        Clip { id, until, tap, timeline: Timeline::default(), writing: None, cramped: None }
    }

    /// Takes what has come. False: the clip is over, and that has been told.
    pub(super) fn goes_on(&mut self, now: Mono, desk: &mut Desk<'_>) -> bool {
        let course = self.take(now, desk);
        match course {
            Ok(Course::GoesOn) => true,
            Ok(Course::Over) => {
                self.end(desk);
                false
            }
            Err(trouble) => {
                self.cut_short(&trouble, desk);
                false
            }
        }
    }

    /// Ends it where it is.
    pub(super) fn end(&mut self, desk: &mut Desk<'_>) {
        match self.finish(desk) {
            Ok(ready) => desk.clerk.told(ready),
            Err(trouble) => self.cut_short(&trouble, desk),
        }
    }

    /// What is on disk is the clip; if nothing is that could be played, there is none.
    fn cut_short(&mut self, trouble: &Trouble, desk: &mut Desk<'_>) {
        match self.writing.take() {
            Some(writing) if writing.can_be_played() => {
                tracing::warn!(clip = %self.id, "a clip ends early: {trouble}");
                desk.clerk.told(writing.ready(self.id));
            }
            unplayable => {
                unplayable.into_iter().for_each(|writing| writing.file.discard());
                fail(self.id, trouble, desk.clerk);
            }
        }
    }

    fn take(&mut self, now: Mono, desk: &mut Desk<'_>) -> Result<Course, Trouble> {
        if !(desk.has_room)() {
            let since = *self.cramped.get_or_insert(now);
            return if now < since.plus(PATIENCE) { Ok(Course::GoesOn) } else { Err(Trouble::NoRoom) };
        }
        self.cramped = None;
        loop {
            let packet = match self.tap.next() {
                Ok(packet) => packet,
                Err(Dry::NotNow) if now < self.until.plus(LATE) => return Ok(Course::GoesOn),
                Err(Dry::NotNow) => return Ok(Course::Over),
                Err(closed @ Dry::Closed) => {
                    tracing::warn!(clip = %self.id, "a clip ends early: {closed}");
                    return Ok(Course::Over);
                }
            };
            if packet.arrived.mono >= self.until || self.record(&packet, desk)? == Course::Over {
                return Ok(Course::Over);
            }
        }
    }

    fn record(&mut self, packet: &Packet, desk: &mut Desk<'_>) -> Result<Course, Trouble> {
        let coding = match packet.codec {
            Codec::H264 => Coding::H264,
            Codec::H265 => Coding::H265,
            Codec::Mjpeg => return Err(Trouble::Mjpeg),
        };
        let Some(shown) = self.timeline.place(packet) else { return Ok(Course::GoesOn) };
        let writing = match &mut self.writing {
            Some(writing) => writing,
            None => self.writing.insert(Writing::begin(self.id, coding, packet, desk)?),
        };
        // Which units are parameter sets depends on the coding, too.
        let sample = Some(&writing.sets).filter(|sets| sets.coding() == coding).and_then(|it| it.sample(&packet.data));
        let Some(sample) = sample else {
            tracing::info!(clip = %self.id, "a clip ends early: the camera has changed what it sends");
            return Ok(Course::Over);
        };
        if sample.is_empty() {
            return Ok(Course::GoesOn);
        }
        let picture = Picture { sample, shown, starts: packet.class != Class::Delta };
        if let Some(fragment) = writing.cutter.push(picture) {
            writing.append(&fragment)?;
            desk.clerk.told(Told::Fragment { clip: self.id, bytes: writing.file.bytes() });
        }
        Ok(Course::GoesOn)
    }

    fn finish(&mut self, desk: &mut Desk<'_>) -> Result<Told, Trouble> {
        let Some(writing) = &mut self.writing else { return Err(Trouble::Nothing) };
        for fragment in std::mem::take(&mut writing.cutter).finish() {
            writing.append(&fragment)?;
            desk.clerk.told(Told::Fragment { clip: self.id, bytes: writing.file.bytes() });
        }
        self.writing.take().map(|writing| writing.ready(self.id)).ok_or(Trouble::Nothing)
    }
}

impl Writing {
    /// With `keyframe`, which isn't written yet.
    fn begin(clip: Uuid, coding: Coding, keyframe: &Packet, desk: &mut Desk<'_>) -> Result<Writing, Trouble> {
        let sets = Sets::of(coding, &keyframe.data)?;
        let started = keyframe.arrived.wall;
        let file = Growing::create(desk.folder, clip, &mp4::init(&sets, started)?)?;
        desk.clerk.told(Told::Begun { clip, started_us: micros(started), file: file_name(clip) });
        Ok(Writing { file, sets, cutter: Cutter::default(), started, lasts: Duration::ZERO })
    }

    fn append(&mut self, fragment: &Fragment) -> std::io::Result<()> {
        self.file.append(&fragment.bytes)?;
        self.lasts = fragment.ends;
        Ok(())
    }

    fn can_be_played(&self) -> bool {
        self.file.is_whole() && !self.lasts.is_zero()
    }

    /// What is told of it as it is.
    fn ready(self, clip: Uuid) -> Told {
        let Writing { file, started, lasts, .. } = self;
        let started_us = micros(started);
        let ended_us = started_us.saturating_add(i64::try_from(lasts.as_micros()).unwrap_or(i64::MAX));
        let (bytes, sha256) = (file.bytes(), file.sha256());
        Told::Ready { clip, started_us, ended_us, bytes, sha256, duration: lasts }
    }
}

/// There is no clip.
pub(super) fn fail(clip: Uuid, trouble: &Trouble, clerk: &mut dyn Clerk) {
    let why = trouble.to_string();
    tracing::warn!(%clip, "a clip failed: {why}");
    clerk.told(Told::Failed { clip, why });
}

fn micros(wall: Wall) -> i64 {
    wall.0.saturating_mul(1000)
}
