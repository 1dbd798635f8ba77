//! `/v1/cameras/{name}/snapshot`: what a camera sees now, as JPEG.
//!
//! Owns that many who ask at once cost one picture; refuses to know where it comes from ([`super::Site::picture`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::Shared;
use super::camera::{Camera, CameraState};
use super::parts::unknown;
use super::refusal::Refusal;
use super::site::NoPicture;
use crate::name::Name;
use crate::time::{Mono, now};

/// Who asks again so soon gets the same picture.
const FRESH: Duration = Duration::from_millis(500);

/// The latest picture of each camera that there is and somebody asked for. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Album(Arc<Mutex<BTreeMap<Name, Page>>>);

/// Locked while one is taken: whoever comes meanwhile waits for that one.
type Page = Arc<tokio::sync::Mutex<Option<(Mono, Bytes)>>>;

impl Album {
    /// `all`: of the others, which are gone, no picture is kept.
    fn page(&self, camera: &Name, all: &[Camera]) -> Page {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pages.retain(|name, _| all.iter().any(|camera| camera.name == *name));
        pages.entry(camera.clone()).or_default().clone()
    }
}

pub(super) async fn snapshot(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<impl IntoResponse, Refusal> {
    let cameras = shared.site.cameras(now());
    let Some(camera) = cameras.iter().find(|camera| camera.name.as_str() == name) else {
        return Err(unknown("camera", &name, &cameras.iter().map(|camera| camera.name.as_str()).collect::<Vec<_>>()));
    };
    if camera.state != CameraState::Online {
        let cause = camera.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
        return Err(unavailable(format!("camera `{name}` is {}{cause}", camera.state)));
    }
    let page = shared.album.page(&camera.name, &cameras);
    let mut page = page.lock().await;
    let picture = match &*page {
        Some((taken, picture)) if now().mono.since(*taken) < FRESH => picture.clone(),
        _ => {
            let taken = shared.site.picture(&camera.name).await.map_err(|why| refusal(&name, why))?;
            let picture = Bytes::from(taken);
            *page = Some((now().mono, picture.clone()));
            picture
        }
    };
    Ok(([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store")], picture))
}

fn refusal(name: &str, why: NoPicture) -> Refusal {
    match why {
        NoPicture::None => unavailable(format!("no picture of camera `{name}` came in time")),
        NoPicture::Unusable(why) => Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the picture of camera `{name}` can't be shown: {why}"),
            "ask again",
        ),
    }
}

fn unavailable(error: String) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, "`stakeout status` tells how the cameras are; ask again later")
}
