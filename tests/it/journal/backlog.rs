//! A long outage: what is asked of the journal stays a handful of rows, however many wait.
//!
//! `STAKEOUT_TEST_BACKLOG=1000000 cargo nextest run --release journal::backlog --no-capture` prints how long each step takes.

use std::path::Path;
use std::time::Instant;

use stakeout::journal::{DeliveryFilter, JobFilter};

use super::*;

const ROWS: &str = "STAKEOUT_TEST_BACKLOG";

/// Fills the journal in `dir`, made and closed before, with `rows` deliveries that wait: copies of the only one there, in
/// one transaction.
pub fn multiply(dir: &Path, rows: usize) {
    let connection = rusqlite::Connection::open(dir.join("journal.db")).unwrap();
    let columns = |table: &str| -> Vec<String> {
        let sql = format!("SELECT name FROM pragma_table_xinfo('{table}') WHERE hidden = 0");
        let mut statement = connection.prepare(&sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let copy = |table: &str, changed: &[(&str, &str)]| {
        let columns = columns(table);
        let value = |column: &String| {
            changed.iter().find(|(name, _)| name == column).map_or(column.clone(), |(_, value)| (*value).to_owned())
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        let sql = format!(
            "WITH RECURSIVE i(i) AS (VALUES (2) UNION ALL SELECT i + 1 FROM i WHERE i < {rows})
             INSERT INTO {table} ({}) SELECT {} FROM i, (SELECT * FROM {table} LIMIT 1)",
            columns.join(", "),
            values.join(", ")
        );
        connection.execute(&sql, []).unwrap();
    };
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN").unwrap();
    let id = ("id", "CAST(printf('%016d', i) AS BLOB)");
    copy("event", &[("seq", "i"), id]);
    let due = &format!("due_ms - {rows} + i");
    copy("delivery", &[("n", "i"), id, ("event_seq", "i"), ("sequence", "i"), ("due_ms", due)]);
    connection.execute("UPDATE endpoint_state SET next_sequence = ?1", [(rows + 1) as i64]).unwrap();
    connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Does it, and says how long it took.
#[expect(clippy::print_stderr, reason = "a figure for people")]
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    eprintln!("{what:<40} {:>8.1} ms, {} KiB resident", began.elapsed().as_secs_f64() * 1000.0, resident_kib());
    result
}

#[test]
fn a_long_backlog_that_lies_too_far_ahead_is_reined_in_whole() {
    let rows = 4500;
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.writer().record(record(triggered(Priority::Normal), &["a"])).wait().unwrap();
    journal.close().unwrap();
    multiply(dir.path(), rows);
    let by_hand = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    by_hand.execute("UPDATE delivery SET due_ms = ?1", [at(1_000_000).wall.0]).unwrap();

    let journal = Journal::open(dir.path(), KEEP, at(1_000_001), nobody()).unwrap();
    assert_eq!(journal.writer().rein_in(at(10)).wait().unwrap(), 2000, "the first of them");
    // Each change takes part in a later commit than the one before it was answered in.
    for _ in 0..2 {
        journal.writer().notices(at(10)).wait().unwrap();
    }
    let ahead: i64 = by_hand
        .query_row("SELECT count(*) FROM delivery WHERE due_ms > ?1", [at(10).wall.0], |row| row.get(0))
        .unwrap();
    assert_eq!(ahead, 0);
}

#[test]
fn a_long_backlog_is_asked_for_a_handful_of_rows() {
    let rows: usize = std::env::var(ROWS).map_or(100_000, |rows| rows.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let keep = Keep { max_size: 16 << 30, ..KEEP };
    let open = || Journal::open(dir.path(), keep, at(0), nobody()).unwrap();
    let journal = open();
    journal.writer().record(record(triggered(Priority::Normal), &["a"])).wait().unwrap();
    journal.close().unwrap();
    timed("filling", || multiply(dir.path(), rows));

    let before = resident_kib();
    let later = at(1).wall;
    let journal = timed("opening", open);
    let reader = journal.reader().unwrap();
    let due = timed("what is due", || reader.due(&name("a"), later, 8).unwrap());
    assert_eq!(due.iter().map(|due| due.sequence).collect::<Vec<_>>(), (2..=9).collect::<Vec<_>>());
    let reined = timed("reining in", || journal.writer().rein_in(at(1)).wait().unwrap());
    assert_eq!(reined, 0, "nothing lies further ahead than it may");
    let listed = timed("a page of the listing", || {
        reader.deliveries(&DeliveryFilter { limit: 100, ..all_deliveries() }).unwrap()
    });
    assert_eq!(listed.len(), 100);
    timed("jobs and machines", || (reader.jobs(&JobFilter::default()).unwrap(), reader.machines().unwrap()));
    timed("the counts of an endpoint", || reader.endpoint_counts(at(0)).unwrap());
    timed("totals", || reader.totals().unwrap());
    timed("one more", || journal.writer().record(record(triggered(Priority::Critical), &["a"])).wait().unwrap());
    timed("settling one", || {
        let settled = settlement(due[0].id, stakeout::delivery::State::Delivered, Some(status(200)), at(1));
        journal.writer().settle(settled).wait().unwrap();
    });
    timed("a purge", || journal.writer().purge(at(1)).wait().unwrap());
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "memory does not grow with the backlog: {grown} KiB");
    timed("closing", || journal.close().unwrap());

    let journal = timed("opening again", open);
    drop(journal);
    let journal = timed("opening after an unclean end", open);
    assert_eq!(journal.start().salvaged, None);
}
