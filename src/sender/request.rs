//! The request that delivers: headers and signatures.
//!
//! Owns the headers of contracts/payloads.md; refuses to know the journal's queries, schedules and sockets. Signed at send
//! time: a row that waited for days uses today's keys and today's clock. Pure.

use crate::config::Endpoint;
use crate::journal::Due;
use crate::sign::{Key, Message, sign};
use crate::time::Now;
use crate::transport::Request;

/// An event older than this is announced as late, in seconds.
const LATE: u64 = 60;

/// The POST of `due` with `body`, its bytes, at `now`. `keys` newest first; none: unsigned.
pub(super) fn request(endpoint: &Endpoint, keys: &[Key], due: &Due, body: Vec<u8>, now: Now) -> Request {
    let event_id = due.event_id.to_string();
    let age = now.wall.since(due.observed).as_secs();
    let mut headers: Vec<(String, String)> = Vec::with_capacity(16);
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    add("Content-Type", "application/json".to_owned());
    add("User-Agent", concat!("stakeout/", env!("CARGO_PKG_VERSION")).to_owned());
    add("X-Stakeout-Event", due.kind.as_str().to_owned());
    add("X-Stakeout-Delivery", due.id.to_string());
    add("X-Stakeout-Attempt", due.standing.tries.saturating_add(1).to_string());
    add("X-Stakeout-Sequence", due.sequence.to_string());
    add("X-Stakeout-Age", age.to_string());
    if age > LATE {
        add("X-Stakeout-Late", "true".to_owned());
    }
    add("Idempotency-Key", event_id.clone());
    let message = Message { id: &event_id, timestamp: now.wall.unix_seconds() };
    if let Some(signatures) = sign(keys, message, &body) {
        add("X-Trio-Signature", signatures.trio);
        add("webhook-id", event_id.clone());
        add("webhook-timestamp", message.timestamp.to_string());
        add("webhook-signature", signatures.standard);
    }
    for (name, value) in &endpoint.headers {
        add(name, value.clone());
    }
    // A delivery that once broke with a connection that was kept open, or that reached the wrong server, trusts no such
    // connection again.
    let standing = &due.standing;
    let fresh_connection = standing.tries > standing.attempts.saturating_add(standing.holds);
    Request { url: endpoint.url.value.clone(), headers, body, fresh_connection }
}
