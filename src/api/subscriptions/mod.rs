//! `/streams/{id}/subscriptions` and `/subscriptions`: questions about streams, as at Trio's stream API. A subscription is a
//! monitor that was asked for there; it goes on until it is taken away.
//!
//! Owns the routes, what a client may ask for, and what of it is kept; refuses to know how that becomes a monitor (the daemon
//! does, as [`Registrar`](super::Registrar)). How one does is told by `figures`.

pub(super) mod figures;

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::commission::{Commission, Commissioned, Request, Stream};
use super::definitions::{self, Body, By, carry_out};
use super::lines::Utc;
use super::refusal::Refusal;
use super::words::{Wanted, Words};
use super::{Shared, streams};
use crate::config::{Format, Part, Unfit};
use crate::name::Name;

const HINT: &str = "send a JSON object with `question` and `webhook_url`";

/// A question about a stream, as its client sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// The monitor's name.
    pub id: Name,
    /// The camera's.
    pub stream_id: Name,
    /// Verbatim.
    pub question: String,
    /// As the client gave it.
    pub webhook_url: String,
    /// From which confidence on it tells; null only where it doesn't run and none was asked for.
    pub confidence_threshold: Option<f64>,
    /// How long it then says nothing; null as above.
    pub cooldown_seconds: Option<f64>,
    /// Passed through to the webhook.
    pub metadata: Value,
    /// Whether it watches.
    pub status: SubscriptionStatus,
    /// When it was asked for.
    pub created_at: Utc,
    /// Where what it says is sent.
    #[serde(skip)]
    pub endpoint: Option<Name>,
    /// Whatever else the client asked for.
    #[serde(flatten)]
    pub request: Map<String, Value>,
}

/// Whether a subscription watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// It does, while its stream shows anything.
    Active,
    /// Its monitor was disabled by hand.
    Paused,
    /// Its stream was a clip, which is over.
    Ended,
    /// It no longer fits what this box has; `status` tells why.
    Unfit,
}

#[derive(Serialize)]
pub(super) struct Subscriptions {
    subscriptions: Vec<Subscription>,
}

#[derive(Serialize)]
struct Answer {
    id: Name,
    status: SubscriptionStatus,
}

pub(super) async fn subscribe(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    Path(stream): Path<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let Json(body) = body.map_err(|rejection| Refusal::bad_request(rejection.body_text(), HINT))?;
    let stream = streams::known(&shared, &stream)?;
    let what = format!("subscribe to stream `{stream}`");
    let commission = commission(stream, body).map_err(|Unfit { error, hint }| Refusal::bad_request(error, hint))?;
    let done = carry_out(&shared, (by, what), move |registrar| registrar.commission(commission)).await?;
    let Commissioned { monitor: id, is_new, .. } = done;
    tracing::info!(monitor = %id, is_new, "a subscription was asked for over the API");
    let status = find(&shared, id.as_str())?.status;
    let code = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((code, Json(Answer { id, status })).into_response())
}

/// What is asked for. It has no end of its own.
fn commission(stream: Name, body: Map<String, Value>) -> Result<Commission, Unfit> {
    let mut words = Words::new(body);
    words.text("question", "\"Is a person in the yellow zone?\"")?;
    let webhook_url = words.text("webhook_url", "\"https://your-app.example/events\"")?;
    words.translate("question", "condition");
    words.translate("cooldown_seconds", "cooldown");
    let Wanted { section, mut said } = words.monitor(&[]);
    said.insert("webhook_url".to_owned(), Value::from(webhook_url.as_str()));
    Ok(Commission {
        stream: Stream::Of(stream),
        webhook_url,
        format: Format::TrioStream,
        monitor: section,
        request: Request::Subscription(Value::Object(said)),
    })
}

pub(super) async fn list(State(shared): State<Shared>) -> Json<Subscriptions> {
    Json(Subscriptions { subscriptions: shared.site.subscriptions() })
}

pub(super) async fn one(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<Subscription>, Refusal> {
    find(&shared, &id).map(Json)
}

/// Its stream stays; so does what its webhook is still owed, until it has that.
pub(super) async fn unsubscribe(
    State(shared): State<Shared>,
    by: By,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    find(&shared, &id)?;
    definitions::remove(State(shared), by, Part::Monitor, id).await
}

fn find(shared: &Shared, id: &str) -> Result<Subscription, Refusal> {
    let found = shared.site.subscriptions().into_iter().find(|subscription| subscription.id.as_str() == id);
    found.ok_or_else(|| {
        let hint = "GET /subscriptions lists them, POST /streams/{id}/subscriptions makes one";
        Refusal::not_found(format!("there is no subscription `{id}`"), hint)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(body: Value) -> Result<Commission, String> {
        let Value::Object(body) = body else { panic!() };
        commission(Name::new("dock").unwrap(), body).map_err(|unfit| unfit.to_string())
    }

    #[test]
    fn a_question_is_a_condition_without_an_end() {
        let asked = asked(json!({
            "question": "Is there fire?", "condition": "ignored", "webhook_url": "https://app.example/hook?k=1",
            "confidence_threshold": 0.85, "cooldown_seconds": 60, "metadata": {"zone": "dock"}, "zone": null,
            "labels": ["fire"], "max_duration": 60, "stop_on_trigger": true, "restart": "never", "name": "mine",
        }));
        let Commission { stream: Stream::Of(stream), monitor, request, webhook_url, .. } = asked.unwrap() else {
            panic!()
        };
        assert_eq!((stream.as_str(), webhook_url.as_str()), ("dock", "https://app.example/hook?k=1"));
        let mut section = json!({
            "condition": "Is there fire?", "confidence_threshold": 0.85, "cooldown": "60s", "metadata": {"zone": "dock"},
            "labels": ["fire"],
        });
        assert_eq!(Value::from(monitor), section);
        section["cooldown"] = json!(60);
        section["webhook_url"] = json!(webhook_url);
        assert_eq!(request, Request::Subscription(section));
    }

    #[test]
    fn what_is_missing_is_told() {
        for (body, told) in [
            (
                json!({"condition": "Is there fire?", "webhook_url": "https://h/"}),
                "`question` is missing; add `\"question\": \"Is a person in the yellow zone?\"`",
            ),
            (
                json!({"question": "x", "webhook_url": ""}),
                "`webhook_url` is no text, or empty; for example \"https://your-app.example/events\"",
            ),
        ] {
            assert_eq!(asked(body).err().as_deref(), Some(told));
        }
    }
}
