//! What a link to a clip opens: its page, its playlist, its file, a picture of it.
//!
//! Owns who may open what (the link says it; no token is asked for), how many watch at once, and what browsers may do with
//! the answers; refuses to know how links are signed and how files come to be. Files are read by a library, off the workers.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tower_http::cors::{Any, CorsLayer};
use tower_http::services::ServeFile;
use uuid::Uuid;

use super::super::Shared;
use super::super::refusal::Refusal;
use super::find;
use super::moments::{began, moments};
use super::page::{self, Page};
use super::thumbnail;
use crate::journal::{ClipRow, ClipState};
use crate::recording::link::{NoWay, Piece};
use crate::recording::{mp4, playlist};
use crate::time::now;

/// So many clips are read at once: seats are for the API's other clients, too.
const MOST: usize = 64;

/// When a browser that found all places taken asks again, in seconds.
const AGAIN_S: u32 = 5;

/// When a player asks again for what isn't recorded yet, in seconds: fragments come every two.
const SOON_S: u32 = 2;

/// Nobody keeps an answer: a link expires, a clip grows and goes.
const NOWHERE: HeaderValue = HeaderValue::from_static("private, no-store");

/// Whoever keeps a clip asks each time whether it may still be shown: what hasn't changed isn't sent again.
const IF_STILL_THERE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Pages of others may show our clips: who has a link has all that it takes.
const SHOWN_ANYWHERE: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));

/// The players of others' pages may read them, too, in ranges.
pub(in crate::api) fn route() -> MethodRouter<Shared> {
    let players = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([header::RANGE])
        .expose_headers([header::ACCEPT_RANGES, header::CONTENT_LENGTH, header::CONTENT_RANGE, header::RETRY_AFTER]);
    // It answers browsers that ask what they may, and only where there is somebody to ask.
    get(open).options(async || StatusCode::NO_CONTENT).layer(players)
}

/// The places of those who watch.
pub(in crate::api) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MOST))
}

/// Whether a request asks for what links open: they are followed out of other sites' pages and mails, from anywhere.
pub(in crate::api) fn are_opened_by_links(request: &Request) -> bool {
    request.method().is_safe() && request.uri().path().starts_with("/clips/")
}

/// What stands in a link's query.
#[derive(Debug, Deserialize)]
struct Ticket {
    #[serde(default)]
    expires: String,
    #[serde(default)]
    signature: String,
}

impl Ticket {
    fn query(&self) -> String {
        // Both are in an alphabet that URLs take as it is, or they would have opened nothing.
        format!("?expires={}&signature={}", self.expires, self.signature)
    }
}

async fn open(
    State(shared): State<Shared>,
    Path((clip, piece)): Path<(String, String)>,
    ticket: Result<Query<Ticket>, QueryRejection>,
    request: Request,
) -> Response {
    let shown = match admitted(&shared, &clip, ticket).await {
        Ok(visit) => visit.shown(&shared, &piece, request).await,
        Err(refusal) => Err(refusal),
    };
    let mut response = shown.unwrap_or_else(|refusal| match piece == Piece::Player.file() {
        true => sorry(&refusal),
        false => refusal.into_response(),
    });
    response.headers_mut().extend([SHOWN_ANYWHERE]);
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(NOWHERE);
    response
}

/// For people, who followed a link.
fn sorry(refusal: &Refusal) -> Response {
    let headers = [(header::CONTENT_TYPE, page::HTML), (header::CONTENT_SECURITY_POLICY, page::POLICY)];
    (refusal.code(), headers, page::sorry(refusal)).into_response()
}

/// What the page looks like; the same for all, so no link is asked for.
pub(in crate::api) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")], page::STYLE)
}

/// What moves on the page; as [`style`].
pub(in crate::api) async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")], page::SCRIPT)
}

/// Somebody with a link to a clip that there is.
pub(super) struct Visit {
    pub(super) row: ClipRow,
    pub(super) path: PathBuf,
    ticket: Ticket,
}

/// Whoever has no link isn't told which clips there are.
async fn admitted(
    shared: &Shared,
    clip: &str,
    ticket: Result<Query<Ticket>, QueryRejection>,
) -> Result<Visit, Refusal> {
    let (Ok(clip), Ok(Query(ticket))) = (Uuid::parse_str(clip), ticket) else { return Err(no_way(NoWay::Forged)) };
    let check = |over| {
        let checked = shared.links.check(clip, (&ticket.expires, &ticket.signature), over, now().wall);
        checked.map_err(no_way)
    };
    // As if it were owed still: whoever forges is not told which clips there are.
    check(None)?;
    let (row, path) = find(shared, clip).await?;
    check(row.over)?;
    match (row, path) {
        (row, Some(path)) => Ok(Visit { row, path, ticket }),
        (row, None) => Err(not_there(&row)),
    }
}

fn no_way(why: NoWay) -> Refusal {
    let text = why.to_string();
    let (error, hint) = text.split_once("; ").unwrap_or((&text, "use it as it was sent"));
    Refusal::new(StatusCode::FORBIDDEN, error, hint)
}

/// Why there is nothing to see.
pub(super) fn not_there(row: &ClipRow) -> Refusal {
    let why = row.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    match row.state {
        ClipState::Recording => nothing_yet(),
        ClipState::Ready => Refusal::new(
            StatusCode::GONE,
            "the file of this clip is not what was recorded any more: somebody removed or changed it",
            "look after who else writes into `[storage] path`, and after the disk",
        ),
        ClipState::Gone => Refusal::new(
            StatusCode::GONE,
            format!("this clip is gone{why}"),
            "`[recording]` says how long clips are kept",
        ),
        _ => Refusal::not_found(
            format!("nothing of this clip was recorded{why}"),
            "`stakeout clips list` tells of others",
        ),
    }
}

fn nothing_yet() -> Refusal {
    Refusal::not_found("too little of this clip is recorded yet", "try again in a moment").again_in(SOON_S)
}

impl Visit {
    async fn shown(self, shared: &Shared, piece: &str, request: Request) -> Result<Response, Refusal> {
        match piece {
            // As `Piece` names them.
            "player" => self.player(shared).await,
            "index.m3u8" => self.playlist().await,
            "thumbnail.jpg" => self.thumbnail(shared).await,
            "clip.mp4" => movie(shared, &self.row, self.path, request).await,
            _ => {
                let hint = "a clip has `player`, `index.m3u8`, `clip.mp4` and `thumbnail.jpg`";
                Err(Refusal::not_found(format!("a clip has no `{piece}`"), hint))
            }
        }
    }

    async fn player(self, shared: &Shared) -> Result<Response, Refusal> {
        let (device, Visit { row, path, ticket }) = (shared.site.device(), self);
        if row.state == ClipState::Recording {
            playable(&row, path).await?;
        }
        let page = shared.store.read(move |reader| {
            Ok(Page {
                camera: row.camera.to_string(),
                device,
                began: began(&row),
                duration: row.duration,
                query: ticket.query(),
                moments: moments(reader, &row)?,
            })
        });
        let headers = [(header::CONTENT_TYPE, page::HTML), (header::CONTENT_SECURITY_POLICY, page::POLICY)];
        Ok((headers, page.await?.html()).into_response())
    }

    async fn playlist(self) -> Result<Response, Refusal> {
        let Visit { row, path, ticket } = self;
        let whole = playable(&row, path).await?;
        let url = format!("{}{}", Piece::Movie.file(), ticket.query());
        let text = playlist::hls(&url, &whole, row.state != ClipState::Recording);
        Ok(([(header::CONTENT_TYPE, "application/vnd.apple.mpegurl")], text).into_response())
    }

    async fn thumbnail(self, shared: &Shared) -> Result<Response, Refusal> {
        let Ok(_place) = shared.players.clone().try_acquire_owned() else { return Err(all_taken()) };
        let jpeg = thumbnail::picture(shared, self).await?;
        Ok(([(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
    }
}

/// What of a clip can be played, once that is enough to begin with.
async fn playable(row: &ClipRow, path: PathBuf) -> Result<mp4::Whole, Refusal> {
    let whole = off_the_workers(move || mp4::index(&mut std::fs::File::open(path)?)).await?;
    let is_over = row.state != ClipState::Recording;
    let is_enough = |whole: &mp4::Whole| !whole.fragments.is_empty() && (is_over || playlist::is_enough(whole));
    whole.filter(is_enough).ok_or_else(|| not_there(row))
}

/// What there is of a file, in the ranges that the player asks for.
pub(super) async fn movie(
    shared: &Shared,
    row: &ClipRow,
    path: PathBuf,
    request: Request,
) -> Result<Response, Refusal> {
    let Ok(place) = shared.players.clone().try_acquire_owned() else { return Err(all_taken()) };
    let mut response = ServeFile::new(path).try_call(request).await.map_err(|error| unreadable(&error))?;
    let kept = if row.state == ClipState::Recording { NOWHERE } else { IF_STILL_THERE };
    response.headers_mut().insert(header::CACHE_CONTROL, kept);
    // The place is free again once the file has been read, or the client is gone.
    Ok(response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &place;
            frame
        }))
    }))
}

fn all_taken() -> Refusal {
    let error = format!("{MOST} clips are being read already");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, "try again in a moment").again_in(AGAIN_S)
}

async fn off_the_workers<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other);
    done.and_then(|done| done).map_err(|error| unreadable(&error))
}

/// Its row said that it was there: it went while somebody looked.
fn unreadable(error: &std::io::Error) -> Refusal {
    Refusal::not_found(format!("this clip can't be read: {error}"), "`stakeout clips list` tells whether it is gone")
}
