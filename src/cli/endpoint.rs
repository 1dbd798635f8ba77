//! `stakeout endpoint`: what endpoints there are, and whether one works.
//!
//! Owns how a check is shown and which exit code it ends with; refuses to know what is sent (`sender`). It is made in this
//! process, from the configuration: the daemon need not run, and its journal is not touched.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;

use super::enable;
use super::exit::{Exit, Failure};
use super::print::{self, Cell, Table, Tint};
use super::settings::ConfigFile;
use crate::config::{Config, Endpoint, Format, closest, quoted};
use crate::daemon;
use crate::delivery::Outcome;
use crate::name::Name;
use crate::preflight::{self, Ready};
use crate::sender::{self, Checked};
use crate::sign::Key;
use crate::time::now;
use crate::transport::{Certificate, Client, Settings, Tls};

const CHECK_HELP: &str = "\
Sends one signed `endpoint.check` and, when it was taken, another one with a wrong signature, which
the receiver should refuse. Neither is journaled or counted. Values of headers are not shown.
Exit codes: 0 it works (warnings go to stderr), 1 failure, 4 its name leads nowhere, 5 no
connection, 6 no TLS, 7 the receiver did not take it, 78 the configuration can't be used.";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the endpoints of the configuration
    List(List),
    /// Send a check to an endpoint and print what happened
    Check(Check),
    /// Send events again to an endpoint that said it is gone (410)
    Enable(enable::Args),
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = CHECK_HELP)]
struct Check {
    /// Name of the endpoint
    #[arg(value_parser = Name::new)]
    name: Name,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Check(args) => check(args),
        Command::Enable(args) => enable::run(args),
    }
}

/// A line of `endpoint list --json`.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a Name,
    url: String,
    format: &'static str,
    /// So many secrets sign what is sent.
    secrets: usize,
    enabled: bool,
}

fn list(args: &List) -> Result<(), Failure> {
    let config = args.file.load()?.config;
    let lines = config.endpoints.iter().map(|endpoint| Line {
        name: &endpoint.name,
        url: origin(endpoint),
        format: match endpoint.format {
            Format::Stakeout => "stakeout",
        },
        secrets: endpoint.secrets.len(),
        enabled: endpoint.enabled,
    });
    let mut out = io::stdout().lock();
    if args.json {
        lines.into_iter().try_for_each(|line| print::json_line(&mut out, &line))?;
        return Ok(out.flush()?);
    }
    let mut table = Table::new(["endpoint", "url", "format", "signed", ""]);
    for line in lines {
        let signed = match line.secrets {
            0 => Cell::tinted("no", Tint::Odd),
            1 => "yes".into(),
            _ => "with two secrets".into(),
        };
        let enabled = if line.enabled { "".into() } else { Cell::tinted("disabled", Tint::Odd) };
        table.row([line.name.into(), line.url.into(), line.format.into(), signed, enabled]);
    }
    if table.is_empty() {
        print::say("no endpoints");
    } else {
        table.print(&mut out, print::colour_on_stdout())?;
    }
    Ok(out.flush()?)
}

fn check(args: &Check) -> Result<(), Failure> {
    let mut parsed = args.file.load()?;
    let endpoint = find(&parsed.config, &args.name)?.clone();
    let Some((keys, tls)) = preflight::endpoint(&endpoint, &mut parsed.diagnostics) else {
        return Err(Failure::configuration(&parsed.diagnostics));
    };
    let checked = send(&parsed.config, &endpoint, &keys, tls)?;
    let seen = Seen::new(&endpoint, &checked);
    let mut out = io::stdout().lock();
    if args.json {
        print::json_line(&mut out, &seen)?;
    } else {
        describe(&seen, &mut out)?;
    }
    out.flush()?;
    if let Some(failure) = failure(&endpoint, &checked) {
        return Err(failure);
    }
    warnings(&endpoint, &keys, &checked).iter().for_each(|warning| print::say(warning));
    Ok(())
}

/// `check --live`: a check of every endpoint that is enabled, a line for each; all of them, also after one that fails.
pub(super) fn check_all(config: &Config, mut ready: Ready) -> Result<(), Failure> {
    let mut failures = 0;
    for endpoint in config.endpoints.iter().filter(|endpoint| endpoint.enabled) {
        let keys = ready.keys.remove(&endpoint.name).unwrap_or_default();
        let tls = ready.tls.remove(&endpoint.name).unwrap_or_default();
        let checked = send(config, endpoint, &keys, tls)?;
        if let Some(failure) = failure(endpoint, &checked) {
            failures += 1;
            failure.report();
            continue;
        }
        let took = milliseconds(checked.attempt.took);
        writeln!(io::stdout(), "endpoint `{}`: works (answered after {took} ms)", endpoint.name)?;
        warnings(endpoint, &keys, &checked).iter().for_each(|warning| print::say(warning));
    }
    match failures {
        0 => Ok(()),
        1 => {
            Err(Failure::plain("1 endpoint does not work").hint("`stakeout endpoint check NAME` shows how far it came"))
        }
        n => Err(Failure::plain(format_args!("{n} endpoints do not work"))
            .hint("`stakeout endpoint check NAME` shows how far they came")),
    }
}

fn find<'a>(config: &'a Config, name: &Name) -> Result<&'a Endpoint, Failure> {
    let known = || config.endpoints.iter().map(|endpoint| endpoint.name.as_str());
    config.endpoints.iter().find(|endpoint| endpoint.name == *name).ok_or_else(|| {
        let failure = Failure::plain(format_args!("there is no endpoint `{name}`"));
        match closest(name.as_str(), known()) {
            Some(meant) => failure.hint(format_args!("did you mean `{meant}`?")),
            None if config.endpoints.is_empty() => failure.hint("there is no `[[endpoint]]` in this file"),
            None => failure.hint(format_args!("endpoints of this file: {}", quoted(known()))),
        }
    })
}

fn send(config: &Config, endpoint: &Endpoint, keys: &[Key], tls: Tls) -> Result<Checked, Failure> {
    let egress = Arc::new(config.egress.clone());
    let settings = Settings { timeout: endpoint.timeout, kept_connections: 0, egress, tls };
    let client = Client::new(&settings).map_err(Failure::plain)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::plain(format_args!("cannot make a client: {error}")))?;
    let checked = runtime.block_on(sender::check(endpoint, keys, &client, &daemon::device_id(config)));
    // Not the destructor: that one waits for name lookups that hang.
    runtime.shutdown_background();
    Ok(checked)
}

/// What `endpoint check --json` prints.
#[derive(Serialize)]
struct Seen<'a> {
    endpoint: &'a Name,
    /// Without path and query, which may be secret.
    url: String,
    addresses: Vec<String>,
    lookup_ms: Option<u64>,
    peer: Option<String>,
    /// TCP and TLS.
    connect_ms: Option<u64>,
    tls: Option<Shown<'a>>,
    outcome: &'static str,
    status: Option<u16>,
    latency_ms: u64,
    error: Option<&'a str>,
    clock_skew_s: Option<i64>,
    headers: &'a [String],
    /// Whether the receiver refuses a wrong signature; null when that was not found out.
    verifies: Option<bool>,
    forged_status: Option<u16>,
}

#[derive(Serialize)]
struct Shown<'a> {
    subject: &'a str,
    issuer: &'a str,
    not_before: String,
    not_after: String,
    #[serde(skip)]
    days_left: i64,
}

impl<'a> Seen<'a> {
    fn new(endpoint: &'a Endpoint, checked: &'a Checked) -> Seen<'a> {
        let Checked { attempt, way, skew_s, headers, forged } = checked;
        let lookup = way.looked_up.unwrap_or_default();
        Seen {
            endpoint: &endpoint.name,
            url: origin(endpoint),
            addresses: way.addresses.iter().map(ToString::to_string).collect(),
            lookup_ms: way.looked_up.map(milliseconds),
            peer: way.peer.map(|peer| peer.to_string()),
            connect_ms: way.connected.map(|connected| milliseconds(connected.saturating_sub(lookup))),
            tls: way.certificate.as_ref().map(Shown::new),
            outcome: attempt.outcome.class(),
            status: attempt.outcome.status(),
            latency_ms: milliseconds(attempt.took),
            error: attempt.error.as_deref(),
            clock_skew_s: *skew_s,
            headers,
            verifies: checked.verifies(),
            forged_status: forged.as_ref().and_then(Outcome::status),
        }
    }
}

impl<'a> Shown<'a> {
    fn new(certificate: &'a Certificate) -> Shown<'a> {
        Shown {
            subject: &certificate.subject,
            issuer: &certificate.issuer,
            not_before: certificate.not_before.to_string(),
            not_after: certificate.not_after.to_string(),
            days_left: (certificate.not_after.as_second() - now().wall.unix_seconds()) / 86_400,
        }
    }
}

fn describe(seen: &Seen<'_>, out: &mut dyn Write) -> io::Result<()> {
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
        let (subject, issuer) = (print::one_line(tls.subject), print::one_line(tls.issuer));
        writeln!(out, "certificate  {subject}, issued by {issuer}, valid until {until} (in {} d)", tls.days_left)?;
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
    writeln!(out, "headers      {}", seen.headers.join(", "))?;
    if !seen.headers.iter().any(|name| name == "webhook-signature") {
        return writeln!(out, "signature    none: the endpoint has no secret");
    }
    match (seen.verifies, seen.forged_status) {
        (Some(true), Some(status)) => writeln!(out, "signature    a wrong one was refused with {status}"),
        (Some(false), Some(status)) => writeln!(out, "signature    a wrong one was taken with {status}"),
        _ => writeln!(out, "signature    not found out whether a wrong one is refused"),
    }
}

/// Scheme, host and port.
fn origin(endpoint: &Endpoint) -> String {
    endpoint.url.value.origin().ascii_serialization()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Why an endpoint does not work, with the exit code of that class.
fn failure(endpoint: &Endpoint, checked: &Checked) -> Option<Failure> {
    let outcome = &checked.attempt.outcome;
    let is_name = endpoint.url.value.domain().is_some();
    let exit = match outcome {
        Outcome::Status { status: 200..=299, .. } => return None,
        Outcome::NoSuchHost => Exit::NoAddress,
        Outcome::Unreachable if is_name && checked.way.addresses.is_empty() => Exit::NoAddress,
        Outcome::Offline | Outcome::Unreachable | Outcome::Forbidden => Exit::NoConnection,
        Outcome::CertificateDates | Outcome::Tls => Exit::NoTls,
        Outcome::Status { .. } | Outcome::StaleConnection | Outcome::NoAnswer | Outcome::Malformed => Exit::NotTaken,
        Outcome::OurFault => Exit::Failure,
    };
    let name = &endpoint.name;
    let why = match (outcome.status(), &checked.attempt.error) {
        (Some(status), _) => format!("it answers {status}"),
        (None, Some(error)) => error.clone(),
        (None, None) => outcome.class().to_owned(),
    };
    let failure = Failure::new(exit, format_args!("endpoint `{name}` does not work: {why}"));
    Some(match sender::advice(outcome) {
        Some(advice) => failure.hint(advice),
        None => failure,
    })
}

/// What is odd about an endpoint that works.
fn warnings(endpoint: &Endpoint, keys: &[Key], checked: &Checked) -> Vec<String> {
    let mut warnings = Vec::new();
    let name = &endpoint.name;
    let mut warn = |what: &str, hint: &str| warnings.push(format!("warning: endpoint `{name}`: {what}\nhint: {hint}"));
    if keys.is_empty() {
        warn(
            "it is unsigned: the receiver can't tell our events from anybody's",
            "set `secret_file`; `stakeout keygen` makes a secret",
        );
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
    warnings
}

/// How old a `webhook-timestamp` may be: Standard Webhooks recommends five minutes, and its libraries have them.
const TOLERANCE_S: u64 = 300;
