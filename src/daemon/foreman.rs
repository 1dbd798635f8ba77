//! Makes what runs what the plan says: at the start everything, later what a change touches.
//!
//! Owns the order in which threads and tasks are started, stopped and take over from each other; refuses to decide what is to
//! run. Runs on the main thread at start, later on whichever thread brings a change, which waits.
//!
//! Whoever watches a camera is replaced as a whole: its thread writes down where its machines are and ends, the next one goes
//! on from there, as after a restart of the daemon. The camera itself stays connected. So a kill in the middle of a change is
//! nothing that the next start doesn't do anyway.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::crew::{Crew, Lookout};
use super::desks::{Desks, Equipment};
use super::plan::{Plan, Plans};
use super::resume::Resumption;
use super::roster::has;
use super::scribe::Scribe;
use super::{StartError, hopeless};
use crate::camera::{self, Address, State};
use crate::condition::Shutdown;
use crate::config::{self, Config, Endpoint, Monitor, Part};
use crate::journal::Reader;
use crate::model::Limits;
use crate::name::Name;
use crate::preflight::Opened;
use crate::time;
use crate::watch::{self, Asker, Joined, Watch, Watcher};

/// A thread that is silent for so long hangs, in a commit, a picture or the farewell to a camera: then the process ends, as
/// the watchdog would have it.
const HANGS: Duration = Duration::from_secs(20);

/// So long whoever watches may take to judge what has been seen, before others take over.
const FINISHES: Duration = Duration::from_secs(5);

/// Who starts and stops.
pub(super) struct Foreman {
    /// What runs.
    pub(super) crew: Arc<Crew>,
    /// The senders.
    pub(super) desks: Arc<Desks>,
    /// What is to run.
    pub(super) plans: Plans,
    /// Who writes down what happens.
    pub(super) scribe: Scribe,
    /// How long a model may take.
    pub(super) limits: Limits,
}

/// What a change is about, beside what differs between two plans.
#[derive(Default)]
pub(super) struct Change {
    /// What is made, or made anew under its name: of each kind one at most.
    pub(super) renewed: Vec<(Part, Name)>,
    /// What these need.
    pub(super) opened: Vec<Opened>,
    /// The monitor whose ended jobs begin anew.
    pub(super) starts: Option<Name>,
}

/// A change with all that it takes: from here on it no longer fails for want of it.
pub(super) struct Equipped {
    renewed: Vec<(Part, Name)>,
    starts: Option<Name>,
    /// Where a new camera is.
    place: Option<Address>,
    desks: Vec<Equipment>,
}

impl Foreman {
    /// Starts every camera of the plan, with its machines.
    ///
    /// # Errors
    /// The journal failed, a model can't be asked, or the system has no threads.
    pub(super) fn begin(
        &self,
        mut addresses: BTreeMap<Name, Address>,
        reader: &Reader,
        last: Shutdown,
    ) -> Result<(), StartError> {
        let (plan, models) = (self.plans.now(), self.crew.models());
        let mut resumption = Resumption::of_all(&plan, &models, &self.scribe, (reader, last))?;
        for camera in &plan.config.cameras {
            let Some(address) = addresses.remove(&camera.name) else { continue };
            let machines = resumption.machines(camera, &address.shown(), None)?;
            self.set_up(&plan.config, camera, address, machines)?;
        }
        resumption.end()
    }

    /// Gets what going over to `next` takes, beside everything that runs.
    ///
    /// # Errors
    /// The system has no thread or file to give. Nothing has changed, but that models may run that nobody asks:
    /// [`Foreman::let_models_go`].
    pub(super) fn equip(&self, next: &Config, change: Change) -> Result<Equipped, StartError> {
        let Change { renewed, opened, starts } = change;
        let (mut place, mut desks) = (None, Vec::new());
        for opened in opened {
            match opened {
                Opened::Camera(address) => place = Some(address),
                Opened::Monitor(models) => self.crew.start_models(models, self.limits)?,
                Opened::Endpoint(credentials, tls) => {
                    let is_new = |it: &&Endpoint| renewed.contains(&(Part::Endpoint, it.name.clone()));
                    if let Some(endpoint) = next.endpoints.iter().find(is_new) {
                        desks.push(self.desks.equip(endpoint, credentials, tls)?);
                    }
                }
            }
        }
        Ok(Equipped { renewed, starts, place, desks })
    }

    /// Goes from the plan there is to `next`, which is in the journal. Refuses once the daemon stops.
    ///
    /// # Errors
    /// As [`Foreman::begin`]: what is touched by it may be left unwatched.
    pub(super) fn go_over_to(&self, next: Arc<Plan>, equipped: Equipped, reader: &Reader) -> Result<(), StartError> {
        let Some(_hands) = self.crew.hands() else { return Err(StartError::Stopping) };
        let before = self.plans.now();
        let Equipped { renewed, starts, place, desks } = equipped;
        let turn = Turn { before: &before.config, next: &next, renewed: &renewed, starts: starts.as_ref(), reader };
        desks.into_iter().for_each(|equipment| self.desks.open(equipment, || self.crew.is_stopping()));
        self.plans.replace(next.clone());
        self.scribe.addressees.replace(&next.config.endpoints);
        self.change_cameras(&turn, place)?;
        for endpoint in before.config.endpoints.iter().filter(|it| !has(&next.config, Part::Endpoint, &it.name)) {
            self.desks.close(&endpoint.name, || self.crew.is_stopping());
        }
        Ok(())
    }

    /// Ends the models that nobody asks.
    pub(super) fn let_models_go(&self) {
        let plan = self.plans.now();
        self.crew.keep_models(|model| plan.config.monitors.iter().any(|monitor| asks(monitor, model)));
    }

    fn change_cameras(&self, turn: &Turn<'_>, mut address: Option<Address>) -> Result<(), StartError> {
        self.let_finish(turn);
        let mut last = Shutdown::Clean;
        for camera in turn.before.cameras.iter().map(|camera| &camera.name) {
            let stays = has(&turn.next.config, Part::Camera, camera);
            if !stays || turn.renews(Part::Camera, camera) {
                last = self.take_down(camera);
                if !stays {
                    self.take_leave(turn, camera, last)?;
                }
            }
        }
        for camera in &turn.next.config.cameras {
            match (turn.renews(Part::Camera, &camera.name), address.take()) {
                (true, Some(address)) => self.put_up(turn, camera, address, last)?,
                (_, not_its) => {
                    address = not_its;
                    if turn.touches(&camera.name) {
                        self.rearm(turn, camera)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks everybody whose place is taken to judge what has been seen: all at once, so that they take their time together.
    fn let_finish(&self, turn: &Turn<'_>) {
        let by = time::now().mono.plus(FINISHES);
        for camera in turn.before.cameras.iter().map(|camera| &camera.name) {
            let goes = !has(&turn.next.config, Part::Camera, camera) || turn.renews(Part::Camera, camera);
            if goes || turn.touches(camera) {
                self.crew.with(camera, |lookout| lookout.watch.iter_mut().for_each(|watch| watch.ask_to_finish(by)));
            }
        }
    }

    /// Ends a camera and whoever watches it.
    fn take_down(&self, camera: &Name) -> Shutdown {
        let Some(Lookout { camera, watch, .. }) = self.crew.remove(camera) else { return Shutdown::Clean };
        let last = self.relieved(watch);
        let name = camera.name().clone();
        // Once the daemon stops, one that takes its time ends with the process.
        if !camera.join_unless(time::now().mono.plus(HANGS), || self.crew.is_stopping()) && !self.crew.is_stopping() {
            hopeless::end(&format!("the thread of camera `{name}` hangs"));
        }
        last
    }

    /// A thread that watched has ended, with its machines on disk or not.
    fn relieved(&self, watch: Option<Watch>) -> Shutdown {
        let Some(mut watch) = watch else { return Shutdown::Unclean };
        let camera = watch.camera().clone();
        watch.ask_to_finish(time::now().mono.plus(FINISHES));
        match watch.join_finished(HANGS, || self.crew.is_stopping()) {
            Joined::Settled => Shutdown::Clean,
            Joined::Unsettled => Shutdown::Unclean,
            Joined::Hangs => hopeless::end(&format!("the thread that watches camera `{camera}` hangs")),
        }
    }

    /// The machines of a camera that is gone say good-bye.
    fn take_leave(&self, turn: &Turn<'_>, camera: &Name, last: Shutdown) -> Result<(), StartError> {
        let models = self.crew.models();
        Resumption::of_one(turn.next, &models, &self.scribe, (turn.reader, last, false), camera)?.end()
    }

    /// A camera that is new, or anew under its name.
    fn put_up(
        &self,
        turn: &Turn<'_>,
        camera: &config::Camera,
        address: Address,
        last: Shutdown,
    ) -> Result<(), StartError> {
        let models = self.crew.models();
        let kept = (turn.reader, last, true);
        let mut resumption = Resumption::of_one(turn.next, &models, &self.scribe, kept, &camera.name)?;
        let machines = resumption.machines(camera, &address.shown(), turn.starts)?;
        self.set_up(&turn.next.config, camera, address, machines)?;
        resumption.end()
    }

    /// Starts a camera, and whoever watches it.
    fn set_up(
        &self,
        config: &Config,
        settings: &config::Camera,
        address: Address,
        machines: Vec<Asker>,
    ) -> Result<(), StartError> {
        let source_url = address.shown();
        let camera_settings = camera::Settings::of(settings, &config.monitors, address);
        let camera = camera::spawn_among(&self.crew.fleet, settings.name.clone(), camera_settings)?;
        let mailbox = (camera.mailbox(), false);
        let watch = watch::start(settings.name.clone(), mailbox, Watcher::new(machines), self.scribe.ledger())?;
        let shown = watch.shown().to_vec();
        let index = config.cameras.iter().position(|camera| camera.name == settings.name).unwrap_or(usize::MAX);
        self.crew.add(index, Lookout { camera, watch: Some(watch), shown, source_url });
        Ok(())
    }

    /// Others watch a camera that goes on as it is.
    fn rearm(&self, turn: &Turn<'_>, settings: &config::Camera) -> Result<(), StartError> {
        let name = &settings.name;
        let Some(watch) = self.crew.with(name, |lookout| lookout.watch.take()) else { return Ok(()) };
        let last = self.relieved(watch);
        let models = self.crew.models();
        let mut resumption = Resumption::of_one(turn.next, &models, &self.scribe, (turn.reader, last, false), name)?;
        let Some((source_url, mailbox, status)) = self
            .crew
            .with(name, |lookout| (lookout.source_url.clone(), lookout.camera.mailbox(), lookout.camera.status()))
        else {
            return Ok(());
        };
        let watcher = Watcher::new(resumption.machines(settings, &source_url, turn.starts)?);
        mailbox.watch_within(camera::Settings::strictest(name, &turn.next.config.monitors));
        mailbox.hold(camera::Settings::pre_roll(name, &turn.next.config.monitors));
        // The camera has said so, and says it once.
        let ended = status.state == State::Ended;
        let watch = watch::start(name.clone(), (mailbox, ended), watcher, self.scribe.ledger())?;
        self.crew.with(name, |lookout| {
            lookout.shown = watch.shown().to_vec();
            lookout.watch = Some(watch);
        });
        resumption.end()
    }
}

/// From one plan to the next.
struct Turn<'t> {
    before: &'t Config,
    next: &'t Plan,
    renewed: &'t [(Part, Name)],
    starts: Option<&'t Name>,
    reader: &'t Reader,
}

impl Turn<'_> {
    fn renews(&self, part: Part, name: &Name) -> bool {
        self.renewed.iter().any(|(of, it)| *of == part && it == name)
    }

    /// Whether others watch `camera`, or the same ones otherwise.
    fn touches(&self, camera: &Name) -> bool {
        let (before, next) = (watching(self.before, camera), watching(&self.next.config, camera));
        let begins =
            |monitor: &&Monitor| self.renews(Part::Monitor, &monitor.name) || self.starts == Some(&monitor.name);
        before != next || next.iter().any(begins)
    }
}

fn watching<'c>(config: &'c Config, camera: &Name) -> Vec<&'c Monitor> {
    config.monitors.iter().filter(|monitor| monitor.cameras.contains(camera)).collect()
}

fn asks(monitor: &Monitor, model: &Name) -> bool {
    monitor.model.value == *model || monitor.only_when.as_ref().is_some_and(|other| other.model.value == *model)
}
