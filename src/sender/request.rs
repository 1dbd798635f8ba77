//! The requests that deliver: headers and signatures.
//!
//! Owns the headers of contracts/payloads.md and those of a clip's parts; refuses to know the journal, schedules and sockets.
//! Signed at send time: a row that waited for days uses today's keys and today's clock. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::parcel::Occasion;
use crate::config::{Endpoint, clip_url};
use crate::credentials::Credentials;
use crate::payload::WholeClip;
use crate::sign::{Message, sign};
use crate::time::Now;
use crate::transport::{Method, Request};

/// An event older than this is announced as late, in seconds.
const LATE: u64 = 60;

/// Headers as they go out.
type Headers = Vec<(String, String)>;

/// A POST of `body`, signed at `now` if there are keys.
pub(super) fn signed(
    endpoint: &Endpoint,
    credentials: &Credentials,
    occasion: &Occasion<'_>,
    body: Vec<u8>,
    now: Now,
) -> Request {
    let id = occasion.event.to_string();
    let mut headers = about(occasion, JSON, &id, now);
    headers.extend(signatures(credentials, &id, &body, now));
    posted(endpoint, credentials, occasion, headers, body)
}

/// A POST of `body` to a service that knows no signatures.
pub(super) fn unsigned(
    endpoint: &Endpoint,
    credentials: &Credentials,
    occasion: &Occasion<'_>,
    body: Vec<u8>,
    now: Now,
) -> Request {
    let headers = about(occasion, JSON, &occasion.event.to_string(), now);
    posted(endpoint, credentials, occasion, headers, body)
}

/// A part of a clip, or the question how much of it is there.
pub(super) struct Part<'a> {
    pub(super) clip: &'a WholeClip,
    /// The first byte, and the one behind the last; None: the question.
    pub(super) range: Option<(u64, u64)>,
    /// What is in there.
    pub(super) content: Vec<u8>,
}

/// A PUT of `part`, signed at `now` if there are keys: as a message of its own, whose id says which part of which clip it is
/// and what the whole hashes to, so that none can be taken for another.
pub(super) fn part(
    endpoint: &Endpoint,
    credentials: &Credentials,
    occasion: &Occasion<'_>,
    part: Part<'_>,
    now: Now,
) -> Request {
    let Part { clip, range, content } = part;
    let whole = clip.bytes;
    let range = range.map_or_else(|| "*".to_owned(), |(from, to)| format!("{from}-{}", to.saturating_sub(1)));
    let id = format!("{}:{range}/{whole}:{}", clip.clip, clip.sha256);
    let mut headers = about(occasion, "video/mp4", &id, now);
    headers.push(("Content-Range".to_owned(), format!("bytes {range}/{whole}")));
    headers.push(("X-Stakeout-Alert".to_owned(), clip.alert.to_string()));
    headers.push(("Repr-Digest".to_owned(), digest(&clip.sha256)));
    headers.push(("Content-Digest".to_owned(), format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&content)))));
    headers.extend(signatures(credentials, &id, &content, now));
    headers.extend(endpoint.headers.clone());
    let (url, fresh_connection) = (clip_url(&credentials.url, &clip.clip.to_string()), occasion.fresh_connection);
    Request { method: Method::Put, url, headers, body: content, fresh_connection }
}

const JSON: &str = "application/json";

/// What every request says of itself and of the delivery.
fn about(occasion: &Occasion<'_>, content: &str, id: &str, now: Now) -> Headers {
    let age = now.wall.since(occasion.observed).as_secs();
    let mut headers = Vec::with_capacity(16);
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    add("Content-Type", content.to_owned());
    add("User-Agent", concat!("stakeout/", env!("CARGO_PKG_VERSION")).to_owned());
    add("X-Stakeout-Event", occasion.kind.to_owned());
    add("X-Stakeout-Delivery", occasion.delivery.to_string());
    add("X-Stakeout-Attempt", occasion.attempt.to_string());
    add("X-Stakeout-Sequence", occasion.sequence.to_string());
    add("X-Stakeout-Age", age.to_string());
    if age > LATE {
        add("X-Stakeout-Late", "true".to_owned());
    }
    add("Idempotency-Key", id.to_owned());
    headers
}

/// Both signatures of `body` as the message `id`; none without a key.
fn signatures(credentials: &Credentials, id: &str, body: &[u8], now: Now) -> Headers {
    let message = Message { id, timestamp: now.wall.unix_seconds() };
    let Some(signatures) = sign(&credentials.keys, message, body) else { return Headers::new() };
    let headers = [
        ("X-Trio-Signature", signatures.trio),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", message.timestamp.to_string()),
        ("webhook-signature", signatures.standard),
    ];
    headers.map(|(name, value)| (name.to_owned(), value)).into()
}

/// With the endpoint's own headers.
fn posted(
    endpoint: &Endpoint,
    credentials: &Credentials,
    occasion: &Occasion<'_>,
    mut headers: Headers,
    body: Vec<u8>,
) -> Request {
    headers.extend(endpoint.headers.clone());
    let (url, fresh_connection) = (credentials.url.clone(), occasion.fresh_connection);
    Request { method: Method::Post, url, headers, body, fresh_connection }
}

/// The hash of the whole clip as RFC 9530 writes it.
fn digest(hex: &str) -> String {
    format!("sha-256=:{}:", STANDARD.encode(hex::decode(hex).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_as_rfc_9530_does() {
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(of_nothing), "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    }
}
