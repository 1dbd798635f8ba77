//! A journal that version 1 of the schema wrote opens and lists, whatever this release writes.
//!
//! `STAKEOUT_WRITE_FIXTURE=1 cargo test --test it journal::fixture` writes it anew; done once, with the first release.

use std::path::PathBuf;

use stakeout::delivery::State;
use stakeout::event::{EventData, Priority};
use stakeout::journal::{Accepted, JobFilter, OwedFrame, Reader, Record};

use super::*;

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/journal-v1.sqlite")
}

/// Every table that version 1 fills has a row.
fn write_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let owed = vec![owed("delivered", OwedFrame::None), owed("waiting", OwedFrame::None)];
    let event = Event { id: Uuid::from_u128(1), ..triggered(Priority::High) };
    let events = vec![Accepted { event, frame: None, owed }];
    let record = Record { at: at(0), events, machine: Some(machine()), jobs: vec![job()] };
    let stamps = journal.writer().record(record).wait().unwrap().events[0].deliveries.clone();
    let settled = settlement(stamps[0].delivery, State::Delivered, Some(status(200)), at(1));
    journal.writer().settle(settled).wait().unwrap();
    journal.close().unwrap();
    std::fs::copy(dir.path().join("journal.db"), fixture()).unwrap();
}

#[test]
fn a_journal_of_version_1_opens_and_lists() {
    if std::env::var_os("STAKEOUT_WRITE_FIXTURE").is_some() {
        write_fixture();
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(fixture(), dir.path().join("journal.db")).unwrap();
    let journal = open(dir.path());
    assert_eq!((journal.start().generation, journal.start().clean), (2, true));
    let reader = Reader::open(dir.path()).unwrap();
    let events = reader.events(&all_events()).unwrap();
    let boot = events[0].event.boot;
    let mut expected = Event { id: Uuid::from_u128(1), boot, ..triggered(Priority::High) };
    if let EventData::Triggered(triggered) = &mut expected.data {
        // Told since a later release.
        (triggered.label, triggered.from_ms, triggered.to_ms) = Default::default();
    }
    assert_eq!(events[0].event, expected);
    assert_eq!(
        events[0].deliveries.iter().map(|brief| brief.state).collect::<Vec<_>>(),
        [State::Delivered, State::Pending]
    );
    let (delivered, attempts) = reader.delivery(events[0].deliveries[0].id).unwrap().unwrap();
    assert_eq!((delivered.last_status, attempts.len()), (Some(200), 1));
    let due = reader.due(&name("waiting"), at(0).wall, 9).unwrap();
    let expected = format!(r#"{{"sequence":1,"delivery":"{}","frame_b64":""}}"#, due[0].id);
    assert_eq!(String::from_utf8(due[0].bytes().unwrap()).unwrap(), expected, "frozen for ever");
    assert_eq!(reader.machines().unwrap()[0].state, machine().state);
    assert_eq!(reader.jobs(&JobFilter::default()).unwrap(), [job()]);
    let next = journal.writer().record(record(triggered(Priority::Low), &["waiting"])).wait().unwrap();
    assert_eq!((next.events[0].seq, next.events[0].deliveries[0].sequence), (2, 2), "numbers go on");
}
