//! Moments as the formats write them.
//!
//! Owns the spellings that are no whole milliseconds with a `Z`; refuses to know what happened then. Pure.

use jiff::Timestamp;

use crate::time::Wall;

/// `2026-01-26T10:35:00.120007Z`, of microseconds since 1970.
pub(super) fn micros(moment_us: i64) -> String {
    format!("{:.6}", at(moment_us))
}

/// `2026-01-26T10:35:00.120000+00:00`, which Python's `datetime.fromisoformat` reads from 3.7 on.
pub(super) fn iso_format(wall: Wall) -> String {
    let with_z = micros(wall.0.saturating_mul(1000));
    format!("{}+00:00", with_z.trim_end_matches('Z'))
}

/// `10:35:00 UTC`, for people.
pub(super) fn time_of_day(wall: Wall) -> String {
    at(wall.0.saturating_mul(1000)).strftime("%H:%M:%S UTC").to_string()
}

/// `2026-01-26 10:35:00 UTC`, for people.
pub(super) fn date_and_time(wall: Wall) -> String {
    at(wall.0.saturating_mul(1000)).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn at(moment_us: i64) -> Timestamp {
    Timestamp::from_microsecond(moment_us).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_is_written_also_where_it_is_zero() {
        assert_eq!(micros(1_769_423_700_120_007), "2026-01-26T10:35:00.120007Z");
        assert_eq!(micros(1_769_423_700_000_000), "2026-01-26T10:35:00.000000Z");
        assert_eq!(iso_format(Wall(1_769_423_700_000)), "2026-01-26T10:35:00.000000+00:00");
        assert_eq!(time_of_day(Wall(1_769_423_700_120)), "10:35:00 UTC");
        assert_eq!(date_and_time(Wall(1_769_423_700_120)), "2026-01-26 10:35:00 UTC");
        assert_eq!(micros(i64::MAX), micros(i64::MAX - 1), "no clock says so");
    }
}
