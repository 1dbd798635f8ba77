//! The way out: one POST or PUT over HTTP, and what became of it; one letter over SMTP (`mail`); and one GET of a file (`fetch`).
//!
//! Owns the HTTP client of an endpoint and the limits of an attempt: connecting takes 2 s at most, the status line must be
//! there within the timeout, redirects, cookies and environment proxies do not exist, no address gets past the egress rules,
//! and of an answer at most 4 KiB are read. Refuses to know deliveries, schedules, the journal and what the headers mean.
//! Only this module names reqwest.
//!
//! A few connections are kept open for the next attempt, because a handshake over a mobile network costs more than the
//! request. When one of them breaks before a status came, the receiver had mostly just closed it, and nobody can say whether
//! it got the request: that is an outcome of its own, after which the request goes out again at once, on a new connection.
//! Whatever fails before a new connection stands was not sent. Runs in tasks of tokio.

mod certificate;
mod connect;
mod evidence;
mod failure;
mod fetch;
mod mail;
mod reach;
mod resolver;
mod retry_after;
mod tls;
mod way;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue, RANGE};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use crate::delivery::{Attempt, Outcome};
use crate::egress::Egress;
use crate::redact::redacted;
use resolver::SystemResolver;

pub use certificate::Certificate;
pub use fetch::{Announced, Coming, FetchError, Fetcher};
pub use mail::{Account, Letter, Mailer};
pub use reach::{Unreached, reach};
pub use tls::{PemError, Tls, certificates};
pub use way::Way;

/// Name lookup, connecting and TLS together take so long at most.
const CONNECT: Duration = Duration::from_secs(2);
/// A connection is kept open so long for the next attempt.
const KEPT_OPEN: Duration = Duration::from_secs(30);
/// So much of an answer is read.
const READ: usize = 4 * 1024;
/// So much of an answer is kept.
const KEPT: usize = 1024;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// HTTP or TLS.
    #[error("the client cannot be set up: {0}; please report this")]
    Setup(String),
    /// Of a URL that is connected to.
    #[error("the URL names no host; a host follows `://`")]
    NoHost,
    /// What a mail server or an address is called.
    #[error("letters cannot be sent: {0}")]
    Mail(String),
}

/// How a client connects.
#[derive(Clone, Debug)]
pub struct Settings {
    /// An attempt may take so long from the start of connecting to the status line.
    pub timeout: Duration,
    /// So many connections are kept open between attempts.
    pub kept_connections: usize,
    /// Where it may go.
    pub egress: Arc<Egress>,
    /// Whom it believes, and as whom it presents itself.
    pub tls: Tls,
}

impl Settings {
    /// With `timeout`, and otherwise as an endpoint is by default.
    pub fn new(timeout: Duration) -> Settings {
        Settings { timeout, kept_connections: 4, egress: Arc::default(), tls: Tls::default() }
    }
}

/// The HTTP client of one endpoint. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    /// Keeps connections open.
    keeping: reqwest::Client,
    /// Makes a new one each time.
    fresh: reqwest::Client,
    egress: Arc<Egress>,
    timeout: Duration,
}

/// How a body is given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Whatever the receiver makes of it.
    Post,
    /// What is there at the URL from then on, or a part of it.
    Put,
}

/// What to send. Its `Debug` shows neither the URL's path nor the values of headers, which may be secrets, nor the body.
pub struct Request {
    /// How.
    pub method: Method,
    /// `http` or `https`.
    pub url: Url,
    /// As they go out, in this order. A header that HTTP does not allow makes the attempt [`Outcome::OurFault`].
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Vec<u8>,
    /// Whether it must not go out on a connection that was kept open.
    pub fresh_connection: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { method, url, headers, body, fresh_connection } = self;
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("method", method)
            .field("url", &url.origin().ascii_serialization())
            .field("headers", &names)
            .field("body", &format_args!("{} bytes", body.len()))
            .field("fresh_connection", fresh_connection)
            .finish()
    }
}

impl Client {
    /// A client. On a system without certificates it still posts to `http`; every `https` then ends as [`Outcome::Tls`].
    pub fn new(settings: &Settings) -> Result<Client, ClientError> {
        let tls = settings.tls.config().map_err(|error| ClientError::Setup(error.to_string()))?;
        let build =
            |kept| builder(settings, &tls, kept).build().map_err(|error| ClientError::Setup(failure::text(&error)));
        Ok(Client {
            keeping: build(settings.kept_connections)?,
            fresh: build(0)?,
            egress: Arc::clone(&settings.egress),
            timeout: settings.timeout,
        })
    }

    /// Sends `request` once. Whatever goes wrong is in its [`Outcome`]; it takes the timeout at most.
    pub async fn send(&self, request: Request) -> Attempt {
        self.trace(request).await.0
    }

    /// The same, and what was seen on the way.
    pub async fn trace(&self, request: Request) -> (Attempt, Way) {
        let started = Instant::now();
        way::noting(started, self.attempt(request, started)).await
    }

    async fn attempt(&self, request: Request, started: Instant) -> Attempt {
        let deadline = started + self.timeout;
        let ended = |outcome, error| Attempt { outcome, took: started.elapsed(), error, snippet: None };
        if let Err(error) = self.check_address(&request.url) {
            return ended(Outcome::Forbidden, Some(error));
        }
        let http = if request.fresh_connection { &self.fresh } else { &self.keeping };
        let request = match self.build(request) {
            Ok(request) => request,
            Err(error) => return ended(Outcome::OurFault, Some(error)),
        };
        let answer = match timeout_at(deadline, http.execute(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return ended(failure::classify(&error, way::has_connected()), Some(failure::text(&error)));
            }
            Err(_) => {
                let error = format!("no answer within {} s", self.timeout.as_secs_f64());
                return ended(Outcome::NoAnswer, Some(error));
            }
        };
        way::note(|way, _| {
            way.peer = answer.remote_addr();
            way.date = retry_after::date(answer.headers(), DATE);
            way.received = received(answer.headers());
        });
        let status = answer.status().as_u16();
        let mut attempt = ended(Outcome::Status { status, retry_after: retry_after::read(answer.headers()) }, None);
        // Judged by the status line alone: a body that stalls or breaks takes nothing back.
        attempt.snippet = beginning(answer, deadline).await;
        attempt
    }

    /// An address in the URL is never looked up, so the resolver does not get to see it.
    fn check_address(&self, url: &Url) -> Result<(), String> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.egress.check(address).map_err(|why| {
            let why = why.as_str();
            format!("{address} is a {why} address: correct the URL, or name the address in `[egress] allow`")
        })
    }

    fn build(&self, request: Request) -> Result<reqwest::Request, String> {
        if !matches!(request.url.scheme(), "http" | "https") {
            return Err(format!("`{}` is no scheme to post to: use https or http", request.url.scheme()));
        }
        let method = match request.method {
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
        };
        let mut built = reqwest::Request::new(method, request.url);
        for (name, value) in &request.headers {
            let invalid = |_| format!("the header `{name}` has a value that HTTP does not allow: correct it");
            let value = HeaderValue::from_str(value).map_err(invalid)?;
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| format!("`{name}` is no name for a header: correct it"))?;
            built.headers_mut().append(name, value);
        }
        // Nothing is a length, too (RFC 9110, 8.6): some servers refuse a PUT without one, and hyper leaves it out.
        if request.body.is_empty() {
            built.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        *built.body_mut() = Some(request.body.into());
        Ok(built)
    }
}

fn builder(settings: &Settings, tls: &rustls::ClientConfig, kept_connections: usize) -> reqwest::ClientBuilder {
    // Always before the whole attempt's end: a timeout of that then means that the request was on its way.
    let connect = CONNECT.min(settings.timeout.mul_f64(0.9));
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .http1_only()
        // Some receivers compare header names letter by letter, and expect them as HTTP/1 always wrote them.
        .http1_title_case_headers()
        .pool_max_idle_per_host(kept_connections)
        .pool_idle_timeout(KEPT_OPEN)
        .connect_timeout(connect)
        .connector_layer(way::noting_connections())
        .dns_resolver(Arc::new(SystemResolver::new(Arc::clone(&settings.egress), connect)))
        .tls_backend_preconfigured(tls.clone())
}

/// How many bytes, from the first on, a receiver says that it has: `Range: bytes=0-99` are 100.
fn received(headers: &HeaderMap) -> Option<u64> {
    let last = headers.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=0-")?;
    last.parse::<u64>().ok()?.checked_add(1)
}

/// What fits into [`KEPT`] of the first [`READ`] bytes that arrive before `deadline`.
async fn beginning(mut answer: reqwest::Response, deadline: Instant) -> Option<String> {
    let mut read = Vec::new();
    while read.len() < READ {
        let Ok(Ok(Some(chunk))) = timeout_at(deadline, answer.chunk()).await else { break };
        read.extend_from_slice(&chunk[..chunk.len().min(READ - read.len())]);
    }
    kept(&read)
}

/// What fits into [`KEPT`] of an answer. Without secrets: a receiver may say which password or token it refuses. None is
/// cut in two, and so left, at the end of what is kept.
fn kept(read: &[u8]) -> Option<String> {
    let mut kept = redacted(&String::from_utf8_lossy(read)).into_owned();
    let end = (0..=kept.len().min(KEPT)).rev().find(|end| kept.is_char_boundary(*end));
    kept.truncate(end.unwrap_or(0));
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_no_header_values() {
        let headers = vec![("Authorization".to_owned(), "Bearer hunter2".to_owned())];
        let url = "https://example.com/x".parse().unwrap();
        let request = Request { method: Method::Put, url, headers, body: vec![0; 3], fresh_connection: false };
        let shown = "Request { method: Put, url: \"https://example.com\", headers: [\"Authorization\"], body: 3 bytes, fresh_connection: false }";
        assert_eq!(format!("{request:?}"), shown);
    }

    #[test]
    fn what_a_receiver_has_is_read() {
        let said = |range: &str| received(&HeaderMap::from_iter([(RANGE, range.parse().unwrap())]));
        assert_eq!(said("bytes=0-131071"), Some(131_072));
        assert_eq!(said("bytes=0-0"), Some(1));
        for other in ["", "bytes=1-2", "bytes=0-", "bytes=0--1", "0-5", "bytes=0-18446744073709551615", "bytes=0-1,3-4"]
        {
            assert_eq!(said(other), None, "{other}");
        }
    }
}
