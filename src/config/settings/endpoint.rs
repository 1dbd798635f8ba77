//! What `[[endpoint]]` means.
//!
//! Owns the shape of its settings; refuses to know TOML and what is sent. Plain data.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use url::{Position, Url};

use super::format::Format;
use super::{Located, SecretRef};
use crate::event::EventType;
use crate::name::Name;

/// `[[endpoint]]`. Its `Debug` shows the names of `headers` only: a value may be a secret.
#[derive(Clone)]
pub struct Endpoint {
    /// Unique among endpoints.
    pub name: Name,
    /// Where events go.
    pub url: EndpointUrl,
    /// What is sent may be read on the way.
    pub allow_http: bool,
    /// How the body is written.
    pub format: Format,
    /// Newest first; empty: unsigned.
    pub secrets: Vec<SecretRef>,
    /// What [`Format::Pagerduty`] says who it is with; never None there.
    pub routing_key: Option<SecretRef>,
    /// From whom and to whom; never None with [`Format::Email`].
    pub mail: Option<Mail>,
    /// The types it is owed, all of which its format expresses.
    pub events: Vec<EventType>,
    /// When to try again.
    pub retry: Retry,
    /// From connect to status line.
    pub timeout: Duration,
    /// POSTs at a time.
    pub concurrency: u32,
    /// POSTs in a time; None: as many as it takes.
    pub rate: Option<Rate>,
    /// Bits in a second of what [`Format::Upload`] sends; None: as many as it takes.
    pub bandwidth: Option<u64>,
    /// Whether a frame is embedded where the format allows the choice.
    pub frame: FrameChoice,
    /// Bytes; the frame is scaled down until the body fits.
    pub max_body: u64,
    /// Sent along; never one of ours.
    pub headers: BTreeMap<String, String>,
    /// The only authorities that its certificate may come from. None: the system's.
    pub ca_file: Option<Located<PathBuf>>,
    /// What we present to it.
    pub client: Option<ClientCertificate>,
    /// Whether anything is sent; what is owed waits.
    pub enabled: bool,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint {
            name,
            url,
            allow_http,
            format,
            secrets,
            routing_key,
            mail,
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
        } = self;
        f.debug_struct("Endpoint")
            .field("name", name)
            .field("url", url)
            .field("allow_http", allow_http)
            .field("format", format)
            .field("secrets", secrets)
            .field("routing_key", routing_key)
            .field("mail", mail)
            .field("events", events)
            .field("retry", retry)
            .field("timeout", timeout)
            .field("concurrency", concurrency)
            .field("rate", rate)
            .field("bandwidth", bandwidth)
            .field("frame", frame)
            .field("max_body", max_body)
            .field("headers", &headers.keys())
            .field("ca_file", ca_file)
            .field("client", client)
            .field("enabled", enabled)
            .finish()
    }
}

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointUrl {
    /// `http://` or `https://`, with [`Format::Email`] `smtp://` or `smtps://`; without credentials.
    Open(Located<Url>),
    /// A secret that holds such a URL.
    Secret(SecretRef),
}

impl EndpointUrl {
    /// Where it was written.
    pub fn at(&self) -> Range<usize> {
        match self {
            EndpointUrl::Open(url) => url.at.clone(),
            EndpointUrl::Secret(reference) => reference.at(),
        }
    }
}

/// What a message over SMTP needs beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Who logs in. None: nobody does.
    pub username: Option<String>,
    /// With which password; there is one if there is a `username`.
    pub password: Option<SecretRef>,
    /// The sender's address, `box@site.example` or `Dock box <box@site.example>`.
    pub from: String,
    /// Addresses like that, at least one.
    pub to: Vec<String>,
}

impl Endpoint {
    /// Scheme, host and port, if they are no secret.
    pub fn origin(&self) -> String {
        match &self.url {
            EndpointUrl::Open(Located { value: url, .. }) => {
                format!("{}://{}", url.scheme(), &url[Position::BeforeHost..Position::AfterPort])
            }
            EndpointUrl::Secret(_) => "(secret)".to_owned(),
        }
    }
}

/// So many in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At least 1.
    pub count: u32,
    /// A second, a minute or an hour.
    pub per: Duration,
}

impl Rate {
    /// So many at once, after a pause: twice what the time allows.
    pub fn burst(&self) -> u32 {
        self.count.saturating_mul(2)
    }
}

/// A certificate of our own, for receivers that ask for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain, our own first.
    pub certificate: Located<PathBuf>,
    /// Its private key.
    pub key: SecretRef,
}

/// Whether a frame is embedded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameChoice {
    /// Base64 in the body.
    Inline,
    /// Not at all.
    None,
}

/// When to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retry {
    /// For unattended boxes: what is not the delivery's fault burns nothing.
    Edge,
    /// 1, 2, 4, 8, 16 s.
    Trio,
    /// 3, 3, 3 s.
    Aioz,
    /// 5 s to 24 h.
    Standard,
    /// As given; otherwise as `Edge`.
    Custom {
        /// The waits after the first attempt.
        delays: Vec<Duration>,
        /// Expired after so much time that was not held.
        max_age: Duration,
    },
}
