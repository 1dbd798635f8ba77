//! How machines go on from the journal.
//!
//! Owns the meeting of what is to run with what the journal remembers; refuses to know what follows (`watch` does). Runs on
//! the main thread at start, and on the foreman's whenever what watches a camera changes: that is the same to a machine.

use std::collections::BTreeMap;

use super::StartError;
use super::plan::Plan;
use super::scribe::Scribe;
use crate::condition::{Shutdown, Unreadable};
use crate::config::{Camera, Monitor, Part};
use crate::journal::{self, MachineRow, Origin, Reader};
use crate::model::Handle;
use crate::name::Name;
use crate::time::{self, Boot};
use crate::watch::{self, Asker, Candidate, JournalLedger, Kept, Machine, Refused, Restart, Subject};

/// Machines that go on.
pub(super) struct Resumption<'p> {
    plan: &'p Plan,
    models: &'p BTreeMap<Name, Handle>,
    scribe: &'p Scribe,
    ledger: JournalLedger,
    restart: Restart,
    /// What the journal remembers, by monitor and camera, and nobody has asked for yet.
    kept: BTreeMap<(Name, Name), Kept>,
    /// The journal had no room for this.
    refused: Option<Refused>,
}

impl<'p> Resumption<'p> {
    /// Of all cameras, when the daemon starts.
    ///
    /// # Errors
    /// The journal can't be read, or a newer release wrote it.
    pub(super) fn of_all(
        plan: &'p Plan,
        models: &'p BTreeMap<Name, Handle>,
        scribe: &'p Scribe,
        (reader, last): (&Reader, Shutdown),
    ) -> Result<Resumption<'p>, StartError> {
        Resumption::of(plan, models, scribe, (reader.machines()?, last, true))
    }

    /// Of one camera whose thread ended as `last` says; `replays`: a clip begins anew.
    ///
    /// # Errors
    /// As [`Resumption::of_all`].
    pub(super) fn of_one(
        plan: &'p Plan,
        models: &'p BTreeMap<Name, Handle>,
        scribe: &'p Scribe,
        (reader, last, replays): (&Reader, Shutdown, bool),
        camera: &Name,
    ) -> Result<Resumption<'p>, StartError> {
        let rows = reader.machines()?.into_iter().filter(|row| row.camera == *camera).collect();
        Resumption::of(plan, models, scribe, (rows, last, replays))
    }

    fn of(
        plan: &'p Plan,
        models: &'p BTreeMap<Name, Handle>,
        scribe: &'p Scribe,
        (rows, last, replays): (Vec<MachineRow>, Shutdown, bool),
    ) -> Result<Resumption<'p>, StartError> {
        let restart = Restart { now: time::now(), boot: Boot::current(), last, replays };
        let (ledger, kept) = (scribe.ledger(), kept(rows)?);
        Ok(Resumption { plan, models, scribe, ledger, restart, kept, refused: None })
    }

    /// The machines of `camera` as they go on. Those of the monitor `starts` get a new job where the last one has ended.
    ///
    /// # Errors
    /// What a model can't be asked, or the journal failed. What finds no room there is left out: [`Resumption::end`].
    pub(super) fn machines(
        &mut self,
        camera: &Camera,
        source_url: &str,
        starts: Option<&Name>,
    ) -> Result<Vec<Asker>, StartError> {
        let mut machines = Vec::new();
        let plan = self.plan;
        for monitor in plan.config.monitors.iter().filter(|monitor| monitor.cameras.contains(&camera.name)) {
            let Some(model) = self.models.get(&monitor.model.value) else { continue };
            let subject = self.subject(monitor, camera, model, source_url)?;
            let candidate = Candidate::of(monitor, self.models)?;
            let before = self.kept.remove(&(monitor.name.clone(), camera.name.clone()));
            let (ledger, restart) = (&mut self.ledger, self.restart);
            let resumed = watch::resume(ledger, before, &subject, restart).and_then(|state| {
                match starts == Some(&monitor.name) {
                    true => watch::begin(ledger, state, &subject, restart),
                    false => Ok(state),
                }
            });
            match resumed {
                Ok(state) => {
                    let machine = Machine::new(subject, state);
                    machines.push(Asker { machine, model: model.clone(), candidate });
                }
                // What fills the journal goes only while a daemon runs and sends it.
                Err(error) if is_full(&error) => {
                    tracing::error!(
                        monitor = %monitor.name, camera = %camera.name, %error,
                        "it cannot begin and is not watched: make room, then restart the daemon"
                    );
                    self.refused = Some(error);
                }
                Err(error) => return Err(StartError::Resume(error)),
            }
        }
        Ok(machines)
    }

    fn subject(
        &self,
        monitor: &Monitor,
        camera: &Camera,
        model: &Handle,
        source_url: &str,
    ) -> Result<Subject, StartError> {
        let subject = Subject::new(monitor, camera, model.model(), source_url.to_owned())?;
        let roster = &self.plan.roster;
        Ok(match roster.origin(Part::Monitor, &monitor.name) {
            Origin::File => subject,
            Origin::Api => subject.made_by_api(roster.job_request(&monitor.name).cloned()),
        })
    }

    /// Machines that nobody asked for say good-bye: their monitors are gone.
    ///
    /// # Errors
    /// The journal failed.
    pub(super) fn end(mut self) -> Result<Option<Refused>, StartError> {
        for ((monitor, camera), gone) in std::mem::take(&mut self.kept) {
            match watch::farewell(&mut self.ledger, gone, self.restart) {
                Ok(()) => self.scribe.writer.forget_machine(monitor, camera).wait()?,
                Err(error) if is_full(&error) => {
                    tracing::error!(%monitor, %camera, %error, "its end cannot be recorded: the next start tries again");
                    self.refused = Some(error);
                }
                Err(error) => return Err(StartError::Resume(error)),
            }
        }
        Ok(self.refused)
    }

    /// For the thread that goes on with the machines.
    pub(super) fn ledger(&mut self) -> &mut JournalLedger {
        &mut self.ledger
    }
}

fn is_full(error: &Refused) -> bool {
    matches!(error.downcast_ref(), Some(journal::Error::Full(_)))
}

/// What the journal remembers, by monitor and camera. A row that is damaged is left behind, and said; one of a newer
/// release stops the start, because going on without it would overwrite it.
fn kept(rows: Vec<MachineRow>) -> Result<BTreeMap<(Name, Name), Kept>, StartError> {
    let mut kept = BTreeMap::new();
    for row in rows {
        match Kept::read(&row) {
            Ok(machine) => {
                kept.insert((row.monitor, row.camera), machine);
            }
            Err(error @ Unreadable::Newer { .. }) => return Err(error.into()),
            Err(error) => tracing::error!(monitor = %row.monitor, camera = %row.camera, %error, "it begins afresh"),
        }
    }
    Ok(kept)
}
