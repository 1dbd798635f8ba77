//! Replay: the same watching over a recording, in the recording's own time, without a journal.
//!
//! Owns the timeline that is printed; refuses to know how a command line looks. Everything runs on the caller's thread but
//! the models. Time stands still while a model thinks, so the result does not depend on the machine's speed.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::camera::{Clip, Problem};
use crate::condition::{Effect, Shutdown};
use crate::config::{Camera, Config, Monitor};
use crate::event::EventType;
use crate::gate::{Luma, Scene};
use crate::model::{Handle, QuestionError};
use crate::name::Name;
use crate::time::{self, Boot, Now, Wall};
use crate::verdict::{Answer, Verdict, rounded};
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
    /// Standard output.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// A machine could not begin.
    #[error("the machine could not begin: {0}")]
    Begin(#[source] Refused),
}

/// What is printed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// One JSON object a line instead of text.
    pub json: bool,
    /// Every verdict too, not only events.
    pub verdicts: bool,
}

/// Replays `clip` through `monitors` of `config`, whose models are running, and prints the timeline to `out`.
///
/// # Errors
/// [`ReplayError`]; what was printed until then holds.
pub fn run(
    config: &Config,
    monitors: &[&Monitor],
    models: &BTreeMap<Name, Handle>,
    clip: &Path,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), ReplayError> {
    let began = time::now();
    let mut timeline = Timeline { out, style, triggers: 0, checks: 0, unanswered: 0, broken: None };
    let mut watcher = Watcher::new(machines(config, monitors, models, &mut timeline)?);
    let camera = monitors.first().and_then(|monitor| camera_of(config, monitor));
    let mut scene = Scene::new(camera.map_or(&[], |camera| &camera.mask));
    let mut frames = 0_u64;
    for frame in Clip::open(clip)? {
        let mut frame = frame?;
        frames += 1;
        let now = frame.arrived;
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
    let wall_s = time::now().mono.since(began.mono).as_secs_f64();
    Ok(timeline.summary(frames, wall_s)?)
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

/// The ledger of a replay: prints what the journal would have kept.
struct Timeline<'a> {
    out: &'a mut dyn Write,
    style: Style,
    triggers: u64,
    checks: u64,
    /// Of these.
    unanswered: u64,
    /// The output is gone; said at the next frame.
    broken: Option<io::Error>,
}

/// One line of the timeline (contracts/api.md, `replay`).
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Seconds from the clip's first frame.
    t: f64,
    monitor: &'a Name,
    camera: &'a Name,
    /// Of the check that decided it; the peak where an event ended without one.
    confidence: f64,
    /// Null where an event ended without a check.
    answer: Option<&'static str>,
    explanation: &'a str,
    /// Null where it has no meaning.
    repeat: Option<u32>,
}

#[derive(Serialize)]
struct Summary {
    #[serde(rename = "type")]
    kind: &'static str,
    frames: u64,
    checks: u64,
    /// Of these: the model abstained or failed.
    unanswered: u64,
    triggers: u64,
    wall_s: f64,
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
            self.triggers += u64::from(kind == EventType::Triggered);
            self.print(kind.as_str(), at, happening.about, (confidence, verdict), repeat);
        }
        Ok(())
    }

    fn verdict(&mut self, about: &About, verdict: &Verdict, seen: Now) {
        self.checks += 1;
        self.unanswered += u64::from(verdict.answer == Answer::Abstain);
        if self.style.verdicts {
            self.print("verdict", seen.wall, about, (verdict.confidence, Some(verdict)), None);
        }
    }
}

impl Timeline<'_> {
    fn print(
        &mut self,
        kind: &'static str,
        at: Wall,
        about: &About,
        (confidence, verdict): (f32, Option<&Verdict>),
        repeat: Option<u32>,
    ) {
        let line = Line {
            kind,
            t: at.since(Wall(0)).as_secs_f64(),
            monitor: &about.monitor,
            camera: &about.camera,
            confidence: rounded(confidence),
            answer: verdict.map(|verdict| verdict.answer.as_str()),
            explanation: verdict.map_or("", |verdict| &verdict.explanation),
            repeat,
        };
        let written = if self.style.json { self.json(&line) } else { self.text(&line) };
        if let Err(error) = written {
            self.broken.get_or_insert(error);
        }
    }

    fn json(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *self.out, line)?;
        writeln!(self.out)
    }

    fn text(&mut self, line: &Line<'_>) -> io::Result<()> {
        let Line { kind, t, monitor, confidence, explanation, .. } = line;
        let repeat = line.repeat.filter(|repeat| *repeat > 0).map(|n| format!(" (repeat {n})")).unwrap_or_default();
        writeln!(self.out, "{t:>9.3} s  {kind:<17}  {monitor}  {confidence:.2}  {explanation}{repeat}")
    }

    fn summary(&mut self, frames: u64, wall_s: f64) -> io::Result<()> {
        let Timeline { checks, unanswered, triggers, .. } = *self;
        if self.style.json {
            return self.json(&Summary {
                kind: "summary",
                frames,
                checks,
                unanswered,
                triggers,
                wall_s: (wall_s * 1000.0).round() / 1000.0,
            });
        }
        let unanswered = if unanswered > 0 { format!(" ({unanswered} without an answer)") } else { String::new() };
        writeln!(self.out, "{frames} frames, {checks} checks{unanswered}, {triggers} triggers in {wall_s:.1} s")
    }
}
