//! `[[endpoint]]`: where events go.
//!
//! Owns its keys and the preset names of `retry`; refuses to know what is sent there and when, and which keys go with which
//! format (`fitness`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;
use url::Url;

use super::destination::{self, Rules};
use super::read::Section;
use super::settings::{ClientCertificate, Endpoint, EndpointUrl, Format, FrameChoice, Located, Rate, Retry, SecretRef};
use super::value::{self, Problem, Read, Value};
use super::{camera, events, fitness, headers, mail};
use crate::egress::Egress;
use crate::event::EventType;
use crate::name::Name;

const FORMATS: [(&str, Format); 9] = [
    ("stakeout", Format::Stakeout),
    ("trio-live-monitor", Format::TrioLiveMonitor),
    ("trio-stream", Format::TrioStream),
    ("videodb", Format::Videodb),
    ("aioz", Format::Aioz),
    ("slack", Format::Slack),
    ("pagerduty", Format::Pagerduty),
    ("email", Format::Email),
    ("upload", Format::Upload),
];

/// So long an attempt may take.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads one `[[endpoint]]`. The name comes out even if the rest is wrong, so that it is known to monitors.
pub(super) fn read(section: &mut Section<'_, '_>, egress: &Egress) -> (Option<Located<Name>>, Option<Endpoint>) {
    let name = section.name();
    let allow_http = section.or("allow_http", false, value::flag);
    let format = section.or("format", Format::Stakeout, value::choice(&FORMATS, &[]));
    fitness::strangers(section, format);
    let url = url(section, &Rules { format, allow_http, egress });
    let secrets = if format.is_signed() { secrets(section) } else { Vec::new() };
    let routing_key = (format == Format::Pagerduty).then(|| routing_key(section));
    let mail = (format == Format::Email).then(|| mail::read(section));
    let events = events(section, format);
    let retry = section.or("retry", Retry::Edge, retry);
    let timeout = value::duration(Duration::from_secs(1)..=LONGEST_TIMEOUT);
    // Mail servers take their time: they look up who we are, and some let everybody wait.
    // A piece of a clip takes as long over a thin uplink.
    let is_slow = matches!(format, Format::Email | Format::Upload);
    let usual = if is_slow { LONGEST_TIMEOUT } else { Duration::from_secs(5) };
    let timeout = section.or("timeout", usual, timeout);
    let concurrency = section.or("concurrency", if format == Format::Upload { 1 } else { 4 }, value::whole(1..=64));
    let rate = section.or("rate", Some(Rate { count: 10, per: Duration::from_secs(1) }), rate);
    let bandwidth = section.or("bandwidth", None, value::bandwidth);
    let frame = value::choice(&[("inline", FrameChoice::Inline), ("none", FrameChoice::None)], &[]);
    let frame = section.take("frame", frame);
    let frame = fitness::frame(section, format, frame);
    let max_body = section.or("max_body", 256 << 10, value::size(4 << 10..=64 << 20));
    let headers =
        if format == Format::Email { BTreeMap::new() } else { section.or("headers", BTreeMap::new(), headers::read) };
    let enabled = section.or("enabled", true, value::flag);
    let ca_file = section.optional_text("ca_file").map(path);
    let client = client(section);

    let complete = || {
        Some(Endpoint {
            name: name.as_ref()?.value.clone(),
            url: url?,
            allow_http,
            format,
            secrets,
            routing_key: routing_key.map_or(Some(None), |needed| needed.map(Some))?,
            mail: mail.map_or(Some(None), |needed| needed.map(Some))?,
            events,
            retry,
            timeout,
            concurrency,
            rate,
            bandwidth,
            frame,
            max_body,
            headers,
            ca_file,
            client,
            enabled,
        })
    };
    let endpoint = complete();
    (name, endpoint)
}

/// `url`, or a file or credential that holds it.
fn url(section: &mut Section<'_, '_>, rules: &Rules<'_>) -> Option<EndpointUrl> {
    // Of no use for mail, which has been told.
    let secret =
        (rules.format != Format::Email).then(|| camera::secret(section, "url_file", "url_credential")).flatten();
    let Some(reference) = secret else {
        if rules.format == Format::Pagerduty && !section.has("url") {
            let url = Url::parse(destination::PAGERDUTY).ok()?;
            return Some(EndpointUrl::Open(Located { value: url, at: 0..0 }));
        }
        return section.required("url", rules.example(), |value| rules.open(value)).map(EndpointUrl::Open);
    };
    if let Some(open) = section.take("url", |value| rules.open(value)) {
        let what = "`url` stands beside `url_file` or `url_credential`, which says the same in secret";
        section.problem(open.at, what, "leave one of them out");
    }
    Some(EndpointUrl::Secret(reference))
}

/// PagerDuty knows its customers by it.
fn routing_key(section: &mut Section<'_, '_>) -> Option<SecretRef> {
    let key = camera::secret(section, "routing_key_file", "routing_key_credential");
    if key.is_none() {
        section.missing("routing_key_file", "\"/etc/stakeout/pagerduty.key\"");
    }
    key
}

/// The types that it is owed: those that it asks for, as far as its format can say them.
fn events(section: &mut Section<'_, '_>, format: Format) -> Vec<EventType> {
    let can = |kind: &EventType| format.expresses(*kind);
    let filter = section.take("events", |value| events::filter(value, format));
    filter.map_or_else(|| EventType::ALL.into_iter().filter(can).collect(), |filter| filter.value)
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
