//! Writes down what becomes of clips, and takes away those that are too many.
//!
//! Owns the order of what is written (of each clip as it was said), that it is tried until the journal takes it, and how
//! often it is looked what takes too much room, whatever waits; refuses to know how anything is recorded. Runs on tokio.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::in_tray::InTray;
use super::scribe::Scribe;
use crate::config::Recording;
use crate::event::ClipStage;
use crate::journal::{
    self, Aged, Aging, ClipNews, ClipState, ClipStep, Error, Headroom, Mended, Trimmed, Trimming, Whole,
};
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
    /// What the journal has not taken yet.
    waiting: InTray,
    /// Where the next look for old ones begins.
    aged: i64,
}

impl Books {
    /// Of this box.
    pub(super) fn new(scribe: Scribe, footage: Footage, recording: Recording) -> Books {
        let headroom = Headroom::of(&scribe.storage.path, scribe.storage.max_size);
        Books { scribe, footage, recording, headroom, waiting: InTray::default(), aged: 0 }
    }

    /// Until nothing records any more. `unsettled`: clips that nobody records, although their rows say so.
    pub(super) async fn keep(mut self, mut told: UnboundedReceiver<Told>, unsettled: Vec<Uuid>) {
        let mut settled = settle_all(self.scribe.storage.path.clone(), unsettled);
        let [mut look, mut glance, mut again] = [LOOK, GLANCE, REFUSED].map(|period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        loop {
            tokio::select! {
                news = told.recv() => match news {
                    Some(news) => self.take_down(news).await,
                    None => return self.write_down().await,
                },
                Some((clip, step)) = settled.recv() => self.write(clip, step).await,
                _ = again.tick(), if !self.waiting.is_empty() => self.write_down().await,
                _ = look.tick() => self.look().await,
                _ = glance.tick() => if self.headroom.lacks() == 0 { continue },
            }
            self.trim().await;
        }
    }

    async fn take_down(&mut self, told: Told) {
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

    /// If nothing waits for it, at once; otherwise behind that.
    async fn write(&mut self, clip: Uuid, step: ClipStep) {
        let is_next = self.waiting.is_empty();
        self.waiting.put(clip, step);
        if is_next {
            self.write_down().await;
        }
    }

    /// Tries all that waits; what is refused, later again.
    async fn write_down(&mut self) {
        self.waiting.begin();
        while let Some((clip, step)) = self.waiting.next() {
            match self.scribe.writer.tell_of_clip(self.news(clip, step.clone())).await {
                Ok(_) => say(clip, &step),
                Err(Error::Closed) => return,
                Err(error) => {
                    tracing::error!(%clip, %error, "what became of a clip can't be recorded yet; it is tried again");
                    self.waiting.refuse(clip, step);
                }
            }
        }
    }

    /// What needs no hurry.
    async fn look(&mut self) {
        self.catch_up().await;
        loop {
            let aging = Aging { keep: self.recording.keep, from: self.aged, now: time::now() };
            match self.scribe.writer.age_clips(aging).await {
                Ok(Aged { more, next, .. }) => {
                    self.aged = next;
                    if !more {
                        return;
                    }
                }
                Err(Error::Closed) => return,
                Err(error) => return tracing::error!(%error, "old clips could not be taken away; it is tried again"),
            }
        }
    }

    /// Tells what became of clips while alerts needed the room; as long as they do, it is left for the next look.
    async fn catch_up(&self) {
        loop {
            let untold = self.scribe.writer.untold_clips().await.unwrap_or_default();
            if untold.is_empty() {
                return;
            }
            for (clip, state) in untold {
                if self.scribe.writer.tell_of_clip(self.news(clip, ClipStep::Told(state))).await.is_err() {
                    return;
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
            ClipStep::Told(ClipState::Ready) => vec![ClipStage::Ready],
            ClipStep::Failed { .. } | ClipStep::Unreadable { .. } | ClipStep::Told(_) => vec![ClipStage::Failed],
        };
        let (endpoints, links) = (self.scribe.addressees.now(), self.footage.links().cloned());
        let reports = ClipReports { at, stages, endpoints, links };
        ClipNews { clip, at, step, announce: Box::new(|clip, alerts| reports.of(clip, alerts)) }
    }

    /// Takes away what is too much.
    async fn trim(&self) {
        loop {
            let (max_size, lacks) = (self.recording.max_size, self.headroom.lacks());
            match self.scribe.writer.trim_clips(Trimming { max_size, lacks }).await {
                Ok(Trimmed { more: true, .. }) => {}
                Ok(Trimmed { excess: 0, .. }) | Err(Error::Closed) => return,
                Ok(Trimmed { excess, is_for_frames, .. }) => {
                    let raise = if is_for_frames { "[storage] max_size" } else { "[recording] max_size" };
                    tracing::warn!(excess, "clips end early: there is no room for more; raise `{raise}`");
                    let footage = self.footage.clone();
                    // It may wait for a commit, too.
                    let _ = spawn_blocking(move || footage.cut(time::now().mono)).await;
                    return;
                }
                Err(error) => return tracing::error!(%error, "clips could not be trimmed; it is tried again"),
            }
        }
    }
}

/// What a killed daemon left of clips is settled, one after the other, beside all that is recorded meanwhile.
fn settle_all(folder: PathBuf, clips: Vec<Uuid>) -> UnboundedReceiver<(Uuid, ClipStep)> {
    let (tell, settled) = unbounded_channel();
    let settle_all = move || {
        let mut steps = clips.into_iter().flat_map(|clip| settle(&folder, clip).into_iter().map(move |it| (clip, it)));
        // It ends once nobody listens any more.
        steps.all(|step| tell.send(step).is_ok())
    };
    drop(spawn_blocking(settle_all));
    settled
}

/// Of one: it is a clip up to its last whole fragment, and it has begun, if nobody had time to say so.
fn settle(folder: &Path, clip: Uuid) -> Vec<ClipStep> {
    let mut began = None;
    let mended = journal::mend(folder, clip, |file| {
        began = mp4::began(file)?;
        Ok(mp4::walk(file)?.and_then(whole))
    });
    match mended {
        Ok(Some(Mended { whole: Whole { bytes, duration }, sha256 })) => {
            let begun = began.map(|at| ClipStep::Begun { started_us: at.0.saturating_mul(1000) });
            let ready = ClipStep::Ready { started_us: None, ended_us: None, bytes, sha256, duration };
            begun.into_iter().chain([ready]).collect()
        }
        Ok(None) => vec![ClipStep::Failed { why: "the daemon ended before any of it was on disk".to_owned() }],
        Err(error) => vec![ClipStep::Unreadable { why: format!("its file can't be read: {error}; look at the disk") }],
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
        ClipStep::Failed { why } | ClipStep::Unreadable { why } => tracing::warn!(%clip, why, "a clip failed"),
        ClipStep::Told(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_from_what_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let [missing, unreadable, torn] = [1, 2, 3].map(Uuid::from_u128);
        // Reading a folder fails, as reading a broken disk does.
        std::fs::create_dir_all(journal::clip_path(dir.path(), unreadable)).unwrap();
        std::fs::write(journal::clip_path(dir.path(), torn), "the beginning of").unwrap();
        let settled = |clip| settle(dir.path(), clip);
        assert!(matches!(&settled(missing)[..], [ClipStep::Failed { .. }]));
        assert!(matches!(&settled(torn)[..], [ClipStep::Failed { .. }]));
        assert!(matches!(&settled(unreadable)[..], [ClipStep::Unreadable { .. }]));
    }
}
