//! What we tell systemd: starting, ready, stopping, a status line, and that the loops are alive.
//!
//! Owns the notification socket; refuses to know what the loops do. Without systemd every call does nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// Whether start-up is over.
static IS_READY: AtomicBool = AtomicBool::new(false);

/// Start-up goes on: until the next word it may take so long, beyond the unit's `TimeoutStartSec`. Whoever hangs is ended
/// then. Once start-up is over this says nothing.
pub fn starting(longest: Duration) {
    if !IS_READY.load(Ordering::Relaxed) {
        let microseconds = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
        tell(&[NotifyState::ExtendTimeoutUsec(microseconds)]);
    }
}

/// Start-up is over. Called once, when everything runs.
pub fn ready() {
    IS_READY.store(true, Ordering::Relaxed);
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
