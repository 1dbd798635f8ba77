//! Answers that are errors: `{"error": "…", "hint": "…"}`.
//!
//! Owns their shape and the mapping of the journal's errors to a status; refuses to know routes.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::journal;

/// Why a request was not granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The HTTP status; not part of the body.
    #[serde(skip)]
    pub status: u16,
    /// What is wrong.
    pub error: String,
    /// What to do.
    pub hint: String,
    /// It was found out because the journal is damaged; not part of the body.
    #[serde(skip)]
    pub damage: Option<String>,
    /// In how many seconds it may be granted (`Retry-After`); not part of the body.
    #[serde(skip)]
    pub again_s: Option<u32>,
}

impl Refusal {
    /// A refusal with that status.
    pub(super) fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal { status: status.as_u16(), error: error.into(), hint: hint.into(), damage: None, again_s: None }
    }

    /// The same, and whoever asks again in so many seconds may be granted it.
    pub(super) fn again_in(self, seconds: u32) -> Refusal {
        Refusal { again_s: Some(seconds), ..self }
    }

    /// Its HTTP status.
    pub(super) fn code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The request itself makes no sense.
    pub(super) fn bad_request(error: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, error, hint)
    }

    /// What the request names does not exist.
    pub(super) fn not_found(error: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, error, hint)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let again = self.again_s.map(|seconds| [(header::RETRY_AFTER, HeaderValue::from(seconds))]);
        match again {
            Some(again) => (self.code(), again, Json(self)).into_response(),
            None => (self.code(), Json(self)).into_response(),
        }
    }
}

/// The journal's messages end with what to do; that part is the hint.
impl From<journal::Error> for Refusal {
    fn from(error: journal::Error) -> Refusal {
        let status = match &error {
            journal::Error::NoSuchDelivery(_) => StatusCode::NOT_FOUND,
            journal::Error::Full(_) | journal::Error::Tight(_) => StatusCode::INSUFFICIENT_STORAGE,
            journal::Error::Closed => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let text = error.to_string();
        let refusal = match text.rsplit_once("; ") {
            Some((error, hint)) => Refusal::new(status, error, hint),
            None => Refusal::new(status, text, "see `journalctl -u stakeout`"),
        };
        let damage = match error {
            journal::Error::Corrupt(why) | journal::Error::Damaged(why) => Some(why),
            _ => None,
        };
        Refusal { damage, ..refusal }
    }
}

/// Nothing lives at that path.
pub(super) async fn no_such_route(uri: Uri) -> Refusal {
    Refusal::not_found(
        format!("there is nothing at `{}`", uri.path()),
        "routes start with `/v1/`, for instance `/v1/status`",
    )
}

/// Something lives there, but not for this method.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let error = format!("`{}` does not take {method}", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, error, "lists are read with GET, orders are given with POST")
}
