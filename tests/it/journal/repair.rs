//! Mending rows while the daemon is down leaves what is known of its last end as it is.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use stakeout::delivery::State;
use stakeout::event::Priority;
use stakeout::journal::{DeadFilter, OpenError, Reader};

use super::*;

const DIR: &str = "STAKEOUT_TEST_REPAIR_DIR";

/// A journal with one dead letter, not closed yet.
fn with_a_dead_letter(dir: &Path) -> Journal {
    let journal = open(dir);
    let recorded = journal.writer().record(record(triggered(Priority::Normal), &["a"])).wait().unwrap();
    let dead = settlement(recorded.events[0].deliveries[0].delivery, State::Dead, Some(status(500)), at(1));
    journal.writer().settle(dead).wait().unwrap();
    journal
}

fn redrive(dir: &Path) -> Journal {
    let journal = Journal::open_for_repair(dir, KEEP).unwrap();
    assert_eq!(journal.writer().redrive(DeadFilter::default(), at(2)).wait().unwrap(), 1);
    journal
}

#[test]
fn an_unclean_end_stays_unclean_when_a_repair_ends_well() {
    let dir = tempfile::tempdir().unwrap();
    drop(with_a_dead_letter(dir.path()));
    redrive(dir.path()).close().unwrap();
    let next = open(dir.path());
    assert_eq!((next.start().generation, next.start().clean), (2, false));
    let due = next.reader().unwrap().due(&name("a"), at(2).wall, 9).unwrap();
    assert_eq!(due.len(), 1, "the repair itself is kept");
    assert!(!due[0].standing.maybe_received, "what was sent back while the daemon was down is not in doubt");
}

#[test]
fn a_clean_end_stays_clean_when_a_repair_breaks_off() {
    let dir = tempfile::tempdir().unwrap();
    with_a_dead_letter(dir.path()).close().unwrap();
    drop(redrive(dir.path()));
    let next = open(dir.path());
    assert_eq!((next.start().generation, next.start().clean), (2, true));
    assert_eq!(next.reader().unwrap().due(&name("a"), at(2).wall, 9).unwrap().len(), 1);
}

#[test]
fn a_repair_excludes_a_daemon_and_makes_no_journal() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Journal::open_for_repair(dir.path(), KEEP), Err(OpenError::Missing { .. })));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let daemon = open(dir.path());
    assert!(matches!(Journal::open_for_repair(dir.path(), KEEP), Err(OpenError::InUse { .. })));
    drop(daemon);
    let repair = Journal::open_for_repair(dir.path(), KEEP).unwrap();
    assert!(matches!(Journal::open(dir.path(), KEEP, at(0), nobody()), Err(OpenError::InUse { .. })));
    drop(repair);
}

/// Not a test by itself: somebody who may not write there.
#[test]
fn repairing_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let (repair, read) = (Journal::open_for_repair(dir, KEEP).err().unwrap(), Reader::open(dir).err().unwrap());
    write!(std::io::stdout(), "\nrepair: {repair}\nread: {read}\n").unwrap();
}

#[test]
fn who_may_not_write_there_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    with_a_dead_letter(dir.path()).close().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o555)).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "journal::repair::repairing_child", "--nocapture", "--test-threads=1"]).env(DIR, dir.path());
    if rustix::process::geteuid().is_root() {
        child.uid(65_534);
    }
    let output = child.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let path = dir.path().display();
    let denied = format!("repair: `{path}/lock`: Permission denied (os error 13); check that the directory exists");
    assert!(said.contains(&denied), "{said}");
    let unreadable = format!("read: the journal in `{path}` could not be opened");
    assert!(said.contains(&unreadable) && said.contains("the daemon's user"), "{said}");
}
