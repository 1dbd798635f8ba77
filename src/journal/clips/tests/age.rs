//! How old clips become: never by a clock that was wrong, and never while somebody is owed them.

use super::*;
use crate::journal::DeadFilter;

const DAY: u64 = 86_400;

/// Looks at `now`. Answers how many clips are gone.
fn age(journal: &Journal, now: Now) -> u64 {
    let aged = journal.writer().age_clips(Aging { keep: HOUR, from: 0, now }).wait().unwrap();
    assert_eq!((aged.more, aged.next), (false, 0));
    aged.gone
}

/// What `ops` is owed ends.
fn deliver(journal: &Journal) {
    journal.writer().set_gone(name("ops"), true).wait().unwrap();
    journal.writer().skip_owed(name("ops"), at(1).wall).wait().unwrap();
}

#[test]
fn what_is_too_old_goes_and_is_forgotten_later() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    finished(&journal, dir.path(), 1, 1, None);
    let moments = [1, 3600].map(|seconds| age(&journal, at(seconds)));
    assert_eq!(moments, [0, 0], "young");
    assert_eq!(age(&journal, Now { synced: false, ..at(7200) }), 0, "nobody knows");
    assert_eq!(age(&journal, at(3602)), 1);
    assert_eq!((states(dir.path()), age(&journal, at(3603))), (vec![(ClipState::Gone, false)], 0));
    assert_eq!(states(dir.path()), [], "and with it, what was to be kept of its row");
}

#[test]
fn a_clip_ages_from_when_nobody_is_owed_it_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    finished(&journal, dir.path(), 1, 1, Some("ops"));
    let out = [1, DAY, 9 * DAY].map(|seconds| age(&journal, at(seconds)));
    assert_eq!(out, [0; 3], "an outage of any length");
    deliver(&journal);
    assert_eq!([9 * DAY + 1, 9 * DAY + 3600].map(|seconds| age(&journal, at(seconds))), [0, 0]);
    let filter = DeadFilter { endpoint: Some(name("ops")), ..DeadFilter::default() };
    assert_eq!(journal.writer().redrive(filter, at(2)).wait().unwrap(), 1);
    assert_eq!(age(&journal, at(10 * DAY)), 0, "owed again");
    deliver(&journal);
    assert_eq!(age(&journal, at(10 * DAY)), 1);
}

#[test]
fn a_clip_of_a_time_when_the_clock_was_wrong_is_as_old_as_the_time_since_it_was_right() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    assert_eq!(age(&journal, at(0)), 0, "the clock was right once");
    let wrong = Now { wall: Wall(946_684_800_000), synced: false, ..at(5) };
    film_at(&journal, clip(1), None, wrong);
    fs::write(clip_path(dir.path(), clip(1)), "x").unwrap();
    tell(&journal, clip(1), ready(1)).unwrap();
    assert_eq!(journal.reader().unwrap().clip(clip(1)).unwrap().unwrap().asked, wrong.wall, "the control");
    assert_eq!([10, 20, 3600].map(|seconds| age(&journal, at(seconds))), [0; 3]);
    assert_eq!(states(dir.path()), [(ClipState::Ready, true)]);
    assert_eq!(age(&journal, at(3611)), 1, "and goes in the end");
}
