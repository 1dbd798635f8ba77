//! Files whose rows are lost, rows whose files can't be read, and journals that know no clips.

use super::*;
use crate::event::AlertClip;

/// An alert that names `clip`, as its body does.
fn film_by_name(journal: &Journal, clip: Uuid) -> Uuid {
    let mut event = alert();
    if let EventData::Triggered(triggered) = &mut event.data {
        triggered.clip = Some(AlertClip { id: clip, stream_url: String::new(), player_url: String::new() });
    }
    let id = event.id;
    let record = Record {
        at: at(0),
        events: vec![Accepted { event, frame: None, owed: Vec::new() }],
        machine: None,
        jobs: Vec::new(),
    };
    let filmed = Filmed { clip, height: None, told: Vec::new() };
    journal.writer().record_filmed(record, vec![Some(filmed)]).wait().unwrap();
    id
}

#[test]
fn what_damage_leaves_of_clips_is_taken_up_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let [known, nobodys] = [at(77).new_id(), at(78).new_id()];
    let alert = film_by_name(&journal, known);
    journal.close().unwrap();
    for clip in [known, nobodys] {
        fs::write(clip_path(dir.path(), clip), "whole").unwrap();
    }
    let database = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    database.execute("DELETE FROM clip", []).unwrap();
    drop(database);

    let journal = open(dir.path());
    let row = |clip| journal.reader().unwrap().clip(clip).unwrap().unwrap();
    assert_eq!((row(known).camera, row(known).alerts), (name("dock"), vec![alert]));
    assert_eq!((row(nobodys).camera, row(nobodys).alerts), (name("unknown"), vec![]));
    for (clip, seconds) in [(known, 77), (nobodys, 78)] {
        let row = row(clip);
        assert_eq!((row.state, row.has_file, row.bytes), (ClipState::Recording, false, 5), "to be settled");
        assert_eq!(row.asked, at(seconds).wall, "as its id says");
        assert!(clip_path(dir.path(), clip).exists());
    }
    journal.close().unwrap();
    let journal = open(dir.path());
    assert_eq!(journal.reader().unwrap().clips(&ClipFilter { limit: 9, ..ClipFilter::default() }).unwrap().len(), 2);
}

#[test]
fn a_clip_that_cannot_be_read_stays_and_goes_as_others_do() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for n in 1..=2 {
        film(&journal, clip(n), None);
        fs::write(clip_path(dir.path(), clip(n)), "who knows").unwrap();
        tell(&journal, clip(n), ClipStep::Begun { started_us: 5 }).unwrap();
        tell(&journal, clip(n), ClipStep::Grown { bytes: MIB }).unwrap();
        let told = tell(&journal, clip(n), ClipStep::Unreadable { why: "EIO".to_owned() });
        assert_eq!(told.map(|(state, _)| state), Some(ClipState::Failed));
    }
    assert_eq!(states(dir.path()), [(ClipState::Failed, true); 2]);
    let trimmed = journal.writer().trim_clips(Trimming { max_size: MIB, lacks: 0 }).wait().unwrap();
    assert_eq!((trimmed.gone, trimmed.excess), (1, 0));
    assert!(journal.writer().delete_clip(clip(2)).wait().unwrap());
    assert_eq!(states(dir.path()), [(ClipState::Gone, false); 2]);
}

#[test]
fn a_journal_of_a_release_that_recorded_nothing_is_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/journals/v8.sqlite");
    fs::copy(kept, dir.path().join("journal.db")).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.clips(&ClipFilter { limit: 9, ..ClipFilter::default() }).unwrap(), []);
    assert_eq!((reader.clip(clip(1)).unwrap(), reader.clip_of(Uuid::nil()).unwrap()), (None, None));
    assert!(reader.link_key().unwrap().is_none());
}
