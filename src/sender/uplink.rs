//! What holds up the whole box: no way out, and a clock that cannot be believed.
//!
//! Owns these two holds, shared by all senders, so that its end is found out for all; refuses to know what an endpoint
//! itself stands in the way of (`gate`). Pure but for the lock: time and the routes are arguments.
//!
//! While a hold lasts each endpoint finds out by one delivery at a time whether it is over, at once if it has not met the
//! hold yet: the box may have no route to the world and one to the machine beside it. An endpoint that is answered
//! meanwhile is exempt; when one that had met the hold is answered, it is over for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::delivery::HoldReason;
use crate::name::Name;
use crate::retry::breaker::Passage;
use crate::time::{Mono, Now};

/// While the box is held nobody looks less often whether that is over: at the routes, at the clock.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// A probe that was not heard of for so long does not count: its sender is gone.
const PROBE_LOST: Duration = Duration::from_secs(60);

/// The holds of one box. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Uplink(Arc<Mutex<Holds>>);

#[derive(Debug, Default)]
struct Holds {
    offline: Option<Hold>,
    clock: Option<Hold>,
    /// The routes when the box was found offline.
    routes: Option<u64>,
}

/// One hold.
#[derive(Debug)]
struct Hold {
    since: Mono,
    /// Until then finding it again is the same finding.
    until: Mono,
    /// How often running it was found.
    running: u32,
    /// Who met it, and when each may look again.
    met: BTreeMap<Name, Mono>,
    exempt: BTreeSet<Name>,
    /// Whose one delivery is on its way, and since when.
    probing: BTreeMap<Name, Mono>,
}

impl Uplink {
    /// What `endpoint` may send now.
    pub(super) fn passage(&self, now: Now, endpoint: &Name) -> Passage {
        let mut holds = self.holds();
        holds.notice(now);
        let passages = [&holds.offline, &holds.clock].map(|hold| match hold {
            Some(hold) => hold.passage(now.mono, endpoint),
            None => Passage::Free,
        });
        strictest(passages[0], passages[1])
    }

    /// Why `endpoint` is held, and until when.
    pub(super) fn closed(&self, now: Mono, endpoint: &Name) -> Option<(HoldReason, Mono)> {
        let holds = self.holds();
        let until = |hold: &Hold| hold.met.get(endpoint).copied().unwrap_or(now);
        let closed = |hold: &Option<Hold>| hold.as_ref().filter(|hold| hold.holds(endpoint)).map(until);
        let offline = closed(&holds.offline).map(|until| (HoldReason::Offline, until.max(now)));
        offline.or_else(|| closed(&holds.clock).map(|until| (HoldReason::Clock, until.max(now))))
    }

    /// Whether a hold for `reason` is in force for `endpoint`.
    pub(super) fn holds_for(&self, now: Now, endpoint: &Name, reason: HoldReason) -> bool {
        let mut holds = self.holds();
        holds.notice(now);
        holds.of(reason).is_some_and(|hold| hold.as_ref().is_some_and(|hold| hold.holds(endpoint)))
    }

    /// The one delivery that [`Passage::One`] allows is on its way.
    pub(super) fn probing(&self, now: Mono, endpoint: &Name) {
        let mut holds = self.holds();
        let Holds { offline, clock, .. } = &mut *holds;
        for hold in [offline, clock].into_iter().flatten().filter(|hold| hold.holds(endpoint)) {
            hold.probing.insert(endpoint.clone(), now);
        }
    }

    /// How often running the box was found offline, before this time. Attempts that were under way together count once.
    pub(super) fn offline_running(&self, now: Mono) -> u32 {
        let holds = self.holds();
        holds.offline.as_ref().map_or(0, |hold| if now < hold.until { hold.running - 1 } else { hold.running })
    }

    /// `endpoint` found that the box is held, for `delay` at least. `routes`: what they look like now.
    pub(super) fn found(&self, now: Mono, endpoint: &Name, reason: HoldReason, delay: Duration, routes: Option<u64>) {
        let mut holds = self.holds();
        match reason {
            HoldReason::Offline => holds.routes = routes,
            HoldReason::Clock => {}
            _ => return,
        }
        let Some(hold) = holds.of(reason) else { return };
        let until = now.plus(delay);
        let hold = hold.get_or_insert_with(|| Hold::new(now));
        if now >= hold.until || hold.running == 0 {
            hold.running = hold.running.saturating_add(1);
        }
        hold.until = hold.until.max(until);
        hold.met.insert(endpoint.clone(), until);
        hold.exempt.remove(endpoint);
        hold.probe_ended(endpoint);
    }

    /// An attempt of `endpoint` met anything else. For how long nothing had gone through, where that ends a hold.
    pub(super) fn answered(&self, now: Mono, endpoint: &Name, reason: HoldReason) -> Option<Duration> {
        let mut holds = self.holds();
        let slot = holds.of(reason)?;
        let hold = slot.as_mut()?;
        hold.probe_ended(endpoint);
        let down = now.since(hold.since);
        if hold.met.contains_key(endpoint) {
            *slot = None;
        } else {
            hold.exempt.insert(endpoint.clone());
        }
        Some(down)
    }

    /// What `endpoint` was to probe with never left: another delivery may.
    pub(super) fn probe_fell_through(&self, endpoint: &Name) {
        let mut holds = self.holds();
        let Holds { offline, clock, .. } = &mut *holds;
        for hold in [offline, clock].into_iter().flatten() {
            hold.probe_ended(endpoint);
        }
    }

    /// The routes now look like this: when they changed, the box may be online again. Whether that ended a hold.
    pub(super) fn routes_are(&self, routes: u64) -> bool {
        let mut holds = self.holds();
        let changed = holds.offline.is_some() && holds.routes.is_some_and(|before| before != routes);
        if changed {
            holds.offline = None;
        }
        changed
    }

    fn holds(&self) -> MutexGuard<'_, Holds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holds {
    fn of(&mut self, reason: HoldReason) -> Option<&mut Option<Hold>> {
        match reason {
            HoldReason::Offline => Some(&mut self.offline),
            HoldReason::Clock => Some(&mut self.clock),
            HoldReason::EndpointDown | HoldReason::Throttled | HoldReason::Paused => None,
        }
    }

    /// A clock that is synced holds nothing.
    fn notice(&mut self, now: Now) {
        if now.synced {
            self.clock = None;
        }
    }
}

impl Hold {
    fn new(now: Mono) -> Hold {
        let (met, exempt, probing) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Hold { since: now, until: now, running: 0, met, exempt, probing }
    }

    fn holds(&self, endpoint: &Name) -> bool {
        !self.exempt.contains(endpoint)
    }

    fn passage(&self, now: Mono, endpoint: &Name) -> Passage {
        if !self.holds(endpoint) {
            return Passage::Free;
        }
        match (self.met.get(endpoint), self.probing.get(endpoint)) {
            (Some(until), _) if now < *until => Passage::Until(*until),
            (_, Some(since)) if now.since(*since) < PROBE_LOST => Passage::Probing,
            _ => Passage::One,
        }
    }

    fn probe_ended(&mut self, endpoint: &Name) {
        self.probing.remove(endpoint);
    }
}

/// The stricter of two passages.
pub(super) fn strictest(a: Passage, b: Passage) -> Passage {
    use Passage::{Free, One, Probing, Until};
    match (a, b) {
        (Until(a), Until(b)) => Until(a.max(b)),
        (Until(until), _) | (_, Until(until)) => Until(until),
        (Probing, _) | (_, Probing) => Probing,
        (One, _) | (_, One) => One,
        (Free, Free) => Free,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Wall;

    fn at(seconds: u64) -> Now {
        Now { mono: Mono(seconds * 1_000_000_000), wall: Wall(0), synced: false }
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    const FIVE: Duration = Duration::from_secs(5);

    #[test]
    fn each_looks_by_one_delivery_and_the_end_is_found_out_for_all() {
        let uplink = Uplink::default();
        let (a, b) = (name("a"), name("b"));
        uplink.found(at(0).mono, &a, HoldReason::Offline, FIVE, None);
        uplink.found(at(0).mono, &a, HoldReason::Offline, FIVE, None);
        assert_eq!(uplink.offline_running(at(1).mono), 0, "a burst counts once");
        assert_eq!(uplink.passage(at(4), &a), Passage::Until(at(5).mono));
        assert_eq!(uplink.closed(at(4).mono, &a), Some((HoldReason::Offline, at(5).mono)));
        assert_eq!(uplink.passage(at(5), &a), Passage::One);
        uplink.probing(at(5).mono, &a);
        assert_eq!(uplink.passage(at(5), &a), Passage::Probing);
        assert_eq!(uplink.passage(at(66), &a), Passage::One, "a probe that never came back");
        uplink.found(at(6).mono, &b, HoldReason::Offline, FIVE, None);
        assert_eq!(uplink.offline_running(at(11).mono), 2);
        assert_eq!(uplink.answered(at(12).mono, &a, HoldReason::Offline), Some(Duration::from_secs(12)));
        assert_eq!(uplink.passage(at(12), &b), Passage::Free);
    }

    #[test]
    fn a_neighbour_never_waits_for_the_world() {
        let uplink = Uplink::default();
        let (world, neighbour) = (name("world"), name("neighbour"));
        for second in 0..100 {
            uplink.found(at(second).mono, &world, HoldReason::Offline, Duration::from_secs(60), None);
            assert_eq!(uplink.passage(at(second), &neighbour), Passage::One, "however often the world is found away");
        }
        uplink.found(at(100).mono, &neighbour, HoldReason::Offline, FIVE, None);
        uplink.found(at(104).mono, &world, HoldReason::Offline, Duration::from_secs(60), None);
        assert_eq!(uplink.passage(at(105), &neighbour), Passage::One, "its own wait is over");
    }

    #[test]
    fn a_probe_that_never_left_is_followed_by_another() {
        let uplink = Uplink::default();
        let (a, b) = (name("a"), name("b"));
        uplink.found(at(0).mono, &a, HoldReason::Offline, FIVE, None);
        uplink.probing(at(5).mono, &a);
        uplink.probe_fell_through(&b);
        assert_eq!(uplink.passage(at(5), &a), Passage::Probing, "only its own");
        uplink.probe_fell_through(&a);
        assert_eq!(uplink.passage(at(5), &a), Passage::One);
    }

    #[test]
    fn a_neighbour_that_answers_is_exempt_while_the_world_is_away() {
        let uplink = Uplink::default();
        let (world, neighbour) = (name("world"), name("neighbour"));
        uplink.found(at(0).mono, &world, HoldReason::Offline, FIVE, None);
        uplink.answered(at(1).mono, &neighbour, HoldReason::Offline);
        assert_eq!(uplink.passage(at(2), &neighbour), Passage::Free);
        assert_eq!(uplink.passage(at(2), &world), Passage::Until(at(5).mono));
    }

    #[test]
    fn a_route_that_changes_ends_it_at_once() {
        let uplink = Uplink::default();
        uplink.found(at(0).mono, &name("a"), HoldReason::Offline, FIVE, Some(1));
        assert!(!uplink.routes_are(1));
        assert!(uplink.routes_are(2));
        assert_eq!(uplink.passage(at(1), &name("a")), Passage::Free);
    }

    #[test]
    fn a_clock_that_is_synced_ends_it_at_once() {
        let uplink = Uplink::default();
        let a = name("a");
        uplink.found(at(0).mono, &a, HoldReason::Clock, FIVE, None);
        let synced = Now { synced: true, ..at(1) };
        assert!(uplink.holds_for(at(1), &a, HoldReason::Clock));
        assert!(!uplink.holds_for(synced, &a, HoldReason::Clock));
        assert_eq!(uplink.passage(synced, &a), Passage::Free);
    }
}
