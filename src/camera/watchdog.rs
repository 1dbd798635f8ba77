//! When a connection that looks alive is not.
//!
//! Owns the limits of silence, and asks `flood` and `stillness`; counts video packets and pictures, nothing else:
//! keep-alives and audio are no sign of life. Time in which this process didn't run counts against nobody. Pure.

use std::time::Duration;

use super::feed::Seen;
use super::flood::Flood;
use super::packet::Class;
use super::problem::Problem;
use super::stillness::{Look, Stillness};
use crate::time::Now;

/// From the start of an attempt to the first video packet.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Between two video packets. With the teardown it keeps an unplugged camera's notice well under 10 s.
pub const STALL_LIMIT: Duration = Duration::from_secs(5);
/// From one picture to the next while packets come, and from the first attempt at one to the latest. Longer than any
/// sensible GOP.
pub const PICTURE_LIMIT: Duration = Duration::from_secs(20);
/// The loop comes by five times a second. If it didn't for so long, it was us that stood still (a stopped process, a machine
/// with far too much to do), and what waits for us meanwhile is no sign of silence.
pub const ABSENCE: Duration = Duration::from_secs(2);

/// Watches one camera, connection after connection.
#[derive(Debug)]
pub struct Watchdog {
    opened: Now,
    packet: Option<Now>,
    picture: Now,
    /// When something was first decoded since and gave none, and when last. A camera that sleeps isn't blamed for what it
    /// sleeps through.
    in_vain: Option<(Now, Now)>,
    /// When the loop last came by.
    came: Now,
    flood: Flood,
    flooded: bool,
    stillness: Stillness,
    look: Look,
}

impl Watchdog {
    /// Nothing is connected yet.
    pub fn new(now: Now) -> Watchdog {
        Watchdog {
            opened: now,
            packet: None,
            picture: now,
            in_vain: None,
            came: now,
            flood: Flood::default(),
            flooded: false,
            stillness: Stillness::default(),
            look: Look::Alive,
        }
    }

    /// A connection is begun.
    pub fn open(&mut self, now: Now) {
        (self.opened, self.packet, self.picture, self.came) = (now, None, now, now);
        self.in_vain = None;
        self.flood.interrupted();
        self.flooded = false;
        self.stillness.interrupted();
    }

    /// The loop comes by. How long it was away if that is our own fault; all clocks are then pushed forward by as much.
    pub fn come_by(&mut self, now: Now) -> Option<Duration> {
        let away = now.mono.since(std::mem::replace(&mut self.came, now).mono);
        if away < ABSENCE {
            return None;
        }
        let push = |clock: &mut Now| *clock = Now { mono: clock.mono.plus(away).min(now.mono), ..*clock };
        push(&mut self.opened);
        push(&mut self.picture);
        self.packet.as_mut().map(push);
        if let Some((first, _)) = &mut self.in_vain {
            push(first);
        }
        self.flood.interrupted();
        self.stillness.interrupted();
        Some(away)
    }

    /// A video packet came.
    pub fn packet(&mut self, class: Class, now: Now) {
        self.packet = Some(now);
        self.flooded = self.flood.packet(now);
        if class != Class::Delta {
            self.stillness.start();
        }
    }

    /// What was seen of it.
    pub(super) fn seen(&mut self, seen: &Seen, now: Now) {
        if seen.pictures > 0 {
            self.picture = now;
            self.in_vain = None;
            self.look = self.stillness.picture(seen.fingerprint, seen.uniform, now);
        } else if seen.tried {
            self.in_vain = Some((self.in_vain.map_or(now, |(first, _)| first), now));
        }
    }

    /// Whether a new connection has brought the very picture that the one before was left for.
    pub fn is_frozen(&self) -> bool {
        self.look == Look::Frozen
    }

    /// Why the connection must be begun anew, if it must.
    pub fn check(&self, now: Now) -> Result<(), Problem> {
        let over = |since: Now, limit| now.mono.since(since.mono) >= limit;
        let in_vain = self.in_vain.is_some_and(|(first, last)| last.mono.since(first.mono) >= PICTURE_LIMIT);
        match self.packet {
            None if over(self.opened, CONNECT_LIMIT) => Err(Problem::Timeout(CONNECT_LIMIT)),
            Some(packet) if over(packet, STALL_LIMIT) => Err(Problem::Stalled(STALL_LIMIT)),
            Some(_) if in_vain && over(self.picture, PICTURE_LIMIT) => Err(Problem::NoPictures(PICTURE_LIMIT)),
            Some(_) if self.flooded => Err(Problem::Flood),
            Some(_) if self.look == Look::Suspect => Err(Problem::Still),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Now {
        Now::in_clip(Duration::from_secs(seconds))
    }

    fn picture(fingerprint: u64) -> Seen {
        Seen { pictures: 1, tried: true, fingerprint: Some(fingerprint), uniform: false }
    }

    #[test]
    fn silence_has_three_names() {
        let mut watchdog = Watchdog::new(at(0));
        watchdog.open(at(0));
        assert_eq!(watchdog.check(at(9)), Ok(()));
        assert_eq!(watchdog.check(at(10)), Err(Problem::Timeout(CONNECT_LIMIT)));
        watchdog.packet(Class::Idr, at(7));
        assert_eq!(watchdog.check(at(11)), Ok(()));
        assert_eq!(watchdog.check(at(12)), Err(Problem::Stalled(STALL_LIMIT)));
        (0..=20).for_each(|second| watchdog.packet(Class::Delta, at(second)));
        assert_eq!(watchdog.check(at(20)), Ok(()), "nothing was decoded");
        let vain = Seen { tried: true, ..Seen::default() };
        watchdog.seen(&vain, at(20));
        (21..=40).for_each(|second| watchdog.packet(Class::Delta, at(second)));
        assert_eq!(watchdog.check(at(40)), Ok(()), "one keyframe was bad, and nothing was tried since");
        watchdog.seen(&vain, at(39));
        assert_eq!(watchdog.check(at(40)), Ok(()));
        watchdog.seen(&vain, at(40));
        assert_eq!(watchdog.check(at(40)), Err(Problem::NoPictures(PICTURE_LIMIT)));
        watchdog.seen(&picture(1), at(40));
        assert_eq!(watchdog.check(at(40)), Ok(()));
        watchdog.seen(&vain, at(41));
        assert_eq!(watchdog.check(at(41)), Ok(()), "it begins anew");
    }

    #[test]
    fn a_flood_and_a_frozen_picture_end_the_connection_and_the_next_one_starts_clean() {
        let mut watchdog = Watchdog::new(at(0));
        (0..4000).for_each(|nth| watchdog.packet(Class::Delta, Now::in_clip(Duration::from_millis(2 * nth))));
        assert_eq!(watchdog.check(at(8)), Err(Problem::Flood));
        watchdog.open(at(9));
        watchdog.seen(&picture(1), at(9));
        for second in 10..=71 {
            watchdog.packet(Class::Idr, at(second));
            watchdog.seen(&picture(2), at(second));
            assert_eq!(watchdog.check(at(second)).is_err(), second >= 70, "{second}");
            if second == 70 {
                assert_eq!(watchdog.check(at(second)), Err(Problem::Still));
                watchdog.open(at(second));
                watchdog.packet(Class::Idr, at(second));
                watchdog.seen(&picture(2), at(second));
                assert_eq!((watchdog.check(at(second)), watchdog.is_frozen()), (Ok(()), true));
                return;
            }
        }
    }

    /// SIGSTOP for a minute: packets wait in the socket, and no clock has run.
    #[test]
    fn time_in_which_we_stood_still_counts_against_nobody() {
        let mut watchdog = Watchdog::new(at(0));
        watchdog.open(at(0));
        watchdog.packet(Class::Idr, at(1));
        watchdog.seen(&picture(1), at(1));
        assert_eq!(watchdog.come_by(at(1)), None);
        assert_eq!(watchdog.come_by(at(61)), Some(Duration::from_secs(60)));
        assert_eq!(watchdog.check(at(61)), Ok(()));
        assert_eq!(watchdog.check(at(65)), Ok(()));
        assert_eq!(watchdog.check(at(66)), Err(Problem::Stalled(STALL_LIMIT)), "but from there on it does");
    }

    proptest! {
        /// Whatever gaps there are between two visits of the loop: while the camera has sent a packet in each stretch in
        /// which we looked, it is never blamed.
        #[test]
        fn gaps_of_our_own_never_cost_a_connection(gaps in proptest::collection::vec(1..600_000_u64, 1..60)) {
            let at = |millis| Now::in_clip(Duration::from_millis(millis));
            let (mut watchdog, mut now) = (Watchdog::new(at(0)), 0);
            watchdog.packet(Class::Idr, at(0));
            for gap in gaps {
                now += gap;
                watchdog.come_by(at(now));
                prop_assert_eq!(watchdog.check(at(now)), Ok(()), "before a packet, after {} ms", gap);
                watchdog.packet(Class::Idr, at(now));
                watchdog.seen(&picture(now), at(now));
                prop_assert_eq!(watchdog.check(at(now)), Ok(()));
            }
        }

        /// And a silent camera is always found, within the limit of time in which we looked.
        #[test]
        fn silence_is_always_found(visits in proptest::collection::vec(1..1_900_u64, 60)) {
            let at = |millis| Now::in_clip(Duration::from_millis(millis));
            let (mut watchdog, mut now, mut found) = (Watchdog::new(at(0)), 0, None);
            watchdog.packet(Class::Idr, at(0));
            for visit in visits.into_iter().cycle().take(10_000) {
                now += visit;
                prop_assert_eq!(watchdog.come_by(at(now)), None);
                if watchdog.check(at(now)).is_err() {
                    found = Some(now);
                    break;
                }
            }
            prop_assert!(found.is_some_and(|at| at < 7_000), "{found:?}");
        }
    }
}
