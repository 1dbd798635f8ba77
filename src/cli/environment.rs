//! The environment that this process is to have: libraries read it once, before or while they are loaded.
//!
//! Owns what we insist on, and why. Refuses to know models and cameras. Runs first, before there are threads.
//!
//! - Nothing about the box leaves it but what its configuration says: the published builds of ONNX Runtime (seen in 1.31)
//!   report to their maker, and keep a device id and a database of reports in the user's cache, unless the environment says
//!   no before the library is loaded; turning it off through its API comes too late for the files.
//! - Nothing secret is written where we don't see it: GStreamer, asked to by its environment, writes its debug lines and the
//!   properties of pipelines, which hold passwords, into files of its own.
//! - What a camera took while it was awake goes back when it sleeps: glibc raises, with every picture that is freed, the size
//!   from which on it takes memory from the kernel and gives it back, up to 32 MiB, and keeps a heap for every thread. Then
//!   pictures lie in heaps that never shrink: with 16 sleeping cameras that is half of all memory (`scripts/bench cameras many`).

use std::os::unix::process::CommandExt;
use std::process::Command;

use super::print;

/// What ONNX Runtime looks for, and glibc's allocator: `mallopt(3)`. Whoever started us may have set others; the unit sets
/// these, so that a service needn't begin twice.
const INSISTED: [(&str, &str); 3] =
    [("ORT_DISABLE_TELEMETRY", "1"), ("MALLOC_MMAP_THRESHOLD_", "1048576"), ("MALLOC_ARENA_MAX", "2")];

/// Where GStreamer is told to write files.
const GSTREAMER_FILES: [&str; 2] = ["GST_DEBUG_FILE", "GST_DEBUG_DUMP_DOT_DIR"];

/// Begins this process again (the same process for whoever started it) with [`INSISTED`] in its environment and without
/// [`GSTREAMER_FILES`], unless it is that way: a program may change its own environment only before it runs.
pub(super) fn insist() {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let missing: Vec<_> = INSISTED.into_iter().filter(|(name, _)| !is_set(name)).collect();
    let files: Vec<_> = GSTREAMER_FILES.into_iter().filter(|name| is_set(name)).collect();
    if missing.is_empty() && files.is_empty() {
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
    let error = again.args(arguments).envs(missing).exec();
    let [wanted @ .., last] = INSISTED.map(|(name, value)| format!("{name}={value}"));
    print::say(&format!(
        "warning: the environment could not be changed ({error}): ONNX Runtime may report to its maker, and memory grow\n\
         hint: set {} and {last}, and neither of {}",
        wanted.join(", "),
        GSTREAMER_FILES.join(" and ")
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_sets_all_that_is_insisted_on() {
        let unit = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/systemd/stakeout.service"));
        let lines = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
        let set: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        for (name, value) in INSISTED {
            assert!(set.contains(&format!("{name}={value}").as_str()), "{name}: {set:?}");
        }
    }
}
