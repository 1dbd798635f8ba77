//! Nothing about the box leaves it but what its configuration says.
//!
//! Owns one fact: the published builds of ONNX Runtime (seen in 1.31) report to their maker, and keep a device id and a
//! database of reports in the user's cache, unless the environment says no before the library is loaded. Turning it off
//! through its API comes too late for the files. Refuses to know models. Runs first, before there are threads.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// What the library looks for.
const NO_REPORTS: &str = "ORT_DISABLE_TELEMETRY";

/// Begins this process again (the same process for whoever started it) with [`NO_REPORTS`] in its environment, unless it
/// is there: a program may change its own environment only before it runs.
pub(super) fn insist() {
    if std::env::var_os(NO_REPORTS).is_some() {
        return;
    }
    let mut arguments = std::env::args_os();
    let mut again = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let error = again.args(arguments).env(NO_REPORTS, "1").exec();
    tracing::warn!("ONNX Runtime may report to its maker: {error}; set {NO_REPORTS}=1 in the environment");
}
