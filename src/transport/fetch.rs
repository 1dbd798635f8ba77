//! Downloads: one GET of one file, from where an earlier one ended.
//!
//! Owns redirects (few, never from https to http, each within the egress rules), what a server announces of a file before
//! its bytes come (size, SHA-256, revision), and whether it goes on where we ended; refuses to know files on this box, and
//! whether the bytes are right (`pull` does). Runs in tasks of tokio.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LOCATION,
    RANGE, TRANSFER_ENCODING,
};
use reqwest::{Response, StatusCode};
use url::{Host, Url};

use super::resolver::SystemResolver;
use super::{ClientError, Tls, failure};
use crate::egress::Egress;

/// Name lookup, connecting and TLS together take so long at most.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes may stay away so long.
const SILENCE: Duration = Duration::from_secs(30);
/// A hub sends on to its storage, that perhaps to a region.
const MAX_REDIRECTS: usize = 5;

/// The HTTP client of downloads.
#[derive(Clone, Debug)]
pub struct Fetcher {
    http: reqwest::Client,
    egress: Arc<Egress>,
}

/// Why there are no bytes, or no more of them. No message holds a URL's userinfo or query, which may be secrets.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, no TLS, no answer.
    #[error("`{host}` can't be reached: {why}; check the network, or name a mirror with `--base-url`")]
    Unreachable {
        /// Whom.
        host: String,
        /// What the system says.
        why: String,
    },
    /// An address that the egress rules don't allow.
    #[error("`{host}` is {what} address, where nothing is fetched from; name another with `--base-url`")]
    Forbidden {
        /// Whom.
        host: String,
        /// With its article.
        what: String,
    },
    /// The server said no.
    #[error("`{url}` answers {status}; {}", advice(*.status))]
    Status {
        /// The whole status.
        status: u16,
        /// Without its query.
        url: String,
    },
    /// It answers with other bytes than the file's own.
    #[error("`{url}` sends the file packed, though nobody asked for that; name another server with `--base-url`")]
    Packed {
        /// Without its query.
        url: String,
    },
    /// It leads nowhere.
    #[error("`{url}` sends us on {how}; name another server with `--base-url`")]
    Redirect {
        /// Without its query.
        url: String,
        /// How.
        how: &'static str,
    },
    /// The bytes ended too early.
    #[error("the connection broke: {why}")]
    Broken {
        /// What the system says.
        why: String,
    },
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "it wants an account or a licence to be accepted: fetch the file in a browser and make the folder by hand"
        }
        404 | 410 => "check the name, the revision and the precision, or the mirror's folders",
        429 => "it has had enough of us for now: try again later",
        500.. => "its trouble may pass: try again later",
        _ => "check the URL",
    }
}

impl FetchError {
    /// Whether the same request may well succeed a moment later.
    pub fn may_pass(&self) -> bool {
        match self {
            FetchError::Unreachable { .. } | FetchError::Broken { .. } => true,
            FetchError::Status { status, .. } => *status == 429 || *status >= 500,
            FetchError::Forbidden { .. } | FetchError::Packed { .. } | FetchError::Redirect { .. } => false,
        }
    }
}

/// What a server says of a file before it sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// `x-linked-etag`, or an `ETag` that can only be one: 64 hexadecimal digits, lower-case here.
    pub sha256: Option<String>,
    /// `x-linked-size`, or how long the answer says that the file is.
    pub size: Option<u64>,
    /// `x-repo-commit`: the commit that a branch stood for.
    pub revision: Option<String>,
}

impl Announced {
    /// What was said first counts.
    fn complete(&mut self, said: Announced) {
        self.sha256 = self.sha256.take().or(said.sha256);
        self.size = self.size.or(said.size);
        self.revision = self.revision.take().or(said.revision);
    }
}

/// A file whose bytes are coming.
#[derive(Debug)]
pub struct Coming {
    /// What was said of it.
    pub announced: Announced,
    /// The first byte that comes is this one.
    pub from: u64,
    /// For the next request of the rest: the same file as now, or else all of it.
    pub validator: Option<String>,
    /// Whether the answer itself shows where it ends, so that a connection that breaks is noticed.
    pub has_end: bool,
    answer: Response,
}

impl Coming {
    /// The next bytes; None at the end.
    ///
    /// # Errors
    /// The connection broke, or nothing came for a while.
    pub async fn chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, FetchError> {
        self.answer.chunk().await.map_err(|error| FetchError::Broken { why: failure::text(&error) })
    }
}

impl Fetcher {
    /// A client for downloads, within `egress`.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn new(egress: Arc<Egress>) -> Result<Fetcher, ClientError> {
        let tls = Tls::default().config().map_err(|error| ClientError::Setup(error.to_string()))?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .user_agent(concat!("stakeout/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .dns_resolver(Arc::new(SystemResolver::new(Arc::clone(&egress), CONNECT)))
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(|error| ClientError::Setup(failure::text(&error)))?;
        Ok(Fetcher { http, egress })
    }

    /// Asks for the file at `url` from byte `from` on; with a `validator` only if it is still the same file, otherwise all
    /// of it comes.
    ///
    /// # Errors
    /// Whatever comes before the first byte.
    pub async fn get(&self, url: &Url, from: u64, validator: Option<&str>) -> Result<Coming, FetchError> {
        let (mut at, mut at_home) = (url.clone(), true);
        let mut announced = Announced::default();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.request(&at, from, validator).await?;
            // The first server knows the file, perhaps only after it sent us on within itself; those behind it only keep it.
            at_home &= at.origin() == url.origin();
            if at_home {
                announced.complete(announcement(answer.headers()));
            }
            let status = answer.status();
            if status.is_redirection() {
                at = next(&at, answer.headers())?;
                continue;
            }
            if text(answer.headers(), CONTENT_ENCODING.as_str()).is_some_and(|packed| packed != "identity") {
                return Err(FetchError::Packed { url: shown(&at) });
            }
            return match status {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT => coming(announced, from, answer).ok_or_else(|| {
                    FetchError::Broken { why: "it sends another part than the one asked for".to_owned() }
                }),
                StatusCode::RANGE_NOT_SATISFIABLE if from > 0 => Box::pin(self.get(url, 0, None)).await,
                _ => Err(FetchError::Status { status: status.as_u16(), url: shown(&at) }),
            };
        }
        Err(FetchError::Redirect { url: shown(url), how: "again and again" })
    }

    async fn request(&self, url: &Url, from: u64, validator: Option<&str>) -> Result<Response, FetchError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        if let Some(Err(why)) = address.map(|address| self.egress.check(address)) {
            return Err(FetchError::Forbidden { host, what: format!("a {}", why.as_str()) });
        }
        let mut request = self.http.get(url.clone()).header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
            if let Some(validator) = validator {
                request = request.header(IF_RANGE, validator);
            }
        }
        request.send().await.map_err(|error| FetchError::Unreachable { host, why: failure::text(&error) })
    }
}

/// Where a redirect leads.
fn next(at: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let wrong = |how| FetchError::Redirect { url: shown(at), how };
    let to = text(headers, LOCATION.as_str()).and_then(|to| at.join(to).ok()).ok_or_else(|| wrong("to nowhere"))?;
    match (at.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        ("https", "http") => Err(wrong("from https to http, where anybody on the way could change the file")),
        _ => Err(wrong("to something that is not the web")),
    }
}

fn announcement(headers: &HeaderMap) -> Announced {
    let etag = text(headers, "x-linked-etag").or_else(|| text(headers, ETAG.as_str()));
    let hex = |etag: &str| {
        let bare = etag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        (bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(bare)
    };
    let commit = text(headers, "x-repo-commit")
        .filter(|commit| commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()));
    Announced {
        sha256: etag.and_then(hex),
        size: text(headers, "x-linked-size").and_then(|size| size.parse().ok()),
        revision: commit.map(str::to_owned),
    }
}

/// None: an answer to another question.
fn coming(mut announced: Announced, asked_from: u64, answer: Response) -> Option<Coming> {
    let headers = answer.headers();
    let (from, whole) = match answer.status() {
        StatusCode::PARTIAL_CONTENT => {
            let (from, whole) = range(text(headers, CONTENT_RANGE.as_str())?)?;
            (from == asked_from).then_some((from, whole))?
        }
        _ => (0, text(headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok())),
    };
    announced.size = announced.size.or(whole);
    let has_end = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    // A weak one promises no equal bytes.
    let validator = text(headers, ETAG.as_str()).filter(|etag| etag.starts_with('"')).map(str::to_owned);
    Some(Coming { announced, from, validator, has_end, answer })
}

/// `bytes 100-199/200` or `bytes 100-199/*`: where it begins, and how long the whole is.
fn range(text: &str) -> Option<(u64, Option<u64>)> {
    let (part, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = part.split_once('-')?;
    Some((first.parse().ok()?, whole.parse().ok()))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// For people: without what may be a secret in it.
fn shown(url: &Url) -> String {
    let host = &url[url::Position::BeforeHost..url::Position::AfterPath];
    format!("{}://{host}", url.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_hubs_own_words_count_and_other_tags_are_no_hashes() {
        let hash = "0123456789abcdef".repeat(4);
        let commit = "c0ffee0000".repeat(4);
        let said = announcement(&headers(&[
            ("x-linked-etag", &format!("\"{}\"", hash.to_uppercase())),
            ("etag", "\"something else\""),
            ("x-linked-size", "42"),
            ("x-repo-commit", &commit),
            ("content-length", "7"),
        ]));
        assert_eq!(said, Announced { sha256: Some(hash.clone()), size: Some(42), revision: Some(commit) });
        let git_blob =
            announcement(&headers(&[("etag", &format!("\"{}\"", "ab".repeat(20))), ("x-repo-commit", "main")]));
        assert_eq!(git_blob, Announced::default());
        assert_eq!(announcement(&headers(&[("etag", &format!("\"{hash}\""))])).sha256, Some(hash));
    }

    #[test]
    fn redirects_never_leave_https() {
        let to = |from: &str, location: &str| {
            let from: Url = from.parse().unwrap();
            next(&from, &headers(&[("location", location)]))
                .map(|url| url.to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(to("https://a.example/x", "https://b.example/y"), Ok("https://b.example/y".into()));
        assert_eq!(to("http://a.example/x", "/y"), Ok("http://a.example/y".into()));
        assert_eq!(
            to("https://a.example/x?token=1", "http://a.example/y").unwrap_err(),
            "`https://a.example/x` sends us on from https to http, where anybody on the way could change the file; name \
             another server with `--base-url`"
        );
        assert!(to("http://a.example/x", "file:///etc/passwd").unwrap_err().contains("not the web"));
    }

    #[test]
    fn secrets_in_urls_are_not_shown() {
        let shown = |url: &str| shown(&url.parse().unwrap());
        assert_eq!(shown("https://user:token@a.example:8443/x/y?key=1#z"), "https://a.example:8443/x/y");
        assert_eq!(shown("http://[::1]/x"), "http://[::1]/x");
    }

    #[test]
    fn ranges_are_read() {
        assert_eq!(range("bytes 100-199/200"), Some((100, Some(200))));
        assert_eq!(range("bytes 0-9/*"), Some((0, None)));
        for wrong in ["", "bytes", "bytes */200", "lines 1-2/3", "bytes a-b/c"] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }
}
