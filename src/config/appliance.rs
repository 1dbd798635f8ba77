//! The sections about the box itself: `[device]`, `[storage]`, `[runtime]`, `[api]`, `[log]`, `[egress]`.
//!
//! Owns their keys, ranges and defaults; refuses to know cameras, monitors and endpoints.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::camera;
use super::provider::{self, Providers};
use super::read::Section;
use super::settings::{Api, Device, Located, Log, LogFormat, Runtime, Storage};
use super::value::{self, Problem, Read, Value};
use crate::egress::{self, Egress};
use crate::name::Name;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Reads `[device]`.
pub(super) fn device(section: &mut Section<'_, '_>) -> Device {
    Device { id: section.optional_text("id").map(|id| id.value), heartbeat: section.or("heartbeat", None, heartbeat) }
}

/// None for `off`.
fn heartbeat(value: &Value<'_>) -> Read<Option<Duration>> {
    match value::text_like("a duration", "\"5m\"")(value)?.as_str() {
        "off" => Ok(None),
        _ => value::duration(Duration::from_secs(10)..=DAY)(value).map(Some),
    }
}

/// Reads `[storage]`.
pub(super) fn storage(section: &mut Section<'_, '_>) -> Storage {
    Storage {
        path: section.or("path", PathBuf::from("/var/lib/stakeout"), path),
        max_size: section.or("max_size", 4 << 30, value::size(1 << 20..=64 << 40)),
        keep_delivered: section.or("keep_delivered", 7 * DAY, value::duration(HOUR..=10 * YEAR)),
        keep_dead: section.or("keep_dead", 30 * DAY, value::duration(HOUR..=10 * YEAR)),
        snapshot_width: section.or("snapshot_width", 1280, value::whole(16..=7680)),
        snapshot_quality: section.or("snapshot_quality", 80, value::whole(1..=100)).try_into().unwrap_or(100),
    }
}

/// Reads `[runtime]`.
pub(super) fn runtime(section: &mut Section<'_, '_>) -> Runtime {
    let providers = section.take("execution_providers", provider::read);
    let library = section.optional_text("onnxruntime");
    Runtime {
        onnxruntime: library.map(|library| Located { value: PathBuf::from(library.value), at: library.at }),
        execution_providers: providers.unwrap_or(Located { value: Providers::Auto, at: 0..0 }),
        threads: section.or("threads", 0, value::whole(0..=1024)) as usize,
        run_timeout: section.or("run_timeout", MINUTE, value::duration(Duration::from_secs(1)..=HOUR)),
    }
}

/// Reads `[api]`.
pub(super) fn api(section: &mut Section<'_, '_>) -> Api {
    let socket = section.or("socket", PathBuf::from("/run/stakeout/stakeout.sock"), path);
    let listen = section.take("listen", address_and_port);
    let token = camera::secret(section, "token_file", "token_credential");
    let webhook_secret = camera::secret(section, "webhook_secret_file", "webhook_secret_credential");
    let default_model = section.or("default_model", None, model);
    let public_url = section.or("public_url", None, public_url);
    let open = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    if let Some(Located { value: Some(address), at }) = listen.as_ref().filter(|_| token.is_none())
        && open(address)
    {
        let label = "set `token_file` beside it, or listen at `127.0.0.1`";
        section.problem(at.clone(), "`listen` lets other machines call, and there is no token", label);
    }
    Api { socket, listen: listen.and_then(|listen| listen.value), token, webhook_secret, default_model, public_url }
}

/// None for the empty text.
fn model(value: &Value<'_>) -> Read<Option<Name>> {
    if value::text(value)?.is_empty() { Ok(None) } else { value::name(value).map(Some) }
}

/// None for the empty text.
fn public_url(value: &Value<'_>) -> Read<Option<Url>> {
    const EXAMPLE: &str = "for example `\"https://dock-box-01.example\"`";
    let text = value::text_like("a URL", "\"https://dock-box-01.example\"")(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |predicate: &str, label: &str| Err(Problem::new(value.span(), predicate, label).into());
    let Some(mut url) = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return wrong(" is no address that a browser opens", EXAMPLE);
    };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(" has credentials", "leave them out: links carry a signature of their own");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong(" is more than the beginning of an address", "leave out what follows `?` or `#`");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(Some(url))
}

/// None for the empty text.
fn address_and_port(value: &Value<'_>) -> Read<Option<SocketAddr>> {
    let text = value::text_like("an address", "\"127.0.0.1:8787\"")(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let label = "an address and a port: `\"127.0.0.1:8787\"`, `\"[::1]:8787\"`, `\"0.0.0.0:8787\"`";
        Problem::new(value.span(), " is no place to listen at", label).into()
    })
}

/// Reads `[log]`.
pub(super) fn log(section: &mut Section<'_, '_>) -> Log {
    const FORMATS: [(&str, LogFormat); 3] =
        [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
    Log {
        filter: section.or("filter", "info".to_owned(), log_filter),
        format: section.or("format", LogFormat::Auto, value::choice(&FORMATS, &[])),
    }
}

fn log_filter(value: &Value<'_>) -> Read<String> {
    let text = value::text_like("a filter", "\"info\"")(value)?;
    match tracing_subscriber::EnvFilter::builder().parse(&text) {
        Ok(_) => Ok(text),
        Err(_) => {
            let label = "for example `\"info\"` or `\"warn,stakeout=debug\"`";
            Err(Problem::new(value.span(), " is not a filter", label).into())
        }
    }
}

/// Reads `[egress]`.
pub(super) fn egress(section: &mut Section<'_, '_>) -> Egress {
    Egress::allowing(section.or("allow", Vec::new(), value::list_of(network, "[\"169.254.10.1\"]")))
}

fn network(value: &Value<'_>) -> Read<IpNet> {
    let text = value::text_like("a list of addresses", "[\"169.254.10.1\"]")(value)?;
    egress::network(&text).ok_or_else(|| {
        let label = "an address such as `\"169.254.10.1\"`, or a network such as `\"fe80::/10\"`";
        Problem::new(value.span(), format!(" can't hold `{text}`"), label).into()
    })
}

/// A path that doesn't depend on where the daemon was started.
fn path(value: &Value<'_>) -> Read<PathBuf> {
    let text = value::text_like("a path", "\"/var/lib/stakeout\"")(value)?;
    if text.is_empty() {
        return Err(Problem::new(value.span(), " must not be empty", "leave it out for the default").into());
    }
    Ok(PathBuf::from(text))
}
