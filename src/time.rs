//! Time: the only place that reads clocks.
//!
//! Owns the two clocks (monotonic for waiting, wall for telling), the question whether the wall clock can be believed, and
//! deadlines that survive a restart. Refuses to know what is being timed. Everything above takes [`Now`] as an argument.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Nanoseconds of the monotonic clock (`CLOCK_MONOTONIC`: since boot, the same for every process of this boot).
///
/// In a replay it is the time within the clip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mono(pub u64);

impl Mono {
    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The instant `delay` after this one.
    pub fn plus(self, delay: Duration) -> Mono {
        Mono(self.0.saturating_add(nanos(delay)))
    }

    /// The instant `delay` before this one, not before the clock's zero.
    pub fn minus(self, delay: Duration) -> Mono {
        Mono(self.0.saturating_sub(nanos(delay)))
    }
}

fn nanos(delay: Duration) -> u64 {
    u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)
}

/// Milliseconds of the wall clock since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl Wall {
    /// The instant `delay` after this one.
    pub fn plus(self, delay: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The instant `delay` before this one.
    pub fn minus(self, delay: Duration) -> Wall {
        Wall(self.0.saturating_sub(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Wall) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whole seconds since 1970, as `webhook-timestamp` wants them.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// UTC with milliseconds: `2026-01-26T10:35:00.120Z`.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::MAX);
        write!(f, "{at:.3}")
    }
}

/// Both clocks, read at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// For waiting.
    pub mono: Mono,
    /// For telling.
    pub wall: Wall,
    /// Whether the wall clock can be believed.
    pub synced: bool,
}

impl Now {
    /// The moment at `position` within a recording: clips bring their own time, which starts at 1970.
    pub fn in_clip(position: Duration) -> Now {
        Now { mono: Mono(nanos(position)), wall: Wall(0).plus(position), synced: true }
    }

    /// A fresh id (UUIDv7) that carries this moment's wall time; never order by it.
    pub fn new_id(self) -> Uuid {
        let (seconds, millis) = (self.wall.0.div_euclid(1000), self.wall.0.rem_euclid(1000));
        let nanos = u32::try_from(millis).unwrap_or(0) * 1_000_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, u64::try_from(seconds).unwrap_or(0), nanos))
    }

    /// This moment, moved by `delay` on both clocks.
    pub fn plus(self, delay: Duration) -> Now {
        Now { mono: self.mono.plus(delay), wall: self.wall.plus(delay), synced: self.synced }
    }
}

/// No wall clock that is right shows less than this: 2026-01-01, before the first release.
///
/// A box that boots without a clock starts in 1970, or at the date of its file system image.
const EARLIEST_PLAUSIBLE: Wall = Wall(1_767_225_600_000);

/// The folder of a time service that is at work, and in it what is there once it has set the clock
/// (`systemd-timesyncd.service(8)`). Other services leave no such trace; the kernel's own flag is not dependable for them
/// and can't be asked from a hardened unit (`ProtectClock=`).
const TIME_SERVICE: &str = "/run/systemd/timesync";
const HAS_SET_IT: &str = "synchronized";

/// After so long since the boot a plausible clock is believed without proof where no time service is known: a site may
/// have none, and nothing may wait for one for ever.
const GRACE: Duration = Duration::from_secs(2 * 60);

/// … and after so long where one is at work and has not succeeded yet: an uplink may come late, or never.
const LONG_GRACE: Duration = Duration::from_secs(10 * 60);

/// Reads both clocks.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads clocks")]
pub fn now() -> Now {
    let mono = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let wall = Wall(Timestamp::now().as_millisecond());
    let mono = Mono(u64::try_from(mono.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(mono.tv_nsec).unwrap_or(0));
    Now { mono, wall, synced: is_believed(mono, wall, time_service) }
}

/// The CPU time that the calling thread has used: to tell what work costs, never to wait.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads clocks")]
pub fn worked() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// What a time service has done in this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeService {
    Unknown,
    AtWork,
    HasSetTheClock,
}

/// Whether a clock that shows `wall` so long after the boot can be believed.
fn is_believed(uptime: Mono, wall: Wall, service: impl FnOnce() -> TimeService) -> bool {
    let up = uptime.since(Mono(0));
    wall >= EARLIEST_PLAUSIBLE
        && (up >= LONG_GRACE
            || match service() {
                TimeService::HasSetTheClock => true,
                TimeService::AtWork => false,
                TimeService::Unknown => up >= GRACE,
            })
}

fn time_service() -> TimeService {
    let folder = Path::new(TIME_SERVICE);
    match folder.exists() {
        true if folder.join(HAS_SET_IT).exists() => TimeService::HasSetTheClock,
        true => TimeService::AtWork,
        false => TimeService::Unknown,
    }
}

/// One boot of the machine: monotonic times compare only within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Boot(pub Uuid);

impl Boot {
    /// The boot this process runs in, from the kernel; where the kernel tells nothing, an id of this process's own (then
    /// a restart is treated like a reboot: deadlines fall back to the wall clock).
    pub fn current() -> Boot {
        static CURRENT: OnceLock<Boot> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let told = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
            Boot(told.and_then(|id| Uuid::parse_str(id.trim()).ok()).unwrap_or_else(Uuid::new_v4))
        })
    }
}

/// A wait that ends `delay` after it began, and that a wrong clock can neither shorten nor stretch beyond `delay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    at: Mono,
    delay: Duration,
}

impl Deadline {
    /// The deadline `delay` from `now`.
    pub fn after(now: Now, delay: Duration) -> Deadline {
        Deadline { at: now.mono.plus(delay), delay }
    }

    /// How long it still takes, between zero and the whole delay.
    pub fn left(&self, now: Now) -> Duration {
        self.at.since(now.mono).min(self.delay)
    }

    /// Whether it is over.
    pub fn passed(&self, now: Now) -> bool {
        now.mono >= self.at
    }

    /// Call with every new `now`: a clock that went backwards must not lengthen the wait, so the whole delay counts anew
    /// from here at the most.
    pub fn rein_in(&mut self, now: Now) {
        let latest = now.mono.plus(self.delay);
        if self.at > latest {
            self.at = latest;
        }
    }

    /// The same delay, counted anew from `now`.
    pub fn restarted(&self, now: Now) -> Deadline {
        Deadline::after(now, self.delay)
    }

    /// What to store so that [`SavedDeadline::load`] can go on with it.
    pub fn save(&self, now: Now, boot: Boot) -> SavedDeadline {
        let delay_ms = u64::try_from(self.delay.as_millis()).unwrap_or(u64::MAX);
        SavedDeadline { boot, mono: self.at, wall: now.wall.plus(self.left(now)), delay_ms }
    }
}

/// A [`Deadline`] as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedDeadline {
    boot: Boot,
    mono: Mono,
    wall: Wall,
    delay_ms: u64,
}

impl SavedDeadline {
    /// Goes on with a stored deadline: exactly within the same boot, by the wall clock after a reboot; what remains is
    /// clamped to `[0, delay]` in any case.
    pub fn load(self, now: Now, boot: Boot) -> Deadline {
        let delay = Duration::from_millis(self.delay_ms);
        if self.boot == boot {
            let mut deadline = Deadline { at: self.mono, delay };
            deadline.rein_in(now);
            return deadline;
        }
        let left = self.wall.since(now.wall).min(delay);
        Deadline { at: now.mono.plus(left), delay }
    }

    /// The wall time at which it was expected to end when it was saved.
    pub fn wall(&self) -> Wall {
        self.wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_s: u64, wall_s: i64) -> Now {
        Now { mono: Mono(mono_s * 1_000_000_000), wall: Wall(wall_s * 1000), synced: true }
    }

    #[test]
    fn wall_time_prints_as_utc_milliseconds() {
        assert_eq!(Wall(1_769_423_700_120).to_string(), "2026-01-26T10:35:00.120Z");
        assert_eq!(Wall(1_769_423_700_000).to_string(), "2026-01-26T10:35:00.000Z");
        assert_eq!(Wall(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_deadline_goes_on_exactly_within_a_boot_whatever_the_wall_clock_did() {
        let boot = Boot(Uuid::from_u128(1));
        let saved = Deadline::after(at(100, 1_000), Duration::from_secs(60)).save(at(110, 1_010), boot);
        let later = saved.load(at(120, 999_999), boot);
        assert_eq!(later.left(at(120, 999_999)), Duration::from_secs(40));
    }

    #[test]
    fn after_a_reboot_the_wall_clock_counts_but_never_for_more_than_the_delay() {
        let saved =
            Deadline::after(at(100, 1_000), Duration::from_secs(60)).save(at(110, 1_010), Boot(Uuid::from_u128(1)));
        let load = |now| saved.load(now, Boot(Uuid::from_u128(2))).left(now);
        assert_eq!(load(at(5, 1_020)), Duration::from_secs(40));
        assert_eq!(load(at(5, 2_000)), Duration::ZERO);
        assert_eq!(load(at(5, -500)), Duration::from_secs(60), "a clock set back: the whole delay, not more");
    }

    #[test]
    fn a_monotonic_clock_that_went_backwards_costs_one_delay_at_most() {
        let mut deadline = Deadline::after(at(1_000, 0), Duration::from_secs(10));
        deadline.rein_in(at(3, 0));
        assert!(!deadline.passed(at(12, 0)));
        assert!(deadline.passed(at(13, 0)));
    }

    #[test]
    fn a_clock_is_believed_when_it_was_set_or_has_been_plausible_for_some_minutes() {
        let up = |seconds: u64| Mono(seconds * 1_000_000_000);
        let plausible = Wall(EARLIEST_PLAUSIBLE.0 + 1);
        for (seconds, service, expected) in [
            (5, TimeService::HasSetTheClock, true),
            (119, TimeService::Unknown, false),
            (120, TimeService::Unknown, true),
            (599, TimeService::AtWork, false),
            (600, TimeService::AtWork, true),
        ] {
            assert_eq!(is_believed(up(seconds), plausible, || service), expected, "{service:?} after {seconds} s");
        }
        assert!(!is_believed(up(86_400), Wall(0), || TimeService::HasSetTheClock), "1970 is wrong, whoever says so");
    }

    #[test]
    fn this_machine_has_clocks() {
        let first = now();
        let second = now();
        assert!(second.mono >= first.mono);
        assert_eq!(Boot::current(), Boot::current());
    }
}
