//! `/v1/cameras`, `/v1/monitors` and `/v1/endpoints`: the parts of `/v1/status`, each by itself.
//!
//! Owns the routes; refuses to know how a part is put together (`status` does). Answers have the shape of every list; they
//! are whole, so `next` is always null.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};

use super::Shared;
use super::camera::Camera;
use super::lines::Page;
use super::refusal::Refusal;
use super::status::{self, Endpoint, Monitor};
use crate::config;
use crate::name::Name;
use crate::time::now;

pub(super) async fn cameras(State(shared): State<Shared>) -> Json<Page<Camera>> {
    whole(shared.site.cameras(now()).into_iter().map(Camera::tidy))
}

pub(super) async fn monitors(State(shared): State<Shared>) -> Result<Json<Page<Monitor>>, Refusal> {
    Ok(whole(with_statistics(&shared, shared.site.monitors(now())).await?))
}

/// One monitor: a line for each of its cameras.
pub(super) async fn monitor(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Page<Monitor>>, Refusal> {
    let all = shared.site.monitors(now());
    let (named, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|monitor| monitor.name.as_str() == name);
    if !named.is_empty() {
        return Ok(whole(with_statistics(&shared, named).await?));
    }
    let mut known: Vec<&str> = others.iter().map(|monitor| monitor.name.as_str()).collect();
    known.dedup();
    Err(unknown("monitor", &name, &known))
}

pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Refusal {
    let hint = match known {
        [] => format!("the configuration has no `[[{what}]]`"),
        _ => format!("{what}s known here: {}", config::quoted(known.iter().copied())),
    };
    Refusal::not_found(format!("there is no {what} `{name}`"), hint)
}

async fn with_statistics(shared: &Shared, monitors: Vec<Monitor>) -> Result<Vec<Monitor>, Refusal> {
    let counts = shared.store.read(|reader| Ok(reader.monitor_counts(now())?)).await?;
    Ok(status::monitor_lines(monitors, counts))
}

/// An endpoint at one moment, with where it leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointLine {
    /// How it does.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// None: the journal alone still knows it.
    #[serde(flatten)]
    pub leads: Option<Leads>,
}

/// Where an endpoint leads, without what may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leads {
    /// Of one that was made over the API without a login and the values of its query; of one in the file without path and
    /// query; null where all of it is secret.
    pub url: Option<String>,
    /// How what is sent there is written.
    pub format: String,
    /// So many secrets sign it.
    pub secrets: u64,
    /// Whether it is to be sent anything.
    pub enabled: bool,
}

pub(super) async fn endpoints(State(shared): State<Shared>) -> Result<Json<Page<EndpointLine>>, Refusal> {
    let counts = shared.store.read(|reader| Ok(reader.endpoint_counts(now())?)).await?;
    let lines = status::endpoint_lines(&shared.site.endpoints(), counts);
    let lines = status::with_origin(shared.site.as_ref(), lines);
    let line = |endpoint: Endpoint| EndpointLine { leads: shared.site.leads(&endpoint.name), endpoint };
    Ok(whole(lines.into_iter().map(line)))
}

/// The answer to an order to send to an endpoint again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enabled {
    /// Which endpoint.
    pub endpoint: Name,
    /// It had said that it is gone; otherwise nothing has changed.
    pub was_gone: bool,
    /// Deliveries that were skipped because it was gone, or ended otherwise: dead letters.
    pub dead: u64,
}

/// An endpoint that said 410 gets what happens from now on.
pub(super) async fn enable(State(shared): State<Shared>, Path(name): Path<String>) -> Result<Json<Enabled>, Refusal> {
    let configured = shared.site.endpoints();
    let Some(endpoint) = configured.iter().find(|known| known.as_str() == name).cloned() else {
        return Err(unknown("endpoint", &name, &configured.iter().map(Name::as_str).collect::<Vec<_>>()));
    };
    let counts = shared.store.read(|reader| Ok(reader.endpoint_counts(now())?)).await?;
    let counts = counts.into_iter().find(|counts| counts.endpoint == endpoint);
    let was_gone = shared.writer.set_gone(endpoint.clone(), false).await?;
    tracing::info!(%endpoint, was_gone, "endpoint enabled by hand");
    Ok(Json(Enabled { endpoint, was_gone, dead: counts.map_or(0, |counts| counts.counts.dead) }))
}

fn whole<T>(items: impl IntoIterator<Item = T>) -> Json<Page<T>> {
    Json(Page { items: items.into_iter().collect(), next: None })
}
