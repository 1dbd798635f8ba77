//! What is recorded is kept whole, in order, numbered without gaps, in few commits.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;

use stakeout::delivery::State;
use stakeout::event::{EventType, Priority};
use stakeout::journal::{
    Accepted, Checkpoint, Error, EventFilter, JobFilter, Journal, OpenError, OwedFrame, Reader, Record,
};

use super::*;

#[test]
fn everything_comes_back_as_it_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let (first, second) = (triggered(Priority::High), job_ended());
    let events = vec![
        Accepted { event: first.clone(), frame: Some(jpeg("original")), owed: vec![owed("a", OwedFrame::Original)] },
        Accepted { event: second.clone(), frame: None, owed: Vec::new() },
    ];
    let record = Record { at: at(0), events, machine: Some(machine()), jobs: vec![job()] };
    let recorded = journal.writer().record(record).wait().unwrap();
    journal.close().unwrap();

    let reader = Reader::open(dir.path()).unwrap();
    let events = reader.events(&all_events()).unwrap();
    assert_eq!(events.iter().map(|row| &row.event).collect::<Vec<_>>(), [&first, &second]);
    assert_eq!(events.iter().map(|row| row.seq).collect::<Vec<_>>(), [recorded.events[0].seq, recorded.events[1].seq]);
    assert_eq!(std::fs::read(events[0].frame.as_ref().unwrap()).unwrap(), b"original");
    assert_eq!((events[0].deliveries[0].sequence, events[0].deliveries[0].state), (1, State::Pending));
    assert_eq!(reader.event(first.id).unwrap().as_ref(), Some(&events[0]));
    assert_eq!(reader.machines().unwrap(), [machine()]);
    assert_eq!(reader.jobs(&JobFilter::default()).unwrap(), [job()]);
    let due = reader.due(&name("a"), at(0).wall, 10).unwrap();
    let stamp = recorded.events[0].deliveries[0];
    let expected = format!(r#"{{"sequence":1,"delivery":"{}","frame_b64":"b3JpZ2luYWw="}}"#, stamp.delivery);
    assert_eq!(String::from_utf8(due[0].bytes().unwrap()).unwrap(), expected);
    assert_eq!((due[0].id, due[0].event_id, due[0].kind), (stamp.delivery, first.id, EventType::Triggered));
}

#[test]
fn events_are_found_by_place_monitor_and_type() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for _ in 0..3 {
        journal.writer().record(record(triggered(Priority::Normal), &[])).wait().unwrap();
        journal.writer().record(record(job_ended(), &[])).wait().unwrap();
    }
    let reader = journal.reader().unwrap();
    let seqs = |filter| reader.events(&filter).unwrap().iter().map(|row| row.seq).collect::<Vec<_>>();
    assert_eq!(seqs(EventFilter { after: 2, limit: 3, ..all_events() }), [3, 4, 5]);
    assert_eq!(seqs(EventFilter { kind: Some(EventType::JobStatus), ..all_events() }), [2, 4, 6]);
    assert_eq!(seqs(EventFilter { monitor: Some(name("other")), ..all_events() }), Vec::<i64>::new());
    let latest = reader.latest_events(&EventFilter { limit: 2, ..all_events() }).unwrap();
    assert_eq!(latest.iter().map(|row| row.seq).collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn sequences_have_no_gaps_under_eight_threads_and_refused_changes() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    thread::scope(|scope| {
        for thread in 0..8 {
            let writer = journal.writer();
            scope.spawn(move || {
                for round in 0..20 {
                    let event = triggered(Priority::Normal);
                    let endpoints: &[&str] = if (thread + round) % 2 == 0 { &["a", "b"] } else { &["a"] };
                    writer.record(record(event.clone(), endpoints)).wait().unwrap();
                    let twice = writer.record(record(event, endpoints)).wait().unwrap_err();
                    assert!(matches!(twice, Error::Database(_)), "{twice}");
                }
            });
        }
    });
    let mut sequences: BTreeMap<Name, Vec<u64>> = BTreeMap::new();
    for row in journal.reader().unwrap().deliveries(&all_deliveries()).unwrap() {
        sequences.entry(row.endpoint).or_default().push(row.sequence);
    }
    assert_eq!(sequences[&name("a")], (1..=160).collect::<Vec<_>>());
    assert_eq!(sequences[&name("b")], (1..=80).collect::<Vec<_>>());
}

#[test]
fn what_gathers_during_a_commit_shares_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let wake = Box::new(move |endpoints: &[Name]| {
        entered.send(endpoints.to_vec()).unwrap();
        let _ = released.recv();
    });
    let journal = Journal::open(dir.path(), KEEP, at(0), wake).unwrap();
    let writer = journal.writer();
    let first = writer.record(record(triggered(Priority::Normal), &["a"]));
    assert_eq!(has_entered.recv().unwrap(), [name("a")]);
    let before = journal.commits();
    let replies: Vec<_> = (0..50).map(|_| writer.record(record(triggered(Priority::Normal), &["b", "a"]))).collect();
    release.send(()).unwrap();
    first.wait().unwrap();
    assert_eq!(has_entered.recv().unwrap(), [name("a"), name("b")], "each endpoint is woken once");
    release.send(()).unwrap();
    for reply in replies {
        reply.wait().unwrap();
    }
    assert_eq!(journal.commits() - before, 1);
}

#[test]
fn a_refused_change_leaves_the_others_of_its_group_and_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let (writer, event) = (journal.writer(), triggered(Priority::Normal));
    let framed = |first: &Event, second: Event| {
        let framed =
            Accepted { event: first.clone(), frame: Some(jpeg("f")), owed: vec![owed("a", OwedFrame::Original)] };
        let last = Accepted { event: second, frame: None, owed: Vec::new() };
        Record { at: at(0), events: vec![framed, last], machine: Some(machine()), jobs: Vec::new() }
    };
    // The second event of it has the id of the first: the whole record is refused.
    let refused = writer.record(framed(&event, event.clone()));
    let taken = writer.record(framed(&triggered(Priority::Normal), job_ended()));
    assert!(refused.wait().is_err());
    assert_eq!(taken.wait().unwrap().events[0].deliveries[0].sequence, 1);
    assert_eq!(std::fs::read_dir(dir.path().join("frames")).unwrap().count(), 1);
    assert_eq!(journal.reader().unwrap().events(&all_events()).unwrap().len(), 2);
}

#[test]
fn equal_frames_of_an_event_share_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let frames = ["small", "small", "tiny"].map(|text| OwedFrame::Scaled(jpeg(text)));
    let owed = frames.into_iter().zip(["a", "b", "c"]).map(|(frame, endpoint)| owed(endpoint, frame)).collect();
    let events = vec![Accepted { event: triggered(Priority::Normal), frame: Some(jpeg("original")), owed }];
    let record = Record { at: at(0), events, machine: None, jobs: Vec::new() };
    journal.writer().record(record).wait().unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("frames")).unwrap().count(), 3);
    let reader = journal.reader().unwrap();
    let file = |endpoint| reader.due(&name(endpoint), at(0).wall, 1).unwrap()[0].frame.clone().unwrap();
    assert_eq!(file("a"), file("b"));
    assert_eq!(std::fs::read(file("c")).unwrap(), b"tiny");
}

#[test]
fn a_checkpoint_replaces_counters() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let first = Record { at: at(0), events: Vec::new(), machine: Some(machine()), jobs: vec![job()] };
    journal.writer().record(first).wait().unwrap();
    let counters = Counters { checks_performed: 99, ..Counters::default() };
    let later = MachineRow { counters: counters.clone(), open: None, cooldown: None, ..machine() };
    let jobs = vec![(job().id, counters.clone()), (Uuid::from_u128(404), Counters::default())];
    journal.writer().checkpoint(Checkpoint { machines: vec![later.clone()], jobs }).wait().unwrap();
    let reader = journal.reader().unwrap();
    assert_eq!(reader.machines().unwrap(), [later]);
    assert_eq!(reader.jobs(&JobFilter::default()).unwrap(), [JobRow { counters, ..job() }]);
}

#[tokio::test]
async fn a_task_awaits_the_same_reply() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let recorded = journal.writer().record(record(triggered(Priority::Low), &["a"])).await.unwrap();
    assert_eq!(recorded.events[0].deliveries[0].epoch, journal.start().epoch);
}

#[test]
fn a_second_daemon_is_told_that_one_runs() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let error = Journal::open(dir.path(), KEEP, at(0), nobody()).err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "the journal in `{}` is in use: another stakeout daemon runs; stop it (`systemctl stop stakeout`) or give \
             this one a `[storage] path` of its own",
            dir.path().display()
        )
    );
    drop(first);
    open(dir.path());
}

#[test]
fn starts_are_counted_and_a_clean_end_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let epoch = first.start().epoch;
    assert_eq!((first.start().generation, first.start().clean), (1, true));
    first.close().unwrap();
    let second = open(dir.path());
    assert_eq!((second.start().generation, second.start().clean, second.start().epoch), (2, true, epoch));
    drop(second);
    let third = open(dir.path());
    assert_eq!((third.start().generation, third.start().clean), (3, false));
    let writer = third.writer();
    third.close().unwrap();
    assert!(matches!(writer.record(record(job_ended(), &[])).wait(), Err(Error::Closed)));
}

#[test]
fn files_that_no_row_names_are_swept_after_an_unclean_end() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let event = triggered(Priority::Normal);
    let owed = vec![owed("a", OwedFrame::Scaled(jpeg("small")))];
    let events = vec![Accepted { event: event.clone(), frame: Some(jpeg("original")), owed }];
    journal.writer().record(Record { at: at(0), events, machine: None, jobs: Vec::new() }).wait().unwrap();
    drop(journal);
    let frames = dir.path().join("frames");
    for orphan in [format!("{}.jpg", Uuid::now_v7()), format!("{}-2.jpg", event.id), format!("{}.jpg.tmp", event.id)] {
        std::fs::write(frames.join(orphan), "orphan").unwrap();
    }
    assert_eq!(open(dir.path()).start().orphans, 3);
    let mut left: Vec<_> = std::fs::read_dir(frames).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [format!("{}-1.jpg", event.id).as_str(), format!("{}.jpg", event.id).as_str()]);
}

#[test]
fn an_event_has_a_moment_of_its_own_which_all_its_deliveries_share() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let moments = |seconds, endpoints: &[&str]| {
        let event = Event { observed: at(seconds), ..triggered(Priority::Normal) };
        let event = Event { id: at(seconds).new_id(), ..event };
        let recorded = journal.writer().record(record(event, endpoints)).wait().unwrap();
        let moments: Vec<i64> = recorded.events[0].deliveries.iter().map(|stamp| stamp.moment_us).collect();
        assert!(moments.iter().all(|moment| *moment == moments[0]), "whoever is told: {moments:?}");
        moments[0]
    };
    let second = |moment: i64| moment / 1_000_000;
    moments(1, &["b"]);
    let a = [100, 100, 50, 100, 50].map(|seconds| moments(seconds, &["a", "b"]));
    assert_eq!(a.map(second), [100, 100, 50, 100, 50].map(|seconds| second(at(seconds).wall.0 * 1000)));
    let distinct: std::collections::BTreeSet<i64> = a.into_iter().collect();
    assert_eq!(distinct.len(), a.len(), "in whatever order they come, however the clock is set: {a:?}");
}
