//! How large pieces are, and how quickly they may follow each other.
//!
//! Owns both: the size is found out (a piece shall be on its way for half a second to a second, because an alert that comes
//! then stands behind it), the pace is a token bucket that holds one piece. Refuses to know clips and clocks. Pure: time is an
//! argument.

use std::time::Duration;

use crate::time::Mono;

/// Bytes of a piece: the first one, …
const FIRST: u64 = 16 << 10;
/// … and at least, …
pub(super) const SMALLEST: u64 = 4 << 10;
/// … and at most: gateways take so much at once.
const LARGEST: u64 = 128 << 10;

/// One that was on its way for so long can be larger, …
const QUICK: Duration = Duration::from_millis(500);
/// … and for so long, must be smaller.
const SLOW: Duration = Duration::from_secs(1);

/// The pace of one endpoint.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Bits in a second; None: as many as it takes.
    bandwidth: Option<u64>,
    /// What went before is paid for then.
    paid: Option<Mono>,
    /// What is found out of the line, in bytes.
    size: u64,
}

impl Allowance {
    pub(super) fn of(bandwidth: Option<u64>) -> Allowance {
        Allowance { bandwidth, paid: None, size: FIRST }
    }

    /// Bytes of a piece: half a second's worth of the bandwidth at most.
    pub(super) fn piece(&self) -> u64 {
        let half_a_second = self.bandwidth.map_or(LARGEST, |bandwidth| bandwidth / 16);
        self.size.min(half_a_second).max(SMALLEST)
    }

    /// A piece was answered after `took`.
    pub(super) fn was_answered(&mut self, took: Duration) {
        if took < QUICK {
            self.size = self.size.saturating_mul(2).min(LARGEST);
        } else if took > SLOW {
            self.size = (self.size / 2).max(SMALLEST);
        }
    }

    /// A piece was too large, for the receiver or for the line in the time that it has.
    pub(super) fn was_too_large(&mut self) {
        self.size = (self.size / 4).max(SMALLEST);
    }

    /// `bytes` are to go: how long to wait before.
    pub(super) fn take(&mut self, now: Mono, bytes: u64) -> Duration {
        let Some(bandwidth) = self.bandwidth else { return Duration::ZERO };
        let from = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = Some(from.plus(Duration::from_secs_f64(bytes as f64 * 8.0 / bandwidth.max(1) as f64)));
        from.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other_as_the_bandwidth_allows() {
        let at = |ms: u64| Mono(1_000_000_000).plus(Duration::from_millis(ms));
        let mut allowance = Allowance::of(Some(1_000_000));
        assert_eq!(allowance.take(at(0), 125_000), Duration::ZERO, "one at once");
        assert_eq!(allowance.take(at(250), 125_000), Duration::from_millis(750));
        assert_eq!(allowance.take(at(1_000), 62_500), Duration::from_secs(1));
        assert_eq!(allowance.take(at(60_000), 1), Duration::ZERO, "a pause saves up no more than one");
        assert_eq!(Allowance::of(None).take(at(0), u64::MAX), Duration::ZERO);
    }

    #[test]
    fn pieces_grow_and_shrink_with_the_line_within_the_bandwidth() {
        let mut allowance = Allowance::of(None);
        let sizes: Vec<u64> = [100, 499, 700, 499, 499, 2_000, 30_000]
            .map(|ms| {
                allowance.was_answered(Duration::from_millis(ms));
                allowance.piece() >> 10
            })
            .into();
        assert_eq!(sizes, [32, 64, 64, 128, 128, 64, 32]);
        for size in [8, 4, 4] {
            allowance.was_too_large();
            assert_eq!(allowance.piece() >> 10, size);
        }
        let mut capped = Allowance::of(Some(1_000_000));
        for _ in 0..9 {
            capped.was_answered(Duration::ZERO);
        }
        assert_eq!(capped.piece(), 62_500, "half a second");
        assert_eq!(Allowance::of(Some(64_000)).piece(), SMALLEST);
    }
}
