//! `POST /v1/endpoints/{name}/enable`: an operator takes back that an endpoint is gone.
//!
//! Owns the order and its answer; refuses to know when an endpoint counts as gone (`retry` does). Every order is logged
//! with the uid of who gave it.

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use serde::{Deserialize, Serialize};

use super::Shared;
use super::refusal::Refusal;
use super::socket::Peer;
use crate::config;
use crate::name::Name;

/// The answer to an enabling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enabled {
    /// It had said that it is gone; from now on it is sent events again.
    pub was_gone: bool,
}

pub(super) async fn enable(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(name): Path<String>,
) -> Result<Json<Enabled>, Refusal> {
    let known = shared.site.endpoints();
    let endpoint = known.iter().find(|known| known.as_str() == name).cloned();
    let endpoint = endpoint.ok_or_else(|| no_such_endpoint(&name, &known))?;
    let was_gone = shared.writer.set_gone(endpoint, false).await?;
    tracing::info!(uid = peer.uid, endpoint = name, was_gone, "endpoint enabled");
    Ok(Json(Enabled { was_gone }))
}

fn no_such_endpoint(name: &str, known: &[Name]) -> Refusal {
    let hint = match known {
        [] => "the configuration has no `[[endpoint]]`".to_owned(),
        _ => format!("endpoints known here: {}", config::quoted(known.iter().map(Name::as_str))),
    };
    Refusal::not_found(format!("there is no endpoint `{name}`"), hint)
}
