//! Recording, wired up: alerts give orders, the recorder obeys, a clerk writes down what became of it.
//!
//! Owns who is connected with whom, and the end of it; refuses to know when anything is recorded (`watch::Footage`), how
//! (`recorder`) and who is told (`clerk`). Started and ended by the main thread.

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;

use super::StartError;
use super::clerk::Books;
use super::crew::Crew;
use super::scribe::Scribe;
use crate::camera::Tap;
use crate::config::Config;
use crate::journal::{ClipFilter, ClipState, Headroom, Reader, clips_folder};
use crate::name::Name;
use crate::recorder::{self, Cameras, Clerk, Order, Recorder, Told};
use crate::recording::link::Links;
use crate::time::{self, Mono};
use crate::watch::Footage;

/// A clip's growth is written down once it is one part in so many of `[recording] max_size`, …
const STEPS: u64 = 128;

/// … but no less and no more than so many bytes: what isn't written down yet, no quota knows.
const STEP: RangeInclusive<u64> = 256 << 10..=8 << 20;

/// Clips that a killed daemon left unfinished are settled, so many at most: more were never recorded at once.
const UNSETTLED: u32 = 10_000;

/// So long for all clips to end where they are, …
const ENDS: Duration = Duration::from_secs(3);

/// So long is waited for the recorder to hear of the last alerts.
const HEARS: Duration = Duration::from_millis(500);

/// … and so long for what was said of them last.
const WRITES_DOWN: Duration = Duration::from_secs(2);

/// What records, until it is closed.
type Running = Arc<Mutex<Option<(Recorder, UnboundedSender<Told>)>>>;

/// All that records on this box.
pub(super) struct Studio {
    running: Running,
    told: UnboundedReceiver<Told>,
    unsettled: Vec<Uuid>,
    /// What alerts give orders to.
    pub(super) footage: Footage,
}

impl Studio {
    /// Starts the recorder. It takes what cameras of `crew` send.
    ///
    /// # Errors
    /// The journal can't be read, or the system has no thread to give.
    pub(super) fn open(config: &Config, reader: &Reader, crew: &Arc<Crew>) -> Result<Studio, StartError> {
        let filter = ClipFilter { state: Some(ClipState::Recording), limit: UNSETTLED, ..ClipFilter::default() };
        let unsettled = reader.clips(&filter)?.into_iter().map(|clip| clip.id).collect();
        let links = config.api.public_url.clone().zip(reader.link_key()?);
        let links = links.map(|(base, key)| Links::new(Some(base), key, config.recording.link_expiry));
        let (running, told) = start(config, crew)?;
        let orders = running.clone();
        let footage = Footage::new(Box::new(move |order| give(&orders, order)), links);
        Ok(Studio { running, told, unsettled, footage })
    }

    /// Has somebody write down what becomes of clips, of those first that the last daemon left unfinished.
    pub(super) fn employ(self, tokio: &Runtime, config: &Config, scribe: &Scribe) -> Employed {
        let Studio { running, told, unsettled, footage } = self;
        let books = Books::new(scribe.clone(), footage.clone(), config.recording);
        Employed { running, footage, clerk: tokio.spawn(books.keep(told, unsettled)) }
    }
}

/// A studio at work.
pub(super) struct Employed {
    running: Running,
    footage: Footage,
    clerk: JoinHandle<()>,
}

impl Employed {
    /// Sees to it that what is to be recorded of alerts until now reaches its camera while that still runs.
    pub(super) fn hear(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((recorder, _)) = &*running {
            recorder.hear(time::now().mono.plus(HEARS));
        }
    }

    /// Ends all clips where they are, and waits until that is written down, but not for a disk that stands still.
    pub(super) async fn close(self) {
        self.footage.close();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((recorder, tell)) = running else { return };
        let deadline = time::now().mono.plus(ENDS);
        if !spawn_blocking(move || recorder.end_by(deadline)).await.unwrap_or(false) {
            tracing::warn!("the disk of the clips stands still; the next start settles them");
        }
        drop(tell);
        let _ = tokio::time::timeout(WRITES_DOWN, self.clerk).await;
    }
}

fn start(config: &Config, crew: &Arc<Crew>) -> io::Result<(Running, UnboundedReceiver<Told>)> {
    let (tell, told) = unbounded_channel();
    let mouth = Mouth { tell: tell.clone(), step: step(config.recording.max_size), grown: BTreeMap::new() };
    let headroom = Headroom::of(&config.storage.path, config.storage.max_size);
    let has_room = move || headroom.is_left();
    let recorder = recorder::spawn(clips_folder(&config.storage.path), has_room, Taps(crew.clone()), mouth)?;
    Ok((Arc::new(Mutex::new(Some((recorder, tell)))), told))
}

fn step(max_size: u64) -> u64 {
    (max_size / STEPS).clamp(*STEP.start(), *STEP.end())
}

/// Gives an order. A clip that can't begin has failed.
fn give(running: &Running, order: Order) {
    let running = running.lock().unwrap_or_else(PoisonError::into_inner);
    // Closed: the daemon stops.
    let Some((recorder, tell)) = &*running else { return };
    let begins = match &order {
        Order::Begin { clip, .. } => Some(*clip),
        Order::Until { .. } => None,
    };
    if let (false, Some(clip)) = (recorder.order(order), begins) {
        let why = "the disk stands still, and too many clips wait for it; look at the disk".to_owned();
        let _ = tell.send(Told::Failed { clip, why });
    }
}

/// The cameras of the crew.
struct Taps(Arc<Crew>);

impl Cameras for Taps {
    fn record(&self, camera: &Name, from: Mono) -> Option<Tap> {
        let mailbox = self.0.with(camera, |lookout| lookout.camera.mailbox())?;
        Some(mailbox.tap(from))
    }
}

/// Passes on what the recorder says, without waiting for whoever writes it down. What lies between them is bounded by the
/// clips that there are: of each little is said.
struct Mouth {
    tell: UnboundedSender<Told>,
    /// Growth of so many bytes is told.
    step: u64,
    /// How large each clip was when that was said last.
    grown: BTreeMap<Uuid, u64>,
}

impl Clerk for Mouth {
    fn told(&mut self, told: Told) {
        let is_news = match &told {
            Told::Begun { .. } => true,
            Told::Fragment { clip, bytes } => match self.grown.get(clip) {
                Some(said) if *bytes < said + self.step => false,
                _ => self.grown.insert(*clip, *bytes).is_none_or(|said| said != *bytes),
            },
            Told::Ready { clip, .. } | Told::Failed { clip, .. } => {
                self.grown.remove(clip);
                true
            }
        };
        if is_news {
            // Nobody listens any more: the daemon stops.
            let _ = self.tell.send(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_in_steps_that_fit_the_quota() {
        assert_eq!([1 << 20, 1 << 29, 1 << 40].map(step), [256 << 10, 4 << 20, 8 << 20]);
        let (tell, mut told) = unbounded_channel();
        let mut mouth = Mouth { tell, step: 10, grown: BTreeMap::new() };
        for bytes in [1, 2, 10, 11, 20, 21] {
            mouth.told(Told::Fragment { clip: Uuid::nil(), bytes });
        }
        let mut bytes = Vec::new();
        while let Ok(Told::Fragment { bytes: said, .. }) = told.try_recv() {
            bytes.push(said);
        }
        assert_eq!(bytes, [1, 11, 21]);
    }
}
