//! What we tell systemd: ready, stopping, a status line, and that the loops are alive.
//!
//! Owns the notification socket; refuses to know what the loops do. Without systemd every call does nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// Start-up is over. Called once, when everything runs.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Shutdown has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Every loop has shown a sign of life.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often to call [`alive`], if systemd watches at all: four times within `WatchdogSec`, so that one look at an unsteady
/// moment is not the end.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 4)
}

fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "cannot notify systemd");
    }
}
