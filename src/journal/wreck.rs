//! Reading a damaged database row by row.
//!
//! Owns how unreadable stretches are passed over; refuses to know what rows mean. Runs on the thread that opens.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row};

/// So many keys in a row are tried one by one; …
const PATIENCE: u64 = 2_000;

/// … behind them the steps double after so many tries, so that little that could be read is passed over.
const TRIES: u64 = 64;

/// A connection to a database that may be damaged.
pub(super) struct Wreck {
    connection: Connection,
}

/// What is met on the way through a table.
pub(super) enum Found {
    /// A row.
    Row(Vec<Value>),
    /// One or more rows that cannot be read, or the sign that there were some.
    Gap,
}

impl Wreck {
    pub(super) fn new(connection: Connection) -> Wreck {
        Wreck { connection }
    }

    /// For what is looked up.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The columns of `table` in `target` that this database has, too; an older schema has fewer.
    pub(super) fn columns_like(&self, target: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
        let wanted = columns(target, table)?;
        Ok(match columns(&self.connection, table) {
            Ok(there) => wanted.into_iter().filter(|column| there.contains(column)).collect(),
            Err(_) => Vec::new(),
        })
    }

    /// The row with that key, if it can be read.
    pub(super) fn row(&self, table: &str, columns: &[String], key: i64) -> Option<Vec<Value>> {
        if columns.is_empty() {
            return None;
        }
        let sql = format!("SELECT {} FROM {table} NOT INDEXED WHERE rowid = ?1", columns.join(", "));
        let mut statement = self.connection.prepare_cached(&sql).ok()?;
        statement.query_row([key], |row| values(row, columns.len())).ok()
    }

    /// Every row that can be read, in the order of their keys.
    pub(super) fn rows(&self, table: &str, columns: &[String], mut visit: impl FnMut(Found)) {
        if columns.is_empty() {
            return visit(Found::Gap);
        }
        let list = columns.join(", ");
        let keyed = format!("SELECT rowid, {list} FROM {table} NOT INDEXED WHERE rowid > ?1 ORDER BY rowid");
        if self.connection.prepare(&keyed).is_err() {
            return self.rows_without_keys(&format!("SELECT {list} FROM {table}"), columns.len(), visit);
        }
        let mut after = i64::MIN;
        while !self.rows_behind(&keyed, columns.len(), &mut after, &mut visit) {
            visit(Found::Gap);
            match self.next_readable(table, after) {
                // Its key can be read, but the row could not: behind it, then.
                Some(key) if key == after.saturating_add(1) => after = key,
                Some(key) if key > after => after = key - 1,
                // Keys that go back are no order to go on in.
                _ => return,
            }
        }
    }

    /// Visits rows until one cannot be read; true: there was none such. `after` is the key of the last one visited, or of
    /// the one that cannot be read.
    fn rows_behind(&self, sql: &str, width: usize, after: &mut i64, visit: &mut impl FnMut(Found)) -> bool {
        let Ok(mut statement) = self.connection.prepare_cached(sql) else { return false };
        let Ok(mut rows) = statement.query([*after]) else { return false };
        loop {
            match rows.next() {
                Ok(None) => return true,
                Ok(Some(row)) => {
                    let Ok(key) = row.get::<_, i64>(0) else { return false };
                    if key <= *after {
                        return false;
                    }
                    *after = key;
                    match (1..=width).map(|column| value(row, column)).collect::<rusqlite::Result<_>>() {
                        Ok(values) => visit(Found::Row(values)),
                        Err(_) => return false,
                    }
                }
                Err(_) => return false,
            }
        }
    }

    /// The first key behind `after` from which reading works again.
    fn next_readable(&self, table: &str, after: i64) -> Option<i64> {
        let sql = format!("SELECT rowid FROM {table} NOT INDEXED WHERE rowid > ?1 ORDER BY rowid LIMIT 1");
        let mut statement = self.connection.prepare_cached(&sql).ok()?;
        let mut from = after.max(0);
        let mut step = 1;
        for tries in 0_u64.. {
            match statement.query_row([from], |row| row.get(0)) {
                Ok(key) => return Some(key),
                Err(rusqlite::Error::QueryReturnedNoRows) => return None,
                Err(_) => {
                    if tries >= PATIENCE && tries % TRIES == 0 {
                        step = i64::saturating_mul(step, 2);
                    }
                    from = from.checked_add(step)?;
                }
            }
        }
        None
    }

    fn rows_without_keys(&self, sql: &str, width: usize, mut visit: impl FnMut(Found)) {
        let Ok(mut statement) = self.connection.prepare(sql) else { return visit(Found::Gap) };
        let Ok(mut rows) = statement.query([]) else { return visit(Found::Gap) };
        loop {
            match rows.next() {
                Ok(None) => return,
                Ok(Some(row)) => visit(values(row, width).map_or(Found::Gap, Found::Row)),
                Err(_) => return visit(Found::Gap),
            }
        }
    }
}

/// Columns that are stored; names are ours, so they need no quoting.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut columns = connection.prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
    columns.query_map([table], |row| row.get(0))?.collect()
}

fn values(row: &Row<'_>, width: usize) -> rusqlite::Result<Vec<Value>> {
    (0..width).map(|column| value(row, column)).collect()
}

fn value(row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
    let value = row.get_ref(column)?;
    Ok(match value {
        ValueRef::Text(text) => Value::Text(str::from_utf8(text)?.to_owned()),
        other => Value::try_from(other).map_err(|_| rusqlite::Error::InvalidQuery)?,
    })
}
