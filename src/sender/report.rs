//! What a sender tells: to `status`, and to the log.
//!
//! Owns the wording and the manners (a repeated error is logged when it changes); refuses to know what follows from an
//! attempt. Counts over the last day come from the journal, not from here.

use crate::delivery::{Attempt, HoldReason, Outcome};
use crate::name::Name;
use crate::retry::Next;
use crate::retry::breaker::Change;
use crate::time::Mono;

/// How a sender does at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Why nothing is sent, if that is so.
    pub held: Option<HoldReason>,
    /// When that is looked at again; None: when something else happens first.
    pub until: Option<Mono>,
    /// POSTs under way.
    pub in_flight: usize,
    /// What the operator should do about the last failure; None after a success.
    pub advice: Option<&'static str>,
}

/// Logs what changes.
#[derive(Debug)]
pub(super) struct Teller {
    endpoint: Name,
    told: Option<Told>,
}

/// What was logged last.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    class: &'static str,
    status: Option<u16>,
    dead: bool,
}

impl Teller {
    pub(super) fn new(endpoint: Name) -> Teller {
        Teller { endpoint, told: None }
    }

    pub(super) fn attempt(&mut self, attempt: &Attempt, next: Next, change: Option<Change>) {
        let endpoint = &self.endpoint;
        if next == Next::Delivered {
            if self.told.take().is_some() {
                tracing::info!(%endpoint, "endpoint `{endpoint}` takes deliveries again");
            }
            return;
        }
        let told = Told {
            class: attempt.outcome.class(),
            status: attempt.outcome.status(),
            dead: matches!(next, Next::Dead(_)),
        };
        if self.told.as_ref() != Some(&told) {
            let (what, then) = (what(attempt), then(next));
            let advice = advice(&attempt.outcome).map(|advice| format!("; {advice}")).unwrap_or_default();
            tracing::warn!(%endpoint, class = told.class, "endpoint `{endpoint}`: {what}; {then}{advice}");
            self.told = Some(told);
        }
        if let Some(Change::Opened(wait)) = change {
            tracing::debug!(%endpoint, "endpoint `{endpoint}`: next probe in {} s", wait.as_secs());
        }
    }

    /// The journal refuses; `what` was tried.
    pub(super) fn journal(&mut self, what: &str, error: &crate::journal::Error) {
        let endpoint = &self.endpoint;
        let told = Told { class: "journal", status: None, dead: false };
        if self.told.as_ref() != Some(&told) {
            tracing::error!(%endpoint, "endpoint `{endpoint}`: {what} failed: {error}");
            self.told = Some(told);
        }
    }
}

fn what(attempt: &Attempt) -> String {
    match (&attempt.outcome, &attempt.error) {
        (Outcome::Status { status, .. }, _) => format!("it answers {status}"),
        (_, Some(error)) => error.clone(),
        (outcome, None) => outcome.class().to_owned(),
    }
}

fn then(next: Next) -> String {
    match next {
        Next::Delivered => "delivered".to_owned(),
        Next::RetryAfter { delay, .. } => format!("again in {:.1} s", delay.as_secs_f64()),
        Next::Hold { reason: HoldReason::EndpointDown, .. } => "held until it can be reached".to_owned(),
        Next::Hold { reason, delay } => format!("held ({}) for {} s", reason.as_str(), delay.as_secs()),
        Next::Dead(reason) => {
            format!("given up ({}): `stakeout dlq list` shows it, `stakeout dlq retry` sends it again", reason.as_str())
        }
    }
}

/// What the operator should do, where an outcome says so.
pub(super) fn advice(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::NoSuchHost => Some("is the host in `url` right?"),
        Outcome::Tls => Some("check the receiver's certificate: its name, its issuer and when it expires"),
        Outcome::OurFault => Some("correct `url` and `headers` of the endpoint, then restart"),
        Outcome::Status { status: 300..=399, .. } => {
            Some("redirects are not followed: put the final address into `url`")
        }
        Outcome::Status { status: 401 | 403 | 407, .. } => {
            Some("the receiver does not accept us: compare its secret with `secret_file`, and both clocks")
        }
        Outcome::Status { status: 404 | 405 | 410, .. } => Some("is the path in `url` right?"),
        Outcome::Status { status: 413, .. } => Some("lower `max_body`, or set `frame = \"none\"`"),
        _ => None,
    }
}
