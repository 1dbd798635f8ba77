//! Columns to values and back.
//!
//! Owns how ids, names, words and JSON are written into columns and read from them; refuses to know tables.

use std::time::Duration;

use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::Error;
use crate::event::Priority;
use crate::name::Name;

/// JSON for a column.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Database(format!("a value cannot be written: {error}")))
}

/// Milliseconds for a column.
pub(super) fn to_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// An unsigned number for a column.
pub(super) fn to_integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A priority for a column: 0 is the most urgent.
pub(super) fn to_rank(priority: Priority) -> i64 {
    Priority::ALL.iter().position(|&other| other == priority).map_or(i64::MAX, |rank| rank as i64)
}

/// A number that is never negative.
pub(super) fn unsigned(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| damaged(column, Unknown(number.to_string())))
}

/// A duration in milliseconds.
pub(super) fn duration(row: &Row<'_>, column: &str) -> rusqlite::Result<Duration> {
    unsigned(row, column).map(Duration::from_millis)
}

/// A UUID.
pub(super) fn id(row: &Row<'_>, column: &str) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

/// A UUID or NULL.
pub(super) fn optional_id(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Uuid>> {
    row.get::<_, Option<[u8; 16]>>(column).map(|bytes| bytes.map(Uuid::from_bytes))
}

/// A name.
pub(super) fn name(row: &Row<'_>, column: &str) -> rusqlite::Result<Name> {
    let text: String = row.get(column)?;
    Name::new(&text).map_err(|error| damaged(column, error))
}

/// A name, or the empty text where there is none.
pub(super) fn optional_name(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Name>> {
    let text: String = row.get(column)?;
    if text.is_empty() {
        return Ok(None);
    }
    Name::new(&text).map(Some).map_err(|error| damaged(column, error))
}

/// A word that `parse` knows.
pub(super) fn word<T>(row: &Row<'_>, column: &str, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| damaged(column, Unknown(text)))
}

/// A priority.
pub(super) fn rank(row: &Row<'_>, column: &str) -> rusqlite::Result<Priority> {
    let rank: u8 = row.get(column)?;
    Priority::ALL.get(usize::from(rank)).copied().ok_or_else(|| damaged(column, Unknown(rank.to_string())))
}

/// JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| damaged(column, error))
}

/// JSON or NULL.
pub(super) fn optional_json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| damaged(column, error))
}

/// The same of a column that older journals lack: whoever only reads one doesn't bring it up to date.
pub(super) fn later_json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    match row.as_ref().column_index(column) {
        Ok(_) => optional_json(row, column),
        Err(_) => Ok(None),
    }
}

/// A column that says what nobody understands.
pub(super) fn damaged<E>(column: &str, error: E) -> rusqlite::Error
where
    E: std::error::Error,
{
    let why = Unreadable { column: column.to_owned(), why: error.to_string() };
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(why))
}

/// A word outside of its vocabulary.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is unknown")]
pub(super) struct Unknown(pub(super) String);

#[derive(Debug, thiserror::Error)]
#[error("column `{column}`: {why}")]
struct Unreadable {
    column: String,
    why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_a_later_release_may_be_missing_but_not_be_damaged() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let read = |sql: &str| connection.query_row(sql, [], |row| later_json::<Vec<Name>>(row, "shadow"));
        assert_eq!(read("SELECT 1 AS other").unwrap(), None);
        assert_eq!(read("SELECT NULL AS shadow").unwrap(), None);
        assert_eq!(read("SELECT '[\"ops\"]' AS shadow").unwrap(), Some(vec![Name::new("ops").unwrap()]));
        assert!(read("SELECT '[\"ops' AS shadow").is_err());
    }
}
