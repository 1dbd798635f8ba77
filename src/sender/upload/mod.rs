//! Clips that are sent whole: by PUTs that go on where the last one ended.
//!
//! Owns an attempt of it, which is one conversation (`conversation`): each request signed like a webhook, in pieces and at a
//! pace that the line takes (`allowance`), and only while no alert is to be sent (`traffic`). Refuses to know what follows from
//! how it ended (`judge`). What counts of the past is the receiver's to say: whoever goes on after a kill asks it. Runs in
//! tasks of tokio; files are read on its blocking threads.

mod allowance;
mod conversation;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use self::allowance::Allowance;
use self::conversation::{Answer, Conversation, Next, Say};
use super::gate::Subject;
use super::office::Office;
use super::outlet::Outlet;
use super::parcel::{Occasion, Parcel, Unfit};
use super::request::{self, Part};
use crate::config::Endpoint;
use crate::credentials::Credentials;
use crate::delivery::{Attempt, Outcome};
use crate::journal::{clip_path, clips_folder};
use crate::payload::WholeClip;
use crate::transport::Way;

/// Clips whose way is remembered at most.
const REMEMBERED: usize = 1000;

/// What sends clips to one endpoint. Cheap to clone.
#[derive(Clone)]
pub(super) struct Uploader {
    /// Where the journal and the clips are.
    state: PathBuf,
    endpoint: Arc<Endpoint>,
    credentials: Arc<Credentials>,
    outlet: Outlet,
    office: Office,
    /// Hears of the first answer of each attempt after which it goes on: its end can be hours away.
    answered: UnboundedSender<Subject>,
    shared: Arc<Mutex<Shared>>,
}

/// What the conversations with one endpoint share.
struct Shared {
    allowance: Allowance,
    /// Of clips that didn't arrive yet, the most that the receiver ever had.
    reached: BTreeMap<Uuid, u64>,
}

/// An attempt to send a clip.
pub(super) struct Uploaded {
    pub(super) attempt: Attempt,
    /// It left more of the clip with the receiver than any before.
    pub(super) progressed: bool,
}

impl Uploader {
    /// To `endpoint`, of clips in the state directory `state`.
    pub(super) fn new(
        state: &Path,
        (endpoint, credentials): (&Arc<Endpoint>, &Arc<Credentials>),
        outlet: &Outlet,
        office: &Office,
        answered: UnboundedSender<Subject>,
    ) -> Uploader {
        let shared = Shared { allowance: Allowance::of(endpoint.bandwidth), reached: BTreeMap::new() };
        Uploader {
            state: state.to_owned(),
            endpoint: Arc::clone(endpoint),
            credentials: Arc::clone(credentials),
            outlet: outlet.clone(),
            office: office.clone(),
            answered,
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    /// Sends the clip that `body` names, or as much of it as the receiver takes. Whatever goes wrong there is in the attempt.
    ///
    /// # Errors
    /// The disk does not give the clip back.
    pub(super) async fn send(&self, occasion: &Occasion<'_>, subject: Subject, body: &[u8]) -> io::Result<Uploaded> {
        let Some(clip) = WholeClip::of(body) else { return Ok(ended(Outcome::OurFault, Unfit)) };
        let (mut conversation, mut had, mut took) = (Conversation::about(clip.bytes), None, Duration::ZERO);
        loop {
            let content = match self.content(&clip, conversation.said()).await {
                Err(error) if self.is_gone(&error) => return Ok(ended(Outcome::ClipGone, GONE)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(ended(Outcome::ClipGone, DAMAGED));
                }
                content => content?,
            };
            self.wait(content.len()).await;
            // Neither the question nor the first piece goes out on a connection that isn't trusted.
            let fresh_connection = occasion.fresh_connection && had.is_none_or(|had| had == conversation.most());
            let occasion = Occasion { fresh_connection, ..*occasion };
            let (attempt, way) = self.put(&clip, conversation.said(), content, &occasion).await;
            took += attempt.took;
            let answer = Answer { outcome: &attempt.outcome, received: way.received, moved: way.moved };
            let next = conversation.answer(answer, self.shared().allowance.piece());
            let attempt = match next {
                Next::Go(_) => {
                    if had.is_none() {
                        // Nobody hears it when the sender has ended.
                        let _ = self.answered.send(subject);
                    }
                    had.get_or_insert(conversation.most());
                    continue;
                }
                Next::Over => Attempt { took, ..attempt },
                Next::Broken(breach) => {
                    Attempt { outcome: Outcome::Malformed, took, error: Some(breach.to_string()), ..attempt }
                }
            };
            let progressed = self.remember(clip.clip, had, conversation.most(), &attempt.outcome);
            return Ok(Uploaded { attempt, progressed });
        }
    }

    /// One request, and what it tells of the line.
    async fn put(&self, clip: &WholeClip, say: Say, content: Vec<u8>, occasion: &Occasion<'_>) -> (Attempt, Way) {
        let part = Part { clip, range: (say != Say::Ask).then(|| range(say)), content };
        let request = request::part(&self.endpoint, &self.credentials, occasion, part, self.office.clock.now());
        let (attempt, way) = self.outlet.trace(Ok(Parcel::Request(request))).await;
        if say != Say::Ask {
            let allowance = &mut self.shared().allowance;
            match attempt.outcome {
                Outcome::Status { status: 413, .. } | Outcome::NoAnswer => allowance.was_too_large(),
                Outcome::Status { .. } => allowance.was_answered(attempt.took),
                _ => {}
            }
        }
        (attempt, way)
    }

    /// Whether an attempt after which the receiver has `most` bytes left more of the clip than any before. `had`: when it
    /// began.
    fn remember(&self, clip: Uuid, had: Option<u64>, most: u64, outcome: &Outcome) -> bool {
        let reached = &mut self.shared().reached;
        let before = reached.get(&clip).copied().or(had).unwrap_or(most);
        reached.remove(&clip);
        if !outcome.is_success() {
            reached.insert(clip, most.max(before));
            if reached.len() > REMEMBERED {
                reached.pop_first();
            }
        }
        most > before
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

    /// A folder that isn't there says nothing about a clip.
    fn is_gone(&self, error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::NotFound && clips_folder(&self.state).is_dir()
    }

    /// Until `bytes` more may go.
    async fn wait(&self, bytes: usize) {
        self.office.traffic.is_over(&self.office.clock).await;
        let now = self.office.clock.now().mono;
        let wait = self.shared().allowance.take(now, bytes as u64);
        if !wait.is_zero() {
            self.office.clock.sleep(wait, false).await;
            // Alerts that came meanwhile go first all the same.
            self.office.traffic.is_over(&self.office.clock).await;
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const GONE: &str = "the clip is gone; `stakeout clips show` says why";
const DAMAGED: &str = "the clip's file is shorter than it was; check the journal's disk";

/// The bytes from and to which something is said; a question has none.
fn range(say: Say) -> (u64, u64) {
    match say {
        Say::Ask => (0, 0),
        Say::Send { from, to } => (from, to),
    }
}

fn ended(outcome: Outcome, error: impl ToString) -> Uploaded {
    let attempt = Attempt { outcome, took: Duration::ZERO, error: Some(error.to_string()), snippet: None };
    Uploaded { attempt, progressed: false }
}
