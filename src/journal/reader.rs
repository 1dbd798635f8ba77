//! A connection for reading: events, machines, jobs and the journal as a whole.
//!
//! Owns a read-only connection; refuses to write. Works beside the daemon and without one. `deliveries` and `statistics`
//! add their queries to it. Runs on whichever thread calls it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, ToSql, Transaction};
use uuid::Uuid;

use super::columns::{
    id, json, later_json, name, optional_id, optional_json, optional_name, rank, to_integer, unsigned, word,
};
use super::database::{open_for_reading, open_untouched};
use super::entry::{Definition, JobRow, MachineRow, Origin};
use super::error::{Error, OpenError};
use super::frames::FOLDER;
use super::listing::{DeliveryBrief, EventFilter, EventRow, JobFilter};
use crate::delivery::State;
use crate::event::{Event, EventType};
use crate::name::Name;
use crate::time::{Boot, Mono, Now, Wall};

/// A connection for reading: `Send`, not `Sync`, so one for each thread or task. Every query is short, sees one state of
/// the journal, and blocks: from tokio use `spawn_blocking`.
pub struct Reader {
    pub(super) dir: PathBuf,
    pub(super) connection: Connection,
}

impl Reader {
    /// Opens the journal in `dir` for reading, without the lock. Errors: [`OpenError::Missing`], [`OpenError::Newer`].
    pub fn open(dir: &Path) -> Result<Reader, OpenError> {
        Ok(Reader { dir: dir.to_owned(), connection: open_for_reading(dir)? })
    }

    /// Opens the journal in `dir` without a daemon beside it, and leaves every file as it is: not even the log's index is
    /// made. What a daemon that was killed left in the log is not seen. Errors as [`Reader::open`].
    pub fn open_untouched(dir: &Path) -> Result<Reader, OpenError> {
        Ok(Reader { dir: dir.to_owned(), connection: open_untouched(dir)? })
    }

    /// The state directory that it reads.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// Events behind `filter.after`, oldest first.
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<EventRow>, Error> {
        self.select_events(filter, "ASC")
    }

    /// The newest `limit` events that the filter lets through, oldest first; `filter.after` holds too.
    pub fn latest_events(&self, filter: &EventFilter) -> Result<Vec<EventRow>, Error> {
        let mut events = self.select_events(filter, "DESC")?;
        events.reverse();
        Ok(events)
    }

    /// One event.
    pub fn event(&self, id: Uuid) -> Result<Option<EventRow>, Error> {
        let snapshot = self.snapshot()?;
        let mut statement = snapshot.prepare_cached("SELECT * FROM event WHERE id = ?1")?;
        let event = statement.query_row([id.as_bytes()], |row| self.event_row(row)).optional()?;
        event.map(|event| with_deliveries(&snapshot, event)).transpose()
    }

    /// All machines.
    pub fn machines(&self) -> Result<Vec<MachineRow>, Error> {
        let mut statement = self.connection.prepare_cached("SELECT * FROM machine ORDER BY monitor, camera")?;
        Ok(statement.query_map([], machine_row)?.collect::<Result<_, _>>()?)
    }

    /// Those of one camera.
    ///
    /// # Errors
    /// The journal can't be read.
    pub fn machines_of(&self, camera: &Name) -> Result<Vec<MachineRow>, Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT * FROM machine WHERE camera = ?1 ORDER BY monitor")?;
        Ok(statement.query_map([camera.as_str()], machine_row)?.collect::<Result<_, _>>()?)
    }

    /// What was last told of each camera, as JSON. A row that makes no sense is left out: that camera begins afresh.
    pub fn presences(&self) -> Result<Vec<(Name, String)>, Error> {
        let mut statement = self.connection.prepare_cached("SELECT * FROM presence ORDER BY camera")?;
        let readable = |row: rusqlite::Result<_>| {
            row.inspect_err(
                |error| tracing::error!(%error, "what was told of a camera can't be read; it begins afresh"),
            )
            .ok()
        };
        Ok(statement.query_map([], presence_row)?.filter_map(readable).collect())
    }

    /// What was made while running, the oldest first. A row that makes no sense is left out, and said.
    pub fn definitions(&self) -> Result<Vec<Definition>, Error> {
        let mut statement = self.connection.prepare_cached("SELECT * FROM definition ORDER BY made_ms, kind, name")?;
        let readable = |row: rusqlite::Result<_>| {
            row.inspect_err(|error| tracing::error!(%error, "something that was made while running can't be read")).ok()
        };
        Ok(statement.query_map([], definition_row)?.filter_map(readable).collect())
    }

    /// Jobs, newest first.
    pub fn jobs(&self, filter: &JobFilter) -> Result<Vec<JobRow>, Error> {
        let (sql, values) = jobs_sql(filter);
        let values: Vec<&dyn ToSql> = values.iter().map(|value| &**value as &dyn ToSql).collect();
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map(&*values, job_row)?.collect::<Result<_, _>>()?)
    }

    /// One state of the journal for several queries.
    pub(super) fn snapshot(&self) -> Result<Transaction<'_>, Error> {
        Ok(self.connection.unchecked_transaction()?)
    }

    /// Where a frame's file is.
    pub(super) fn frame_path(&self, file: Option<String>) -> Option<PathBuf> {
        file.map(|file| self.dir.join(FOLDER).join(file))
    }

    fn select_events(&self, filter: &EventFilter, order: &str) -> Result<Vec<EventRow>, Error> {
        let snapshot = self.snapshot()?;
        let (sql, values) = events_sql(filter, order);
        let values: Vec<&dyn ToSql> = values.iter().map(|value| &**value as &dyn ToSql).collect();
        let mut statement = snapshot.prepare_cached(&sql)?;
        let events: Vec<EventRow> =
            statement.query_map(&*values, |row| self.event_row(row))?.collect::<Result<_, _>>()?;
        events.into_iter().map(|event| with_deliveries(&snapshot, event)).collect()
    }

    pub(super) fn event_row(&self, row: &Row<'_>) -> rusqlite::Result<EventRow> {
        let event = event(row)?;
        let frame = self.frame_path(row.get("frame")?);
        let shadow = later_json(row, "shadow")?;
        Ok(EventRow { seq: row.get("seq")?, event, frame, deliveries: Vec::new(), shadow })
    }
}

/// An event as it was recorded.
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let observed = Now {
        mono: Mono(unsigned(row, "observed_ns")?),
        wall: Wall(row.get("observed_ms")?),
        synced: row.get("synced")?,
    };
    Ok(Event {
        id: id(row, "id")?,
        observed,
        boot: Boot(id(row, "boot")?),
        device: row.get("device")?,
        camera: optional_name(row, "camera")?,
        monitor: optional_name(row, "monitor")?,
        job: Some(id(row, "job")?).filter(|job| !job.is_nil()),
        priority: rank(row, "priority")?,
        metadata: json(row, "metadata")?,
        data: json(row, "data")?,
    })
}

/// Values of a query that is put together from parts.
pub(super) type Values = Vec<Box<dyn ToSql>>;

/// A range of the primary key, of `event_monitor` or of `event_type`.
pub(super) fn events_sql(filter: &EventFilter, order: &str) -> (String, Values) {
    let mut values: Values = vec![Box::new(filter.after), Box::new(filter.limit)];
    let mut sql = "SELECT * FROM event WHERE seq > ?1".to_owned();
    if let Some(monitor) = &filter.monitor {
        values.push(Box::new(monitor.to_string()));
        sql += &format!(" AND monitor = ?{}", values.len());
    }
    if let Some(kind) = filter.kind {
        values.push(Box::new(kind.as_str()));
        sql += &format!(" AND type = ?{}", values.len());
    }
    sql += &format!(" ORDER BY seq {order} LIMIT ?2");
    (sql, values)
}

pub(super) const DELIVERIES_OF_EVENT: &str =
    "SELECT id, endpoint, sequence, state, attempts FROM delivery WHERE event_seq = ?1 ORDER BY n";

fn with_deliveries(connection: &Connection, mut event: EventRow) -> Result<EventRow, Error> {
    let mut statement = connection.prepare_cached(DELIVERIES_OF_EVENT)?;
    let briefs = statement.query_map([event.seq], |row| {
        Ok(DeliveryBrief {
            id: id(row, "id")?,
            endpoint: name(row, "endpoint")?,
            sequence: unsigned(row, "sequence")?,
            state: word(row, "state", State::parse)?,
            attempts: row.get("attempts")?,
        })
    })?;
    event.deliveries = briefs.collect::<Result<_, _>>()?;
    Ok(event)
}

/// The type of an event as it is stored beside a delivery.
pub(super) fn kind(row: &Row<'_>, column: &str) -> rusqlite::Result<EventType> {
    word(row, column, EventType::parse)
}

pub(super) fn machine_row(row: &Row<'_>) -> rusqlite::Result<MachineRow> {
    Ok(MachineRow {
        monitor: name(row, "monitor")?,
        camera: name(row, "camera")?,
        definition: row.get("definition")?,
        state: row.get("state")?,
        open: optional_id(row, "open_id")?,
        cooldown: optional_json(row, "cooldown")?,
        counters: json(row, "counters")?,
    })
}

pub(super) fn presence_row(row: &Row<'_>) -> rusqlite::Result<(Name, String)> {
    Ok((name(row, "camera")?, row.get("state")?))
}

pub(super) fn definition_row(row: &Row<'_>) -> rusqlite::Result<Definition> {
    let (kind, body, made) = (row.get("kind")?, row.get("body")?, Wall(row.get("made_ms")?));
    Ok(Definition { kind, name: name(row, "name")?, body, made })
}

/// Ranges of the primary key, of `job_monitor` or of `job_status`, or one id.
pub(super) fn jobs_sql(filter: &JobFilter) -> (String, Values) {
    let limit = if filter.limit == 0 { -1 } else { to_integer(filter.limit.into()) };
    let mut values: Values = vec![Box::new(limit)];
    let mut conditions = Vec::new();
    let mut condition = |column: &str, value: Box<dyn ToSql>| {
        values.push(value);
        conditions.push(format!("{column} = ?{}", values.len()));
    };
    if let Some(id) = filter.id {
        condition("id", Box::new(id.into_bytes()));
    }
    if let Some(monitor) = &filter.monitor {
        condition("monitor", Box::new(monitor.to_string()));
    }
    if let Some(status) = filter.status {
        condition("status", Box::new(status.as_str()));
    }
    let filtered = if conditions.is_empty() { String::new() } else { format!("WHERE {} ", conditions.join(" AND ")) };
    (format!("SELECT * FROM job {filtered}ORDER BY n DESC LIMIT ?1"), values)
}

pub(super) fn job_row(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    let reason: Option<String> = row.get("reason")?;
    Ok(JobRow {
        id: id(row, "id")?,
        monitor: name(row, "monitor")?,
        camera: name(row, "camera")?,
        origin: word(row, "origin", Origin::parse)?,
        status: word(row, "status", parse_word)?,
        reason: reason.map(|_| word(row, "reason", parse_word)).transpose()?,
        counters: json(row, "counters")?,
        started: Wall(row.get("started_ms")?),
        ended: row.get::<_, Option<i64>>("ended_ms")?.map(Wall),
        request: row.get("request")?,
    })
}

/// A word of a vocabulary that serde knows.
fn parse_word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::from(text)).ok()
}
