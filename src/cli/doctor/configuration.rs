//! Whether the configuration can be read.
//!
//! Owns what is gone on with where it can't: the defaults. What it leads to, the other checks tell.

use std::io;
use std::path::Path;

use super::report::{Finding, Report};
use crate::cli::check::counted;
use crate::config::{self, Config, Diagnostics, Severity};

const CHECK: &str = "configuration";

/// The file's, or the defaults.
pub(super) fn examine(path: &Path, report: &mut Report) -> io::Result<Config> {
    let shown = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::NotFound => "`stakeout init` makes one, `stakeout config` prints one to start from",
                io::ErrorKind::PermissionDenied => "run this as root",
                _ => "name another file with `--config`",
            };
            report.tell(Finding::fail(CHECK, format!("`{shown}` can't be read: {error}"), remedy))?;
            return Ok(defaults());
        }
    };
    let (config, diagnostics) = match config::parse(&text, &shown) {
        Ok(parsed) => (Some(parsed.config), parsed.diagnostics),
        Err(wrong) => (None, wrong),
    };
    tell(CHECK, &diagnostics, report)?;
    match &config {
        None => report.tell(Finding::warn(
            CHECK,
            "everything below is looked at as if the file were empty",
            "mend it and run this again",
        ))?,
        Some(config) => {
            let Config { cameras, monitors, endpoints, .. } = config;
            let counts = [(cameras.len(), "camera"), (monitors.len(), "monitor"), (endpoints.len(), "endpoint")];
            let counts = counts.map(|(count, thing)| counted(count, thing)).join(", ");
            let empty = cameras.is_empty() || monitors.is_empty() || endpoints.is_empty();
            report.tell(match empty {
                true => Finding::warn(
                    CHECK,
                    format!("{shown}: {counts}, so no alert can ever be sent"),
                    "`stakeout init` makes one of each",
                ),
                false => Finding::ok(CHECK, format!("{shown}: {counts}")),
            })?;
        }
    }
    Ok(config.unwrap_or_else(defaults))
}

/// Each problem by itself.
pub(super) fn tell(check: &'static str, diagnostics: &Diagnostics, report: &mut Report) -> io::Result<()> {
    for (severity, what, hint) in diagnostics.plain() {
        let hint = if hint.is_empty() { "`stakeout check` shows the line".to_owned() } else { hint };
        report.tell(match severity {
            Severity::Error => Finding::fail(check, what, hint),
            Severity::Warning => Finding::warn(check, what, hint),
        })?;
    }
    Ok(())
}

fn defaults() -> Config {
    config::parse("", "nothing").map(|parsed| parsed.config).expect("every setting has a default")
}
