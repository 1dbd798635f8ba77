//! Nothing about the box leaves it but what its configuration says, and nothing secret is written where we don't see it.
//!
//! Owns two facts about the libraries that we load. The published builds of ONNX Runtime (seen in 1.31) report to their
//! maker, and keep a device id and a database of reports in the user's cache, unless the environment says no before the
//! library is loaded; turning it off through its API comes too late for the files. And GStreamer, asked to by its
//! environment, writes its debug lines and the properties of pipelines, which hold passwords, into files of its own.
//! Refuses to know models and cameras. Runs first, before there are threads.

use std::os::unix::process::CommandExt;
use std::process::Command;

use super::print;

/// What ONNX Runtime looks for.
const NO_REPORTS: &str = "ORT_DISABLE_TELEMETRY";

/// Where GStreamer is told to write files.
const GSTREAMER_FILES: [&str; 2] = ["GST_DEBUG_FILE", "GST_DEBUG_DUMP_DOT_DIR"];

/// Begins this process again (the same process for whoever started it) with [`NO_REPORTS`] in its environment and without
/// [`GSTREAMER_FILES`], unless it is that way: a program may change its own environment only before it runs.
pub(super) fn insist() {
    let files = GSTREAMER_FILES.into_iter().filter(|name| std::env::var_os(name).is_some());
    let files: Vec<&str> = files.collect();
    if std::env::var_os(NO_REPORTS).is_some() && files.is_empty() {
        return;
    }
    let mut arguments = std::env::args_os();
    let mut again = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    for name in files {
        print::say(&format!(
            "warning: `{name}` is not followed: what GStreamer would write there shows passwords\n\
             hint: with `GST_DEBUG` alone its lines go to stderr, without secrets"
        ));
        again.env_remove(name);
    }
    let error = again.args(arguments).env(NO_REPORTS, "1").exec();
    print::say(&format!(
        "warning: the environment could not be changed ({error}): ONNX Runtime may report to its maker\n\
         hint: set {NO_REPORTS}=1, and neither of {}",
        GSTREAMER_FILES.join(" and ")
    ));
}
