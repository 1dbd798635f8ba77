//! `POST /v1/endpoints/{name}/check`: whether an endpoint works, found out from here and now.
//!
//! Owns what the answer says, which is what `stakeout endpoint check --json` prints, and that one check is made at a time;
//! refuses to know how it is made ([`super::Site::check`]). An endpoint that doesn't work is an answer, not an error.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::parts::unknown;
use super::refusal::Refusal;
use crate::config::Unfit;
use crate::name::Name;

/// What a check of an endpoint found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which one.
    pub endpoint: Name,
    /// Without path and query, which may be secret.
    pub url: String,
    /// Where its name led.
    pub addresses: Vec<String>,
    /// The name's lookup; null when there was none.
    pub lookup_ms: Option<u64>,
    /// The address that answered.
    pub peer: Option<String>,
    /// TCP and TLS.
    pub connect_ms: Option<u64>,
    /// Its certificate; null without TLS.
    pub tls: Option<Certificate>,
    /// [`crate::delivery::Outcome::class`]
    pub outcome: String,
    /// The HTTP status.
    pub status: Option<u16>,
    /// Until the status line, or until it failed.
    pub latency_ms: u64,
    /// For people.
    pub error: Option<String>,
    /// How far the receiver's clock is ahead of ours.
    pub clock_skew_s: Option<i64>,
    /// Names of the headers that were sent.
    pub headers: Vec<String>,
    /// Whether the receiver refuses a wrong signature; null when that was not found out.
    pub verifies: Option<bool>,
    /// What it answered to the wrong one.
    pub forged_status: Option<u16>,
    /// Its format can be signed; not part of the answer.
    #[serde(skip)]
    pub signable: bool,
}

impl Check {
    /// Whether the receiver took what it was sent.
    pub fn is_success(&self) -> bool {
        self.outcome == "delivered"
    }
}

/// The certificate of a receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whom it names.
    pub subject: String,
    /// Who vouches for that.
    pub issuer: String,
    /// Since when it holds.
    pub not_before: String,
    /// Until when.
    pub not_after: String,
}

/// Whose turn it is. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<tokio::sync::Mutex<()>>);

pub(super) async fn check(State(shared): State<Shared>, Path(name): Path<String>) -> Result<Json<Check>, Refusal> {
    let known = shared.site.endpoints();
    let Some(endpoint) = known.iter().find(|known| known.as_str() == name) else {
        return Err(unknown("endpoint", &name, &known.iter().map(Name::as_str).collect::<Vec<_>>()));
    };
    made(&shared, endpoint).await.map(Json)
}

/// A check of `endpoint`, once it is made.
pub(super) async fn made(shared: &Shared, endpoint: &Name) -> Result<Check, Refusal> {
    // Nobody shall be able to flood a receiver from here.
    let Ok(_turn) = shared.checks.0.try_lock() else {
        let hint = "wait for its end: a check takes twice the endpoint's `timeout` at most";
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "another check is being made", hint));
    };
    let checked = shared.site.check(endpoint).await;
    checked.map_err(|Unfit { error, hint }| Refusal::new(StatusCode::CONFLICT, error, hint))
}
