//! `stakeout endpoint`: what endpoints there are, and whether one works.
//!
//! Owns the commands; refuses to know what is sent (`sender`) and how it is shown (`checked`). An endpoint of the file is
//! checked in this process: the daemon need not run, and its journal is not touched. Of endpoints that were made over the
//! API only the daemon knows; it is asked for them, if it runs.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;

use super::checked::{describe, failure, milliseconds, seen_failure, warnings};
use super::client::{Client, ClientError};
use super::enable;
use super::exit::Failure;
use super::print::{self, Cell, Table, Tint};
use super::settings::ConfigFile;
use crate::api::{self, EndpointLine, Page};
use crate::config::{Config, Endpoint, closest, quoted};
use crate::credentials::Credentials;
use crate::daemon;
use crate::journal::Origin;
use crate::name::Name;
use crate::preflight::{self, Ready};
use crate::sender::{self, Checked, Outlet, Uncheckable};
use crate::transport::{self, Settings, Tls, Unreached, Way};

const CHECK_HELP: &str = "\
Sends one signed `endpoint.check` and, when it was taken, another one with a wrong signature, which
the receiver should refuse. Neither is journaled or counted. Values of headers are not shown.
Slack and mail get a message that says that nothing happened, PagerDuty the end of an incident that
there never was; receivers of the Trio formats, videodb and aioz would act on it, and get nothing.
Exit codes: 0 it works (warnings go to stderr), 1 failure, 4 its name leads nowhere, 5 no
connection, 6 no TLS, 7 the receiver did not take it, 78 the configuration can't be used.";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the endpoints, of the configuration and made over the API
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
struct Line {
    name: Name,
    url: String,
    format: String,
    #[serde(skip)]
    signable: bool,
    /// So many secrets sign what is sent.
    secrets: u64,
    enabled: bool,
    /// Who made it.
    origin: Origin,
}

impl From<&Endpoint> for Line {
    fn from(endpoint: &Endpoint) -> Line {
        Line {
            name: endpoint.name.clone(),
            url: endpoint.origin(),
            format: endpoint.format.as_str().to_owned(),
            signable: endpoint.format.is_signed(),
            secrets: endpoint.secrets.len() as u64,
            enabled: endpoint.enabled,
            origin: Origin::File,
        }
    }
}

/// What clients made, as the daemon tells it. Nothing, with a note, if it doesn't.
fn made_over_the_api(config: &Config) -> Result<Vec<Line>, Failure> {
    let client = Client::new(&config.api.socket)?;
    if let Err(unreachable) = client.probe() {
        print::say(&format!("note: {unreachable}; only endpoints of the file are listed"));
        return Ok(Vec::new());
    }
    let page: Page<EndpointLine> = client.get("/v1/endpoints", &serde_json::json!({}))?;
    let line = |EndpointLine { endpoint, leads }| {
        let leads = leads.filter(|_| endpoint.origin == Origin::Api)?;
        Some(Line {
            name: endpoint.name,
            url: leads.url.unwrap_or_else(|| "(secret)".to_owned()),
            format: leads.format,
            // No other format can be made there.
            signable: true,
            secrets: leads.secrets,
            enabled: leads.enabled,
            origin: Origin::Api,
        })
    };
    Ok(page.items.into_iter().filter_map(line).collect())
}

fn list(args: &List) -> Result<(), Failure> {
    let config = args.file.load()?.config;
    let lines = config.endpoints.iter().map(Line::from).chain(made_over_the_api(&config)?);
    let mut out = io::stdout().lock();
    if args.json {
        lines.into_iter().try_for_each(|line| print::json_line(&mut out, &line))?;
        return Ok(out.flush()?);
    }
    let mut table = Table::new(["endpoint", "url", "format", "signed", ""]);
    for line in lines {
        let signed = match line.secrets {
            0 if !line.signable => "".into(),
            0 => Cell::tinted("no", Tint::Odd),
            1 => "yes".into(),
            _ => "with two secrets".into(),
        };
        let told = match (line.origin, line.enabled) {
            (Origin::File, true) => "".into(),
            (Origin::Api, true) => "API".into(),
            (Origin::File, false) => Cell::tinted("disabled", Tint::Odd),
            (Origin::Api, false) => Cell::tinted("API, disabled", Tint::Odd),
        };
        table.row([line.name.as_str().into(), line.url.into(), line.format.into(), signed, told]);
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
    let endpoint = match find(&parsed.config, &args.name) {
        Ok(endpoint) => endpoint.clone(),
        Err(unknown) => return check_there(&parsed.config, args, unknown),
    };
    let ready = preflight::endpoint(&endpoint, &parsed.config.egress, &mut parsed.diagnostics);
    let Some((credentials, tls)) = ready else {
        return Err(Failure::configuration(&parsed.diagnostics));
    };
    let checked = send(&parsed.config, &endpoint, &credentials, tls)?;
    let checked = checked.map_err(|why| Failure::plain(format_args!("endpoint `{}`: {why}", endpoint.name)))?;
    let seen = daemon::check_line(&endpoint, &checked);
    let mut out = io::stdout().lock();
    if args.json {
        print::json_line(&mut out, &seen)?;
    } else {
        describe(&seen, &mut out)?;
    }
    out.flush()?;
    if let Some(failure) = failure(&endpoint, &credentials, &checked) {
        return Err(failure);
    }
    warnings(&endpoint, &credentials, &checked).iter().for_each(|warning| print::say(warning));
    Ok(())
}

/// So long the daemon may take: two attempts, and an endpoint's `timeout` is 30 s at most.
const PATIENCE: Duration = Duration::from_secs(70);

/// Has the daemon check an endpoint that is not in the file.
fn check_there(config: &Config, args: &Check, unknown: Failure) -> Result<(), Failure> {
    let client = Client::new(&config.api.socket)?;
    if client.probe().is_err() {
        print::say("note: the daemon is not reachable, which alone knows endpoints that were made over the API");
        return Err(unknown);
    }
    let seen: api::Check = match client.post_patiently(&format!("/v1/endpoints/{}/check", args.name), PATIENCE) {
        Ok(seen) => seen,
        Err(ClientError::Refused(refusal)) if refusal.status == 404 => return Err(unknown),
        Err(error) => return Err(error.into()),
    };
    let mut out = io::stdout().lock();
    if args.json {
        print::json_line(&mut out, &seen)?;
    } else {
        describe(&seen, &mut out)?;
    }
    out.flush()?;
    seen_failure(&seen).map_or(Ok(()), Err)
}

/// `check --live`: a check of every endpoint that is enabled, a line for each; all of them, also after one that fails. How
/// many don't work.
pub(super) fn check_all(config: &Config, mut ready: Ready) -> Result<usize, Failure> {
    let mut failures = 0;
    for endpoint in config.endpoints.iter().filter(|endpoint| endpoint.enabled) {
        let Some(credentials) = ready.credentials.remove(&endpoint.name) else { continue };
        let tls = ready.tls.remove(&endpoint.name).unwrap_or_default();
        let checked = match send(config, endpoint, &credentials, tls)? {
            Ok(checked) => checked,
            Err(why) => {
                print::say(&format!("warning: endpoint `{}` was not tried: {why}", endpoint.name));
                continue;
            }
        };
        if let Some(failure) = failure(endpoint, &credentials, &checked) {
            failures += 1;
            failure.report();
            continue;
        }
        let took = milliseconds(checked.attempt.took);
        writeln!(io::stdout(), "endpoint `{}`: works (answered after {took} ms)", endpoint.name)?;
        warnings(endpoint, &credentials, &checked).iter().for_each(|warning| print::say(warning));
    }
    Ok(failures)
}

/// The endpoint of that name, or which ones there are.
pub(super) fn find<'a>(config: &'a Config, name: &Name) -> Result<&'a Endpoint, Failure> {
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

/// Sends a check to `endpoint`, from this process.
pub(super) fn send(
    config: &Config,
    endpoint: &Endpoint,
    credentials: &Credentials,
    tls: Tls,
) -> Result<Result<Checked, Uncheckable>, Failure> {
    let outlet = Outlet::new(endpoint, credentials, &settings(config, endpoint, tls)).map_err(Failure::plain)?;
    wait_for(sender::check(endpoint, credentials, &outlet, &daemon::device_id(config)))
}

/// Connects to where `endpoint` leads, from this process, and sends nothing.
pub(super) fn reach(
    config: &Config,
    endpoint: &Endpoint,
    credentials: &Credentials,
    tls: Tls,
) -> Result<(Result<(), Unreached>, Way), Failure> {
    let settings = settings(config, endpoint, tls);
    wait_for(transport::reach(&credentials.url, &settings))?.map_err(Failure::plain)
}

fn settings(config: &Config, endpoint: &Endpoint, tls: Tls) -> Settings {
    Settings { timeout: endpoint.timeout, kept_connections: 0, egress: Arc::new(config.egress.clone()), tls }
}

fn wait_for<T>(done: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::plain(format_args!("cannot make a client: {error}")))?;
    let came = runtime.block_on(done);
    // Not the destructor: that one waits for name lookups that hang.
    runtime.shutdown_background();
    Ok(came)
}
