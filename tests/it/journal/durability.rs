//! What was acknowledged is there after `kill -9`, frames included; and the same test notices when it is not.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use stakeout::event::Priority;
use stakeout::journal::{Accepted, OwedFrame, Reader, Record};

use super::*;

const DIR: &str = "STAKEOUT_TEST_JOURNAL_DIR";
const ACKNOWLEDGE: &str = "STAKEOUT_TEST_JOURNAL_ACKNOWLEDGE";

/// Not a test by itself: the process that is killed. It records for ever and prints the ids that it was promised.
#[test]
fn recording_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let before_the_commit = std::env::var(ACKNOWLEDGE).is_ok_and(|when| when == "before");
    let journal = open(dir.as_ref());
    let mut out = std::io::stdout();
    for n in 0_u32.. {
        let event = triggered(Priority::Normal);
        let line = format!("\nacknowledged {}\n", event.id);
        let owed = vec![owed("a", OwedFrame::Original), owed("b", OwedFrame::Scaled(jpeg("small")))];
        let events = vec![Accepted { event, frame: Some(jpeg(&n.to_string())), owed }];
        let record = Record { at: at(0), events, machine: Some(machine()), jobs: Vec::new() };
        if before_the_commit {
            out.write_all(line.as_bytes()).unwrap();
            out.flush().unwrap();
            journal.writer().record(record).wait().unwrap();
        } else {
            journal.writer().record(record).wait().unwrap();
            out.write_all(line.as_bytes()).unwrap();
            out.flush().unwrap();
        }
    }
}

/// Runs the child until it has acknowledged `lines` more, kills it at that moment and tells what it had acknowledged.
fn record_and_kill(dir: &Path, acknowledge: &str, lines: usize) -> Vec<Uuid> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::durability::recording_child", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(ACKNOWLEDGE, acknowledge)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(id) = line.strip_prefix("acknowledged ") {
            acknowledged.push(Uuid::parse_str(id).unwrap());
        }
        if acknowledged.len() == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= lines, "the child ended by itself after {}", acknowledged.len());
    acknowledged
}

/// How many of the acknowledged events the journal lost. Whatever it holds must be sound.
fn lost(dir: &Path, acknowledged: &[Uuid]) -> usize {
    let reader = Reader::open(dir).unwrap();
    assert_eq!(reader.check().unwrap(), "ok");
    for event in reader.events(&all_events()).unwrap() {
        assert!(event.frame.unwrap().exists(), "a row names a missing file");
        assert_eq!(event.deliveries.len(), 2, "a transaction is whole");
    }
    for endpoint in ["a", "b"] {
        let due = reader.due(&name(endpoint), at(0).wall, u32::MAX).unwrap();
        assert!(due.iter().all(|due| due.frame.as_ref().unwrap().exists()), "a row names a missing file");
        assert_eq!(
            due.iter().map(|due| due.sequence).collect::<Vec<_>>(),
            (1..=due.len() as u64).collect::<Vec<_>>(),
            "no gap in the sequence"
        );
    }
    acknowledged.iter().filter(|&&id| reader.event(id).unwrap().is_none()).count()
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for _ in 0..8 {
        acknowledged.extend(record_and_kill(dir.path(), "after", fastrand::usize(1..25)));
        assert_eq!(lost(dir.path(), &acknowledged), 0);
    }
    let journal = open(dir.path());
    assert!(!journal.start().clean);
    assert_eq!(journal.start().generation, 9);
    assert_eq!(lost(dir.path(), &acknowledged), 0, "sweeping orphans takes nothing that a row names");
}

/// The negative control: a daemon that acknowledges before the commit.
#[test]
fn kill_9_loses_what_was_acknowledged_too_early_and_this_test_sees_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for _ in 0..50 {
        acknowledged.extend(record_and_kill(dir.path(), "before", fastrand::usize(1..25)));
        if lost(dir.path(), &acknowledged) > 0 {
            return;
        }
    }
    panic!("50 kills lost nothing: this test could not see a loss");
}
