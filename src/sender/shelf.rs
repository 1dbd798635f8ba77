//! What was read ahead from the journal: a short shelf of deliveries that may be sent.
//!
//! Owns the shelf, its bounds, and when to look into the journal again; refuses to choose from it (`lanes`). What stands
//! here is still in the journal and may be put down at any time. Looking happens on tokio's blocking threads.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::lanes::{Waiting, YOUNG};
use crate::config::Endpoint;
use crate::journal::{self, Ask, Due, Queue, Reader};
use crate::time::{Mono, Now, Wall};

/// So many are read ahead, …
const ENOUGH: usize = 64;
/// … again when no more than so many are left, …
const FEW: usize = 16;
/// … and so many are kept at most, when much that is fresh comes on top.
const MOST: usize = 256;
/// Of those so many are the oldest, so that no flood washes them away.
const OLDEST: usize = 16;

/// While enough is there, the journal is looked at this seldom for what is more urgent.
const SELDOM: Duration = Duration::from_millis(50);

/// The journal is looked at so often though nothing rings: whatever else goes wrong, nothing waits longer than this.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Deliveries of one endpoint that may be sent.
#[derive(Debug)]
pub(super) struct Shelf {
    rows: Vec<Due>,
    /// The journal has more that is due.
    more: bool,
    /// The journal may have something that was not there at the last look.
    stale: bool,
    looked: Option<Mono>,
    /// When something becomes due that is not yet.
    next: Option<Mono>,
}

/// What a look into the journal found; the reader comes back with it.
pub(super) struct Look {
    pub(super) reader: Reader,
    pub(super) found: Result<Queue, journal::Error>,
}

impl Shelf {
    pub(super) fn new() -> Shelf {
        Shelf { rows: Vec::new(), more: false, stale: true, looked: None, next: None }
    }

    /// As far as the choice is concerned, in order of the shelf.
    pub(super) fn waiting(&self, now: Wall) -> Vec<Waiting> {
        self.rows.iter().map(|due| waiting(due, now)).collect()
    }

    /// The place of the one to try an endpoint with that may not answer: the most urgent, of these the newest.
    pub(super) fn probe(&self) -> Option<usize> {
        let order = |index: &usize| (self.rows[*index].priority, std::cmp::Reverse(self.rows[*index].sequence));
        (0..self.rows.len()).min_by_key(order)
    }

    pub(super) fn take(&mut self, index: usize) -> Due {
        self.rows.swap_remove(index)
    }

    /// Something new may be in the journal.
    pub(super) fn is_stale(&mut self) {
        self.stale = true;
    }

    /// Something becomes due at `due`, or after `delay` at the latest.
    pub(super) fn expect(&mut self, now: Now, due: Wall, delay: Duration) {
        // A wait beyond its delay means that the clock was set back; whoever sees that mends it.
        let wait = due.since(now.wall).min(delay.max(SELDOM));
        if wait.is_zero() {
            self.stale = true;
        } else {
            let at = now.mono.plus(wait);
            self.next = Some(self.next.map_or(at, |next| next.min(at)));
        }
    }

    /// Nothing can be sent for a while: what stands here is put down.
    pub(super) fn clear(&mut self) {
        if !self.rows.is_empty() {
            self.rows = Vec::new();
            self.stale = true;
        }
    }

    /// How long until the journal should be looked at again; zero: now.
    pub(super) fn until_look(&self, now: Mono) -> Duration {
        let since = self.looked.map_or(LOOK_AGAIN, |looked| now.since(looked));
        let is_due = self.next.is_some_and(|next| next <= now);
        if self.rows.len() <= FEW && (self.stale || self.more || is_due) {
            return Duration::ZERO;
        }
        if self.stale || is_due {
            return SELDOM.saturating_sub(since);
        }
        let next = self.next.map_or(LOOK_AGAIN, |next| next.since(now));
        next.min(LOOK_AGAIN.saturating_sub(since))
    }

    /// What to ask the journal for now. `in_flight` is not asked for.
    pub(super) fn ask(&mut self, now: Now, in_flight: impl Iterator<Item = i64>) -> Ask {
        (self.stale, self.looked) = (false, Some(now.mono));
        self.next.take_if(|next| *next <= now.mono);
        let known: HashSet<i64> = self.rows.iter().map(|due| due.n).chain(in_flight).collect();
        let limit = ENOUGH.saturating_sub(self.rows.len()).max(OLDEST);
        Ask { now: now.wall, limit, known, fresh_since: now.wall.minus(YOUNG) }
    }

    /// Takes in what was found.
    pub(super) fn put(&mut self, now: Now, queue: Queue) {
        self.more = queue.more;
        self.rows.extend(queue.due);
        if let Some((due, delay)) = queue.next {
            self.expect(now, due, delay);
        }
        if self.rows.len() > MOST {
            self.rows.sort_by_key(|due| due.sequence);
            self.rows[OLDEST..].sort_by_key(|due| waiting(due, now.wall).order());
            self.rows.truncate(MOST);
            self.more = true;
        }
    }

    /// The look failed: the next one comes after `pause`.
    pub(super) fn failed(&mut self, now: Now, pause: Duration) {
        let at = now.mono.plus(pause);
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

fn waiting(due: &Due, now: Wall) -> Waiting {
    Waiting::new(due.priority, due.sequence, due.accepted, now).suspected(due.unclean_claims > 0)
}

/// Looks into the journal for `ask`; with `probe`, for the one delivery to try with.
pub(super) fn look(reader: Reader, endpoint: &Arc<Endpoint>, ask: Ask, probe: bool) -> Look {
    let found = find(&reader, endpoint, &ask, probe);
    Look { reader, found }
}

fn find(reader: &Reader, endpoint: &Endpoint, ask: &Ask, probe: bool) -> Result<Queue, journal::Error> {
    let mut queue = reader.queue(&endpoint.name, &if probe { Ask { limit: 1, ..ask.clone() } } else { ask.clone() })?;
    if probe && let Some(one) = reader.probe(&endpoint.name, ask)? {
        queue.due = vec![one];
    }
    Ok(queue)
}
