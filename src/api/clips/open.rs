//! What a link to a clip opens: its page, its playlist, its file, a picture of it.
//!
//! Owns who may open what (the link says it; no token is asked for), how many watch at once, and what browsers may do with
//! the answers; refuses to know how links are signed and how files come to be. Files are read by a library, off the workers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tower_http::services::ServeFile;
use uuid::Uuid;

use super::super::Shared;
use super::super::refusal::Refusal;
use super::super::site::NoPicture;
use super::find;
use super::page::{self, Moment, Page};
use crate::event::EventData;
use crate::journal::{ClipRow, ClipState, EventRow, Reader};
use crate::recording::link::{NoWay, Piece};
use crate::recording::{mp4, playlist};
use crate::time::{Wall, now};

/// So many clips are read at once: seats are for the API's other clients, too.
const MOST: usize = 64;

/// When a browser that found all places taken asks again, in seconds.
const AGAIN: HeaderValue = HeaderValue::from_static("5");

/// Pages of others may play our clips: who has a link has all that it takes.
const OF_OTHERS: [(HeaderName, HeaderValue); 2] = [
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
];

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
pub(in crate::api) struct Ticket {
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

pub(in crate::api) async fn open(
    State(shared): State<Shared>,
    Path((clip, piece)): Path<(String, String)>,
    ticket: Result<Query<Ticket>, QueryRejection>,
    request: Request,
) -> Response {
    let mut response = match admitted(&shared, &clip, ticket).await {
        Ok(visit) => visit.shown(&shared, &piece, request).await,
        Err(refusal) => refusal.into_response(),
    };
    response.headers_mut().extend(OF_OTHERS);
    response
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
struct Visit {
    row: ClipRow,
    path: PathBuf,
    ticket: Ticket,
}

/// Whoever has no link isn't told which clips there are.
async fn admitted(
    shared: &Shared,
    clip: &str,
    ticket: Result<Query<Ticket>, QueryRejection>,
) -> Result<Visit, Refusal> {
    let (Ok(clip), Ok(Query(ticket))) = (Uuid::parse_str(clip), ticket) else { return Err(no_way(NoWay::Forged)) };
    shared.links.check(clip, &ticket.expires, &ticket.signature, now().wall).map_err(no_way)?;
    match find(shared, clip).await? {
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
        ClipState::Recording => Refusal::not_found("nothing of this clip is recorded yet", "try again in a moment"),
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

impl Visit {
    async fn shown(self, shared: &Shared, piece: &str, request: Request) -> Response {
        let shown = match piece {
            // As `Piece` names them.
            "player" => self.player(shared).await,
            "index.m3u8" => self.playlist().await,
            "thumbnail.jpg" => self.thumbnail(shared).await,
            "clip.mp4" => movie(shared, self.path, request).await,
            _ => {
                let hint = "a clip has `player`, `index.m3u8`, `clip.mp4` and `thumbnail.jpg`";
                Err(Refusal::not_found(format!("a clip has no `{piece}`"), hint))
            }
        };
        shown.unwrap_or_else(IntoResponse::into_response)
    }

    async fn player(self, shared: &Shared) -> Result<Response, Refusal> {
        let (device, Visit { row, ticket, .. }) = (shared.site.device(), self);
        let page = shared.store.read(move |reader| {
            let began = began(&row);
            let moments = row.alerts.iter().filter_map(|alert| moment(reader, *alert, began).transpose());
            Ok(Page {
                camera: row.camera.to_string(),
                device,
                began,
                duration: row.duration,
                query: ticket.query(),
                moments: moments.collect::<Result<_, _>>()?,
            })
        });
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, page::POLICY),
            (header::CACHE_CONTROL, "private, no-store"),
        ];
        Ok((headers, page.await?.html()).into_response())
    }

    async fn playlist(self) -> Result<Response, Refusal> {
        let Visit { row, path, ticket } = self;
        let whole = off_the_workers(move || mp4::index(&mut std::fs::File::open(path)?)).await?;
        let whole = whole.ok_or_else(|| not_there(&row))?;
        let url = format!("{}{}", Piece::Movie.file(), ticket.query());
        let text = playlist::hls(&url, &whole, row.state != ClipState::Recording);
        let headers = [(header::CONTENT_TYPE, "application/vnd.apple.mpegurl"), (header::CACHE_CONTROL, "no-store")];
        Ok((headers, text).into_response())
    }

    /// What the camera sent when the first alert was seen, where it can be decoded.
    async fn thumbnail(self, shared: &Shared) -> Result<Response, Refusal> {
        let Visit { row, path, .. } = self;
        let first = shared.store.read(move |reader| {
            let first = row.alerts.first().map(|alert| moment(reader, *alert, began(&row))).transpose()?;
            Ok(first.flatten().map_or(Duration::ZERO, |moment| moment.at))
        });
        let jpeg = shared.site.still(path, first.await?).await.map_err(|why| match why {
            NoPicture::None => Refusal::not_found("there is no picture in this clip yet", "try again in a moment"),
            NoPicture::Unusable(why) => {
                Refusal::not_found(format!("this clip can't be decoded here: {why}"), "play it")
            }
        })?;
        Ok(([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=3600")], jpeg)
            .into_response())
    }
}

/// What there is of a file, in the ranges that the player asks for.
pub(super) async fn movie(shared: &Shared, path: PathBuf, request: Request) -> Result<Response, Refusal> {
    let Ok(place) = shared.players.clone().try_acquire_owned() else { return Ok(all_taken()) };
    let response = ServeFile::new(path).try_call(request).await.map_err(|error| unreadable(&error))?;
    // The place is free again once the file has been read, or the client is gone.
    Ok(response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &place;
            frame
        }))
    }))
}

/// Its first picture, or where there is none yet, what began it.
fn began(row: &ClipRow) -> Wall {
    row.started_us.map_or(row.asked, |us| Wall(us / 1000))
}

/// None: the event is no alert, or no longer known.
fn moment(reader: &Reader, event: Uuid, began: Wall) -> Result<Option<Moment>, Refusal> {
    let Some(EventRow { event, .. }) = reader.event(event)? else { return Ok(None) };
    let EventData::Triggered(triggered) = event.data else { return Ok(None) };
    Ok(Some(Moment {
        at: event.observed.wall.since(began),
        seen: event.observed.wall,
        monitor: event.monitor.map(|monitor| monitor.to_string()).unwrap_or_default(),
        condition: triggered.condition,
        confidence: triggered.confidence,
        explanation: triggered.explanation,
        regions: triggered.regions,
    }))
}

fn all_taken() -> Response {
    let error = format!("{MOST} clips are being read already");
    let mut full = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, "try again in a moment").into_response();
    full.headers_mut().insert(header::RETRY_AFTER, AGAIN);
    full
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
