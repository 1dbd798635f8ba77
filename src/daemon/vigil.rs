//! The main thread's watch: signals, systemd's watchdog, and the housekeeping of the journal.
//!
//! Owns what happens regularly while the daemon runs; refuses to know what the loops do. Signals are heard from the first
//! moment on, even before anybody waits for them.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::attendance::Attendance;
use super::heartbeats::Heartbeats;
use super::notices::Notices;
use super::pulse::Pulse;
use crate::{systemd, telemetry, time};

/// What is over is purged this often, in small batches.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// The loops are looked at this often where no watchdog asks for more.
const LOOK: Duration = Duration::from_secs(5);

/// Waits for the end.
pub(super) struct Vigil {
    terminate: Signal,
    interrupt: Signal,
}

impl Vigil {
    /// From here on SIGTERM and SIGINT are heard.
    pub(super) fn new(tokio: &Runtime) -> io::Result<Vigil> {
        let _inside = tokio.enter();
        Ok(Vigil { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Until SIGTERM or SIGINT: feeds the watchdog while every loop is alive, keeps house, says which cameras are there
    /// and, where that is wanted, what was watched.
    pub(super) async fn keep(
        mut self,
        pulse: Pulse,
        notices: Notices,
        attendance: Attendance,
        heartbeats: Option<Heartbeats>,
    ) {
        let (housekeeping, attending) = (tokio::spawn(keep_house(notices)), tokio::spawn(attendance.keep()));
        let beating = heartbeats.map(|heartbeats| tokio::spawn(heartbeats.keep()));
        let mut look = tokio::time::interval(systemd::watchdog_interval().unwrap_or(LOOK));
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = look.tick() => {
                    telemetry::sum_up();
                    if pulse.is_steady(time::now()) {
                        systemd::alive();
                    }
                }
            }
        }
        housekeeping.abort();
        attending.abort();
        if let Some(beating) = beating {
            beating.abort();
        }
    }
}

/// Purges what is over, batch by batch, so that what happens meanwhile never waits for long. Says what the journal has to
/// say.
async fn keep_house(notices: Notices) {
    let mut due = tokio::time::interval(HOUSEKEEPING);
    loop {
        due.tick().await;
        if let Err(error) = notices.state(time::now()).await {
            tracing::error!(%error, "the journal could not say what it has to say");
        }
        loop {
            match notices.scribe.writer.purge(time::now()).await {
                Ok(purged) if purged.more => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(%error, "what is over could not be purged");
                    break;
                }
            }
        }
    }
}
