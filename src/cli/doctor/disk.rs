//! The disk of the state folder: room, and how long it takes to keep its word.
//!
//! Owns what is tolerable; refuses to measure by itself (`journal`).

use std::io;
use std::path::Path;
use std::time::Duration;

use super::report::{Finding, Report};
use crate::cli::print;
use crate::config::Storage;
use crate::journal::{FlushTimes, flush_times, free_bytes};

/// With less than this the journal has no ballast (8 MiB, held while four times as much is free), and a full disk is near.
const FULL: u64 = 32 << 20;

/// Every alert waits for one of these before it leaves: more than this is felt.
const TOLERABLE: Duration = Duration::from_millis(100);

/// A loop that waits for 20 s counts as stuck, and systemd ends the daemon: a quarter of that is too near.
const UNUSABLE: Duration = Duration::from_secs(5);

pub(super) fn examine(storage: &Storage, report: &mut Report) -> io::Result<()> {
    let folder = storage.path.as_path();
    // Before the first start: the disk that it will be on.
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    report.tell(match free_bytes(there) {
        Some(free) => room(free, storage.max_size, taken(folder)).of(there.display()),
        None => Finding::warn("disk", "the system doesn't tell how much is free", "see `df`").of(there.display()),
    })?;
    report.tell(
        match flush_times(there) {
            Ok(times) => pace(times),
            Err(error) => unwritable(&error, folder == there),
        }
        .of(there.display()),
    )
}

fn room(free: u64, max_size: u64, taken: u64) -> Finding {
    let due = max_size.saturating_sub(taken);
    let found = format!("{} free, and the journal may grow by {}", print::size(free), print::size(due));
    match free {
        ..FULL => Finding::fail(
            "disk",
            format!("full: {} free; below {} events are refused", print::size(free), print::size(FULL)),
            "free some space: `du -xh / | sort -h | tail`",
        ),
        _ if free < due => {
            let remedy = "free some space, or lower `[storage] max_size` to what the disk has";
            Finding::warn("disk", format!("{found}: more than there is"), remedy)
        }
        _ => Finding::ok("disk", found),
    }
}

/// By the files themselves; what can't be looked at counts nothing.
fn taken(folder: &Path) -> u64 {
    let size = |path: &Path| -> u64 {
        let files = std::fs::read_dir(path).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).filter(|file| file.is_file()).map(|file| file.len()).sum()
    };
    size(folder) + size(&folder.join("frames"))
}

fn pace(FlushTimes { median, worst }: FlushTimes) -> Finding {
    let shown = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let found =
        format!("a flush takes {} (at worst {}); up to {} is tolerable", shown(median), shown(worst), shown(TOLERABLE));
    let remedy = "every alert waits for one of these: look for a worn card or a busy disk (`iostat -x 1`), or put \
                  `[storage] path` on a better one";
    match median {
        _ if worst >= UNUSABLE => Finding::fail("flush", found, remedy),
        _ if median > TOLERABLE => Finding::warn("flush", found, remedy),
        _ => Finding::ok("flush", found),
    }
}

/// `is_state`: the state folder itself, not one above it, where we need not be able to write.
fn unwritable(error: &io::Error, is_state: bool) -> Finding {
    let found = format!("not measured, because nothing can be written there: {error}");
    match error.kind() {
        io::ErrorKind::Unsupported | io::ErrorKind::IsADirectory => Finding::warn(
            "flush",
            format!("not measured: {error}"),
            "a local disk with ext4 or xfs is what this is made for",
        ),
        io::ErrorKind::PermissionDenied => Finding::warn("flush", found, "run this as root, or as the service's user"),
        _ => Finding::fail("flush", found, "free some space, or mount the disk for writing").only_odd(!is_state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(finding: Finding) -> String {
        serde_json::to_value(finding).unwrap()["level"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_disk_needs_room_for_what_the_journal_may_become() {
        assert_eq!(level(room(10 << 30, 4 << 30, 0)), "ok");
        assert_eq!(level(room(1 << 30, 4 << 30, 0)), "warn");
        assert_eq!(level(room(1 << 30, 4 << 30, 4 << 30)), "ok", "it has all that it may take");
        assert_eq!(level(room(1 << 20, 4 << 30, 4 << 30)), "fail");
    }

    #[test]
    fn a_slow_disk_is_told() {
        let times =
            |median, worst| FlushTimes { median: Duration::from_millis(median), worst: Duration::from_millis(worst) };
        assert_eq!(level(pace(times(5, 400))), "ok", "one hiccup");
        assert_eq!(level(pace(times(150, 400))), "warn");
        assert_eq!(level(pace(times(150, 6000))), "fail");
    }

    #[test]
    fn who_may_not_write_can_not_tell() {
        assert_eq!(level(unwritable(&io::ErrorKind::PermissionDenied.into(), true)), "warn");
        assert_eq!(level(unwritable(&io::ErrorKind::StorageFull.into(), true)), "fail");
        assert_eq!(level(unwritable(&io::ErrorKind::ReadOnlyFilesystem.into(), true)), "fail");
    }
}
