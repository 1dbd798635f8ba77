//! The request that delivers: headers and signatures.
//!
//! Owns the headers of contracts/payloads.md; refuses to know the journal's queries, schedules and sockets. Signed at send
//! time: a row that waited for days uses today's keys and today's clock. Pure.

use uuid::Uuid;

use crate::config::Endpoint;
use crate::credentials::Credentials;
use crate::journal::Due;
use crate::sign::{Message, sign};
use crate::time::{Now, Wall};
use crate::transport::Request;

/// An event older than this is announced as late, in seconds.
const LATE: u64 = 60;

/// What a POST is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occasion<'a> {
    /// The type of the event.
    pub(super) kind: &'a str,
    pub(super) event: Uuid,
    pub(super) delivery: Uuid,
    /// From 1.
    pub(super) attempt: u32,
    pub(super) sequence: u64,
    /// When it happened.
    pub(super) observed: Wall,
}

/// The POST of `due` with `body`, its bytes, at `now`. Without keys: unsigned.
pub(super) fn delivery(endpoint: &Endpoint, credentials: &Credentials, due: &Due, body: Vec<u8>, now: Now) -> Request {
    let standing = &due.standing;
    let occasion = Occasion {
        kind: due.kind.as_str(),
        event: due.event_id,
        delivery: due.id,
        attempt: standing.tries.saturating_add(1),
        sequence: due.sequence,
        observed: due.observed,
    };
    // A delivery that once got no answer, or that reached the wrong server, trusts no connection that was kept open: it may
    // have been the connection's fault.
    let was_resent = standing.tries > standing.attempts.saturating_add(standing.holds);
    let fresh_connection = standing.maybe_received || was_resent;
    Request { fresh_connection, ..request(endpoint, credentials, &occasion, body, now) }
}

/// A POST of `body` on that occasion, at `now`, as [`delivery`] makes it.
pub(super) fn request(
    endpoint: &Endpoint,
    credentials: &Credentials,
    occasion: &Occasion<'_>,
    body: Vec<u8>,
    now: Now,
) -> Request {
    let event_id = occasion.event.to_string();
    let age = now.wall.since(occasion.observed).as_secs();
    let mut headers: Vec<(String, String)> = Vec::with_capacity(16);
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
    add("Idempotency-Key", event_id.clone());
    let message = Message { id: &event_id, timestamp: now.wall.unix_seconds() };
    if let Some(signatures) = sign(&credentials.keys, message, &body) {
        add("X-Trio-Signature", signatures.trio);
        add("webhook-id", event_id.clone());
        add("webhook-timestamp", message.timestamp.to_string());
        add("webhook-signature", signatures.standard);
    }
    for (name, value) in &endpoint.headers {
        add(name, value.clone());
    }
    Request { url: credentials.url.clone(), headers, body, fresh_connection: false }
}
