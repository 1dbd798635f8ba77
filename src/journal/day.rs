//! The figures of a day, from what was counted in it.
//!
//! Owns the denominators (holds are not failures) and the percentile of a histogram; refuses to know where the counts come
//! from. Pure.

use std::collections::BTreeMap;

/// What was counted of an endpoint or a monitor within a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    /// Deliveries of an endpoint, events of a monitor.
    pub(super) accepted: u64,
    /// Of these events, those that somebody is told of.
    pub(super) owed: u64,
    /// Of these events, those that somebody would have been told of, had the monitor been armed.
    pub(super) shadow: u64,
    /// Deliveries that arrived.
    pub(super) delivered: u64,
    /// Deliveries that ended otherwise.
    pub(super) failed: u64,
    /// The sum of the latencies that are known.
    pub(super) latency_ms: u64,
    /// Deliveries by the upper bound of their latency in milliseconds.
    pub(super) slots: BTreeMap<i64, u64>,
}

impl Day {
    /// Delivered of what ended, 0 to 1; 1 when nothing did.
    pub(super) fn success_rate(&self) -> f64 {
        match self.delivered + self.failed {
            0 => 1.0,
            ended => self.delivered as f64 / ended as f64,
        }
    }

    fn timed(&self) -> u64 {
        self.slots.values().sum()
    }

    /// Exact; 0 when nothing arrived.
    pub(super) fn average_ms(&self) -> f64 {
        match self.timed() {
            0 => 0.0,
            timed => self.latency_ms as f64 / timed as f64,
        }
    }

    /// Nearest rank, within its slot as if latencies lay evenly in it; 0 when nothing arrived.
    pub(super) fn percentile_ms(&self, percent: u64) -> f64 {
        let rank = (self.timed() * percent).div_ceil(100);
        let mut seen = 0;
        for (&up_to, &count) in &self.slots {
            if seen + count >= rank && rank > 0 {
                let above = slots().take_while(|slot| *slot < up_to).last().unwrap_or(0) as f64;
                let up_to = if up_to == i64::MAX { above } else { up_to as f64 };
                return above + (up_to - above) * (rank - seen) as f64 / count as f64;
            }
            seen += count;
        }
        0.0
    }
}

/// The Renard series R20: each slot is an eighth wider than the one before.
const STEPS: [i64; 20] = [10, 11, 13, 14, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63, 71, 80, 90];

/// The upper bounds of all slots, ascending; the schema has them as a table.
pub(super) fn slots() -> impl Iterator<Item = i64> {
    let decades = (0..8).flat_map(|decade| STEPS.map(|step| step * 10_i64.pow(decade)));
    (1..10).chain(decades).chain([i64::MAX])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(latency: i64) -> i64 {
        slots().find(|up_to| *up_to >= latency).unwrap()
    }

    fn day(latencies: impl IntoIterator<Item = i64>) -> Day {
        let mut day = Day::default();
        for latency in latencies {
            day.delivered += 1;
            day.latency_ms += latency.unsigned_abs();
            *day.slots.entry(slot(latency)).or_default() += 1;
        }
        day
    }

    #[test]
    fn the_rate_counts_what_ended() {
        let rate = |delivered, failed| Day { delivered, failed, ..Day::default() }.success_rate();
        assert_eq!((rate(4, 1), rate(0, 3), rate(0, 0)), (0.8, 0.0, 1.0));
    }

    #[test]
    fn the_percentile_of_known_distributions_is_right_to_an_eighth() {
        let even = day(1..=10_000);
        let exponential = day((0..10_000).map(|n| (-200.0 * (1.0 - f64::from(n) / 10_000.0).ln()) as i64));
        let two_humps = day((0..1000).map(|n| if n < 900 { 20 + n % 5 } else { 3000 + n }));
        let one_value = day([21; 100]);
        for (day, percent, exact) in [
            (&even, 95, 9500.0),
            (&even, 50, 5000.0),
            (&exponential, 95, 599.0),
            (&exponential, 50, 138.0),
            (&two_humps, 95, 3949.0),
            (&two_humps, 50, 22.0),
            (&one_value, 95, 21.0),
        ] {
            let told = day.percentile_ms(percent);
            assert!((told / exact - 1.0).abs() < 0.125, "p{percent}: {told} for {exact}");
        }
        assert_eq!(even.average_ms(), 5000.5);
    }

    #[test]
    fn one_latency_is_told_by_its_slot_and_none_as_zero() {
        assert_eq!((day([]).percentile_ms(95), day([]).average_ms()), (0.0, 0.0));
        assert_eq!(day([0]).percentile_ms(95), 1.0);
        assert_eq!((day([7]).percentile_ms(95), day([7]).average_ms()), (7.0, 7.0));
        assert_eq!(day([i64::MAX / 2]).percentile_ms(95), 900_000_000.0, "the last slot has no end");
    }

    #[test]
    fn the_schema_has_the_same_slots() {
        let dir = tempfile::tempdir().unwrap();
        let connection = crate::journal::database::open_for_writing(dir.path()).unwrap();
        let mut statement = connection.prepare("SELECT up_to_ms FROM latency_slot ORDER BY up_to_ms").unwrap();
        let there: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(there, slots().collect::<Vec<_>>());
    }
}
