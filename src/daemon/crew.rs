//! What runs of cameras and models, for everybody who looks at it.
//!
//! Owns the lists, and that nothing is started any more once the daemon stops; refuses to know what is to run (`plan`) and
//! to start anything but models (`foreman` does). Its locks are held for moments only: nobody waits for a thread with one.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use crate::camera::{Camera, Fleet, Snapshot};
use crate::model::{self, Handle, Limits, Loaded};
use crate::name::Name;
use crate::time::{self, Mono};
use crate::watch::{Shown, Watch};

/// How often it is looked whether somebody is done.
const LOOK: Duration = Duration::from_millis(5);

/// Cameras with the threads that watch them, and the models that these ask.
#[derive(Default)]
pub(super) struct Crew {
    /// What cameras know of each other's losses.
    pub(super) fleet: Arc<Fleet>,
    lookouts: Mutex<Vec<Lookout>>,
    models: Mutex<BTreeMap<Name, Handle>>,
    /// Held while threads are started and stopped.
    hands: Mutex<()>,
    /// The daemon stops.
    stopping: AtomicBool,
    /// Counts changes of the list of cameras.
    changes: AtomicU64,
}

/// A camera, and who watches it.
pub(super) struct Lookout {
    /// The camera.
    pub(super) camera: Camera,
    /// None while another one takes its place.
    pub(super) watch: Option<Watch>,
    /// Its machines, as others may see them.
    pub(super) shown: Vec<Arc<Mutex<Shown>>>,
    /// Its URL as receivers may see it.
    pub(super) source_url: String,
}

/// Tells how a camera is.
pub(super) type Status = Box<dyn Fn() -> Snapshot + Send + Sync>;

impl Crew {
    /// Leave to start and stop threads, for as long as it is held; None once the daemon stops.
    pub(super) fn hands(&self) -> Option<MutexGuard<'_, ()>> {
        Some(held(&self.hands)).filter(|_| !self.is_stopping())
    }

    /// Whoever has its hands full hurries from then on.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The daemon stops: gives away those who watch, once whoever starts or stops something is done with it, but at `deadline`
    /// at the latest. False: somebody still was at it then, and with whom is not among these. Cameras go on until
    /// [`Crew::release`].
    pub(super) fn dismiss(&self, deadline: Mono) -> (Vec<Watch>, bool) {
        self.stopping.store(true, Ordering::Relaxed);
        let free = loop {
            match self.hands.try_lock() {
                Err(TryLockError::WouldBlock) if time::now().mono < deadline => thread::park_timeout(LOOK),
                Err(TryLockError::WouldBlock) => break false,
                Ok(_) | Err(TryLockError::Poisoned(_)) => break true,
            }
        };
        (held(&self.lookouts).iter_mut().filter_map(|lookout| lookout.watch.take()).collect(), free)
    }

    /// Gives away the cameras, when nobody watches them any more.
    pub(super) fn release(&self) -> Vec<Camera> {
        std::mem::take(&mut *held(&self.lookouts)).into_iter().map(|lookout| lookout.camera).collect()
    }

    /// Adds a camera, at the place of `index` or behind the others.
    pub(super) fn add(&self, index: usize, lookout: Lookout) {
        let mut lookouts = held(&self.lookouts);
        let index = index.min(lookouts.len());
        lookouts.insert(index, lookout);
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a camera off the list.
    pub(super) fn remove(&self, camera: &Name) -> Option<Lookout> {
        let mut lookouts = held(&self.lookouts);
        let index = lookouts.iter().position(|lookout| lookout.camera.name() == camera)?;
        self.changes.fetch_add(1, Ordering::Relaxed);
        Some(lookouts.remove(index))
    }

    /// Does something quick with a camera that runs.
    pub(super) fn with<T>(&self, camera: &Name, quick: impl FnOnce(&mut Lookout) -> T) -> Option<T> {
        held(&self.lookouts).iter_mut().find(|lookout| lookout.camera.name() == camera).map(quick)
    }

    /// Does something quick with every camera.
    pub(super) fn each<T>(&self, quick: impl FnMut(&Lookout) -> T) -> Vec<T> {
        held(&self.lookouts).iter().map(quick).collect()
    }

    /// Of what cameras there are: another number means others.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Every machine.
    pub(super) fn shown(&self) -> Vec<Arc<Mutex<Shown>>> {
        held(&self.lookouts).iter().flat_map(|lookout| lookout.shown.iter().cloned()).collect()
    }

    /// The models that run.
    pub(super) fn models(&self) -> BTreeMap<Name, Handle> {
        held(&self.models).clone()
    }

    /// Starts models.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn start_models(&self, loaded: BTreeMap<Name, Loaded>, limits: Limits) -> io::Result<()> {
        for (name, loaded) in loaded {
            let handle = model::start(loaded, limits)?;
            held(&self.models).insert(name, handle);
        }
        Ok(())
    }

    /// Models that nobody needs end with the last one who still asks them.
    pub(super) fn keep_models(&self, needed: impl Fn(&Name) -> bool) {
        held(&self.models).retain(|name, _| needed(name));
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
