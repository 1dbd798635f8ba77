//! Machines and jobs: what is known of a condition between two runs of the daemon.
//!
//! Owns their rows, written whole or as a checkpoint; refuses to know what a state means. Runs on `journal-writer`.

use rusqlite::{Connection, named_params};
use uuid::Uuid;

use super::columns::to_json;
use super::entry::{Checkpoint, JobRow, MachineRow};
use super::error::Error;
use super::group::{Change, Ledger};
use crate::name::Name;

impl Change for Checkpoint {
    type Answer = ();

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        for machine in &self.machines {
            put_machine(ledger.connection, machine)?;
        }
        let mut statement = ledger.connection.prepare_cached("UPDATE job SET counters = ?2 WHERE id = ?1")?;
        for (job, counters) in &self.jobs {
            statement.execute((job.as_bytes(), to_json(counters)?))?;
        }
        Ok(())
    }
}

/// See [`super::Writer::forget_machine`].
pub(super) struct Forget {
    /// Which monitor.
    pub(super) monitor: Name,
    /// On which camera.
    pub(super) camera: Name,
}

impl Change for Forget {
    type Answer = ();

    fn apply(self, ledger: &mut Ledger<'_>) -> Result<(), Error> {
        ledger
            .connection
            .prepare_cached("DELETE FROM machine WHERE monitor = ?1 AND camera = ?2")?
            .execute((self.monitor.as_str(), self.camera.as_str()))?;
        Ok(())
    }
}

/// Creates or replaces a machine's row.
pub(super) fn put_machine(connection: &Connection, machine: &MachineRow) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO machine (monitor, camera, definition, state, open_id, cooldown, counters)
         VALUES (:monitor, :camera, :definition, :state, :open_id, :cooldown, :counters)
         ON CONFLICT (monitor, camera) DO UPDATE SET definition = excluded.definition, state = excluded.state,
             open_id = excluded.open_id, cooldown = excluded.cooldown, counters = excluded.counters",
    )?;
    statement.execute(named_params! {
        ":monitor": machine.monitor.as_str(),
        ":camera": machine.camera.as_str(),
        ":definition": machine.definition,
        ":state": machine.state,
        ":open_id": machine.open.map(Uuid::into_bytes),
        ":cooldown": machine.cooldown.as_ref().map(to_json).transpose()?,
        ":counters": to_json(&machine.counters)?,
    })?;
    Ok(())
}

/// Creates or replaces a job's row.
pub(super) fn put_job(connection: &Connection, job: &JobRow) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO job (id, monitor, camera, origin, status, reason, counters, started_ms, ended_ms, request)
         VALUES (:id, :monitor, :camera, :origin, :status, :reason, :counters, :started_ms, :ended_ms, :request)
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = excluded.reason,
             counters = excluded.counters, ended_ms = excluded.ended_ms",
    )?;
    statement.execute(named_params! {
        ":id": job.id.as_bytes(),
        ":monitor": job.monitor.as_str(),
        ":camera": job.camera.as_str(),
        ":origin": job.origin.as_str(),
        ":status": job.status.as_str(),
        ":reason": job.reason.map(|reason| reason.as_str()),
        ":counters": to_json(&job.counters)?,
        ":started_ms": job.started.0,
        ":ended_ms": job.ended.map(|ended| ended.0),
        ":request": job.request,
    })?;
    Ok(())
}
