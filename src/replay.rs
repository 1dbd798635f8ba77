//! Replay: the same watching over a recording, in the recording's own time, without a journal.
//!
//! Owns what is told of a recording, and when; refuses to know how that looks on paper. Everything runs on the caller's
//! thread but the models. Time stands still while a model thinks, so the result does not depend on the machine's speed.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::camera::{Clip, Problem};
use crate::condition::{Effect, Shutdown};
use crate::config::{Camera, Config, Monitor};
use crate::event::EventType;
use crate::gate::{Luma, Scene};
use crate::model::{Handle, QuestionError};
use crate::name::Name;
use crate::time::{self, Boot, Now, Wall};
use crate::verdict::{Answer, Verdict};
use crate::watch::{About, Asker, Candidate, Happening, Ledger, Refused, Restart, Subject, Watcher, take_up};

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The clip.
    #[error(transparent)]
    Clip(#[from] Problem),
    /// What a model can't be asked.
    #[error("{0}; run `stakeout check` to see where it is asked")]
    Question(#[from] QuestionError),
    /// Whoever is told could not write it down.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// A machine could not begin.
    #[error("the machine could not begin: {0}")]
    Begin(#[source] Refused),
}

/// Something on the timeline of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// What.
    pub kind: Kind,
    /// When, from the clip's first frame.
    pub at: Duration,
    /// Which monitor.
    pub monitor: Name,
    /// As on which camera.
    pub camera: Name,
    /// Of the check that decided it, 0 to 1; the peak where an event ended without one.
    pub confidence: f32,
    /// None where an event ended without a check.
    pub answer: Option<Answer>,
    /// In words; may be empty.
    pub explanation: String,
    /// Of an alert: 0 for the first, then 1, 2, … while it still holds.
    pub repeat: Option<u32>,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A check was answered, or wasn't.
    Verdict,
    /// An event that would have been sent: [`EventType::Triggered`] or [`EventType::Cleared`].
    Event(EventType),
}

impl Kind {
    /// As in JSON lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Verdict => "verdict",
            Kind::Event(kind) => kind.as_str(),
        }
    }
}

/// A recording that was played to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Frames in it.
    pub frames: u64,
    /// Checks of all monitors.
    pub checks: u64,
    /// Of these: the model abstained or failed.
    pub unanswered: u64,
    /// Alerts, repeats included.
    pub triggers: u64,
    /// When its last frame comes, from the first.
    pub length: Duration,
    /// How long playing it took.
    pub took: Duration,
}

/// Where the timeline goes, in order.
pub type Listener<'a> = dyn FnMut(Told) -> io::Result<()> + 'a;

/// Replays `clip` through `monitors` of `config`, whose models are running, and tells `listener` what happens.
///
/// # Errors
/// [`ReplayError`]; what was told until then holds.
pub fn run(
    config: &Config,
    monitors: &[&Monitor],
    models: &BTreeMap<Name, Handle>,
    clip: &Path,
    listener: &mut Listener<'_>,
) -> Result<Played, ReplayError> {
    let began = time::now();
    let mut timeline = Timeline { listener, played: Played::default(), broken: None };
    let mut watcher = Watcher::new(machines(config, monitors, models, &mut timeline)?);
    let camera = monitors.first().and_then(|monitor| camera_of(config, monitor));
    let mut scene = Scene::new(camera.map_or(&[], |camera| &camera.mask));
    for frame in Clip::open(clip)? {
        let mut frame = frame?;
        let now = frame.arrived;
        timeline.played.frames += 1;
        timeline.played.length = now.wall.since(Wall(0));
        watcher.tick(&mut timeline, now);
        if watcher.due().is_some_and(|due| now.mono >= due) {
            frame.motion = scene.look(&Luma::of_frame(&frame), now.mono).motion();
            watcher.frame(&mut timeline, now, frame);
        } else {
            // Nobody looks at it, so it says nothing of what moved.
            watcher.passed(&mut timeline, now, 1);
        }
        while watcher.is_waiting() {
            let Ok(reply) = watcher.replies().recv() else { break };
            watcher.reply(&mut timeline, now, reply);
        }
        if let Some(error) = timeline.broken.take() {
            return Err(error.into());
        }
    }
    Ok(Played { took: time::now().mono.since(began.mono), ..timeline.played })
}

/// A machine for every monitor that is enabled, each with a job that begins with the clip. A monitor of several cameras
/// plays as on its first one.
fn machines(
    config: &Config,
    monitors: &[&Monitor],
    models: &BTreeMap<Name, Handle>,
    timeline: &mut Timeline<'_>,
) -> Result<Vec<Asker>, ReplayError> {
    let restart =
        Restart { now: Now::in_clip(Default::default()), boot: Boot::current(), last: Shutdown::Clean, replays: true };
    let mut machines = Vec::new();
    for monitor in monitors {
        let camera = camera_of(config, monitor);
        let (Some(camera), Some(model)) = (camera, models.get(&monitor.model.value)) else { continue };
        let subject = Subject { enabled: true, ..Subject::new(monitor, camera, model.model(), String::new())? };
        let machine = take_up(timeline, None, subject, restart, false).map_err(ReplayError::Begin)?;
        let candidate = Candidate::of(monitor, models)?;
        machines.push(Asker { machine, model: model.clone(), candidate });
    }
    Ok(machines)
}

/// The first camera of a monitor.
fn camera_of<'a>(config: &'a Config, monitor: &Monitor) -> Option<&'a Camera> {
    config.cameras.iter().find(|camera| monitor.cameras.contains(&camera.name))
}

/// The ledger of a replay: tells what the journal would have kept.
struct Timeline<'a> {
    listener: &'a mut Listener<'a>,
    played: Played,
    /// The listener is gone; said at the next frame.
    broken: Option<io::Error>,
}

impl Ledger for Timeline<'_> {
    fn record(&mut self, happening: Happening<'_>) -> Result<(), Refused> {
        let verdict = happening.evidence.map(|evidence| evidence.verdict);
        for effect in happening.effects {
            let (kind, at, confidence, repeat) = match effect {
                Effect::Triggered { observed, repeat, confidence, .. } => {
                    (EventType::Triggered, observed.wall, *confidence, Some(*repeat))
                }
                Effect::Cleared { ended, peak_confidence, .. } => {
                    let confidence = verdict.map_or(*peak_confidence, |verdict| verdict.confidence);
                    (EventType::Cleared, ended.wall, confidence, None)
                }
                _ => continue,
            };
            self.played.triggers += u64::from(kind == EventType::Triggered);
            self.tell(Kind::Event(kind), at, happening.about, (confidence, verdict), repeat);
        }
        Ok(())
    }

    fn verdict(&mut self, about: &About, verdict: &Verdict, seen: Now) {
        self.played.checks += 1;
        self.played.unanswered += u64::from(verdict.answer == Answer::Abstain);
        self.tell(Kind::Verdict, seen.wall, about, (verdict.confidence, Some(verdict)), None);
    }
}

impl Timeline<'_> {
    fn tell(
        &mut self,
        kind: Kind,
        at: Wall,
        about: &About,
        (confidence, verdict): (f32, Option<&Verdict>),
        repeat: Option<u32>,
    ) {
        let told = Told {
            kind,
            at: at.since(Wall(0)),
            monitor: about.monitor.clone(),
            camera: about.camera.clone(),
            confidence,
            answer: verdict.map(|verdict| verdict.answer),
            explanation: verdict.map_or_else(String::new, |verdict| verdict.explanation.clone()),
            repeat,
        };
        if let Err(error) = (self.listener)(told) {
            self.broken.get_or_insert(error);
        }
    }
}
