//! The breaker of an endpoint: stops sending to a receiver that cannot be reached, and finds out when it can.
//!
//! Owns when to send freely, when one delivery at a time as a probe, and when nothing; refuses to know deliveries, the
//! journal and clocks. Memory only: a restart tries again at once. Pure: time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use crate::delivery::Outcome;
use crate::time::Mono;

/// Opens after so many transport failures running …
const RUNNING: u32 = 5;
/// … or when of at least so many attempts …
const ENOUGH: usize = 10;
/// … within this time …
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// … so many percent failed.
const FAILED_PERCENT: usize = 70;
/// Attempts remembered at most.
const REMEMBERED: usize = 100;
/// How long it stays open for the first time; doubles with every probe that fails.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// How long it stays open at most.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);
/// How long it stays open when someone has to repair something: a certificate, an address.
const REPAIR_WAIT: Duration = Duration::from_secs(15 * 60);

/// The breaker of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    state: State,
    /// When, and whether it failed; oldest first.
    recent: VecDeque<(Mono, bool)>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures_running: u32 },
    Open { until: Mono, wait: Duration },
    Probing { wait: Duration },
}

impl Default for State {
    fn default() -> Self {
        State::Closed { failures_running: 0 }
    }
}

/// What may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Anything.
    Free,
    /// One delivery, a real one; say so with [`Breaker::probing`].
    One,
    /// Nothing before that instant.
    Until(Mono),
    /// Nothing before the probe that is on its way comes back.
    Probing,
}

/// What an outcome changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing is sent for so long.
    Opened(Duration),
    /// The receiver answers again: everything that was held for it is due.
    Closed,
}

/// What an outcome says about the way to the receiver.
enum Way {
    Open,
    Blocked,
    Unknown,
}

impl Breaker {
    /// What may be sent at `now`.
    pub fn passage(&self, now: Mono) -> Passage {
        match self.state {
            State::Closed { .. } => Passage::Free,
            State::Open { until, .. } if now >= until => Passage::One,
            State::Open { until, .. } => Passage::Until(until),
            State::Probing { .. } => Passage::Probing,
        }
    }

    /// Whether the receiver counts as reachable.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// The one delivery of [`Passage::One`] is on its way.
    pub fn probing(&mut self) {
        if let State::Open { wait, .. } = self.state {
            self.state = State::Probing { wait };
        }
    }

    /// Takes in what became of an attempt.
    pub fn record(&mut self, now: Mono, outcome: &Outcome) -> Option<Change> {
        match self.way(outcome) {
            Way::Open => self.succeeded(now),
            Way::Blocked => self.failed(now, outcome),
            Way::Unknown => {
                if let State::Probing { wait } = self.state {
                    self.state = State::Open { until: now, wait };
                }
                None
            }
        }
    }

    /// Any answer proves the way. A probe that got none may have reached a receiver that hangs: not good enough to let
    /// everything go, while without a breaker in the way it is the schedule's business.
    fn way(&self, outcome: &Outcome) -> Way {
        match outcome {
            Outcome::Status { .. } | Outcome::Reply { .. } | Outcome::Malformed => Way::Open,
            Outcome::NoSuchHost
            | Outcome::Unreachable
            | Outcome::CertificateDates
            | Outcome::Tls
            | Outcome::Forbidden => Way::Blocked,
            Outcome::NoAnswer if matches!(self.state, State::Probing { .. }) => Way::Blocked,
            Outcome::NoAnswer | Outcome::StaleConnection | Outcome::Offline | Outcome::OurFault | Outcome::ClipGone => {
                Way::Unknown
            }
        }
    }

    fn succeeded(&mut self, now: Mono) -> Option<Change> {
        let was_closed = self.is_closed();
        self.state = State::default();
        if was_closed {
            self.remember(now, false);
            return None;
        }
        self.recent.clear();
        Some(Change::Closed)
    }

    fn failed(&mut self, now: Mono, outcome: &Outcome) -> Option<Change> {
        self.remember(now, true);
        let wait = match self.state {
            State::Closed { failures_running } => {
                let failures_running = failures_running + 1;
                self.state = State::Closed { failures_running };
                if failures_running < RUNNING && !self.mostly_failed() {
                    return None;
                }
                FIRST_WAIT
            }
            State::Probing { wait } => (wait * 2).min(LONGEST_WAIT),
            // Sent before it opened: nothing new.
            State::Open { .. } => return None,
        };
        let wait = if needs_repair(outcome) { REPAIR_WAIT } else { wait };
        self.state = State::Open { until: now.plus(wait), wait };
        Some(Change::Opened(wait))
    }

    fn remember(&mut self, now: Mono, failed: bool) {
        self.recent.push_back((now, failed));
        while self.recent.len() > REMEMBERED || self.recent.front().is_some_and(|(at, _)| now.since(*at) > WINDOW) {
            self.recent.pop_front();
        }
    }

    fn mostly_failed(&self) -> bool {
        let failed = self.recent.iter().filter(|(_, failed)| *failed).count();
        self.recent.len() >= ENOUGH && failed * 100 >= self.recent.len() * FAILED_PERCENT
    }
}

/// Somebody has to mend a certificate or a setting first.
fn needs_repair(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::CertificateDates | Outcome::Tls | Outcome::Forbidden)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OK: Outcome = Outcome::Status { status: 200, retry_after: None };

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000_000)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for second in 0..4 {
            assert_eq!(breaker.record(at(second), &Outcome::Unreachable), None);
            assert_eq!(breaker.passage(at(second)), Passage::Free);
        }
        assert_eq!(breaker.record(at(4), &Outcome::Unreachable), Some(Change::Opened(FIRST_WAIT)));
        breaker
    }

    #[test]
    fn five_failures_running_open_it_and_one_probe_closes_it() {
        let mut breaker = opened();
        assert_eq!(breaker.passage(at(8)), Passage::Until(at(9)));
        assert_eq!(breaker.passage(at(9)), Passage::One);
        breaker.probing();
        assert_eq!(breaker.passage(at(9)), Passage::Probing);
        assert_eq!(breaker.record(at(10), &OK), Some(Change::Closed));
        assert_eq!(breaker.passage(at(10)), Passage::Free);
    }

    #[test]
    fn the_wait_doubles_up_to_five_minutes_and_starts_again_after_a_success() {
        let mut breaker = opened();
        let mut waits = Vec::new();
        let mut now = at(1_000);
        for _ in 0..8 {
            assert_eq!(breaker.passage(now), Passage::One);
            breaker.probing();
            let Some(Change::Opened(wait)) = breaker.record(now, &Outcome::NoAnswer) else { panic!("stays open") };
            waits.push(wait.as_secs());
            now = now.plus(wait);
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300, 300]);
        breaker.probing();
        assert_eq!(breaker.record(now, &Outcome::Status { status: 500, retry_after: None }), Some(Change::Closed));
        for _ in 0..4 {
            assert_eq!(breaker.record(now, &Outcome::Unreachable), None);
        }
        assert_eq!(breaker.record(now, &Outcome::Unreachable), Some(Change::Opened(FIRST_WAIT)));
    }

    #[test]
    fn broken_tls_waits_for_someone_to_repair_it() {
        let mut breaker = Breaker::default();
        let changes: Vec<_> = (0..5).filter_map(|second| breaker.record(at(second), &Outcome::Tls)).collect();
        assert_eq!(changes, [Change::Opened(REPAIR_WAIT)]);
    }

    #[test]
    fn seven_of_ten_open_it_though_some_pass() {
        let mut breaker = Breaker::default();
        let pattern = [false, true, true, true, false, true, true, false, true, true];
        let mut opened_at = None;
        for (n, failed) in pattern.into_iter().enumerate() {
            let outcome = if failed { Outcome::Unreachable } else { OK };
            if breaker.record(at(n as u64), &outcome).is_some() {
                opened_at = Some(n);
            }
        }
        assert_eq!(opened_at, Some(9));
    }

    #[test]
    fn old_failures_are_forgotten() {
        let mut breaker = Breaker::default();
        for n in 0..20 {
            let outcome = if n % 4 == 3 { OK } else { Outcome::Unreachable };
            assert_eq!(breaker.record(at(n * 60), &outcome), None, "{n}");
        }
    }

    #[test]
    fn a_probe_that_tells_nothing_is_followed_by_another() {
        let mut breaker = opened();
        breaker.probing();
        assert_eq!(breaker.record(at(9), &Outcome::Offline), None);
        assert_eq!(breaker.passage(at(9)), Passage::One);
    }

    proptest! {
        #[test]
        fn it_never_locks_for_good(steps in proptest::collection::vec((0_u64..400, 0_usize..5), 0..200)) {
            let outcomes = [OK, Outcome::Unreachable, Outcome::Tls, Outcome::NoAnswer, Outcome::Offline];
            let mut breaker = Breaker::default();
            let mut now = at(0);
            for (pause, outcome) in steps {
                now = now.plus(Duration::from_secs(pause));
                match breaker.passage(now) {
                    Passage::Free => {}
                    Passage::One => breaker.probing(),
                    Passage::Until(until) => {
                        prop_assert!(until.since(now) <= REPAIR_WAIT);
                        now = until;
                        prop_assert_eq!(breaker.passage(now), Passage::One);
                        breaker.probing();
                    }
                    Passage::Probing => prop_assert!(false, "every probe came back"),
                }
                breaker.record(now, &outcomes[outcome]);
                prop_assert!(breaker.recent.len() <= REMEMBERED);
            }
        }
    }
}
