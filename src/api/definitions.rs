//! Cameras, endpoints and monitors that are made, changed and taken away while the daemon runs, and monitors that are
//! switched.
//!
//! Owns the routes and the orders that come of them; refuses to know how an order is carried out: the daemon does, as a
//! [`Registrar`], on one of tokio's threads for blocking calls. Every order is logged; who gave it, the guard
//! says.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Shared;
use super::commission::{Commission, Commissioned};
use super::refusal::Refusal;
use super::routes::Routes;
use crate::config::{Part, Unfit};
use crate::journal::{self, Origin};
use crate::name::Name;

/// Carries out orders. Every method may block for as long as a model takes to load, and returns once what it did is on
/// stable storage and in force.
pub trait Registrar: Send + Sync + 'static {
    /// Makes a part, or makes it anew.
    ///
    /// # Errors
    /// Nothing has changed, but for [`Denied::Unfinished`].
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

    /// Begins a client's job, with all that it needs; one that is asked for in the same words and runs is the same.
    ///
    /// # Errors
    /// As [`Registrar::make`], and nothing of it is left.
    fn commission(&self, commission: Commission) -> Result<Commissioned, Denied>;
}

/// What is to be made.
pub struct Order {
    /// What kind of thing.
    pub part: Part,
    /// Its name; the body may say it, too. None: the body says it, and nobody has it yet.
    pub name: Option<Name>,
    /// The keys of its section in the file, and `secret` (endpoints) or `password` (cameras).
    pub body: Map<String, Value>,
    /// What a client asked for whose job this is: then it ends for good, and fails where no frame ever comes.
    pub request: Option<Value>,
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
    /// It is in the journal, but not in force before the daemon starts again.
    #[error("it is kept, but is not in force: {0}; restart the daemon")]
    Unfinished(String),
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Refusal {
        match denied {
            Denied::Bad(Unfit { error, hint }) => Refusal::bad_request(error, hint),
            Denied::Unknown(Unfit { error, hint }) => Refusal::not_found(error, hint),
            Denied::Conflict(Unfit { error, hint }) => Refusal::new(StatusCode::CONFLICT, error, hint),
            Denied::Journal(error) => error.into(),
            Denied::Unfinished(why) => Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("it is kept, but is not in force: {why}"),
                "restart the daemon; `stakeout status` tells what it lacks",
            ),
        }
    }
}

/// Adds the routes that change what runs.
pub(super) fn with(mut routes: Routes) -> Routes {
    routes = routes.post("/v1/monitors/{name}/enable", enable).post("/v1/monitors/{name}/disable", disable);
    for part in Part::ALL {
        let (all, one) = paths(part);
        let make = move |shared, body| self::make(shared, part, None, body);
        let change = move |shared, Path(name): Path<String>, body| self::make(shared, part, Some(name), body);
        let remove = move |shared, Path(name): Path<String>| self::remove(shared, part, name);
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

async fn make(State(shared): State<Shared>, part: Part, name: Option<String>, body: Body) -> Result<Response, Refusal> {
    let Json(body) = body.map_err(|rejection| bad_body(part, &rejection))?;
    let name = name.map(|name| named(&name)).transpose()?;
    let order = Order { part, name, body, request: None };
    let made = carry_out(&shared, move |registrar| registrar.make(order)).await?;
    tracing::info!(kind = made.kind, name = %made.name, is_new = made.is_new, "made over the API");
    let status = if made.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(made)).into_response())
}

async fn remove(State(shared): State<Shared>, part: Part, name: String) -> Result<StatusCode, Refusal> {
    let name = named(&name)?;
    let gone = name.clone();
    carry_out(&shared, move |registrar| registrar.remove(part, &gone)).await?;
    tracing::info!(kind = part.as_str(), %name, "taken away over the API");
    Ok(StatusCode::NO_CONTENT)
}

async fn enable(shared: State<Shared>, Path(monitor): Path<String>) -> Result<Json<Switched>, Refusal> {
    switch(shared, monitor, true).await
}

async fn disable(shared: State<Shared>, Path(monitor): Path<String>) -> Result<Json<Switched>, Refusal> {
    switch(shared, monitor, false).await
}

async fn switch(State(shared): State<Shared>, monitor: String, enabled: bool) -> Result<Json<Switched>, Refusal> {
    let monitor = named(&monitor)?;
    let switched = carry_out(&shared, move |registrar| registrar.switch(&monitor, enabled)).await?;
    tracing::info!(monitor = %switched.monitor, enabled, "monitor switched by hand");
    Ok(Json(switched))
}

/// Off tokio's workers: an order waits for threads, models and the disk.
pub(super) async fn carry_out<T: Send + 'static>(
    shared: &Shared,
    order: impl FnOnce(&dyn Registrar) -> Result<T, Denied> + Send + 'static,
) -> Result<T, Refusal> {
    let registrar: Arc<dyn Registrar> = shared.registrar.clone();
    let done = tokio::task::spawn_blocking(move || order(registrar.as_ref())).await;
    done.unwrap_or_else(|error| Err(Denied::Unfinished(error.to_string()))).map_err(Refusal::from)
}

fn named(text: &str) -> Result<Name, Refusal> {
    Name::new(text).map_err(|why| Refusal::not_found(format!("there is nothing of the name `{text}`"), why.to_string()))
}

fn bad_body(part: Part, rejection: &JsonRejection) -> Refusal {
    let hint = format!("send a JSON object with the keys of `[[{}]]`; `stakeout config` prints them", part.as_str());
    Refusal::bad_request(rejection.body_text(), hint)
}
