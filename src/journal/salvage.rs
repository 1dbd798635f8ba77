//! Salvage: what can be read of a damaged journal goes on in a new one.
//!
//! Owns which rows go on (everything that was not delivered, with its event; machines, jobs, endpoints, whatever else is
//! remembered), and the account of what is lost; refuses to touch the damaged files (`quarantine` moves them) and to tell
//! damage (`soundness`). Runs on the thread that opens.
//!
//! Rows are read one by one in the order of their keys (`wreck`), first as the log has them, then, if some could not be
//! read, as the file alone has them. A row counts only if this release can read it back.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use uuid::Uuid;

use super::clips;
use super::clock::Clock;
use super::columns::id;
use super::database::{FILE, build, open_as_it_is};
use super::deliveries::COLUMNS;
use super::error::{Error, OpenError};
use super::notices;
use super::quarantine::SALVAGED;
use super::reader::{Reader, definition_row, job_row, machine_row, presence_row};
use super::wreck::{Found, Wreck};
use crate::event::{JournalReset, SequenceRange};
use crate::name::Name;
use crate::time::Wall;

/// Tables that are not copied as they are: rows that are chosen, counts and lists that triggers keep, logs, and what is this
/// journal's own.
const APART: [&str; 6] = ["meta", "event", "delivery", "attempt", "account", "dead_letter"];

/// Builds what goes on beside the damaged journal in `dir`, whole under its name when this returns, with the notice that
/// it begins anew. `log`: the log belongs to it.
pub(super) fn salvage(dir: &Path, log: bool, at: Wall) -> Result<JournalReset, OpenError> {
    let unfinished = dir.join(format!("{FILE}.salvaging"));
    let io = |source| OpenError::Io { path: dir.to_owned(), source };
    let reset = fill(dir, &unfinished, log, at).map_err(|source| OpenError::database(dir, source))?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(&unfinished, dir.join(SALVAGED)).map_err(io)?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
    Ok(reset)
}

fn fill(dir: &Path, file: &Path, log: bool, at: Wall) -> rusqlite::Result<JournalReset> {
    let target = build(file)?;
    let ways = [true, false].into_iter().filter(|&with_log| log || !with_log);
    let wrecks: Vec<Wreck> = ways
        .filter(|_| fs::metadata(dir.join(FILE)).is_ok_and(|file| file.len() > 0))
        .filter_map(|with_log| open_as_it_is(dir, with_log).ok())
        .map(Wreck::new)
        .collect();
    target.execute_batch("BEGIN")?;
    let mut books = Books::default();
    for wreck in &wrecks {
        copy_deliveries(wreck, &target, &mut books)?;
        if books.gaps == 0 && books.seen_any {
            break;
        }
    }
    for table in tables(&target)? {
        for wreck in &wrecks {
            if copy_table(wreck, &target, &table)? {
                break;
            }
        }
    }
    let previous_epoch = wrecks.iter().find_map(epoch);
    go_on_counting(&wrecks, &target, &books)?;
    let (target, unreadable) = remove_unreadable(dir, target)?;
    let salvaged = target.query_row("SELECT count(*) FROM delivery", [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    let lost = books.close(&target, unreadable)?;
    let reset = JournalReset { salvaged, lost, previous_epoch };
    notices::note_reset(&target, reset.clone(), at).map_err(|error| other(&error))?;
    target.execute_batch("COMMIT")?;
    target.close().map_err(|(_, error)| error)?;
    Ok(reset)
}

fn other(error: &Error) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT), Some(error.to_string()))
}

/// What was seen and what was not.
#[derive(Default)]
struct Books {
    /// Deliveries that were read, whatever their state.
    known: HashSet<i64>,
    /// Places where something could not be read.
    gaps: u64,
    seen_any: bool,
    /// Of each endpoint: the highest sequence number so far, and how many gaps there had been then.
    last: BTreeMap<String, (u64, u64)>,
    lost: Vec<SequenceRange>,
}

impl Books {
    /// A delivery was read. What lies between it and the one before it was lost if there was a gap.
    fn see(&mut self, endpoint: &str, sequence: u64) {
        let gaps = self.gaps;
        let (last, before) = self.last.get(endpoint).copied().unwrap_or((0, 0));
        if gaps > before && sequence > last + 1 {
            self.lose(endpoint, last + 1, sequence - 1);
        }
        self.last.insert(endpoint.to_owned(), (last.max(sequence), gaps));
        self.seen_any = true;
    }

    fn lose(&mut self, endpoint: &str, from: u64, to: u64) {
        if let Ok(endpoint) = Name::new(endpoint) {
            self.lost.push(SequenceRange { endpoint, from, to });
        }
    }

    /// The ranges that are lost: without what was found after all, with `unreadable` and with what came last.
    fn close(mut self, target: &Connection, unreadable: Vec<(String, u64)>) -> rusqlite::Result<Vec<SequenceRange>> {
        let mut next = target.prepare("SELECT name, next_sequence FROM endpoint_state")?;
        let ends = next.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        for end in ends {
            let (endpoint, next) = end?;
            let (last, before) = self.last.get(&endpoint).copied().unwrap_or((0, 0));
            if self.gaps > before && next > last + 1 {
                self.lose(&endpoint, last + 1, next - 1);
            }
        }
        for (endpoint, sequence) in unreadable {
            self.lose(&endpoint, sequence, sequence);
        }
        let mut found = target.prepare(
            "SELECT sequence FROM delivery WHERE endpoint = ?1 AND sequence BETWEEN ?2 AND ?3 ORDER BY sequence",
        )?;
        let mut lost = Vec::new();
        for range in self.lost {
            let mut from = range.from;
            let there = found
                .query_map((range.endpoint.as_str(), range.from.cast_signed(), range.to.cast_signed()), |row| {
                    row.get::<_, i64>(0)
                })?;
            for sequence in there {
                let sequence = sequence?.unsigned_abs();
                if sequence > from {
                    lost.push(SequenceRange { endpoint: range.endpoint.clone(), from, to: sequence - 1 });
                }
                from = sequence + 1;
            }
            if from <= range.to {
                lost.push(SequenceRange { from, ..range });
            }
        }
        lost.sort_by(|a, b| (&a.endpoint, a.from).cmp(&(&b.endpoint, b.from)));
        Ok(lost)
    }
}

/// Everything that was not delivered, with its event. What was open may have been sent.
fn copy_deliveries(wreck: &Wreck, target: &Connection, books: &mut Books) -> rusqlite::Result<()> {
    let columns = wreck.columns_like(target, "delivery")?;
    let place = |name: &str| columns.iter().position(|column| column == name);
    let (Some(n), Some(event_seq), Some(endpoint), Some(sequence), Some(state)) =
        (place("n"), place("event_seq"), place("endpoint"), place("sequence"), place("state"))
    else {
        books.gaps += 1;
        return Ok(());
    };
    let mut insert = target.prepare(&insert_sql("delivery", &columns))?;
    let mut events = Events::of(wreck, target)?;
    let mut failed = Ok(());
    wreck.rows("delivery", &columns, |found| {
        let Found::Row(values) = found else {
            books.gaps += 1;
            return;
        };
        let (
            Value::Integer(n),
            Value::Integer(event_seq),
            Value::Text(endpoint),
            Value::Integer(sequence),
            Value::Text(state),
        ) = (&values[n], &values[event_seq], &values[endpoint], &values[sequence], &values[state])
        else {
            books.gaps += 1;
            return;
        };
        if !books.known.insert(*n) {
            return;
        }
        let sequence = sequence.unsigned_abs();
        books.see(endpoint, sequence);
        if state == "delivered" {
            return;
        }
        let copied =
            events.copy(*event_seq).and_then(|there| Ok(there && insert.execute(params_from_iter(&values))? > 0));
        match copied {
            Ok(true) => {}
            Err(error) if is_hopeless(&error) => failed = Err(error),
            Ok(false) | Err(_) => books.lose(endpoint, sequence, sequence),
        }
    });
    failed
}

/// An error of the new journal's, not of the row's: there is no sense in going on.
fn is_hopeless(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DiskFull, SystemIoFailure};
    matches!(error.sqlite_error_code(), Some(DiskFull | SystemIoFailure))
}

/// Events, copied as they are asked for.
struct Events<'a> {
    wreck: &'a Wreck,
    target: &'a Connection,
    columns: Vec<String>,
}

impl<'a> Events<'a> {
    fn of(wreck: &'a Wreck, target: &'a Connection) -> rusqlite::Result<Events<'a>> {
        Ok(Events { wreck, target, columns: wreck.columns_like(target, "event")? })
    }

    /// Whether it is there now.
    fn copy(&mut self, seq: i64) -> rusqlite::Result<bool> {
        let mut there = self.target.prepare_cached("SELECT EXISTS (SELECT 1 FROM event WHERE seq = ?1)")?;
        if there.query_row([seq], |row| row.get(0))? {
            return Ok(true);
        }
        let Some(values) = self.wreck.row("event", &self.columns, seq) else { return Ok(false) };
        let mut insert = self.target.prepare_cached(&insert_sql("event", &self.columns))?;
        Ok(insert.execute(params_from_iter(values))? > 0)
    }
}

fn insert_sql(table: &str, columns: &[String]) -> String {
    let marks = vec!["?"; columns.len()].join(", ");
    format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({marks})", columns.join(", "))
}

fn tables(target: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut tables =
        target.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?;
    let names = tables.query_map([], |row| row.get::<_, String>(0))?;
    names.filter(|name| !name.as_ref().is_ok_and(|name| APART.contains(&name.as_str()))).collect()
}

/// Replaces what a new journal has in `table` by what can be read. False: that is nothing.
fn copy_table(wreck: &Wreck, target: &Connection, table: &str) -> rusqlite::Result<bool> {
    let columns = wreck.columns_like(target, table)?;
    if columns.is_empty() {
        return Ok(false);
    }
    target.execute_batch(&format!("SAVEPOINT copy; DELETE FROM {table}"))?;
    let mut copied = 0;
    let mut failed = Ok(());
    let mut insert = target.prepare(&insert_sql(table, &columns))?;
    wreck.rows(table, &columns, |found| {
        if let Found::Row(values) = found {
            match insert.execute(params_from_iter(&values)) {
                Ok(rows) => copied += rows,
                Err(error) if is_hopeless(&error) => failed = Err(error),
                Err(_) => {}
            }
        }
    });
    drop(insert);
    failed?;
    target.execute_batch(if copied > 0 { "RELEASE copy" } else { "ROLLBACK TO copy; RELEASE copy" })?;
    Ok(copied > 0)
}

fn epoch(wreck: &Wreck) -> Option<Uuid> {
    wreck.connection().query_row("SELECT epoch FROM meta", [], |row| id(row, "epoch")).ok()
}

/// No number is given twice: places, sequences and generations go on behind the highest that is known.
fn go_on_counting(wrecks: &[Wreck], target: &Connection, books: &Books) -> rusqlite::Result<()> {
    let mut next = target.prepare(
        "INSERT INTO endpoint_state (name, next_sequence) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET next_sequence = max(next_sequence, excluded.next_sequence)",
    )?;
    for (endpoint, (last, _)) in &books.last {
        next.execute((endpoint, last.saturating_add(1).cast_signed()))?;
    }
    let last_delivery = books.known.iter().max().copied().unwrap_or(0);
    for (table, key, known) in [("event", "seq", 0), ("delivery", "n", last_delivery)] {
        let remembered = |wreck: &Wreck| {
            let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
            wreck.connection().query_row(sql, [table], |row| row.get::<_, i64>(0)).ok()
        };
        let highest: Option<i64> =
            target.query_row(&format!("SELECT max({key}) FROM {table}"), [], |row| row.get(0))?;
        let seq = wrecks.iter().filter_map(remembered).chain(highest).chain([known]).max().unwrap_or(0);
        target.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])?;
        target.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", (table, seq))?;
    }
    // Whatever is open counts as written before an unclean end: it may have been sent.
    let generation = |wreck: &Wreck| {
        wreck.connection().query_row("SELECT generation FROM meta", [], |row| row.get::<_, i64>(0)).ok()
    };
    let written: Option<i64> = target.query_row("SELECT max(generation) FROM delivery", [], |row| row.get(0))?;
    let generation = wrecks.iter().filter_map(generation).chain(written).max().unwrap_or(0);
    target.execute("UPDATE meta SET generation = ?1, clean = 0", [generation])?;
    Ok(())
}

/// Takes out what this release cannot read back, although SQLite could: a bit was flipped in it. Answers the endpoints and
/// sequence numbers of deliveries among it.
fn remove_unreadable(dir: &Path, target: Connection) -> rusqlite::Result<(Connection, Vec<(String, u64)>)> {
    let reader = Reader { dir: dir.to_owned(), connection: target };
    let target = &reader.connection;
    let deliveries =
        format!("SELECT {COLUMNS} FROM delivery d JOIN event e ON e.seq = d.event_seq WHERE d.body IS NOT NULL");
    let bad = unreadable(target, &deliveries, "n", |row| reader.due_row(row).map(drop))?;
    let mut lost = Vec::new();
    for n in bad {
        let row = target
            .query_row("SELECT endpoint, sequence FROM delivery WHERE n = ?1", [n], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
            })
            .optional()?;
        lost.extend(row);
        target.execute("DELETE FROM delivery WHERE n = ?1", [n])?;
    }
    let events = unreadable(target, "SELECT * FROM event", "seq", |row| reader.event_row(row).map(drop))?;
    for seq in events {
        let mut deliveries =
            target.prepare_cached("DELETE FROM delivery WHERE event_seq = ?1 RETURNING endpoint, sequence")?;
        let gone =
            deliveries.query_map([seq], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        lost.extend(gone.collect::<Result<Vec<_>, _>>()?);
        target.execute("DELETE FROM event WHERE seq = ?1", [seq])?;
    }
    for n in unreadable(target, "SELECT * FROM machine", "n", |row| machine_row(row).map(drop))? {
        target.execute("DELETE FROM machine WHERE n = ?1", [n])?;
    }
    let presence = |row: &Row<'_>| presence_row(row).map(drop);
    for rowid in unreadable(target, "SELECT rowid AS n, * FROM presence", "n", presence)? {
        target.execute("DELETE FROM presence WHERE rowid = ?1", [rowid])?;
    }
    let definition = |row: &Row<'_>| definition_row(row).map(drop);
    for rowid in unreadable(target, "SELECT rowid AS n, * FROM definition", "n", definition)? {
        target.execute("DELETE FROM definition WHERE rowid = ?1", [rowid])?;
    }
    for n in unreadable(target, "SELECT * FROM job", "n", |row| job_row(row).map(drop))? {
        target.execute("DELETE FROM job WHERE n = ?1", [n])?;
    }
    let named = |row: &Row<'_>| super::columns::name(row, "name").map(drop);
    for rowid in unreadable(target, "SELECT rowid AS n, name FROM endpoint_state", "n", named)? {
        target.execute("DELETE FROM endpoint_state WHERE rowid = ?1", [rowid])?;
    }
    for n in unreadable(target, "SELECT * FROM notice", "n", |row| notices::notice_row(row).map(drop))? {
        target.execute("DELETE FROM notice WHERE n = ?1", [n])?;
    }
    for n in unreadable(target, "SELECT * FROM clip", "n", |row| clips::clip_row(row).map(drop))? {
        target.execute("DELETE FROM clip WHERE n = ?1", [n])?;
    }
    if clips::link_key(target).is_err() {
        target.execute("DELETE FROM link_key", [])?;
    }
    if Clock::read(target).is_err() {
        target.execute("DELETE FROM figure_clock", [])?;
    }
    Ok((reader.connection, lost))
}

/// The keys of rows that `read` refuses.
fn unreadable(
    target: &Connection,
    sql: &str,
    key: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<Vec<i64>> {
    let mut statement = target.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut bad = Vec::new();
    while let Some(row) = rows.next()? {
        if read(row).is_err() {
            bad.push(row.get(key)?);
        }
    }
    Ok(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::clock;

    fn range(from: u64, to: u64) -> SequenceRange {
        SequenceRange { endpoint: Name::new("a").unwrap(), from, to }
    }

    #[test]
    fn what_cannot_be_read_back_of_notices_and_the_clock_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let connection = crate::journal::database::open_for_writing(dir.path()).unwrap();
        clock::advance(&connection, crate::time::now()).unwrap();
        notices::note_reset(&connection, JournalReset { salvaged: 0, lost: Vec::new(), previous_epoch: None }, Wall(1))
            .unwrap();
        connection
            .execute_batch(
                "INSERT INTO notice (since_ms, last_ms, ripe, data) VALUES (1, 1, 1, '{\"type\":'), (1, 1, 0, 'x');
                 UPDATE figure_clock SET boot = x'00'",
            )
            .unwrap();
        assert!(Clock::read(&connection).is_err());
        drop(connection);
        salvage(dir.path(), true, Wall(2)).unwrap();
        let target = Connection::open(dir.path().join(SALVAGED)).unwrap();
        assert!(Clock::read(&target).is_ok());
        notices::note_dropped(&target, &[], Wall(3)).unwrap();
        let read = target
            .prepare("SELECT * FROM notice WHERE ripe = 1")
            .unwrap()
            .query_map([], notices::notice_row)
            .unwrap()
            .map(Result::unwrap)
            .count();
        assert_eq!(read, 2, "the one that was readable, and this reset");
    }

    #[test]
    fn only_what_lies_across_a_gap_is_lost() {
        let mut books = Books::default();
        // 3 was purged long ago; 6 to 8 lie where something could not be read.
        for sequence in [1, 2, 4, 5] {
            books.see("a", sequence);
        }
        books.gaps += 1;
        books.see("a", 9);
        books.see("a", 11);
        assert_eq!(books.lost, [range(6, 8)]);
    }
}
