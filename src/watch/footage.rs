//! What is recorded because of what happens: orders to whoever records, each only once the journal has its alert.
//!
//! Owns the plans of all cameras, which outlive the threads that watch them, and the links that alerts are told; refuses to
//! know packets and files. Decided on the watch threads, each of its own camera's plan.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::ledger::{Evidence, Happening};
use crate::condition::{Effect, Open};
use crate::config::Clip;
use crate::event::AlertClip;
use crate::journal::{ClipSequel, Filmed, Shows, Writer};
use crate::name::Name;
use crate::recording::link::{Links, Piece};
use crate::recording::{Order, Plan, Sequel};
use crate::time::{Mono, Now, Wall};

/// Takes orders, without waiting.
pub type Orders = Box<dyn Fn(Order) + Send + Sync>;

/// What is recorded on this box. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Footage(Arc<Inner>);

struct Inner {
    orders: Orders,
    /// None: nobody can be told where clips are.
    links: Option<Links>,
    plans: Mutex<BTreeMap<Name, Arc<Mutex<Plan>>>>,
    /// Clips that are being recorded, and of which cameras.
    going: Mutex<BTreeMap<Uuid, Name>>,
    closed: AtomicBool,
}

impl Footage {
    /// Nothing is recorded yet.
    pub fn new(orders: Orders, links: Option<Links>) -> Footage {
        Footage(Arc::new(Inner {
            orders,
            links,
            plans: Mutex::default(),
            going: Mutex::default(),
            closed: AtomicBool::new(false),
        }))
    }

    /// Makes links to clips.
    pub fn links(&self) -> Option<&Links> {
        self.0.links.as_ref()
    }

    /// A clip has ended which shows all until `reached` (None: nothing came of it), and all that began it is in the journal.
    /// Where its events want more another one goes on, once `writer` has it. May wait for a commit.
    pub fn ended(&self, clip: Uuid, reached: Option<Mono>, writer: &Writer, now: Now) {
        let Some(camera) = held(&self.0.going).remove(&clip) else { return };
        let reached = reached.filter(|_| !self.0.closed.load(Ordering::Relaxed));
        self.go_on(&camera, Shows::AsClip(clip), (writer, now), |plan, new| plan.ended(clip, reached, new));
    }

    /// `open` was open already when this process began to watch: a clip of it goes on, if it was recorded and may be longer.
    /// Waits for a commit.
    pub fn resume(&self, camera: &Name, clip: Clip, open: &Open, writer: &Writer, now: Now) {
        // By the wall clock: the other one may be of another boot.
        let so_far = clip.before + now.wall.since(open.alerted);
        let bound = now.mono.plus(clip.max.saturating_sub(so_far));
        let resume = |plan: &mut Plan, new| plan.resume(new, open.id, clip, bound, now.mono);
        self.go_on(camera, Shows::Event(open.id), (writer, now), resume);
    }

    fn go_on(
        &self,
        camera: &Name,
        shows: Shows,
        (writer, now): (&Writer, Now),
        decide: impl FnOnce(&mut Plan, Uuid) -> Option<Sequel>,
    ) {
        let plan = self.plan_of(camera);
        let mut plan = held(&plan);
        let before = plan.clone();
        let Some(Sequel { clip, order }) = decide(&mut plan, now.new_id()) else { return };
        match writer.go_on_with_clip(ClipSequel { clip, camera: camera.clone(), shows, at: now }).wait() {
            Ok(true) => self.give(order),
            // The event was never recorded.
            Ok(false) => *plan = before,
            Err(error) => {
                tracing::error!(%camera, %error, "an event that is open is recorded no longer: its next clip is not in the journal");
                plan.ended(clip, None, clip);
            }
        }
    }

    /// Ends all clips: there is no room for more. May wait for a commit.
    pub fn cut(&self, now: Mono) {
        let plans: Vec<Arc<Mutex<Plan>>> = held(&self.0.plans).values().cloned().collect();
        for plan in plans {
            held(&plan).cut(now).into_iter().for_each(|order| self.give(order));
        }
    }

    /// The daemon stops: what ends from here on is gone on with by the next start.
    pub fn close(&self) {
        self.0.closed.store(true, Ordering::Relaxed);
    }

    fn give(&self, order: Order) {
        if let Order::Begin { clip, camera, .. } = &order {
            held(&self.0.going).insert(*clip, camera.clone());
        }
        (self.0.orders)(order);
    }

    /// The plan that `happening` may change; None: it changes none.
    pub(super) fn plan_for(&self, happening: &Happening<'_>) -> Option<Arc<Mutex<Plan>>> {
        let about = happening.about;
        let changes = |effect: &Effect| matches!(effect, Effect::Triggered { .. } | Effect::Cleared { .. });
        (!about.shadow && happening.effects.iter().any(changes)).then(|| self.plan_of(&about.camera))
    }

    fn plan_of(&self, camera: &Name) -> Arc<Mutex<Plan>> {
        let mut plans = held(&self.0.plans);
        let plan = plans.entry(camera.clone()).or_insert_with(|| Arc::new(Mutex::new(Plan::new(camera.clone()))));
        plan.clone()
    }
}

/// A plan while what changes it is on its way into the journal.
pub(super) struct Scene<'f> {
    footage: &'f Footage,
    plan: MutexGuard<'f, Plan>,
    next: Plan,
    orders: Vec<Order>,
}

impl<'f> Scene<'f> {
    /// Of a plan of `footage`'s.
    pub(super) fn new(footage: &'f Footage, plan: &'f Mutex<Plan>) -> Scene<'f> {
        let plan = held(plan);
        let next = plan.clone();
        Scene { footage, plan, next, orders: Vec::new() }
    }

    /// What `effect` does. If it is an alert that a clip shows: which, and what bodies say of it.
    pub(super) fn see(&mut self, happening: &Happening<'_>, effect: &Effect) -> Option<(AlertClip, Filmed)> {
        match effect {
            Effect::Triggered { open_id, observed, .. } => {
                let evidence = happening.evidence?;
                let clip = self.alert(evidence, *open_id, observed.mono, happening)?;
                let filmed =
                    Filmed { clip, height: Some(evidence.frame.height), told: happening.about.endpoints.clone() };
                Some((self.shown(clip, happening.now.wall), filmed))
            }
            Effect::Cleared { open_id, ended, .. } => {
                self.orders.extend(self.next.cleared(*open_id, ended.mono));
                None
            }
            Effect::JobStarted { .. } | Effect::JobRunning { .. } | Effect::JobEnded { .. } => None,
        }
    }

    fn alert(&mut self, evidence: Evidence<'_>, open: Uuid, observed: Mono, happening: &Happening<'_>) -> Option<Uuid> {
        let wanted = evidence.subject.clip?;
        let alerted = self.next.alert(happening.now.new_id(), open, wanted, observed, happening.now.mono);
        self.orders.extend(alerted.order);
        Some(alerted.clip)
    }

    fn shown(&self, clip: Uuid, now: Wall) -> AlertClip {
        let link = |piece| self.footage.links().map_or_else(String::new, |links| links.to(clip, piece, now));
        AlertClip { id: clip, stream_url: link(Piece::Playlist), player_url: link(Piece::Player) }
    }

    /// The journal has it.
    pub(super) fn recorded(mut self) {
        *self.plan = self.next;
        self.orders.into_iter().for_each(|order| self.footage.give(order));
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
