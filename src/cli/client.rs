//! The client of the local API.
//!
//! Owns the way to the daemon over its unix socket, and what it means when nobody answers; refuses to know routes.

use std::cell::Cell;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use super::exit::{Exit, Failure};
use super::print;
use crate::api::{Refusal, VERSION_HEADER};

/// From the request to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same of a file, which may be large.
const DOWNLOAD: Duration = Duration::from_secs(15 * 60);

/// Why there is no answer.
pub(super) enum ClientError {
    /// Nobody answers.
    Unreachable(Unreachable),
    /// The daemon said no.
    Refused(Refusal),
    /// The daemon said something that can't be understood.
    Strange(String),
}

/// Nobody answers at the socket.
pub(super) struct Unreachable {
    socket: PathBuf,
    why: String,
    denied: bool,
}

impl Unreachable {
    /// There is a daemon, perhaps, but not for this user.
    pub(super) fn denied(&self) -> bool {
        self.denied
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> String {
        if self.denied { "become a member of the group `stakeout`, or use sudo".to_owned() } else { service_hint() }
    }
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the daemon is not reachable at `{}`: {}", self.socket.display(), self.why)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::Unreachable(error) => Failure::new(Exit::Unreachable, &error).hint(error.hint()),
            ClientError::Refused(refusal) => Failure::plain(refusal.error).hint(refusal.hint),
            ClientError::Strange(text) => {
                Failure::plain(format_args!("the daemon's answer can't be understood: {text}"))
                    .hint("use the `stakeout` of the daemon's own version")
            }
        }
    }
}

/// A client of the daemon at one socket.
pub(super) struct Client {
    socket: PathBuf,
    runtime: Runtime,
    http: reqwest::Client,
    skew_told: Cell<bool>,
}

impl Client {
    /// A client; nothing is connected yet.
    pub(super) fn new(socket: &Path) -> Result<Client, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::plain(format_args!("cannot make a client: {error}")))?;
        // The socket speaks no TLS: this only spares reqwest the search for the system's certificates.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::plain(format_args!("cannot make a client: {error}")))?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .unix_socket(socket)
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| Failure::plain(format_args!("cannot make a client: {error}")))?;
        Ok(Client { socket: socket.to_owned(), runtime, http, skew_told: Cell::new(false) })
    }

    /// Whether somebody listens at all.
    pub(super) fn probe(&self) -> Result<(), Unreachable> {
        UnixStream::connect(&self.socket).map(drop).map_err(|error| Unreachable {
            socket: self.socket.clone(),
            why: match error.kind() {
                io::ErrorKind::NotFound => "there is no socket".to_owned(),
                io::ErrorKind::ConnectionRefused => "nobody listens any more".to_owned(),
                _ => error.to_string(),
            },
            denied: error.kind() == io::ErrorKind::PermissionDenied,
        })
    }

    /// Asks for `path`; fields of `query` that are null are left out.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<T, ClientError> {
        let mut url = address(path);
        if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(query) {
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                url.query_pairs_mut().append_pair(name, &text);
            }
        }
        self.send(self.http.request(Method::GET, url))
    }

    /// Asks for `path`, which is no JSON.
    pub(super) fn bytes(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        Ok(self.answer(self.http.request(Method::GET, address(path)))?.1)
    }

    /// Writes what is at `path` into `to`, as it comes: that may take as long as it goes on.
    pub(super) fn save(&self, path: &str, to: &mut impl Write) -> Result<(), Failure> {
        let request = self.http.request(Method::GET, address(path)).timeout(DOWNLOAD);
        let mut response = self.runtime.block_on(request.send()).map_err(|error| self.broken(&error))?;
        self.tell_skew(&response);
        if !response.status().is_success() {
            let body = self.runtime.block_on(response.bytes()).map_err(|error| self.broken(&error))?;
            return Err(ClientError::Refused(serde_json::from_slice(&body).map_err(strange)?).into());
        }
        while let Some(part) = self.runtime.block_on(response.chunk()).map_err(|error| self.broken(&error))? {
            to.write_all(&part)?;
        }
        Ok(())
    }

    fn broken(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable(self.unreachable(error))
    }

    /// Gives an order.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, order: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(order).map_err(|error| ClientError::Strange(error.to_string()))?;
        let request = self.http.request(Method::POST, address(path));
        self.send(request.header("content-type", "application/json").body(body))
    }

    /// Gives an order that may take `patience`.
    pub(super) fn post_patiently<T: DeserializeOwned>(&self, path: &str, patience: Duration) -> Result<T, ClientError> {
        self.send(self.http.request(Method::POST, address(path)).timeout(patience))
    }

    /// Has an end put to `path`.
    pub(super) fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(self.http.request(Method::DELETE, address(path)))
    }

    /// Has something made at `path`; whether it is new (201), and what there is now.
    pub(super) fn make<T: DeserializeOwned>(&self, path: &str) -> Result<(bool, T), ClientError> {
        let (status, body) = self.answer(self.http.request(Method::POST, address(path)))?;
        Ok((status == StatusCode::CREATED, serde_json::from_slice(&body).map_err(strange)?))
    }

    fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        serde_json::from_slice(&self.answer(request)?.1).map_err(strange)
    }

    fn answer(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), ClientError> {
        let answer = self.runtime.block_on(async {
            let response = request.send().await?;
            self.tell_skew(&response);
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        });
        let (status, body) = answer.map_err(|error| self.broken(&error))?;
        if status.is_success() {
            return Ok((status, body.into()));
        }
        let refusal: Refusal = serde_json::from_slice(&body).map_err(strange)?;
        Err(ClientError::Refused(Refusal { status: status.as_u16(), ..refusal }))
    }

    /// The kernel's word, where it has one, is clearer than the HTTP client's.
    fn unreachable(&self, error: &reqwest::Error) -> Unreachable {
        let why = if error.is_timeout() { "it does not answer" } else { "the connection broke" };
        let (socket, why, denied) = (self.socket.clone(), why.to_owned(), false);
        self.probe().err().unwrap_or(Unreachable { socket, why, denied })
    }

    fn tell_skew(&self, response: &Response) {
        let own = env!("CARGO_PKG_VERSION");
        let theirs = response.headers().get(VERSION_HEADER).and_then(|version| version.to_str().ok());
        if theirs != Some(own) && !self.skew_told.replace(true) {
            let theirs = theirs.unwrap_or("unknown");
            print::say(&format!(
                "warning: the daemon has version {theirs}, this is {own}\n\
                 hint: after an upgrade `systemctl restart stakeout`"
            ));
        }
    }
}

fn strange(error: serde_json::Error) -> ClientError {
    ClientError::Strange(error.to_string())
}

/// The host is not used over a unix socket, but HTTP wants one.
fn address(path: &str) -> url::Url {
    let mut url = url::Url::parse("http://stakeout/").expect("a constant that is a URL");
    url.set_path(path);
    url
}

/// What systemd says about the service, if it is there to be asked.
fn service_hint() -> String {
    let asked = Command::new("systemctl").args(["is-active", "stakeout"]).stderr(Stdio::null()).output();
    let state = asked.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    match state.as_deref().map(str::trim) {
        Some(state @ ("inactive" | "unknown")) => {
            format!("systemd says that the service is {state}: `systemctl start stakeout`")
        }
        Some(state @ ("failed" | "activating" | "deactivating" | "reloading" | "active")) => {
            format!("systemd says that the service is {state}: see `journalctl -u stakeout -e`")
        }
        _ => "start it with `stakeout run`, or check `[api] socket`".to_owned(),
    }
}
