//! Clips that are sent whole: by PUTs that go on where the last one ended.
//!
//! Owns an attempt of it, which is one conversation (`conversation`): each request signed like a webhook, no faster than the
//! endpoint's `bandwidth` (`allowance`) and only while no alert is to be sent (`traffic`). Refuses to know what follows from
//! how it ended (`judge`). Nothing is kept here: whoever goes on after a kill asks the receiver. Runs in tasks of tokio; files
//! are read on its blocking threads.

mod allowance;
mod conversation;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use self::allowance::Allowance;
use self::conversation::{Conversation, Next, Say};
use super::office::Office;
use super::outlet::Outlet;
use super::parcel::{Occasion, Parcel, Unfit};
use super::request::{self, Part};
use crate::config::Endpoint;
use crate::credentials::Credentials;
use crate::delivery::{Attempt, HoldReason, Outcome};
use crate::journal::clip_path;
use crate::payload::WholeClip;

/// What sends clips to one endpoint. Cheap to clone.
#[derive(Clone)]
pub(super) struct Uploader {
    /// Where the journal and the clips are.
    state: PathBuf,
    endpoint: Arc<Endpoint>,
    credentials: Arc<Credentials>,
    outlet: Outlet,
    office: Office,
    allowance: Arc<Mutex<Allowance>>,
}

impl Uploader {
    /// To `endpoint`, of clips in the state directory `state`.
    pub(super) fn new(
        state: &Path,
        endpoint: &Arc<Endpoint>,
        credentials: &Arc<Credentials>,
        outlet: &Outlet,
        office: &Office,
    ) -> Uploader {
        Uploader {
            state: state.to_owned(),
            endpoint: Arc::clone(endpoint),
            credentials: Arc::clone(credentials),
            outlet: outlet.clone(),
            office: office.clone(),
            allowance: Arc::new(Mutex::new(Allowance::of(endpoint.bandwidth))),
        }
    }

    /// Sends the clip that `body` names, or as much of it as the receiver takes. Whatever goes wrong there is in the attempt.
    ///
    /// # Errors
    /// The disk does not give the clip back.
    pub(super) async fn send(&self, occasion: &Occasion<'_>, body: &[u8]) -> io::Result<Attempt> {
        let started = Instant::now();
        let Ok(clip) = serde_json::from_slice::<WholeClip>(body) else {
            return Ok(ended(Outcome::OurFault, Unfit));
        };
        let mut conversation = Conversation::about(clip.bytes, self.allowance().piece());
        loop {
            let say = conversation.said();
            let content = match self.content(&clip, say).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ended(Outcome::ClipGone, GONE)),
                content => content?,
            };
            self.wait(content.len()).await;
            let fresh_connection = occasion.fresh_connection && say == Say::Ask;
            let (attempt, received) = self.put(&clip, say, content, &Occasion { fresh_connection, ..*occasion }).await;
            let attempt = Attempt { took: started.elapsed(), ..attempt };
            match conversation.answer(&attempt.outcome, received) {
                Next::Go(_) => {}
                Next::Over => return Ok(attempt),
                Next::Broken(breach) => {
                    return Ok(Attempt { outcome: Outcome::Malformed, error: Some(breach.to_string()), ..attempt });
                }
            }
        }
    }

    /// One request. Answers also how much the receiver says that it has.
    async fn put(
        &self,
        clip: &WholeClip,
        say: Say,
        content: Vec<u8>,
        occasion: &Occasion<'_>,
    ) -> (Attempt, Option<u64>) {
        let part = Part { clip, range: (say != Say::Ask).then(|| range(say)), content };
        let request = request::part(&self.endpoint, &self.credentials, occasion, part, self.office.clock.now());
        let (attempt, way) = self.outlet.trace(Ok(Parcel::Request(request))).await;
        if matches!(attempt.outcome, Outcome::Status { .. }) {
            // It can be long until the end of the attempt says so.
            for reason in [HoldReason::Offline, HoldReason::Clock] {
                self.office.uplink.answered(self.office.clock.now().mono, &self.endpoint.name, reason);
            }
        }
        (attempt, way.received)
    }

    /// The bytes that go with what is said.
    async fn content(&self, clip: &WholeClip, say: Say) -> io::Result<Vec<u8>> {
        let (from, to) = range(say);
        if from == to {
            return Ok(Vec::new());
        }
        let path = clip_path(&self.state, clip.clip);
        let read = tokio::task::spawn_blocking(move || {
            let mut content = vec![0; usize::try_from(to - from).unwrap_or(0)];
            File::open(path)?.read_exact_at(&mut content, from)?;
            Ok(content)
        });
        read.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    fn allowance(&self) -> MutexGuard<'_, Allowance> {
        self.allowance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until `bytes` more may go.
    async fn wait(&self, bytes: usize) {
        self.office.traffic.is_over().await;
        let now = self.office.clock.now().mono;
        let wait = self.allowance().take(now, bytes as u64);
        if !wait.is_zero() {
            self.office.clock.sleep(wait, false).await;
            // Alerts that came meanwhile go first all the same.
            self.office.traffic.is_over().await;
        }
    }
}

const GONE: &str = "the clip is gone; `stakeout clips show` says why";

/// The bytes from and to which something is said; a question has none.
fn range(say: Say) -> (u64, u64) {
    match say {
        Say::Ask => (0, 0),
        Say::Send { from, to } => (from, to),
    }
}

fn ended(outcome: Outcome, error: impl ToString) -> Attempt {
    Attempt { outcome, took: Duration::ZERO, error: Some(error.to_string()), snippet: None }
}
