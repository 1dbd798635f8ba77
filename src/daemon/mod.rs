//! The daemon: everything wired together, started in one straight line and taken down by name.
//!
//! Owns the order of start-up and teardown; refuses to know what anything does. Runs on the main thread, which then waits
//! for a signal.

mod admitted;
mod alerts;
mod attendance;
mod bindings;
mod commissions;
mod crew;
mod decoding;
mod departed;
mod desks;
mod errands;
mod foreman;
mod leftovers;
mod models;
mod notices;
mod orders;
mod plan;
mod pulse;
mod resume;
mod roster;
mod scribe;
mod site;
mod step;
mod vigil;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch as flag;

use crate::api::{self, Socket, Tcp};
use crate::broadcast::Broadcast;
use crate::camera::Camera;
use crate::condition::Shutdown;
use crate::config::{Config, Part};
use crate::journal::{self, Journal, Keep, Origin};
use crate::model::{self, Limits};
use crate::preflight::Ready;
use crate::sender::{Clock, Doorbells, Office};
use crate::transport::ClientError;
use crate::watch::{self, Addressees, Joined, Watch};
use crate::{condition, systemd, time};
use admitted::Admitted;
use attendance::Attendance;
use crew::Crew;
use desks::Desks;
use foreman::Foreman;
use notices::Notices;
use orders::Orders;
use plan::Plans;
use roster::Roster;
use scribe::Scribe;
use site::Site;
use vigil::Vigil;

pub use errands::check_line;
pub use site::device_id;

/// SIGTERM to the end takes 10 s at most: so long for cameras and watch loops, then [`desks::DRAIN`] for deliveries in
/// flight; the rest is for the journal.
const STOP_WATCHING: Duration = Duration::from_secs(2);

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
    /// Nothing is started any more.
    #[error("the daemon stops; try again once it runs")]
    Stopping,
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
    // Of its own, so that a crowd of clients never stands between an alert and its receiver.
    let counter = Builder::new_multi_thread().worker_threads(1).thread_name("api").enable_all().build()?;
    // Before anything starts: a stop that comes early is an orderly one, too.
    let vigil = Vigil::new(&tokio)?;
    let socket = Socket::bind(&config.api.socket)?;
    let tcp = config.api.listen.map(|address| Tcp::bind(address, ready.token.as_ref())).transpose()?;

    let bells = Doorbells::new(config.endpoints.iter().map(|endpoint| endpoint.name.clone()));
    let storage = &config.storage;
    let keep = Keep { delivered: storage.keep_delivered, dead: storage.keep_dead, max_size: storage.max_size };
    let journal = Journal::open(&storage.path, keep, started, bells.wake())?;
    let reader = journal.reader()?;
    let Ready { mut addresses, mut credentials, mut tls, models, .. } = ready;

    let crew = Arc::<Crew>::default();
    let limits = Limits { run: config.runtime.run_timeout, ..Limits::default() };
    crew.start_models(models, limits)?;
    let mut admitted =
        Admitted { crew: &crew, limits, addresses: &mut addresses, credentials: &mut credentials, tls: &mut tls };
    let roster = Roster::read(config.clone(), reader.definitions()?, &mut |config, part, body| {
        admitted.admit(config, part, body)
    });
    for (kind, name) in roster.stale_switches() {
        tracing::warn!(monitor = %name, "it was switched by hand, but there is no such monitor any more");
        drop(journal.writer().undefine(kind, name));
    }
    let plans = Plans::new(roster);
    let plan = plans.now();

    let scribe = Scribe {
        writer: journal.writer(),
        device: site::device_id(&config),
        addressees: Addressees::new(&plan.config.endpoints),
        storage: Arc::new(config.storage.clone()),
        broadcast: Broadcast::default(),
    };
    let office = Office::new(&bells, Clock::Real, !journal.start().clean);
    let desks = Arc::new(Desks::new(&tokio, office, bells, &config, journal.writer()));
    let foreman =
        Foreman { crew: crew.clone(), desks: desks.clone(), plans: plans.clone(), scribe: scribe.clone(), limits };
    let last = if journal.start().clean { Shutdown::Clean } else { Shutdown::Unclean };
    foreman.begin(addresses, &reader, last)?;
    for endpoint in &plan.config.endpoints {
        // Preflight and the roster read those of every endpoint.
        let Some(credentials) = credentials.remove(&endpoint.name) else { continue };
        let opened = desks.open(endpoint, credentials, tls.remove(&endpoint.name).unwrap_or_default());
        match opened {
            // What was made over the API must not keep the file from running, nor the API that could take it away.
            Err(error) if plan.roster.origin(Part::Endpoint, &endpoint.name) == Origin::Api => {
                tracing::error!(endpoint = %endpoint.name, %error, "nothing is sent to it: change it, or take it away");
            }
            opened => opened?,
        }
    }
    for endpoint in departed::all(&reader, &plan.config)? {
        tokio.spawn(departed::skip(journal.writer(), endpoint));
    }

    let attendance = Attendance::new(&reader, scribe.clone(), crew.clone(), plans.clone(), started)?;
    let site =
        Arc::new(Site { plans, device: scribe.device.clone(), started, crew: crew.clone(), desks: desks.clone() });
    let registrar = Arc::new(Orders::new(foreman, reader));
    let clearing = tokio.spawn(leftovers::keep_clear(registrar.clone()));
    let broadcast = scribe.broadcast.clone();
    let parts = api::Parts { site, reader: journal.reader()?, writer: journal.writer(), registrar, broadcast };
    let (stop, stopped) = flag::channel(false);
    let api = counter.spawn(api::serve(socket, tcp, parts, stop_of(stopped)));

    systemd::ready();
    tracing::info!(generation = journal.start().generation, "watching");
    tokio.block_on(vigil.keep(&crew, Notices { scribe }, attendance));

    systemd::stopping();
    tracing::info!("stopping");
    clearing.abort();
    let settled = stop_watching(crew.dismiss());
    let _ = stop.send(true);
    tokio.block_on(async {
        desks.close_all().await;
        let _ = api.await;
    });
    // Not the destructor: that one waits for name lookups that hang.
    tokio.shutdown_background();
    counter.shutdown_background();
    if settled {
        journal.close()?;
    }
    Ok(())
}

/// Completes when the daemon stops.
async fn stop_of(mut stopped: flag::Receiver<bool>) {
    // The other end's drop means the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// No more frames, then no more events: everybody is asked before anybody is waited for. Whether every machine is on disk
/// as it was last; if not, the journal must not say that this was a clean end.
fn stop_watching((mut watches, mut cameras): (Vec<Watch>, Vec<Camera>)) -> bool {
    cameras.iter_mut().for_each(Camera::ask_to_stop);
    watches.iter_mut().for_each(Watch::ask_to_stop);
    let deadline = time::now().mono.plus(STOP_WATCHING);
    let settled: Vec<bool> = watches.into_iter().map(|watch| watch.join_by(deadline) == Joined::Settled).collect();
    for camera in cameras {
        camera.join_by(deadline);
    }
    settled.into_iter().all(|settled| settled)
}
