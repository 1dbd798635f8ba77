//! Nothing grows for ever, and a disk without room costs a picture before it costs an event.

use stakeout::delivery::State;
use stakeout::event::{DroppedRange, JobStatus, Priority};
use stakeout::journal::{Accepted, DeadFilter, Error, JobFilter, OwedFrame, Purged, Record};

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
fn frames_keep_to_their_share_and_the_oldest_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let frame = vec![7_u8; 50_000];
    let journal = open_small(dir.path());
    let kept = |journal: &Journal| -> Vec<bool> {
        let events = journal.reader().unwrap().events(&all_events()).unwrap();
        events.iter().map(|event| event.frame.is_some()).collect()
    };
    for _ in 0..8 {
        journal.writer().record(framed(&frame)).wait().unwrap();
    }
    journal.close().unwrap();
    let journal = open_small(dir.path());
    assert_eq!(kept(&journal), [true; 8]);
    journal.writer().record(framed(&frame)).wait().unwrap();
    assert_eq!(kept(&journal)[..3], [false, true, true], "what was there before the restart counts");
    let least = framed_event(triggered(Priority::Low), &frame);
    journal.writer().record(least).wait().unwrap();
    assert_eq!(kept(&journal)[7..], [true, true, false], "the least urgent goes before the oldest");
    assert!(frames_in(dir.path()).iter().sum::<u64>() <= SMALL.max_size / 2);
    let due = journal.reader().unwrap().due(&name("a"), at(0).wall, 9).unwrap();
    assert!(String::from_utf8(due[0].bytes().unwrap()).unwrap().ends_with(r#""frame_b64":""}"#), "the hole is empty");

    let delivered = due[2].id;
    for row in journal.reader().unwrap().deliveries(&all_deliveries()).unwrap() {
        let same_event = row.event_id == due.iter().find(|due| due.id == delivered).unwrap().event_id;
        if same_event {
            journal.writer().settle(settlement(row.id, State::Delivered, None, at(1))).wait().unwrap();
        }
    }
    journal.writer().record(framed(&frame)).wait().unwrap();
    assert_eq!(
        kept(&journal),
        [&[false][..], &[true; 7], &[false, true]].concat(),
        "what was delivered goes, row and all"
    );
    assert_eq!(frames_in(dir.path()).iter().filter(|&&bytes| bytes == 50_000).count(), 8);
}

#[test]
fn a_frame_that_a_receiver_may_have_seen_is_not_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let frame = vec![7_u8; 50_000];
    let kept = |journal: &Journal| -> Vec<bool> {
        let events = journal.reader().unwrap().events(&all_events()).unwrap();
        events.iter().map(|event| event.frame.is_some()).collect()
    };
    let journal = open_small(dir.path());
    let recorded: Vec<_> = (0..8).map(|_| journal.writer().record(framed(&frame)).wait().unwrap()).collect();
    let posted = recorded[0].events[0].deliveries[0].delivery;
    journal.writer().settle(settlement(posted, State::RetryWait, Some(status(503)), at(1))).wait().unwrap();
    journal.writer().record(framed(&frame)).wait().unwrap();
    assert_eq!(kept(&journal)[..3], [true, false, true], "the oldest was posted, its other endpoint keeps it too");
    let before = kept(&journal);

    drop(journal);
    let journal = open_small(dir.path());
    journal.writer().record(framed(&frame)).wait().unwrap();
    assert_eq!(kept(&journal), [&before[..], &[false]].concat(), "after an unclean end all of them may have been seen");

    // What has ended is nothing that a receiver still waits for.
    for stamp in recorded[3].events[0].deliveries.iter().take(2) {
        journal.writer().settle(settlement(stamp.delivery, State::Dead, Some(status(400)), at(2))).wait().unwrap();
    }
    journal.writer().record(framed(&frame)).wait().unwrap();
    assert_eq!(kept(&journal)[2..5], [true, false, true]);
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

fn record_many(journal: &Journal, priority: Priority, endpoint: &str, count: usize) -> Vec<Uuid> {
    let replies = (0..count).map(|_| journal.writer().record(record(triggered(priority), &[endpoint])));
    let replies: Vec<_> = replies.collect();
    replies.into_iter().map(|reply| reply.wait().unwrap().events[0].deliveries[0].delivery).collect()
}

fn in_state(journal: &Journal, state: State) -> Vec<stakeout::journal::DeliveryRow> {
    journal.reader().unwrap().deliveries(&DeliveryFilter { state: Some(state), ..all_deliveries() }).unwrap()
}

#[test]
fn what_was_delivered_goes_before_anything_that_is_owed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let done = record_many(&journal, Priority::High, "a", 30);
    for &id in &done {
        journal.writer().settle(settlement(id, State::Delivered, None, at(1))).wait().unwrap();
    }
    let mut recorded = 0;
    while in_state(&journal, State::Delivered).len() == done.len() {
        record_many(&journal, Priority::Low, "a", 1);
        recorded += 1;
        assert!(recorded < 10_000, "it never got tight");
    }
    assert!(in_state(&journal, State::DroppedQuota).is_empty());
    assert_eq!(in_state(&journal, State::Pending).len(), recorded);
    assert!(journal.writer().notices(at(9_999)).wait().unwrap().is_empty(), "nobody is told of what was delivered");
}

#[test]
fn a_full_database_drops_the_least_urgent_and_oldest_and_says_so_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let high = record_many(&journal, Priority::High, "a", 10);
    let low = record_many(&journal, Priority::Low, "a", 40);
    let settled = settlement(low[0], State::RetryWait, Some(status(500)), at(1));
    journal.writer().settle(settled).wait().unwrap();
    record_many(&journal, Priority::Normal, "b", 400);

    let dropped = in_state(&journal, State::DroppedQuota);
    let pending: Vec<Uuid> = in_state(&journal, State::Pending).iter().map(|row| row.id).collect();
    assert!(high.iter().all(|id| pending.contains(id)), "what is more urgent stays");
    assert!(low.iter().all(|id| !pending.contains(id)), "the least urgent go first, all of them");
    let normal: Vec<u64> = dropped.iter().filter(|row| row.endpoint == name("b")).map(|row| row.sequence).collect();
    assert!(!normal.is_empty());
    let last = *normal.iter().max().unwrap();
    let left: Vec<u64> = in_state(&journal, State::Pending)
        .iter()
        .filter(|row| row.endpoint == name("b"))
        .map(|row| row.sequence)
        .collect();
    assert!(left.iter().all(|&sequence| sequence > last), "the oldest first");
    assert_eq!(left.iter().max(), Some(&400));

    // The tombstones that are left are listed, but there is nothing to send again.
    let reader = journal.reader().unwrap();
    assert!(reader.dead_letters(&all_deliveries()).unwrap().iter().any(|row| row.id == dropped[0].id));
    assert_eq!(journal.writer().redrive(DeadFilter::default(), at(9)).wait().unwrap(), 0);
    let (_, attempts) = reader.delivery(dropped[0].id).unwrap().unwrap();
    assert!(attempts.is_empty());

    let notices = |seconds| journal.writer().notices(at(seconds)).wait().unwrap();
    assert!(notices(30).is_empty(), "the episode is not over");
    let said = notices(61);
    let EventData::JournalOverflow(overflow) = said[0].data.clone() else { panic!("{said:?}") };
    assert_eq!(said.len(), 1, "one for all of them");
    let range = |endpoint, priority, from, to| DroppedRange {
        endpoint: name(endpoint),
        priority,
        from,
        to,
        count: to + 1 - from,
    };
    assert_eq!(overflow.dropped, [range("a", Priority::Low, 11, 50), range("b", Priority::Normal, 1, last)]);

    let event =
        Event { camera: None, monitor: None, job: None, data: said[0].data.clone(), ..triggered(Priority::High) };
    let announced = journal.writer().announce(&said[0], record(event.clone(), &["a"])).wait().unwrap();
    assert_eq!(announced.events.len(), 1);
    assert_eq!(reader.event(event.id).unwrap().unwrap().event, event);
    assert!(notices(10_000).is_empty());
    let again = journal.writer().announce(&said[0], record(triggered(Priority::High), &["a"])).wait().unwrap();
    assert!(again.events.is_empty(), "stated once");
}

#[test]
fn the_oldest_goes_first_whoever_it_is_owed_to_and_whenever_it_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    // By name and by when it is due, the oldest comes last.
    let oldest = record_many(&journal, Priority::Low, "z", 20);
    journal.writer().settle(settlement(oldest[0], State::RetryWait, Some(status(503)), at(9))).wait().unwrap();
    let younger = record_many(&journal, Priority::Low, "a", 40);
    while in_state(&journal, State::DroppedQuota).is_empty() {
        record_many(&journal, Priority::Normal, "b", 1);
    }
    let dropped: Vec<Uuid> = in_state(&journal, State::DroppedQuota).iter().map(|row| row.id).collect();
    let both = [oldest, younger].concat();
    assert_eq!(dropped, both[..dropped.len()]);
}

#[test]
fn what_is_dropped_while_it_is_on_its_way_stays_dropped_unless_it_arrived() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let low = record_many(&journal, Priority::Low, "a", 3);
    let dropped = |id: &Uuid| in_state(&journal, State::DroppedQuota).iter().any(|row| row.id == *id);
    // One by one: while few rows go at once, those are seen before they are tombstones too many.
    while !low.iter().all(dropped) {
        record_many(&journal, Priority::Normal, "a", 1);
    }
    let settle = |id, state, code| {
        journal.writer().settle(settlement(id, state, Some(status(code)), at(1))).wait().unwrap();
    };
    settle(low[0], State::RetryWait, 503);
    settle(low[1], State::Dead, 400);
    settle(low[2], State::Delivered, 200);
    assert!(dropped(&low[0]) && dropped(&low[1]) && !dropped(&low[2]));
    let reader = journal.reader().unwrap();
    assert_eq!(reader.delivery(low[2]).unwrap().unwrap().0.standing.state, State::Delivered);
    assert!(reader.delivery(low[0]).unwrap().unwrap().1.is_empty(), "a tombstone has no log");
    assert!(!reader.due(&name("a"), at(99).wall, 9).unwrap().is_empty(), "the others go on");
}

#[test]
fn a_row_that_cannot_be_read_does_not_keep_the_others_back() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let ids = record_many(&journal, Priority::Normal, "a", 3);
    let by_hand = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    by_hand.execute("UPDATE delivery SET body = NULL WHERE n = 1", []).unwrap();
    by_hand.execute("UPDATE delivery SET tries = 1 << 40 WHERE n = 2", []).unwrap();
    let due = journal.reader().unwrap().due(&name("a"), at(9).wall, 9).unwrap();
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), ids[2..]);
}

#[test]
fn an_alert_is_refused_only_when_nothing_may_be_dropped_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let critical: Vec<Uuid> = loop {
        record_many(&journal, Priority::Critical, "a", 5);
        if !in_state(&journal, State::DroppedQuota).is_empty() {
            break in_state(&journal, State::Pending).iter().map(|row| row.id).collect();
        }
    };
    // The log of attempts takes nothing that an alert needs.
    for &delivery in &critical {
        for seconds in [1, 2, 3, 4] {
            let settled = settlement(delivery, State::RetryWait, Some(status(500)), at(seconds));
            journal.writer().settle(settled).wait().unwrap();
        }
    }
    record_many(&journal, Priority::Low, "a", 50);
    // Rows in place that grow do.
    let refused = critical.iter().find_map(|&delivery| {
        let mut settled = settlement(delivery, State::RetryWait, None, at(5));
        settled.standing.reason = Some("x".repeat(400));
        journal.writer().settle(settled).wait().unwrap();
        journal.writer().record(record(triggered(Priority::Low), &["a"])).wait().err()
    });
    assert!(matches!(refused, Some(Error::Full(_))), "{refused:?}");
    let waiting: Vec<Uuid> = in_state(&journal, State::RetryWait).iter().map(|row| row.id).collect();
    assert!(critical.iter().all(|id| waiting.contains(id)), "nothing critical goes for the sake of a low one");
    let writer = journal.writer();
    writer.record(record(triggered(Priority::Critical), &["a"])).wait().expect("a critical one finds room");
    writer.record(record(job_ended(), &["a"])).wait().expect("an end is recorded when a beginning is refused");
    writer.record(Record { machine: Some(machine()), events: Vec::new(), ..framed(b"") }).wait().unwrap();
}

#[test]
fn after_max_size_was_lowered_ends_are_recorded_at_once_and_alerts_once_it_has_shrunk() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Keep { max_size: 32 << 20, ..KEEP }, at(0), nobody()).unwrap();
    let replies: Vec<_> = (0..2000)
        .map(|_| {
            let owed = Owed { render: Box::new(|_| Body::whole("x".repeat(1500))), ..owed("a", OwedFrame::None) };
            let events = vec![Accepted { event: triggered(Priority::Low), frame: None, owed: vec![owed] }];
            journal.writer().record(Record { events, ..record(triggered(Priority::Low), &[]) })
        })
        .collect();
    replies.into_iter().for_each(|reply| drop(reply.wait().unwrap()));
    journal.close().unwrap();

    let journal = open_small(dir.path());
    journal.writer().record(record(job_ended(), &["a"])).wait().expect("a daemon says good-bye when it starts");
    let dropped = || in_state(&journal, State::DroppedQuota).len();
    let alert = || journal.writer().record(record(triggered(Priority::Normal), &["a"])).wait();
    let before = dropped();
    assert!(matches!(alert().unwrap_err(), Error::Full(_)), "it would not be enough for this test otherwise");
    assert!(dropped() > before, "what went for it stays gone");
    let tries = (0..1000).take_while(|_| alert().is_err()).count();
    assert!(tries < 1000, "each try finds more room");
}

#[test]
fn a_full_database_still_records_what_becomes_of_what_is_in_it_and_shrinks_when_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let writer = journal.writer();
    record_many(&journal, Priority::Normal, "a", 300);
    let owed = in_state(&journal, State::Pending);
    assert!(owed.len() > 50 && owed.len() < 300, "{}", owed.len());
    for row in &owed {
        // With snippets as long as they may be, the log of attempts alone would fill the rest several times over.
        for seconds in [1, 2, 3] {
            writer.settle(settlement(row.id, State::RetryWait, Some(status(500)), at(seconds))).wait().unwrap();
        }
        writer.settle(settlement(row.id, State::Delivered, Some(status(200)), at(4))).wait().unwrap();
    }
    let size = std::fs::metadata(dir.path().join("journal.db")).unwrap().len();
    assert!(size <= SMALL.max_size / 2, "{size}");
    while writer.purge(at(48 * 3600)).wait().unwrap().more {}
    writer.record(record(triggered(Priority::Normal), &["a"])).wait().unwrap();
    for _ in 0..20 {
        writer.purge(at(48 * 3600)).wait().unwrap();
    }
    journal.close().unwrap();
    let left = std::fs::metadata(dir.path().join("journal.db")).unwrap().len();
    assert!(left < size / 2, "free pages go back to the disk: {left} of {size}");
}

#[test]
fn a_backlog_is_bounded_however_much_comes_and_the_newest_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let ids = record_many(&journal, Priority::Normal, "a", 3000);
    let (pending, tombstones) = (in_state(&journal, State::Pending), in_state(&journal, State::DroppedQuota));
    assert_eq!(pending.last().unwrap().id, *ids.last().unwrap());
    assert!(
        pending.len() > 30,
        "tombstones do not crowd out what is owed: {} beside {}",
        pending.len(),
        tombstones.len()
    );
    assert!(!tombstones.is_empty());
    let size = std::fs::metadata(dir.path().join("journal.db")).unwrap().len();
    assert!(size <= SMALL.max_size / 2, "{size}");
    let said = journal.writer().notices(at(61)).wait().unwrap();
    let EventData::JournalOverflow(overflow) = &said[0].data else { panic!("{said:?}") };
    assert_eq!(overflow.dropped[0].count, 3000 - pending.len() as u64, "all are accounted for");
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
