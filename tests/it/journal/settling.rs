//! What becomes of deliveries: attempts, standings, dead letters, figures, retention.

use std::sync::mpsc;

use stakeout::delivery::State;
use stakeout::event::Priority;
use stakeout::journal::{
    Accepted, DeadFilter, DeliveryFilter, Error, Journal, OwedFrame, Purged, Reader, Record, Stamp,
};

use super::*;

fn accept(journal: &Journal, priority: Priority, endpoint: &str) -> Stamp {
    journal.writer().record(record(triggered(priority), &[endpoint])).wait().unwrap().events[0].deliveries[0]
}

fn settle(journal: &Journal, delivery: Uuid, state: State, code: u16, now: Now) {
    journal.writer().settle(settlement(delivery, state, Some(status(code)), now)).wait().unwrap();
}

fn due(reader: &Reader, now: Now) -> Vec<Uuid> {
    reader.due(&name("a"), now.wall, 100).unwrap().iter().map(|due| due.id).collect()
}

#[test]
fn a_settlement_is_read_back_with_its_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let id = accept(&journal, Priority::Normal, "a").delivery;
    let settled = settlement(id, State::RetryWait, Some(status(503)), at(2));
    journal.writer().settle(settled.clone()).wait().unwrap();
    let (row, attempts) = journal.reader().unwrap().delivery(id).unwrap().unwrap();
    assert_eq!(row.standing, settled.standing);
    assert_eq!((row.last_status, row.ended, row.accepted), (Some(503), None, at(0).wall));
    assert_eq!((attempts.len(), attempts[0].outcome.as_str(), attempts[0].started), (1, "status", at(2).wall));
    assert_eq!(attempts[0].snippet.as_ref().unwrap().len(), 1024, "1 KiB at most");

    let unknown = settlement(Uuid::from_u128(1), State::Delivered, None, at(3));
    let error = journal.writer().settle(unknown).wait().unwrap_err();
    assert!(matches!(error, Error::NoSuchDelivery(_)));
}

#[test]
fn due_goes_by_priority_and_time_and_leaves_out_what_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let [low, first, second, critical, done, other] = [
        (Priority::Low, "a"),
        (Priority::Normal, "a"),
        (Priority::Normal, "a"),
        (Priority::Critical, "a"),
        (Priority::Critical, "a"),
        (Priority::Critical, "b"),
    ]
    .map(|(priority, endpoint)| accept(&journal, priority, endpoint).delivery);
    settle(&journal, done, State::Delivered, 200, at(0));
    settle(&journal, first, State::RetryWait, 500, at(0));
    let reader = journal.reader().unwrap();
    assert_eq!(due(&reader, at(4)), [critical, second, low]);
    assert_eq!(due(&reader, at(5)), [critical, second, first, low]);
    assert_eq!(reader.due(&name("a"), at(5).wall, 2).unwrap().len(), 2);
    assert_eq!(reader.due(&name("b"), at(5).wall, 9).unwrap()[0].id, other);
    for id in [critical, second, low] {
        settle(&journal, id, State::Delivered, 200, at(0));
    }
    let (wall, delay) = reader.next_due(&name("a"), at(4).wall).unwrap().unwrap();
    assert_eq!((wall, delay), (at(5).wall, Duration::from_secs(5)));
    assert_eq!(reader.next_due(&name("nobody"), at(4).wall).unwrap(), None);
}

#[test]
fn after_an_unclean_end_whatever_was_open_may_have_been_received() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    accept(&journal, Priority::Normal, "a");
    let maybe = |journal: &Journal| -> Vec<bool> {
        let due = journal.reader().unwrap().due(&name("a"), at(9).wall, 9).unwrap();
        due.iter().map(|due| due.standing.maybe_received).collect()
    };
    journal.close().unwrap();
    let journal = open(dir.path());
    assert_eq!(maybe(&journal), [false]);
    drop(journal);
    let journal = open(dir.path());
    accept(&journal, Priority::Normal, "a");
    assert_eq!(maybe(&journal), [true, false]);
}

#[test]
fn a_clock_that_was_set_back_delays_nothing_beyond_its_delay() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let id = accept(&journal, Priority::Normal, "a").delivery;
    settle(&journal, id, State::RetryWait, 500, at(1_000_000));
    let reader = journal.reader().unwrap();
    assert_eq!(journal.writer().rein_in(at(1_000_000)).wait().unwrap(), 0, "not further ahead than its delay");
    assert_eq!(journal.writer().rein_in(at(10)).wait().unwrap(), 1);
    assert_eq!(reader.next_due(&name("a"), at(10).wall).unwrap().unwrap().0, at(15).wall);
}

#[test]
fn dead_letters_are_listed_redriven_and_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (woken, wakes) = mpsc::channel();
    let wake = Box::new(move |endpoints: &[Name]| woken.send(endpoints.to_vec()).unwrap());
    let journal = Journal::open(dir.path(), KEEP, at(0), wake).unwrap();
    let [a, b, open] = ["a", "b", "a"].map(|endpoint| accept(&journal, Priority::Normal, endpoint).delivery);
    settle(&journal, a, State::Dead, 500, at(1));
    settle(&journal, b, State::Expired, 500, at(1));
    let reader = journal.reader().unwrap();
    let dead = || -> Vec<Uuid> { reader.dead_letters(&all_deliveries()).unwrap().iter().map(|row| row.id).collect() };
    let listed = |state, endpoint| reader.deliveries(&DeliveryFilter { state, endpoint, ..all_deliveries() }).unwrap();
    assert_eq!(dead(), [a, b]);
    assert_eq!(listed(Some(State::Pending), None)[0].id, open);
    assert_eq!(listed(Some(State::Dead), Some(name("a")))[0].id, a);
    assert_eq!(listed(None, Some(name("b")))[0].id, b);

    let before = reader.due(&name("a"), at(9).wall, 9).unwrap();
    assert_eq!(before.len(), 1);
    while wakes.try_recv().is_ok() {}
    let filter = DeadFilter { endpoint: Some(name("a")), ..DeadFilter::default() };
    assert_eq!(journal.writer().redrive(filter, at(3)).wait().unwrap(), 1);
    assert_eq!(wakes.try_recv().unwrap(), [name("a")]);
    let (row, attempts) = reader.delivery(a).unwrap().unwrap();
    assert_eq!(
        (row.standing.state, row.standing.attempts, row.standing.tries, row.redriven),
        (State::Pending, 0, 1, 1)
    );
    assert_eq!(row.standing.holds, 1, "what was tried before is no free re-send");
    assert_eq!((row.ended, attempts.len()), (None, 1));
    assert_eq!(dead(), [b]);

    assert_eq!(journal.writer().drop_dead(DeadFilter::default()).wait().unwrap(), 1);
    assert_eq!(dead(), Vec::<Uuid>::new());
    assert_eq!(reader.endpoint_counts(at(4)).unwrap()[1].counts.dead, 0);
    assert_eq!(journal.writer().redrive(DeadFilter::default(), at(3)).wait().unwrap(), 0, "dropped ones stay");
    let by_id = DeadFilter { delivery: Some(b), endpoint: None };
    assert_eq!(journal.writer().redrive(by_id, at(3)).wait().unwrap(), 1, "unless they are named");
}

#[test]
fn what_is_accepted_for_an_endpoint_that_is_gone_is_skipped_but_numbered() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    accept(&journal, Priority::Normal, "a");
    journal.writer().set_gone(name("a"), true).wait().unwrap();
    let skipped = accept(&journal, Priority::Normal, "a");
    assert_eq!(skipped.sequence, 2);
    let reader = journal.reader().unwrap();
    assert_eq!(reader.delivery(skipped.delivery).unwrap().unwrap().0.standing.state, State::SkippedGone);
    assert!(reader.endpoint_counts(at(0)).unwrap()[0].gone);
    journal.writer().set_gone(name("a"), false).wait().unwrap();
    assert_eq!(journal.writer().skip_owed(name("a"), at(0).wall).wait().unwrap(), 0, "it is back");
    journal.writer().redrive(DeadFilter::default(), at(0)).wait().unwrap();
    assert_eq!(due(&reader, at(0)).len(), 2);
}

#[test]
fn what_has_been_over_for_long_enough_goes_with_its_frames() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let framed = |endpoints: [&str; 2]| {
        let owed = endpoints.map(|endpoint| owed(endpoint, OwedFrame::Scaled(jpeg("small")))).into();
        let events = vec![Accepted { event: triggered(Priority::Normal), frame: Some(jpeg("original")), owed }];
        let record = Record { at: at(0), events, machine: None, jobs: Vec::new() };
        journal.writer().record(record).wait().unwrap().events[0].deliveries.clone()
    };
    let (delivered, mixed) = (framed(["a", "b"]), framed(["a", "b"]));
    journal.writer().record(record(job_ended(), &[])).wait().unwrap();
    for stamp in [delivered[0], delivered[1], mixed[0]] {
        settle(&journal, stamp.delivery, State::Delivered, 200, at(10));
    }
    settle(&journal, mixed[1].delivery, State::Dead, 500, at(10));
    let reader = journal.reader().unwrap();
    let files = || std::fs::read_dir(dir.path().join("frames")).unwrap().count();
    let purge = |now| journal.writer().purge(now).wait().unwrap();

    assert_eq!(purge(at(3600)), Purged { events: 0, ..Purged::default() }, "not a moment too early");
    assert_eq!(
        purge(Now { synced: false, ..at(9_999_999) }),
        Purged::default(),
        "not by a clock that cannot be believed"
    );
    assert_eq!(purge(at(3611)), Purged { deliveries: 3, events: 2, frames: 2, ..Purged::default() });
    assert_eq!(files(), 2, "the dead letter still needs its own");
    assert_eq!(reader.deliveries(&all_deliveries()).unwrap()[0].id, mixed[1].delivery);
    assert_eq!(purge(at(24 * 3600 + 11)), Purged { deliveries: 1, events: 1, frames: 2, ..Purged::default() });
    assert_eq!((files(), reader.events(&all_events()).unwrap().len()), (0, 0));
    assert_eq!(accept(&journal, Priority::Normal, "a").sequence, 3, "numbers are never given twice");
}

#[test]
fn a_purge_goes_in_batches() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let replies: Vec<_> = (0..150).map(|_| journal.writer().record(record(job_ended(), &[]))).collect();
    replies.into_iter().for_each(|reply| drop(reply.wait().unwrap()));
    let batch = |events, more| Purged { events, more, ..Purged::default() };
    assert_eq!(journal.writer().purge(at(9_999)).wait().unwrap(), batch(100, true));
    assert_eq!(journal.writer().purge(at(9_999)).wait().unwrap(), batch(50, false));
}

#[test]
fn a_wall_clock_that_jumps_ahead_makes_nothing_old() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let id = accept(&journal, Priority::Normal, "a").delivery;
    settle(&journal, id, State::Delivered, 200, at(0));
    let purge = |now| journal.writer().purge(now).wait().unwrap().deliveries;
    assert_eq!(purge(at(60)), 0);
    let years_ahead = |seconds| Now { wall: at(12 * 365 * 86_400).wall, ..at(seconds) };
    assert_eq!(purge(years_ahead(120)), 0);
    assert_eq!(purge(years_ahead(1000)), 0);
    assert_eq!(purge(at(3601)), 1, "when it is old, it goes");
}
