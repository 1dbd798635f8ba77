//! Getting over a full disk.
//!
//! Owns the order, which was measured (research: the other one fills the disk again): give up the ballast, fold the log into
//! the database, take away clips and what was rehearsed or delivered in small batches with a checkpoint after each, give pages back.
//! While the disk stays full, the journal gets by with the space that it has, as if that were its quota; once there is ample
//! space, it takes its ballast back. Refuses to know what is worth less than what (`relief` does). Runs on `journal-writer`.

use std::collections::BTreeSet;

use rusqlite::TransactionBehavior;

use super::clips;
use super::error::Error;
use super::group::{Committer, Ledger};
use super::purge::give_back;
use super::relief;
use super::room::Room;
use crate::time;

/// Rows that go in one transaction.
const BATCH: usize = 50;

/// Batches of one recovery: alerts wait for it. What is left goes with the next.
const BATCHES: usize = 20;

impl Committer {
    /// The room for what is written next.
    pub(super) fn room_now(&mut self) -> Result<Room, Error> {
        if !self.scarce {
            return Ok(self.room);
        }
        let (rows, frames) = self.ballast.left();
        self.frames.leave(Some(frames));
        self.room.on_a_full_disk(&self.connection, rows)
    }

    /// Before each group: what comes shall find the disk without clips, and not go without its frame because of them.
    pub(super) fn mind_the_disk_first(&mut self) {
        if !self.scarce && self.ballast.disk_is_full() {
            self.recover();
        }
    }

    /// After each group: recovers if the disk is full, and notes when it no longer is. `refused`: something found no room.
    pub(super) fn mind_the_disk(&mut self, refused: bool) {
        let frame_refused = self.frames.take_disk_was_full();
        if (refused || frame_refused) && self.ballast.disk_is_full() {
            self.recover();
        } else if !self.ballast.is_held() && self.ballast.hold() && self.scarce {
            self.scarce = false;
            self.frames.leave(None);
            tracing::info!("the journal's disk has space again");
        }
    }

    /// Works on a full disk, or gives up until the next time: what cannot be recorded meanwhile is refused.
    pub(super) fn recover(&mut self) {
        // Told once: while the disk stays full this happens at every check.
        let is_news = !std::mem::replace(&mut self.scarce, true);
        self.ballast.release();
        match self.free_the_disk() {
            Ok(rows) if is_news || rows > 0 => {
                tracing::warn!(
                    rows,
                    "the disk is full: the journal took away clips and what was rehearsed or delivered"
                );
            }
            Ok(_) => {}
            Err(error) => {
                self.end_if_hopeless(&error);
                if is_news {
                    tracing::error!(%error, "the disk is full, and the journal could not free any of it");
                }
            }
        }
    }

    /// How many rows went.
    fn free_the_disk(&mut self) -> Result<usize, Error> {
        self.fold_the_log()?;
        let mut gone = 0;
        for _ in 0..BATCHES {
            let batch = match self.ballast.is_ample() {
                true => 0,
                false => self.remove_batch()?,
            };
            self.fold_the_log()?;
            give_back(&self.connection)?;
            self.fold_the_log()?;
            gone += batch;
            self.meters.beat(time::now());
            if batch == 0 {
                break;
            }
        }
        Ok(gone)
    }

    fn remove_batch(&mut self) -> Result<usize, Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut ledger = Ledger {
            connection: &transaction,
            start: self.start,
            keep: self.keep,
            room: self.room,
            meters: &self.meters,
            tombstones: self.tombstones,
            woken: BTreeSet::new(),
            newest: None,
            doomed: Vec::new(),
            doomed_clips: Vec::new(),
            next: Vec::new(),
        };
        // Clips first: nothing that an alert needs goes for the sake of one.
        let batch = match clips::remove_oldest(&mut ledger, self.ballast.lacks())? {
            0 => remove_rows(&mut ledger)?,
            clips => clips,
        };
        let Ledger { doomed, doomed_clips, tombstones, .. } = ledger;
        transaction.commit()?;
        self.tombstones = tombstones;
        self.frames.remove_all(&doomed);
        clips::remove_all(&self.dir, &doomed_clips);
        Ok(batch)
    }

    /// Everything in the log goes into the database, and the log's space to the disk.
    fn fold_the_log(&self) -> Result<(), Error> {
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }
}

/// What is worth least.
fn remove_rows(ledger: &mut Ledger<'_>) -> Result<usize, Error> {
    match relief::remove_rehearsed(ledger, BATCH)? {
        0 => relief::remove_delivered(ledger, BATCH),
        rehearsed => Ok(rehearsed),
    }
}
