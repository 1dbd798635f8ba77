//! `/streams`: what Trio's stream API connects to. A stream is a camera, whoever made it.
//!
//! Owns the routes and the shape of their answers; refuses to know how a camera is made (the daemon does, as
//! [`Registrar`](super::Registrar)).

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Shared;
use super::camera::CameraState;
use super::commission::Connected;
use super::definitions::{self, Body, By, carry_out};
use super::refusal::Refusal;
use super::words::Words;
use crate::config::{Part, Unfit};
use crate::name::Name;
use crate::secret::Secret;
use crate::time::now;

const HINT: &str = "send a JSON object with `url`, and a `label` if you like";

/// A camera, as a client of streams sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamLine {
    /// The camera's name.
    pub id: Name,
    /// Its address as anybody may see it.
    pub url: String,
    /// Whether pictures come.
    pub status: CameraState,
}

#[derive(Serialize)]
pub(super) struct Streams {
    streams: Vec<StreamLine>,
}

#[derive(Serialize)]
struct Answer {
    id: Name,
    status: CameraState,
}

pub(super) async fn list(State(shared): State<Shared>) -> Json<Streams> {
    Json(Streams { streams: shared.site.streams() })
}

pub(super) async fn connect(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    body: Body,
) -> Result<Response, Refusal> {
    let Json(body) = body.map_err(|rejection| Refusal::bad_request(rejection.body_text(), HINT))?;
    let words = Words::new(body);
    let read = || Ok((words.text("url", "\"rtsp://10.0.0.21/stream1\"")?, words.text_if_any("label", "\"dock\"")?));
    let (url, label) = read().map_err(|Unfit { error, hint }| Refusal::bad_request(error, hint))?;
    let (what, url) = ("connect a stream".to_owned(), Secret::new(url));
    let done = carry_out(&shared, (by, what), move |registrar| registrar.connect(&url, label.as_deref())).await?;
    let Connected { camera: id, is_new } = done;
    tracing::info!(camera = %id, is_new, "a stream was connected over the API");
    let status = shared.site.cameras(now()).into_iter().find(|camera| camera.name == id);
    let status = status.map_or(CameraState::Connecting, |camera| camera.state);
    let code = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((code, Json(Answer { id, status })).into_response())
}

/// Ends it as `DELETE /v1/cameras/{name}` does.
pub(super) async fn disconnect(shared: State<Shared>, by: By, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    definitions::remove(shared, by, Part::Camera, id).await
}

/// The stream of that id.
pub(super) fn known(shared: &Shared, id: &str) -> Result<Name, Refusal> {
    let known = shared.site.streams().into_iter().map(|stream| stream.id).find(|known| known.as_str() == id);
    known.ok_or_else(|| {
        let hint = "GET /streams lists them, POST /streams connects one";
        Refusal::not_found(format!("there is no stream `{id}`"), hint)
    })
}
