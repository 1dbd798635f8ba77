//! Where in a clip its alerts are.
//!
//! Owns the way from an alert's clocks to the clip's own time; refuses to know pages and files. Reads the journal on the
//! caller's thread.

use std::time::Duration;

use super::super::refusal::Refusal;
use super::page::Moment;
use crate::event::{Event, EventData, Triggered};
use crate::journal::{ClipRow, EventRow, Reader};
use crate::time::{Boot, Now, Wall};

/// Its first picture, or where there is none yet, what began it.
pub(super) fn began(row: &ClipRow) -> Wall {
    row.started_us.map_or(row.asked, |us| Wall(us / 1000))
}

/// What a clip shows, in order; what the journal no longer knows is left out.
pub(super) fn moments(reader: &Reader, row: &ClipRow) -> Result<Vec<Moment>, Refusal> {
    let alerts = alerts(reader, row)?;
    let observed: Vec<(Boot, Now)> = alerts.iter().map(|(event, _)| (event.boot, event.observed)).collect();
    let places = places(began(row), row.duration, &observed);
    let moment = |((event, triggered), at): ((Event, Triggered), Duration)| Moment {
        at,
        seen: event.observed.wall,
        monitor: event.monitor.map(|monitor| monitor.to_string()).unwrap_or_default(),
        condition: triggered.condition,
        confidence: triggered.confidence,
        explanation: triggered.explanation,
        regions: triggered.regions,
    };
    Ok(alerts.into_iter().zip(places).map(moment).collect())
}

/// Where the first of them is.
pub(super) fn first(reader: &Reader, row: &ClipRow) -> Result<Duration, Refusal> {
    Ok(moments(reader, row)?.first().map_or(Duration::ZERO, |moment| moment.at))
}

fn alerts(reader: &Reader, row: &ClipRow) -> Result<Vec<(Event, Triggered)>, Refusal> {
    let mut alerts = Vec::new();
    for alert in &row.alerts {
        let Some(EventRow { event, .. }) = reader.event(*alert)? else { continue };
        if let EventData::Triggered(triggered) = event.data.clone() {
            alerts.push((event, triggered));
        }
    }
    Ok(alerts)
}

/// Where alerts that were observed then are in a clip that began at `began` and plays so long, if that is known already.
/// The wall clock may have been set meanwhile, so it places one alert only, the first whose place is in the clip, and the
/// monotonic clock places the others.
fn places(began: Wall, duration: Option<Duration>, observed: &[(Boot, Now)]) -> Vec<Duration> {
    let longest = duration.map_or(i64::MAX, millis);
    let by_wall = |now: &Now| now.wall.0.saturating_sub(began.0);
    let is_inside = |(_, now): &&(Boot, Now)| (0..=longest).contains(&by_wall(now));
    let Some((boot, anchor)) = observed.iter().find(is_inside).or(observed.first()) else { return Vec::new() };
    let place = |(of, now): &(Boot, Now)| {
        let at = match of == boot {
            true => by_wall(anchor)
                .saturating_add(millis(now.mono.since(anchor.mono)))
                .saturating_sub(millis(anchor.mono.since(now.mono))),
            false => by_wall(now),
        };
        Duration::from_millis(at.clamp(0, longest).unsigned_abs())
    };
    observed.iter().map(place).collect()
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Mono;

    const BEGAN: Wall = Wall(1_769_423_700_000);

    /// Observed so long after the clip began, while the wall clock was so far ahead.
    fn observed(ms: u64, ahead_ms: i64) -> (Boot, Now) {
        let mono = Mono((1_000_000 + ms) * 1_000_000);
        (Boot(uuid::Uuid::from_u128(1)), Now { mono, wall: Wall(BEGAN.0 + ms as i64 + ahead_ms), synced: true })
    }

    fn placed(alerts: &[(Boot, Now)]) -> Vec<u128> {
        places(BEGAN, Some(Duration::from_secs(60)), alerts).iter().map(Duration::as_millis).collect()
    }

    #[test]
    fn alerts_are_where_they_were_seen() {
        assert_eq!(placed(&[observed(5_000, 0), observed(9_000, 0), observed(8_000, 0)]), [5_000, 9_000, 8_000]);
        assert_eq!(placed(&[]), [0; 0]);
    }

    #[test]
    fn a_clock_that_is_set_meanwhile_moves_nothing() {
        let years = 56 * 365 * 86_400_000;
        for step in [years, -years, 3_000, -3_000] {
            assert_eq!(placed(&[observed(5_000, 0), observed(9_000, step)]), [5_000, 9_000], "{step}");
        }
        assert_eq!(placed(&[observed(5_000, years), observed(9_000, 0)]), [5_000, 9_000], "the first is off");
    }

    #[test]
    fn what_cannot_be_placed_is_no_further_away_than_the_clip_is_long() {
        assert_eq!(placed(&[observed(5_000, i64::MAX / 2)]), [60_000]);
        assert_eq!(placed(&[observed(5_000, -6_000), observed(9_000, 0)]), [5_000, 9_000]);
        let other = (Boot(uuid::Uuid::from_u128(2)), observed(20_000, 0).1);
        assert_eq!(placed(&[observed(5_000, 0), other]), [5_000, 20_000], "of another boot, by the wall clock");
    }

    #[test]
    fn a_clip_that_goes_on_with_an_event_begins_after_its_alert() {
        let (boot, mut before) = observed(0, -100_000);
        before.mono = Mono(before.mono.0 - 100_000_000_000);
        assert_eq!(placed(&[(boot, before), observed(20_000, 0)]), [0, 20_000]);
    }
}
