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

/// A POST of `body`, signed at `now` if there are keys.
pub(super) fn signed(
    endpoint: &Endpoint,
    credentials: &Credentials,
    occasion: &Occasion<'_>,
    body: Vec<u8>,
    now: Now,
) -> Request {
    let mut headers = about(occasion, now);
    let event_id = occasion.event.to_string();
    let message = Message { id: &event_id, timestamp: now.wall.unix_seconds() };
    if let Some(signatures) = sign(&credentials.keys, message, &body) {
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        add("X-Trio-Signature", signatures.trio);
        add("webhook-id", event_id.clone());
        add("webhook-timestamp", message.timestamp.to_string());
        add("webhook-signature", signatures.standard);
    }
    finished(endpoint, credentials, occasion, headers, body)
}

/// A POST of `body` to a service that knows no signatures.
pub(super) fn unsigned(
    endpoint: &Endpoint,
    credentials: &Credentials,
    occasion: &Occasion<'_>,
    body: Vec<u8>,
    now: Now,
) -> Request {
    finished(endpoint, credentials, occasion, about(occasion, now), body)
}

/// What every request says of itself and of the delivery.
fn about(occasion: &Occasion<'_>, now: Now) -> Vec<(String, String)> {
    let age = now.wall.since(occasion.observed).as_secs();
    let mut headers = Vec::with_capacity(16);
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    add("Content-Type", "application/json".to_owned());
    add("User-Agent", concat!("stakeout/", env!("CARGO_PKG_VERSION")).to_owned());
    add("X-Stakeout-Event", occasion.kind.to_owned());
    add("X-Stakeout-Delivery", occasion.delivery.to_string());
    add("X-Stakeout-Attempt", occasion.attempt.to_string());
    add("X-Stakeout-Sequence", occasion.sequence.to_string());
    add("X-Stakeout-Age", age.to_string());
    if age > LATE {
        add("X-Stakeout-Late", "true".to_owned());
    }
    add("Idempotency-Key", occasion.event.to_string());
    headers
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
