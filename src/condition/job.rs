//! A job: one run of a monitor on a camera, from start to stop.
//!
//! Owns the job's life, its run time and its counters; refuses to know why anybody ends it. Plain data, any thread.

use std::time::Duration;

use uuid::Uuid;

use crate::event::{Counters, JobReason, JobStatus, SkipReason};
use crate::time::{Deadline, Mono, Now};

/// One run of a monitor.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub(super) id: Uuid,
    pub(super) life: Life,
    /// Exact; the counters tell it in whole milliseconds.
    pub(super) ran: Duration,
    pub(super) counters: Counters,
}

/// Where a job is in its life.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Life {
    /// No frame yet; where a limit is given, the job fails without one.
    Pending { first_frame_by: Option<Deadline> },
    /// Run time is counted up to here.
    Running { counted_to: Mono },
    /// Nothing happens any more.
    Ended(JobReason),
}

impl Job {
    /// A job that waits for its first frame, for `first_frame_within` at most.
    pub(super) fn start(id: Uuid, now: Now, first_frame_within: Option<Duration>) -> Job {
        let first_frame_by = first_frame_within.map(|delay| Deadline::after(now, delay));
        Job { id, life: Life::Pending { first_frame_by }, ran: Duration::ZERO, counters: Counters::default() }
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Pending, running, or how it ended.
    pub fn status(&self) -> JobStatus {
        match self.life {
            Life::Pending { .. } => JobStatus::Pending,
            Life::Running { .. } => JobStatus::Running,
            Life::Ended(reason) => reason.status(),
        }
    }

    /// Why it ended; None while it hasn't.
    pub fn ended(&self) -> Option<JobReason> {
        match self.life {
            Life::Ended(reason) => Some(reason),
            Life::Pending { .. } | Life::Running { .. } => None,
        }
    }

    /// What it did so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts run time up to `now`. A clock that went backwards adds nothing and counts on from where it is.
    pub(super) fn pass(&mut self, now: Now) {
        match &mut self.life {
            Life::Pending { first_frame_by: Some(deadline) } => deadline.rein_in(now),
            Life::Running { counted_to } => {
                self.ran += now.mono.since(*counted_to);
                *counted_to = now.mono;
                self.counters.elapsed_ms = u64::try_from(self.ran.as_millis()).unwrap_or(u64::MAX);
            }
            Life::Pending { first_frame_by: None } | Life::Ended(_) => {}
        }
    }

    /// The limit that was reached, if any.
    pub(super) fn limit_reached(&self, now: Now, max_duration: Option<Duration>) -> Option<JobReason> {
        match self.life {
            Life::Pending { first_frame_by: Some(deadline) } if deadline.passed(now) => Some(JobReason::StreamError),
            Life::Running { .. } if max_duration.is_some_and(|limit| self.ran >= limit) => {
                Some(JobReason::MaxDurationReached)
            }
            _ => None,
        }
    }

    /// A frame was there. True for the first one.
    pub(super) fn frame(&mut self, now: Now) -> bool {
        let first = matches!(self.life, Life::Pending { .. });
        if first {
            self.life = Life::Running { counted_to: now.mono };
        }
        first
    }

    pub(super) fn count_check(&mut self, answered: bool) {
        self.counters.checks_performed += 1;
        self.counters.verdict_errors += u64::from(!answered);
    }

    pub(super) fn count_skip(&mut self, reason: SkipReason, frames: u64) {
        *self.counters.frames_skipped.entry(reason).or_default() += frames;
    }

    pub(super) fn count_trigger(&mut self) {
        self.counters.triggers_fired += 1;
    }
}
