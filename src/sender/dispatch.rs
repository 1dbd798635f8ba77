//! A sender's turn: what may be sent is sent, and the journal is looked at when that is due.
//!
//! Owns the order of a turn; refuses to decide (`gate`, `uplink`, `pace` and `lanes` do) and to judge answers (`judge`).
//! Runs in the sender's task.

use std::sync::Arc;
use std::time::Duration;

use super::gate::Subject;
use super::judge::Posted;
use super::lanes::{Lane, Room, backlog_slots};
use super::parcel::{Occasion, parcel};
use super::shelf::{self, LOOK_AGAIN, Look};
use super::uplink::{self, strictest};
use super::upload::Uploaded;
use super::{Done, Gone, InFlight, Sender, routes};
use crate::delivery::HoldReason;
use crate::journal::{self, Ask, Due, Queue};
use crate::retry::breaker::Passage;
use crate::time::Now;

/// After an error of the journal.
const LOOK_AGAIN_AFTER_ERROR: Duration = Duration::from_secs(5);

/// Outcomes that wait for the journal, for each slot, before nothing more is sent: what cannot be recorded would be sent
/// again after a restart.
const UNSETTLED_PER_SLOT: usize = 8;

/// The wall clock was set back when it lost more than this against the monotonic one.
const SET_BACK: Duration = Duration::from_millis(500);

impl Sender {
    /// Sends what may be sent. Answers when to take the next turn though nothing happened.
    pub(super) fn turn(&mut self) -> Duration {
        let now = self.office.clock.now();
        self.notice_a_clock_set_back(now);
        if self.gone != Gone::No {
            self.shelf.clear();
            return self.look_if_due(now, false);
        }
        let of_box = self.passage_of_box(now);
        self.release_what_is_no_longer_held(now);
        let passage = strictest(of_box, self.gate.passage(now.mono));
        // What holds the whole box can end without anybody telling.
        let longest = if of_box == Passage::Free { LOOK_AGAIN } else { uplink::LOOK };
        match passage {
            Passage::Until(until) => {
                self.shelf.clear();
                until.since(now.mono).min(longest)
            }
            Passage::Probing => longest,
            Passage::One => self.probe(now).min(longest),
            Passage::Free => self.send(now),
        }
    }

    fn passage_of_box(&self, now: Now) -> Passage {
        let uplink = &self.office.uplink;
        if uplink.holds_for(now, &self.endpoint.name, HoldReason::Offline)
            && let Some(routes) = routes::fingerprint()
            && uplink.routes_are(routes)
        {
            tracing::info!("the routes changed: this box may be online again");
        }
        uplink.passage(now, &self.endpoint.name)
    }

    /// Deadlines are wall time. When that goes back they would lie further ahead than they were meant to.
    fn notice_a_clock_set_back(&mut self, now: Now) {
        let expected = self.before.wall.plus(now.mono.since(self.before.mono));
        if expected.since(now.wall) > SET_BACK {
            self.rein_in(now);
        }
        self.before = now;
    }

    fn rein_in(&self, now: Now) {
        tracing::warn!("the wall clock was set back: nothing waits longer for that than it was meant to");
        // It rings when it changed something.
        drop(self.writer.rein_in(now));
    }

    /// Rows that are held for the box's sake become due as soon as the box is no longer held.
    fn release_what_is_no_longer_held(&mut self, now: Now) {
        let (uplink, endpoint) = (&self.office.uplink, &self.endpoint.name);
        let (held, over): (Vec<_>, Vec<_>) =
            self.held_rows.drain(..).partition(|reason| uplink.holds_for(now, endpoint, *reason));
        self.held_rows = held;
        for reason in over {
            drop(self.writer.release(endpoint.clone(), reason, now));
        }
    }

    /// Sends one delivery, to find out whether anything gets through.
    fn probe(&mut self, now: Now) -> Duration {
        // A probe that waits (a clip does) is one all the same.
        let has_room = self.in_flight.len() < self.most_in_flight() && (self.uploader.is_none() || self.posting() == 0);
        let Some(index) = self.shelf.probe().filter(|_| has_room) else {
            return self.look_if_due(now, true);
        };
        self.gate.probing();
        self.office.uplink.probing(now.mono, &self.endpoint.name);
        self.pace.take(now.mono);
        let due = self.shelf.take(index);
        self.post(due, Lane::Fresh, now);
        LOOK_AGAIN
    }

    /// Sends as much as slots, lanes and pace allow.
    fn send(&mut self, now: Now) -> Duration {
        let mut wait = LOOK_AGAIN;
        while self.posting() < self.slots() && self.in_flight.len() < self.most_in_flight() {
            let waiting = self.shelf.waiting(now.wall);
            let room = self.room(now);
            let Some(index) = self.lanes.next(&waiting, room) else {
                if room.only_urgent && !waiting.is_empty() {
                    wait = wait.min(self.pace.next(now.mono).since(now.mono));
                }
                if let Some(from) = self.pace.backlog_from(now.mono) {
                    wait = wait.min(from.since(now.mono));
                }
                break;
            };
            let lane = waiting[index].lane();
            self.lanes.went(&waiting, index);
            self.pace.take(now.mono);
            if lane == Lane::Backlog {
                self.pace.backlog_went(now.mono, fastrand::f64());
            }
            let due = self.shelf.take(index);
            self.post(due, lane, now);
        }
        self.look_if_due(now, false).min(wait)
    }

    /// What may go now.
    fn room(&self, now: Now) -> Room {
        let posting = || self.in_flight.values().filter(|one| one.standing.is_some());
        let old = posting().filter(|one| one.lane == Lane::Backlog).count();
        let suspects = !posting().any(|one| one.suspect);
        let backlog = old < backlog_slots(self.slots()) && self.pace.lets_backlog_go(now.mono);
        let only_urgent = !self.pace.allows(now.mono, false);
        Room { closed: only_urgent && !self.pace.allows(now.mono, true), only_urgent, backlog, suspects }
    }

    fn slots(&self) -> usize {
        usize::try_from(self.endpoint.concurrency).unwrap_or(usize::MAX).max(1)
    }

    fn most_in_flight(&self) -> usize {
        self.slots().saturating_mul(UNSETTLED_PER_SLOT)
    }

    /// Looks into the journal if that is due; otherwise says when it is.
    fn look_if_due(&mut self, now: Now, probe: bool) -> Duration {
        let wait = self.shelf.until_look(now.mono);
        if !wait.is_zero() {
            return wait;
        }
        // Somebody looks already: the next turn comes when he is back.
        let Some(reader) = self.reader.take() else { return LOOK_AGAIN };
        let ask = self.shelf.ask(now, self.in_flight.values().map(|one| one.n));
        let ask = Ask { in_order: self.endpoint.format.is_told_in_order(), ..ask };
        let endpoint = Arc::clone(&self.endpoint);
        let knew_gone = self.gone == Gone::Noted;
        self.work.spawn_blocking(move || Done::Looked(shelf::look(reader, &endpoint, ask, probe, knew_gone)));
        LOOK_AGAIN
    }

    /// Takes in what a look found.
    pub(super) fn looked(&mut self, look: Look) {
        let now = self.office.clock.now();
        self.reader = Some(look.reader);
        match look.found {
            Ok(queue) => {
                self.notice_gone(now, &queue, look.knew_gone);
                if queue.next.is_some_and(|(due, delay)| due.since(now.wall) > delay) {
                    self.rein_in(now);
                }
                if self.gone == Gone::No {
                    self.shelf.put(now, queue);
                }
            }
            Err(error) => {
                self.complain("reading what is due", &error);
                self.shelf.failed(now, LOOK_AGAIN_AFTER_ERROR);
            }
        }
    }

    /// Takes in whether the journal knows that the endpoint is gone. If it does not, the next 410 tells it again.
    pub(super) fn gone_written(&mut self, written: Result<(), journal::Error>) {
        // Only a look that begins now tells what became of it since.
        self.shelf.is_stale();
        match (self.gone, written) {
            (Gone::Said, Ok(())) => self.gone = Gone::Noted,
            (_, Ok(())) => {}
            (gone, Err(error)) => {
                if gone == Gone::Said {
                    self.gone = Gone::No;
                }
                self.complain("noting that it is gone", &error);
            }
        }
    }

    /// What an endpoint that is gone is still owed is skipped, until an operator takes it back.
    fn notice_gone(&mut self, now: Now, queue: &Queue, knew_gone: bool) {
        match (self.gone, queue.gone) {
            (_, true) => self.gone = Gone::Noted,
            (Gone::Noted, false) if knew_gone => {
                tracing::info!(endpoint = %self.endpoint.name, "it is enabled again");
                self.gone = Gone::No;
                self.gate.forgive();
            }
            (Gone::Said | Gone::Noted | Gone::No, false) => {}
        }
        let owed = !queue.due.is_empty() || queue.next.is_some();
        if self.gone == Gone::Noted && owed && self.in_flight.is_empty() {
            let (writer, endpoint) = (self.writer.clone(), self.endpoint.name.clone());
            self.work.spawn(async move {
                loop {
                    match writer.skip_owed(endpoint.clone(), now.wall).await {
                        Ok(0) => return Done::Skipped(Ok(())),
                        Ok(_) => {}
                        Err(error) => return Done::Skipped(Err(error)),
                    }
                }
            });
        }
    }

    fn post(&mut self, due: Due, lane: Lane, now: Now) {
        let suspect = due.unclean_claims > 0;
        let (delivery, standing) = (due.id, Some(due.standing.clone()));
        let mut one = InFlight { n: due.n, lane, suspect, standing, conversation: None };
        // A clip is under way for hours, at many an end that isn't its fault.
        let is_suspect = self.uploader.is_none() && self.office.is_cautious();
        let claim = is_suspect.then(|| self.writer.claim(due.n));
        let (endpoint, credentials) = (Arc::clone(&self.endpoint), Arc::clone(&self.credentials));
        let (outlet, uploader) = (self.outlet.clone(), self.uploader.clone());
        let is_clip = uploader.is_some();
        let work = self.work.spawn(async move {
            if let Some(claim) = claim {
                // Unclaimed it is sent all the same: claims find out what kills us, nothing depends on them.
                drop(claim.await);
            }
            let (due, bytes) = bytes(due).await;
            let (occasion, subject) = (Occasion::of(&due), Subject { delivery: due.id, kind: due.kind });
            let uploaded = match (bytes, uploader) {
                (Ok(bytes), None) => {
                    let attempt = outlet.send(parcel(&endpoint, &credentials, &occasion, bytes, now)).await;
                    Ok(Uploaded { attempt, progressed: false })
                }
                (Ok(bytes), Some(uploader)) => uploader.send(&occasion, subject, &bytes).await,
                (Err(error), _) => Err(error),
            };
            let progressed = uploaded.as_ref().is_ok_and(|uploaded| uploaded.progressed);
            let attempt = uploaded.map(|uploaded| uploaded.attempt);
            Done::Posted(Posted { subject, standing: due.standing, started: now.wall, attempt, progressed })
        });
        one.conversation = is_clip.then_some(work);
        self.in_flight.insert(delivery, one);
    }
}

/// The bytes to send. A frame is read on a blocking thread.
async fn bytes(due: Due) -> (Due, std::io::Result<Vec<u8>>) {
    let from_memory = due.frame.is_none();
    let fill = move || {
        let bytes = due.bytes();
        (due, bytes)
    };
    if from_memory { fill() } else { tokio::task::spawn_blocking(fill).await.expect("reading does not panic") }
}
