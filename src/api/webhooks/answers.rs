//! What `/api/webhooks` answers, as AIOZ's clients read it: `status`, and `data` or a `message`.
//!
//! Owns the shapes; an error has AIOZ's keys beside ours. Refuses to know routes.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;

use super::{Moments, Refusal, Shared, Webhook, now};
use crate::api::Utc;

const SUCCESS: &str = "success";

/// Something that was asked for.
#[derive(Serialize)]
pub struct Success<T> {
    status: &'static str,
    data: T,
}

impl<T> Success<T> {
    pub(super) fn of(data: T) -> Json<Success<T>> {
        Json(Success { status: SUCCESS, data })
    }
}

/// Something that was ordered.
#[derive(Serialize)]
pub struct Done {
    status: &'static str,
    message: String,
}

impl Done {
    pub(super) fn because(message: impl Into<String>) -> Json<Done> {
        Json(Done { status: SUCCESS, message: message.into() })
    }
}

/// One webhook.
#[derive(Serialize)]
pub struct One {
    pub(super) webhook: WebhookLine,
}

/// Some webhooks.
#[derive(Serialize)]
pub struct Many {
    pub(super) webhooks: Vec<WebhookLine>,
    /// With those that are not shown.
    pub(super) total: usize,
}

/// A webhook at one moment.
#[derive(Serialize)]
pub struct WebhookLine {
    id: Uuid,
    /// The box, as in what is sent.
    user_id: String,
    name: String,
    url: String,
    #[serde(flatten)]
    moments: Moments,
    created_at: Utc,
    updated_at: Utc,
    /// When its receiver last answered, or could not be reached; null: it was never sent anything.
    last_triggered_at: Option<Utc>,
}

/// With when each was last sent something, which the journal knows.
pub(super) async fn lines(shared: &Shared, webhooks: Vec<Webhook>) -> Result<Vec<WebhookLine>, Refusal> {
    let counts = shared.store.read(|reader| Ok(reader.endpoint_counts(now())?)).await?;
    let device = shared.site.device();
    let line = |Webhook { id, endpoint, title, url, moments, made, changed }| {
        let counts = counts.iter().find(|it| it.endpoint == endpoint).map(|it| &it.counts);
        let tries = counts.map(|it| [it.last_success, it.last_error.as_ref().map(|error| error.at)]);
        WebhookLine {
            id,
            user_id: device.clone(),
            name: title,
            url,
            moments,
            created_at: Utc(made),
            updated_at: Utc(changed),
            last_triggered_at: tries.into_iter().flatten().flatten().max().map(Utc),
        }
    };
    Ok(webhooks.into_iter().map(line).collect())
}

/// Why a request was not granted, as AIOZ's clients and as ours read it.
pub struct Failure(Refusal);

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure(refusal)
    }
}

#[derive(Serialize)]
struct Told<'a> {
    status: &'static str,
    message: &'a str,
    error: &'a str,
    hint: &'a str,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Failure(Refusal { status, error, hint, .. }) = self;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let word = if status.is_client_error() { "fail" } else { "error" };
        (status, Json(Told { status: word, message: &error, error: &error, hint: &hint })).into_response()
    }
}
