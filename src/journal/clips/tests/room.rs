//! Whose room clips take: none that an alert needs.

use super::*;
use crate::delivery::State;
use crate::event::{ClipReport, ClipStage};
use crate::journal::{DeliveryFilter, Error, Recorded, Reply};

/// A journal whose database fills after some hundred alerts.
fn open_small(dir: &Path) -> Journal {
    let keep = Keep { delivered: HOUR, dead: HOUR, max_size: 4 << 20 };
    Journal::open(dir, keep, at(0), Box::new(|_| {})).unwrap()
}

fn body() -> Body {
    Body::whole(format!("{{\"text\":\"{}\"}}", "x".repeat(1000)))
}

fn owed(endpoint: &str) -> Owed {
    Owed { endpoint: name(endpoint), frame: OwedFrame::None, format_version: 1, render: Box::new(|_| body()) }
}

fn queue_alert(journal: &Journal, clip: Option<Uuid>) -> Reply<Recorded> {
    let accepted = Accepted { event: alert(), frame: None, owed: vec![owed("ops")] };
    let record = Record { at: at(0), events: vec![accepted], machine: None, jobs: Vec::new() };
    let filmed = clip.map(|clip| Filmed { clip, height: None, told: vec![name("ops")] });
    journal.writer().record_filmed(record, vec![filmed])
}

fn report(clip: &ClipRow, stage: ClipStage) -> Accepted {
    let said = ClipReport {
        stage,
        clip: clip.id,
        alert: Uuid::nil(),
        alerted: Wall(0),
        height: None,
        url: String::new(),
        player_url: String::new(),
        duration_ms: 0,
        bytes: clip.bytes,
        sha256: String::new(),
    };
    let owed = ["hq", "attic", "shed"].map(owed).into();
    Accepted { event: event(EventData::Clip(said)), frame: None, owed }
}

fn queue_news(journal: &Journal, clip: Uuid, step: ClipStep, stage: ClipStage) -> Reply<Recorded> {
    let announce: Announce = Box::new(move |clip, _| vec![report(clip, stage)]);
    journal.writer().tell_of_clip(ClipNews { clip, at: at(1), step, announce })
}

fn begun() -> ClipStep {
    ClipStep::Begun { started_us: 5 }
}

/// How many alerts are still owed, and how much that tells of clips, after more alerts than there is room for, each with a
/// clip. `news`: that is told of.
fn survivors(news: bool) -> (usize, usize) {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    for round in 0..60_u128 {
        let clips: Vec<Uuid> = (0..20).map(|n| clip(round * 20 + n + 1)).collect();
        let alerts: Vec<_> = clips.iter().map(|clip| queue_alert(&journal, Some(*clip))).collect();
        alerts.into_iter().for_each(|reply| drop(reply.wait().unwrap()));
        let told = clips.iter().flat_map(|clip| {
            let steps = [(begun(), ClipStage::Started), (ready(1), ClipStage::Ready)];
            steps.map(|(step, stage)| match news {
                true => queue_news(&journal, *clip, step, stage),
                false => {
                    let announce: Announce = Box::new(|_, _| Vec::new());
                    journal.writer().tell_of_clip(ClipNews { clip: *clip, at: at(1), step, announce })
                }
            })
        });
        told.collect::<Vec<_>>().into_iter().for_each(|reply| drop(reply.wait().unwrap()));
    }
    let filter = DeliveryFilter { state: Some(State::Pending), limit: 10_000, ..DeliveryFilter::default() };
    let pending = journal.reader().unwrap().deliveries(&filter).unwrap();
    let alerts = pending.iter().filter(|row| row.endpoint.as_str() == "ops").count();
    (alerts, pending.len() - alerts)
}

#[test]
fn what_is_told_of_clips_takes_no_alerts_room() {
    let (without, _) = survivors(false);
    let (with, news) = survivors(true);
    assert!(without > 200, "{without}: there is room for some");
    assert!(with * 100 > without * 85, "{with} of {without}");
    assert!(news * 10 < with, "{news} news beside {with} alerts");
}

/// Until nothing more is told.
fn fill(journal: &Journal) -> u128 {
    let told = (1..2000).find(|n| {
        queue_alert(journal, Some(clip(*n))).wait().unwrap();
        queue_news(journal, clip(*n), begun(), ClipStage::Started).wait().unwrap().events.is_empty()
    });
    told.expect("it fills")
}

#[test]
fn what_became_of_a_clip_is_told_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let last = clip(fill(&journal));
    let untold = || journal.writer().untold_clips().wait().unwrap();
    assert_eq!(untold(), [], "what only leads there is not told later");
    let told = queue_news(&journal, last, ready(7), ClipStage::Ready).wait().unwrap();
    assert_eq!((told.events.len(), untold()), (0, vec![(last, ClipState::Ready)]));
    let row = journal.reader().unwrap().clip(last).unwrap().unwrap();
    assert_eq!((row.state, row.bytes), (ClipState::Ready, 7), "it is ready all the same");
    let retell = |state| queue_news(&journal, last, ClipStep::Told(state), ClipStage::Ready).wait();
    assert!(matches!(retell(ClipState::Ready), Err(Error::Tight(_))));
    assert_eq!(untold(), [(last, ClipState::Ready)], "still");

    for endpoint in ["ops", "hq", "attic", "shed"] {
        journal.writer().set_gone(name(endpoint), true).wait().unwrap();
        while journal.writer().skip_owed(name(endpoint), at(2).wall).wait().unwrap() > 0 {}
    }
    while journal.writer().purge(at(9000)).wait().unwrap().more {}
    assert_eq!(retell(ClipState::Failed).unwrap().events.len(), 0, "that is not where it stands");
    assert_eq!(retell(ClipState::Ready).unwrap().events.len(), 1);
    assert_eq!((retell(ClipState::Ready).unwrap().events.len(), untold()), (0, vec![]), "once");
}

#[test]
fn in_a_tight_journal_rows_of_clips_that_are_gone_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    let first = finished(&journal, dir.path(), 5000, 1, None);
    assert!(journal.writer().delete_clip(first).wait().unwrap());
    fill(&journal);
    assert_eq!(journal.reader().unwrap().clip(first).unwrap(), None);
}

/// Events with pictures, until their half of the journal is full of them; `owes`: to somebody.
fn fill_with_frames(journal: &Journal, owes: bool) {
    let jpeg: Arc<[u8]> = vec![7; 100_000].into();
    for _ in 0..30 {
        let owed = if owes { vec![owed("hq")] } else { Vec::new() };
        let accepted = Accepted { event: alert(), frame: Some(jpeg.clone()), owed };
        let record = Record { at: at(0), events: vec![accepted], machine: None, jobs: Vec::new() };
        journal.writer().record(record).wait().unwrap();
    }
}

/// With a clip of 400 kB whose alert is owed, beside pictures: how many of these are left, whether the clip is, and what the
/// last trimming says.
fn beside_frames(owed: bool) -> (usize, bool, Trimmed) {
    let dir = tempfile::tempdir().unwrap();
    let journal = open_small(dir.path());
    fill_with_frames(&journal, owed);
    let frames = || fs::read_dir(dir.path().join("frames")).unwrap().count();
    let before = frames();
    assert!(before > 10, "{before}");
    let clip = finished(&journal, dir.path(), 1, 400_000, Some("ops"));
    loop {
        let trimmed = journal.writer().trim_clips(Trimming { max_size: MIB, lacks: 0 }).wait().unwrap();
        if !trimmed.more {
            return (frames(), clip_path(dir.path(), clip).exists(), trimmed);
        }
    }
}

#[test]
fn pictures_that_nobody_waits_for_give_way_to_clips_and_those_of_alerts_do_not() {
    let (frames, is_there, trimmed) = beside_frames(false);
    assert_eq!((is_there, trimmed), (true, Trimmed { is_for_frames: false, ..Trimmed::default() }));
    assert!(frames < 10, "{frames}");
    let (frames, is_there, trimmed) = beside_frames(true);
    assert_eq!((is_there, trimmed), (false, Trimmed { gone: 1, is_for_frames: true, ..Trimmed::default() }));
    assert!(frames > 10, "{frames}");
}
