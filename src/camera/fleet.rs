//! Whether all cameras fell silent together: then it is the network, or this box, and no camera.
//!
//! Owns what the cameras of a daemon know of each other; refuses to touch any of them: who is healthy is left alone. What it
//! brings is one warning instead of a guess for each camera, and reconnects that don't all come at once. Told by the cameras'
//! threads, asked from anywhere; nobody waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::Now;

/// Silences that begin within so long of each other belong together: a closed connection is seen at once, a stall after
/// [`super::watchdog::STALL_LIMIT`].
const TOGETHER: Duration = Duration::from_secs(7);
/// Reconnects are spread over so long for each camera …
const SPREAD: Duration = Duration::from_millis(250);
/// … and over so long altogether.
const WIDEST: Duration = Duration::from_secs(4);

/// The cameras of one daemon.
#[derive(Debug, Default)]
pub struct Fleet {
    standings: Mutex<Vec<Standing>>,
}

/// How one camera stands.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    online: bool,
    /// When it fell silent after having been online.
    silent: Option<Now>,
    /// It fell silent together with all others.
    common: bool,
    /// Nobody has this place any more.
    vacant: bool,
}

impl Fleet {
    /// A camera more.
    pub(super) fn join(self: &Arc<Fleet>) -> Member {
        let mut standings = self.held();
        let index = standings.iter().position(|standing| standing.vacant).unwrap_or(standings.len());
        match standings.get_mut(index) {
            Some(standing) => *standing = Standing::default(),
            None => standings.push(Standing::default()),
        }
        Member { fleet: self.clone(), index }
    }

    fn held(&self) -> MutexGuard<'_, Vec<Standing>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One camera's place among the others.
#[derive(Debug)]
pub(super) struct Member {
    fleet: Arc<Fleet>,
    index: usize,
}

impl Member {
    /// Its pictures come.
    pub(super) fn online(&self) {
        self.fleet.held()[self.index] = Standing { online: true, ..Standing::default() };
    }

    /// It was lost. How many cameras fell silent together, if this was the last of all.
    pub(super) fn lost(&self, is_silence: bool, now: Now) -> Option<usize> {
        lost(&mut self.fleet.held(), self.index, is_silence, now)
    }

    /// Whether it fell silent together with all others.
    pub(super) fn is_common(&self) -> bool {
        self.fleet.held()[self.index].common
    }

    /// Over how long its next attempt is to be spread.
    pub(super) fn spread(&self) -> Duration {
        let standings = self.fleet.held();
        if !standings[self.index].common {
            return Duration::ZERO;
        }
        let many = standings.iter().filter(|standing| standing.common).count();
        SPREAD.saturating_mul(u32::try_from(many).unwrap_or(u32::MAX)).min(WIDEST)
    }

    /// It is stopped: what it was says nothing any more.
    pub(super) fn leave(&self) {
        self.fleet.held()[self.index] = Standing::default();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.fleet.held()[self.index] = Standing { vacant: true, ..Standing::default() };
    }
}

/// Cameras that were away before count for nothing; one that still gives pictures shows that it isn't us.
fn lost(standings: &mut [Standing], index: usize, is_silence: bool, now: Now) -> Option<usize> {
    let standing = &mut standings[index];
    if !standing.online {
        return None;
    }
    *standing = Standing { silent: is_silence.then_some(now), ..Standing::default() };
    if standings.iter().any(|other| other.online) {
        return None;
    }
    let lately = |other: &&mut Standing| other.silent.is_some_and(|at| now.mono.since(at.mono) <= TOGETHER);
    let together: Vec<&mut Standing> = standings.iter_mut().filter(lately).collect();
    let many = together.len();
    if many < 2 || !is_silence {
        return None;
    }
    together.into_iter().for_each(|other| other.common = true);
    Some(many)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now::in_clip(Duration::from_secs(seconds))
    }

    fn fleet(count: usize) -> Vec<Member> {
        let fleet = Arc::<Fleet>::default();
        let members: Vec<Member> = (0..count).map(|_| fleet.join()).collect();
        members.iter().for_each(Member::online);
        members
    }

    #[test]
    fn all_within_some_seconds_is_common_and_said_once() {
        let members = fleet(3);
        assert_eq!(members[0].lost(true, at(100)), None);
        assert_eq!(members[1].lost(true, at(102)), None);
        assert_eq!(members[2].lost(true, at(105)), Some(3));
        assert_eq!(members[0].lost(true, at(106)), None, "an attempt that fails is no further loss");
        assert!(members.iter().all(Member::is_common));
        assert_eq!(members[0].spread(), 3 * SPREAD);
        members[1].online();
        assert_eq!((members[1].is_common(), members[1].spread()), (false, Duration::ZERO));
        assert!(members[0].is_common(), "the others still went away together");
    }

    #[test]
    fn one_that_gives_pictures_or_went_long_before_or_for_a_reason_of_its_own_is_not_common() {
        let members = fleet(3);
        assert_eq!((members[0].lost(true, at(1)), members[1].lost(true, at(1))), (None, None), "one is still there");
        let apart = fleet(2);
        assert_eq!((apart[0].lost(true, at(1)), apart[1].lost(true, at(60))), (None, None));
        let other = fleet(2);
        assert_eq!((other[0].lost(true, at(1)), other[1].lost(false, at(1))), (None, None), "a refused login");
        assert_eq!(fleet(1)[0].lost(true, at(1)), None, "one camera says nothing about us");
        assert!(members.iter().chain(&apart).chain(&other).all(|it| !it.is_common() && it.spread().is_zero()));
    }

    #[test]
    fn one_that_was_away_before_does_not_hide_it() {
        let members = fleet(3);
        members[2].lost(true, at(1));
        assert_eq!((members[0].lost(true, at(100)), members[1].lost(true, at(101))), (None, Some(2)));
        assert!(!members[2].is_common());
        let left = fleet(3);
        left[2].leave();
        assert_eq!((left[0].lost(true, at(100)), left[1].lost(true, at(101))), (None, Some(2)));
    }

    #[test]
    fn the_place_of_one_that_is_taken_away_is_given_again() {
        let fleet = Arc::<Fleet>::default();
        let stays = fleet.join();
        for _ in 0..50 {
            let comes = fleet.join();
            comes.online();
        }
        assert_eq!(fleet.held().len(), 2);
        stays.online();
        assert_eq!(stays.lost(true, at(1)), None, "those that are gone say nothing");
    }

    #[test]
    fn many_cameras_are_spread_over_a_bounded_time() {
        let members = fleet(40);
        assert_eq!(members.iter().filter_map(|member| member.lost(true, at(5))).collect::<Vec<_>>(), [40]);
        assert_eq!(members[0].spread(), WIDEST);
    }
}
