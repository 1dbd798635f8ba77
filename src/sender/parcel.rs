//! What leaves: a request or a letter, made of a frozen body when it is sent.
//!
//! Owns which of them a format is sent as (clips that are uploaded are neither: `upload`), the place of PagerDuty's key and
//! what a letter is made of; refuses to know the headers of requests (`request`), how letters are written and sockets (`transport/`). Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use uuid::Uuid;

use super::request;
use crate::config::{Endpoint, Format};
use crate::credentials::Credentials;
use crate::journal::Due;
use crate::payload::WholeClip;
use crate::time::{Now, Wall};
use crate::transport::{Letter, Request};

/// So the frozen body of a request to PagerDuty begins. Behind it the key, which is a secret, is put in when it is sent.
const ROUTING_KEY: &[u8] = b"{\"routing_key\":\"";

/// What is sent.
#[derive(Debug)]
pub(super) enum Parcel {
    /// Over HTTP.
    Request(Request),
    /// Over SMTP.
    Letter(Letter),
}

/// A body that was frozen for another format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "its body was written for another format than the endpoint has now; give that back, or drop it: `stakeout dlq drop`"
)]
pub(super) struct Unfit;

/// What is sent is about this.
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
    /// Whether a connection that was kept open is not to be trusted.
    pub(super) fresh_connection: bool,
}

impl<'a> Occasion<'a> {
    /// The next attempt of `due`.
    pub(super) fn of(due: &'a Due) -> Occasion<'a> {
        let standing = &due.standing;
        // A delivery that once got no answer, or that reached the wrong server, trusts no connection that was kept open: it
        // may have been the connection's fault.
        let was_resent = standing.tries > standing.attempts.saturating_add(standing.holds);
        Occasion {
            kind: due.kind.as_str(),
            event: due.event_id,
            delivery: due.id,
            attempt: standing.tries.saturating_add(1),
            sequence: due.sequence,
            observed: due.observed,
            fresh_connection: standing.maybe_received || was_resent,
        }
    }
}

/// `body`, the bytes of a delivery, as it leaves at `now`.
///
/// # Errors
/// It is no body of the endpoint's format.
pub(super) fn parcel(
    endpoint: &Endpoint,
    credentials: &Credentials,
    occasion: &Occasion<'_>,
    body: Vec<u8>,
    now: Now,
) -> Result<Parcel, Unfit> {
    // What stands for a clip is sent to nobody.
    if WholeClip::of(&body).is_some() {
        return Err(Unfit);
    }
    Ok(match endpoint.format {
        Format::Email => Parcel::Letter(letter(occasion, &body)?),
        Format::Pagerduty => {
            let key = credentials.routing_key.as_ref().ok_or(Unfit)?;
            let rest = body.strip_prefix(ROUTING_KEY).filter(|rest| rest.starts_with(b"\"")).ok_or(Unfit)?;
            let body = [ROUTING_KEY, key.expose().as_bytes(), rest].concat();
            Parcel::Request(request::unsigned(endpoint, credentials, occasion, body, now))
        }
        Format::Slack => Parcel::Request(request::unsigned(endpoint, credentials, occasion, body, now)),
        Format::Stakeout | Format::TrioLiveMonitor | Format::TrioStream | Format::Videodb | Format::Aioz => {
            Parcel::Request(request::signed(endpoint, credentials, occasion, body, now))
        }
        Format::Upload => return Err(Unfit),
    })
}

/// The frozen body of a letter.
#[derive(Deserialize)]
struct Frozen {
    subject: String,
    text: String,
    #[serde(default)]
    frame_b64: String,
}

fn letter(occasion: &Occasion<'_>, body: &[u8]) -> Result<Letter, Unfit> {
    let Frozen { subject, text, frame_b64 } = serde_json::from_slice(body).map_err(|_| Unfit)?;
    let picture = STANDARD.decode(frame_b64).map_err(|_| Unfit)?;
    Ok(Letter { id: occasion.event, at: occasion.observed, subject, text, picture })
}
