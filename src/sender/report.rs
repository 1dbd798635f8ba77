//! What a sender tells: to `status`, and to the log.
//!
//! Owns the wording and the manners (a repeated error is logged when it changes); refuses to know what follows from an
//! attempt. Counts over the last day come from the journal, not from here.

use crate::delivery::{Attempt, DeadReason, HoldReason, Outcome, Step};
use crate::name::Name;
use crate::retry::Next;
use crate::time::Mono;

/// How a sender does at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Why nothing is sent, if that is so.
    pub held: Option<HoldReason>,
    /// When that is looked at again; None: when something else happens first.
    pub until: Option<Mono>,
    /// It said twice that it is gone (410): nothing is sent until an operator says otherwise.
    pub gone: bool,
    /// POSTs under way.
    pub in_flight: usize,
    /// What the operator should do about the last failure; None after a success.
    pub advice: Option<&'static str>,
}

/// Finds the words for what changes; what stays as it was is passed over in silence.
#[derive(Debug)]
pub(super) struct Teller {
    endpoint: Name,
    told: Option<Told>,
    /// Attempts since it last took something, none of which it took.
    failed: u64,
}

/// What was told last.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Attempt {
        class: &'static str,
        status: Option<u16>,
        dead: bool,
    },
    /// Delivered, but.
    Flaw(String),
    Journal,
}

impl Teller {
    pub(super) fn new(endpoint: Name) -> Teller {
        Teller { endpoint, told: None, failed: 0 }
    }

    /// What to say about an attempt.
    pub(super) fn attempt(&mut self, attempt: &Attempt, next: Next) -> Option<String> {
        let endpoint = &self.endpoint;
        if next == Next::Delivered {
            let failed = std::mem::take(&mut self.failed);
            let Some(flaw) = &attempt.error else {
                return self
                    .told
                    .take()
                    .map(|_| format!("endpoint `{endpoint}` takes deliveries again{}", after(failed)));
            };
            let line = format!("endpoint `{endpoint}` takes deliveries, but {flaw}");
            return self.unless_told(Told::Flaw(flaw.clone()), line);
        }
        self.failed += 1;
        let told = Told::Attempt {
            class: attempt.outcome.class(),
            status: attempt.outcome.status(),
            dead: matches!(next, Next::Dead(_) | Next::Expired | Next::Gone),
        };
        let advice = advice(&attempt.outcome).map(|advice| format!("; {advice}")).unwrap_or_default();
        let line = format!("endpoint `{endpoint}`: {}; {}{advice}", what(attempt), then(next));
        self.unless_told(told, line)
    }

    /// What to say when the journal refuses `what`.
    pub(super) fn journal(&mut self, what: &str, error: &crate::journal::Error) -> Option<String> {
        let line = format!("endpoint `{}`: {what} failed: {error}", self.endpoint);
        self.unless_told(Told::Journal, line)
    }

    fn unless_told(&mut self, told: Told, line: String) -> Option<String> {
        if self.told.as_ref() == Some(&told) {
            return None;
        }
        self.told = Some(told);
        Some(line)
    }
}

/// How long an outage was, in attempts.
fn after(failed: u64) -> String {
    match failed {
        0 => String::new(),
        1 => ", after 1 attempt that failed".to_owned(),
        failed => format!(", after {failed} attempts that failed"),
    }
}

fn what(attempt: &Attempt) -> String {
    match (&attempt.error, attempt.outcome.status()) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => format!("it answers {status}"),
        (None, None) => attempt.outcome.class().to_owned(),
    }
}

fn then(next: Next) -> String {
    match next {
        Next::Delivered => "delivered".to_owned(),
        Next::RetryAfter { delay, .. } => format!("this delivery again in {:.1} s", delay.as_secs_f64()),
        Next::Hold { reason: HoldReason::EndpointDown, .. } => "held until it can be reached".to_owned(),
        Next::Hold { reason, delay } => format!("held ({}) for {} s", reason.as_str(), delay.as_secs()),
        Next::Expired => {
            "too old (expired): `stakeout dlq list` shows it, `stakeout dlq retry` sends it again".to_owned()
        }
        Next::Gone => "it gets nothing more until `stakeout endpoint enable`".to_owned(),
        Next::Dead(DeadReason::ClipGone) => "given up".to_owned(),
        Next::Dead(reason) => {
            format!("given up ({}): `stakeout dlq list` shows it, `stakeout dlq retry` sends it again", reason.as_str())
        }
    }
}

/// What the operator should do, where an outcome says so.
pub fn advice(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::NoSuchHost => Some("wrong URL? is the host in `url` right?"),
        Outcome::CertificateDates => Some("check the clock of this box, then when the receiver's certificate expires"),
        Outcome::Tls => Some("check the receiver's certificate: its name and its issuer"),
        Outcome::Forbidden => {
            Some("its name leads to a link-local or metadata address; correct the URL, or allow it: `[egress] allow`")
        }
        Outcome::OurFault => Some("correct `url` and `headers` of the endpoint, then restart"),
        Outcome::Status { status: 300..=399, .. } => {
            Some("redirects are not followed: put the final address into `url`")
        }
        Outcome::Status { status: 401 | 403 | 407, .. } => {
            Some("the receiver does not accept us: compare its secret with `secret_file`, and both clocks")
        }
        Outcome::Status { status: 404 | 405 | 410, .. } => Some("is the path in `url` right?"),
        Outcome::Reply { code: 500..=599, to: Step::Login } => {
            Some("the mail server does not accept the login: compare `username` and `password_file`")
        }
        Outcome::Reply { code: 500..=599, to: Step::Session } => {
            Some("the mail server has nothing to do with this box: is it the right one, and does it want a login?")
        }
        Outcome::Reply { code: 500..=599, to: Step::Letter } => Some("are the addresses in `to` right?"),
        Outcome::Status { status: 413, .. } => {
            Some("lower `max_body`, or set `frame = \"none\"`; of clips it must take pieces of 4 KiB")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn attempt(outcome: Outcome, error: Option<&str>) -> Attempt {
        Attempt { outcome, took: Duration::ZERO, error: error.map(str::to_owned), snippet: None }
    }

    fn status(status: u16) -> Attempt {
        attempt(Outcome::Status { status, retry_after: None }, None)
    }

    #[test]
    fn an_error_is_told_when_it_changes_and_its_end_is_told_once() {
        let mut teller = Teller::new(Name::new("ops").unwrap());
        let again = Next::RetryAfter { delay: Duration::from_secs(4), burns: true };
        let down = Next::Hold { reason: HoldReason::EndpointDown, delay: Duration::from_secs(1) };
        let refused = attempt(Outcome::Unreachable, Some("connection refused"));

        assert_eq!(teller.attempt(&status(200), Next::Delivered), None);
        assert_eq!(
            teller.attempt(&status(401), again).unwrap(),
            "endpoint `ops`: it answers 401; this delivery again in 4.0 s; the receiver does not accept us: compare its secret with \
             `secret_file`, and both clocks"
        );
        assert_eq!(teller.attempt(&status(401), again), None);
        assert_eq!(
            teller.attempt(&refused, down).unwrap(),
            "endpoint `ops`: connection refused; held until it can be reached"
        );
        assert_eq!(teller.attempt(&refused, down), None);
        assert_eq!(
            teller.attempt(&status(500), Next::Dead(DeadReason::Exhausted)).unwrap(),
            "endpoint `ops`: it answers 500; given up (exhausted): `stakeout dlq list` shows it, `stakeout dlq retry` \
             sends it again"
        );
        assert_eq!(
            teller.attempt(&status(200), Next::Delivered).unwrap(),
            "endpoint `ops` takes deliveries again, after 5 attempts that failed"
        );
        assert_eq!(teller.attempt(&status(200), Next::Delivered), None);

        let flawed = Attempt { error: Some("the mail server answers `550 who?` to RCPT".into()), ..status(200) };
        assert_eq!(
            teller.attempt(&flawed, Next::Delivered).unwrap(),
            "endpoint `ops` takes deliveries, but the mail server answers `550 who?` to RCPT"
        );
        assert_eq!(teller.attempt(&flawed, Next::Delivered), None);
    }
}
