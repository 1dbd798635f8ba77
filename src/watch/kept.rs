//! What the journal keeps of a machine, and how a machine goes on from it.
//!
//! Owns the JSON in the `machine` row (the machine's own state beside what its events say) and the rules of a restart:
//! same definition, same job; changed or gone, a farewell. Refuses to know SQL. Runs on whichever thread begins to watch.

use super::ledger::{Happening, Ledger, Refused};
use super::machine::Machine;
use super::subject::{About, Subject};
use crate::condition::{self, Input, Saved, Shutdown, State, Unreadable};
use crate::event::JobReason;
use crate::journal::{self, MachineRow};
use crate::time::{Boot, Deadline, Now};
use serde::{Deserialize, Serialize};

/// The `state` column of a machine's row.
#[derive(Clone)]
pub struct Kept {
    about: About,
    machine: Saved,
}

/// Its JSON. The machine's own part is read on its own, because it has a version of its own.
#[derive(Serialize, Deserialize)]
struct Text {
    about: About,
    machine: serde_json::Value,
}

impl Kept {
    /// The row of a machine.
    ///
    /// # Errors
    /// The state cannot be written as JSON.
    pub fn row(about: &About, state: &State, now: Now, boot: Boot) -> Result<MachineRow, Unreadable> {
        let left = state.cooldown_left(now);
        let text = Text { about: about.clone(), machine: serde_json::to_value(state.save(now, boot))? };
        Ok(MachineRow {
            monitor: about.monitor.clone(),
            camera: about.camera.clone(),
            definition: about.definition.clone(),
            state: serde_json::to_string(&text)?,
            open: state.open_id(),
            cooldown: (!left.is_zero()).then(|| Deadline::after(now, left).save(now, boot)),
            counters: state.job().map(|job| job.counters().clone()).unwrap_or_default(),
        })
    }

    /// Reads what [`Kept::row`] wrote.
    ///
    /// # Errors
    /// It was written by a newer release, or is damaged.
    pub fn read(row: &MachineRow) -> Result<Kept, Unreadable> {
        let Text { about, machine } = serde_json::from_str(&row.state)?;
        Ok(Kept { about, machine: Saved::from_json(&machine.to_string())? })
    }
}

/// The moment at which machines go on, and how they ended before.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// The moment.
    pub now: Now,
    /// This boot.
    pub boot: Boot,
    /// How the last daemon ended, or the last thread that watched the camera.
    pub last: Shutdown,
    /// The daemon starts: clips play again from their beginning.
    pub replays: bool,
}

/// The machine that goes on about `subject`: as it was kept, when that means the same condition; otherwise the old one says
/// good-bye and a new one begins. `anew`: there is a new job, whatever ended the last one.
///
/// What finds no room in the journal is said again and again: until then the machine waits, and its old row stays.
///
/// # Errors
/// The ledger refused for another reason.
pub fn take_up(
    ledger: &mut dyn Ledger,
    kept: Option<Kept>,
    subject: Subject,
    restart: Restart,
    anew: bool,
) -> Result<Machine, Refused> {
    let (state, before) = match kept {
        Some(Kept { about, machine }) if about.definition == subject.about.definition => {
            (machine.load(restart.now, restart.boot, restart.last), None)
        }
        before => (State::new(), before),
    };
    let first = match (subject.enabled, state.is_active()) {
        (true, false) if anew || begins(&state, &subject, restart) => Some(Input::Start),
        (false, true) => Some(Input::Stop(JobReason::UserRequested)),
        _ => None,
    };
    let mut machine = Machine::new(subject, state).after(before.map(|before| (before, restart)), first);
    match machine.catch_up(ledger, restart.now) {
        Err(error) if !is_full(&error) => Err(error),
        _ => Ok(machine),
    }
}

/// Whether there was no room for it: that passes.
pub fn is_full(refused: &Refused) -> bool {
    matches!(refused.downcast_ref(), Some(journal::Error::Full(_) | journal::Error::Tight(_)))
}

/// A machine whose monitor is gone from the file, or means something else now: its open event is cleared, its job ends.
///
/// # Errors
/// The ledger refused.
pub fn farewell(ledger: &mut dyn Ledger, kept: &Kept, restart: Restart) -> Result<(), Refused> {
    let Kept { about, machine } = kept;
    let state = machine.clone().load(restart.now, restart.boot, restart.last);
    let (next, effects) = condition::stop(&state, restart.now, JobReason::DefinitionChanged);
    if effects.is_empty() {
        return Ok(());
    }
    ledger.record(Happening { now: restart.now, about, effects: &effects, state: &next, evidence: None })
}

/// Whether going on begins a new job: there was none; or what ended it is gone: the clip plays again, the
/// monitor is enabled again, the limit or `stop_on_trigger` is no longer in the file. Otherwise an ended job stays ended.
/// A client's job ends for good.
fn begins(state: &State, subject: &Subject, restart: Restart) -> bool {
    let Some(job) = state.job() else { return true };
    let spec = &subject.spec;
    if subject.about.request.is_some() {
        return false;
    }
    match job.ended() {
        None => false,
        Some(JobReason::StreamEnded) => restart.replays,
        Some(JobReason::UserRequested | JobReason::DefinitionChanged) => true,
        Some(JobReason::ConditionTriggered) => !spec.stop_on_trigger,
        Some(JobReason::MaxDurationReached) => spec.restart || spec.max_duration.is_none(),
        Some(JobReason::StreamError) => false,
    }
}
