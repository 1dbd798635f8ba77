//! Whether the wall clock is right, as far as can be told from here.
//!
//! Owns whom is asked; refuses to read clocks (`time`). What receivers think of it, the check of an endpoint tells.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::report::{Finding, Report};
use crate::time::now;

/// There while systemd-timesyncd has set the clock in this boot.
const TIMESYNCD: &str = "/run/systemd/timesync/synchronized";

/// `status` and heartbeats call this clock synced, too: what is doubtful is whether it stays so.
const BELIEVED: &str =
    "is believed (plausible, minutes after the boot), but no time service that keeps it right is known here";

const REMEDY: &str =
    "let a time service keep it: `apt install systemd-timesyncd`, or chrony; `timedatectl` shows how it stands";

pub(super) fn examine(report: &mut Report) -> io::Result<()> {
    let now = now();
    let shown = jiff::Timestamp::from_millisecond(now.wall.0).map_or_else(|_| "?".to_owned(), |it| format!("{it:.0}"));
    report.tell(match now.synced {
        false => Finding::warn("clock", format!("it shows {shown}, which can't be believed yet"), REMEDY),
        true if Path::new(TIMESYNCD).exists() => Finding::ok("clock", format!("{shown}, set by systemd-timesyncd")),
        true => match kernel_says() {
            Some(true) => Finding::ok("clock", format!("{shown}, kept by a time service")),
            Some(false) => Finding::warn("clock", format!("it shows {shown}, and nobody keeps it right"), REMEDY),
            None => Finding::warn("clock", format!("it shows {shown}, which {BELIEVED}"), REMEDY),
        },
    })
}

/// Any service's trace, if systemd is there to be asked.
fn kernel_says() -> Option<bool> {
    let mut ask = Command::new("timedatectl");
    let asked = ask.args(["show", "-p", "NTPSynchronized", "--value"]).stderr(Stdio::null()).output();
    match String::from_utf8(asked.ok()?.stdout).ok()?.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}
