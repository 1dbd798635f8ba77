//! When to try a delivery again.
//!
//! Owns the schedules of the presets, the lengths of holds and, in its rooms, the [`taxonomy`] of outcomes and the
//! [`breaker`]; refuses to know sockets, the journal and clocks. Pure: what happened, the circumstances and the random part
//! are arguments.

pub mod breaker;
pub mod taxonomy;

use std::time::Duration;

use crate::config::Retry;
use crate::delivery::{DeadReason, HoldReason, Outcome};
use taxonomy::Then;

/// The waits after the first attempts of `edge` and `trio`, in seconds.
const FAST: [u64; 5] = [1, 2, 4, 8, 16];
/// How `edge` goes on; the last one repeats.
const SLOW: [u64; 4] = [60, 5 * 60, 15 * 60, 45 * 60];
/// The waits of `aioz`.
const AIOZ: [u64; 3] = [3, 3, 3];
/// The waits of `standard`: the example of Standard Webhooks 1.0.
const STANDARD: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// `edge` gives up when its waits would come to more than this.
const EDGE_MAX_AGE: Duration = Duration::from_secs(72 * 3600);
/// Jitter adds at most this share.
const JITTER: f64 = 0.1;
/// So many steps of a schedule are exact.
const EXACT_STEPS: u32 = 2;

/// What happened to a delivery before the attempt that is being judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Attempts burnt.
    pub attempts: u32,
    /// POSTs made.
    pub tries: u32,
    /// Times it was held.
    pub holds: u32,
    /// An earlier POST may have been received.
    pub maybe_received: bool,
    /// The status that the POST before brought, if it brought one.
    pub last_status: Option<u16>,
}

impl Progress {
    /// Free re-sends used: POSTs that were neither burnt nor held.
    pub fn resent(&self) -> u32 {
        self.tries.saturating_sub(self.attempts).saturating_sub(self.holds)
    }
}

/// What is known about the endpoint and the box when an attempt is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Whether the wall clock can be believed.
    pub clock_synced: bool,
    /// How often running the endpoint asked us to slow down, before this time.
    pub throttled_running: u32,
    /// How often running the box was found offline, before this time.
    pub offline_running: u32,
    /// The endpoint took another delivery of the same type after this one had failed.
    pub others_delivered_since: bool,
    /// The endpoint's host has not existed for [`MISSING_FOR_LONG`], and not cost an attempt for [`MISSING_COSTS_EVERY`].
    pub host_missing_for_long: bool,
    /// The endpoint said 410 at least [`GONE_CONFIRMED`] ago, and nothing else since.
    pub gone_before: bool,
}

/// So long a host may be missing before that costs attempts, …
pub const MISSING_FOR_LONG: Duration = Duration::from_secs(24 * 3600);
/// … one every so often.
pub const MISSING_COSTS_EVERY: Duration = Duration::from_secs(6 * 3600);
/// Two 410 at least so far apart mean it.
pub const GONE_CONFIRMED: Duration = Duration::from_secs(60);

impl Default for Circumstances {
    fn default() -> Self {
        Circumstances {
            clock_synced: true,
            throttled_running: 0,
            offline_running: 0,
            others_delivered_since: false,
            host_missing_for_long: false,
            gone_before: false,
        }
    }
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It arrived (or had arrived before).
    Delivered,
    /// Try again.
    RetryAfter {
        /// From now.
        delay: Duration,
        /// Whether the attempt counts.
        burns: bool,
    },
    /// Something outside the delivery stands in the way; the attempt does not count.
    Hold {
        /// What.
        reason: HoldReason,
        /// When to look again at the latest. For [`HoldReason::EndpointDown`] the breaker may want longer.
        delay: Duration,
    },
    /// It ended without success.
    Dead(DeadReason),
    /// It is older than it may get.
    Expired,
    /// The endpoint takes nothing any more, neither this one nor any other.
    Gone,
}

/// Judges an attempt. `jitter` is the random part, 0 to 1.
pub fn next(retry: &Retry, progress: &Progress, outcome: &Outcome, circumstances: &Circumstances, jitter: f64) -> Next {
    match taxonomy::row_for(retry, progress, outcome, circumstances).then {
        Then::Delivered => Next::Delivered,
        Then::Schedule => after_burning(retry, progress.attempts.saturating_add(1), circumstances.clock_synced, jitter),
        Then::ResendAtOnce => Next::RetryAfter { delay: Duration::ZERO, burns: false },
        Then::Hold(reason) => Next::Hold { reason, delay: hold(reason, progress, outcome, circumstances) },
        Then::Dead(reason) => Next::Dead(reason),
        Then::Gone => Next::Gone,
    }
}

/// What follows when `burnt` attempts are used up, this one included. A delivery becomes too old only while the clock is
/// synced; until then its last wait repeats.
pub fn after_burning(retry: &Retry, burnt: u32, clock_synced: bool, jitter: f64) -> Next {
    match step(retry, burnt) {
        Step::TooOld(_) if clock_synced => Next::Expired,
        Step::Wait(wait) | Step::TooOld(wait) => {
            Next::RetryAfter { delay: jittered(retry, burnt, wait, jitter), burns: true }
        }
        Step::Exhausted => Next::Dead(DeadReason::Exhausted),
    }
}

/// What follows when an attempt failed that left more with the receiver than any before: it burns nothing, and the schedule
/// begins anew. None: the schedule has no steps.
pub fn after_progress(retry: &Retry, jitter: f64) -> Option<Next> {
    match after_burning(retry, 1, false, jitter) {
        Next::RetryAfter { delay, .. } => Some(Next::RetryAfter { delay, burns: false }),
        _ => None,
    }
}

/// Whether the receiver may have got the body though we heard no status.
pub fn maybe_received(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NoAnswer | Outcome::StaleConnection | Outcome::Malformed)
}

/// What a schedule says after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Try again so much later, without jitter.
    Wait(Duration),
    /// That was the last attempt.
    Exhausted,
    /// It would be tried again so much later, but it is too old by then.
    TooOld(Duration),
}

/// What follows the `burnt`-th attempt, from 1.
///
/// A delivery's age is the sum of its waits: the time in which it could have been delivered. Time in which it was held, the
/// box was off or a clock jumped does not count.
fn step(retry: &Retry, burnt: u32) -> Step {
    let Some(step) = usize::try_from(burnt).ok().and_then(|burnt| burnt.checked_sub(1)) else { return Step::Exhausted };
    let listed = |seconds: &[u64]| seconds.get(step).copied().map(Duration::from_secs);
    let wait = match retry {
        Retry::Edge => edge_wait(step),
        Retry::Trio => listed(&FAST),
        Retry::Aioz => listed(&AIOZ),
        Retry::Standard => listed(&STANDARD),
        Retry::Custom { delays, max_age } => {
            let age: Duration = delays.iter().take(step.saturating_add(1)).sum();
            match delays.get(step) {
                Some(wait) if age > *max_age => return Step::TooOld(*wait),
                wait => wait.copied(),
            }
        }
    };
    wait.map_or(Step::Exhausted, Step::Wait)
}

fn edge_wait(step: usize) -> Option<Duration> {
    let seconds = |step: usize| -> u64 {
        let slow = || SLOW[step.saturating_sub(FAST.len()).min(SLOW.len() - 1)];
        FAST.get(step).copied().unwrap_or_else(slow)
    };
    let last_listed = FAST.len() + SLOW.len() - 1;
    let listed: u64 = (0..=step.min(last_listed)).map(seconds).sum();
    let repeated = u64::try_from(step.saturating_sub(last_listed)).ok()?.checked_mul(SLOW[SLOW.len() - 1])?;
    (Duration::from_secs(listed.checked_add(repeated)?) <= EDGE_MAX_AGE).then(|| Duration::from_secs(seconds(step)))
}

fn jittered(retry: &Retry, burnt: u32, wait: Duration, jitter: f64) -> Duration {
    let exact = burnt <= EXACT_STEPS || matches!(retry, Retry::Trio | Retry::Aioz);
    if exact { wait } else { wait.mul_f64(1.0 + JITTER * jitter.clamp(0.0, 1.0)) }
}

/// How long something outside the delivery is waited for.
fn hold(reason: HoldReason, progress: &Progress, outcome: &Outcome, circumstances: &Circumstances) -> Duration {
    match reason {
        HoldReason::Offline => doubling(5, circumstances.offline_running, 60),
        // Never longer than the breaker is open for the first time: from then on the breaker decides.
        HoldReason::EndpointDown => doubling(1, progress.holds, 5),
        HoldReason::Throttled => match outcome {
            Outcome::Status { retry_after: Some(asked), .. } => {
                (*asked).clamp(Duration::from_secs(1), Duration::from_secs(3600))
            }
            _ => doubling(30, circumstances.throttled_running, 15 * 60),
        },
        HoldReason::Clock | HoldReason::Paused => Duration::from_secs(30),
    }
}

/// `first` seconds, doubled `times`, at most `most`.
fn doubling(first: u64, times: u32, most: u64) -> Duration {
    let factor = 1_u64.checked_shl(times).unwrap_or(u64::MAX);
    Duration::from_secs(first.saturating_mul(factor).min(most))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule(retry: &Retry) -> Vec<u64> {
        let wait = |burnt| match step(retry, burnt) {
            Step::Wait(wait) => Some(wait.as_secs()),
            Step::Exhausted | Step::TooOld(_) => None,
        };
        (1..).map_while(wait).collect()
    }

    fn status(status: u16) -> Outcome {
        Outcome::Status { status, retry_after: None }
    }

    fn after(retry: &Retry, attempts: u32, outcome: &Outcome, jitter: f64) -> Next {
        let progress = Progress { attempts, tries: attempts, ..Progress::default() };
        next(retry, &progress, outcome, &Circumstances::default(), jitter)
    }

    #[test]
    fn the_presets_to_the_letter() {
        assert_eq!(schedule(&Retry::Trio), [1, 2, 4, 8, 16]);
        assert_eq!(schedule(&Retry::Aioz), [3, 3, 3]);
        assert_eq!(schedule(&Retry::Standard), [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]);
        let edge = schedule(&Retry::Edge);
        assert_eq!(edge[..10], [1, 2, 4, 8, 16, 60, 300, 900, 2700, 2700]);
        assert!(edge[8..].iter().all(|&wait| wait == 2700));
        let age: u64 = edge.iter().sum();
        assert!(age <= 72 * 3600 && age + 2700 > 72 * 3600, "{age}");
    }

    #[test]
    fn custom_schedules_end_with_their_list_or_their_age() {
        let custom = |max_age| Retry::Custom {
            delays: [1, 10, 100].map(Duration::from_secs).to_vec(),
            max_age: Duration::from_secs(max_age),
        };
        assert_eq!(schedule(&custom(1000)), [1, 10, 100]);
        assert_eq!(schedule(&custom(111)), [1, 10, 100]);
        assert_eq!(schedule(&custom(110)), [1, 10]);
        assert_eq!(schedule(&custom(0)), [0; 0]);
        assert_eq!(after(&custom(1000), 3, &status(500), 0.0), Next::Dead(DeadReason::Exhausted));
        assert_eq!(after(&custom(110), 2, &status(500), 0.0), Next::Expired);
        let unsynced = Circumstances { clock_synced: false, ..Circumstances::default() };
        let progress = Progress { attempts: 2, tries: 2, ..Progress::default() };
        assert_eq!(
            next(&custom(110), &progress, &status(500), &unsynced, 0.0),
            Next::RetryAfter { delay: Duration::from_secs(100), burns: true },
            "nothing gets too old by a clock that cannot be believed"
        );
    }

    #[test]
    fn trio_is_one_attempt_and_five_retries_then_dead_whatever_went_wrong() {
        for outcome in [Outcome::Unreachable, Outcome::NoAnswer, status(500), status(429), status(302)] {
            for (burnt, wait) in [1, 2, 4, 8, 16].into_iter().enumerate() {
                let expected = Next::RetryAfter { delay: Duration::from_secs(wait), burns: true };
                assert_eq!(after(&Retry::Trio, burnt as u32, &outcome, 1.0), expected);
            }
            assert_eq!(after(&Retry::Trio, 5, &outcome, 0.0), Next::Dead(DeadReason::Exhausted));
        }
    }

    #[test]
    fn throttling_waits_as_asked_within_reason() {
        let asked = |seconds| Outcome::Status { status: 429, retry_after: Some(Duration::from_secs(seconds)) };
        let held = |outcome: &Outcome, throttled_running| {
            let circumstances = Circumstances { throttled_running, ..Circumstances::default() };
            match next(&Retry::Edge, &Progress::default(), outcome, &circumstances, 0.0) {
                Next::Hold { reason: HoldReason::Throttled, delay } => delay.as_secs(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(held(&asked(0), 0), 1);
        assert_eq!(held(&asked(7), 3), 7);
        assert_eq!(held(&asked(1_000_000), 0), 3600);
        assert_eq!([0, 1, 2, 4, 5, 99].map(|n| held(&status(429), n)), [30, 60, 120, 480, 900, 900]);
    }

    #[test]
    fn being_offline_is_probed_ever_more_slowly_and_burns_nothing_in_any_preset() {
        for retry in [Retry::Edge, Retry::Trio, Retry::Aioz, Retry::Standard] {
            let waits = [0, 1, 3, 4, 70].map(|offline_running| {
                let circumstances = Circumstances { offline_running, ..Circumstances::default() };
                match next(&retry, &Progress::default(), &Outcome::Offline, &circumstances, 0.0) {
                    Next::Hold { reason: HoldReason::Offline, delay } => delay.as_secs(),
                    other => panic!("{other:?}"),
                }
            });
            assert_eq!(waits, [5, 10, 40, 60, 60]);
        }
    }

    fn any_retry() -> impl Strategy<Value = Retry> {
        let custom = (proptest::collection::vec(0_u64..100_000, 0..20), 0_u64..1_000_000).prop_map(|(delays, age)| {
            Retry::Custom {
                delays: delays.into_iter().map(Duration::from_millis).collect(),
                max_age: Duration::from_millis(age),
            }
        });
        prop_oneof![Just(Retry::Edge), Just(Retry::Trio), Just(Retry::Aioz), Just(Retry::Standard), custom]
    }

    fn any_outcome() -> impl Strategy<Value = Outcome> {
        let retry_after = proptest::option::of((0_u64..1_000_000).prop_map(Duration::from_secs));
        prop_oneof![
            (100_u16..1000, retry_after).prop_map(|(status, retry_after)| Outcome::Status { status, retry_after }),
            Just(Outcome::Offline),
            Just(Outcome::NoSuchHost),
            Just(Outcome::Unreachable),
            Just(Outcome::CertificateDates),
            Just(Outcome::Tls),
            Just(Outcome::Forbidden),
            Just(Outcome::StaleConnection),
            Just(Outcome::NoAnswer),
            Just(Outcome::Malformed),
            Just(Outcome::OurFault),
            Just(Outcome::ClipGone),
        ]
    }

    fn any_circumstances() -> impl Strategy<Value = Circumstances> {
        let runs = (any::<u32>(), any::<u32>());
        let known = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
        (runs, known).prop_map(|((throttled_running, offline_running), known)| Circumstances {
            clock_synced: known.0,
            throttled_running,
            offline_running,
            others_delivered_since: known.1,
            host_missing_for_long: known.2,
            gone_before: known.3,
        })
    }

    proptest! {
        #[test]
        fn jitter_only_adds_a_tenth_at_most_and_nothing_to_the_first_two_steps(
            retry in any_retry(), attempts in 0_u32..120, jitter in 0.0_f64..=1.0
        ) {
            let plain = after(&retry, attempts, &status(500), 0.0);
            let moved = after(&retry, attempts, &status(500), jitter);
            let (Next::RetryAfter { delay: plain, .. }, Next::RetryAfter { delay: moved, .. }) = (plain, moved) else {
                prop_assert_eq!(plain, moved);
                return Ok(());
            };
            prop_assert!(moved >= plain && moved <= plain.mul_f64(1.1) + Duration::from_nanos(2));
            if attempts < 2 || matches!(retry, Retry::Trio | Retry::Aioz) {
                prop_assert_eq!(moved, plain);
            }
        }

        #[test]
        fn a_2xx_is_delivered_and_no_transport_failure_is(
            retry in any_retry(), outcome in any_outcome(), circumstances in any_circumstances(), attempts in any::<u32>()
        ) {
            let progress = Progress { attempts, tries: attempts, ..Progress::default() };
            let next = next(&retry, &progress, &outcome, &circumstances, 0.5);
            prop_assert_eq!(next == Next::Delivered, outcome.is_success());
        }

        #[test]
        fn every_delivery_ends_when_every_attempt_is_refused(retry in any_retry(), code in 500_u16..600) {
            let mut progress = Progress::default();
            let mut waited = Duration::ZERO;
            loop {
                match next(&retry, &progress, &status(code), &Circumstances::default(), 1.0) {
                    Next::RetryAfter { delay, burns } => {
                        prop_assert!(burns);
                        waited += delay;
                        progress.attempts += 1;
                        progress.tries += 1;
                        progress.last_status = Some(code);
                        prop_assert!(progress.attempts < 200);
                    }
                    Next::Dead(_) | Next::Expired => break,
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            if retry == Retry::Edge && !matches!(code, 501 | 505) {
                prop_assert!(waited > Duration::from_secs(71 * 3600));
            }
        }

        #[test]
        fn a_hold_never_lasts_longer_than_an_hour_and_a_resend_happens_once(
            retry in any_retry(), outcome in any_outcome(), circumstances in any_circumstances(), holds in any::<u32>()
        ) {
            let mut progress = Progress { holds, tries: holds, ..Progress::default() };
            match next(&retry, &progress, &outcome, &circumstances, 0.0) {
                Next::Hold { delay, .. } => prop_assert!(delay <= Duration::from_secs(3600) && delay > Duration::ZERO),
                Next::RetryAfter { burns: false, .. } => {
                    progress.tries = progress.tries.saturating_add(1);
                    if progress.resent() == 1 {
                        let again = next(&retry, &progress, &outcome, &circumstances, 0.0);
                        let is_resend = matches!(again, Next::RetryAfter { burns: false, .. });
                        prop_assert!(!is_resend);
                    }
                }
                _ => {}
            }
        }
    }
}
