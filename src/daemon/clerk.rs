//! Writes down what becomes of clips, and takes away those that are too many.
//!
//! Owns the order of what is written (as it was said), that it is tried until the journal takes it, and how often it is
//! looked what takes too much room; refuses to know how anything is recorded. Runs on tokio.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::scribe::Scribe;
use crate::config::Recording;
use crate::event::ClipStage;
use crate::journal::{self, ClipNews, ClipStep, Error, Headroom, Mended, Trimmed, Trimming, Whole};
use crate::recorder::Told;
use crate::recording::mp4;
use crate::time::{self, Mono};
use crate::watch::{ClipReports, Footage};

/// How often it is looked whether clips are too old, or the frames of events need their room. Beside that, whenever one grew.
const LOOK: Duration = Duration::from_secs(60);

/// How often it is looked whether the disk is full. What all cameras send in that time must find the room that clips leave
/// free.
const GLANCE: Duration = Duration::from_secs(1);

/// A journal that refused is asked again after so long.
const REFUSED: Duration = Duration::from_secs(5);

/// Who keeps the books of clips.
pub(super) struct Books {
    scribe: Scribe,
    footage: Footage,
    recording: Recording,
    headroom: Headroom,
}

impl Books {
    /// Of this box.
    pub(super) fn new(scribe: Scribe, footage: Footage, recording: Recording) -> Books {
        let headroom = Headroom::of(&scribe.storage.path, scribe.storage.max_size);
        Books { scribe, footage, recording, headroom }
    }

    /// Until nothing records any more. `unsettled`: clips that nobody records, although their rows say so.
    pub(super) async fn keep(self, mut told: UnboundedReceiver<Told>, unsettled: Vec<Uuid>) {
        for clip in unsettled {
            self.settle(clip).await;
        }
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut glance = interval(GLANCE);
        glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                news = told.recv() => match news {
                    Some(news) => self.take_down(news).await,
                    None => return,
                },
                _ = look.tick() => {}
                _ = glance.tick() => if self.headroom.lacks() == 0 { continue },
            }
            self.trim().await;
        }
    }

    /// What a killed daemon left of a clip is one, up to its last whole fragment.
    async fn settle(&self, clip: Uuid) {
        let folder = self.scribe.storage.path.clone();
        let mended = spawn_blocking(move || journal::mend(&folder, clip, |file| Ok(mp4::walk(file)?.and_then(whole))));
        let step = match mended.await.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(Some(Mended { whole: Whole { bytes, duration }, sha256 })) => {
                ClipStep::Ready { started_us: None, ended_us: None, bytes, sha256, duration }
            }
            Ok(None) => ClipStep::Failed { why: "the daemon ended before any of it was on disk".to_owned() },
            Err(error) => {
                tracing::error!(%clip, %error, "an unfinished clip can't be read; the next start tries again");
                return;
            }
        };
        self.write(clip, step).await;
    }

    async fn take_down(&self, told: Told) {
        let (clip, step) = match told {
            Told::Begun { clip, started_us, file: _ } => (clip, ClipStep::Begun { started_us }),
            Told::Fragment { clip, bytes } => (clip, ClipStep::Grown { bytes }),
            Told::Ready { clip, started_us, ended_us, bytes, sha256, duration, reached } => {
                self.ended(clip, Some(reached)).await;
                let (started_us, ended_us) = (Some(started_us), Some(ended_us));
                (clip, ClipStep::Ready { started_us, ended_us, bytes, sha256, duration })
            }
            Told::Failed { clip, why } => {
                self.ended(clip, None).await;
                (clip, ClipStep::Failed { why })
            }
        };
        self.write(clip, step).await;
    }

    async fn ended(&self, clip: Uuid, reached: Option<Mono>) {
        let (footage, writer) = (self.footage.clone(), self.scribe.writer.clone());
        // It may wait for a commit. A panic there has been reported by its own thread.
        let _ = spawn_blocking(move || footage.ended(clip, reached, &writer, time::now())).await;
    }

    /// Tries until the journal takes it.
    async fn write(&self, clip: Uuid, step: ClipStep) {
        let mut is_known = false;
        loop {
            match self.scribe.writer.tell_of_clip(self.news(clip, step.clone())).await {
                Ok(_) => return say(clip, &step),
                Err(Error::Closed) => return,
                Err(error) => {
                    if !std::mem::replace(&mut is_known, true) {
                        tracing::error!(%clip, %error, "what became of a clip can't be recorded yet; it is tried again");
                    }
                    // For want of room, perhaps.
                    self.trim().await;
                    tokio::time::sleep(REFUSED).await;
                }
            }
        }
    }

    fn news(&self, clip: Uuid, step: ClipStep) -> ClipNews {
        let at = time::now();
        let stages = match step {
            ClipStep::Begun { .. } => vec![ClipStage::Received, ClipStage::Started],
            ClipStep::Grown { .. } => vec![ClipStage::Partial],
            ClipStep::Ready { .. } => vec![ClipStage::Ready],
            ClipStep::Failed { .. } => vec![ClipStage::Failed],
        };
        let (endpoints, links) = (self.scribe.addressees.now(), self.footage.links().cloned());
        let reports = ClipReports { at, stages, endpoints, links };
        ClipNews { clip, at, step, announce: Box::new(|clip, alerts| reports.of(clip, alerts)) }
    }

    /// Takes away what is too old or too much.
    async fn trim(&self) {
        loop {
            let Recording { max_size, keep, .. } = self.recording;
            let (lacks, now) = (self.headroom.lacks(), time::now());
            match self.scribe.writer.trim_clips(Trimming { max_size, keep, lacks, now }).await {
                Ok(Trimmed { more: true, .. }) => {}
                Ok(Trimmed { excess: 0, .. }) | Err(Error::Closed) => return,
                Ok(Trimmed { excess, .. }) => {
                    tracing::warn!(excess, "clips end early: there is no room for more; raise `[recording] max_size`");
                    let footage = self.footage.clone();
                    // It may wait for a commit, too.
                    let _ = spawn_blocking(move || footage.cut(now.mono)).await;
                    return;
                }
                Err(error) => return tracing::error!(%error, "clips could not be trimmed; it is tried again"),
            }
        }
    }
}

/// None: there is nothing to play.
fn whole(file: mp4::Whole) -> Option<Whole> {
    let is_some = !file.fragments.is_empty();
    is_some.then(|| Whole { bytes: file.bytes(), duration: file.lasts() })
}

/// One line of log for what is now on stable storage.
fn say(clip: Uuid, step: &ClipStep) {
    match step {
        ClipStep::Begun { .. } => tracing::debug!(%clip, "a clip begins"),
        ClipStep::Grown { bytes } => tracing::debug!(%clip, bytes, "a clip grows"),
        ClipStep::Ready { bytes, duration, .. } => tracing::info!(%clip, bytes, ?duration, "a clip is ready"),
        ClipStep::Failed { why } => tracing::warn!(%clip, why, "a clip failed"),
    }
}
