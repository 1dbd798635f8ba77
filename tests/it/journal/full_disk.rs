//! A disk that somebody else fills, and one that fails: nothing acknowledged is missing, and the journal gets over the first.
//!
//! Small file systems are mounted (root), failing system calls come from strace.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitStatus, Stdio};

use stakeout::delivery::State;
use stakeout::event::Priority;
use stakeout::journal::{Accepted, Error, OpenError, OwedFrame, Reader, Record, Writer};

use super::*;
use crate::disk::Disk;
use crate::shared::skip;

const DIR: &str = "STAKEOUT_TEST_FULL_DISK_DIR";
const MANY: &str = "STAKEOUT_TEST_ALL_FAULTS";

fn framed(priority: Priority, bytes: usize) -> Record {
    let owed = vec![owed("a", OwedFrame::Original)];
    let events = vec![Accepted { event: triggered(priority), frame: Some(vec![7; bytes].into()), owed }];
    Record { at: at(0), events, machine: Some(machine()), jobs: Vec::new() }
}

/// The id of the delivery, once it is taken; as a machine does, again when it is refused.
fn record_until_taken(writer: &Writer, times: usize) -> Option<Uuid> {
    for _ in 0..times {
        match writer.record(framed(Priority::Normal, 20_000)).wait() {
            Ok(recorded) => return Some(recorded.events[0].deliveries[0].delivery),
            Err(Error::Full(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    None
}

fn deliver(writer: &Writer, delivery: Uuid) {
    writer.settle(settlement(delivery, State::Delivered, Some(status(200)), at(1))).wait().unwrap();
}

#[test]
fn a_disk_that_somebody_else_fills_is_got_over() {
    let Some(disk) = Disk::mount("24m") else { return };
    let dir = disk.path().join("state");
    let journal = open(&dir);
    let writer = journal.writer();
    let mut owed: Vec<Uuid> = (0..100).map(|_| record_until_taken(&writer, 1).unwrap()).collect();
    for delivery in owed.drain(..60) {
        deliver(&writer, delivery);
    }
    assert!(dir.join("ballast").exists());
    disk.fill();
    for _ in 0..60 {
        owed.push(record_until_taken(&writer, 10).expect("the ballast and what was delivered make room"));
    }
    assert!(!dir.join("ballast").exists());
    let rows = journal.reader().unwrap().deliveries(&all_deliveries()).unwrap();
    assert!(owed.iter().all(|id| rows.iter().any(|row| row.id == *id)), "nothing acknowledged is missing");
    assert!(rows.iter().all(|row| row.standing.state == State::Pending), "what was delivered made room");
    assert_eq!(journal.reader().unwrap().totals().unwrap().dropped, 0);

    disk.empty();
    owed.push(record_until_taken(&writer, 2).unwrap());
    // The disk is looked at after the answer, and before the next one.
    writer.notices(at(1)).wait().unwrap();
    assert!(dir.join("ballast").exists(), "once there is space again it is taken back");
    journal.close().unwrap();
    let reader = Reader::open(&dir).unwrap();
    assert_eq!(reader.check().unwrap(), "ok");
    assert_eq!(reader.deliveries(&all_deliveries()).unwrap().len(), owed.len());
}

#[test]
fn on_a_disk_that_stays_full_the_newest_takes_the_place_of_the_least() {
    let Some(disk) = Disk::mount("24m") else { return };
    let journal = open(&disk.path().join("state"));
    let writer = journal.writer();
    for _ in 0..100 {
        record_until_taken(&writer, 1).unwrap();
    }
    disk.fill();
    let mut newest = None;
    for _ in 0..2000 {
        let record = record(triggered(Priority::High), &["a"]);
        match writer.record(record).wait() {
            Ok(recorded) => newest = Some(recorded.events[0].deliveries[0].delivery),
            Err(Error::Full(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let reader = journal.reader().unwrap();
    let newest = reader.delivery(newest.expect("some were taken")).unwrap().unwrap().0;
    assert_eq!(newest.standing.state, State::Pending);
    assert!(newest.sequence > 1000, "it went on for long: {}", newest.sequence);
    assert!(reader.totals().unwrap().dropped > 0, "and what it cost is counted");
    journal.close().unwrap();
    assert_eq!(Reader::open(&disk.path().join("state")).unwrap().check().unwrap(), "ok");
}

/// The negative control: what everybody would try first.
#[test]
fn without_a_ballast_one_large_delete_does_not_get_over_a_full_disk() {
    let Some(disk) = Disk::mount("24m") else { return };
    let journal = open(&disk.path().join("state"));
    let writer = journal.writer();
    for _ in 0..300 {
        let delivery = record_until_taken(&writer, 1).unwrap();
        deliver(&writer, delivery);
    }
    journal.close().unwrap();
    fs::remove_file(disk.path().join("state").join("ballast")).unwrap();
    disk.fill();
    let by_hand = rusqlite::Connection::open(disk.path().join("state").join("journal.db"))
        .and_then(|connection| connection.execute("DELETE FROM delivery WHERE state = 'delivered'", []));
    assert!(by_hand.is_err(), "this disk was not full");
}

#[test]
fn a_box_whose_disk_is_full_starts() {
    let Some(disk) = Disk::mount("24m") else { return };
    let journal = open(&disk.path().join("state"));
    let writer = journal.writer();
    let owed: Vec<Uuid> = (0..40).map(|_| record_until_taken(&writer, 1).unwrap()).collect();
    journal.close().unwrap();
    disk.fill();
    let holds_all = |journal: &Journal| {
        let rows = journal.reader().unwrap().deliveries(&all_deliveries()).unwrap();
        owed.iter().all(|id| rows.iter().any(|row| row.id == *id))
    };
    // The first start has the ballast to live on, the second the frames. Somebody takes whatever is given up.
    for _ in 0..2 {
        let journal = open(&disk.path().join("state"));
        assert!(holds_all(&journal));
        assert!(record_until_taken(&journal.writer(), 10).is_some());
        drop(journal);
        disk.fill();
    }
    while fs::read_dir(disk.path().join("state").join("frames")).unwrap().count() > 0 {
        match Journal::open(&disk.path().join("state"), KEEP, at(0), nobody()) {
            Ok(journal) => drop(journal),
            Err(error) => assert!(matches!(error, OpenError::Full { .. }), "{error}"),
        }
        disk.fill();
    }
    let error =
        Journal::open(&disk.path().join("state"), KEEP, at(0), nobody()).err().expect("nothing is left to give up");
    assert!(error.to_string().ends_with("free some space on its disk"), "{error}");
    disk.empty();
    assert!(holds_all(&open(&disk.path().join("state"))));
}

/// Not a test by itself: a process that records, delivers, and prints what it was promised. Its disk is made to fail.
#[test]
fn faulty_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let journal = match Journal::open(dir.as_ref(), KEEP, at(0), nobody()) {
        Ok(journal) => journal,
        Err(error) => {
            writeln!(std::io::stdout(), "\nno start: {error}").unwrap();
            std::process::exit(1);
        }
    };
    let (writer, mut out) = (journal.writer(), std::io::stdout());
    for n in 0..12 {
        let Some(delivery) = record_until_taken(&writer, 10) else { continue };
        writeln!(out, "\ntaken {delivery}").unwrap();
        if n % 3 == 0 {
            let settled = writer.settle(settlement(delivery, State::Delivered, Some(status(200)), at(1))).wait();
            if settled.is_ok() {
                writeln!(out, "\ndelivered {delivery}").unwrap();
            }
        }
    }
    drop(journal);
    std::process::exit(0);
}

/// What the process was promised: taken, and delivered.
struct Promised {
    taken: Vec<Uuid>,
    delivered: Vec<Uuid>,
    started: bool,
    ended: ExitStatus,
}

/// Runs the child with a fault at its n-th call, None without. None: there is no strace.
fn run_with_fault(dir: &Path, fault: Option<&str>) -> Option<Promised> {
    let this = std::env::current_exe().unwrap();
    let mut child = match fault {
        Some(fault) => {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={fault}")]).arg(this);
            strace
        }
        None => Command::new(this),
    };
    child.args(["--exact", "journal::full_disk::faulty_child", "--nocapture", "--test-threads=1"]).env(DIR, dir);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut promised =
        Promised { taken: Vec::new(), delivered: Vec::new(), started: true, ended: ExitStatus::default() };
    for line in BufReader::new(child.stdout.take()?).lines() {
        let line = line.unwrap();
        let id = |word: &str| line.strip_prefix(word).and_then(|id| Uuid::parse_str(id).ok());
        promised.taken.extend(id("taken "));
        promised.delivered.extend(id("delivered "));
        promised.started &= !line.starts_with("no start");
    }
    promised.ended = child.wait().unwrap();
    Some(promised)
}

/// Everything that was promised is there, and the next process goes on with it.
fn keeps_its_promise(dir: &Path, promised: &Promised, fault: &str) {
    let journal = open(dir);
    assert_eq!(journal.start().salvaged, None, "{fault}: a fault is no damage");
    let reader = journal.reader().unwrap();
    assert_eq!(reader.check().unwrap(), "ok", "{fault}");
    for &id in &promised.taken {
        let (row, _) = reader.delivery(id).unwrap().unwrap_or_else(|| panic!("{fault}: {id} is missing"));
        let delivered = promised.delivered.contains(&id);
        assert!(!delivered || row.standing.state == State::Delivered, "{fault}: {id} was delivered");
    }
    let mut sequences: Vec<u64> =
        reader.deliveries(&all_deliveries()).unwrap().iter().map(|row| row.sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>(), "{fault}: no gap");
    assert!(record_until_taken(&journal.writer(), 3).is_some(), "{fault}: it goes on");
}

/// Every one where asked for (`STAKEOUT_TEST_ALL_FAULTS=1`), else a few.
fn places(last: usize) -> Vec<usize> {
    if std::env::var_os(MANY).is_some() {
        return (1..=last).collect();
    }
    let few = (1..8).map(|_| fastrand::usize(1..=last));
    [1, 2, 3].into_iter().chain(few).collect()
}

fn strace_is_here() -> bool {
    let here = Command::new("strace").arg("--version").output().is_ok_and(|strace| strace.status.success());
    if !here {
        skip("strace is not here");
    }
    here
}

#[test]
fn a_disk_that_is_full_at_any_write_costs_nothing_that_was_acknowledged() {
    if !strace_is_here() {
        return;
    }
    for n in places(150) {
        let dir = tempfile::tempdir().unwrap();
        let fault = format!("pwrite64:error=ENOSPC:when={n}..{}", n + n % 3);
        let promised = run_with_fault(dir.path(), Some(&fault)).unwrap();
        assert!(
            promised.ended.success() || !promised.started,
            "{fault}: a full disk ends no process: {}",
            promised.ended
        );
        assert!(!promised.started || promised.taken.len() >= 10, "{fault}: only {} were taken", promised.taken.len());
        keeps_its_promise(dir.path(), &promised, &fault);
    }
}

#[test]
fn a_disk_that_fails_to_flush_ends_the_process_before_it_acknowledges() {
    if !strace_is_here() {
        return;
    }
    let mut ended = 0;
    for n in places(60) {
        let dir = tempfile::tempdir().unwrap();
        // A journal that is there already: the fault is to hit the writer.
        drop(open(dir.path()));
        let fault = format!("fsync,fdatasync:error=EIO:when={n}");
        let promised = run_with_fault(dir.path(), Some(&fault)).unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        ended += usize::from(!promised.ended.success());
        assert!(promised.ended.success() || promised.taken.len() < 12, "{fault}: it went on");
        drop(reader);
        keeps_its_promise(dir.path(), &promised, &fault);
    }
    assert!(ended > 0, "no fault ever hit");
}

/// The negative control of both: a process without faults takes everything.
#[test]
fn without_faults_everything_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let promised = run_with_fault(dir.path(), None).unwrap();
    assert!(promised.ended.success() && promised.started);
    assert_eq!((promised.taken.len(), promised.delivered.len()), (12, 4));
}
