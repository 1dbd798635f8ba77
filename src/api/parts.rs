//! `/v1/cameras`, `/v1/monitors` and `/v1/endpoints`: the parts of `/v1/status`, each by itself.
//!
//! Owns the routes; refuses to know how a part is put together (`status` does). Answers have the shape of every list; they
//! are whole, so `next` is always null.

use axum::Json;
use axum::extract::{Path, State};

use super::Shared;
use super::lines::Page;
use super::refusal::Refusal;
use super::status::{self, Camera, Endpoint, Monitor};
use crate::config;
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
    let hint = match known[..] {
        [] => "the configuration has no `[[monitor]]`".to_owned(),
        _ => format!("monitors known here: {}", config::quoted(known)),
    };
    Err(Refusal::not_found(format!("there is no monitor `{name}`"), hint))
}

async fn with_statistics(shared: &Shared, monitors: Vec<Monitor>) -> Result<Vec<Monitor>, Refusal> {
    let counts = shared.store.read(|reader| Ok(reader.monitor_counts(now())?)).await?;
    Ok(status::monitor_lines(monitors, counts))
}

pub(super) async fn endpoints(State(shared): State<Shared>) -> Result<Json<Page<Endpoint>>, Refusal> {
    let counts = shared.store.read(|reader| Ok(reader.endpoint_counts(now())?)).await?;
    Ok(whole(status::endpoint_lines(&shared.site.endpoints(), counts)))
}

fn whole<T>(items: impl IntoIterator<Item = T>) -> Json<Page<T>> {
    Json(Page { items: items.into_iter().collect(), next: None })
}
