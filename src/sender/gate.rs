//! What one endpoint lets through, as far as is known.
//!
//! Owns what is remembered about an endpoint between attempts: the breaker, pauses, and which types of event it took since
//! it refused something. Memory only: after a restart everything is found out again, at the price of an attempt.
//! Refuses to know the journal and sockets. Pure: time is an argument.

use std::collections::HashMap;

use uuid::Uuid;

use crate::config::Retry;
use crate::delivery::{HoldReason, Outcome};
use crate::event::EventType;
use crate::retry::breaker::{Breaker, Passage};
use crate::retry::taxonomy::acts_on_endpoint;
use crate::retry::{Circumstances, Next};
use crate::time::{Mono, Now};

/// Refused deliveries remembered at most; those beyond are judged as if each refusal were their first.
const REMEMBERED: usize = 10_000;

/// The gate of one endpoint.
#[derive(Debug)]
pub(super) struct Gate {
    breaker: Option<Breaker>,
    pause: Option<(HoldReason, Mono)>,
    throttled_running: u32,
    offline_running: u32,
    refusals: HashMap<Uuid, Refusal>,
    last_success: HashMap<EventType, Mono>,
}

/// What a delivery met before, and since when it has met nothing else.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    since: Mono,
    status: u16,
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
            pause: None,
            throttled_running: 0,
            offline_running: 0,
            refusals: HashMap::new(),
            last_success: HashMap::new(),
        }
    }

    /// What may be sent now.
    pub(super) fn passage(&self, now: Mono) -> Passage {
        match self.pause {
            Some((_, until)) if now < until => Passage::Until(until),
            _ => self.breaker.as_ref().map_or(Passage::Free, |breaker| breaker.passage(now)),
        }
    }

    /// Why nothing is sent, if that is so, and until when; without an instant until the probe comes back.
    pub(super) fn closed(&self, now: Mono) -> Option<(HoldReason, Option<Mono>)> {
        match self.pause {
            Some((reason, until)) if now < until => Some((reason, Some(until))),
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

    /// In which an attempt is judged.
    pub(super) fn circumstances(&self, now: Now, subject: Subject, outcome: &Outcome) -> Circumstances {
        let refused = self.refusals.get(&subject.delivery);
        let refused = refused.filter(|refused| Some(refused.status) == outcome.status());
        let taken = self.last_success.get(&subject.kind);
        Circumstances {
            clock_synced: now.synced,
            throttled_running: self.before(now.mono, HoldReason::Throttled, self.throttled_running),
            offline_running: self.before(now.mono, HoldReason::Offline, self.offline_running),
            others_delivered_since: refused.zip(taken).is_some_and(|(refused, taken)| *taken > refused.since),
        }
    }

    /// Takes in an attempt that was judged.
    pub(super) fn record(&mut self, now: Mono, subject: Subject, outcome: &Outcome, next: Next) {
        match next {
            Next::Hold { reason: HoldReason::EndpointDown, .. } => {}
            Next::Hold { reason, delay } => self.pause(now, reason, now.plus(delay)),
            Next::Delivered => {
                self.last_success.insert(subject.kind, now);
            }
            Next::RetryAfter { .. } | Next::Dead(_) => {}
        }
        if !matches!(next, Next::Hold { .. }) {
            (self.throttled_running, self.offline_running) = (0, 0);
        }
        self.remember(now, subject.delivery, outcome, next);
        if let Some(breaker) = &mut self.breaker {
            breaker.record(now, outcome);
        }
    }

    /// How often running something was met before: attempts that were under way together and met the same count as one.
    fn before(&self, now: Mono, reason: HoldReason, running: u32) -> u32 {
        if self.is_paused_for(now, reason) { running.saturating_sub(1) } else { running }
    }

    fn is_paused_for(&self, now: Mono, reason: HoldReason) -> bool {
        self.pause.is_some_and(|(known, until)| known == reason && now < until)
    }

    fn pause(&mut self, now: Mono, reason: HoldReason, until: Mono) {
        if !self.is_paused_for(now, reason) {
            match reason {
                HoldReason::Throttled => self.throttled_running = self.throttled_running.saturating_add(1),
                HoldReason::Offline => self.offline_running = self.offline_running.saturating_add(1),
                HoldReason::EndpointDown | HoldReason::Clock | HoldReason::Paused => {}
            }
        }
        let until = self.pause.map_or(until, |(_, known)| known.max(until));
        self.pause = Some((reason, until));
    }

    fn remember(&mut self, now: Mono, delivery: Uuid, outcome: &Outcome, next: Next) {
        match (next, outcome.status()) {
            (Next::Delivered | Next::Dead(_), _) => {
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
        let next = next(retry, &progress, &outcome, &gate.circumstances(at(seconds), subject, &outcome), 0.0);
        gate.record(at(seconds).mono, subject, &outcome, next);
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
    fn an_offline_box_pauses_every_preset() {
        let mut gate = Gate::new(&Retry::Trio);
        attempt(&mut gate, &Retry::Trio, 0, A, Outcome::Offline);
        assert_eq!(gate.closed(at(1).mono), Some((HoldReason::Offline, Some(at(5).mono))));
    }
}
