//! When pictures come but the world in them stands still: a camera whose sensor or encoder hangs repeats itself.
//!
//! Owns for how long a picture must stay exactly the same to be suspicious; refuses to know how pictures are compared and
//! what is done about it. Pure.
//!
//! A sensor's noise makes no two pictures the same, so a picture that doesn't change in a single sample is strange, but not
//! always wrong: some sources have no noise. So one is suspected only if its pictures differed before, never while the
//! picture is one even colour (a dark room, a covered lens), and only over several pictures that were encoded anew (between
//! two of these, encoders repeat what they don't see changing). A suspicion costs one reconnect. If the same picture comes
//! back, the camera is reported frozen and left alone. Each suspicion makes the next one come later, so that a source
//! without noise isn't disturbed for ever.

use std::time::Duration;

use crate::time::Now;

/// The same picture for so long is suspicious.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// It is at most so long, after many suspicions.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Without a suspicion for so long, the first patience counts again.
const FORGIVEN: Duration = Duration::from_secs(24 * 60 * 60);
/// So many of the same pictures must have been encoded anew.
const STARTS: u32 = 3;
/// If nobody compared pictures for so long, what was known of them says nothing.
const STALE: Duration = Duration::from_secs(120);

/// What the pictures say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing is wrong.
    Alive,
    /// Reconnect, once.
    Suspect,
    /// A new connection brought the same picture: it is the camera.
    Frozen,
}

/// Watches the pictures of one camera, over all of its connections.
#[derive(Debug)]
pub struct Stillness {
    /// The pictures of this camera differed once.
    varied: bool,
    latest: Option<Latest>,
    /// Since when the latest picture was seen on this connection without a break, and how often it was encoded anew.
    run: Option<(Now, u32)>,
    patience: Duration,
    suspected: Option<Now>,
    course: Course,
}

#[derive(Clone, Copy, Debug)]
struct Latest {
    fingerprint: u64,
    at: Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Watching,
    /// A reconnect was asked for because of this picture.
    Suspecting,
    Frozen,
}

impl Default for Stillness {
    fn default() -> Self {
        Stillness {
            varied: false,
            latest: None,
            run: None,
            patience: PATIENCE,
            suspected: None,
            course: Course::Watching,
        }
    }
}

impl Stillness {
    /// What comes next is another connection's, or comes after time in which we were not there.
    pub fn interrupted(&mut self) {
        self.run = None;
    }

    /// A packet came that was encoded anew.
    pub fn start(&mut self) {
        if let Some((_, starts)) = &mut self.run {
            *starts = starts.saturating_add(1);
        }
    }

    /// A picture came, by its fingerprint if somebody took it; `uniform`: it is one even colour.
    pub fn picture(&mut self, fingerprint: Option<u64>, uniform: bool, now: Now) -> Look {
        match fingerprint {
            Some(fingerprint) => self.compare(fingerprint, uniform, now),
            None if self.latest.is_some_and(|latest| now.mono.since(latest.at.mono) >= STALE) => self.moves(None),
            None => {}
        }
        match self.course {
            Course::Frozen => Look::Frozen,
            Course::Suspecting if self.suspected == Some(now) => Look::Suspect,
            Course::Suspecting | Course::Watching => Look::Alive,
        }
    }

    fn compare(&mut self, fingerprint: u64, uniform: bool, now: Now) {
        let same = self.latest.is_some_and(|latest| latest.fingerprint == fingerprint);
        self.varied |= self.latest.is_some() && !same;
        if !same || uniform {
            return self.moves(Some(Latest { fingerprint, at: now }));
        }
        self.latest = Some(Latest { fingerprint, at: now });
        let (since, starts) = *self.run.get_or_insert((now, 0));
        let patience = self.patience(now);
        let is_strange = self.varied && starts >= STARTS && now.mono.since(since.mono) >= patience;
        match self.course {
            Course::Suspecting => self.course = Course::Frozen,
            Course::Watching if is_strange => {
                self.course = Course::Suspecting;
                self.suspected = Some(now);
                self.patience = (self.patience * 2).min(LONGEST);
            }
            Course::Watching | Course::Frozen => {}
        }
    }

    fn moves(&mut self, latest: Option<Latest>) {
        self.latest = latest;
        self.run = latest.map(|latest| (latest.at, 0));
        self.course = Course::Watching;
    }

    fn patience(&mut self, now: Now) -> Duration {
        if self.suspected.is_some_and(|at| now.mono.since(at.mono) >= FORGIVEN) {
            self.patience = PATIENCE;
        }
        self.patience
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A camera with a picture and a new encoding each second.
    struct Camera {
        stillness: Stillness,
        second: u64,
    }

    impl Camera {
        fn new() -> Camera {
            Camera { stillness: Stillness::default(), second: 0 }
        }

        /// One whose pictures differed before.
        fn noisy() -> Camera {
            let mut camera = Camera::new();
            camera.sees(1, 1);
            camera.sees(2, 1);
            camera
        }

        fn look(&mut self, fingerprint: Option<u64>, uniform: bool) -> Look {
            self.second += 1;
            self.stillness.start();
            self.stillness.picture(fingerprint, uniform, Now::in_clip(Duration::from_secs(self.second)))
        }

        /// The same picture for so many seconds; after how many of them it was not alive any more, and what it was.
        fn sees(&mut self, fingerprint: u64, seconds: u64) -> Option<(u64, Look)> {
            (0..seconds).map(|nth| (nth, self.look(Some(fingerprint), false))).find(|(_, look)| *look != Look::Alive)
        }
    }

    #[test]
    fn the_same_picture_is_suspected_once_then_reported_and_recovers_by_itself() {
        let mut camera = Camera::noisy();
        assert_eq!(camera.sees(7, 100), Some((60, Look::Suspect)));
        camera.stillness.interrupted();
        assert_eq!(camera.sees(7, 1), Some((0, Look::Frozen)), "the new connection brings it again");
        assert!((0..1000).all(|_| camera.look(Some(7), false) == Look::Frozen), "and nothing more is asked for");
        camera.stillness.interrupted();
        assert_eq!(camera.look(None, false), Look::Frozen, "another connection, nothing compared yet");
        assert_eq!(camera.look(Some(8), false), Look::Alive);
    }

    #[test]
    fn a_reconnect_that_helps_ends_it_and_the_next_suspicion_comes_later() {
        let mut camera = Camera::noisy();
        for after in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
            assert_eq!(camera.sees(after, 4000), Some((after, Look::Suspect)));
            camera.stillness.interrupted();
            assert_eq!(camera.sees(1, 1), None);
        }
        camera.second += 24 * 60 * 60;
        assert_eq!(camera.sees(9, 4000), Some((60, Look::Suspect)), "forgiven after a day");
    }

    #[test]
    fn what_has_no_noise_or_no_light_is_never_suspected() {
        assert_eq!(Camera::new().sees(7, 10_000), None, "always the same");
        let mut dark = Camera::noisy();
        assert!((0..10_000).all(|_| dark.look(Some(0), true) == Look::Alive));
        let mut unseen = Camera::noisy();
        assert!((0..10_000).all(|_| unseen.look(None, false) == Look::Alive));
    }

    #[test]
    fn repeats_between_two_fresh_encodings_are_no_sign() {
        let mut stillness = Stillness::default();
        let mut look = |second, fingerprint| {
            stillness.picture(Some(fingerprint), false, Now::in_clip(Duration::from_secs(second)))
        };
        look(0, 1);
        assert!((1..10_000).all(|second| look(second, 2) == Look::Alive), "one GOP without end");
    }

    #[test]
    fn time_that_we_were_not_there_does_not_count() {
        let mut camera = Camera::noisy();
        assert_eq!(camera.sees(7, 50), None);
        camera.second += 500;
        camera.stillness.interrupted();
        assert_eq!(camera.sees(7, 60), None);
        assert_eq!(camera.sees(7, 10).map(|(_, look)| look), Some(Look::Suspect));
    }

    proptest! {
        #[test]
        fn pictures_that_change_at_least_once_a_minute_are_always_alive(
            steps in proptest::collection::vec((0..4_u64, any::<bool>(), 0..50_u64), 1..300)
        ) {
            let (mut camera, mut last) = (Camera::new(), u64::MAX);
            for (fingerprint, uniform, seconds) in steps {
                let fingerprint = if fingerprint == last { fingerprint + 10 } else { fingerprint };
                last = fingerprint;
                for _ in 0..=seconds {
                    prop_assert_eq!(camera.look(Some(fingerprint), uniform), Look::Alive);
                }
            }
        }

        #[test]
        fn no_camera_is_reconnected_more_often_than_its_patience(
            pictures in proptest::collection::vec((0..3_u64, any::<bool>(), 0..400_u64), 1..100)
        ) {
            let (mut camera, mut suspicions) = (Camera::noisy(), Vec::new());
            for (fingerprint, uniform, seconds) in pictures {
                for _ in 0..=seconds {
                    if camera.look(Some(fingerprint), uniform) == Look::Suspect {
                        suspicions.push(camera.second);
                        camera.stillness.interrupted();
                    }
                }
            }
            let waits = [60, 120, 240, 480, 960, 1920].into_iter().chain(std::iter::repeat(3600));
            for (pair, least) in suspicions.windows(2).zip(waits.skip(1)) {
                prop_assert!(pair[1] - pair[0] >= least, "{suspicions:?}");
            }
        }
    }
}
