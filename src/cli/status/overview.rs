//! What the page says before and behind its tables.
//!
//! Owns these lines: which box, how it is in one line, what to do on a box that watches nothing yet, what is kept. Refuses to
//! know where they stand. Pure.

use std::time::Duration;

use crate::api::{CameraState, Clock, Library, MonitorState, Status};
use crate::cli::line::Line;
use crate::cli::print::{self, Tint};

/// Which box it is.
pub(super) fn title(status: &Status) -> Line {
    let up = print::span(Duration::from_secs(status.uptime_s));
    let line = Line::new(&status.device, Tint::Bold);
    let line = line.and(&format!("  stakeout {}  up {up}  clock ", status.version), Tint::Plain);
    match status.clock {
        Clock::Synced => line.and("synced", Tint::Plain),
        Clock::Estimated => line.and("not synced", Tint::Odd),
    }
}

/// How it is: what stays to be seen on the smallest terminal.
pub(super) fn summary(status: &Status) -> Line {
    let Status { cameras, monitors, endpoints, .. } = status;
    let mut line = match status.warnings.len() {
        0 => Line::new("no warnings", Tint::Good),
        1 => Line::new("1 warning", Tint::Odd),
        many => Line::new(&format!("{many} warnings"), Tint::Odd),
    };
    let mut also = |text: String, tint| {
        line.push(", ", Tint::Plain);
        line.push(&text, tint);
    };
    let away = cameras.iter().filter(|camera| camera.state == CameraState::Offline).count();
    let online = cameras.iter().filter(|camera| camera.state == CameraState::Online).count();
    let tint = if away > 0 { Tint::Bad } else { Tint::Plain };
    also(format!("{online} of {} cameras online", cameras.len()), tint);
    let open = monitors.iter().filter(|monitor| monitor.state == MonitorState::Open).count();
    also(format!("{open} of {} monitors open", monitors.len()), Tint::Plain);
    let owed: u64 = endpoints.iter().map(|endpoint| endpoint.pending + endpoint.held).sum();
    also(format!("{owed} owed"), Tint::Plain);
    let dead: u64 = endpoints.iter().map(|endpoint| endpoint.dead).sum();
    if dead > 0 {
        also(format!("{dead} dead"), Tint::Bad);
    }
    line
}

/// What to do on a box where something has yet to be set up. (Of one without any camera the daemon warns.)
pub(super) fn next_step(status: &Status) -> Option<String> {
    let what = match (status.cameras.is_empty(), status.monitors.is_empty(), status.endpoints.is_empty()) {
        (false, true, _) => "nothing is looked for yet: write a `[[monitor]]` into the configuration",
        (false, false, true) => "nobody is told of events yet: write an `[[endpoint]]` into the configuration",
        (true, ..) | (false, false, false) => return None,
    };
    let then = "`stakeout config` prints the manual, `stakeout check --live` tries what you wrote, and a restart puts it in force \
                (`sudo systemctl restart stakeout`)";
    Some(format!("{what}; {then}"))
}

/// What is kept, and what models run on.
pub(super) fn foot(status: &Status) -> Vec<Line> {
    let journal = &status.journal;
    let free =
        journal.disk_free_bytes.map_or_else(String::new, |free| format!(", {} free on its disk", print::size(free)));
    let kept = format!(
        "journal  {} events, {}{free}, start number {}",
        journal.events,
        print::size(journal.bytes),
        journal.generation
    );
    let mut foot = vec![Line::new(&kept, Tint::Faint)];
    if let Some(Library { path, version }) = &status.onnxruntime {
        foot.push(Line::new(&format!("models   ONNX Runtime {version}, {path}"), Tint::Faint));
    }
    foot
}
