//! Which delivery goes next: two lanes, so that neither what is new nor what is old waits for the other.
//!
//! Owns the choice; refuses to know why a delivery waits and how quickly they may go (`pace`). Pure.
//!
//! The **fresh** lane holds what is young (accepted within the last minute) and what is critical; the **backlog** holds
//! everything else. When both wait they take turns, and the backlog gets half of the slots at most (one if there is but
//! one), so that a receiver that hangs over the old never keeps the new waiting. Within the fresh lane the young go first;
//! then, in both, the most urgent, then the oldest. Every eighth delivery is the oldest of all, whatever its priority:
//! nobody waits for ever. A young critical one otherwise goes before everything.

use std::time::Duration;

use crate::event::Priority;
use crate::time::Wall;

/// Accepted within this time is young.
pub(super) const YOUNG: Duration = Duration::from_secs(60);

/// Every so many deliveries, the oldest of all goes.
const OLDEST_EVERY: u32 = 8;

/// A delivery that may be sent, as far as the choice is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Of the event.
    pub(super) priority: Priority,
    /// In order of acceptance.
    pub(super) sequence: u64,
    /// Accepted within the last minute.
    pub(super) young: bool,
    /// It was being sent when a process ended uncleanly.
    pub(super) suspect: bool,
}

/// A lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// What is young or critical.
    Fresh,
    /// What is old.
    Backlog,
}

impl Waiting {
    /// A delivery as it stands at `now`.
    pub(super) fn new(priority: Priority, sequence: u64, accepted: Wall, now: Wall) -> Waiting {
        Waiting { priority, sequence, young: now.since(accepted) < YOUNG, suspect: false }
    }

    /// The same, suspected of having ended a process.
    pub(super) fn suspected(self, suspect: bool) -> Waiting {
        Waiting { suspect, ..self }
    }

    /// Where it waits.
    pub(super) fn lane(&self) -> Lane {
        if self.young || self.priority == Priority::Critical { Lane::Fresh } else { Lane::Backlog }
    }

    /// Young and critical: it goes first, and may borrow from the bucket.
    pub(super) fn is_urgent(&self) -> bool {
        self.young && self.priority == Priority::Critical
    }

    /// Who goes first within a lane.
    pub(super) fn order(&self) -> (bool, Priority, u64) {
        (!self.young && self.lane() == Lane::Fresh, self.priority, self.sequence)
    }
}

/// What may go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Nothing: the bucket is empty, and nothing more is lent.
    pub(super) closed: bool,
    /// Only what is urgent: the bucket is empty, and lends.
    pub(super) only_urgent: bool,
    /// The backlog may.
    pub(super) backlog: bool,
    /// Suspects may: none is under way, so that the guilty one takes no innocent ones with it.
    pub(super) suspects: bool,
}

/// The turns that were taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lanes {
    since_oldest: u32,
    fresh_went_last: bool,
}

impl Lanes {
    /// The place in `waiting` of what goes next; None: nothing may.
    pub(super) fn next(&self, waiting: &[Waiting], room: Room) -> Option<usize> {
        let may = |one: &Waiting| match one.lane() {
            _ if room.closed => false,
            _ if one.suspect && !room.suspects => false,
            _ if room.only_urgent => one.is_urgent(),
            Lane::Fresh => true,
            Lane::Backlog => room.backlog,
        };
        let open = || waiting.iter().enumerate().filter(|(_, one)| may(one));
        // When the oldest may not go its turn is kept, and the others go on.
        let oldest = waiting.iter().enumerate().min_by_key(|(_, one)| one.sequence)?;
        if self.since_oldest + 1 >= OLDEST_EVERY && may(oldest.1) {
            return Some(oldest.0);
        }
        if let Some((urgent, _)) = open().filter(|(_, one)| one.is_urgent()).min_by_key(|(_, one)| one.order()) {
            return Some(urgent);
        }
        let first_of = |lane| {
            open().filter(|(_, one)| one.lane() == lane).min_by_key(|(_, one)| one.order()).map(|(index, _)| index)
        };
        let (fresh, backlog) = (first_of(Lane::Fresh), first_of(Lane::Backlog));
        if self.fresh_went_last { backlog.or(fresh) } else { fresh.or(backlog) }
    }

    /// `waiting[index]` goes.
    pub(super) fn went(&mut self, waiting: &[Waiting], index: usize) {
        let is_oldest = waiting.iter().all(|one| one.sequence >= waiting[index].sequence);
        self.since_oldest = if is_oldest { 0 } else { self.since_oldest.saturating_add(1) };
        self.fresh_went_last = waiting[index].lane() == Lane::Fresh;
    }
}

/// So many of `slots` the backlog may have.
pub(super) fn backlog_slots(slots: usize) -> usize {
    (slots / 2).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPEN: Room = Room { closed: false, only_urgent: false, backlog: true, suspects: true };

    fn one(priority: Priority, sequence: u64, young: bool) -> Waiting {
        Waiting { priority, sequence, young, suspect: false }
    }

    /// Everything that goes, in order, by sequence.
    fn all(mut waiting: Vec<Waiting>, room: Room) -> Vec<u64> {
        let (mut lanes, mut went) = (Lanes::default(), Vec::new());
        while let Some(index) = lanes.next(&waiting, room) {
            lanes.went(&waiting, index);
            went.push(waiting.remove(index).sequence);
        }
        went
    }

    #[test]
    fn old_and_new_take_turns_the_most_urgent_first_then_the_oldest() {
        use Priority::{Critical, High, Low, Normal};
        let waiting = vec![
            one(Normal, 2, false),
            one(Low, 3, false),
            one(High, 4, false),
            one(Critical, 5, false),
            one(Normal, 6, true),
            one(Low, 7, true),
            one(Critical, 8, true),
        ];
        assert_eq!(all(waiting.clone(), OPEN), [8, 4, 6, 2, 7, 3, 5]);
        assert_eq!(all(waiting.clone(), Room { backlog: false, ..OPEN }), [8, 6, 7, 5]);
        assert_eq!(all(waiting.clone(), Room { only_urgent: true, ..OPEN }), [8]);
        let suspects = waiting.into_iter().map(|one| one.suspected(one.sequence != 6)).collect();
        assert_eq!(all(suspects, Room { suspects: false, ..OPEN }), [6]);
    }

    #[test]
    fn every_eighth_is_the_oldest_of_all() {
        let mut waiting: Vec<_> = (2..=20).map(|sequence| one(Priority::High, sequence, false)).collect();
        waiting.push(one(Priority::Low, 1, false));
        let went = all(waiting, OPEN);
        assert_eq!(went.iter().position(|&sequence| sequence == 1), Some(7));

        let mut lanes = Lanes::default();
        let old = one(Priority::Low, 1, false);
        let mut taken = 0;
        for sequence in 2..200 {
            let waiting = [old, one(Priority::Critical, sequence, true)];
            let next = lanes.next(&waiting, OPEN).unwrap();
            lanes.went(&waiting, next);
            taken += u32::from(next == 0);
        }
        assert!(taken >= 198 / OLDEST_EVERY, "{taken}: however many critical ones come");
    }

    fn any_waiting() -> impl Strategy<Value = Vec<Waiting>> {
        let any_one = (0_usize..4, any::<bool>());
        proptest::collection::vec(any_one, 1..60).prop_map(|all| {
            let waiting = all.into_iter().enumerate();
            waiting.map(|(n, (rank, young))| one(Priority::ALL[rank], n as u64, young)).collect()
        })
    }

    proptest! {
        #[test]
        fn everything_goes_once_and_nothing_that_may_not(waiting in any_waiting()) {
            let mut went = all(waiting.clone(), OPEN);
            went.sort_unstable();
            prop_assert_eq!(went, (0..waiting.len() as u64).collect::<Vec<_>>());
            let closed = all(waiting.clone(), Room { backlog: false, ..OPEN });
            let fresh = waiting.iter().filter(|one| one.lane() == Lane::Fresh).count();
            prop_assert_eq!(closed.len(), fresh);
        }

        #[test]
        fn the_first_in_line_waits_for_seven_others_at_most(waiting in any_waiting()) {
            let mut waiting = waiting;
            let mut lanes = Lanes::default();
            let mut since = 0;
            while let Some(index) = lanes.next(&waiting, OPEN) {
                lanes.went(&waiting, index);
                let oldest = waiting.iter().map(|one| one.sequence).min();
                since = if Some(waiting[index].sequence) == oldest { 0 } else { since + 1 };
                prop_assert!(since < OLDEST_EVERY);
                waiting.remove(index);
            }
        }

        #[test]
        fn an_urgent_one_waits_for_one_other_at_most(waiting in any_waiting(), turns in 0_u32..20) {
            let mut waiting = waiting;
            waiting.push(one(Priority::Critical, 1000, true));
            let mut lanes = Lanes { since_oldest: turns, fresh_went_last: turns % 2 == 0 };
            for _ in 0..2 {
                let index = lanes.next(&waiting, OPEN).unwrap();
                lanes.went(&waiting, index);
                if waiting[index].is_urgent() {
                    return Ok(());
                }
                waiting.remove(index);
            }
            prop_assert!(false, "it was overtaken twice");
        }
    }
}
