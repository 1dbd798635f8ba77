//! From where a delivery stood to where it stands after an attempt.
//!
//! Owns which counters an attempt moves; refuses to judge it (`retry` does). Pure.

use std::time::Duration;

use crate::delivery::{Outcome, State};
use crate::journal::Standing;
use crate::retry::{self, Next};
use crate::time::Wall;

/// Where a delivery stands after an attempt that ended at `now` with `outcome`, from which `next` follows.
pub(super) fn after(before: &Standing, outcome: &Outcome, next: Next, now: Wall) -> Standing {
    let mut standing = before.clone();
    if before.state == State::Held {
        standing.held += before.delay;
    }
    standing.tries = standing.tries.saturating_add(1);
    standing.maybe_received |= retry::maybe_received(outcome);
    let (state, reason, delay) = match next {
        Next::Delivered => (State::Delivered, None, Duration::ZERO),
        Next::RetryAfter { delay, .. } => (State::RetryWait, None, delay),
        Next::Hold { reason, delay } => (State::Held, Some(reason.as_str().to_owned()), delay),
        Next::Dead(reason) => (State::Dead, Some(reason.as_str().to_owned()), Duration::ZERO),
        Next::Expired => (State::Expired, None, Duration::ZERO),
        Next::Gone => (State::SkippedGone, None, Duration::ZERO),
    };
    match next {
        Next::Hold { .. } => standing.holds = standing.holds.saturating_add(1),
        Next::RetryAfter { burns: false, .. } => {}
        Next::Delivered | Next::RetryAfter { .. } | Next::Dead(_) | Next::Expired | Next::Gone => {
            standing.attempts = standing.attempts.saturating_add(1);
        }
    }
    Standing { state, reason, due: now.plus(delay), delay, ..standing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{DeadReason, HoldReason};

    const OK: Outcome = Outcome::Status { status: 200, retry_after: None };

    fn fresh() -> Standing {
        Standing {
            state: State::Pending,
            reason: None,
            due: Wall(0),
            delay: Duration::ZERO,
            attempts: 0,
            tries: 0,
            holds: 0,
            held: Duration::ZERO,
            maybe_received: false,
        }
    }

    #[test]
    fn a_burnt_attempt_a_hold_a_free_resend_and_the_end() {
        let second = Duration::from_secs(1);
        let burnt = after(&fresh(), &Outcome::NoAnswer, Next::RetryAfter { delay: second, burns: true }, Wall(5_000));
        assert_eq!((burnt.state, burnt.due, burnt.delay), (State::RetryWait, Wall(6_000), second));
        assert_eq!((burnt.attempts, burnt.tries, burnt.holds, burnt.maybe_received), (1, 1, 0, true));

        let hold = Next::Hold { reason: HoldReason::EndpointDown, delay: second };
        let held = after(&burnt, &Outcome::Unreachable, hold, Wall(7_000));
        assert_eq!((held.state, held.reason.as_deref()), (State::Held, Some("endpoint_down")));
        assert_eq!((held.attempts, held.tries, held.holds, held.maybe_received), (1, 2, 1, true));

        let resend = Next::RetryAfter { delay: Duration::ZERO, burns: false };
        let resent = after(&held, &Outcome::Malformed, resend, Wall(8_000));
        assert_eq!((resent.attempts, resent.tries, resent.holds, resent.held), (1, 3, 1, second));
        assert_eq!((resent.state, resent.reason.clone()), (State::RetryWait, None));

        let delivered = after(&resent, &OK, Next::Delivered, Wall(9_000));
        assert_eq!((delivered.state, delivered.attempts, delivered.tries), (State::Delivered, 2, 4));

        let dead = after(&resent, &OK, Next::Dead(DeadReason::Exhausted), Wall(9_000));
        assert_eq!((dead.state, dead.reason.as_deref()), (State::Dead, Some("exhausted")));
    }
}
