//! Logging: journald under systemd, text or JSON on stderr elsewhere. And the last words of a panic.
//!
//! Owns the one global subscriber, and that neither shows a secret ([`redact`]); refuses to know what is logged. Called
//! once, before any thread starts.

mod redacting;

use std::io::{IsTerminal, Write};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{Log, LogFormat};
use crate::redact::redacted;
use redacting::Redacting;

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
    let _ = tracing_subscriber::registry().with(Redacting(layer).with_filter(filter)).try_init();
    Ok(())
}

/// From now on a panic is told without secrets, on stderr as ever.
pub fn watch_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let told = last_words(thread.name().unwrap_or("<unnamed>"), panic);
        // There is nobody left to tell if that fails.
        let _ = std::io::stderr().lock().write_all(told.as_bytes());
    }));
}

fn last_words(thread: &str, panic: &dyn std::fmt::Display) -> String {
    let trace = std::backtrace::Backtrace::capture();
    let trace = match trace.status() {
        std::backtrace::BacktraceStatus::Captured => format!("{trace}"),
        _ => "note: run with RUST_BACKTRACE=1 to see where it came from\n".to_owned(),
    };
    redacted(&format!("\nthread '{thread}' {panic}\n{trace}")).into_owned()
}

/// systemd sets this when stderr goes to the journal.
fn under_journald() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}

fn colour_wanted() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact;
    use crate::secret::Secret;

    #[test]
    fn the_last_words_of_a_panic_hold_no_secret() {
        redact::conceal(&Secret::new("in-a-panic"));
        let told = last_words("camera-dock", &"panicked at src/x.rs:1:1:\nno in-a-panic");
        assert!(told.starts_with("\nthread 'camera-dock' panicked at src/x.rs:1:1:\nno ***\n"), "{told}");
    }
}
