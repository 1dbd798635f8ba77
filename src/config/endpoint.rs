//! `[[endpoint]]`: where events go.
//!
//! Owns its keys and the preset names of `retry`; refuses to know what is sent there and when.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::read::Section;
use super::settings::{ClientCertificate, Endpoint, Format, FrameChoice, Located, Rate, Retry, SecretRef};
use super::value::{self, Problem, Read, Value};
use super::{address, events, headers};
use crate::egress::Egress;
use crate::name::Name;

const LATER_FORMATS: [&str; 7] = ["trio-live-monitor", "trio-stream", "videodb", "aioz", "slack", "pagerduty", "email"];

/// Reads one `[[endpoint]]`. The name comes out even if the rest is wrong, so that it is known to monitors.
pub(super) fn read(section: &mut Section<'_, '_>, egress: &Egress) -> (Option<Located<Name>>, Option<Endpoint>) {
    let name = section.name();
    let allow_http = section.or("allow_http", false, value::flag);
    let url = section
        .required("url", "\"https://your-app.example/events\"", |value| address::endpoint(value, allow_http, egress));
    let format =
        section.or("format", Format::Stakeout, value::choice(&[("stakeout", Format::Stakeout)], &LATER_FORMATS));
    let secrets = secrets(section);
    let events = section.or("events", crate::event::EventType::ALL.to_vec(), events::filter);
    let retry = section.or("retry", Retry::Edge, retry);
    let timeout = value::duration(Duration::from_secs(1)..=Duration::from_secs(30));
    let timeout = section.or("timeout", Duration::from_secs(5), timeout);
    let concurrency = section.or("concurrency", 4, value::whole(1..=64));
    let rate = section.or("rate", Some(Rate { count: 10, per: Duration::from_secs(1) }), rate);
    let frame = value::choice(&[("inline", FrameChoice::Inline), ("none", FrameChoice::None)], &[]);
    let frame = section.or("frame", FrameChoice::Inline, frame);
    let max_body = section.or("max_body", 256 << 10, value::size(4 << 10..=64 << 20));
    let headers = section.or("headers", BTreeMap::new(), headers::read);
    let enabled = section.or("enabled", true, value::flag);
    let ca_file = section.optional_text("ca_file").map(path);
    let client = client(section);
    for later in ["url_file", "routing_key_file", "username", "password_file"] {
        section.not_yet(later, &[""]);
    }
    section.not_yet("from", &[""]);
    section.not_yet_list("to");

    let endpoint = name.as_ref().zip(url).map(|(name, url)| Endpoint {
        name: name.value.clone(),
        url,
        format,
        secrets,
        events,
        retry,
        timeout,
        concurrency,
        rate,
        frame,
        max_body,
        headers,
        ca_file,
        client,
        enabled,
    });
    (name, endpoint)
}

/// `client_cert` and `client_key`, both or none.
fn client(section: &mut Section<'_, '_>) -> Option<ClientCertificate> {
    let certificate = section.optional_text("client_cert");
    let key = section.optional_text("client_key");
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Some(ClientCertificate { certificate: path(certificate), key: SecretRef::File(path(key)) })
        }
        (Some(alone), None) => {
            section.problem(alone.at, "`client_cert` needs a `client_key`", "add the file with its private key");
            None
        }
        (None, Some(alone)) => {
            section.problem(alone.at, "`client_key` needs a `client_cert`", "add the file with its certificate");
            None
        }
        (None, None) => None,
    }
}

fn path(text: Located<String>) -> Located<PathBuf> {
    Located { value: PathBuf::from(text.value), at: text.at }
}

/// `secret_file` or `secret_credential`, one or two of them, newest first.
fn secrets(section: &mut Section<'_, '_>) -> Vec<SecretRef> {
    let files = section.take("secret_file", one_or_two);
    let credentials = section.take("secret_credential", one_or_two).filter(|list| !list.value.is_empty());
    if let (Some(_), Some(credentials)) = (files.as_ref().filter(|list| !list.value.is_empty()), &credentials) {
        let what = "`secret_file` and `secret_credential` exclude each other";
        section.problem(credentials.at.clone(), what, "leave one of them out");
    }
    let files = files.into_iter().flat_map(|list| list.value).map(|file| SecretRef::File(path(file)));
    files.chain(credentials.into_iter().flat_map(|list| list.value).map(SecretRef::Credential)).collect()
}

fn one_or_two(value: &Value<'_>) -> Read<Vec<Located<String>>> {
    let one = |value: &Value<'_>| value::text(value).map(|text| Located { value: text, at: value.span() });
    if matches!(value.get_ref(), DeValue::Array(_)) {
        let list = value::list_of(one, "[\"/etc/stakeout/new.secret\", \"/etc/stakeout/old.secret\"]")(value)?;
        return match list.iter().find(|secret| secret.value.is_empty()) {
            Some(empty) => {
                Err(Problem::new(empty.at.clone(), " has an empty entry", "name a secret or leave it out").into())
            }
            None if list.len() > 2 => Err(Problem::new(
                value.span(),
                " has more than two entries",
                "while rotating: the new one, then the old one",
            )
            .into()),
            None => Ok(list),
        };
    }
    let only = value::text_like("a string or a list of two", "\"/etc/stakeout/ops.secret\"")(value)?;
    Ok(if only.is_empty() { Vec::new() } else { vec![Located { value: only, at: value.span() }] })
}

/// `"10/s"`, `"30/min"`, `"100/h"`, or `"off"`.
fn rate(value: &Value<'_>) -> Read<Option<Rate>> {
    let text = value::text_like("a rate", "\"10/s\"")(value)?;
    if text == "off" {
        return Ok(None);
    }
    let rate = text.split_once('/').and_then(|(count, per)| {
        let seconds = match per {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            _ => return None,
        };
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count.parse().ok().filter(|count| digits && (1..=1_000_000).contains(count))?;
        Some(Rate { count, per: Duration::from_secs(seconds) })
    });
    rate.map(Some).ok_or_else(|| {
        let label = "a whole number up to 1000000 and one of `/s`, `/min`, `/h`: for example `\"10/s\"`; or `\"off\"`";
        Problem::new(value.span(), " is not a rate", label).into()
    })
}

/// A preset by name, or a schedule of one's own.
fn retry(value: &Value<'_>) -> Read<Retry> {
    const EXAMPLE: &str = "{ delays = [\"1s\", \"10s\"], max_age = \"72h\" }";
    match value.get_ref() {
        DeValue::String(preset) => match preset.as_ref() {
            "edge" => Ok(Retry::Edge),
            "trio" => Ok(Retry::Trio),
            "aioz" => Ok(Retry::Aioz),
            "standard" => Ok(Retry::Standard),
            other => {
                let label = format!("one of `edge`, `trio`, `aioz`, `standard`, or `{EXAMPLE}`");
                Err(Problem::new(value.span(), format!(" can't be `{other}`"), label).into())
            }
        },
        DeValue::Table(table) => {
            if let Some(key) = table.keys().find(|key| !matches!(key.get_ref().as_ref(), "delays" | "max_age")) {
                let predicate = format!(" has no key `{}`", key.get_ref());
                return Err(Problem::new(key.span(), predicate, format!("for example `{EXAMPLE}`")).into());
            }
            let Some(delays) = table.get("delays") else {
                return Err(Problem::new(value.span(), " has no `delays`", format!("for example `{EXAMPLE}`")).into());
            };
            let delay = value::duration(Duration::from_millis(100)..=Duration::from_secs(7 * 86_400));
            let max_age = value::duration(Duration::from_secs(1)..=Duration::from_secs(365 * 86_400));
            let read = value::list_of(delay, "[\"1s\", \"10s\"]")(delays)?;
            if read.is_empty() || read.len() > 100 {
                return Err(
                    Problem::new(delays.span(), " needs 1 to 100 `delays`", "for example `[\"1s\", \"10s\"]`").into()
                );
            }
            let max_age = table.get("max_age").map_or(Ok(Duration::from_secs(72 * 3600)), max_age)?;
            Ok(Retry::Custom { delays: read, max_age })
        }
        _ => Err(Problem::wrong_type(value, "a preset or a table", "\"edge\"").into()),
    }
}
