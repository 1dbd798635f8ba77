//! Cameras: from an address to decoded frames, for ever.
//!
//! Owns GStreamer (no other module names it), the connection, the ring of encoded packets, the decoder and the mailbox
//! between a camera's thread and its watch loop. Refuses to know monitors, models and the journal.
//!
//! ```text
//! source (rtsp, file) ──packets──► ring (previous + current GOP)
//!                          │
//!                          ├─ awake ──► decoder ───────────frames that somebody wants──► mailbox ──bell──► watch loop
//!                          └─ asleep, a keyframe ──► shared decoder ──┘  │
//!                                    ▲ wakes (policy) ◄── moved ── eye ◄─┘
//! ```
//!
//! One thread a camera, `camera-<name>`, runs all of it (`run`). A recording is decoded on the caller's thread ([`Clip`]).

mod backoff;
mod cadence;
mod chain;
mod chatter;
mod clip;
mod codec;
mod cost;
mod decoder;
mod dialogue;
mod elements;
mod eye;
mod feed;
mod file;
mod fleet;
mod flood;
mod glance;
mod hardware;
mod ingest;
mod live;
mod lone;
mod mailbox;
mod nal;
mod outage;
mod packet;
mod planes;
mod policy;
mod pool;
mod probe;
mod problem;
mod rehearsal;
mod ring;
mod route;
mod rtsp;
mod run;
mod samples;
mod settings;
mod sighting;
mod source;
mod status;
mod stillness;
mod tap;
mod tempo;
#[cfg(test)]
mod tests;
mod trust;
mod turn;
mod watchdog;

use std::sync::Arc;
use std::thread::JoinHandle;

pub use clip::Clip;
pub use codec::Codec;
pub use cost::Saving;
use crossbeam_channel::Sender;
pub use decoder::{Decoded, Decoder};
pub use elements::{InitError, Missing, init, missing_elements, version};
pub use fleet::Fleet;
pub use glance::{Fingerprint, Glance};
pub use hardware::{Failure, Fallen, Lineup, Report, Running, Unusable, hardware_decoders, named};
pub use mailbox::{Asker, Demand, MAX_BURST, Mail, Mailbox, Notice};
pub use packet::{Class, Packet};
pub use policy::{Decision, Mode, Why};
pub use problem::Problem;
pub use rehearsal::Rehearsal;
pub use ring::Ring;
pub use rtsp::Login;
pub use settings::{Address, Settings};
pub use sighting::{Glimpse, Sighting, glimpse, look};
pub use source::Source;
pub use status::{Snapshot, State};
pub use tap::{Dry, Tap};
pub use trust::{Distrust, tls_installed};
pub use turn::Turn;

use crate::name::Name;
use crate::time::{self, Mono};

/// A running camera. Dropping it stops it and waits for its thread.
pub struct Camera {
    name: Name,
    mailbox: Arc<Mailbox>,
    board: Arc<status::Board>,
    lineup: Lineup,
    member: Arc<fleet::Member>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a camera's thread. The camera need not be there: it is tried for ever.
///
/// # Errors
/// The operating system gives no thread.
pub fn spawn(name: Name, settings: Settings) -> std::io::Result<Camera> {
    spawn_among(&Arc::default(), name, settings)
}

/// The same for one of several cameras, who know of each other's losses by `fleet`.
///
/// # Errors
/// The operating system gives no thread.
pub fn spawn_among(fleet: &Arc<Fleet>, name: Name, settings: Settings) -> std::io::Result<Camera> {
    let settings = Arc::new(settings);
    match &settings.address {
        Address::Rtsp(..) | Address::Secret(..) => {
            let source = Box::new(rtsp::Rtsp::new(settings.clone()));
            start(name, source, Kind { live: true, repeat: false }, settings, fleet.join())
        }
        Address::File { path, repeat } => {
            let source = Box::new(file::Clip::new(path.clone(), file::Pace::Own));
            let kind = Kind { live: false, repeat: *repeat };
            // What a clip does says nothing about cameras.
            start(name, source, kind, settings, Arc::<Fleet>::default().join())
        }
    }
}

/// Starts a camera's thread on any [`Source`]. `live`: silence means trouble; `repeat`: the end is the start.
///
/// # Errors
/// The operating system gives no thread.
pub fn spawn_source(
    name: Name,
    source: Box<dyn Source>,
    live: bool,
    repeat: bool,
    settings: Arc<Settings>,
) -> std::io::Result<Camera> {
    start(name, source, Kind { live, repeat }, settings, Arc::<Fleet>::default().join())
}

/// See [`spawn_source`].
struct Kind {
    live: bool,
    repeat: bool,
}

fn start(
    name: Name,
    source: Box<dyn Source>,
    kind: Kind,
    settings: Arc<Settings>,
    member: fleet::Member,
) -> std::io::Result<Camera> {
    let (mailbox, board, member) = (Arc::new(Mailbox::default()), Arc::new(status::Board::default()), Arc::new(member));
    let (stop, stopped) = crossbeam_channel::bounded(0);
    let now = time::now();
    board.beat(now);
    let lineup = settings.hardware.clone();
    let run = run::Run {
        name: name.clone(),
        source,
        repeat: kind.repeat,
        live: kind.live,
        mailbox: mailbox.clone(),
        board: board.clone(),
        stop: stopped,
        feed: feed::Feed::new(settings, mailbox.clone(), board.clone()),
        member: member.clone(),
        watchdog: watchdog::Watchdog::new(now),
        outage: None,
        told: None,
        absences: Default::default(),
    };
    let thread = std::thread::Builder::new().name(format!("camera-{name}")).spawn(move || run.run())?;
    Ok(Camera { name, mailbox, board, member, lineup, stop: Some(stop), thread: Some(thread) })
}

impl Camera {
    /// As configured.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Where its frames and notices are: for the watch loop.
    pub fn mailbox(&self) -> Arc<Mailbox> {
        self.mailbox.clone()
    }

    /// How it is now.
    pub fn status(&self) -> Snapshot {
        self.status_reader()()
    }

    /// Tells how it is, from anywhere and even after it has ended.
    pub fn status_reader(&self) -> Box<dyn Fn() -> Snapshot + Send + Sync> {
        let (board, member, lineup) = (self.board.clone(), self.member.clone(), self.lineup.clone());
        Box::new(move || Snapshot { common: member.is_common(), decoder: lineup.report(), ..board.snapshot() })
    }

    /// Tells when its thread was last seen alive, from anywhere: never more than a second ago unless it hangs. The thread
    /// of a clip that is at its end has nothing more to do, so it counts as alive for ever.
    pub fn beat_reader(&self) -> Box<dyn Fn() -> Mono + Send> {
        let board = self.board.clone();
        Box::new(move || if board.snapshot().state == State::Ended { Mono(u64::MAX) } else { board.last_beat() })
    }

    /// Asks the thread to end and does not wait: ask all, then [`Camera::join`] each.
    pub fn ask_to_stop(&mut self) {
        self.stop = None;
    }

    /// Waits until the thread has said goodbye to the camera and ended; well under a second.
    pub fn join(mut self) {
        self.end();
    }

    /// The same, but not beyond `deadline`: a thread that hangs (false) is left to the end of the process.
    pub fn join_by(self, deadline: Mono) -> bool {
        self.join_unless(deadline, || false)
    }

    /// The same, and no longer once somebody `hurries`.
    pub fn join_unless(mut self, deadline: Mono, hurries: impl Fn() -> bool) -> bool {
        self.ask_to_stop();
        let finished = |thread: &JoinHandle<()>| thread.is_finished();
        while !self.thread.as_ref().is_none_or(finished) && time::now().mono < deadline && !hurries() {
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
        let ended = self.thread.as_ref().is_none_or(finished);
        if !ended {
            self.thread = None;
        }
        ended
    }

    fn end(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.end();
    }
}
