//! A picture of a clip: what the camera saw when the first alert was seen.
//!
//! Owns where it comes from (that alert's own frame while the journal keeps it; else decoded, and then kept here for the
//! next who ask) and that this never piles up: one is decoded at a time, and whoever has waited long enough is told to come
//! again. Refuses to know how a clip is decoded ([`super::super::Site::still`]). Runs on tokio.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use uuid::Uuid;

use super::super::Shared;
use super::super::refusal::Refusal;
use super::super::site::{Errand, NoPicture};
use super::moments::first;
use super::open::Visit;
use crate::journal::ClipState;

/// The pictures of so many clips are kept: a page shows one each time somebody opens it.
const KEPT: usize = 32;

/// So long somebody waits for others.
const PATIENCE: Duration = Duration::from_secs(5);

/// When whoever waited in vain asks again, in seconds.
const AGAIN_S: u32 = 5;

/// Further into a clip nothing is decoded for a picture of it: no clip begins longer before its first alert, and its way
/// through the model takes a moment, too.
const FURTHEST: Duration = Duration::from_secs(90);

/// Pictures that were decoded, and whose turn it is to decode one. Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::api) struct Album {
    /// The oldest first.
    kept: Arc<Mutex<VecDeque<(Uuid, Bytes)>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// The JPEG of the clip that is visited.
pub(super) async fn picture(shared: &Shared, visit: Visit) -> Result<Bytes, Refusal> {
    let Visit { row, path, .. } = visit;
    let (clip, is_whole) = (row.id, row.state == ClipState::Ready);
    let longest = row.duration.unwrap_or(FURTHEST).min(FURTHEST);
    let seen = shared.store.read(move |reader| {
        let Some(alert) = row.alerts.first() else { return Ok((None, Duration::ZERO)) };
        let frame = reader.event(*alert)?.and_then(|event| event.frame).and_then(|path| std::fs::read(path).ok());
        Ok((frame, first(reader, &row)?))
    });
    let (frame, at) = seen.await?;
    if let Some(frame) = frame {
        return Ok(frame.into());
    }
    let decode = || shared.site.still(path, at.min(longest));
    shared.album_of_clips.decoded(clip, is_whole, decode).await
}

impl Album {
    /// The picture of `clip` that `decode` makes where none is kept; one of a clip that still grows isn't.
    async fn decoded(
        &self,
        clip: Uuid,
        is_whole: bool,
        decode: impl FnOnce() -> Errand<Vec<u8>, NoPicture>,
    ) -> Result<Bytes, Refusal> {
        if let Some(picture) = self.kept(clip) {
            return Ok(picture);
        }
        let Ok(turn) = tokio::time::timeout(PATIENCE, self.turn.clone().lock_owned()).await else { return Err(busy()) };
        // Whoever's turn it was may have wanted the same.
        if let Some(picture) = self.kept(clip) {
            return Ok(picture);
        }
        let (album, made) = (self.clone(), decode());
        // To its end, even if whoever asked is gone by then: what was begun can't be stopped, and is of use to the next.
        let decoding = tokio::spawn(async move {
            let _turn = turn;
            let picture = Bytes::from(made.await?);
            if is_whole {
                album.keep(clip, picture.clone());
            }
            Ok(picture)
        });
        decoding.await.unwrap_or_else(|error| Err(NoPicture::Unusable(error.to_string()))).map_err(nothing)
    }

    fn kept(&self, clip: Uuid) -> Option<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(of, _)| *of == clip).map(|(_, picture)| picture.clone())
    }

    fn keep(&self, clip: Uuid, picture: Bytes) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((clip, picture));
    }
}

fn nothing(why: NoPicture) -> Refusal {
    match why {
        NoPicture::None => Refusal::not_found("there is no picture in this clip yet", "try again in a moment"),
        NoPicture::Unusable(why) => Refusal::not_found(format!("this clip can't be decoded here: {why}"), "play it"),
    }
}

fn busy() -> Refusal {
    let error = "pictures of other clips are being made";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, "try again in a moment").again_in(AGAIN_S)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn picture(text: &'static str) -> impl FnOnce() -> Errand<Vec<u8>, NoPicture> {
        move || Box::pin(ready(Ok(text.as_bytes().to_vec())))
    }

    fn never() -> Errand<Vec<u8>, NoPicture> {
        Box::pin(pending())
    }

    fn clip(n: usize) -> Uuid {
        Uuid::from_u128(n as u128)
    }

    #[tokio::test]
    async fn a_whole_clip_is_decoded_once_and_one_that_grows_each_time() {
        let album = Album::default();
        assert_eq!(album.decoded(clip(1), true, picture("whole")).await.unwrap(), "whole");
        assert_eq!(album.decoded(clip(1), true, picture("again")).await.unwrap(), "whole");
        assert_eq!(album.decoded(clip(2), false, picture("early")).await.unwrap(), "early");
        assert_eq!(album.decoded(clip(2), false, picture("late")).await.unwrap(), "late");
        for n in 3..3 + KEPT {
            album.decoded(clip(n), true, picture("others")).await.unwrap();
        }
        assert_eq!(album.kept.lock().unwrap().len(), KEPT, "no more are kept");
        assert_eq!(album.decoded(clip(1), true, picture("anew")).await.unwrap(), "anew");
    }

    #[tokio::test]
    async fn nobody_waits_without_end_and_what_is_kept_waits_for_nothing() {
        let album = Album::default();
        album.decoded(clip(1), true, picture("kept")).await.unwrap();
        let first = tokio::spawn({
            let album = album.clone();
            async move { album.decoded(clip(2), true, never).await }
        });
        while album.turn.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        // Gone, and what was begun for them goes on.
        first.abort();
        let _ = first.await;
        let refused = album.decoded(clip(3), true, picture("another")).await.unwrap_err();
        assert_eq!((refused.status, refused.again_s), (503, Some(AGAIN_S)));
        assert_eq!(album.decoded(clip(1), true, never).await.unwrap(), "kept");
    }

    #[tokio::test]
    async fn one_that_cannot_be_decoded_is_no_reason_to_keep_others_waiting() {
        let album = Album::default();
        let broken = || -> Errand<_, _> { Box::pin(ready(Err(NoPicture::Unusable("it is torn".to_owned())))) };
        let refused = album.decoded(clip(1), true, broken).await.unwrap_err();
        assert!(refused.status == 404 && refused.error.contains("it is torn"), "{refused:?}");
        assert_eq!(album.decoded(clip(1), true, picture("mended")).await.unwrap(), "mended");
    }
}
