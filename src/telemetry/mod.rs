//! Logging: to journald under systemd, text on a terminal, JSON lines elsewhere. And the last words of a panic.
//!
//! Owns the one global subscriber: where lines go, that none shows a secret ([`redact`](crate::redact)), and that a repeated
//! trouble is said once and then summed up. Refuses to know what is logged. Called once, before any thread starts.
//!
//! In the journal every field of a line is a field of its own, in capitals: `journalctl CAMERA=dock`. So a field is named
//! `camera`, `monitor`, `endpoint` or `event` (a type of event) where a line is about one, and never like one of systemd's
//! own (`priority`, `unit`).

mod redacting;
mod repeats;
mod said;
mod sparing;
mod wanted;

use std::io::{IsTerminal, Write};

use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{Log, LogFormat};
use crate::redact::redacted;
use redacting::Redacting;
use sparing::Sparing;
use wanted::Wanted;

pub use sparing::{sum_up, sum_up_at_the_end};

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
    let wanted = Wanted::new(filter);
    let stderr = || tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match log.format {
        LogFormat::Auto if under_journald() => match tracing_journald::layer() {
            Ok(journald) => as_people_ask(journald).boxed(),
            // What it reads of stderr it stamps itself.
            Err(_) => stderr().with_ansi(false).without_time().boxed(),
        },
        LogFormat::Auto if !std::io::stderr().is_terminal() => stderr().json().flatten_event(true).boxed(),
        LogFormat::Json => stderr().json().flatten_event(true).boxed(),
        LogFormat::Auto | LogFormat::Text => stderr().with_ansi(colour_wanted()).boxed(),
    };
    // A second start (tests in one process) keeps the first subscriber.
    let spared = Redacting(Sparing::new(layer, wanted.clone()));
    let _ = tracing_subscriber::registry().with(spared.with_filter(wanted)).try_init();
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

/// Fields under their own names, and levels where `journalctl -p info` looks for them.
fn as_people_ask(journald: tracing_journald::Layer) -> tracing_journald::Layer {
    let levels = PriorityMappings {
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
        ..PriorityMappings::new()
    };
    journald.with_field_prefix(None).with_syslog_identifier("stakeout".to_owned()).with_priority_mappings(levels)
}

/// Whether stderr goes to the journal: systemd says which file that is (`systemd.exec(5)`), and whoever starts a daemon from
/// a service of his own passes the word on without the file.
fn under_journald() -> bool {
    let Some(told) = std::env::var_os("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(std::io::stderr()).is_ok_and(|stderr| told == *format!("{}:{}", stderr.st_dev, stderr.st_ino))
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
