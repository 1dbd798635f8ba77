//! Start-up of the database: checked, and begun anew if it is damaged. Nothing that can be found there keeps the daemon
//! from starting.
//!
//! Owns the order: finish what the last start began, look, salvage, move aside, count the start. Runs on the thread that
//! opens.

use std::path::Path;

use rusqlite::Connection;

use super::columns::{id, unsigned};
use super::database::{connect, log_size, upgrade};
use super::error::OpenError;
use super::open::{Start, io_at};
use super::quarantine;
use super::salvage::salvage;
use super::soundness::{FOREIGN_LOG, check, is_sound_alone};
use super::suspicion;
use crate::event::JournalReset;
use crate::time::Wall;

/// The journal in `dir`, sound, and the start that was counted in it.
pub(super) fn open(dir: &Path, at: Wall) -> Result<(Connection, Start), OpenError> {
    quarantine::finish(dir).map_err(io_at(dir))?;
    let log_found = log_size(dir) > 0;
    match begin(dir, log_found) {
        Err(OpenError::Damaged { why, .. }) => {
            let log = log_found && why != FOREIGN_LOG && !is_sound_alone(dir);
            salvaged(dir, &why, log, at)
        }
        begun => begun,
    }
}

/// The same, for a journal that looked sound and turned out not to be while it was read (`why`).
pub(super) fn open_anew(dir: &Path, why: &str, at: Wall) -> Result<(Connection, Start), OpenError> {
    quarantine::finish(dir).map_err(io_at(dir))?;
    salvaged(dir, why, log_size(dir) > 0, at)
}

fn salvaged(dir: &Path, why: &str, log: bool, at: Wall) -> Result<(Connection, Start), OpenError> {
    let reset = begin_anew(dir, why, log, at)?;
    let (connection, start) = begin(dir, false)?;
    Ok((connection, Start { salvaged: Some(reset.salvaged), ..start }))
}

fn begin(dir: &Path, log_found: bool) -> Result<(Connection, Start), OpenError> {
    let mut connection = connect(dir)?;
    check(&mut connection, dir, log_found)?;
    upgrade(&mut connection, dir)?;
    let start = next_start(&connection, dir)?;
    count_start(&connection, dir)?;
    Ok((connection, start))
}

/// Saves what can be read, moves the rest aside. `log`: what the log says counts.
fn begin_anew(dir: &Path, why: &str, log: bool, at: Wall) -> Result<JournalReset, OpenError> {
    tracing::error!("the journal is damaged: {why}; saving what can be read");
    let reset = salvage(dir, log, at)?;
    quarantine::finish(dir).map_err(io_at(dir))?;
    suspicion::clear(dir);
    let (salvaged, lost) = (reset.salvaged, reset.lost.iter().map(|range| range.to - range.from + 1).sum::<u64>());
    tracing::error!(salvaged, lost, "the journal began anew; the damaged one is kept in `journal.corrupt-…`");
    Ok(reset)
}

/// The start that comes next.
pub(super) fn next_start(connection: &Connection, dir: &Path) -> Result<Start, OpenError> {
    let read = connection.query_row("SELECT generation + 1 AS generation, epoch, clean FROM meta", [], |row| {
        let generation = unsigned(row, "generation")?;
        Ok(Start { generation, epoch: id(row, "epoch")?, clean: row.get("clean")?, orphans: 0, salvaged: None })
    });
    read.map_err(|source| OpenError::database(dir, source))
}

/// Clears the sign of a clean end and begins the next generation.
fn count_start(connection: &Connection, dir: &Path) -> Result<(), OpenError> {
    let counted = connection.execute(
        "UPDATE meta SET unclean_generation = CASE clean WHEN 1 THEN unclean_generation ELSE generation + 1 END,
             unclean_starts = unclean_starts + 1 - clean, generation = generation + 1, clean = 0",
        [],
    );
    counted.map(drop).map_err(|source| OpenError::database(dir, source))
}
