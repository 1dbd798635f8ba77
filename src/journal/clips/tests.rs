//! Clips in a journal on disk: one transaction with their alerts, rows and files that agree after a kill, and who goes first.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::event::{CameraOffline, Event, EventData, Metadata, ModelIdentity, Priority, Triggered};
use crate::journal::{Accepted, Body, Journal, Keep, Owed, OwedFrame, Reader, Record};
use crate::name::Name;
use crate::time::{Boot, Mono, Now, Wall};
use crate::verdict::Answer;

mod age;
mod lost;
mod room;

const HOUR: Duration = Duration::from_secs(3600);
const MIB: u64 = 1 << 20;

fn at(seconds: u64) -> Now {
    Now { mono: Mono(5_000_000_000), wall: Wall(1_800_000_000_000), synced: true }.plus(Duration::from_secs(seconds))
}

fn open(dir: &Path) -> Journal {
    let keep = Keep { delivered: HOUR, dead: HOUR, max_size: 1 << 30 };
    Journal::open(dir, keep, at(0), Box::new(|_| {})).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn clip(n: u128) -> Uuid {
    Uuid::from_u128(0x0190 << 112 | n)
}

fn event(data: EventData) -> Event {
    Event {
        id: at(0).new_id(),
        observed: at(0),
        boot: Boot::current(),
        device: "box".to_owned(),
        camera: Some(name("dock")),
        monitor: Some(name("person")),
        job: None,
        priority: Priority::Normal,
        metadata: Metadata::new(),
        data,
    }
}

fn alert() -> Event {
    event(EventData::Triggered(Triggered {
        open_id: Uuid::from_u128(9),
        repeat: 0,
        condition: "?".to_owned(),
        answer: Answer::Yes,
        confidence: 0.9,
        threshold: 0.8,
        explanation: String::new(),
        regions: Vec::new(),
        z: None,
        answer_mass: None,
        model: ModelIdentity { name: name("m"), sha256: String::new() },
        source_url: String::new(),
        started: at(0).wall,
        label: String::new(),
        from_ms: 0,
        to_ms: 0,
        clip: None,
    }))
}

/// An alert that is recorded, and owed to `endpoint`.
fn film(journal: &Journal, clip: Uuid, endpoint: Option<&str>) -> Uuid {
    film_at(journal, clip, endpoint, at(0))
}

/// The same at some moment.
fn film_at(journal: &Journal, clip: Uuid, endpoint: Option<&str>, now: Now) -> Uuid {
    let event = alert();
    let id = event.id;
    let owe = |endpoint| Owed {
        endpoint: name(endpoint),
        frame: OwedFrame::None,
        format_version: 1,
        render: Box::new(|_| Body::whole("{}".to_owned())),
    };
    let accepted = Accepted { event, frame: None, owed: endpoint.map(owe).into_iter().collect() };
    let record = Record { at: now, events: vec![accepted], machine: None, jobs: Vec::new() };
    let filmed = Filmed { clip, height: Some(1080), told: vec![name("ops")] };
    journal.writer().record_filmed(record, vec![Some(filmed)]).wait().unwrap();
    id
}

fn ready(bytes: u64) -> ClipStep {
    let duration = Duration::from_secs(15);
    ClipStep::Ready { started_us: None, ended_us: None, bytes, sha256: "ab".repeat(32), duration }
}

/// Answers what was told: the state of the clip, and the alerts.
fn tell(journal: &Journal, clip: Uuid, step: ClipStep) -> Option<(ClipState, Vec<Uuid>)> {
    let told = Arc::new(Mutex::new(None));
    let heard = told.clone();
    let announce: Announce = Box::new(move |clip, alerts| {
        *heard.lock().unwrap() = Some((clip.state, alerts.iter().map(|alert| alert.event.id).collect()));
        assert!(alerts.iter().all(|alert| alert.told == [name("ops")] && clip.height == Some(1080)));
        let away = CameraOffline { cause: "stands for any".to_owned(), since: Wall(0), common: false, flaps: 0 };
        vec![Accepted { event: event(EventData::CameraOffline(away)), frame: None, owed: Vec::new() }]
    });
    let recorded = journal.writer().tell_of_clip(ClipNews { clip, at: at(1), step, announce }).wait().unwrap();
    let told = told.lock().unwrap().take();
    assert_eq!(recorded.events.len(), usize::from(told.is_some()), "what is told is recorded");
    told
}

/// A clip with a file, ready.
fn finished(journal: &Journal, dir: &Path, n: u128, bytes: u64, endpoint: Option<&str>) -> Uuid {
    film(journal, clip(n), endpoint);
    fs::write(clip_path(dir, clip(n)), "x").unwrap();
    tell(journal, clip(n), ClipStep::Begun { started_us: 5 }).unwrap();
    tell(journal, clip(n), ready(bytes)).unwrap();
    clip(n)
}

fn states(dir: &Path) -> Vec<(ClipState, bool)> {
    let rows = Reader::open(dir).unwrap().clips(&ClipFilter { limit: 100, ..ClipFilter::default() }).unwrap();
    rows.iter().rev().map(|row| (row.state, row.has_file)).collect()
}

/// Rows that name a file that isn't there.
fn dangling(dir: &Path) -> usize {
    let reader = Reader::open(dir).unwrap();
    let rows = reader.clips(&ClipFilter { limit: 100, ..ClipFilter::default() }).unwrap();
    rows.iter().filter_map(|row| reader.clip_file(row)).filter(|file| !file.exists()).count()
}

#[test]
fn a_clip_is_there_with_its_alert_and_each_of_its_steps_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let [first, second] = [(); 2].map(|()| film(&journal, clip(1), None));
    assert_eq!(states(dir.path()), [(ClipState::Recording, false)], "one row for both");
    let both = vec![first, second];
    let told = tell(&journal, clip(1), ClipStep::Begun { started_us: 5_000_000 });
    assert_eq!(told, Some((ClipState::Recording, both.clone())));
    assert_eq!(tell(&journal, clip(1), ClipStep::Grown { bytes: 10 }), Some((ClipState::Recording, both.clone())));
    assert_eq!(tell(&journal, clip(1), ClipStep::Grown { bytes: 20 }), None);
    assert_eq!(tell(&journal, clip(1), ready(30)), Some((ClipState::Ready, both.clone())));
    assert_eq!(tell(&journal, clip(1), ready(40)), None);
    assert_eq!(tell(&journal, clip(1), ClipStep::Failed { why: "late".to_owned() }), None);
    assert_eq!(tell(&journal, clip(2), ready(1)), None, "nobody knows it");

    let reader = journal.reader().unwrap();
    let row = reader.clip(clip(1)).unwrap().unwrap();
    assert_eq!((row.bytes, row.duration, row.alerts), (30, Some(Duration::from_secs(15)), both));
    assert_eq!((row.started_us, row.ended_us), (Some(5_000_000), Some(20_000_000)));
    assert_eq!(reader.clip_of(second).unwrap().map(|row| row.id), Some(clip(1)));
    assert_eq!(reader.clip_of(Uuid::nil()).unwrap(), None);
}

#[test]
fn a_clip_that_goes_on_shows_the_alerts_of_the_one_before_or_of_its_event_and_an_unrecorded_event_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let both = [(); 2].map(|()| film(&journal, clip(1), None)).to_vec();
    tell(&journal, clip(1), ClipStep::Begun { started_us: 5 });
    tell(&journal, clip(1), ready(30));
    let go_on = |n, shows| {
        let sequel = ClipSequel { clip: clip(n), camera: name("dock"), shows, at: at(2) };
        journal.writer().go_on_with_clip(sequel).wait().unwrap()
    };
    assert!(go_on(2, Shows::AsClip(clip(1))) && go_on(3, Shows::Event(Uuid::from_u128(9))));
    assert!(!go_on(4, Shows::AsClip(clip(9))) && !go_on(4, Shows::Event(Uuid::from_u128(8))));
    let [ready, recording] = [ClipState::Ready, ClipState::Recording].map(|state| (state, state == ClipState::Ready));
    assert_eq!(states(dir.path()), [ready, recording, recording]);
    let told = tell(&journal, clip(3), ClipStep::Begun { started_us: 7 });
    assert_eq!(told, Some((ClipState::Recording, both.clone())), "each once, and to whom it was told before");
    assert_eq!(journal.reader().unwrap().clip_of(both[0]).unwrap().map(|row| row.id), Some(clip(1)), "as it was told");
}

#[test]
fn a_kill_at_any_moment_leaves_no_row_that_names_a_missing_file() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    // Killed after the alert, before the file; before the row says that there is one; while recording; afterwards.
    film(&journal, clip(1), None);
    film(&journal, clip(2), None);
    fs::write(clip_path(dir.path(), clip(2)), "whole, and a torn end").unwrap();
    film(&journal, clip(3), None);
    fs::write(clip_path(dir.path(), clip(3)), "nothing that is whole").unwrap();
    tell(&journal, clip(3), ClipStep::Begun { started_us: 5 });
    finished(&journal, dir.path(), 4, 1, None);
    finished(&journal, dir.path(), 5, 1, None);
    drop(journal);
    fs::remove_file(clip_path(dir.path(), clip(5))).unwrap();
    fs::write(clip_path(dir.path(), clip(6)), "nobody's").unwrap();
    fs::write(dir.path().join("clips/notes.txt"), "").unwrap();
    assert_eq!(dangling(dir.path()), 1, "the control: before the start there is one");

    let journal = open(dir.path());
    assert_eq!(dangling(dir.path()), 0);
    let recording = ClipFilter { state: Some(ClipState::Recording), limit: 10, ..ClipFilter::default() };
    for row in journal.reader().unwrap().clips(&recording).unwrap() {
        let walk = |file: &mut dyn std::io::Read| {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            let whole = Whole { bytes: 5, duration: Duration::from_secs(2) };
            Ok(text.starts_with("whole").then_some(whole))
        };
        let step = match mend(dir.path(), row.id, |file| walk(file)).unwrap() {
            Some(Mended { whole: Whole { bytes, duration }, sha256 }) => {
                ClipStep::Ready { started_us: None, ended_us: None, bytes, sha256, duration }
            }
            None => ClipStep::Failed { why: "killed".to_owned() },
        };
        tell(&journal, row.id, step).unwrap();
    }
    let failed = (ClipState::Failed, false);
    let kept = (ClipState::Ready, true);
    assert_eq!(states(dir.path()), [failed, kept, failed, kept, (ClipState::Gone, false), failed]);
    assert_eq!(fs::read(clip_path(dir.path(), clip(2))).unwrap(), b"whole", "cut after what is whole");
    let hash = journal.reader().unwrap().clip(clip(2)).unwrap().unwrap().sha256.unwrap();
    assert_eq!(hash, "5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099");
    let mut files: Vec<_> = fs::read_dir(dir.path().join("clips")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let kept = [2, 4].map(|n| clip_path(dir.path(), clip(n)));
    assert_eq!(files, [&kept[..], &[dir.path().join("clips/notes.txt")]].concat(), "what is no clip stays");
    assert_eq!(dangling(dir.path()), 0);
}

#[test]
fn the_oldest_that_nobody_waits_for_goes_first_and_what_is_being_recorded_never() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    finished(&journal, dir.path(), 1, MIB, Some("ops"));
    for n in 2..=4 {
        finished(&journal, dir.path(), n, MIB, None);
    }
    film(&journal, clip(5), None);
    tell(&journal, clip(5), ClipStep::Begun { started_us: 5 });
    tell(&journal, clip(5), ClipStep::Grown { bytes: MIB });
    let trim = |max_size| {
        let trimming = Trimming { max_size, lacks: 0 };
        let trimmed = journal.writer().trim_clips(trimming).wait().unwrap();
        let there: Vec<u128> = (1..=5).filter(|n| clip_path(dir.path(), clip(*n)).exists()).collect();
        (trimmed.gone, trimmed.excess, there)
    };
    assert_eq!(trim(5 * MIB), (0, 0, vec![1, 2, 3, 4]));
    assert_eq!(trim(3 * MIB), (2, 0, vec![1, 4]), "the first one's alert waits");
    assert_eq!(trim(2 * MIB - 1), (2, 0, vec![]), "where there is no other way");
    assert_eq!(trim(MIB / 2), (0, MIB / 2, vec![]));
    assert_eq!(states(dir.path())[4], (ClipState::Recording, true));
    assert_eq!(dangling(dir.path()), 1, "the one that is recorded: this test wrote no file");
}

#[test]
fn of_a_full_disk_no_more_is_given_back_than_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for n in 1..=6 {
        finished(&journal, dir.path(), n, MIB, None);
    }
    let trim = |max_size, lacks| {
        let trimming = Trimming { max_size, lacks };
        journal.writer().trim_clips(trimming).wait().unwrap().gone
    };
    assert_eq!(trim(u64::MAX, 0), 0);
    assert_eq!(trim(u64::MAX, MIB + 1), 2);
    assert_eq!(trim(3 * MIB, 2 * MIB), 2, "what the quota took counts");
    assert_eq!(trim(u64::MAX, u64::MAX), 2);
    assert_eq!(states(dir.path()), [(ClipState::Gone, false); 6]);
}

#[test]
fn a_clip_that_is_deleted_by_hand_is_gone_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let clip = finished(&journal, dir.path(), 1, 1, None);
    let delete = || journal.writer().delete_clip(clip).wait().unwrap();
    assert_eq!((delete(), delete()), (true, false));
    assert!(!clip_path(dir.path(), clip).exists());
    assert_eq!(states(dir.path()), [(ClipState::Gone, false)]);
}

#[test]
fn links_outlive_restarts_and_damage() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    finished(&journal, dir.path(), 1, 1, Some("ops"));
    let signature =
        |journal: &Journal| journal.reader().unwrap().link_key().unwrap().unwrap().signature(Uuid::nil(), 1);
    let before = signature(&journal);
    journal.close().unwrap();
    let journal = open(dir.path());
    assert_eq!(signature(&journal), before);
    journal.close().unwrap();
    crate::journal::salvage::salvage(dir.path(), false, Wall(2)).unwrap();
    fs::rename(dir.path().join("journal.db.salvaged"), dir.path().join("journal.db")).unwrap();
    let journal = open(dir.path());
    assert_eq!(signature(&journal), before);
    assert_eq!(states(dir.path()), [(ClipState::Ready, true)]);
    let other = tempfile::tempdir().unwrap();
    assert_ne!(signature(&open(other.path())), before, "each box has its own");
}
