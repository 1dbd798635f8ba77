//! How large pieces are, and how quickly they may follow each other: a token bucket that holds one of them.
//!
//! Owns both; refuses to know clips and clocks. Pure: time is an argument.

use std::time::Duration;

use crate::time::Mono;

/// Bytes of a piece at most: over a thin uplink one arrives within the endpoint's `timeout`, …
const LARGEST: u64 = 128 << 10;
/// … and at least: what comes with each is small beside it.
const SMALLEST: u64 = 16 << 10;

/// The pace of one endpoint.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Bits in a second; None: as many as it takes.
    bandwidth: Option<u64>,
    /// What went before is paid for then.
    paid: Option<Mono>,
}

impl Allowance {
    pub(super) fn of(bandwidth: Option<u64>) -> Allowance {
        Allowance { bandwidth, paid: None }
    }

    /// Bytes of a piece: half a second's worth. An alert waits no longer behind one.
    pub(super) fn piece(&self) -> u64 {
        self.bandwidth.map_or(LARGEST, |bandwidth| (bandwidth / 16).clamp(SMALLEST, LARGEST))
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
    fn a_piece_is_half_a_second_long() {
        let piece = |bandwidth| Allowance::of(bandwidth).piece();
        assert_eq!(piece(Some(1_000_000)), 62_500);
        assert_eq!([piece(Some(64_000)), piece(Some(1_000_000_000)), piece(None)], [SMALLEST, LARGEST, LARGEST]);
    }
}
