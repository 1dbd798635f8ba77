//! Upgrade and downgrade: journals of every schema version there was (tests/data/journals, made by
//! scripts/fixtures/journals.py), opened by the built binary; and one of a release to come.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use rusqlite::Connection;
use serde_json::Value;
use stakeout::journal::Journal;
use stakeout::time::now;

use crate::appliance::Appliance;
use crate::owing;
use crate::receiver::{Answer, Arrived, Receiver};

/// When everything in the fixtures happened, ms since 1970.
const THEN: i64 = 1_763_000_000_000;

/// The event whose delivery has a frame.
const FRAMED: &str = "e0e0e0e0-0000-0000-0000-00000000000b";

const FRAME: &[u8] = b"\xff\xd8 what stands for a picture \xff\xd9";

fn fixture(version: i64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/journals/v{version}.sqlite"))
}

/// The schema version that this release writes.
fn current() -> i64 {
    let dir = tempfile::tempdir().unwrap();
    let wake = Box::new(|_: &_| {});
    let keep = stakeout::journal::Keep { delivered: HOUR, dead: HOUR, max_size: 1 << 30 };
    Journal::open(dir.path(), keep, now(), wake).unwrap().close().unwrap();
    version(&dir.path().join("journal.db"))
}

const HOUR: Duration = Duration::from_secs(3600);

fn version(file: &Path) -> i64 {
    Connection::open(file).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// Tables, indexes and triggers as they were made, whatever they are called in comments.
fn schema(file: &Path) -> BTreeMap<String, String> {
    let connection = Connection::open(file).unwrap();
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
    let code = |line: &str| line.split("--").next().unwrap_or_default().to_owned();
    let bare = |sql: String| sql.lines().map(code).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    rows.map(Result::unwrap).map(|(name, sql)| (name, bare(sql))).collect()
}

/// A box that was switched off an hour ago, with the journal of that version.
fn box_of(version: i64, ops: &Receiver, hq: &Receiver) -> Appliance {
    let endpoint = |name: &str, url: String| {
        format!(
            "[[endpoint]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret_file = \"HERE/ops.secret\"\nevents = [\"*\"]\n"
        )
    };
    let endpoints = [endpoint("ops", ops.url()), endpoint("hq", hq.url()), endpoint("attic", ops.url())];
    let appliance = Appliance::new(&endpoints.concat());
    let state = appliance.folder.path().join("state");
    fs::create_dir_all(state.join("frames")).unwrap();
    fs::write(state.join(format!("frames/{FRAMED}.jpg")), FRAME).unwrap();
    fs::copy(fixture(version), state.join("journal.db")).unwrap();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let age = now - 3_600_000 - THEN;
    let moved = format!(
        "UPDATE event SET observed_ms = observed_ms + {age}, recorded_ms = recorded_ms + {age};
         UPDATE delivery SET due_ms = due_ms + {age}, accepted_ms = accepted_ms + {age}, ended_ms = ended_ms + {age};
         UPDATE job SET started_ms = started_ms + {age}, ended_ms = ended_ms + {age}"
    );
    Connection::open(state.join("journal.db")).unwrap().execute_batch(&moved).unwrap();
    appliance
}

fn body(arrived: &Arrived) -> Value {
    serde_json::from_slice(&arrived.body).unwrap()
}

fn sequences(receiver: &Receiver) -> BTreeSet<u64> {
    receiver.arrived().iter().map(|arrived| body(arrived)["sequence"].as_u64().unwrap()).collect()
}

#[test]
fn there_is_a_journal_of_every_version() {
    let missing: Vec<i64> = (1..=current()).filter(|version| !fixture(*version).exists()).collect();
    assert!(missing.is_empty(), "no fixture of {missing:?}: run `python3 scripts/fixtures/journals.py` and commit it");
    for version in 1..=current() {
        assert_eq!(self::version(&fixture(version)), version);
    }
}

/// Reads like a change that was made to a step of the schema after boxes had taken it: they would not get it.
#[test]
fn an_upgraded_journal_has_the_schema_of_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let keep = stakeout::journal::Keep { delivered: HOUR, dead: HOUR, max_size: 1 << 30 };
    let open = |dir: &Path| Journal::open(dir, keep, now(), Box::new(|_| {})).unwrap().close().unwrap();
    open(&dir.path().join("new"));
    let new = schema(&dir.path().join("new/journal.db"));
    for version in 1..=current() {
        let old = dir.path().join(version.to_string());
        fs::create_dir(&old).unwrap();
        fs::copy(fixture(version), old.join("journal.db")).unwrap();
        assert!(version == current() || schema(&old.join("journal.db")) != new, "version {version} is no older one");
        open(&old);
        assert_eq!(schema(&old.join("journal.db")), new, "from version {version}");
    }
}

#[test]
fn whatever_version_a_journal_has_all_that_it_owes_arrives_and_numbers_go_on() {
    for version in 1..=current() {
        eprintln!("version {version}");
        upgrades(version);
    }
}

fn upgrades(version: i64) {
    let [ops, hq] = [(); 2].map(|()| Receiver::start(|_, _| Answer::status(200)));
    let mut appliance = box_of(version, &ops, &hq);
    appliance.start();
    // Owed since then: 10 to 14. The open event's monitor is not in the file any more: 15 and 16 say that it is over.
    appliance.until("all that is owed to ops arrives", |_| (sequences(&ops) == (10..=16).collect()).then_some(()));
    appliance.until("all that is owed to hq arrives", |_| (sequences(&hq) == (7..=9).collect()).then_some(()));
    let framed = ops.arrived().into_iter().find(|arrived| body(arrived)["sequence"] == 13).unwrap();
    let picture = base64::engine::general_purpose::STANDARD.encode(FRAME);
    let frozen = format!("{{\"event\":\"{FRAMED}\",\"sequence\":13,\"frame_b64\":\"{picture}\"}}");
    assert_eq!(String::from_utf8_lossy(&framed.body), frozen, "as it was frozen then");
    let ends: BTreeSet<String> =
        ops.arrived().iter().filter_map(|it| Some(body(it)["type"].as_str()?.into())).collect();
    assert_eq!(ends, BTreeSet::from(["job.status".to_owned(), "monitor.cleared".to_owned()]));
    counts_are_right(&appliance, version);
    a_dead_letter_is_redriven(&appliance, &ops);

    appliance.stop();
    assert_eq!(self::version(&appliance.folder.path().join("state/journal.db")), current());
    let journal = owing::journal(&appliance);
    assert_eq!(journal.start().generation, 5, "starts are counted on");
    owing::accept(&journal, now(), &["ops", "hq"]);
    journal.close().unwrap();
    assert_eq!(numbers(&appliance, "ops").last(), Some(&17));
    assert_eq!(numbers(&appliance, "hq").last(), Some(&10));
    let away = appliance.events().into_iter().find(|event| event["type"] == "camera.offline");
    assert_eq!(away.map(|event| event["cause"].clone()), (version >= 4).then(|| "stalled".into()));
    let places: Vec<i64> = appliance.events().iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert!(places.windows(2).all(|two| two[1] == two[0] + 1), "places go on: {places:?}");
}

fn numbers(appliance: &Appliance, endpoint: &str) -> Vec<u64> {
    let lines = appliance.json(&["deliveries", "--json", "--endpoint", endpoint]);
    let mut numbers: Vec<u64> = lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn counts_are_right(appliance: &Appliance, version: i64) {
    let settled = |it: &Appliance| it.status()["endpoints"].as_array().unwrap().iter().all(|it| it["pending"] == 0);
    appliance.until("nothing is owed", |it| settled(it).then_some(()));
    let status = appliance.status();
    let line =
        |name: &str| status["endpoints"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
    let (ops, attic) = (line("ops"), line("attic"));
    assert_eq!((&ops["held"], &ops["dead"], &ops["gone"]), (&0.into(), &3.into(), &false.into()));
    assert_eq!((&attic["dead"], &attic["gone"]), (&1.into(), &true.into()));
    assert_eq!(numbers(appliance, "ops"), (4..=16).collect::<Vec<u64>>());
    let dead = appliance.json(&["dlq", "list", "--endpoint", "ops", "--json"]);
    let states: BTreeSet<&str> = dead.iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states.contains("dropped_quota"), version >= 3);
    if version >= 5 {
        assert_eq!(line("field")["origin"], "api", "what was defined while running");
    }
    let jobs = appliance.json(&["jobs", "list", "--json"]);
    let over = jobs.iter().map(|job| (job["status"].as_str().unwrap(), job["details"]["reason"].as_str().unwrap()));
    let expected = [("completed", "user_requested"), ("stopped", "definition_changed")];
    assert_eq!(over.collect::<BTreeSet<_>>(), BTreeSet::from(expected), "{jobs:?}");
}

fn a_dead_letter_is_redriven(appliance: &Appliance, ops: &Receiver) {
    let before = ops.arrived().len();
    let dead = appliance.json(&["deliveries", "--endpoint", "ops", "--json"]);
    let exhausted = dead.iter().find(|line| line["reason"] == "exhausted").unwrap();
    let retried = appliance.run(&["dlq", "retry", exhausted["id"].as_str().unwrap()]);
    assert!(retried.status.success(), "{}", String::from_utf8_lossy(&retried.stderr));
    assert_eq!(body(ops.wait_for(before + 1).last().unwrap())["sequence"], 6);
}

/// What lies in a folder, but for the lock.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file() && !path.ends_with("lock"));
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

#[test]
fn a_journal_of_a_newer_release_is_refused_and_left_as_it_is() {
    let next = current() + 1;
    let nobody = Receiver::start(|_, _| Answer::status(200));
    for killed in [false, true] {
        let appliance = box_of(current(), &nobody, &nobody);
        let state = appliance.folder.path().join("state");
        let newer = Connection::open(state.join("journal.db")).unwrap();
        newer.pragma_update(None, "user_version", next).unwrap();
        if killed {
            // The newer release was killed: that it is one stands only in the log.
            let files = contents(&state);
            assert!(files.contains_key("journal.db-wal"));
            drop(newer);
            files.iter().for_each(|(name, bytes)| fs::write(state.join(name), bytes).unwrap());
            fs::remove_file(state.join("journal.db-shm")).unwrap();
        } else {
            drop(newer);
        }
        let before = contents(&state);
        assert_eq!(before.contains_key("journal.db-wal"), killed);
        for command in [&["run"][..], &["events"], &["dlq", "drop", "--all"], &["deliveries", "--json"]] {
            let output = appliance.run(command);
            let said = String::from_utf8_lossy(&output.stderr);
            let expected = format!(
                "has schema version {next}, this release knows version {} at most; install the release that wrote it, or a \
                 newer one",
                current()
            );
            assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
            assert!(said.contains(&expected), "{command:?}: {said}");
            assert!(contents(&state) == before, "{command:?} left its mark: {:?}", contents(&state).keys());
        }
        assert_eq!(version(&state.join("journal.db")), next);
    }
    assert!(nobody.arrived().is_empty());
}

/// kill -9 as soon as the migration can have begun, later from round to round.
#[test]
fn an_upgrade_that_is_killed_loses_nothing() {
    let [ops, hq] = [(); 2].map(|()| Receiver::start(|_, _| Answer::status(200)));
    let mut appliance = box_of(1, &ops, &hq);
    let state = appliance.folder.path().join("state");
    let old = contents(&state);
    for milliseconds in [0, 1, 2, 4, 8, 16] {
        contents(&state).keys().for_each(|name| fs::remove_file(state.join(name)).unwrap());
        old.iter().for_each(|(name, bytes)| fs::write(state.join(name), bytes).unwrap());
        let mut daemon = appliance.spawn();
        let began = Instant::now();
        while !state.join("journal.db-wal").exists() {
            assert!(began.elapsed() < Duration::from_secs(90), "it does not open the journal\n{}", appliance.log());
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_millis(milliseconds));
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        let copy = tempfile::tempdir().unwrap();
        contents(&state).iter().for_each(|(name, bytes)| fs::write(copy.path().join(name), bytes).unwrap());
        let found = version(&copy.path().join("journal.db"));
        assert!([1, current()].contains(&found), "half of a migration: version {found}");
    }
    appliance.start();
    appliance.until("all that is owed to ops arrives", |_| (sequences(&ops) == (10..=16).collect()).then_some(()));
    assert!(!state.join("journal.corrupt-1").exists(), "{}", appliance.log());
    appliance.stop();
}
