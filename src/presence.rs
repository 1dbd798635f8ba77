//! When the world is told that a camera is away, and that it is back.
//!
//! Owns what is too short to be told and what comes too often; refuses to know how a camera is lost and found, and who is
//! told. Pure: a look counts at once, an event makes a new state, which counts once it is on stable storage.
//!
//! - A camera is away from its first lost picture until pictures have come for 10 s without a break. It is told to be
//!   offline when it gave none for 10 s of that altogether: a reconnect of some seconds is no event, a camera that comes
//!   for a second now and then is. One that never came since the start of the daemon has a minute.
//! - It is told to be online when it is no longer away; `down_s` counts to when its pictures came to stay. Both take turns
//!   for ever, across restarts too.
//! - A camera with six events within an hour flaps: from then on a state must last for 10 minutes to be told, which makes
//!   twelve an hour at most and hides no real outage for longer. What was not told is counted (`flaps`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{CameraOffline, CameraOnline, EventData};
use crate::time::{Boot, Now, Wall};

/// A state that lasts for so long is told.
const LASTING: Duration = Duration::from_secs(10);
/// The same for a camera that flaps.
const LASTING_IF_FLAPPING: Duration = Duration::from_secs(10 * 60);
/// A camera has so long to come up for the first time.
const FIRST_TIME: Duration = Duration::from_secs(60);
/// So many events within [`MEMORY`], and a camera flaps.
const MANY: usize = 6;
const MEMORY: Duration = Duration::from_secs(60 * 60);

/// A camera at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// It gives pictures that are worth a look.
    pub up: bool,
    /// Since when that is so; down: since the last picture.
    pub since: Now,
    /// When the latest picture came.
    pub picture: Option<Now>,
    /// Why not.
    pub cause: &'static str,
    /// It went away with all others.
    pub common: bool,
    /// Times that it was up and then no more, since the daemon was started.
    pub losses: u64,
}

impl Sight {
    /// For how long its pictures have come. One that gave a picture and hangs is up until that is noticed, but hasn't stayed.
    fn stayed(&self) -> Duration {
        self.picture.map_or(Duration::ZERO, |picture| picture.mono.since(self.since.mono))
    }
}

/// What one camera's events so far were, and what has been seen of it since.
#[derive(Clone, Debug)]
pub struct Presence {
    told: Told,
    /// It was up since the daemon was started.
    came: bool,
    away: Option<Away>,
    /// The latest sight.
    latest: Option<Sight>,
    /// Its losses at the latest event.
    losses: u64,
}

/// What must outlive a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// It is told to be offline.
    offline: Option<Absence>,
    /// When its latest events were, at most [`MANY`].
    events: Vec<Wall>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Absence {
    cause: String,
    since: Now,
    boot: Boot,
}

/// From the first loss until pictures have come to stay.
#[derive(Clone, Copy, Debug)]
struct Away {
    since: Now,
    /// For so long it was down, before the latest stretch.
    down: Duration,
}

/// What was kept of a camera can't be read.
#[derive(Debug, thiserror::Error)]
#[error("what was told of the camera can't be read: {0}; it is told anew")]
pub struct Unreadable(#[from] serde_json::Error);

impl Presence {
    /// A camera of which nothing was ever told.
    pub fn fresh() -> Presence {
        Presence::of(Told::default())
    }

    /// A camera as it was kept ([`Presence::saved`]).
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn load(saved: &str) -> Result<Presence, Unreadable> {
        Ok(Presence::of(serde_json::from_str(saved)?))
    }

    fn of(told: Told) -> Presence {
        Presence { told, came: false, away: None, latest: None, losses: 0 }
    }

    /// What to keep, as JSON.
    pub fn saved(&self) -> String {
        serde_json::to_string(&self.told).expect("strings and numbers always serialise")
    }

    /// Takes a look. It counts at once, whether or not what follows from it can be told.
    pub fn look(&mut self, sight: Sight) {
        if let (Some(before), Some(away)) = (self.latest, &mut self.away)
            && !before.up
            && before.since != sight.since
        {
            away.down += sight.since.mono.since(before.since.mono);
        }
        // It may have come and gone between two looks.
        self.came |= sight.up || sight.losses > 0;
        if !sight.up {
            self.away.get_or_insert(Away { since: sight.since, down: Duration::ZERO });
        } else if sight.stayed() >= LASTING {
            self.away = None;
        }
        self.latest = Some(sight);
    }

    /// What is to be told after the latest look, and the state in which it has been.
    pub fn tell(&self, now: Now, boot: Boot) -> Option<(Presence, EventData)> {
        let sight = self.latest?;
        let mut next = self.clone();
        let lasting = if self.flaps(now) { LASTING_IF_FLAPPING } else { LASTING };
        let event = match (&self.told.offline, self.away) {
            (Some(absence), _) if sight.up && sight.stayed() >= lasting => next.online(absence, sight, boot),
            (None, Some(away)) if !sight.up => {
                let limit = if self.came { lasting } else { lasting.max(FIRST_TIME) };
                if away.down + now.mono.since(sight.since.mono) < limit {
                    return None;
                }
                next.offline(away, sight, boot)
            }
            _ => return None,
        };
        next.losses = sight.losses;
        next.told.events.push(now.wall);
        let surplus = next.told.events.len().saturating_sub(MANY);
        next.told.events.drain(..surplus);
        Some((next, event))
    }

    /// A clock that jumps must not make it flap for ever: what lies ahead doesn't count.
    fn flaps(&self, now: Now) -> bool {
        let lately = |at: &&Wall| **at <= now.wall && now.wall.since(**at) < MEMORY;
        self.told.events.iter().filter(lately).count() >= MANY
    }

    fn offline(&mut self, away: Away, sight: Sight, boot: Boot) -> EventData {
        let absence = Absence { cause: sight.cause.to_owned(), since: away.since, boot };
        // The loss that is told is no flap.
        let flaps = sight.losses.saturating_sub(self.losses).saturating_sub(u64::from(self.came));
        let told = CameraOffline { cause: absence.cause.clone(), since: away.since.wall, common: sight.common, flaps };
        self.told.offline = Some(absence);
        EventData::CameraOffline(told)
    }

    fn online(&mut self, absence: &Absence, sight: Sight, boot: Boot) -> EventData {
        self.told.offline = None;
        let down = match absence.boot == boot {
            true => sight.since.mono.since(absence.since.mono),
            false => sight.since.wall.since(absence.since.wall),
        };
        EventData::CameraOnline(CameraOnline {
            cause: absence.cause.clone(),
            since: absence.since.wall,
            down_ms: u64::try_from(down.as_millis()).unwrap_or(u64::MAX),
            flaps: sight.losses.saturating_sub(self.losses),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const BOOT: Boot = Boot(Uuid::from_u128(1));

    fn at(seconds: u64) -> Now {
        Now::in_clip(Duration::from_secs(seconds))
    }

    impl Presence {
        /// A look, and what is told is on stable storage at once.
        fn step(&self, sight: Sight, now: Now, boot: Boot) -> (Presence, Option<EventData>) {
            let mut next = self.clone();
            next.look(sight);
            next.tell(now, boot).map_or((next, None), |(told, event)| (told, Some(event)))
        }
    }

    /// A camera that is looked at every second.
    struct Camera {
        presence: Presence,
        sight: Sight,
        second: u64,
        boot: Boot,
    }

    impl Camera {
        /// Never came yet.
        fn new() -> Camera {
            let sight = Sight { up: false, since: at(0), picture: None, cause: "refused", common: false, losses: 0 };
            Camera { presence: Presence::fresh(), sight, second: 0, boot: BOOT }
        }

        /// Has been up for a while.
        fn good() -> Camera {
            let mut camera = Camera::new();
            assert_eq!(camera.is(true, 100), []);
            camera
        }

        /// Up or down for so many seconds; what is told, and when.
        fn is(&mut self, up: bool, seconds: u64) -> Vec<(u64, EventData)> {
            if self.sight.up != up {
                self.sight.losses += u64::from(!up);
                self.sight = Sight { up, since: at(self.second), ..self.sight };
            }
            let mut told = Vec::new();
            for _ in 0..seconds {
                if up {
                    self.sight.picture = Some(at(self.second));
                }
                let (next, event) = self.presence.step(self.sight, at(self.second), self.boot);
                self.presence = next;
                told.extend(event.map(|event| (self.second, event)));
                self.second += 1;
            }
            told
        }

        /// Killed and started again; `up` is how the camera is then.
        fn restart(&mut self, up: bool) {
            self.presence = Presence::load(&self.presence.saved()).unwrap();
            self.sight = Sight { up, since: at(self.second), losses: 0, ..self.sight };
        }
    }

    fn offline(since: u64, flaps: u64) -> EventData {
        let since = at(since).wall;
        EventData::CameraOffline(CameraOffline { cause: "refused".into(), since, common: false, flaps })
    }

    fn online(since: u64, down: u64, flaps: u64) -> EventData {
        let (since, down_ms) = (at(since).wall, down * 1000);
        EventData::CameraOnline(CameraOnline { cause: "refused".into(), since, down_ms, flaps })
    }

    #[test]
    fn an_outage_is_told_after_ten_seconds_and_its_end_ten_seconds_after_it() {
        let mut camera = Camera::good();
        assert_eq!(camera.is(false, 95), [(110, offline(100, 0))]);
        assert_eq!(camera.is(true, 60), [(205, online(100, 95, 0))]);
        assert_eq!(camera.is(true, 10_000), []);
    }

    #[test]
    fn a_reconnect_is_no_event_but_a_camera_that_comes_for_moments_is_away() {
        let mut camera = Camera::good();
        for _ in 0..100 {
            assert_eq!([camera.is(false, 3), camera.is(true, 12)], [[], []]);
        }
        let mut camera = Camera::good();
        let told: Vec<_> = (0..100).flat_map(|_| [camera.is(false, 8), camera.is(true, 2)].concat()).collect();
        assert_eq!(told, [(112, offline(100, 1))], "once, and it is told nothing more while it goes on");
        assert_eq!(camera.is(true, 20), [(1108, online(100, 998, 98))]);
    }

    #[test]
    fn a_camera_that_gives_one_picture_and_hangs_is_not_back() {
        let mut camera = Camera::good();
        assert_eq!(camera.is(false, 20), [(110, offline(100, 0))]);
        camera.sight = Sight { up: true, since: at(120), picture: Some(at(120)), ..camera.sight };
        let step = |camera: &Camera, second| camera.presence.step(camera.sight, at(second), BOOT);
        assert!((120..200).all(|second| step(&camera, second).1.is_none()));
        camera.sight.picture = Some(at(130));
        assert_eq!(step(&camera, 200).1, Some(online(100, 20, 0)), "the control: a picture after 10 s");
    }

    #[test]
    fn what_is_seen_while_nothing_can_be_told_counts() {
        let mut camera = Camera::good();
        for second in 100..200 {
            let (up, since) = (second % 10 >= 8, second / 10 * 10);
            let since = if up { since + 8 } else { since };
            camera.sight = Sight { up, since: at(since), picture: Some(at(since)), ..camera.sight };
            camera.presence.look(camera.sight);
            assert_eq!(camera.presence.tell(at(second), BOOT).is_some(), second >= 112 && !up, "{second}");
        }
        camera.presence.look(Sight { up: false, since: at(200), ..camera.sight });
        let (told, event) = camera.presence.tell(at(200), BOOT).unwrap();
        assert_eq!(event, offline(100, 0), "since the first loss, though it is told late");
        assert!(told.tell(at(200), BOOT).is_none(), "told once");
    }

    #[test]
    fn a_camera_that_never_came_has_a_minute() {
        let mut camera = Camera::new();
        assert_eq!(camera.is(false, 3000), [(60, offline(0, 0))]);
        assert_eq!(camera.is(true, 11), [(3010, online(0, 3000, 0))]);
        assert_eq!(Camera::new().is(false, 60), []);
        let mut unseen = Camera::new();
        unseen.sight.losses = 1;
        assert_eq!(unseen.is(false, 60), [(10, offline(0, 0))], "it came and went between two looks");
    }

    #[test]
    fn a_camera_that_counts_from_nothing_again_has_no_flaps_below_nothing() {
        let mut camera = Camera::good();
        assert_eq!(camera.is(false, 50), [(110, offline(100, 0))]);
        camera.sight.losses = 0;
        assert_eq!(camera.is(true, 11), [(160, online(100, 50, 0))]);
        let mut camera = Camera::good();
        camera.presence.losses = 9;
        assert_eq!(camera.is(false, 50), [(110, offline(100, 0))]);
    }

    #[test]
    fn a_restart_goes_on_where_it_was() {
        let mut camera = Camera::good();
        assert_eq!(camera.is(false, 50).len(), 1);
        camera.restart(false);
        assert_eq!(camera.is(false, 500), [], "not told twice");
        camera.restart(false);
        assert_eq!(camera.is(false, 5), []);
        assert_eq!(camera.is(true, 11), [(665, online(100, 555, 0))], "as if there had been no restart");
        let mut camera = Camera::good();
        camera.is(false, 50);
        camera.restart(true);
        camera.boot = Boot(Uuid::from_u128(2));
        camera.sight.since.mono = at(7).mono;
        camera.sight.picture = Some(at(17));
        let (_, told) = camera.presence.step(camera.sight, Now { mono: at(17).mono, ..at(160) }, camera.boot);
        assert_eq!(told, Some(online(100, 50, 0)), "after a reboot the wall clock counts");
    }

    #[test]
    fn a_camera_that_flaps_is_told_seldom_but_a_real_outage_never_goes_unsaid() {
        let mut camera = Camera::good();
        let told: Vec<_> = (0..50).flat_map(|_| [camera.is(false, 12), camera.is(true, 12)].concat()).collect();
        assert_eq!(told.len(), 6, "{told:?}");
        let since = camera.second;
        assert_eq!(camera.is(false, 700), [(since + 600, offline(since, 47))]);
    }

    #[test]
    fn what_was_kept_by_nobody_is_refused() {
        assert!(Presence::load("{").unwrap_err().to_string().ends_with("; it is told anew"));
        assert_eq!(Presence::load(&Presence::fresh().saved()).unwrap().told, Told::default());
    }

    proptest! {
        #[test]
        fn events_take_turns_are_few_and_say_the_truth(
            steps in proptest::collection::vec((any::<bool>(), 1..200_u64, 0..12_u8), 1..120)
        ) {
            let (mut camera, mut told) = (Camera::new(), Vec::new());
            for (up, seconds, restart) in steps {
                if restart == 0 {
                    camera.restart(up);
                }
                told.extend(camera.is(up, seconds));
            }
            for (nth, (second, event)) in told.iter().enumerate() {
                let is_offline = matches!(event, EventData::CameraOffline(_));
                prop_assert_eq!(is_offline, nth % 2 == 0, "{:?}", told);
                let hour = told.iter().filter(|(other, _)| (*second..*second + 3600).contains(other)).count();
                prop_assert!(hour <= 12, "{hour} in an hour: {told:?}");
                if let (EventData::CameraOnline(online), Some((_, EventData::CameraOffline(offline)))) =
                    (event, nth.checked_sub(1).map(|before| &told[before]))
                {
                    prop_assert_eq!(online.since, offline.since);
                    prop_assert!(online.down_ms >= 10_000 && offline.since.plus(Duration::from_millis(online.down_ms)) <= at(*second).wall);
                }
            }
            let last_is_offline = told.last().is_some_and(|(_, event)| matches!(event, EventData::CameraOffline(_)));
            prop_assert_eq!(camera.is(true, 700).len(), usize::from(last_is_offline), "a camera that stays is told online");
            prop_assert_eq!(camera.is(false, 700).len(), 1, "and one that stays away offline");
        }
    }
}
