//! Clips: listed and deleted by whoever may call, opened by whoever has a link.
//!
//! Owns the routes and what a clip is told as; refuses to know how links are signed (`recording::link`), how clips are kept
//! (the journal does) and how one is decoded for its thumbnail ([`super::Site::still`]).

mod moments;
mod open;
mod page;
mod thumbnail;

use std::fs;
use std::path::PathBuf;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) use open::{are_opened_by_links, places, route, script, style};
pub(super) use thumbnail::Album;

use super::Shared;
use super::definitions::By;
use super::events::{id, limit};
use super::lines::Utc;
use super::refusal::Refusal;
use crate::journal::{ClipFilter, ClipRow, ClipState, Reader};
use crate::name::Name;
use crate::recording::link::{Links, Piece};
use crate::time::{Wall, now};

/// Which clips; without `limit` the newest hundred.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipQuery {
    /// Only of this camera.
    pub camera: Option<Name>,
    /// Only in this state: `recording`, `ready`, `failed` or `gone`.
    pub state: Option<String>,
    /// Only those that were begun before this one.
    pub before: Option<i64>,
    /// At most so many, 1 to 1000.
    pub limit: Option<u32>,
}

/// `clips list --json`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipLine {
    /// Its place in the order in which they were begun.
    pub n: i64,
    /// One and the same for ever.
    pub id: Uuid,
    /// Of which camera.
    pub camera: Name,
    /// `recording`, `ready`, `failed` or `gone`.
    pub state: String,
    /// Why it failed or is gone.
    pub why: Option<String>,
    /// When an alert began it.
    pub asked_at: Utc,
    /// Its first picture; null until there is one.
    pub started_at: Option<Utc>,
    /// How long it is; null until it is ready.
    pub duration_s: Option<f64>,
    /// What it takes.
    pub bytes: u64,
    /// Of the whole file; null until it is ready.
    pub sha256: Option<String>,
    /// The alerts that it shows, the oldest first.
    pub alerts: Vec<Uuid>,
    /// Opens its page without a token, for as long as `[recording] link_expiry` says; null where nothing can be opened.
    pub player_url: Option<String>,
    /// The same of its playlist (HLS).
    pub stream_url: Option<String>,
    /// The same of its file.
    pub file_url: Option<String>,
}

/// All that were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clips {
    /// The newest first.
    pub clips: Vec<ClipLine>,
}

impl ClipQuery {
    /// The clips; `links`: how they are opened, where that is known.
    ///
    /// # Errors
    /// An unknown state, a limit out of range, or the journal can't be read.
    pub fn page(&self, reader: &Reader, links: Option<&Links>) -> Result<Clips, Refusal> {
        let state = self.state.as_deref().map(state).transpose()?;
        let filter = ClipFilter { camera: self.camera.clone(), state, before: self.before, limit: limit(self.limit)? };
        let rows = reader.clips(&filter)?;
        Ok(Clips { clips: rows.into_iter().map(|row| ClipLine::of(row, links)).collect() })
    }
}

fn state(text: &str) -> Result<ClipState, Refusal> {
    ClipState::parse(text).ok_or_else(|| {
        let known = ClipState::ALL.map(|state| format!("`{}`", state.as_str())).join(", ");
        Refusal::bad_request(format!("unknown state `{text}`"), format!("known are {known}"))
    })
}

impl ClipLine {
    /// The line of a row; `links`: how it is opened, where that is known.
    pub fn of(row: ClipRow, links: Option<&Links>) -> ClipLine {
        let now = now().wall;
        let link = |piece| links.filter(|_| row.has_file).map(|it| it.to(row.id, piece, now));
        ClipLine {
            player_url: link(Piece::Player),
            stream_url: link(Piece::Playlist),
            file_url: link(Piece::Movie),
            n: row.n,
            id: row.id,
            camera: row.camera,
            state: row.state.as_str().to_owned(),
            why: row.why,
            asked_at: Utc(row.asked),
            started_at: row.started_us.map(|us| Utc(Wall(us / 1000))),
            duration_s: row.duration.map(|duration| duration.as_secs_f64()),
            bytes: row.bytes,
            sha256: row.sha256,
            alerts: row.alerts,
        }
    }
}

fn bad_query(rejection: QueryRejection) -> Refusal {
    Refusal::bad_request(rejection.body_text(), "clips take `camera`, `state`, `before` and `limit`")
}

fn no_such_clip(clip: Uuid) -> Refusal {
    Refusal::not_found(format!("there is no clip `{clip}`"), "list them with `stakeout clips list`")
}

pub(super) async fn list(
    State(shared): State<Shared>,
    query: Result<Query<ClipQuery>, QueryRejection>,
) -> Result<Json<Clips>, Refusal> {
    let Query(query) = query.map_err(bad_query)?;
    let links = shared.links.clone();
    shared.store.read(move |reader| query.page(reader, Some(&links))).await.map(Json)
}

pub(super) async fn one(State(shared): State<Shared>, Path(clip): Path<String>) -> Result<Json<ClipLine>, Refusal> {
    let clip = id(&clip)?;
    let (row, _) = find(&shared, clip).await?;
    Ok(Json(ClipLine::of(row, Some(&shared.links))))
}

/// The file, for whoever needs no link.
pub(super) async fn file(
    State(shared): State<Shared>,
    Path(clip): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let clip = id(&clip)?;
    match find(&shared, clip).await? {
        (row, Some(path)) => open::movie(&shared, &row, path, request).await,
        (row, None) => Err(open::not_there(&row)),
    }
}

/// What was recorded is gone, for good; that there was a clip stays known.
pub(super) async fn delete(
    State(shared): State<Shared>,
    ConnectInfo(by): By,
    Path(clip): Path<String>,
) -> Result<Json<ClipLine>, Refusal> {
    let clip = id(&clip)?;
    tracing::info!(%by, "ordered: delete clip `{clip}`");
    let writer = shared.writer.clone();
    let deleted = tokio::task::spawn_blocking(move || writer.delete_clip(clip).wait()).await.map_err(|error| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "see `journalctl -u stakeout`")
    })??;
    let (row, _) = find(&shared, clip).await?;
    match row.state {
        ClipState::Recording if !deleted => {
            let error = format!("clip `{clip}` is still being recorded");
            Err(Refusal::new(StatusCode::CONFLICT, error, "delete it once it is ready"))
        }
        _ => Ok(Json(ClipLine::of(row, Some(&shared.links)))),
    }
}

/// The clip's row, and where its file is. One that is not as long as it was is not what was recorded: then there is none.
async fn find(shared: &Shared, clip: Uuid) -> Result<(ClipRow, Option<PathBuf>), Refusal> {
    let found = shared.store.read(move |reader| {
        Ok(reader.clip(clip)?.map(|row| {
            let is_whole = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.len() == row.bytes);
            let path = reader.clip_file(&row).filter(|path| row.state != ClipState::Ready || is_whole(path));
            (row, path)
        }))
    });
    found.await?.ok_or_else(|| no_such_clip(clip))
}
