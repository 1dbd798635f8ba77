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
    /// The journal was known to say that the endpoint is gone when this look began: should it say otherwise, somebody took
    /// that back.
    pub(super) knew_gone: bool,
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
        Ask { now: now.wall, limit, known, fresh_since: now.wall.minus(YOUNG), in_order: false }
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
        self.more = false;
        self.next = Some(now.mono.plus(pause));
    }
}

fn waiting(due: &Due, now: Wall) -> Waiting {
    Waiting::new(due.priority, due.sequence, due.accepted, now).suspected(due.unclean_claims > 0)
}

/// Looks into the journal for `ask`; with `probe`, for the one delivery to try with.
pub(super) fn look(reader: Reader, endpoint: &Arc<Endpoint>, ask: Ask, probe: bool, knew_gone: bool) -> Look {
    let found = find(&reader, endpoint, &ask, probe);
    Look { reader, found, knew_gone }
}

fn find(reader: &Reader, endpoint: &Endpoint, ask: &Ask, probe: bool) -> Result<Queue, journal::Error> {
    let queue = reader.queue(&endpoint.name, &if probe { Ask { limit: 1, ..ask.clone() } } else { ask.clone() })?;
    match if probe { reader.probe(&endpoint.name, ask)? } else { None } {
        Some(one) => Ok(reduced_to(queue, one)),
        None => Ok(queue),
    }
}

/// Nothing but `one` of a queue. What is left out is not forgotten: it is read as soon as more may be sent.
fn reduced_to(queue: Queue, one: Due) -> Queue {
    Queue { more: queue.more || queue.due.len() > 1, due: vec![one], ..queue }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::delivery::State;
    use crate::event::{EventType, Priority};
    use crate::journal::{Body, Standing};

    const NOTHING: Queue = Queue { due: Vec::new(), more: false, next: None, gone: false };

    fn at(millis: u64) -> Now {
        Now::in_clip(Duration::from_millis(3_600_000 + millis))
    }

    /// Deliveries that were accepted long ago, or just now.
    fn due(sequences: std::ops::Range<u64>, fresh: bool) -> Vec<Due> {
        let accepted = if fresh { at(0).wall } else { Wall(0) };
        let due = |sequence: u64| Due {
            n: sequence.cast_signed(),
            id: Uuid::from_u128(sequence.into()),
            event_id: Uuid::nil(),
            kind: EventType::Triggered,
            priority: Priority::Normal,
            sequence,
            observed: accepted,
            accepted,
            standing: Standing {
                state: State::Pending,
                reason: None,
                due: accepted,
                delay: Duration::ZERO,
                attempts: 0,
                tries: 0,
                holds: 0,
                held: Duration::ZERO,
                maybe_received: false,
            },
            unclean_claims: 0,
            body: Body::whole("{}".to_owned()),
            frame: None,
        };
        sequences.map(due).collect()
    }

    /// After a look at `at(0)` that found this.
    fn shelf(queue: Queue) -> Shelf {
        let mut shelf = Shelf::new();
        assert_eq!(shelf.until_look(at(0).mono), Duration::ZERO, "at a start");
        shelf.ask(at(0), std::iter::empty());
        shelf.put(at(0), queue);
        shelf
    }

    #[test]
    fn the_journal_is_left_alone_until_something_can_have_changed() {
        let mut empty = shelf(NOTHING);
        assert_eq!(empty.until_look(at(0).mono), LOOK_AGAIN);
        empty.is_stale();
        assert_eq!(empty.until_look(at(0).mono), Duration::ZERO, "it rang");
        let later = shelf(Queue { next: Some((at(700).wall, Duration::from_secs(9))), ..NOTHING });
        assert_eq!(later.until_look(at(0).mono), Duration::from_millis(700));
        assert_eq!(later.until_look(at(700).mono), Duration::ZERO);
        let set_back = shelf(Queue { next: Some((at(90_000).wall, Duration::from_secs(9))), ..NOTHING });
        assert_eq!(set_back.until_look(at(0).mono), Duration::from_secs(9), "nothing waits beyond its delay");
    }

    #[test]
    fn a_full_shelf_is_read_on_when_it_runs_low_and_seldom_before() {
        let mut shelf = shelf(Queue { due: due(0..64, false), more: true, ..NOTHING });
        shelf.is_stale();
        assert_eq!(shelf.until_look(at(10).mono), Duration::from_millis(40));
        while shelf.rows.len() > FEW {
            shelf.take(0);
        }
        assert_eq!(shelf.until_look(at(10).mono), Duration::ZERO);
        let ask = shelf.ask(at(10), [1000].into_iter());
        assert_eq!((ask.limit, ask.known.len()), (ENOUGH - FEW, FEW + 1), "what is known is not asked for");
    }

    #[test]
    fn a_flood_of_fresh_ones_fills_it_to_a_bound_and_washes_the_oldest_not_away() {
        let mut shelf = shelf(Queue { due: due(0..64, false), more: true, ..NOTHING });
        shelf.put(at(0), Queue { due: due(100..600, true), more: true, ..NOTHING });
        assert_eq!(shelf.rows.len(), MOST);
        let has = |sequence| shelf.rows.iter().any(|due| due.sequence == sequence);
        assert!((0..16).all(has) && has(100) && !has(599));
        assert_eq!(shelf.waiting(at(0).wall).len(), MOST);
    }

    #[test]
    fn an_error_of_the_journal_is_waited_out() {
        let mut shelf = shelf(Queue { due: due(0..1, false), more: true, ..NOTHING });
        shelf.ask(at(0), std::iter::empty());
        shelf.failed(at(0), Duration::from_secs(5));
        assert_eq!(shelf.until_look(at(0).mono), Duration::from_secs(5));
    }

    #[test]
    fn a_probe_is_the_most_urgent_and_of_these_the_newest() {
        let mut rows = due(0..5, false);
        rows[1].priority = Priority::High;
        rows[3].priority = Priority::High;
        let shelf = shelf(Queue { due: rows, ..NOTHING });
        assert_eq!(shelf.probe(), Some(3));
    }

    #[test]
    fn after_a_probe_was_looked_for_the_others_are_read_as_soon_as_they_may_go() {
        let one = || due(1..2, false).remove(0);
        let mut with_others = shelf(reduced_to(Queue { due: due(0..4, false), ..NOTHING }, one()));
        with_others.take(0);
        assert_eq!(with_others.until_look(at(0).mono), Duration::ZERO);
        let mut alone = shelf(reduced_to(Queue { due: due(1..2, false), ..NOTHING }, one()));
        alone.take(0);
        assert_eq!(alone.until_look(at(0).mono), LOOK_AGAIN);
    }
}
