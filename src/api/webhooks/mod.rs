//! `/api/webhooks`: webhooks for the clips of this box, in the shape of AIOZ Stream's API, so that its clients manage them.
//!
//! Owns the routes, what a client may say of a webhook and how one is told; refuses to know how it is kept and put in force
//! (the daemon does, as [`Hooking`]) and what is sent to it (`payload/aioz`). Which ones a list shows, `listing` knows.

mod answers;
mod listing;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::definitions::{By, Denied, carry_out};
use super::refusal::Refusal;
use super::{Shared, check, events};
use crate::event::EventType;
use crate::name::Name;
use crate::time::{Wall, now};
use answers::{Done, Failure, Many, One, Success, lines};
use listing::{ListQuery, QUERY_HINT};

/// Keeps webhooks of clients, and puts them in force. Every method may block, and returns once what it did is on stable
/// storage and in force.
pub trait Hooking: Send + Sync + 'static {
    /// A new one; its id.
    ///
    /// # Errors
    /// Nothing has changed, but for [`Denied::Stopping`] and [`Denied::Unfinished`].
    fn hook(&self, said: Said) -> Result<Uuid, Denied>;

    /// What is `said` of a webhook counts from now on; what isn't said stays.
    ///
    /// # Errors
    /// As [`Hooking::hook`].
    fn rehook(&self, id: Uuid, said: Said) -> Result<(), Denied>;

    /// Takes one away, with what it is still owed.
    ///
    /// # Errors
    /// As [`Hooking::hook`].
    fn unhook(&self, id: Uuid) -> Result<(), Denied>;
}

/// A webhook that a client made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its own, for ever.
    pub id: Uuid,
    /// The endpoint that it is.
    pub endpoint: Name,
    /// What its client calls it.
    pub title: String,
    /// As its client gave it.
    pub url: String,
    /// What it is told of.
    pub moments: Moments,
    /// When it was made.
    pub made: Wall,
    /// When it was made or last changed.
    pub changed: Wall,
}

/// The moments in the life of a clip that a webhook is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moments {
    /// It begins.
    pub file_received: bool,
    /// The same moment, told a second time.
    pub encoding_started: bool,
    /// Its beginning can be played.
    pub partial_finished: bool,
    /// It is whole.
    pub encoding_finished: bool,
    /// Nothing came of it.
    pub encoding_failed: bool,
}

impl Moments {
    /// The types of events that these are, in our order.
    pub fn events(self) -> Vec<EventType> {
        self.pairs().into_iter().filter_map(|(wanted, kind)| wanted.then_some(kind)).collect()
    }

    /// The moments of which `is_told` says that their events are sent.
    pub fn of(is_told: impl Fn(EventType) -> bool) -> Moments {
        let [file_received, encoding_started, partial_finished, encoding_finished, encoding_failed] =
            Moments::default().pairs().map(|(_, kind)| is_told(kind));
        Moments { file_received, encoding_started, partial_finished, encoding_finished, encoding_failed }
    }

    fn pairs(self) -> [(bool, EventType); 5] {
        [
            (self.file_received, EventType::ClipReceived),
            (self.encoding_started, EventType::ClipStarted),
            (self.partial_finished, EventType::ClipPartial),
            (self.encoding_finished, EventType::ClipReady),
            (self.encoding_failed, EventType::ClipFailed),
        ]
    }
}

/// What a client says of a webhook; None: nothing. Other keys are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// What it is to be called.
    #[serde(rename = "name")]
    pub title: Option<String>,
    /// Where it is.
    pub url: Option<String>,
    file_received: Option<bool>,
    encoding_started: Option<bool>,
    partial_finished: Option<bool>,
    encoding_finished: Option<bool>,
    encoding_failed: Option<bool>,
}

/// In bytes.
const LONGEST_TITLE: usize = 255;
/// In bytes.
const LONGEST_URL: usize = 2048;

const HINT: &str = "send a JSON object with `url`, a `name` if you like, and which of `file_received`, `encoding_started`, \
                    `partial_finished`, `encoding_finished` and `encoding_failed` are `true`";

impl Said {
    /// What it is told of from now on, which was `before`.
    pub fn moments(&self, before: Moments) -> Moments {
        Moments {
            file_received: self.file_received.unwrap_or(before.file_received),
            encoding_started: self.encoding_started.unwrap_or(before.encoding_started),
            partial_finished: self.partial_finished.unwrap_or(before.partial_finished),
            encoding_finished: self.encoding_finished.unwrap_or(before.encoding_finished),
            encoding_failed: self.encoding_failed.unwrap_or(before.encoding_failed),
        }
    }

    /// An empty text is as good as none.
    fn read(body: Result<Json<Said>, JsonRejection>) -> Result<Said, Refusal> {
        let Json(mut said) = body.map_err(|rejection| Refusal::bad_request(rejection.body_text(), HINT))?;
        for (key, text, longest) in [("name", &mut said.title, LONGEST_TITLE), ("url", &mut said.url, LONGEST_URL)] {
            *text = text.take().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            if text.as_ref().is_some_and(|text| text.len() > longest) {
                return Err(Refusal::bad_request(format!("`{key}` is too long"), format!("{longest} bytes at most")));
            }
        }
        Ok(said)
    }
}

/// The body of an order, as axum read it.
type Body = Result<Json<Said>, JsonRejection>;

pub(super) async fn list(
    State(shared): State<Shared>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Success<Many>>, Failure> {
    let Query(query) = query.map_err(|rejection| Refusal::bad_request(rejection.body_text(), QUERY_HINT))?;
    let (total, webhooks) = query.page(shared.site.webhooks())?;
    Ok(Success::of(Many { webhooks: lines(&shared, webhooks).await?, total }))
}

pub(super) async fn create(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    body: Body,
) -> Result<(StatusCode, Json<Success<One>>), Failure> {
    let said = Said::read(body)?;
    let what = "make a webhook for clips".to_owned();
    let id = carry_out(&shared, (by, what), move |registrar| registrar.hook(said)).await?;
    tracing::info!(webhook = %id, "a webhook for clips was made over the API");
    Ok((StatusCode::CREATED, told(&shared, id).await?))
}

pub(super) async fn one(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<Success<One>>, Failure> {
    told(&shared, events::id(&id)?).await
}

pub(super) async fn change(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Done>, Failure> {
    let Webhook { id, .. } = find(&shared, events::id(&id)?)?;
    let said = Said::read(body)?;
    let what = format!("change webhook `{id}`");
    carry_out(&shared, (by, what), move |registrar| registrar.rehook(id, said)).await?;
    tracing::info!(webhook = %id, "a webhook for clips was changed over the API");
    Ok(Done::because("the webhook was changed"))
}

pub(super) async fn delete(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    Path(id): Path<String>,
) -> Result<Json<Done>, Failure> {
    let Webhook { id, .. } = find(&shared, events::id(&id)?)?;
    let what = format!("take away webhook `{id}`");
    carry_out(&shared, (by, what), move |registrar| registrar.unhook(id)).await?;
    tracing::info!(webhook = %id, "a webhook for clips was taken away over the API");
    Ok(Done::because("the webhook was deleted"))
}

/// At AIOZ a webhook that doesn't work makes this call fail.
pub(super) async fn check(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<Done>, Failure> {
    let Webhook { endpoint, .. } = find(&shared, events::id(&id)?)?;
    let checked = check::made(&shared, &endpoint).await?;
    let answered = match (checked.status, &checked.error) {
        (Some(status), _) => format!("the webhook answered {status} after {} ms", checked.latency_ms),
        (None, Some(error)) => format!("the webhook does not answer: {error}"),
        (None, None) => "the webhook does not answer".to_owned(),
    };
    if checked.is_success() {
        return Ok(Done::because(answered));
    }
    let hint = "look at its receiver, which is to answer 2xx, and at its `url`; then check it again";
    Err(Refusal::new(StatusCode::FAILED_DEPENDENCY, answered, hint).into())
}

fn find(shared: &Shared, id: Uuid) -> Result<Webhook, Refusal> {
    shared.site.webhooks().into_iter().find(|webhook| webhook.id == id).ok_or_else(|| {
        let hint = "GET /api/webhooks lists them, POST /api/webhooks makes one";
        Refusal::not_found(format!("there is no webhook `{id}`"), hint)
    })
}

async fn told(shared: &Shared, id: Uuid) -> Result<Json<Success<One>>, Failure> {
    let mut webhooks = lines(shared, vec![find(shared, id)?]).await?;
    Ok(Success::of(One { webhook: webhooks.remove(0) }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(body: Value) -> Result<Said, Refusal> {
        Said::read(Ok(Json(serde_json::from_value(body).unwrap())))
    }

    #[test]
    fn what_is_not_said_stays_as_it_was() {
        let before = Moments { file_received: true, encoding_failed: true, ..Moments::default() };
        let change =
            said(json!({"encoding_finished": true, "file_received": false, "name": null, "tags": []})).unwrap();
        let after = Moments { file_received: false, encoding_finished: true, ..before };
        assert_eq!((change.moments(before), change.title), (after, None));
        assert_eq!(Said::default().moments(before), before);
        let texts = said(json!({"name": " Lager – Tür ", "url": "  "})).unwrap();
        assert_eq!((texts.title.as_deref(), texts.url), (Some("Lager – Tür"), None));
    }

    #[test]
    fn every_moment_is_a_type_of_event() {
        assert_eq!(Moments::of(|kind| kind == EventType::ClipReady).events(), [EventType::ClipReady]);
        let told = serde_json::to_value(Moments::of(|kind| kind == EventType::ClipFailed)).unwrap();
        assert_eq!(told["encoding_failed"], true);
        assert_eq!(told.as_object().unwrap().values().filter(|is| **is == true).count(), 1);
    }

    #[test]
    fn texts_have_an_end() {
        for (key, longest) in [("name", LONGEST_TITLE), ("url", LONGEST_URL)] {
            assert!(said(json!({ key: "x".repeat(longest) })).is_ok());
            assert_eq!(
                said(json!({ key: "x".repeat(longest + 1) })).unwrap_err().error,
                format!("`{key}` is too long")
            );
        }
    }
}
