//! A thread whose place is taken while a model still thinks.

use tempfile::TempDir;

use super::*;
use crate::broadcast::Broadcast;
use crate::config;
use crate::event::JobStatus;
use crate::frame::{Frame, Motion};
use crate::journal::{Journal, Keep};
use crate::watch::Addressees;
use crate::watch::kept::Kept;
use crate::watch::watcher::tests::{Scene, frame, machine, model, plain};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

struct Post {
    journal: Journal,
    mailbox: Arc<Mailbox>,
    scene: Scene,
    watch: Watch,
    _folder: TempDir,
}

/// A camera that is watched by one machine, and gave these frames.
fn post(frames: Vec<Frame>) -> Post {
    posted(frames, false)
}

/// The same, at its end or not.
fn posted(frames: Vec<Frame>, ended: bool) -> Post {
    let folder = TempDir::new().unwrap();
    let keep = Keep { delivered: LONG, dead: LONG, max_size: 1 << 26 };
    let journal = Journal::open(folder.path(), keep, time::now(), Box::new(|_| {})).unwrap();
    let storage = config::parse("", "stakeout.toml").unwrap().config.storage;
    let ledger = JournalLedger::new(journal.writer(), "box".into(), Addressees::new(&[]), &storage);
    let scene = model("a");
    let watcher = Watcher::new(vec![plain(machine("m", &scene), &scene)]);
    let mailbox = Arc::<Mailbox>::default();
    mailbox.demand(watcher.demand(time::now()));
    frames.into_iter().for_each(|frame| mailbox.put(frame));
    let ledger = ledger.heard_by(Broadcast::default());
    let watch = start(Name::new("c").unwrap(), (mailbox.clone(), ended), watcher, ledger).unwrap();
    Post { journal, mailbox, scene, watch, _folder: folder }
}

fn now_seen(motion: Motion) -> Frame {
    Frame { arrived: time::now(), motion, ..frame(0.0) }
}

/// So many checks are on disk.
fn checks(journal: &Journal) -> u64 {
    let row = journal.reader().unwrap().machines().unwrap().remove(0);
    assert!(Kept::read(&row).is_ok());
    row.counters.checks_performed
}

fn after(duration: Duration) -> Mono {
    time::now().mono.plus(duration)
}

#[test]
fn what_was_seen_before_others_take_over_is_judged_first() {
    let frames = [0, 1, 2].map(|late| {
        let mut frame = now_seen(Motion::SleptThrough);
        frame.arrived.mono = frame.arrived.mono.plus(Duration::from_secs(late));
        frame
    });
    let Post { journal, mailbox, scene, mut watch, _folder } = post(Vec::from(frames));
    watch.ask_to_finish(after(LONG));
    for _ in 0..3 {
        scene.script.send(Some(0.9)).unwrap();
    }
    assert_eq!(watch.join_finished(LONG, || false), Joined::Settled);
    assert_eq!(checks(&journal), 3);
    // What comes from then on is for whoever watches next.
    mailbox.put(now_seen(Motion::Moved));
    assert_eq!(mailbox.take().frames.len(), 1);
}

#[test]
fn a_model_that_takes_too_long_is_not_waited_for_nor_when_the_daemon_stops() {
    let of = |ask: fn(&mut Watch), hurries: bool| {
        let Post { journal, scene, mut watch, _folder, .. } = post(vec![now_seen(Motion::Moved)]);
        ask(&mut watch);
        assert_eq!(watch.join_finished(LONG, || hurries), Joined::Settled);
        // Now it answers, and nobody hears it.
        scene.script.send(Some(0.9)).unwrap();
        checks(&journal)
    };
    assert_eq!(of(|watch| watch.ask_to_finish(after(Duration::from_millis(200))), false), 0, "too late");
    assert_eq!(of(|watch| watch.ask_to_finish(after(LONG)), true), 0, "it hurries");
    assert_eq!(of(Watch::ask_to_stop, false), 0, "the negative control: told to end it drops what it has");
}

#[test]
fn the_last_frames_of_a_clip_are_judged_by_whoever_takes_over_at_its_end() {
    let Post { journal, scene, mut watch, _folder, .. } = posted(vec![now_seen(Motion::Moved)], true);
    let job = || watch.shown[0].lock().unwrap().state.job().map(|job| job.status());
    // The model is asked although the clip is over, and the job ends only with its answer.
    scene.script.send(Some(0.9)).unwrap();
    let deadline = after(LONG);
    while job().is_some_and(|status| matches!(status, JobStatus::Pending | JobStatus::Running)) {
        assert!(time::now().mono < deadline, "the job goes on");
        std::thread::yield_now();
    }
    watch.ask_to_finish(after(LONG));
    assert_eq!(watch.join_finished(LONG, || false), Joined::Settled);
    assert_eq!(checks(&journal), 1);
}

#[test]
fn a_thread_that_has_ended_does_not_look_as_if_it_hung() {
    let Post { scene, mut watch, _folder, .. } = post(Vec::new());
    let beat = watch.beat_reader();
    watch.ask_to_finish(after(LONG));
    while !watch.thread.is_finished() {
        std::thread::yield_now();
    }
    assert_eq!(beat(), OVER);
    drop(scene);
}
