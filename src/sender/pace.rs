//! How quickly one endpoint is sent to: a token bucket, and when a backlog may start.
//!
//! Owns both; refuses to know deliveries. Pure: time and chance are arguments.

use std::time::Duration;

use crate::config::Rate;
use crate::time::Mono;

/// A backlog starts at a random moment within so long after an outage: a hundred boxes that come back together do not
/// fall upon their receiver together.
const SPREAD: Duration = Duration::from_secs(30);

/// An outage that was shorter brings no crowd back. (A link that flaps would otherwise spend its good moments waiting.)
const OUTAGE: Duration = Duration::from_secs(30);

/// The pace of one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    bucket: Option<Bucket>,
    backlog: Backlog,
}

/// When old deliveries may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backlog {
    /// One goes ahead: it finds out whether there is a receiver.
    OneAhead,
    /// Not before.
    From(Mono),
}

impl Pace {
    /// At a start. None: as quickly as it goes, and a backlog at once.
    pub(super) fn new(rate: Option<Rate>, now: Mono) -> Pace {
        Pace { bucket: rate.map(|rate| Bucket::full(rate, now)), backlog: Backlog::OneAhead }
    }

    /// Whether old deliveries may go.
    pub(super) fn lets_backlog_go(&self, now: Mono) -> bool {
        self.bucket.is_none() || !matches!(self.backlog, Backlog::From(from) if now < from)
    }

    /// When they may, if not yet.
    pub(super) fn backlog_from(&self, now: Mono) -> Option<Mono> {
        match self.backlog {
            Backlog::From(from) if now < from && self.bucket.is_some() => Some(from),
            _ => None,
        }
    }

    /// The first old delivery is on its way. `chance`: 0 to 1.
    pub(super) fn backlog_went(&mut self, now: Mono, chance: f64) {
        if self.backlog == Backlog::OneAhead {
            self.backlog = Backlog::From(now.plus(SPREAD.mul_f64(chance)));
        }
    }

    /// Deliveries go through again after nothing did for `down`. `chance`: 0 to 1.
    pub(super) fn outage_ended(&mut self, now: Mono, down: Duration, chance: f64) {
        if down >= OUTAGE && self.lets_backlog_go(now) {
            self.backlog = Backlog::From(now.plus(SPREAD.mul_f64(chance)));
        }
    }

    /// Whether a delivery may go; an urgent one may borrow.
    pub(super) fn allows(&self, now: Mono, urgent: bool) -> bool {
        self.bucket.as_ref().is_none_or(|bucket| bucket.allows(now, urgent))
    }

    /// When the next one may that does not borrow.
    pub(super) fn next(&self, now: Mono) -> Mono {
        self.bucket.as_ref().map_or(now, |bucket| bucket.next(now))
    }

    /// One went.
    pub(super) fn take(&mut self, now: Mono) {
        if let Some(bucket) = &mut self.bucket {
            bucket.take(now);
        }
    }
}

/// A token bucket that holds two seconds' worth (of a rate per second), and lends as much to what is urgent. Counted in
/// nanoseconds of waiting, so that nothing is rounded.
#[derive(Clone, Debug)]
struct Bucket {
    /// How long a token takes to drip in.
    drip: u64,
    /// The most it holds.
    full: u64,
    /// What it would hold at `at`; below zero: borrowed.
    level: i128,
    at: Mono,
}

impl Bucket {
    fn full(rate: Rate, now: Mono) -> Bucket {
        let drip = nanos(rate.per) / u64::from(rate.count).max(1);
        let full = drip.saturating_mul(u64::from(rate.burst()));
        Bucket { drip, full, level: i128::from(full), at: now }
    }

    fn level(&self, now: Mono) -> i128 {
        (self.level + i128::from(nanos(now.since(self.at)))).min(i128::from(self.full))
    }

    fn allows(&self, now: Mono, urgent: bool) -> bool {
        let lent = if urgent { i128::from(self.full) } else { 0 };
        self.level(now) + lent >= i128::from(self.drip)
    }

    fn next(&self, now: Mono) -> Mono {
        let missing = i128::from(self.drip) - self.level(now);
        now.plus(Duration::from_nanos(u64::try_from(missing.max(0)).unwrap_or(u64::MAX)))
    }

    fn take(&mut self, now: Mono) {
        self.level = self.level(now) - i128::from(self.drip);
        self.at = self.at.max(now);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEN: Rate = Rate { count: 10, per: Duration::from_secs(1) };

    fn at(millis: u64) -> Mono {
        Mono(millis * 1_000_000)
    }

    #[test]
    fn a_burst_then_one_at_a_time_and_what_is_urgent_borrows() {
        let mut pace = Pace::new(Some(TEN), at(0));
        for _ in 0..20 {
            assert!(pace.allows(at(0), false));
            pace.take(at(0));
        }
        assert!(!pace.allows(at(99), false));
        assert_eq!(pace.next(at(0)), at(100));
        assert!(pace.allows(at(0), true), "urgent");
        pace.take(at(0));
        assert_eq!(pace.next(at(0)), at(200), "what was borrowed is paid back");
        for _ in 1..20 {
            assert!(pace.allows(at(0), true));
            pace.take(at(0));
        }
        assert!(!pace.allows(at(0), true), "no more than a bucketful");
    }

    #[test]
    fn a_backlog_waits_after_an_outage_but_one_goes_ahead_at_a_start() {
        let mut pace = Pace::new(Some(TEN), at(0));
        assert!(pace.lets_backlog_go(at(0)));
        pace.backlog_went(at(0), 0.5);
        assert_eq!(pace.backlog_from(at(0)), Some(at(15_000)));
        assert!(!pace.lets_backlog_go(at(14_999)));
        pace.outage_ended(at(14_999), OUTAGE, 1.0);
        assert!(pace.lets_backlog_go(at(15_000)), "a second outage does not put it off again");
        pace.outage_ended(at(20_000), Duration::from_secs(29), 1.0);
        assert!(pace.lets_backlog_go(at(20_000)), "a short one does not count");
        pace.outage_ended(at(20_000), OUTAGE, 1.0);
        assert_eq!(pace.backlog_from(at(20_000)), Some(at(50_000)));
        assert!(Pace { bucket: None, ..pace }.lets_backlog_go(at(20_000)), "without a rate nothing is paced");
    }

    proptest! {
        #[test]
        fn never_more_than_a_burst_and_the_rate(
            steps in proptest::collection::vec((0_u64..500, any::<bool>()), 1..400), count in 1_u32..50
        ) {
            let rate = Rate { count, per: Duration::from_secs(1) };
            let mut pace = Pace::new(Some(rate), at(0));
            let (mut now, mut went, mut borrowed) = (0, 0_u64, 0_u64);
            for (pause, urgent) in steps {
                now += pause;
                if pace.allows(at(now), urgent) {
                    borrowed += u64::from(!pace.allows(at(now), false));
                    pace.take(at(now));
                    went += 1;
                }
                let most = u64::from(rate.burst()) + now * u64::from(count) / 1000 + 1;
                prop_assert!(went <= most + borrowed.min(u64::from(rate.burst())), "{} in {} ms", went, now);
                prop_assert!(pace.allows(pace.next(at(now)), false));
            }
        }
    }
}
