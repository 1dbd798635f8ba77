//! The daemon: everything wired together, started in one straight line and taken down by name.
//!
//! Owns the order of start-up and teardown and the check that every loop is alive; refuses to know what any of them does.
//! Runs on the main thread, which then waits for a signal.

mod pulse;
mod site;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch as flag;

use crate::api::{self, Socket};
use crate::camera::{self, Address, Camera, Login};
use crate::config::{self, Config};
use crate::journal::{self, Journal, Keep, Writer};
use crate::model::{self, Handle};
use crate::name::Name;
use crate::preflight::Ready;
use crate::sender::{Doorbells, Sender};
use crate::transport::{Client, ClientError};
use crate::watch::{self, JournalLedger, Kept, Machine, Restart, Subject, Watch, Watcher};
use crate::{condition, systemd, time};
use pulse::Pulse;
use site::Site;

/// SIGTERM to the end takes 10 s at most: 8 for deliveries in flight, the rest for everything else.
const DRAIN: Duration = Duration::from_secs(8);

/// What is over is purged this often, in small batches.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal.
    #[error(transparent)]
    Open(#[from] journal::OpenError),
    /// The journal refused a write at start.
    #[error("the machines could not go on from the journal: {0}")]
    Resume(#[source] watch::Refused),
    /// The journal could not be read at start.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The local API.
    #[error(transparent)]
    Api(#[from] api::BindError),
    /// A label that the model lacks; preflight has told of it before.
    #[error(transparent)]
    Label(#[from] model::UnknownLabel),
    /// Threads or signals.
    #[error("the operating system gives no thread or signal: {0}; raise `TasksMax` or free some memory")]
    System(#[from] io::Error),
}

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// [`StartError`]: it did not start, and nothing is left behind.
pub fn run(config: Config, ready: Ready) -> Result<(), StartError> {
    let config = Arc::new(config);
    let device = site::device_id(&config);
    let started = time::now();
    let socket = Socket::bind(&config.api.socket)?;
    let tokio =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("tokio").enable_all().build()?;

    let bells = Doorbells::new(config.endpoints.iter().map(|endpoint| endpoint.name.clone()));
    let storage = &config.storage;
    let keep = Keep { delivered: storage.keep_delivered, dead: storage.keep_dead, max_size: storage.max_size };
    let journal = Journal::open(&storage.path, keep, started, bells.wake())?;
    let Ready { passwords, keys, models } = ready;
    let models = start_models(models, config.cameras.len())?;

    let mut cameras = Vec::new();
    let mut watches = Vec::new();
    for (camera, machines) in resume(&config, &models, &journal, started)? {
        let running = camera::spawn(camera.name.clone(), address(camera, &passwords))?;
        let watcher = Watcher::new(machines);
        watches.push(watch::start(
            camera.name.clone(),
            running.mailbox(),
            watcher,
            ledger(&config, &journal.writer()),
        )?);
        cameras.push(running);
    }

    let (stop, stopped) = flag::channel(false);
    let mut reports = BTreeMap::new();
    let mut senders = Vec::new();
    let mut keys = keys;
    for endpoint in &config.endpoints {
        let signing = keys.remove(&endpoint.name).unwrap_or_default();
        let client = Client::new(endpoint.timeout)?;
        let (sender, report) =
            Sender::new(endpoint.clone(), signing, client, journal.writer(), journal.reader()?, &bells);
        reports.insert(endpoint.name.clone(), report);
        senders.push(tokio.spawn(sender.run(stopped.clone(), DRAIN)));
    }

    let pulse = Pulse::of(&cameras, &watches, &models);
    let site = Arc::new(Site::new(config.clone(), device, started, cameras, &watches, reports));
    let parts = api::Parts { site: site.clone(), reader: journal.reader()?, writer: journal.writer() };
    let api = tokio.spawn(api::serve(socket, parts, stop_of(stopped)));

    systemd::ready();
    tracing::info!(generation = journal.start().generation, "watching");
    tokio.block_on(until_signal(&pulse, &journal.writer()))?;

    systemd::stopping();
    tracing::info!("stopping");
    stop_watching(watches, site);
    let _ = stop.send(true);
    tokio.block_on(async {
        for sender in senders {
            let _ = sender.await;
        }
        let _ = api.await;
    });
    journal.close()?;
    Ok(())
}

fn start_models(loaded: BTreeMap<Name, model::Loaded>, cameras: usize) -> io::Result<BTreeMap<Name, Handle>> {
    loaded.into_iter().map(|(name, loaded)| Ok((name, model::start(loaded, cameras)?))).collect()
}

/// A camera of the configuration with its machines and the model that judges each.
type Watched<'c> = (&'c config::Camera, Vec<(Machine, Handle)>);

/// For every camera, its machines as they go on; machines that are gone from the file say good-bye.
fn resume<'c>(
    config: &'c Config,
    models: &BTreeMap<Name, Handle>,
    journal: &Journal,
    now: time::Now,
) -> Result<Vec<Watched<'c>>, StartError> {
    let last = if journal.start().clean { condition::Shutdown::Clean } else { condition::Shutdown::Unclean };
    let restart = Restart { now, boot: time::Boot::current(), last };
    let mut ledger = ledger(config, &journal.writer());
    let mut kept: BTreeMap<(Name, Name), Kept> = BTreeMap::new();
    for row in journal.reader()?.machines()? {
        match Kept::read(&row) {
            Ok(machine) => drop(kept.insert((row.monitor, row.camera), machine)),
            Err(error) => tracing::error!(monitor = %row.monitor, camera = %row.camera, %error, "begins afresh"),
        }
    }
    let mut watched = Vec::new();
    for camera in &config.cameras {
        let mut machines = Vec::new();
        for monitor in config.monitors.iter().filter(|monitor| monitor.cameras.contains(&camera.name)) {
            let Some(model) = models.get(&monitor.model.value) else { continue };
            let subject = Subject::new(monitor, camera, model.model())?;
            let before = kept.remove(&(monitor.name.clone(), camera.name.clone()));
            let state = watch::resume(&mut ledger, before, &subject, restart).map_err(StartError::Resume)?;
            machines.push((Machine::new(subject, state), model.clone()));
        }
        watched.push((camera, machines));
    }
    for gone in kept.into_values() {
        watch::farewell(&mut ledger, gone, restart).map_err(StartError::Resume)?;
    }
    Ok(watched)
}

fn ledger(config: &Config, writer: &Writer) -> JournalLedger {
    JournalLedger::new(writer.clone(), site::device_id(config), config.endpoints.as_slice().into(), &config.storage)
}

/// Completes when the daemon stops.
async fn stop_of(mut stopped: flag::Receiver<bool>) {
    // The other end's drop means the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn address(camera: &config::Camera, passwords: &BTreeMap<Name, crate::secrets::Secret>) -> Address {
    let url = &camera.url.value;
    if camera.is_file() {
        let path = url.to_file_path().unwrap_or_else(|()| url.path().into());
        return Address::File { path, repeat: camera.repeat };
    }
    let login = camera.username.as_ref().map(|username| {
        let password = passwords.get(&camera.name).map(|secret| secret.expose().to_owned()).unwrap_or_default();
        Login { username: username.clone(), password: password.into() }
    });
    Address::Rtsp(url.clone(), login)
}

/// Feeds the watchdog and purges until SIGTERM or SIGINT.
async fn until_signal(pulse: &Pulse, writer: &Writer) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut beat = tokio::time::interval(systemd::watchdog_interval().unwrap_or(Duration::from_secs(5)));
    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = beat.tick() => {
                if pulse.is_steady(time::now()) {
                    systemd::alive();
                }
            }
            _ = housekeeping.tick() => {
                purge(writer).await;
            }
        }
    }
}

/// Batch by batch, so that what happens meanwhile never waits for long.
async fn purge(writer: &Writer) {
    loop {
        match writer.purge(time::now()).await {
            Ok(purged) if purged.more => {}
            Ok(_) => return,
            Err(error) => {
                tracing::error!(%error, "what is over could not be purged");
                return;
            }
        }
    }
}

/// No more frames, then no more events: everybody is asked before anybody is waited for.
fn stop_watching(mut watches: Vec<Watch>, site: Arc<Site>) {
    let mut cameras: Vec<Camera> = site.take_cameras();
    cameras.iter_mut().for_each(Camera::ask_to_stop);
    watches.iter_mut().for_each(Watch::ask_to_stop);
    watches.into_iter().for_each(Watch::join);
    cameras.into_iter().for_each(Camera::join);
}
