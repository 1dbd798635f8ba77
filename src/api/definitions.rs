//! Cameras, endpoints and monitors that are made, changed and taken away while the daemon runs, and monitors that are
//! switched.
//!
//! Owns the routes and the orders that come of them; refuses to know how an order is carried out: the daemon does, as a
//! [`Registrar`], on one of tokio's threads for blocking calls, one order at a time: senders need such threads, too. Every
//! order is logged with who gave it, before anything is done.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::Shared;
use super::alerts::Alerting;
use super::commission::{Commission, Commissioned, Connected};
use super::peer::Peer;
use super::refusal::Refusal;
use super::routes::Routes;
use super::webhooks::Hooking;
use crate::config::{Part, Unfit};
use crate::journal::{self, Origin};
use crate::name::Name;
use crate::secret::Secret;

/// Carries out orders. Every method may block for as long as a model takes to load, and returns once what it did is on
/// stable storage and in force.
pub trait Registrar: Alerting + Hooking {
    /// Makes a part, or makes it anew.
    ///
    /// # Errors
    /// Nothing has changed, but for [`Denied::Stopping`] and [`Denied::Unfinished`].
    fn make(&self, order: Order) -> Result<Made, Denied>;

    /// Takes a part away that was made.
    ///
    /// # Errors
    /// As [`Registrar::make`].
    fn remove(&self, part: Part, name: &Name) -> Result<(), Denied>;

    /// Makes a monitor run or not, whatever its definition says. One that runs gets a new job where its last one has ended.
    ///
    /// # Errors
    /// As [`Registrar::make`].
    fn switch(&self, monitor: &Name, enabled: bool) -> Result<Switched, Denied>;

    /// Begins what a client wants watched, with all that it needs; what is asked for in the same words and goes on is the same.
    ///
    /// # Errors
    /// As [`Registrar::make`]: nothing of it is left, but where the daemon stops.
    fn commission(&self, commission: Commission) -> Result<Commissioned, Denied>;

    /// The camera of a stream (a URL, maybe with a login in it, or a camera's name or URL), which is made and named after
    /// `label` where there is none, and stays until it is taken away.
    ///
    /// # Errors
    /// As [`Registrar::commission`].
    fn connect(&self, stream: &Secret, label: Option<&str>) -> Result<Connected, Denied>;
}

/// What is to be made.
pub struct Order {
    /// What kind of thing.
    pub part: Part,
    /// Its name; the body may say it, too. None: the body says it, and nobody has it yet.
    pub name: Option<Name>,
    /// The keys of its section in the file, and `secret` (endpoints) or `password` (cameras).
    pub body: Map<String, Value>,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// `camera`, `endpoint` or `monitor`.
    pub kind: String,
    /// Its name.
    pub name: Name,
    /// Never the file.
    pub origin: Origin,
    /// The keys of its section, without secrets.
    pub definition: Map<String, Value>,
    /// There was none of that name.
    #[serde(skip)]
    pub is_new: bool,
}

/// How a monitor is switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    /// Which one.
    pub monitor: Name,
    /// Whether it runs.
    pub enabled: bool,
    /// That is not what the file says, or what it was made with.
    pub differs_from_file: bool,
    /// The jobs that this began, each with its camera.
    #[serde(skip)]
    pub begun: Vec<(Name, Uuid)>,
}

/// Why an order is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// It makes no sense.
    #[error(transparent)]
    Bad(Unfit),
    /// There is nothing of that name.
    #[error(transparent)]
    Unknown(Unfit),
    /// Something else stands in the way.
    #[error(transparent)]
    Conflict(Unfit),
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The daemon stops: it is in the journal, and in force once the daemon runs again.
    #[error("the daemon stops; this is kept, and is in force once it runs again")]
    Stopping,
    /// A defect ended it somewhere: nobody knows how far it came.
    #[error("it ended before it was done: {0}; look at what there is, and report this")]
    Unfinished(String),
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Refusal {
        match denied {
            Denied::Bad(Unfit { error, hint }) => Refusal::bad_request(error, hint),
            Denied::Unknown(Unfit { error, hint }) => Refusal::not_found(error, hint),
            Denied::Conflict(Unfit { error, hint }) => Refusal::new(StatusCode::CONFLICT, error, hint),
            Denied::Journal(error) => error.into(),
            Denied::Stopping => Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the daemon stops: this is kept, but not in force yet",
                "nothing is to be sent again: it is in force once the daemon runs again",
            ),
            Denied::Unfinished(why) => Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("it ended before it was done: {why}"),
                "look at what there is (`stakeout status`) before it is sent again, and report this",
            ),
        }
    }
}

/// Adds the routes that change what runs.
pub(super) fn with(mut routes: Routes) -> Routes {
    routes = routes.post("/v1/monitors/{name}/enable", enable).post("/v1/monitors/{name}/disable", disable);
    for part in Part::ALL {
        let (all, one) = paths(part);
        let make = move |shared, by, body| self::make(shared, by, part, None, body);
        let change = move |shared, by, Path(name): Path<String>, body| self::make(shared, by, part, Some(name), body);
        let remove = move |shared, by, Path(name): Path<String>| self::remove(shared, by, part, name);
        routes = routes.post(all, make).put(one, change).delete(one, remove);
    }
    routes
}

/// Where all of a kind are, and one of them.
fn paths(part: Part) -> (&'static str, &'static str) {
    match part {
        Part::Camera => ("/v1/cameras", "/v1/cameras/{name}"),
        Part::Endpoint => ("/v1/endpoints", "/v1/endpoints/{name}"),
        Part::Monitor => ("/v1/monitors", "/v1/monitors/{name}"),
    }
}

/// The body of an order, as axum read it.
pub(super) type Body = Result<Json<Map<String, Value>>, JsonRejection>;

/// Who gives an order.
pub(super) type By = ConnectInfo<Peer>;

async fn make(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    part: Part,
    name: Option<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let Json(body) = body.map_err(|rejection| bad_body(part, &rejection))?;
    let name = name.map(|name| named(&name)).transpose()?;
    reads_no_secrets(part, &body)?;
    if part == Part::Camera && by.link.is_some() {
        shows_no_files(&body)?;
    }
    let said = name.as_ref().map(Name::as_str).or_else(|| body.get("name")?.as_str()).unwrap_or_default();
    let what = format!("make {} `{said}`", part.as_str());
    let order = Order { part, name, body };
    let made = carry_out(&shared, (by, what), move |registrar| registrar.make(order)).await?;
    tracing::info!(kind = made.kind, name = %made.name, is_new = made.is_new, "made over the API");
    let status = if made.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(made)).into_response())
}

/// Takes away what was made.
pub(super) async fn remove(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    part: Part,
    name: String,
) -> Result<StatusCode, Refusal> {
    let name = named(&name)?;
    let gone = name.clone();
    let what = format!("take away {} `{name}`", part.as_str());
    carry_out(&shared, (by, what), move |registrar| registrar.remove(part, &gone)).await?;
    tracing::info!(kind = part.as_str(), %name, "taken away over the API");
    Ok(StatusCode::NO_CONTENT)
}

async fn enable(shared: State<Shared>, by: By, Path(monitor): Path<String>) -> Result<Json<Switched>, Refusal> {
    switch(shared, by, monitor, true).await
}

async fn disable(shared: State<Shared>, by: By, Path(monitor): Path<String>) -> Result<Json<Switched>, Refusal> {
    switch(shared, by, monitor, false).await
}

async fn switch(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    monitor: String,
    enabled: bool,
) -> Result<Json<Switched>, Refusal> {
    let monitor = named(&monitor)?;
    let what = format!("{} monitor `{monitor}`", if enabled { "enable" } else { "disable" });
    let switched = carry_out(&shared, (by, what), move |registrar| registrar.switch(&monitor, enabled)).await?;
    tracing::info!(monitor = %switched.monitor, enabled, "monitor switched by hand");
    Ok(Json(switched))
}

/// So many orders are carried out or wait for that.
const MOST: usize = 16;

/// Whose turn it is. Cheap to clone.
#[derive(Clone)]
pub(super) struct Turns {
    places: Arc<Semaphore>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { places: Arc::new(Semaphore::new(MOST)), turn: Arc::default() }
    }
}

impl Turns {
    /// Waits for a turn, which ends when what it gives is dropped.
    ///
    /// # Errors
    /// Too many wait already.
    async fn take(&self) -> Result<(OwnedMutexGuard<()>, OwnedSemaphorePermit), Refusal> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| {
            let hint = "send them one after the other: each is answered once it is in force";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("{MOST} orders wait already"), hint)
        })?;
        Ok((self.turn.clone().lock_owned().await, place))
    }
}

/// Off tokio's workers: an order waits for threads, models and the disk. Once begun it goes on without its client.
pub(super) async fn carry_out<T: Send + 'static>(
    shared: &Shared,
    (by, what): (Peer, String),
    order: impl FnOnce(&dyn Registrar) -> Result<T, Denied> + Send + 'static,
) -> Result<T, Refusal> {
    let turn = shared.orders.take().await?;
    // What a client says is told in one line, whatever it holds.
    tracing::info!(%by, "ordered: {}", what.escape_debug());
    let registrar: Arc<dyn Registrar> = shared.registrar.clone();
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        order(registrar.as_ref())
    });
    done.await.unwrap_or_else(|error| Err(Denied::Unfinished(error.to_string()))).map_err(Refusal::from)
}

/// Whoever may give orders need not be one who may read our secrets, and a password goes to wherever a definition says.
/// `ca_file` names nothing secret.
fn reads_no_secrets(part: Part, body: &Map<String, Value>) -> Result<(), Refusal> {
    let reads = |key: &&String| (key.ends_with("_file") && *key != "ca_file") || key.ends_with("_credential");
    let format = body.get("format").and_then(Value::as_str).filter(|_| part == Part::Endpoint);
    if let Some(format @ "pagerduty") = format {
        let hint = "its routing key is a secret that only the file can name: write an `[[endpoint]]` and restart";
        let error = format!("endpoint: one of the format `{format}` is defined in the configuration file");
        return Err(Refusal::bad_request(error, hint));
    }
    let Some(key) = body.keys().find(reads) else { return Ok(()) };
    let hint = match part {
        Part::Camera => "send the password itself as `password`, or define the camera in the file",
        Part::Endpoint if key.starts_with("secret") => {
            "send the key itself as `secret`, or define the endpoint in the file"
        }
        Part::Endpoint => "define this endpoint in the file: what it needs is a secret that can't be sent here",
        Part::Monitor => "leave it out; `stakeout config` prints every key",
    };
    Err(Refusal::bad_request(format!("{}: `{key}` counts only in the configuration file", part.as_str()), hint))
}

/// Over TCP, clips of this machine are nobody's to see.
fn shows_no_files(body: &Map<String, Value>) -> Result<(), Refusal> {
    let url = body.get("url").and_then(Value::as_str).and_then(|url| url::Url::parse(url).ok());
    if url.is_none_or(|url| url.scheme() != "file") {
        return Ok(());
    }
    let hint = "define it over the unix socket or in the file";
    Err(Refusal::bad_request("camera: a clip on this machine can't be defined over TCP", hint))
}

fn named(text: &str) -> Result<Name, Refusal> {
    Name::new(text).map_err(|why| Refusal::not_found(format!("there is nothing of the name `{text}`"), why.to_string()))
}

fn bad_body(part: Part, rejection: &JsonRejection) -> Refusal {
    let hint = format!("send a JSON object with the keys of `[[{}]]`; `stakeout config` prints them", part.as_str());
    Refusal::bad_request(rejection.body_text(), hint)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[test]
    fn what_is_made_over_the_api_reads_no_secrets_and_over_tcp_no_clips() {
        let body = |key: &str, value: &str| Map::from_iter([(key.to_owned(), Value::from(value))]);
        for key in ["secret_file", "url_file", "routing_key_file", "password_file", "secret_credential", "x_credential"]
        {
            let refused = reads_no_secrets(Part::Endpoint, &body(key, "/x")).unwrap_err();
            assert_eq!((refused.status, refused.error.contains(key)), (400, true));
        }
        let pager = reads_no_secrets(Part::Endpoint, &body("format", "pagerduty")).unwrap_err();
        assert!(pager.error.contains("`pagerduty` is defined in the configuration file"), "{}", pager.error);
        let mail = reads_no_secrets(Part::Endpoint, &body("password_file", "/x")).unwrap_err();
        assert!(!mail.hint.contains("`secret`"), "{}", mail.hint);
        for key in ["ca_file", "secret", "password", "url"] {
            assert_eq!(reads_no_secrets(Part::Camera, &body(key, "/x")), Ok(()));
        }
        for (url, fine) in [("rtsp://10.0.0.1/", true), ("", true), ("file:///x.mp4", false), (" FILE:x.mp4", false)] {
            assert_eq!(shows_no_files(&body("url", url)).is_ok(), fine, "{url}");
        }
    }

    #[tokio::test]
    async fn orders_take_turns_and_only_so_many_wait() {
        let turns = Turns::default();
        let first = turns.take().await.unwrap();
        let mut waiting: Vec<_> = (1..MOST).map(|_| Box::pin(turns.take())).collect();
        for other in &mut waiting {
            assert!(poll_fn(|context| Poll::Ready(other.as_mut().poll(context).is_pending())).await);
        }
        assert_eq!(turns.take().await.unwrap_err().status, 503);
        drop(waiting.pop());
        let mut next = pin!(turns.take());
        assert!(poll_fn(|context| Poll::Ready(next.as_mut().poll(context).is_pending())).await);
        drop(first);
        let second = waiting.remove(0).await.unwrap();
        drop((second, waiting));
        assert!(next.await.is_ok(), "a place and the turn are free again");
    }
}
