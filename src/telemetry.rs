//! Logging: journald under systemd, text or JSON on stderr elsewhere.
//!
//! Owns the one global subscriber; refuses to know what is logged. Called once, before any thread starts.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{Log, LogFormat};

/// Why logging can't start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `[log] filter` is not a filter.
    #[error("`[log] filter = \"{filter}\"` isn't a log filter; use for instance \"info\" or \"debug,hyper=info\"")]
    Filter {
        /// What was given.
        filter: String,
    },
}

/// Starts logging as `[log]` says.
pub fn start(log: &Log) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|_| TelemetryError::Filter { filter: log.filter.clone() })?;
    let stderr = || tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match log.format {
        LogFormat::Json => stderr().json().flatten_event(true).boxed(),
        LogFormat::Auto if under_journald() => match tracing_journald::layer() {
            Ok(journald) => journald.with_syslog_identifier("stakeout".to_owned()).boxed(),
            Err(_) => stderr().with_ansi(false).without_time().boxed(),
        },
        LogFormat::Auto | LogFormat::Text => stderr().with_ansi(colour_wanted()).boxed(),
    };
    // A second start (tests in one process) keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    Ok(())
}

/// systemd sets this when stderr goes to the journal.
fn under_journald() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}

fn colour_wanted() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
