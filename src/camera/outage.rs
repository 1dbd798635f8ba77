//! What is worth a line in the log while a camera is away.
//!
//! Owns what was said of an outage so far: its start, each new cause once, a summary now and then, its end. A camera that
//! comes and goes is one outage until it has stayed, so that it can't fill the log. Refuses to know what the lines say. Pure.

use std::time::Duration;

use crate::time::Now;

/// An outage is over when pictures came for so long.
pub const STAYED: Duration = Duration::from_secs(10);
/// So many short returns are worth a line each.
const RETURNS_TOLD: u32 = 3;
/// From one summary to the next.
const SUMMARY: Duration = Duration::from_secs(60 * 60);

/// What to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The camera is offline.
    Offline,
    /// It still is, but for another reason.
    OtherCause,
    /// It still is, after so many attempts.
    Summary,
}

/// An outage of one camera.
#[derive(Clone, Debug)]
pub struct Outage {
    since: Now,
    attempts: u64,
    /// Pictures came again, but not for long.
    returns: u32,
    /// Since when, if they come now.
    back: Option<Now>,
    causes: Vec<&'static str>,
    told: Now,
}

impl Outage {
    /// It begins.
    pub fn new(now: Now) -> Outage {
        Outage { since: now, attempts: 0, returns: 0, back: None, causes: Vec::new(), told: now }
    }

    /// How long ago it began.
    pub fn lasted(&self, now: Now) -> Duration {
        now.mono.since(self.since.mono)
    }

    /// Attempts to connect that failed, and connections that ended.
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Times that it came back for a moment.
    pub fn returns(&self) -> u32 {
        self.returns
    }

    /// An attempt failed, or a connection ended, because of `cause`.
    pub fn failed(&mut self, cause: &'static str, now: Now) -> Option<Line> {
        self.attempts += 1;
        let was_back = self.back.take().is_some();
        self.returns += u32::from(was_back);
        let is_new = !self.causes.contains(&cause);
        if is_new {
            self.causes.push(cause);
        }
        if self.attempts == 1 || (was_back && self.returns <= RETURNS_TOLD) {
            return Some(Line::Offline);
        }
        if is_new {
            return Some(Line::OtherCause);
        }
        if now.mono.since(self.told.mono) >= SUMMARY {
            self.told = now;
            return Some(Line::Summary);
        }
        None
    }

    /// Pictures come. Whether that is worth a line.
    pub fn returned(&mut self, now: Now) -> bool {
        self.back = Some(now);
        self.returns < RETURNS_TOLD
    }

    /// Whether it is over with a picture that came at `picture`.
    pub fn is_over(&self, picture: Now) -> bool {
        self.back.is_some_and(|back| picture.mono.since(back.mono) >= STAYED)
    }

    /// Whether its end is still to be said.
    pub fn ends_untold(&self) -> bool {
        self.returns >= RETURNS_TOLD
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Now {
        Now::in_clip(Duration::from_secs(seconds))
    }

    #[test]
    fn its_start_each_new_cause_once_and_a_summary_an_hour() {
        let mut outage = Outage::new(at(0));
        assert_eq!(outage.failed("eos", at(0)), Some(Line::Offline));
        assert_eq!(outage.failed("refused", at(1)), Some(Line::OtherCause));
        let alternating = (2..3600).map(|second| outage.failed(["eos", "refused"][second % 2], at(second as u64)));
        assert_eq!(alternating.flatten().count(), 0);
        assert_eq!(outage.failed("refused", at(3600)), Some(Line::Summary));
        assert_eq!(outage.failed("refused", at(3601)), None);
        assert_eq!((outage.attempts(), outage.lasted(at(3601))), (3602, Duration::from_secs(3601)));
    }

    #[test]
    fn a_camera_that_comes_and_goes_is_told_of_a_few_times_and_again_when_it_stays() {
        let mut outage = Outage::new(at(0));
        let mut told = Vec::new();
        for second in (0..100).step_by(10) {
            told.push((outage.failed("eos", at(second)).is_some(), outage.returned(at(second + 5))));
        }
        let expected: Vec<_> = (0..10).map(|nth| (nth <= 3, nth < 3)).collect();
        assert_eq!(told, expected);
        assert!(!outage.is_over(at(104)) && outage.is_over(at(105)) && outage.ends_untold());
    }

    proptest! {
        #[test]
        fn a_day_of_anything_is_few_lines(steps in proptest::collection::vec((0..9_u64, 0..4_usize, any::<bool>()), 2000)) {
            let (mut outage, mut now, mut lines) = (Outage::new(at(0)), 0, 0);
            for (seconds, cause, back) in steps {
                now += seconds;
                lines += usize::from(outage.failed(["eos", "refused", "stalled", "auth"][cause], at(now)).is_some());
                if back {
                    lines += usize::from(outage.returned(at(now)));
                }
            }
            prop_assert!(lines <= 3 + 3 + 1 + 4 + now as usize / 3600, "{lines} in {now} s");
        }
    }
}
