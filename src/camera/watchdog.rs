//! When a connection that looks alive is not.
//!
//! Owns the limits; counts video packets and pictures, nothing else: keep-alives and audio are no sign of life. Pure.

use std::time::Duration;

use super::problem::Problem;
use crate::time::Now;

/// From the start of an attempt to the first video packet.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Between two video packets. With the teardown it keeps an unplugged camera's notice well under 10 s.
pub const STALL_LIMIT: Duration = Duration::from_secs(5);
/// From one picture to the next while packets come. Longer than any sensible GOP.
pub const PICTURE_LIMIT: Duration = Duration::from_secs(20);

/// Watches one connection.
#[derive(Debug)]
pub struct Watchdog {
    opened: Now,
    packet: Option<Now>,
    picture: Now,
    /// Something was decoded since, and gave none.
    in_vain: bool,
}

impl Watchdog {
    /// A connection that was begun now.
    pub fn new(now: Now) -> Watchdog {
        Watchdog { opened: now, packet: None, picture: now, in_vain: false }
    }

    /// A video packet came.
    pub fn packet(&mut self, now: Now) {
        self.packet = Some(now);
    }

    /// A picture was decoded.
    pub fn picture(&mut self, now: Now) {
        (self.picture, self.in_vain) = (now, false);
    }

    /// A packet was decoded, and no picture came of it. A camera that is asleep isn't blamed for what it sleeps through.
    pub fn decoded_in_vain(&mut self) {
        self.in_vain = true;
    }

    /// What is wrong, if anything.
    pub fn check(&self, now: Now) -> Result<(), Problem> {
        let over = |since: Now, limit| now.mono.since(since.mono) >= limit;
        match self.packet {
            None if over(self.opened, CONNECT_LIMIT) => Err(Problem::Timeout(CONNECT_LIMIT)),
            Some(packet) if over(packet, STALL_LIMIT) => Err(Problem::Stalled(STALL_LIMIT)),
            Some(_) if self.in_vain && over(self.picture, PICTURE_LIMIT) => Err(Problem::NoPictures(PICTURE_LIMIT)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now::in_clip(Duration::from_secs(seconds))
    }

    #[test]
    fn silence_has_three_names() {
        let mut watchdog = Watchdog::new(at(0));
        assert_eq!(watchdog.check(at(9)), Ok(()));
        assert_eq!(watchdog.check(at(10)), Err(Problem::Timeout(CONNECT_LIMIT)));
        watchdog.packet(at(7));
        assert_eq!(watchdog.check(at(11)), Ok(()));
        assert_eq!(watchdog.check(at(12)), Err(Problem::Stalled(STALL_LIMIT)));
        (0..=20).for_each(|second| watchdog.packet(at(second)));
        assert_eq!(watchdog.check(at(20)), Ok(()), "nothing was decoded");
        watchdog.decoded_in_vain();
        assert_eq!(watchdog.check(at(20)), Err(Problem::NoPictures(PICTURE_LIMIT)));
        watchdog.picture(at(20));
        assert_eq!(watchdog.check(at(20)), Ok(()));
    }
}
