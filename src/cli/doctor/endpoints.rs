//! Every endpoint: a signed check, and what was seen on its way.
//!
//! Owns the words; refuses to send anything by itself (`cli::endpoint`).

use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::time::Duration;

use url::Url;

use super::reach;
use super::report::{Finding, Report};
use crate::cli::{checked, endpoint};
use crate::config::{Config, Defined, Endpoint};
use crate::daemon::check_line;
use crate::preflight::{self, Folders, Opened};
use crate::time::now;

const CHECK: &str = "endpoint";

/// For a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whoever renews certificates by hand needs so many days.
const SOON: i64 = 14;

pub(super) fn examine(config: &Config, report: &mut Report) -> io::Result<()> {
    for endpoint in &config.endpoints {
        for finding in check(endpoint, config) {
            report.tell(finding.of(&endpoint.name))?;
        }
    }
    Ok(())
}

fn check(endpoint: &Endpoint, config: &Config) -> Vec<Finding> {
    if !endpoint.enabled {
        return vec![Finding::warn(
            CHECK,
            "not tried: it is disabled",
            "write `enabled = true` when it may get events",
        )];
    }
    if let Some((what, remedy)) = reach::beyond(reach::of_endpoint(endpoint)) {
        return vec![Finding::warn(CHECK, what, remedy)];
    }
    let (credentials, tls) = match preflight::open(
        &Defined::Endpoint(endpoint.clone()),
        None,
        config,
        &BTreeMap::new(),
        &mut Folders::default(),
    ) {
        Ok(Opened::Endpoint(credentials, tls)) => (credentials, tls),
        Ok(_) => return Vec::new(),
        Err(unfit) => return vec![Finding::fail(CHECK, unfit.error, unfit.hint)],
    };
    let checked = match endpoint::send(config, endpoint, &credentials, tls) {
        Ok(Ok(checked)) => checked,
        // What it would act on is not sent.
        Ok(Err(_)) => return vec![reached(&credentials.url)],
        Err(failure) => return vec![Finding::fail(CHECK, failure.to_string(), "see `stakeout endpoint check`")],
    };
    if let Some((_, why, advice)) = checked::trouble(&credentials, &checked) {
        let shows = || format!("`stakeout endpoint check {}` shows how far it came", endpoint.name);
        return vec![Finding::fail(CHECK, why, advice.map_or_else(shows, str::to_owned))];
    }
    let seen = check_line(endpoint, &checked);
    let mut found = format!("{} answered {} after {} ms", seen.url, seen.status.unwrap_or_default(), seen.latency_ms);
    let mut findings = Vec::new();
    if let Some(tls) = &seen.tls {
        let day = tls.not_after.split('T').next().unwrap_or_default();
        found.push_str(&format!(", its certificate holds until {day}"));
        findings.extend(expiry(&tls.not_after));
    }
    findings.insert(0, Finding::ok(CHECK, found));
    let odd = checked::oddities(endpoint, &credentials, &checked);
    findings.extend(odd.into_iter().map(|(what, remedy)| Finding::warn(CHECK, what, remedy)));
    findings
}

/// A connection, and not a word on it.
fn reached(url: &Url) -> Finding {
    let connect = || {
        let address = url.socket_addrs(|| None)?.into_iter().next().ok_or(io::ErrorKind::NotFound)?;
        TcpStream::connect_timeout(&address, PATIENCE).map(|_| address)
    };
    match connect() {
        Ok(address) => {
            Finding::ok(CHECK, format!("{address} can be reached; its format has no message for trying out"))
        }
        Err(error) => {
            Finding::fail(CHECK, format!("it can't be reached: {error}"), "check its URL, the network and the receiver")
        }
    }
}

fn expiry(not_after: &str) -> Option<Finding> {
    let end: jiff::Timestamp = not_after.parse().ok()?;
    let days = (end.as_second() - now().wall.unix_seconds()) / 86_400;
    let found = || format!("its certificate expires in {days} days");
    (days < SOON).then(|| Finding::warn(CHECK, found(), "let the receiver renew it"))
}
