//! What one endpoint lets through, as far as is known.
//!
//! Owns what is remembered about an endpoint between attempts: the breaker, its wish to be left alone, which types of
//! event it took since it refused something, whether it said that it is gone. Memory only (but for that wish, which the
//! journal keeps): after a restart everything is found out again, at the price of an attempt. Refuses to know the journal,
//! sockets and what holds up the whole box (`uplink`). Pure: time is an argument.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use crate::config::Retry;
use crate::delivery::{HoldReason, Outcome};
use crate::event::EventType;
use crate::retry::breaker::{Breaker, Change, Passage};
use crate::retry::taxonomy::acts_on_endpoint;
use crate::retry::{Circumstances, GONE_CONFIRMED, MISSING_COSTS_EVERY, MISSING_FOR_LONG, Next};
use crate::time::{Mono, Now, Wall};

/// Refused deliveries remembered at most; those beyond are judged as if each refusal were their first.
const REMEMBERED: usize = 10_000;

/// The longest that an endpoint is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The gate of one endpoint.
#[derive(Debug)]
pub(super) struct Gate {
    breaker: Option<Breaker>,
    /// Since when the breaker has been open.
    down: Option<Mono>,
    throttled_until: Option<Mono>,
    throttled_running: u32,
    refusals: HashMap<Uuid, Refusal>,
    last_success: HashMap<EventType, Mono>,
    /// The first of the 410s running.
    gone_said: Option<Mono>,
    missing: Option<Missing>,
}

/// What a delivery met before, and since when it has met nothing else.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    since: Mono,
    status: u16,
}

/// A host that does not exist.
#[derive(Clone, Copy, Debug)]
struct Missing {
    since: Mono,
    /// When that last cost an attempt.
    cost: Option<Mono>,
}

/// Which delivery an attempt was about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    pub(super) delivery: Uuid,
    pub(super) kind: EventType,
}

impl Gate {
    pub(super) fn new(retry: &Retry) -> Gate {
        Gate {
            breaker: acts_on_endpoint(retry).then(Breaker::default),
            down: None,
            throttled_until: None,
            throttled_running: 0,
            refusals: HashMap::new(),
            last_success: HashMap::new(),
            gone_said: None,
            missing: None,
        }
    }

    /// Goes on with a pause that an earlier process noted as ending at `until`. A clock that cannot be
    /// believed, or a rest that nobody can have asked for, says nothing: then it is forgotten.
    pub(super) fn resume_pause(&mut self, now: Now, until: Wall) {
        let rest = until.since(now.wall);
        if self.breaker.is_some() && now.synced && !rest.is_zero() && rest <= LONGEST_PAUSE {
            self.throttled_until = Some(now.mono.plus(rest));
        }
    }

    /// An operator says that it is there after all.
    pub(super) fn forgive(&mut self) {
        self.gone_said = None;
    }

    /// What may be sent now.
    pub(super) fn passage(&self, now: Mono) -> Passage {
        match self.throttled_until {
            Some(until) if now < until => Passage::Until(until),
            _ => self.breaker.as_ref().map_or(Passage::Free, |breaker| breaker.passage(now)),
        }
    }

    /// Why nothing is sent, if that is so, and until when; without an instant until the probe comes back.
    pub(super) fn closed(&self, now: Mono) -> Option<(HoldReason, Option<Mono>)> {
        match self.throttled_until {
            Some(until) if now < until => Some((HoldReason::Throttled, Some(until))),
            _ => match self.breaker.as_ref()?.passage(now) {
                Passage::Free => None,
                Passage::Until(until) => Some((HoldReason::EndpointDown, Some(until))),
                Passage::One | Passage::Probing => Some((HoldReason::EndpointDown, None)),
            },
        }
    }

    /// The one delivery that [`Passage::One`] allows is on its way.
    pub(super) fn probing(&mut self) {
        if let Some(breaker) = &mut self.breaker {
            breaker.probing();
        }
    }

    /// The status that the delivery met before.
    pub(super) fn last_status(&self, delivery: Uuid) -> Option<u16> {
        self.refusals.get(&delivery).map(|refusal| refusal.status)
    }

    /// In which an attempt is judged. What concerns the whole box is in `of_box`.
    pub(super) fn circumstances(
        &self,
        now: Mono,
        subject: Subject,
        outcome: &Outcome,
        of_box: Circumstances,
    ) -> Circumstances {
        let refused = self.refusals.get(&subject.delivery);
        let refused = refused.filter(|refused| Some(refused.status) == outcome.status());
        let taken = self.last_success.get(&subject.kind);
        let missing_for_long = |missing: Missing| {
            now.since(missing.since) >= MISSING_FOR_LONG
                && missing.cost.is_none_or(|cost| now.since(cost) >= MISSING_COSTS_EVERY)
        };
        Circumstances {
            // Attempts that were under way together and met the same count as one.
            throttled_running: self.throttled_running.saturating_sub(u32::from(self.is_throttled(now))),
            others_delivered_since: refused.zip(taken).is_some_and(|(refused, taken)| *taken > refused.since),
            host_missing_for_long: self.missing.is_some_and(missing_for_long),
            gone_before: self.gone_said.is_some_and(|said| now.since(said) >= GONE_CONFIRMED),
            ..of_box
        }
    }

    /// Takes in an attempt that was judged. For how long nothing had gone through, if now it does again.
    pub(super) fn record(&mut self, now: Mono, subject: Subject, outcome: &Outcome, next: Next) -> Option<Duration> {
        match next {
            Next::Hold { reason: HoldReason::Throttled, delay } => self.throttle(now, now.plus(delay)),
            Next::Delivered => {
                self.last_success.insert(subject.kind, now);
            }
            _ => {}
        }
        if outcome.status().is_some() && !matches!(next, Next::Hold { reason: HoldReason::Throttled, .. }) {
            self.throttled_running = 0;
        }
        self.remember(now, subject.delivery, outcome, next);
        self.remember_gone(now, outcome);
        self.remember_missing(now, outcome, next);
        let change = match next {
            // The box's trouble says nothing about the endpoint, but a probe that met it must be made again.
            Next::Hold { reason: HoldReason::Offline | HoldReason::Clock, .. } => {
                self.breaker.as_mut()?.record(now, &Outcome::Offline)
            }
            _ => self.breaker.as_mut()?.record(now, outcome),
        };
        match change {
            Some(Change::Opened(_)) => {
                self.down.get_or_insert(now);
                None
            }
            Some(Change::Closed) => self.down.take().map(|since| now.since(since)),
            None => None,
        }
    }

    fn is_throttled(&self, now: Mono) -> bool {
        self.throttled_until.is_some_and(|until| now < until)
    }

    fn throttle(&mut self, now: Mono, until: Mono) {
        if !self.is_throttled(now) {
            self.throttled_running = self.throttled_running.saturating_add(1);
        }
        self.throttled_until = Some(self.throttled_until.map_or(until, |known| known.max(until)));
    }

    fn remember(&mut self, now: Mono, delivery: Uuid, outcome: &Outcome, next: Next) {
        match (next, outcome.status()) {
            (Next::Delivered | Next::Dead(_) | Next::Expired | Next::Gone, _) => {
                self.refusals.remove(&delivery);
            }
            (_, Some(status)) if self.refusals.contains_key(&delivery) || self.refusals.len() < REMEMBERED => {
                let refusal = self.refusals.entry(delivery).or_insert(Refusal { since: now, status });
                if refusal.status != status {
                    *refusal = Refusal { since: now, status };
                }
            }
            _ => {}
        }
    }

    /// Any other answer takes it back.
    fn remember_gone(&mut self, now: Mono, outcome: &Outcome) {
        match outcome.status() {
            Some(410) => self.gone_said = self.gone_said.or(Some(now)),
            Some(_) => self.gone_said = None,
            None => {}
        }
    }

    fn remember_missing(&mut self, now: Mono, outcome: &Outcome, next: Next) {
        match outcome {
            Outcome::NoSuchHost => {
                let missing = self.missing.get_or_insert(Missing { since: now, cost: None });
                if !matches!(next, Next::Hold { .. }) {
                    missing.cost = Some(now);
                }
            }
            Outcome::Offline | Outcome::OurFault | Outcome::ClipGone => {}
            _ => self.missing = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::delivery::DeadReason;
    use crate::retry::{Progress, next};
    use crate::time::Wall;

    const A: Subject = Subject { delivery: Uuid::from_u128(1), kind: EventType::Triggered };
    const B: Subject = Subject { delivery: Uuid::from_u128(2), kind: EventType::Triggered };

    fn at(seconds: u64) -> Now {
        Now { mono: Mono(seconds * 1_000_000_000), wall: Wall(0), synced: true }
    }

    fn status(status: u16) -> Outcome {
        Outcome::Status { status, retry_after: None }
    }

    /// Judges and records as the sender does.
    fn attempt(gate: &mut Gate, retry: &Retry, seconds: u64, subject: Subject, outcome: Outcome) -> Next {
        let progress = Progress { last_status: gate.last_status(subject.delivery), ..Progress::default() };
        let now = at(seconds).mono;
        let circumstances = gate.circumstances(now, subject, &outcome, Circumstances::default());
        let next = next(retry, &progress, &outcome, &circumstances, 0.0);
        gate.record(now, subject, &outcome, next);
        next
    }

    #[test]
    fn content_is_rejected_only_when_the_endpoint_takes_other_content() {
        let mut gate = Gate::new(&Retry::Edge);
        let mut edge = |seconds, subject, code| attempt(&mut gate, &Retry::Edge, seconds, subject, status(code));
        assert!(matches!(edge(1, A, 422), Next::RetryAfter { .. }));
        assert!(matches!(edge(2, A, 422), Next::RetryAfter { .. }), "perhaps it refuses everything");
        assert_eq!(edge(3, B, 200), Next::Delivered);
        assert_eq!(edge(4, A, 422), Next::Dead(DeadReason::Rejected));
        assert!(matches!(edge(5, A, 422), Next::RetryAfter { .. }), "after a re-drive it counts anew");
    }

    #[test]
    fn a_receiver_in_trouble_does_not_count_as_a_refusal_of_content() {
        for trouble in [429, 500] {
            let mut gate = Gate::new(&Retry::Edge);
            let mut edge = |seconds, subject, code| attempt(&mut gate, &Retry::Edge, seconds, subject, status(code));
            edge(1, A, trouble);
            edge(40, B, 200);
            assert!(matches!(edge(41, A, 422), Next::RetryAfter { .. }), "{trouble}: its first refusal");
            edge(42, B, 200);
            assert_eq!(edge(43, A, 422), Next::Dead(DeadReason::Rejected));
        }
    }

    #[test]
    fn a_second_413_is_the_end() {
        let mut gate = Gate::new(&Retry::Edge);
        assert!(matches!(attempt(&mut gate, &Retry::Edge, 1, A, status(413)), Next::RetryAfter { .. }));
        assert_eq!(attempt(&mut gate, &Retry::Edge, 2, A, status(413)), Next::Dead(DeadReason::TooLarge));
    }

    #[test]
    fn throttling_pauses_the_endpoint_and_a_burst_counts_once() {
        let mut gate = Gate::new(&Retry::Edge);
        for subject in [A, B] {
            attempt(&mut gate, &Retry::Edge, 0, subject, status(429));
        }
        assert_eq!(gate.passage(at(29).mono), Passage::Until(at(30).mono));
        assert_eq!(gate.closed(at(29).mono), Some((HoldReason::Throttled, Some(at(30).mono))));
        assert_eq!(gate.passage(at(30).mono), Passage::Free);
        let Next::Hold { delay, .. } = attempt(&mut gate, &Retry::Edge, 30, A, status(429)) else { panic!() };
        assert_eq!(delay, Duration::from_secs(60), "the second time running");
        attempt(&mut gate, &Retry::Edge, 100, A, status(200));
        let Next::Hold { delay, .. } = attempt(&mut gate, &Retry::Edge, 101, B, status(429)) else { panic!() };
        assert_eq!(delay, Duration::from_secs(30), "it had answered in between");
    }

    #[test]
    fn strict_presets_have_no_breaker() {
        for (retry, expected) in [(Retry::Trio, Passage::Free), (Retry::Edge, Passage::Until(at(9).mono))] {
            let mut gate = Gate::new(&retry);
            for second in 0..5 {
                attempt(&mut gate, &retry, second, A, Outcome::Unreachable);
            }
            assert_eq!(gate.passage(at(5).mono), expected, "{retry:?}");
        }
    }

    #[test]
    fn a_pause_outlives_a_restart_but_no_wrong_clock_makes_it_longer_than_an_hour() {
        for (until, expected) in [(90, Some(90)), (0, None), (3600, Some(3600)), (3601, None)] {
            let mut gate = Gate::new(&Retry::Edge);
            gate.resume_pause(Now { synced: false, ..at(0) }, Wall(until * 1000));
            assert_eq!(gate.passage(at(0).mono), Passage::Free, "by a clock that is wrong");
            gate.resume_pause(at(0), Wall(until * 1000));
            let passage = expected.map_or(Passage::Free, |seconds| Passage::Until(at(seconds).mono));
            assert_eq!(gate.passage(at(0).mono), passage, "{until}");
        }
    }

    #[test]
    fn two_410_a_minute_apart_mean_it_unless_something_else_was_said_between() {
        let mut gate = Gate::new(&Retry::Edge);
        let mut edge = |seconds, subject, code| attempt(&mut gate, &Retry::Edge, seconds, subject, status(code));
        for second in [0, 1, 59] {
            assert!(matches!(edge(second, A, 410), Next::RetryAfter { .. }), "{second}");
        }
        edge(60, B, 503);
        assert!(matches!(edge(61, A, 410), Next::RetryAfter { .. }));
        assert_eq!(edge(121, B, 410), Next::Gone);
    }

    #[test]
    fn a_host_that_does_not_exist_costs_nothing_for_a_day_then_an_attempt_every_six_hours() {
        let mut gate = Gate::new(&Retry::Edge);
        let burns: Vec<u64> = (0..=48 * 2)
            .map(|half_hours| half_hours * 1800)
            .filter(|&second| {
                let next = attempt(&mut gate, &Retry::Edge, second, A, Outcome::NoSuchHost);
                matches!(next, Next::RetryAfter { burns: true, .. })
            })
            .map(|second| second / 3600)
            .collect();
        assert_eq!(burns, [24, 30, 36, 42, 48]);
        attempt(&mut gate, &Retry::Edge, 200_000, B, status(500));
        let next = attempt(&mut gate, &Retry::Edge, 200_001, A, Outcome::NoSuchHost);
        assert!(matches!(next, Next::Hold { .. }), "it was there in between");
    }

    #[test]
    fn a_clock_that_is_wrong_is_no_reason_to_open_the_breaker() {
        let mut gate = Gate::new(&Retry::Edge);
        let hold = Next::Hold { reason: HoldReason::Clock, delay: Duration::from_secs(30) };
        for second in 0..9 {
            gate.record(at(second).mono, A, &Outcome::CertificateDates, hold);
        }
        assert_eq!(gate.passage(at(9).mono), Passage::Free);
    }

    #[test]
    fn an_outage_is_measured() {
        let mut gate = Gate::new(&Retry::Edge);
        let down = Next::Hold { reason: HoldReason::EndpointDown, delay: Duration::from_secs(1) };
        for second in 0..5 {
            assert_eq!(gate.record(at(second).mono, A, &Outcome::Unreachable, down), None);
        }
        let ended = gate.record(at(104).mono, A, &status(200), Next::Delivered);
        assert_eq!(ended, Some(Duration::from_secs(100)));
        assert_eq!(gate.record(at(105).mono, A, &status(200), Next::Delivered), None);
    }
}
