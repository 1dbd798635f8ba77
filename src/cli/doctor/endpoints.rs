//! Every endpoint: a signed check, or a connection alone where there is nothing to send; and what was seen on the way.
//!
//! Owns the words; refuses to send anything by itself (`cli::endpoint`).

use std::collections::BTreeMap;
use std::io;

use super::reach;
use super::report::{Finding, Report};
use crate::cli::{checked, endpoint};
use crate::config::{Config, Defined, Endpoint};
use crate::credentials::Credentials;
use crate::daemon::check_line;
use crate::preflight::{self, Folders, Opened};
use crate::time::now;
use crate::transport::{Tls, Unreached};

const CHECK: &str = "endpoint";

/// What to do where nothing more is known.
const LOOK: &str = "check its URL, the network and the receiver";

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
    let checked = match endpoint::send(config, endpoint, &credentials, tls.clone()) {
        Ok(Ok(checked)) => checked,
        // What it would act on is not sent.
        Ok(Err(_)) => return reached(endpoint, config, &credentials, tls),
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
        found.push_str(&believed_until(&tls.not_after));
        findings.extend(expiry(&tls.not_after));
    }
    findings.insert(0, Finding::ok(CHECK, found));
    let odd = checked::oddities(endpoint, &credentials, &checked);
    findings.extend(odd.into_iter().map(|(what, remedy)| Finding::warn(CHECK, what, remedy)));
    findings
}

/// All but a message: a lookup within the egress rules, a connection, the certificate.
fn reached(endpoint: &Endpoint, config: &Config, credentials: &Credentials, tls: Tls) -> Vec<Finding> {
    let (reached, way) = match endpoint::reach(config, endpoint, credentials, tls) {
        Ok(came) => came,
        Err(failure) => return vec![Finding::fail(CHECK, failure.to_string(), LOOK)],
    };
    if let Err(Unreached { outcome, error }) = reached {
        let (why, advice) = checked::trouble_on(&way, credentials, &outcome, Some(&error))
            .map_or((error.clone(), None), |(_, why, advice)| (why, advice));
        return vec![Finding::fail(CHECK, why, advice.unwrap_or(LOOK))];
    }
    let peer = way.peer.map(|peer| format!("{peer} ")).unwrap_or_default();
    let took = way.connected.unwrap_or_default().as_millis();
    let mut found = format!("{peer}takes connections (after {took} ms)");
    let not_after = way.certificate.map(|certificate| certificate.not_after.to_string());
    if let Some(not_after) = &not_after {
        found.push_str(&believed_until(not_after));
    }
    found.push_str("; nothing was sent: its format has no message for trying out");
    [Finding::ok(CHECK, found)].into_iter().chain(not_after.and_then(|not_after| expiry(&not_after))).collect()
}

fn believed_until(not_after: &str) -> String {
    format!(", its certificate holds until {}", not_after.split('T').next().unwrap_or_default())
}

fn expiry(not_after: &str) -> Option<Finding> {
    let end: jiff::Timestamp = not_after.parse().ok()?;
    let days = (end.as_second() - now().wall.unix_seconds()) / 86_400;
    let found = || format!("its certificate expires in {days} days");
    (days < SOON).then(|| Finding::warn(CHECK, found(), "let the receiver renew it"))
}
