//! A machine's state as it is stored.
//!
//! Owns the JSON of the journal's `machine` row, its version, and how time goes on between saving and loading.
//! Refuses to know the database and when it is written. Plain data, any thread.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::job::{Job, Life};
use super::state::{Open, Phase, State};
use super::window::Window;
use crate::event::{Counters, JobReason};
use crate::time::{Boot, Mono, Now, SavedDeadline, Wall};

/// The version of what is written here.
const VERSION: u32 = 1;

/// How the last run of the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// What was saved is the last state there was.
    Clean,
    /// Killed: effects and deadlines are exact, checks of the last seconds are missing.
    Unclean,
}

/// Why a stored state can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not what this or an older version wrote.
    #[error(
        "the stored state of a monitor is damaged ({0}); the daemon leaves it behind, and the monitor begins afresh"
    )]
    Damaged(#[from] serde_json::Error),
    /// Written by a later version.
    #[error(
        "the stored state of a monitor has version {found}, this program knows {VERSION}; install the version that \
         wrote it"
    )]
    Newer {
        /// The version found.
        found: u32,
    },
}

/// A [`State`], stored. It is plain JSON: `serde` reads and writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    boot: Boot,
    phase: SavedPhase,
    positive_side: bool,
    window: Window,
    cooldown: Option<SavedDeadline>,
    lost: Option<SavedDeadline>,
    job: Option<SavedJob>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedPhase {
    Idle,
    Waiting { first: Wall, over: SavedDeadline },
    Open { id: Uuid, repeat: u32, started: Wall, alerted: Wall, peak: f32, over: SavedDeadline },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedJob {
    id: Uuid,
    life: SavedLife,
    ran_ns: u64,
    counters: Counters,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedLife {
    Pending { first_frame_by: Option<SavedDeadline> },
    Running { counted_to: Mono },
    Ended(JobReason),
}

impl State {
    /// What to store at `now` in `boot`.
    pub fn save(&self, now: Now, boot: Boot) -> Saved {
        let phase = match &self.phase {
            Phase::Idle => SavedPhase::Idle,
            Phase::Waiting { first, over } => SavedPhase::Waiting { first: *first, over: over.save(now, boot) },
            Phase::Open(Open { id, repeat, started, alerted, peak, over }) => SavedPhase::Open {
                id: *id,
                repeat: *repeat,
                started: *started,
                alerted: *alerted,
                peak: *peak,
                over: over.save(now, boot),
            },
        };
        Saved {
            version: VERSION,
            boot,
            phase,
            positive_side: self.positive_side,
            window: self.window.clone(),
            cooldown: self.cooldown.map(|deadline| deadline.save(now, boot)),
            lost: self.lost.map(|deadline| deadline.save(now, boot)),
            job: self.job.as_ref().map(|job| SavedJob::of(job, now, boot)),
        }
    }
}

impl SavedJob {
    fn of(job: &Job, now: Now, boot: Boot) -> SavedJob {
        let life = match &job.life {
            Life::Pending { first_frame_by } => {
                SavedLife::Pending { first_frame_by: first_frame_by.map(|deadline| deadline.save(now, boot)) }
            }
            Life::Running { counted_to } => SavedLife::Running { counted_to: *counted_to },
            Life::Ended(reason) => SavedLife::Ended(*reason),
        };
        let ran_ns = u64::try_from(job.ran.as_nanos()).unwrap_or(u64::MAX);
        SavedJob { id: job.id, life, ran_ns, counters: job.counters.clone() }
    }

    fn load(self, now: Now, boot: Boot, same_boot: bool) -> Job {
        let life = match self.life {
            SavedLife::Pending { first_frame_by } => {
                Life::Pending { first_frame_by: first_frame_by.map(|deadline| deadline.load(now, boot)) }
            }
            // Powered-off time isn't counted: in a new boot the run time goes on from here.
            SavedLife::Running { counted_to } => {
                Life::Running { counted_to: if same_boot { counted_to } else { now.mono } }
            }
            SavedLife::Ended(reason) => Life::Ended(reason),
        };
        Job { id: self.id, life, ran: Duration::from_nanos(self.ran_ns), counters: self.counters }
    }
}

impl Saved {
    /// As the journal keeps it.
    pub fn to_json(&self) -> Result<String, Unreadable> {
        Ok(serde_json::to_string(self)?)
    }

    /// Reads what [`Saved::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<Saved, Unreadable> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version: found } = serde_json::from_str(text)?;
        if found > VERSION {
            return Err(Unreadable::Newer { found });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// Goes on at `now` in `boot`.
    ///
    /// Deadlines go on exactly within a boot, and by the wall clock (clamped to their delay) after a reboot. The hold
    /// window goes on only after a clean end within the same boot: monotonic times don't compare between boots. After
    /// an unclean end the last checks are unknown: the window is empty, nothing is waiting (that follows from the
    /// window), and an open event needs a whole `clear_after` before it clears.
    pub fn load(self, now: Now, boot: Boot, last: Shutdown) -> State {
        let same_boot = self.boot == boot;
        let clean = last == Shutdown::Clean;
        let phase = match self.phase {
            SavedPhase::Waiting { first, over } if clean => Phase::Waiting { first, over: over.load(now, boot) },
            SavedPhase::Idle | SavedPhase::Waiting { .. } => Phase::Idle,
            SavedPhase::Open { id, repeat, started, alerted, peak, over } => {
                let over = over.load(now, boot);
                let over = if clean { over } else { over.restarted(now) };
                Phase::Open(Open { id, repeat, started, alerted, peak, over })
            }
        };
        State {
            positive_side: self.positive_side || (!clean && matches!(phase, Phase::Open(_))),
            phase,
            window: if clean && same_boot { self.window } else { Window::default() },
            cooldown: self.cooldown.map(|deadline| deadline.load(now, boot)),
            lost: self.lost.map(|deadline| deadline.load(now, boot)),
            job: self.job.map(|job| job.load(now, boot, same_boot)),
        }
    }
}
