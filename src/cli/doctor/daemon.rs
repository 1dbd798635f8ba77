//! What the running daemon says.
//!
//! Owns what its silence means; refuses to start it.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::report::{Finding, Report};
use crate::api::Status;
use crate::cli::client::{Client, ClientError};
use crate::cli::print;

const CHECK: &str = "daemon";

/// Its status, if it answers.
pub(super) fn examine(socket: &Path, report: &mut Report) -> io::Result<Option<Status>> {
    let Ok(client) = Client::new(socket) else { return Ok(None) };
    match client.get::<Status>("/v1/status", &()) {
        Ok(status) => {
            let up = print::span(Duration::from_secs(status.uptime_s));
            report.tell(Finding::ok(CHECK, format!("{} runs stakeout {}, up {up}", status.device, status.version)))?;
            for warning in &status.warnings {
                report.tell(Finding::warn(CHECK, warning.what.clone(), warning.remedy.clone()))?;
            }
            Ok(Some(status))
        }
        Err(error) => report.tell(silence(&error)).map(|()| None),
    }
}

/// It needn't run for the rest.
fn silence(error: &ClientError) -> Finding {
    match error {
        ClientError::Unreachable(why) => Finding::warn(CHECK, why.to_string(), why.hint()),
        ClientError::Refused(refusal) => Finding::fail(CHECK, refusal.error.clone(), refusal.hint.clone()),
        ClientError::Strange(text) => Finding::fail(
            CHECK,
            format!("its answer can't be understood: {text}"),
            "use the `stakeout` of the daemon's own version; after an upgrade `systemctl restart stakeout`",
        ),
    }
}
