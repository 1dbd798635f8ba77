//! What follows from an answer.
//!
//! Owns the order: judge, remember, tell, write down; refuses to judge itself (`retry` does). Runs in the sender's task.

use std::time::Duration;

use super::gate::Subject;
use super::settle::settle;
use super::{Done, Gone, Sender, report, routes, standing};
use crate::delivery::{Attempt, DeadReason, HoldReason, Outcome};
use crate::journal::{Settlement, Standing};
use crate::retry::{self, Circumstances, Next, Progress};
use crate::time::{Now, Wall};

/// A delivery that was posted, without its body.
pub(super) struct Posted {
    pub(super) subject: Subject,
    /// Before.
    pub(super) standing: Standing,
    pub(super) started: Wall,
    /// None: there was nothing to post.
    pub(super) attempt: Result<Attempt, std::io::Error>,
    /// Of a clip more is there than ever.
    pub(super) progressed: bool,
}

impl Sender {
    /// Decides what follows from an attempt and sends that to the journal.
    pub(super) fn judge(&mut self, posted: Posted) {
        let Posted { subject, standing: before, started, attempt, progressed } = posted;
        let now = self.office.clock.now();
        let (attempt, next) = match attempt {
            Ok(attempt) => {
                let next = self.next(now, subject, &before, &attempt.outcome);
                let next = if progressed { self.spared(next) } else { next };
                self.is_silent = attempt.outcome == Outcome::NoAnswer;
                self.remember(now, subject, &attempt.outcome, next);
                self.tell(&attempt, next);
                (attempt, next)
            }
            Err(error) => self.put_off(now, subject, &before, &error),
        };
        let standing = standing::after(&before, &attempt.outcome, next, now.wall);
        let again = standing.state.is_open().then_some((standing.due, standing.delay));
        if let Some(one) = self.in_flight.get_mut(&subject.delivery) {
            one.standing = None;
        }
        let settlement =
            Settlement { delivery: subject.delivery, at: now, attempt: Some((started, attempt)), standing };
        let writer = self.writer.clone();
        self.work.spawn(async move {
            settle(&writer, settlement).await;
            Done::Settled { delivery: subject.delivery, again }
        });
    }

    fn next(&self, now: Now, subject: Subject, before: &Standing, outcome: &Outcome) -> Next {
        let progress = Progress {
            attempts: before.attempts,
            tries: before.tries,
            holds: before.holds,
            maybe_received: before.maybe_received,
            last_status: self.gate.last_status(subject.delivery),
        };
        let of_box = Circumstances {
            clock_synced: now.synced,
            offline_running: self.office.uplink.offline_running(now.mono),
            ..Circumstances::default()
        };
        let circumstances = self.gate.circumstances(now.mono, subject, outcome, of_box);
        retry::next(&self.endpoint.retry, &progress, outcome, &circumstances, fastrand::f64())
    }

    /// What follows instead when more of a clip is there than ever: no attempt is burnt while it comes nearer.
    fn spared(&self, next: Next) -> Next {
        match next {
            Next::RetryAfter { burns: true, .. } | Next::Dead(DeadReason::Exhausted) | Next::Expired => {
                retry::after_progress(&self.endpoint.retry, fastrand::f64()).unwrap_or(next)
            }
            _ => next,
        }
    }

    /// An attempt that goes on has met an answer: the endpoint is there, and so is the way to it.
    pub(super) fn answered(&mut self, subject: Subject) {
        let goes_on = Next::RetryAfter { delay: Duration::ZERO, burns: false };
        let outcome = Outcome::Status { status: 308, retry_after: None };
        self.remember(self.office.clock.now(), subject, &outcome, goes_on);
    }

    /// What the answer says about the endpoint and the box.
    fn remember(&mut self, now: Now, subject: Subject, outcome: &Outcome, next: Next) {
        let mut down = self.gate.record(now.mono, subject, outcome, next);
        for reason in [HoldReason::Offline, HoldReason::Clock] {
            let uplink = &self.office.uplink;
            match next {
                Next::Hold { reason: found, delay } if found == reason => {
                    let routes = if reason == HoldReason::Offline { routes::fingerprint() } else { None };
                    uplink.found(now.mono, &self.endpoint.name, reason, delay, routes);
                    if !self.held_rows.contains(&reason) {
                        self.held_rows.push(reason);
                    }
                }
                _ => down = down.max(uplink.answered(now.mono, &self.endpoint.name, reason)),
            }
        }
        match next {
            Next::Delivered => {}
            Next::Hold { reason: HoldReason::Throttled, delay } => {
                // The settlement follows, and says when it fails.
                drop(self.writer.pause(self.endpoint.name.clone(), now.wall.plus(delay)));
            }
            Next::Gone => {
                self.gone = Gone::Said;
                let written = self.writer.set_gone(self.endpoint.name.clone(), true);
                self.work.spawn(async move { Done::GoneWritten(written.await.map(drop)) });
            }
            _ => {}
        }
        if let Some(down) = down {
            // Only one was looked for while it probed.
            self.shelf.is_stale();
            self.pace.outage_ended(now.mono, down, fastrand::f64());
        }
    }

    fn tell(&mut self, attempt: &Attempt, next: Next) {
        match self.teller.attempt(attempt, next) {
            Some(line) if next == Next::Delivered && attempt.error.is_none() => {
                tracing::info!(endpoint = %self.endpoint.name, "{line}")
            }
            Some(line) => tracing::warn!(endpoint = %self.endpoint.name, "{line}"),
            None => {}
        }
        self.advice = report::advice(&attempt.outcome);
    }

    /// The disk does not give back what to post, by no fault of the endpoint's nor of its settings: again when the schedule
    /// says so.
    fn put_off(&mut self, now: Now, subject: Subject, before: &Standing, error: &std::io::Error) -> (Attempt, Next) {
        let why = format!("what is to be sent cannot be read: {error}; check the journal's disk");
        tracing::error!(delivery = %subject.delivery, endpoint = %self.endpoint.name, "put off: {why}");
        let burnt = before.attempts.saturating_add(1);
        let next = retry::after_burning(&self.endpoint.retry, burnt, now.synced, fastrand::f64());
        // Nothing was found out. If this was to be a probe, another one must go.
        self.gate.record(now.mono, subject, &Outcome::OurFault, next);
        self.office.uplink.probe_fell_through(&self.endpoint.name);
        let took = Duration::ZERO;
        (Attempt { outcome: Outcome::OurFault, took, error: Some(why), snippet: None }, next)
    }
}
