//! The way out: one POST over HTTP, and what became of it.
//!
//! Owns the HTTP client of an endpoint and the limits of an attempt: connecting takes 2 s at most, the status line must be
//! there within the timeout, redirects, cookies and environment proxies do not exist, and of an answer at most 4 KiB are
//! read. Refuses to know deliveries, schedules, the journal and what the headers mean. Only this module names reqwest.
//!
//! Every attempt has a connection of its own. Alerts are rare, so one kept open would mostly be found dead, and then nobody
//! could say whether the receiver had got the request; with a fresh one, whatever fails before it stands was not sent.
//! Runs in tasks of tokio.

mod failure;
mod resolver;
mod retry_after;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::delivery::{Attempt, Outcome};
use resolver::SystemResolver;

/// Name lookup, connecting and TLS together take so long at most.
const CONNECT: Duration = Duration::from_secs(2);
/// So much of an answer is read.
const READ: usize = 4 * 1024;
/// So much of an answer is kept.
const KEPT: usize = 1024;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}; please report this")]
pub struct ClientError(String);

/// The HTTP client of one endpoint. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    timeout: Duration,
}

/// What to post. Its `Debug` shows neither the values of headers, which may be secrets, nor the body.
pub struct Request {
    /// `http` or `https`.
    pub url: Url,
    /// As they go out, in this order. A header that HTTP does not allow makes the attempt [`Outcome::OurFault`].
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { url, headers, body } = self;
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("url", &url.as_str())
            .field("headers", &names)
            .field("body", &format_args!("{} bytes", body.len()))
            .finish()
    }
}

impl Client {
    /// A client whose attempts may take `timeout` from the start of connecting to the status line. On a system without
    /// certificates it still posts to `http`; every `https` then ends as [`Outcome::Tls`].
    pub fn new(timeout: Duration) -> Result<Client, ClientError> {
        // Somebody else may have installed one already: just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusting_the_system = builder(timeout).build();
        let http = trusting_the_system.or_else(|error| {
            let error = failure::text(&error);
            tracing::warn!("no https receiver can be verified: {error}; install the package `ca-certificates`");
            builder(timeout).tls_certs_only([]).build()
        });
        Ok(Client { http: http.map_err(|error| ClientError(failure::text(&error)))?, timeout })
    }

    /// Posts `request` once. Whatever goes wrong is in its [`Outcome`]; it takes the timeout at most.
    pub async fn post(&self, request: Request) -> Attempt {
        let started = Instant::now();
        let deadline = started + self.timeout;
        let ended = |outcome, error| Attempt { outcome, took: started.elapsed(), error, snippet: None };
        let request = match self.build(request) {
            Ok(request) => request,
            Err(error) => return ended(Outcome::OurFault, Some(error)),
        };
        let answer = match timeout_at(deadline, self.http.execute(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return ended(failure::classify(&error), Some(failure::text(&error))),
            Err(_) => {
                let error = format!("no answer within {} s", self.timeout.as_secs_f64());
                return ended(Outcome::NoAnswer, Some(error));
            }
        };
        let status = answer.status().as_u16();
        let mut attempt = ended(Outcome::Status { status, retry_after: retry_after::read(answer.headers()) }, None);
        // Judged by the status line alone: a body that stalls or breaks takes nothing back.
        attempt.snippet = beginning(answer, deadline).await;
        attempt
    }

    fn build(&self, request: Request) -> Result<reqwest::Request, String> {
        if !matches!(request.url.scheme(), "http" | "https") {
            return Err(format!("`{}` is no scheme to post to: use https or http", request.url.scheme()));
        }
        let mut built = reqwest::Request::new(reqwest::Method::POST, request.url);
        for (name, value) in &request.headers {
            let invalid = |_| format!("the header `{name}` has a value that HTTP does not allow: correct it");
            let value = HeaderValue::from_str(value).map_err(invalid)?;
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| format!("`{name}` is no name for a header: correct it"))?;
            built.headers_mut().append(name, value);
        }
        *built.body_mut() = Some(request.body.into());
        Ok(built)
    }
}

fn builder(timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .http1_only()
        // Some receivers compare header names letter by letter, and expect them as HTTP/1 always wrote them.
        .http1_title_case_headers()
        .pool_max_idle_per_host(0)
        // Always before the whole attempt's end: a timeout of that then means that the request was on its way.
        .connect_timeout(CONNECT.min(timeout.mul_f64(0.9)))
        .dns_resolver(Arc::new(SystemResolver))
}

/// What fits into [`KEPT`] of the first [`READ`] bytes that arrive before `deadline`.
async fn beginning(mut answer: reqwest::Response, deadline: Instant) -> Option<String> {
    let mut read = 0;
    let mut kept = Vec::new();
    while read < READ {
        let Ok(Ok(Some(chunk))) = timeout_at(deadline, answer.chunk()).await else { break };
        read += chunk.len();
        kept.extend_from_slice(&chunk[..chunk.len().min(KEPT - kept.len())]);
    }
    (!kept.is_empty()).then(|| String::from_utf8_lossy(&kept).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_no_header_values() {
        let headers = vec![("Authorization".to_owned(), "Bearer hunter2".to_owned())];
        let request = Request { url: "https://example.com/x".parse().unwrap(), headers, body: vec![0; 3] };
        let shown = "Request { url: \"https://example.com/x\", headers: [\"Authorization\"], body: 3 bytes }";
        assert_eq!(format!("{request:?}"), shown);
    }
}
