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

/// One line for `systemctl status`.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

/// Every loop has shown a sign of life.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often systemd wants [`alive`], if it watches at all: half of `WatchdogSec`, as its manual asks.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "cannot notify systemd");
    }
}
