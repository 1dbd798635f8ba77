//! A clip while it is recorded: from a camera's packets to a file's fragments.
//!
//! Owns when it begins and ends; refuses to know other clips. Runs on the thread `recorder`.

use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::shelf::{Growing, file_name};
use super::timeline::Timeline;
use super::{Cameras, Clerk, Told};
use crate::camera::{Class, Codec, Dry, Packet, Tap};
use crate::name::Name;
use crate::recording::mp4::{self, Coding, Cutter, Fragment, Picture, Sets, Unfit};
use crate::time::{Mono, Now, Wall};

/// After its end a clip waits so long for what has arrived but is still on its way through the camera's thread. One that begins
/// so much later than it was ordered is worth a warning.
const LATE: Duration = Duration::from_secs(2);

/// A full disk gets so long to make room (older clips go); its packets wait in the tap.
const PATIENCE: Duration = Duration::from_secs(4);

/// A camera that isn't there is waited for so long: it is being set up, or set up anew.
const ABSENT: Duration = Duration::from_secs(5);

/// Where a clip comes from and goes, as long as there is room, and who hears of it.
pub(super) struct Desk<'d> {
    pub(super) folder: &'d Path,
    pub(super) cameras: &'d dyn Cameras,
    pub(super) has_room: &'d dyn Fn() -> bool,
    pub(super) clerk: &'d mut dyn Clerk,
}

/// Of one camera.
pub(super) struct Clip {
    pub(super) id: Uuid,
    pub(super) until: Mono,
    camera: Name,
    from: Mono,
    /// None: the camera isn't there yet.
    tap: Option<Tap>,
    /// Since when it wasn't.
    absent: Option<Mono>,
    /// Everything that arrived before this was taken.
    reached: Mono,
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
    started: Now,
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
    #[error("camera `{0}` is not running; look at `stakeout status`")]
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
    /// From the last keyframe of `camera` at or before `from` on.
    pub(super) fn new(id: Uuid, camera: Name, (from, until): (Mono, Mono)) -> Clip {
        let (tap, absent, timeline, writing, cramped) = (None, None, Timeline::default(), None, None);
        Clip { id, until, camera, from, tap, absent, reached: from, timeline, writing, cramped }
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

    /// Its file can't be written from here on.
    #[cfg(test)]
    pub(super) fn breaks(&mut self) {
        self.writing.iter_mut().for_each(|writing| writing.file.breaks());
    }

    /// What is on disk is the clip; if nothing is that could be played, there is none.
    fn cut_short(&mut self, trouble: &Trouble, desk: &mut Desk<'_>) {
        match self.writing.take() {
            Some(writing) if writing.can_be_played() => {
                tracing::warn!(clip = %self.id, "a clip ends early: {trouble}");
                // What was not cut into a fragment yet is lost.
                let reached = self.reached.min(writing.started.mono.plus(writing.lasts));
                desk.clerk.told(writing.ready(self.id, reached));
            }
            // Whoever hears of it has the file taken away, once that is written down.
            _ => fail(self.id, trouble, desk.clerk),
        }
    }

    fn take(&mut self, now: Mono, desk: &mut Desk<'_>) -> Result<Course, Trouble> {
        if self.tap.is_none() {
            self.tap = desk.cameras.record(&self.camera, self.from);
        }
        if !(desk.has_room)() {
            let since = *self.cramped.get_or_insert(now);
            return if now < since.plus(PATIENCE) { Ok(Course::GoesOn) } else { Err(Trouble::NoRoom) };
        }
        self.cramped = None;
        loop {
            let next = match &self.tap {
                Some(tap) => tap.next(),
                None if now < self.absent.get_or_insert(now).plus(ABSENT) => return Ok(Course::GoesOn),
                None => return Err(Trouble::NoCamera(self.camera.to_string())),
            };
            let packet = match next {
                Ok(packet) => packet,
                Err(Dry::NotNow) if now < self.until.plus(LATE) => return Ok(Course::GoesOn),
                Err(Dry::NotNow) => {
                    self.reached = self.until;
                    return Ok(Course::Over);
                }
                Err(closed @ Dry::Closed) => {
                    tracing::warn!(clip = %self.id, "a clip ends early: {closed}");
                    return Ok(Course::Over);
                }
            };
            self.reached = packet.arrived.mono.min(self.until);
            if packet.arrived.mono >= self.until || self.record(&packet, desk)? == Course::Over {
                return Ok(Course::Over);
            }
        }
    }

    fn record(&mut self, packet: &Packet, desk: &mut Desk<'_>) -> Result<Course, Trouble> {
        let coding = match packet.codec {
            Codec::H264 => Some(Coding::H264),
            Codec::H265 => Some(Coding::H265),
            Codec::Mjpeg if self.writing.is_some() => None,
            Codec::Mjpeg => return Err(Trouble::Mjpeg),
        };
        let Some(coding) = coding else { return Ok(self.changed()) };
        let Some(shown) = self.timeline.place(packet) else { return Ok(Course::GoesOn) };
        let writing = match &mut self.writing {
            Some(writing) => writing,
            None => self.writing.insert(Writing::begin((self.id, self.from), coding, packet, desk)?),
        };
        // Which units are parameter sets depends on the coding, too.
        let sample = Some(&writing.sets).filter(|sets| sets.coding() == coding).and_then(|it| it.sample(&packet.data));
        let Some(sample) = sample else { return Ok(self.changed()) };
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

    fn changed(&self) -> Course {
        tracing::info!(clip = %self.id, "a clip ends early: the camera has changed what it sends");
        Course::Over
    }

    fn finish(&mut self, desk: &mut Desk<'_>) -> Result<Told, Trouble> {
        let Some(writing) = &mut self.writing else { return Err(Trouble::Nothing) };
        for fragment in std::mem::take(&mut writing.cutter).finish() {
            writing.append(&fragment)?;
            desk.clerk.told(Told::Fragment { clip: self.id, bytes: writing.file.bytes() });
        }
        self.writing.take().map(|writing| writing.ready(self.id, self.reached)).ok_or(Trouble::Nothing)
    }
}

impl Writing {
    /// With `keyframe`, which isn't written yet.
    fn begin(
        (clip, from): (Uuid, Mono),
        coding: Coding,
        keyframe: &Packet,
        desk: &mut Desk<'_>,
    ) -> Result<Writing, Trouble> {
        let sets = Sets::of(coding, &keyframe.data)?;
        let started = keyframe.arrived;
        let late = started.mono.since(from);
        if late > LATE {
            tracing::warn!(%clip, ?late, "a clip begins later than it should: what came before is no longer held");
        }
        let file = Growing::create(desk.folder, clip, &mp4::init(&sets, started.wall)?)?;
        desk.clerk.told(Told::Begun { clip, started_us: micros(started.wall), file: file_name(clip) });
        Ok(Writing { file, sets, cutter: Cutter::default(), started, lasts: Duration::ZERO })
    }

    fn append(&mut self, fragment: &Fragment) -> std::io::Result<()> {
        self.file.append(&fragment.bytes)?;
        self.lasts = fragment.ends;
        Ok(())
    }

    fn can_be_played(&self) -> bool {
        !self.lasts.is_zero()
    }

    /// What is told of it as it is.
    fn ready(self, clip: Uuid, reached: Mono) -> Told {
        let Writing { file, started, lasts, .. } = self;
        let started_us = micros(started.wall);
        let ended_us = started_us.saturating_add(i64::try_from(lasts.as_micros()).unwrap_or(i64::MAX));
        let (bytes, sha256) = (file.bytes(), file.sha256());
        Told::Ready { clip, started_us, ended_us, bytes, sha256, duration: lasts, reached }
    }
}

/// There is no clip.
fn fail(clip: Uuid, trouble: &Trouble, clerk: &mut dyn Clerk) {
    let why = trouble.to_string();
    tracing::warn!(%clip, "a clip failed: {why}");
    clerk.told(Told::Failed { clip, why });
}

fn micros(wall: Wall) -> i64 {
    wall.0.saturating_mul(1000)
}
