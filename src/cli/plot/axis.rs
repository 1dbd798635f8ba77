//! The axis of time below a plot.

use std::time::Duration;

use crate::cli::timeline::clock;

/// Between two labels, in seconds.
const STEPS: [u64; 17] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/// Columns that a label needs.
const ROOM: usize = 9;

/// Labels below `count` columns that stand for `length` of a clip from `from` on, behind a `gutter`. Ends with a newline.
pub(super) fn line(from: Duration, length: Duration, count: usize, gutter: usize) -> String {
    let column = |at: Duration| {
        let share = at.saturating_sub(from).as_secs_f64() / length.as_secs_f64().max(1e-9);
        (share * count as f64).round() as usize
    };
    let fits = |step: &&u64| column(from + Duration::from_secs(**step)) >= ROOM;
    let step = STEPS.iter().find(fits).or(STEPS.last()).copied().unwrap_or(1);
    let mut line = " ".repeat(gutter);
    let first = (from.as_secs_f64() / step as f64).ceil() as u64 * step;
    for at in (first..).step_by(step as usize).map(Duration::from_secs) {
        let (label, place) = (clock(at, 0), column(at));
        if at > from + length || place + label.len() > count {
            break;
        }
        let gap = (gutter + place).saturating_sub(line.len());
        line.push_str(&" ".repeat(gap));
        line.push_str(&label);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_round_and_stand_where_their_time_is() {
        let seconds = Duration::from_secs;
        assert_eq!(line(seconds(0), seconds(40), 40, 2), "  0:00      0:10      0:20      0:30\n");
        assert_eq!(line(seconds(57), seconds(20), 40, 0), "      1:00      1:05      1:10      1:15\n");
        assert_eq!(line(seconds(0), seconds(7200), 60, 0), "0:00           30:00          1:00:00        1:30:00\n");
        assert_eq!(line(seconds(0), Duration::from_millis(300), 60, 0), "0:00\n");
    }
}
