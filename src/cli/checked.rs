//! How the check of an endpoint is shown: what was seen, why it does not work, and what is odd though it does.
//!
//! Owns the words and the exit code of each class; refuses to send anything (`sender`) and to show paths, header
//! values and whatever else may be secret.

use std::io::{self, Write};
use std::time::Duration;

use super::exit::{Exit, Failure};
use super::print;
use crate::api::Check;
use crate::config::Endpoint;
use crate::credentials::Credentials;
use crate::delivery::Outcome;
use crate::sender::{self, Checked};
use crate::time::now;
use crate::transport::Way;

/// How old a `webhook-timestamp` may be: Standard Webhooks recommends five minutes, and its libraries have them.
const TOLERANCE_S: u64 = 300;

/// For people.
pub(super) fn describe(seen: &Check, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "endpoint     {}", seen.endpoint)?;
    writeln!(out, "url          {}", seen.url)?;
    if let Some(took) = seen.lookup_ms {
        writeln!(out, "addresses    {} (looked up in {took} ms)", seen.addresses.join(", "))?;
    }
    if let Some(took) = seen.connect_ms {
        let peer = seen.peer.as_deref().unwrap_or("it");
        let tls = if seen.tls.is_some() { " with TLS" } else { "" };
        writeln!(out, "connected    to {peer} in {took} ms{tls}")?;
    }
    if let Some(tls) = &seen.tls {
        let until = tls.not_after.split('T').next().unwrap_or_default();
        let (subject, issuer) = (print::one_line(&tls.subject), print::one_line(&tls.issuer));
        writeln!(out, "certificate  {subject}, issued by {issuer}, valid until {until}{}", in_days(&tls.not_after))?;
    }
    match seen.status {
        Some(status) => writeln!(out, "answer       {status} after {} ms", seen.latency_ms)?,
        None => writeln!(out, "answer       none ({}, after {} ms)", seen.outcome, seen.latency_ms)?,
    }
    match seen.clock_skew_s {
        Some(-1..=1) => writeln!(out, "clock        the receiver's agrees with ours")?,
        Some(skew) => {
            let which = if skew > 0 { "ahead of" } else { "behind" };
            writeln!(
                out,
                "clock        the receiver's is {} {which} ours",
                print::span(Duration::from_secs(skew.unsigned_abs()))
            )?;
        }
        None => {}
    }
    if !seen.headers.is_empty() {
        writeln!(out, "headers      {}", seen.headers.join(", "))?;
    }
    if !seen.headers.iter().any(|name| name == "webhook-signature") {
        let why = if seen.signable { "the endpoint has no secret" } else { "its format knows none" };
        return writeln!(out, "signature    none: {why}");
    }
    match (seen.verifies, seen.forged_status) {
        (Some(true), Some(status)) => writeln!(out, "signature    a wrong one was refused with {status}"),
        (Some(false), Some(status)) => writeln!(out, "signature    a wrong one was taken with {status}"),
        _ => writeln!(out, "signature    not found out whether a wrong one is refused"),
    }
}

/// ` (in 30 d)`
fn in_days(moment: &str) -> String {
    let left = |at: jiff::Timestamp| format!(" (in {} d)", (at.as_second() - now().wall.unix_seconds()) / 86_400);
    moment.parse().map(left).unwrap_or_default()
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Why an endpoint does not work, with the exit code of that class.
pub(super) fn failure(endpoint: &Endpoint, credentials: &Credentials, checked: &Checked) -> Option<Failure> {
    let (exit, why, advice) = trouble(credentials, checked)?;
    let failure = Failure::new(exit, format_args!("endpoint `{}` does not work: {why}", endpoint.name));
    Some(match advice.or_else(|| plain_advice(&checked.attempt.outcome)) {
        Some(advice) => failure.hint(advice),
        None => failure,
    })
}

/// What to do where only the receiver's side can tell more.
fn plain_advice(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Unreachable => Some("does the receiver run, and are host and port in `url` right?"),
        Outcome::NoAnswer => Some("does the receiver run, and does it answer in time (`timeout`)?"),
        Outcome::Status { status: 500.., .. } => Some("the receiver itself fails: its log says why"),
        Outcome::Status { status: 400..=499, .. } => Some("the receiver refuses what is sent: its log says why"),
        _ => None,
    }
}

/// Why an endpoint that the daemon checked does not work.
pub(super) fn seen_failure(seen: &Check) -> Option<Failure> {
    let exit = match seen.outcome.as_str() {
        "delivered" => return None,
        "no_such_host" => Exit::NoAddress,
        "offline" | "unreachable" | "forbidden" => Exit::NoConnection,
        "certificate_dates" | "tls" => Exit::NoTls,
        "our_fault" => Exit::Failure,
        _ => Exit::NotTaken,
    };
    let why = match (&seen.error, seen.status) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => format!("it answers {status}"),
        (None, None) => seen.outcome.clone(),
    };
    Some(Failure::new(exit, format_args!("endpoint `{}` does not work: {why}", seen.endpoint)))
}

/// Why an endpoint does not work: the class's exit code, the reason, and what to do where that is known.
pub(super) fn trouble(credentials: &Credentials, checked: &Checked) -> Option<(Exit, String, Option<&'static str>)> {
    trouble_on(&checked.way, credentials, &checked.attempt.outcome, checked.attempt.error.as_ref())
}

/// The same, of an attempt that came as far as `way` and ended with `outcome`.
pub(super) fn trouble_on(
    way: &Way,
    credentials: &Credentials,
    outcome: &Outcome,
    error: Option<&String>,
) -> Option<(Exit, String, Option<&'static str>)> {
    let is_name = credentials.url.domain().is_some();
    let exit = match outcome {
        outcome if outcome.is_success() => return None,
        Outcome::NoSuchHost => Exit::NoAddress,
        Outcome::Unreachable if is_name && way.addresses.is_empty() => Exit::NoAddress,
        Outcome::Offline | Outcome::Unreachable | Outcome::Forbidden => Exit::NoConnection,
        Outcome::CertificateDates | Outcome::Tls => Exit::NoTls,
        Outcome::Status { .. } | Outcome::Reply { .. } => Exit::NotTaken,
        Outcome::StaleConnection | Outcome::NoAnswer | Outcome::Malformed => Exit::NotTaken,
        Outcome::OurFault | Outcome::ClipGone => Exit::Failure,
    };
    let why = match (error, outcome.status()) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => format!("it answers {status}"),
        (None, None) => outcome.class().to_owned(),
    };
    Some((exit, why, sender::advice(outcome)))
}

/// What is odd about an endpoint that works, as it is said on stderr.
pub(super) fn warnings(endpoint: &Endpoint, credentials: &Credentials, checked: &Checked) -> Vec<String> {
    let said = |(what, hint)| format!("warning: endpoint `{}`: {what}\nhint: {hint}", endpoint.name);
    oddities(endpoint, credentials, checked).into_iter().map(said).collect()
}

/// What is odd about an endpoint that works, each with what to do.
pub(super) fn oddities(endpoint: &Endpoint, credentials: &Credentials, checked: &Checked) -> Vec<(String, String)> {
    let mut oddities = Vec::new();
    let mut warn = |what: &str, hint: &str| oddities.push((what.to_owned(), hint.to_owned()));
    if endpoint.format.is_signed() && credentials.keys.is_empty() {
        warn(
            "it is unsigned: the receiver can't tell our events from anybody's",
            "set `secret_file`; `stakeout keygen` makes a secret",
        );
    }
    if let Some(flaw) = &checked.attempt.error {
        warn(&format!("it takes letters, but {flaw}"), "correct `to`");
    }
    if checked.verifies() == Some(false) {
        warn(
            "the receiver takes a wrong signature: anybody who can reach it can send it events",
            "let it verify `webhook-signature` or `X-Trio-Signature`, and answer 401 when they don't match",
        );
    }
    if checked.skew_s.is_some_and(|skew| skew.unsigned_abs() > TOLERANCE_S) {
        warn(
            "the receiver's clock and ours differ by more than five minutes: it may refuse what seems that old",
            "set the clock of this box (`timedatectl`), or the receiver's",
        );
    }
    oddities
}
