//! How machines go on from the journal.
//!
//! Owns the meeting of what is to run with what the journal remembers; refuses to know what follows (`watch` does). Runs on
//! the main thread at start, and on the foreman's whenever what watches a camera changes: that is the same to a machine.

use std::collections::BTreeMap;

use super::StartError;
use super::plan::Plan;
use super::scribe::Scribe;
use crate::condition::{Phase, Shutdown, Unreadable};
use crate::config::{Camera, Monitor, Part};
use crate::journal::{MachineRow, Origin, Reader};
use crate::model::Handle;
use crate::name::Name;
use crate::time::{self, Boot};
use crate::watch::{self, Asker, Candidate, JournalLedger, Kept, Machine, Restart, Subject};

/// Machines that go on.
pub(super) struct Resumption<'p> {
    plan: &'p Plan,
    models: &'p BTreeMap<Name, Handle>,
    scribe: &'p Scribe,
    ledger: JournalLedger,
    restart: Restart,
    /// What the journal remembers, by monitor and camera, and nobody has asked for yet.
    kept: BTreeMap<(Name, Name), Kept>,
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
        let rows = reader.machines_of(camera)?;
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
        Ok(Resumption { plan, models, scribe, ledger, restart, kept })
    }

    /// The machines of `camera` as they go on. Those of the monitor `starts` get a new job where the last one has ended.
    ///
    /// # Errors
    /// What a model can't be asked, or the journal failed. Machines for which it has no room wait until it has.
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
            let anew = starts == Some(&monitor.name);
            let machine = watch::take_up(&mut self.ledger, before, subject, self.restart, anew);
            let machine = machine.map_err(StartError::Resume)?;
            self.film_on(&machine);
            machines.push(Asker { machine, model: model.clone(), candidate });
        }
        Ok(machines)
    }

    /// An event that is open stays recorded.
    fn film_on(&self, machine: &Machine) {
        let subject = machine.subject();
        if let (Phase::Open(open), Some(clip)) = (machine.state().phase(), subject.clip) {
            self.scribe.footage.resume(&subject.about.camera, clip, open, &self.scribe.writer, self.restart.now);
        }
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
    /// The journal failed. Where it only has no room it keeps them for whoever goes on from it next.
    pub(super) fn end(mut self) -> Result<(), StartError> {
        for ((monitor, camera), gone) in std::mem::take(&mut self.kept) {
            let ended = watch::farewell(&mut self.ledger, &gone, self.restart).and_then(|()| {
                let forgotten = self.scribe.writer.forget_machine(monitor.clone(), camera.clone());
                Ok(forgotten.wait()?)
            });
            match ended {
                Err(error) if watch::is_full(&error) => {
                    let later = "its end is not recorded yet: the next change or start tries again";
                    tracing::error!(%monitor, %camera, %error, "{later}");
                }
                ended => ended.map_err(StartError::Resume)?,
            }
        }
        Ok(())
    }
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
            Err(error) => {
                tracing::error!(monitor = %row.monitor, camera = %row.camera, %error, "a monitor begins afresh")
            }
        }
    }
    Ok(kept)
}
