//! The daemon: everything wired together, started in one straight line and taken down by name.
//!
//! Owns the order of start-up and teardown; refuses to know what anything does. Runs on the main thread, which then waits
//! for a signal.

mod admitted;
mod alerts;
mod attendance;
mod bindings;
mod clerk;
mod commissions;
mod crew;
mod decoding;
mod departed;
mod desks;
mod errands;
mod files;
mod foreman;
mod heartbeats;
mod heirloom;
mod hopeless;
mod in_tray;
mod leftovers;
mod made;
mod models;
mod names;
mod notices;
mod orders;
mod plan;
mod pulse;
mod resume;
mod roster;
mod scribe;
mod site;
mod sources;
mod step;
mod studio;
mod subscriptions;
mod vigil;
mod webhooks;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch as flag;

use crate::api::{self, Socket, Tcp};
use crate::broadcast::Broadcast;
use crate::camera::Camera;
use crate::condition::Shutdown;
use crate::config::{Config, Part, Storage};
use crate::journal::{self, Journal, Keep, Origin, Reader, Writer};
use crate::model::{self, Limits};
use crate::preflight::Ready;
use crate::recording::link::Links;
use crate::sender::{Clock, Doorbells, Office};
use crate::time::Now;
use crate::transport::ClientError;
use crate::watch::{self, Addressees, Footage, Joined, Watch};
use crate::{condition, systemd, telemetry, time};
use admitted::Admitted;
use attendance::Attendance;
use crew::Crew;
use desks::Desks;
use foreman::Foreman;
use heartbeats::Heartbeats;
use notices::Notices;
use orders::Orders;
use plan::{Plan, Plans};
use pulse::Pulse;
use roster::Roster;
use scribe::Scribe;
use site::Site;
use studio::Studio;
use vigil::Vigil;

pub use errands::check_line;
pub use site::device_id;

/// SIGTERM to the end takes 10 s at most: so long for an order that is being carried out, so long for cameras and watch
/// loops, then [`desks::DRAIN`] for deliveries in flight, and meanwhile for what is being recorded; the rest is for the journal.
const LAY_DOWN: Duration = Duration::from_secs(1);
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
pub fn run(config: Config, mut ready: Ready) -> Result<(), StartError> {
    let (config, started) = (Arc::new(config), time::now());
    files::raise_limit();
    let tokio = Builder::new_multi_thread().worker_threads(2).thread_name("tokio").enable_all().build()?;
    // Of its own, so that a crowd of clients never stands between an alert and its receiver.
    let counter = Builder::new_multi_thread().worker_threads(1).thread_name("api").enable_all().build()?;
    // Before anything starts: a stop that comes early is an orderly one, too.
    let vigil = Vigil::new(&tokio)?;
    let socket = Socket::bind(&config.api.socket)?;
    let tcp = config.api.listen.map(|address| Tcp::bind(address, ready.token.as_ref())).transpose()?;
    let bells = Doorbells::new(config.endpoints.iter().map(|endpoint| endpoint.name.clone()));
    let journal = journal(&config, started, &bells)?;
    let (reader, last) = (journal.reader()?, journal.start().clean);

    let (crew, limits) = (Arc::<Crew>::default(), Limits { run: config.runtime.run_timeout, ..Limits::default() });
    let plans = Plans::new(roster(&config, &mut ready, (&crew, limits), (&reader, journal.writer()))?);
    let studio = Studio::open(&config, &reader, &crew)?;
    let scribe = scribe(&config, &plans, journal.writer(), studio.footage.clone());
    let office = Office::new(&bells, Clock::Real, !last);
    let desks = Arc::new(Desks::new(&tokio, office, bells, &config, journal.writer()));
    let foreman =
        Foreman { crew: crew.clone(), desks: desks.clone(), plans: plans.clone(), scribe: scribe.clone(), limits };
    let last = if last { Shutdown::Clean } else { Shutdown::Unclean };
    foreman.begin(std::mem::take(&mut ready.addresses), &reader, last)?;
    open(&desks, &plans.now(), &mut ready)?;

    let studio = studio.employ(&tokio, &config, &scribe);
    let attendance = Attendance::new(&reader, scribe.clone(), crew.clone(), plans.clone(), started)?;
    let heartbeats = heartbeats(&config, &journal, &scribe, &crew, started)?;
    let gone = departed::all(&reader, &plans.now().config)?;
    let registrar = Arc::new(Orders::new(foreman, reader, ready.folders));
    gone.into_iter().for_each(|endpoint| registrar.see_off(endpoint));
    let clearing = tokio.spawn(leftovers::keep_clear(registrar.clone()));
    let device = scribe.device.clone();
    let site = Arc::new(Site { plans, device, started, crew: crew.clone(), desks: desks.clone() });
    let (reader, broadcast) = (journal.reader()?, scribe.broadcast.clone());
    let links = links(&config, &reader)?;
    let parts = api::Parts { site, reader, writer: journal.writer(), registrar, broadcast, links };
    let (stop, stopped) = flag::channel(false);
    let api = counter.spawn(api::serve(socket, tcp, parts, stop_of(stopped)));

    systemd::ready();
    tracing::info!(generation = journal.start().generation, "watching");
    let pulse = Pulse::new(crew.clone(), journal.writer().meters().clone(), [("tokio", &tokio), ("api", &counter)]);
    tokio.block_on(vigil.keep(pulse, Notices { scribe }, attendance, heartbeats));

    systemd::stopping();
    tracing::info!("stopping");
    clearing.abort();
    let settled = stop_watching(crew.dismiss(time::now().mono.plus(LAY_DOWN)));
    studio.hear();
    stop_cameras(crew.release());
    let _ = stop.send(true);
    tokio.block_on(async {
        tokio::join!(desks.close_all(), studio.close());
        let _ = api.await;
    });
    // Not the destructor: that one waits for name lookups that hang.
    tokio.shutdown_background();
    counter.shutdown_background();
    if settled {
        journal.close()?;
    }
    telemetry::sum_up_at_the_end();
    Ok(())
}

/// How clips are opened. The journal has had a key since it was opened for writing.
fn links(config: &Config, reader: &Reader) -> Result<Links, StartError> {
    let key = reader.link_key()?.ok_or(journal::Error::Closed)?;
    Ok(Links::new(config.api.public_url.clone(), key, config.recording.link_expiry))
}

/// The journal, healed where it has to be; it rings `bells` when there is something to send.
fn journal(config: &Config, started: Now, bells: &Doorbells) -> Result<Journal, journal::OpenError> {
    let Storage { path, keep_delivered, keep_dead, max_size, .. } = &config.storage;
    let keep = Keep { delivered: *keep_delivered, dead: *keep_dead, max_size: *max_size };
    Journal::open(path, keep, started, bells.wake())
}

/// What is to run, with its models started: the file, and beside it what was made over the API. What these need is laid
/// into `ready`.
fn roster(
    config: &Arc<Config>,
    ready: &mut Ready,
    (crew, limits): (&Crew, Limits),
    (reader, writer): (&Reader, Writer),
) -> Result<Roster, StartError> {
    crew.start_models(std::mem::take(&mut ready.models), limits)?;
    let mut admitted = Admitted { crew, limits, ready };
    let mut admit = |config: &_, part: &_, body: &_| admitted.admit(config, part, body);
    let roster = Roster::read(config.clone(), reader.definitions()?, &mut admit);
    for (kind, name) in roster.stale_switches() {
        tracing::warn!(monitor = %name, "it was switched by hand, but there is no such monitor any more");
        drop(writer.undefine(kind, name));
    }
    Ok(roster)
}

/// Who writes down what happens.
fn scribe(config: &Config, plans: &Plans, writer: Writer, footage: Footage) -> Scribe {
    Scribe {
        writer,
        device: site::device_id(config),
        addressees: Addressees::new(&plans.now().config.endpoints),
        storage: Arc::new(config.storage.clone()),
        broadcast: Broadcast::default(),
        footage,
    }
}

/// Who says what was watched, if that is wanted.
fn heartbeats(
    config: &Config,
    journal: &Journal,
    scribe: &Scribe,
    crew: &Arc<Crew>,
    started: Now,
) -> Result<Option<Heartbeats>, StartError> {
    let Some(interval) = config.device.heartbeat else { return Ok(None) };
    Ok(Some(Heartbeats::new(interval, journal.reader()?, scribe.clone(), crew.clone(), started)?))
}

/// Begins to send to every endpoint.
fn open(desks: &Desks, plan: &Plan, ready: &mut Ready) -> Result<(), StartError> {
    for endpoint in &plan.config.endpoints {
        // Preflight and the roster read those of every endpoint.
        let Some(credentials) = ready.credentials.remove(&endpoint.name) else { continue };
        let equipped = desks.equip(endpoint, credentials, ready.tls.remove(&endpoint.name).unwrap_or_default());
        match equipped {
            // What was made over the API must not keep the file from running, nor the API that could take it away.
            Err(error) if plan.roster.origin(Part::Endpoint, &endpoint.name) == Origin::Api => {
                tracing::error!(endpoint = %endpoint.name, %error, "nothing is sent to it: change it, or take it away");
            }
            equipped => desks.open(equipped?, || false),
        }
    }
    Ok(())
}

/// Completes when the daemon stops.
async fn stop_of(mut stopped: flag::Receiver<bool>) {
    // The other end's drop means the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// No more events: everybody is asked before anybody is waited for. Whether every machine is on disk as it was last; if
/// not, the journal must not say that this was a clean end.
fn stop_watching((mut watches, free): (Vec<Watch>, bool)) -> bool {
    watches.iter_mut().for_each(Watch::ask_to_stop);
    let deadline = time::now().mono.plus(STOP_WATCHING);
    let settled: Vec<bool> = watches.into_iter().map(|watch| watch.join_by(deadline) == Joined::Settled).collect();
    free && settled.into_iter().all(|settled| settled)
}

/// No more frames. Not before: what is recorded of the last alert is still in the cameras.
fn stop_cameras(mut cameras: Vec<Camera>) {
    cameras.iter_mut().for_each(Camera::ask_to_stop);
    let deadline = time::now().mono.plus(STOP_WATCHING);
    for camera in cameras {
        // One that hangs ends with the process.
        let _ended = camera.join_by(deadline);
    }
}
