//! What the journal holds, in a line.
//!
//! Owns which facts these are; refuses to write anything: without a daemon the file is read as it lies there.

use std::io;
use std::path::Path;

use super::report::{Finding, Report};
use crate::api::{self, Status};
use crate::cli::print;
use crate::journal::{Error, OpenError, Reader, Totals};

const CHECK: &str = "journal";

pub(super) fn examine(folder: &Path, status: Option<&Status>, report: &mut Report) -> io::Result<()> {
    report.tell(
        match status {
            Some(status) => facts(status.journal),
            None => unattended(folder),
        }
        .of(folder.display()),
    )
}

fn unattended(folder: &Path) -> Finding {
    let totals: Result<Totals, Finding> = Reader::open_untouched(folder)
        .map_err(|error| match error {
            OpenError::Missing { .. } => Finding::ok(CHECK, "none yet: the first start makes it"),
            OpenError::Denied { .. } => Finding::warn(CHECK, "this user may not read it", "run this as root"),
            error => Finding::failed(CHECK, error),
        })
        .and_then(|reader| reader.totals().map_err(|error| unread(&error)));
    totals.map_or_else(|finding| finding, |totals| facts(api::Journal::from(&totals)))
}

/// Of an older release, or damaged.
fn unread(error: &Error) -> Finding {
    let text = error.to_string();
    let (what, _) = text.split_once("; ").unwrap_or((&text, ""));
    let remedy = "start the daemon: it brings an older journal up, and mends a damaged one";
    Finding::warn(CHECK, format!("its figures can't be read: {what}"), remedy)
}

fn facts(journal: api::Journal) -> Finding {
    let api::Journal { bytes, events, generation, unclean_starts, resets, dropped, .. } = journal;
    let found =
        format!("{events} events, {}, {generation} starts, {unclean_starts} of them after a kill", print::size(bytes));
    match (resets, dropped) {
        (0, 0) => Finding::ok(CHECK, found),
        _ => Finding::warn(
            CHECK,
            format!(
                "{found}; it was damaged and mended {resets} times, {dropped} deliveries were dropped for want of room"
            ),
            "`stakeout dlq list` shows what was given up; check the disk (`journalctl -k`) if it was damaged",
        ),
    }
}
