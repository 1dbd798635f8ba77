//! The requests that deliver: headers and signatures.
//!
//! Owns the headers of contracts/payloads.md; refuses to know the journal, schedules and sockets. Signed at send time: a row
//! that waited for days uses today's keys and today's clock. Pure.

use super::parcel::Occasion;
use crate::config::Endpoint;
use crate::credentials::Credentials;
use crate::sign::{Message, sign};
use crate::time::Now;
use crate::transport::Request;

/// An event older than this is announced as late, in seconds.
const LATE: u64 = 60;

/// A POST of `body` that says in its headers all about the delivery; signed at `now` if there are keys.
pub(super) fn signed(
    endpoint: &Endpoint,
    credentials: &Credentials,
    occasion: &Occasion<'_>,
    body: Vec<u8>,
    now: Now,
) -> Request {
    let event_id = occasion.event.to_string();
    let age = now.wall.since(occasion.observed).as_secs();
    let mut headers = basic();
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    add("X-Stakeout-Event", occasion.kind.to_owned());
    add("X-Stakeout-Delivery", occasion.delivery.to_string());
    add("X-Stakeout-Attempt", occasion.attempt.to_string());
    add("X-Stakeout-Sequence", occasion.sequence.to_string());
    add("X-Stakeout-Age", age.to_string());
    if age > LATE {
        add("X-Stakeout-Late", "true".to_owned());
    }
    add("Idempotency-Key", event_id.clone());
    let message = Message { id: &event_id, timestamp: now.wall.unix_seconds() };
    if let Some(signatures) = sign(&credentials.keys, message, &body) {
        add("X-Trio-Signature", signatures.trio);
        add("webhook-id", event_id.clone());
        add("webhook-timestamp", message.timestamp.to_string());
        add("webhook-signature", signatures.standard);
    }
    finished(endpoint, credentials, occasion, headers, body)
}

/// A POST of `body` to a service that knows nothing of us: only what any request has.
pub(super) fn plain(endpoint: &Endpoint, credentials: &Credentials, occasion: &Occasion<'_>, body: Vec<u8>) -> Request {
    let mut headers = basic();
    headers.push(("Idempotency-Key".to_owned(), occasion.event.to_string()));
    finished(endpoint, credentials, occasion, headers, body)
}

fn basic() -> Vec<(String, String)> {
    let agent = concat!("stakeout/", env!("CARGO_PKG_VERSION"));
    [("Content-Type", "application/json"), ("User-Agent", agent)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// With the endpoint's own headers.
fn finished(
    endpoint: &Endpoint,
    credentials: &Credentials,
    occasion: &Occasion<'_>,
    mut headers: Vec<(String, String)>,
    body: Vec<u8>,
) -> Request {
    headers.extend(endpoint.headers.clone());
    Request { url: credentials.url.clone(), headers, body, fresh_connection: occasion.fresh_connection }
}
