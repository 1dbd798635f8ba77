//! What nobody waits for takes nobody's room: rehearsals and heartbeats in a journal that is nearly full.

use stakeout::delivery::State;
use stakeout::event::{Event, EventData, Heartbeat, Priority};
use stakeout::journal::{Accepted, Error, Journal, OwedFrame, Record};

use super::*;

const SMALL: Keep = Keep { max_size: 1 << 20, ..KEEP };

fn open_small(dir: &Path) -> Journal {
    Journal::open(dir, SMALL, at(0), nobody()).unwrap()
}

fn tell(journal: &Journal, priority: Priority) -> Result<Uuid, Error> {
    let recorded = journal.writer().record(record(triggered(priority), &["a"])).wait()?;
    Ok(recorded.events[0].deliveries[0].delivery)
}

fn rehearse(journal: &Journal, frame: Option<&[u8]>) -> Result<(), Error> {
    let accepted = Accepted { event: triggered(Priority::Critical), frame: frame.map(Into::into), owed: Vec::new() };
    let record = Record { at: at(0), events: vec![accepted], machine: None, jobs: Vec::new() };
    journal.writer().rehearse(record, vec![vec![name("a")]]).wait().map(drop)
}

fn beat(journal: &Journal) -> Result<(), Error> {
    let data = EventData::Heartbeat(Heartbeat {
        interval_s: 300.0,
        cameras: Vec::new(),
        monitors: Vec::new(),
        endpoints: Vec::new(),
        version: "1".to_owned(),
        uptime_s: 1,
    });
    let event = Event { camera: None, monitor: None, job: None, data, ..triggered(Priority::Low) };
    journal.writer().record(record(event, &["b"])).wait().map(drop)
}

/// What is owed or delivered, and what was lost.
fn owed_and_lost(journal: &Journal) -> (Vec<(Uuid, State)>, usize) {
    let all = journal.reader().unwrap().deliveries(&all_deliveries()).unwrap();
    let rows = all.iter().filter(|row| row.endpoint == name("a")).map(|row| (row.id, row.standing.state));
    let (lost, rows): (Vec<_>, Vec<_>) = rows.partition(|(_, state)| *state == State::DroppedQuota);
    (rows, lost.len())
}

fn shadows(journal: &Journal) -> usize {
    journal.reader().unwrap().events(&all_events()).unwrap().iter().filter(|row| row.shadow.is_some()).count()
}

/// A journal that is as full as alerts make it: some delivered, some dead, some owed, the least urgent among them.
fn tight(journal: &Journal) {
    for state in [State::Delivered, State::Dead] {
        for _ in 0..30 {
            let delivery = tell(journal, Priority::High).unwrap();
            journal.writer().settle(settlement(delivery, state, None, at(1))).wait().unwrap();
        }
    }
    let there = |journal: &Journal| owed_and_lost(journal).0.len();
    let mut before = 0;
    while there(journal) > before {
        before = there(journal);
        tell(journal, Priority::Low).unwrap();
    }
}

#[test]
fn rehearsals_take_nobodys_room() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    tight(&journal);
    let before = owed_and_lost(&journal);
    let refused = (0..200).find_map(|_| rehearse(&journal, None).err());
    assert!(matches!(refused, Some(Error::Tight(_))), "{refused:?}");
    assert_eq!(owed_and_lost(&journal), before);
    // The control: alerts go on, and take that room.
    (0..60).for_each(|_| assert!(tell(&journal, Priority::Low).is_ok()));
    assert!(owed_and_lost(&journal).0[..30] != before.0[..30], "what was delivered goes for what is told");
}

#[test]
fn rehearsals_take_each_others_room_and_go_before_anything_else() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let delivered = tell(&journal, Priority::High).unwrap();
    journal.writer().settle(settlement(delivered, State::Delivered, None, at(1))).wait().unwrap();
    (0..600).for_each(|_| rehearse(&journal, None).expect("the oldest rehearsals go for it"));
    let most = shadows(&journal);
    assert!(most < 600, "it never got tight");
    let alerts = most / 2;
    (0..alerts).for_each(|_| assert!(tell(&journal, Priority::Low).is_ok()));
    assert!(shadows(&journal) < most);
    assert_eq!((owed_and_lost(&journal).0[0], owed_and_lost(&journal).1), ((delivered, State::Delivered), 0));
}

#[test]
fn frames_of_rehearsals_take_nobodys_room() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let frame = vec![7_u8; 50_000];
    let framed = || Record {
        events: vec![Accepted {
            event: triggered(Priority::Low),
            frame: Some(frame.as_slice().into()),
            owed: vec![owed("a", OwedFrame::Original)],
        }],
        ..record(triggered(Priority::Low), &[])
    };
    (0..8).for_each(|_| drop(journal.writer().record(framed()).wait().unwrap()));
    let with_frames = |shadow: bool| {
        let events = journal.reader().unwrap().events(&all_events()).unwrap();
        events.iter().filter(|row| row.shadow.is_some() == shadow && row.frame.is_some()).count()
    };
    let before = with_frames(false);
    (0..4).for_each(|_| rehearse(&journal, Some(&frame)).unwrap());
    assert_eq!((with_frames(false), with_frames(true), shadows(&journal) > 0), (before, 0, true));
    // The control: an alert of the same priority takes the oldest one's.
    journal.writer().record(framed()).wait().unwrap();
    let events = journal.reader().unwrap().events(&all_events()).unwrap();
    assert!(events[0].frame.is_none() && events.last().unwrap().frame.is_some());
}

#[test]
fn a_heartbeat_takes_the_room_of_nothing_that_is_owed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    tight(&journal);
    let kept = |journal: &Journal| {
        let (rows, lost) = owed_and_lost(journal);
        (rows.into_iter().filter(|(_, state)| *state != State::Delivered).collect::<Vec<_>>(), lost)
    };
    let before = kept(&journal);
    let refused = (0..600).find_map(|_| beat(&journal).err());
    assert!(matches!(refused, Some(Error::Tight(_))), "{refused:?}");
    assert_eq!(kept(&journal), before);
    tell(&journal, Priority::Low).expect("an alert finds room all the same");
    assert_ne!(kept(&journal), before);
}
