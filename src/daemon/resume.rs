//! How the machines of a configuration go on from the journal.
//!
//! Owns the meeting of what the file says with what the journal remembers; refuses to know what follows (`watch` does).
//! Runs on the main thread at start.

use std::collections::BTreeMap;

use super::{StartError, site};
use crate::camera::Address;
use crate::condition::{Shutdown, Unreadable};
use crate::config::{Camera, Config};
use crate::journal::{self, Journal, Writer};
use crate::model::Handle;
use crate::name::Name;
use crate::time::{Boot, Now};
use crate::watch::{self, Asker, Candidate, JournalLedger, Kept, Machine, Restart, Subject};

/// A camera of the configuration with its machines and the models that are asked for each.
pub(super) type Watched<'c> = (&'c Camera, Vec<Asker>);

/// For every camera, its machines as they go on; machines that are gone from the file say good-bye.
pub(super) fn machines<'c>(
    config: &'c Config,
    addresses: &BTreeMap<Name, Address>,
    models: &BTreeMap<Name, Handle>,
    journal: &Journal,
    now: Now,
) -> Result<Vec<Watched<'c>>, StartError> {
    let last = if journal.start().clean { Shutdown::Clean } else { Shutdown::Unclean };
    let restart = Restart { now, boot: Boot::current(), last };
    let mut ledger = ledger(config, &journal.writer());
    let mut kept = kept(journal)?;
    let mut watched = Vec::new();
    for camera in &config.cameras {
        let source_url = addresses.get(&camera.name).map(Address::shown).unwrap_or_default();
        let mut machines = Vec::new();
        for monitor in config.monitors.iter().filter(|monitor| monitor.cameras.contains(&camera.name)) {
            let Some(model) = models.get(&monitor.model.value) else { continue };
            let subject = Subject::new(monitor, camera, model.model(), source_url.clone())?;
            let candidate = Candidate::of(monitor, models)?;
            let before = kept.remove(&(monitor.name.clone(), camera.name.clone()));
            match watch::resume(&mut ledger, before, &subject, restart) {
                Ok(state) => {
                    let machine = Machine::new(subject, state);
                    machines.push(Asker { machine, model: model.clone(), candidate });
                }
                // What fills the journal goes only while a daemon runs and sends it.
                Err(error) if is_full(&error) => tracing::error!(
                    monitor = %monitor.name, camera = %camera.name, %error,
                    "it cannot begin and is not watched: make room, then restart the daemon"
                ),
                Err(error) => return Err(StartError::Resume(error)),
            }
        }
        watched.push((camera, machines));
    }
    for ((monitor, camera), gone) in kept {
        match watch::farewell(&mut ledger, gone, restart) {
            Ok(()) => journal.writer().forget_machine(monitor, camera).wait()?,
            Err(error) if is_full(&error) => {
                tracing::error!(%monitor, %camera, %error, "its end cannot be recorded: the next start tries again");
            }
            Err(error) => return Err(StartError::Resume(error)),
        }
    }
    Ok(watched)
}

fn is_full(error: &watch::Refused) -> bool {
    matches!(error.downcast_ref(), Some(journal::Error::Full(_)))
}

/// What the journal remembers, by monitor and camera. A row that is damaged is left behind, and said; one of a newer
/// release stops the start, because going on without it would overwrite it.
fn kept(journal: &Journal) -> Result<BTreeMap<(Name, Name), Kept>, StartError> {
    let mut kept = BTreeMap::new();
    for row in journal.reader()?.machines()? {
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

/// A ledger for one camera, or for the start.
pub(super) fn ledger(config: &Config, writer: &Writer) -> JournalLedger {
    JournalLedger::new(writer.clone(), site::device_id(config), config.endpoints.as_slice().into(), &config.storage)
}
