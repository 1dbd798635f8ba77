//! The condition machine: from what checks say to alerts, clears and job ends.
//!
//! Owns contracts/condition.md, "The condition machine" and "Jobs": the one function [`step`], the [`State`] of one
//! (monitor, camera) pair and how that state is stored ([`Saved`]). Refuses to know clocks, ids, frames, models and
//! the journal: time and fresh ids are arguments, and what is to be done comes back as [`Effect`]s. Any thread may
//! call it; the watch loops do.
//!
//! Two rules for callers. A state that came with effects replaces the old one only after a transaction that holds the
//! effects *and* the state has committed (design.md, invariant 4). An empty list of effects may be kept in memory and
//! checkpointed later.
//!
//! # How the contract's words are read
//!
//! - **Two times.** A frame is *seen* when it arrives, and judged later, when the model is done. Everything about the
//!   scene goes by when it was seen: the age of the window's entries, `clear_after`, "cooldown over", and the times
//!   told in events (`observed` is the frame's arrival, however slow the model). A cooldown *starts* when the alert is
//!   decided, "counted from the event that was journaled". So the gap between alerts is at least the cooldown by
//!   either time.
//! - **"Hold reached", "hold (still) holds"** is asked at positive checks only. A window of `[yes, yes, no]`
//!   satisfies `2 of 3`, but an alert whose picture shows a "no" would be a bad alert; nor would one at a tick have a
//!   picture at all. So every alert, also the one that ends WAITING and every repeat, is carried by a check at or
//!   above `confidence_threshold`: the first such check whose frame arrived after the cooldown.
//! - **"Keeps whatever side it was on"**: a check between the thresholds after a positive one counts as "no" in the
//!   window and never alerts, but it is on the positive side, so it puts off the clear as a positive does. After a
//!   negative one it is on the negative side and is evidence that the event is over.
//! - **`clear_after`** counts from the last check on the positive side. Time alone doesn't end an open event: a check
//!   on the negative side, or `Skipped(NothingMoved)` while the last check was on the negative side, must come at or
//!   after the end of `clear_after`. One is enough: with checks further apart than `clear_after` the first negative
//!   clears. Ticks, abstentions, other skips and a still picture after a positive never clear.
//! - **WAITING ends** after `clear_after` by time alone (its row names no evidence): nobody was told of it. The
//!   window is kept, and the next positive check looks at it again.
//! - **The window is emptied when an event is cleared**, so that positives of one event don't help to open the next
//!   one, whose `started` would otherwise lie before the end of the first.
//! - **Repeats** carry the open id and the `started` of the first alert.
//! - **A lost camera** is cleared `lost_after` after the first `CameraLost`; further ones don't put it off. It is
//!   remembered in every state: a late verdict may open an event while the camera is away.
//! - **Limits come before the input** of the same step, the job's before the lost camera's. The input then meets the
//!   new job, if there is one. Only `Stop` wins over a limit that is reached in the same moment.
//! - **Stopped means deaf**: without a running job every input but `Start`, `CameraLost` and `CameraBack` does
//!   nothing and counts nothing. The cooldown goes on. `Start` while a job runs does nothing.
//! - **Run time** is the monotonic time since the first frame was handled (`max_duration` is measured by it). A
//!   daemon that is down while the box is up doesn't stop it, which makes it exact after a kill; a box without power
//!   does.

mod job;
mod machine;
mod saved;
mod spec;
mod state;
mod window;

#[cfg(test)]
mod tests;

pub use job::Job;
pub use machine::{step, stop};
pub use saved::{Saved, Shutdown, Unreadable};
pub use spec::{Spec, definition};
pub use state::{Open, Phase, State};

use uuid::Uuid;

use crate::event::{ClearReason, Counters, JobReason, SkipReason};
use crate::time::{Now, Wall};

/// What the machine is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// A check was answered.
    Score {
        /// Calibrated, 0 to 1. What isn't a finite number is taken as [`Input::Abstain`].
        confidence: f32,
        /// When the checked frame arrived (`Frame::arrived`); never after `now`.
        seen: Now,
    },
    /// A check ended without an answer: the model was unsure or failed.
    Abstain,
    /// A frame was seen but not checked.
    Skipped(SkipReason),
    /// So many frames passed since the last input that nobody looked at, because no check was due: as many
    /// [`SkipReason::Rate`].
    Passed(u64),
    /// Nothing arrived; at least every 250 ms.
    Tick,
    /// The camera went away, or can't be reached after a start. Again means nothing.
    CameraLost,
    /// The camera gives frames (again): to be sent with every connection, for a stored state may remember a loss.
    CameraBack,
    /// A new job, unless one is running.
    Start,
    /// The job ends, if one is running.
    Stop(JobReason),
}

/// Ids that the step may use, made afresh by the caller for every step. Each is used at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// For an event that opens.
    pub open: Uuid,
    /// For a job that starts.
    pub job: Uuid,
}

/// What is to be done, in this order, in one transaction with the new state.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A job exists and waits for its first frame.
    JobStarted {
        /// Its id, from [`Ids::job`].
        job: Uuid,
    },
    /// The first frame came: from here `max_duration` counts.
    JobRunning {
        /// The job's id.
        job: Uuid,
    },
    /// `monitor.triggered`, by the check that this step was given.
    Triggered {
        /// The running job.
        job: Uuid,
        /// Joins the alert with its repeats and its clear.
        open_id: Uuid,
        /// 0, then 1, 2, … while it stays open.
        repeat: u32,
        /// What the check said.
        confidence: f32,
        /// The first positive check of the hold window, the same in repeats.
        started: Wall,
        /// Arrival of the frame that decided it.
        observed: Now,
    },
    /// `monitor.cleared`
    Cleared {
        /// The job it was opened in.
        job: Uuid,
        /// As in the alert that it ends.
        open_id: Uuid,
        /// Arrival of the frame that opened it.
        started: Wall,
        /// Arrival of the frame that ended it, or the moment at which something else did.
        ended: Now,
        /// The highest confidence from the first alert on.
        peak_confidence: f32,
        /// Why.
        reason: ClearReason,
    },
    /// `job.status`
    JobEnded {
        /// The job that ended.
        job: Uuid,
        /// Why; the status follows from it.
        reason: JobReason,
        /// What it did.
        counters: Counters,
    },
}
