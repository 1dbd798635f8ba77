//! The daemon: everything wired together, started in one straight line and taken down by name.
//!
//! Owns the order of start-up and teardown; refuses to know what anything does. Runs on the main thread, which then waits
//! for a signal.

mod attendance;
mod decoding;
mod errands;
mod models;
mod notices;
mod pulse;
mod resume;
mod site;
mod vigil;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch as flag;
use tokio::task::JoinHandle;

use crate::api::{self, Socket, Tcp};
use crate::broadcast::Broadcast;
use crate::camera::{self, Camera};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::journal::{self, Journal, Keep};
use crate::model::{self, Handle, Limits};
use crate::name::Name;
use crate::preflight::Ready;
use crate::retry::taxonomy::acts_on_endpoint;
use crate::sender::{Clock, Doorbells, Office, Report, Sender};
use crate::transport::{self, Client, ClientError, Tls};
use crate::watch::{self, Watch, Watcher};
use crate::{condition, systemd, time};
use attendance::Attendance;
use notices::Notices;
use pulse::Pulse;
use site::Site;
use vigil::Vigil;

pub use errands::check_line;
pub use site::device_id;

/// SIGTERM to the end takes 10 s at most: so long for cameras and watch loops, …
const STOP_WATCHING: Duration = Duration::from_secs(2);

/// … and then so long for deliveries in flight; the rest is for the journal.
const DRAIN: Duration = Duration::from_secs(6);

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal.
    #[error(transparent)]
    Open(#[from] journal::OpenError),
    /// The journal could not be read or written.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// A machine's good-bye or new job was not recorded.
    #[error("the monitors could not go on from the journal: {0}")]
    Resume(#[source] watch::Refused),
    /// The state of a machine was written by a newer release.
    #[error(transparent)]
    State(#[from] condition::Unreadable),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The local API.
    #[error(transparent)]
    Api(#[from] api::BindError),
    /// What a model can't be asked; preflight has told of it before.
    #[error(transparent)]
    Question(#[from] model::QuestionError),
    /// Threads or signals.
    #[error("the operating system gives no thread or signal: {0}; raise `TasksMax` or free some memory")]
    System(#[from] io::Error),
}

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// [`StartError`]: it did not start. Or the journal could not be closed; what it holds is safe all the same.
pub fn run(config: Config, ready: Ready) -> Result<(), StartError> {
    let config = Arc::new(config);
    let started = time::now();
    let tokio = Builder::new_multi_thread().worker_threads(2).thread_name("tokio").enable_all().build()?;
    // Before anything starts: a stop that comes early is an orderly one, too.
    let vigil = Vigil::new(&tokio)?;
    let socket = Socket::bind(&config.api.socket)?;
    let tcp = config.api.listen.map(|address| Tcp::bind(address, ready.token.as_ref())).transpose()?;

    let bells = Doorbells::new(config.endpoints.iter().map(|endpoint| endpoint.name.clone()));
    let storage = &config.storage;
    let keep = Keep { delivered: storage.keep_delivered, dead: storage.keep_dead, max_size: storage.max_size };
    let journal = Journal::open(&storage.path, keep, started, bells.wake())?;
    let Ready { mut addresses, credentials, tls, models, .. } = ready;
    let models = start_models(models, config.runtime.run_timeout)?;

    let (fleet, broadcast) = (Arc::default(), Broadcast::default());
    let mut cameras = Vec::new();
    let mut watches = Vec::new();
    for (settings, machines) in resume::machines(&config, &addresses, &models, &journal, started)? {
        let Some(address) = addresses.remove(&settings.name) else { continue };
        let camera_settings = camera::Settings::of(settings, &config.monitors, address);
        let camera = camera::spawn_among(&fleet, settings.name.clone(), camera_settings)?;
        let ledger = resume::ledger(&config, &journal.writer()).heard_by(broadcast.clone());
        watches.push(watch::start(settings.name.clone(), camera.mailbox(), Watcher::new(machines), ledger)?);
        cameras.push(camera);
    }

    let (stop, stopped) = flag::channel(false);
    let (senders, reports) = start_senders(&tokio, &config, (credentials, tls), &journal, &bells, &stopped)?;
    let pulse = Pulse::of(&cameras, &watches, &models);
    let device = site::device_id(&config);
    let attendance = Attendance::new(&journal, config.clone(), device.clone(), started, &cameras)?;
    let site = Arc::new(Site::new(config.clone(), started, cameras, &watches, &models, reports));
    let parts = api::Parts { site: site.clone(), reader: journal.reader()?, writer: journal.writer(), broadcast };
    let api = tokio.spawn(api::serve(socket, tcp, parts, stop_of(stopped)));

    systemd::ready();
    tracing::info!(generation = journal.start().generation, "watching");
    let notices = Notices { writer: journal.writer(), config: config.clone(), device };
    tokio.block_on(vigil.keep(&pulse, notices, attendance));

    systemd::stopping();
    tracing::info!("stopping");
    let settled = stop_watching(watches, site.take_cameras());
    let _ = stop.send(true);
    tokio.block_on(async {
        for sender in senders {
            let _ = sender.await;
        }
        let _ = api.await;
    });
    // Not the destructor: that one waits for name lookups that hang.
    tokio.shutdown_background();
    if settled {
        journal.close()?;
    }
    Ok(())
}

fn start_models(loaded: BTreeMap<Name, model::Loaded>, run: Duration) -> io::Result<BTreeMap<Name, Handle>> {
    let limits = Limits { run, ..Limits::default() };
    loaded.into_iter().map(|(name, loaded)| Ok((name, model::start(loaded, limits)?))).collect()
}

/// The senders' tasks, and what each tells of itself.
type Senders = (Vec<JoinHandle<()>>, BTreeMap<Name, flag::Receiver<Report>>);

fn start_senders(
    tokio: &Runtime,
    config: &Config,
    (mut credentials, mut tls): (BTreeMap<Name, Credentials>, BTreeMap<Name, Tls>),
    journal: &Journal,
    bells: &Doorbells,
    stopped: &flag::Receiver<bool>,
) -> Result<Senders, StartError> {
    let office = Office::new(bells, Clock::Real, !journal.start().clean);
    let mut tasks = Vec::new();
    let mut reports = BTreeMap::new();
    let egress = Arc::new(config.egress.clone());
    for endpoint in &config.endpoints {
        // Preflight read those of every endpoint, or there would be no `Ready`.
        let Some(credentials) = credentials.remove(&endpoint.name) else { continue };
        let settings = transport::Settings {
            timeout: endpoint.timeout,
            // Where every failure costs an attempt, one that is only our having kept a connection must not come about.
            kept_connections: if acts_on_endpoint(&endpoint.retry) { endpoint.concurrency as usize } else { 0 },
            egress: Arc::clone(&egress),
            tls: tls.remove(&endpoint.name).unwrap_or_default(),
        };
        let client = Client::new(&settings)?;
        let (sender, report) =
            Sender::new(endpoint.clone(), credentials, client, journal.writer(), journal.reader()?, &office);
        reports.insert(endpoint.name.clone(), report);
        tasks.push(tokio.spawn(sender.run(stopped.clone(), DRAIN)));
    }
    Ok((tasks, reports))
}

/// Completes when the daemon stops.
async fn stop_of(mut stopped: flag::Receiver<bool>) {
    // The other end's drop means the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// No more frames, then no more events: everybody is asked before anybody is waited for. Whether every machine is on disk
/// as it was last; if not, the journal must not say that this was a clean end.
fn stop_watching(mut watches: Vec<Watch>, mut cameras: Vec<Camera>) -> bool {
    cameras.iter_mut().for_each(Camera::ask_to_stop);
    watches.iter_mut().for_each(Watch::ask_to_stop);
    let deadline = time::now().mono.plus(STOP_WATCHING);
    let settled: Vec<bool> = watches.into_iter().map(|watch| watch.join_by(deadline)).collect();
    for camera in cameras {
        camera.join_by(deadline);
    }
    settled.into_iter().all(|settled| settled)
}
