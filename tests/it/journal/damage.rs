//! Whatever is found at start: the journal starts, keeps what can be read, gives no number twice, and takes new events.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

use stakeout::delivery::State;
use stakeout::event::Priority;
use stakeout::journal::{Accepted, Definition, DeliveryRow, JobFilter, OpenError, OwedFrame, Record, Writer};

use super::*;

const PAGE: u64 = 2048;
const EVENTS: usize = 60;
const DIR: &str = "STAKEOUT_TEST_DAMAGE_DIR";
const COUNT: &str = "STAKEOUT_TEST_DAMAGE_EVENTS";

/// A journal with rows of every kind: delivered ones, dead ones, waiting ones, some that fill several pages.
fn fill(writer: &Writer, events: usize) -> Vec<Uuid> {
    let mut deliveries = Vec::new();
    writer.define(definition("yard")).wait().unwrap();
    for n in 0..events {
        let mut event = triggered(Priority::ALL[n % 4]);
        event.metadata.insert("long".to_owned(), "x".repeat(if n % 10 == 0 { 6000 } else { 10 }).into());
        let owed = vec![owed("a", OwedFrame::Original), owed("b", OwedFrame::None)];
        let events = vec![Accepted { event, frame: Some(jpeg(&n.to_string())), owed }];
        let record = Record { at: at(0), events, machine: Some(machine()), jobs: vec![job()] };
        let recorded = writer.record(record).wait().unwrap();
        deliveries.extend(recorded.events[0].deliveries.iter().map(|stamp| stamp.delivery));
    }
    for (n, &delivery) in deliveries.iter().enumerate() {
        let (state, code) = match n % 6 {
            0 => (State::Delivered, 200),
            1 => (State::Dead, 500),
            2 => (State::RetryWait, 503),
            _ => continue,
        };
        writer.settle(settlement(delivery, state, Some(status(code)), at(1))).wait().unwrap();
    }
    deliveries
}

fn definition(text: &str) -> Definition {
    Definition { kind: "monitor".to_owned(), name: name(text), body: r#"{"of": "yard"}"#.to_owned(), made: at(0).wall }
}

/// Not a test by itself: a process that fills a journal and ends without a good-bye.
#[test]
fn filling_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let journal = open(dir.as_ref());
    let events = std::env::var(COUNT).unwrap().parse().unwrap();
    fill(&journal.writer(), events);
    std::process::exit(0);
}

/// A journal as an unclean end leaves it: with its log.
fn unclean(dir: &Path) {
    unclean_with(dir, EVENTS);
}

fn unclean_with(dir: &Path, events: usize) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "journal::damage::filling_child", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(COUNT, events.to_string());
    child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(fs::metadata(dir.join("journal.db-wal")).unwrap().len() > 0);
}

/// The same, with everything in the file and an empty log.
fn unclean_without_log(dir: &Path) {
    unclean(dir);
    let state = mark_clean(dir, false);
    assert!(state > 0);
}

/// Opens and closes, so that the log is folded in; then notes that the end was clean, or not. Pages of the file.
fn mark_clean(dir: &Path, clean: bool) -> u64 {
    let journal = open(dir);
    if clean {
        journal.close().unwrap();
    } else {
        // A repair folds the log in and leaves what is known of the last end.
        drop(journal);
        Journal::open_for_repair(dir, KEEP).unwrap().close().unwrap();
    }
    assert!(!dir.join("journal.db-wal").exists());
    fs::metadata(dir.join("journal.db")).unwrap().len() / PAGE
}

fn all_rows(journal: &Journal) -> BTreeMap<Uuid, DeliveryRow> {
    let rows = journal.reader().unwrap().deliveries(&all_deliveries()).unwrap();
    rows.into_iter().map(|row| (row.id, row)).collect()
}

fn open_rows(journal: &Journal) -> BTreeMap<Uuid, DeliveryRow> {
    all_rows(journal).into_iter().filter(|(_, row)| row.standing.state != State::Delivered).collect()
}

/// What the journal held before it was damaged.
struct Before {
    epoch: Uuid,
    /// What was open or dead.
    rows: BTreeMap<Uuid, DeliveryRow>,
    /// With what was delivered: a log that lost its end says that it is still owed.
    all: BTreeMap<Uuid, DeliveryRow>,
    bodies: BTreeMap<Uuid, Vec<u8>>,
}

fn bodies(journal: &Journal) -> BTreeMap<Uuid, Vec<u8>> {
    let reader = journal.reader().unwrap();
    let due = ["a", "b"].map(|endpoint| reader.due(&name(endpoint), at(100).wall, 1000).unwrap());
    due.into_iter().flatten().map(|due| (due.id, due.body.text().as_bytes().to_vec())).collect()
}

fn before(dir: &Path) -> Before {
    let copy = tempfile::tempdir().unwrap();
    for file in ["journal.db", "journal.db-wal"] {
        if dir.join(file).exists() {
            fs::copy(dir.join(file), copy.path().join(file)).unwrap();
        }
    }
    let journal = open(copy.path());
    assert_eq!(journal.start().salvaged, None, "sound before");
    Before {
        epoch: journal.start().epoch,
        rows: open_rows(&journal),
        all: all_rows(&journal),
        bodies: bodies(&journal),
    }
}

/// Opens what was damaged and holds it to the promise. How many open rows and dead letters are still there.
fn heals(dir: &Path, before: &Before) -> (Journal, usize) {
    let journal = open(dir);
    let rows = open_rows(&journal);
    for (id, row) in &rows {
        let was = &before.all[id];
        assert_eq!((&row.endpoint, row.sequence, row.event_id), (&was.endpoint, was.sequence, was.event_id));
    }
    let was = &before.bodies;
    for (id, body) in bodies(&journal) {
        // A flipped bit in the text of a body is nothing that SQLite could see; everything else stays as it was frozen.
        assert!(was.get(&id).is_none_or(|was| was.len() == body.len()), "{id}");
    }
    let recorded = journal.writer().record(record(triggered(Priority::High), &["a", "b"])).wait().unwrap();
    if journal.start().salvaged.is_some() {
        assert_ne!(journal.start().epoch, before.epoch);
    }
    for stamp in &recorded.events[0].deliveries {
        assert!(rows.values().all(|row| row.sequence != stamp.sequence), "no number is given twice");
    }
    let sound = journal.reader().unwrap().check().unwrap();
    assert!(journal.start().salvaged.is_none() || sound == "ok", "{sound}");
    (journal, rows.len())
}

fn quarantined(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("journal.corrupt-")).collect();
    names.sort();
    names
}

fn overwrite(dir: &Path, file: &str, offset: u64, bytes: &[u8]) {
    File::options().write(true).open(dir.join(file)).unwrap().write_all_at(bytes, offset).unwrap();
}

#[test]
fn a_journal_that_is_sound_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    unclean(dir.path());
    let was = before(dir.path());
    let (journal, left) = heals(dir.path(), &was);
    assert_eq!((journal.start().salvaged, journal.start().clean, left), (None, false, was.rows.len()));
    assert_eq!(journal.start().epoch, was.epoch);
    assert_eq!(quarantined(dir.path()), Vec::<String>::new());
}

#[test]
fn any_page_may_be_zeroed() {
    let source = tempfile::tempdir().unwrap();
    unclean_without_log(source.path());
    let was = before(source.path());
    let pages = fs::metadata(source.path().join("journal.db")).unwrap().len() / PAGE;
    let (mut resets, mut fewest) = (0, usize::MAX);
    for page in (0..pages).step_by(3) {
        let dir = tempfile::tempdir().unwrap();
        fs::copy(source.path().join("journal.db"), dir.path().join("journal.db")).unwrap();
        overwrite(dir.path(), "journal.db", page * PAGE, &[0; PAGE as usize]);
        let (journal, left) = heals(dir.path(), &was);
        if let Some(salvaged) = journal.start().salvaged {
            resets += 1;
            assert_eq!(quarantined(dir.path()), ["journal.corrupt-1"]);
            assert_eq!(salvaged, left as u64);
            assert_eq!(journal.writer().notices(at(5)).wait().unwrap().len(), 1, "it will be announced");
            assert_eq!(journal.reader().unwrap().totals().unwrap().resets, 1);
        }
        if page > 0 {
            fewest = fewest.min(left);
        }
    }
    assert!(resets > pages / 6, "{resets} of {pages} pages were seen to be damaged");
    assert!(fewest < was.rows.len(), "a damaged page of rows costs these rows");
}

#[test]
fn any_bit_may_flip() {
    let source = tempfile::tempdir().unwrap();
    unclean_without_log(source.path());
    let was = before(source.path());
    let size = fs::metadata(source.path().join("journal.db")).unwrap().len();
    let file = fs::read(source.path().join("journal.db")).unwrap();
    // The same bits in every run, other ones with another seed: what one run finds, the next one must find again.
    let seed = std::env::var("STAKEOUT_TEST_SEED").map_or(1, |seed| seed.parse().expect("a seed is a number"));
    let mut random = fastrand::Rng::with_seed(seed);
    for page in (0..size / PAGE).step_by(4) {
        let dir = tempfile::tempdir().unwrap();
        let mut damaged = file.clone();
        // The header of the page, whatever it is: type, counts, pointers.
        let start = if page == 0 { 100 } else { 0 };
        let at = (page * PAGE + start + random.u64(0..12)) as usize;
        damaged[at] ^= 1 << random.u8(0..8);
        fs::write(dir.path().join("journal.db"), &damaged).unwrap();
        let (journal, left) = heals(dir.path(), &was);
        assert!(journal.start().salvaged.is_none_or(|salvaged| salvaged == left as u64));
    }
}

#[test]
fn what_is_left_of_a_truncated_file_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    unclean_without_log(dir.path());
    let was = before(dir.path());
    let size = fs::metadata(dir.path().join("journal.db")).unwrap().len();
    File::options().write(true).open(dir.path().join("journal.db")).unwrap().set_len(size / 2 / PAGE * PAGE).unwrap();
    let (journal, left) = heals(dir.path(), &was);
    assert_eq!(journal.start().salvaged, Some(left as u64));
    assert!(left > 0 && left < was.rows.len(), "{left} of {}", was.rows.len());
    let notices = journal.writer().notices(at(5)).wait().unwrap();
    let EventData::JournalReset(reset) = &notices[0].data else { panic!("{notices:?}") };
    assert_eq!((reset.salvaged, reset.previous_epoch), (left as u64, Some(was.epoch)));
    let lost = |row: &DeliveryRow| {
        reset.lost.iter().any(|range| range.endpoint == row.endpoint && (range.from..=range.to).contains(&row.sequence))
    };
    let now = open_rows(&journal);
    for (id, row) in &was.rows {
        assert!(
            now.contains_key(id) || lost(row),
            "delivery {} of `{}` is not accounted for",
            row.sequence,
            row.endpoint
        );
        assert!(!(now.contains_key(id) && lost(row)), "what goes on is not lost");
    }
    assert_eq!(journal.reader().unwrap().machines().unwrap(), [machine()]);
    assert_eq!(journal.reader().unwrap().jobs(&JobFilter::default()).unwrap(), [job()]);
    assert_eq!(journal.reader().unwrap().definitions().unwrap(), [definition("yard")]);
}

/// The negative control: what somebody finds who opens that file without salvage, or moves it aside by hand.
#[test]
fn without_salvage_nothing_of_a_truncated_file_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    unclean_without_log(dir.path());
    let was = before(dir.path());
    let file = dir.path().join("journal.db");
    let size = fs::metadata(&file).unwrap().len();
    File::options().write(true).open(&file).unwrap().set_len(size / 2 / PAGE * PAGE).unwrap();
    let bare = rusqlite::Connection::open(&file).unwrap();
    let count = bare.query_row("SELECT count(*) FROM delivery", [], |row| row.get::<_, i64>(0));
    assert!(count.is_err(), "this file is not damaged: {count:?}");
    drop(bare);
    fs::rename(&file, dir.path().join("aside")).unwrap();
    let (journal, left) = heals(dir.path(), &was);
    assert_eq!((journal.start().salvaged, left), (None, 0));
}

#[test]
fn a_truncated_log_costs_only_what_it_held() {
    let dir = tempfile::tempdir().unwrap();
    unclean(dir.path());
    let was = before(dir.path());
    let log = dir.path().join("journal.db-wal");
    let size = fs::metadata(&log).unwrap().len();
    File::options().write(true).open(&log).unwrap().set_len(size / 2).unwrap();
    heals(dir.path(), &was);
}

#[test]
fn a_garbage_header_costs_what_is_there_and_no_more_than_that() {
    let dir = tempfile::tempdir().unwrap();
    unclean_without_log(dir.path());
    let was = before(dir.path());
    overwrite(dir.path(), "journal.db", 0, &[0xa5; 100]);
    let (journal, left) = heals(dir.path(), &was);
    assert_eq!((journal.start().salvaged, left), (Some(0), 0));
    journal.close().unwrap();
    assert_eq!(open(dir.path()).start().salvaged, None, "once");
    assert_eq!(quarantined(dir.path()), ["journal.corrupt-1"]);
}

#[test]
fn an_empty_file_and_a_lone_log_are_moved_aside_and_the_log_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    unclean(dir.path());
    let was = before(dir.path());
    let log = fs::read(dir.path().join("journal.db-wal")).unwrap();
    File::create(dir.path().join("journal.db")).unwrap();
    let (journal, _) = heals(dir.path(), &was);
    assert!(journal.start().salvaged.is_some());
    drop(journal);
    assert_eq!(fs::read(dir.path().join("journal.corrupt-1/journal.db-wal")).unwrap(), log, "a log is never deleted");

    let lone = tempfile::tempdir().unwrap();
    fs::write(lone.path().join("journal.db-wal"), &log).unwrap();
    assert!(open(lone.path()).start().salvaged.is_some());
    assert_eq!(fs::read(lone.path().join("journal.corrupt-1/journal.db-wal")).unwrap(), log);
}

#[test]
fn a_log_of_another_journal_is_not_folded_in() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    unclean_without_log(dir.path());
    let was = before(dir.path());
    // So few that its log holds all of it: one that was folded in before may say nothing of whose it is.
    unclean_with(other.path(), 3);
    fs::copy(other.path().join("journal.db-wal"), dir.path().join("journal.db-wal")).unwrap();
    let (journal, left) = heals(dir.path(), &was);
    assert_eq!(journal.start().salvaged, Some(was.rows.len() as u64));
    assert_eq!(left, was.rows.len(), "nothing of the file itself is lost");
    assert!(dir.path().join("journal.corrupt-1/journal.db-wal").exists());
}

#[test]
fn what_cannot_be_understood_is_left_behind_when_two_processes_in_a_row_ended_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let deliveries = fill(&journal.writer(), EVENTS);
    journal.close().unwrap();
    let was = before(dir.path());
    // A word of its own length: SQLite finds nothing wrong with it.
    let mut file = fs::read(dir.path().join("journal.db")).unwrap();
    let places: Vec<usize> =
        file.windows(10).enumerate().filter(|(_, text)| text == b"retry_wait").map(|(at, _)| at).collect();
    for at in places {
        file[at] ^= 1;
    }
    fs::write(dir.path().join("journal.db"), &file).unwrap();
    for suspicions in ["1", "2"] {
        fs::write(dir.path().join("suspect"), suspicions).unwrap();
        let journal = open(dir.path());
        assert_eq!(journal.start().salvaged.is_some(), suspicions == "2", "{suspicions}");
        drop(journal);
    }
    let (journal, left) = heals(dir.path(), &was);
    assert!(left > 0 && left < deliveries.len());
    assert!(journal.reader().unwrap().due(&name("a"), at(99).wall, 1000).is_ok(), "nobody stumbles over it any more");
    assert!(!dir.path().join("suspect").exists());
}

/// After a clean end nothing is checked: what the start itself reads then turns out to be damaged.
#[test]
fn damage_that_only_the_start_itself_reads_is_healed() {
    let dir = tempfile::tempdir().unwrap();
    unclean(dir.path());
    mark_clean(dir.path(), true);
    let was = before(dir.path());
    let root: i64 = rusqlite::Connection::open(dir.path().join("journal.db"))
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'delivery_state'", [], |row| row.get(0))
        .unwrap();
    overwrite(dir.path(), "journal.db", (root as u64 - 1) * PAGE, &[0; PAGE as usize]);
    let (journal, left) = heals(dir.path(), &was);
    assert_eq!((journal.start().salvaged, left), (Some(was.rows.len() as u64), was.rows.len()));
    journal.close().unwrap();
    assert_eq!(open(dir.path()).start().salvaged, None, "once");
}

#[test]
fn what_cannot_be_read_of_one_camera_keeps_nobody_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().unwrap();
    let bare = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    bare.execute_batch(
        "INSERT INTO presence VALUES ('Not a name', '{}'), ('dock', CAST(x'ff' AS TEXT)), ('yard', '{}')",
    )
    .unwrap();
    drop(bare);
    let journal = open(dir.path());
    assert_eq!(journal.reader().unwrap().presences().unwrap(), [(name("yard"), "{}".to_owned())]);
}

#[test]
fn what_is_defined_stays_until_it_is_taken_back_and_what_cannot_be_read_of_it_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for text in ["yard", "dock"] {
        journal.writer().define(definition(text)).wait().unwrap();
    }
    let changed = Definition { body: "{}".to_owned(), made: at(9).wall, ..definition("dock") };
    journal.writer().define(changed.clone()).wait().unwrap();
    journal.writer().undefine("monitor", name("yard")).wait().unwrap();
    drop(journal);
    let bare = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    bare.execute_batch("INSERT INTO definition VALUES ('monitor', 'Not a name', '{}', 1)").unwrap();
    drop(bare);
    let kept = Definition { made: at(0).wall, ..changed };
    assert_eq!(open(dir.path()).reader().unwrap().definitions().unwrap(), [kept]);
}

#[test]
fn what_cannot_be_swept_away_keeps_nobody_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    fs::create_dir(dir.path().join("frames/lost+found")).unwrap();
    fs::write(dir.path().join("frames/rubbish"), "x").unwrap();
    assert_eq!(open(dir.path()).start().orphans, 1);
    assert!(dir.path().join("frames/lost+found").exists());
}

#[test]
fn a_missing_directory_is_made_and_one_that_cannot_be_written_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("var/lib/stakeout");
    drop(open(&inner));
    assert!(inner.join("journal.db").exists());

    let blocked = dir.path().join("file");
    fs::write(&blocked, "not a directory").unwrap();
    let error = Journal::open(&blocked, KEEP, at(0), nobody()).err().unwrap();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}

/// Not a test by itself: it reads a page that makes no sense.
#[test]
fn stumbling_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let journal = open(dir.as_ref());
    writeln!(std::io::stdout(), "\nstarted").unwrap();
    let reader = journal.reader().unwrap();
    let error = ["a", "b"].map(|endpoint| reader.due(&name(endpoint), at(99).wall, 1000).err());
    let Some(error) = error.into_iter().flatten().next() else { return };
    journal.writer().report(&error);
    // The writer ends the process; what is asked of it meanwhile is not answered.
    let _ = journal.writer().record(record(triggered(Priority::High), &["a"])).wait();
    std::process::exit(3);
}

/// A damaged page that is found late, after a clean end, ends the process, and the next start heals it.
#[test]
fn damage_that_is_found_while_running_ends_the_process_and_the_next_start_heals_it() {
    let dir = tempfile::tempdir().unwrap();
    unclean(dir.path());
    let pages = mark_clean(dir.path(), true);
    let was = before(dir.path());
    let file = fs::read(dir.path().join("journal.db")).unwrap();
    let mut stumbled = 0;
    for page in (2..pages).rev().step_by(5) {
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join("journal.db"), &file).unwrap();
        overwrite(copy.path(), "journal.db", page * PAGE, &[0; PAGE as usize]);
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "journal::damage::stumbling_child", "--nocapture", "--test-threads=1"]);
        let ended = child.env(DIR, copy.path()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert_ne!(ended.code(), Some(3), "the process must not live on");
        if ended.success() {
            continue;
        }
        stumbled += 1;
        let (journal, _) = heals(copy.path(), &was);
        assert!(journal.start().salvaged.is_some());
        if stumbled == 3 {
            return;
        }
    }
    assert!(stumbled > 0, "no page was ever read");
}
