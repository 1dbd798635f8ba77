//! Nothing grows for ever, and a disk without room costs a picture before it costs an event.

use stakeout::delivery::State;
use stakeout::event::{JobStatus, Priority};
use stakeout::journal::{Accepted, Error, JobFilter, OwedFrame, Purged, Record};

use super::*;

const SMALL: Keep = Keep { max_size: 1 << 20, ..KEEP };

fn open_small(dir: &Path) -> Journal {
    Journal::open(dir, SMALL, at(0), nobody()).unwrap()
}

fn framed(frame: &[u8]) -> Record {
    framed_event(triggered(Priority::Normal), frame)
}

fn framed_event(event: Event, frame: &[u8]) -> Record {
    let owed = vec![owed("a", OwedFrame::Original), owed("b", OwedFrame::Scaled(jpeg("small")))];
    let events = vec![Accepted { event, frame: Some(frame.into()), owed }];
    Record { at: at(0), events, machine: None, jobs: Vec::new() }
}

fn frames_in(dir: &Path) -> Vec<u64> {
    let files = std::fs::read_dir(dir.join("frames")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).collect()
}

#[test]
fn frames_stop_at_their_share_and_events_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let frame = vec![7_u8; 200_000];
    let journal = open_small(dir.path());
    for _ in 0..3 {
        journal.writer().record(framed(&frame)).wait().unwrap();
    }
    journal.close().unwrap();
    let journal = open_small(dir.path());
    journal.writer().record(framed(&frame)).wait().unwrap();
    assert!(frames_in(dir.path()).iter().sum::<u64>() <= SMALL.max_size / 2);
    let events = journal.reader().unwrap().events(&all_events()).unwrap();
    let kept: Vec<_> = events.iter().map(|event| event.frame.is_some()).collect();
    assert_eq!(kept, [true, true, false, false], "what was there before the restart counts");
    let due = journal.reader().unwrap().due(&name("a"), at(0).wall, 9).unwrap();
    assert!(String::from_utf8(due[3].bytes().unwrap()).unwrap().ends_with(r#""frame_b64":""}"#), "the hole is empty");

    for row in journal.reader().unwrap().deliveries(&all_deliveries()).unwrap() {
        journal.writer().settle(settlement(row.id, State::Delivered, None, at(1))).wait().unwrap();
    }
    journal.writer().purge(at(3 * 3600)).wait().unwrap();
    journal.writer().record(framed(&frame)).wait().unwrap();
    assert!(frames_in(dir.path()).contains(&200_000), "the purge made room");
}

#[test]
fn a_disk_that_refuses_a_frame_costs_the_frame_only() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let event = triggered(Priority::Normal);
    // The device on which every write finds no space left.
    std::os::unix::fs::symlink("/dev/full", dir.path().join(format!("frames/{}.jpg.tmp", event.id))).unwrap();
    journal.writer().record(framed_event(event, b"original")).wait().unwrap();
    journal.writer().record(framed(b"original")).wait().unwrap();
    let reader = journal.reader().unwrap();
    let kept: Vec<_> = reader.events(&all_events()).unwrap().iter().map(|event| event.frame.is_some()).collect();
    assert_eq!(kept, [false, true]);
    let frames =
        |endpoint| reader.due(&name(endpoint), at(0).wall, 9).unwrap().into_iter().map(|due| due.frame.is_some());
    assert_eq!(frames("a").collect::<Vec<_>>(), [false, true]);
    assert_eq!(frames("b").collect::<Vec<_>>(), [true, true], "the smaller one found room");
    assert_eq!(frames_in(dir.path()).len(), 3, "nothing half-written stays");
}

#[test]
fn a_full_database_refuses_events_but_still_records_what_becomes_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let writer = journal.writer();
    let refused = loop {
        let batch: Vec<_> = (0..50).map(|_| writer.record(record(triggered(Priority::Normal), &["a"]))).collect();
        if let Some(error) = batch.into_iter().filter_map(|reply| reply.wait().err()).next() {
            break error;
        }
    };
    assert!(matches!(refused, Error::Full(_)), "{refused}");
    writer.record(record(job_ended(), &["a"])).wait().expect("an end is recorded when a beginning is refused");
    writer.record(Record { machine: Some(machine()), events: Vec::new(), ..framed(b"") }).wait().unwrap();

    let deliveries = journal.reader().unwrap().deliveries(&all_deliveries()).unwrap();
    assert!(deliveries.len() > 50);
    for row in &deliveries {
        // With snippets as long as they may be, the log of attempts alone would fill the rest several times over.
        for seconds in [1, 2, 3] {
            writer.settle(settlement(row.id, State::RetryWait, Some(status(500)), at(seconds))).wait().unwrap();
        }
        writer.settle(settlement(row.id, State::Delivered, Some(status(200)), at(4))).wait().unwrap();
    }
    let size = std::fs::metadata(dir.path().join("journal.db")).unwrap().len();
    assert!(size <= SMALL.max_size / 2, "{size}");
    while writer.purge(at(3 * 3600)).wait().unwrap().more {}
    writer.record(record(triggered(Priority::Normal), &["a"])).wait().unwrap();
    for _ in 0..20 {
        writer.purge(at(3 * 3600)).wait().unwrap();
    }
    journal.close().unwrap();
    let left = std::fs::metadata(dir.path().join("journal.db")).unwrap().len();
    assert!(left < size / 2, "free pages go back to the disk: {left} of {size}");
}

#[test]
fn ended_jobs_go_and_a_machine_is_forgotten_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let ended =
        |id, status, seconds| JobRow { id: Uuid::from_u128(id), status, ended: Some(at(seconds).wall), ..job() };
    let jobs = vec![job(), ended(8, JobStatus::Stopped, 10), ended(9, JobStatus::Completed, 20)];
    let first = Record { at: at(0), events: Vec::new(), machine: Some(machine()), jobs };
    journal.writer().record(first).wait().unwrap();
    let purge = |now| journal.writer().purge(now).wait().unwrap();
    assert_eq!(purge(at(3610)), Purged::default(), "not a moment too early");
    assert_eq!(purge(at(3611)), Purged { jobs: 1, ..Purged::default() });
    assert_eq!(purge(at(9999)), Purged { jobs: 1, ..Purged::default() });
    let reader = journal.reader().unwrap();
    assert_eq!(reader.jobs(&JobFilter::default()).unwrap(), [job()], "one that runs stays");

    journal.writer().forget_machine(name("another"), name("loading-dock")).wait().unwrap();
    assert_eq!(reader.machines().unwrap(), [machine()]);
    journal.writer().forget_machine(name("person-in-zone"), name("loading-dock")).wait().unwrap();
    assert_eq!(reader.machines().unwrap(), []);
}
