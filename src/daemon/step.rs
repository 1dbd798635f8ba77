//! A step from one roster to the next, as far as it is thought through.
//!
//! Owns that what the journal is told, what is started and what is to run afterwards belong to the same parts; refuses to
//! write and to start any of it (`orders` does). Plain data.

use super::foreman::Change;
use super::made::Made;
use super::roster::{self, Roster};
use crate::config::{Defined, Part};
use crate::journal::{Definition, Revision};
use crate::name::Name;
use crate::preflight::Opened;
use crate::redact::Loan;
use crate::time::Wall;

/// What follows, and what leads there.
pub(super) struct Step {
    /// What is to run afterwards.
    pub(super) roster: Roster,
    /// What the journal is told.
    pub(super) revision: Revision,
    /// What is started.
    pub(super) change: Change,
}

impl Step {
    /// Nothing changes yet.
    pub(super) fn from(roster: &Roster) -> Step {
        Step { roster: roster.clone(), revision: Revision::default(), change: Change::default() }
    }

    /// `made`, which says what is `defined`, is added or takes the place of what had its name; `opened` is what it needs, and
    /// `loan` are its secrets. At most one of each kind in a step.
    ///
    /// # Errors
    /// It can't be written as JSON.
    pub(super) fn make(
        &mut self,
        made: Made,
        (defined, opened): (Defined, Opened),
        loan: Loan,
    ) -> Result<(), serde_json::Error> {
        self.revision.keep.push(made.row()?);
        if made.part == Part::Endpoint {
            // What an endpoint of that name was owed before stays as it ended: it can be sent again by hand.
            self.revision.gone.push((made.name.clone(), false));
        }
        self.change.renewed.push((made.part, made.name.clone()));
        self.change.opened.push(opened);
        self.roster.put(made, defined, loan);
        Ok(())
    }

    /// The same part is kept otherwise: nothing of what runs changes.
    ///
    /// # Errors
    /// It can't be written as JSON.
    pub(super) fn keep(&mut self, made: Made) -> Result<(), serde_json::Error> {
        self.revision.keep.push(made.row()?);
        self.roster.keep(made);
        Ok(())
    }

    /// What had its name `before`, and didn't run, is kept in its place again.
    ///
    /// # Errors
    /// It can't be written as JSON.
    pub(super) fn restore(&mut self, made: &Made, before: &Roster) -> Result<(), serde_json::Error> {
        self.revision.keep.push(made.row()?);
        self.roster.restore(made, before);
        Ok(())
    }

    /// That one is taken away. An idle one may share its name with a part of the file: that one stays as it is, switch and
    /// all.
    pub(super) fn forget(&mut self, part: Part, name: &Name) {
        let is_alone = !self.roster.is_in_file(part, name);
        match is_alone {
            true => self.roster.forget(part, name),
            false => self.roster.forget_definition(part, name),
        }
        self.revision.forget.push((part.as_str().to_owned(), name.clone()));
        match part {
            Part::Monitor if is_alone => {
                self.revision.forget.push(roster::switch_key(name));
                self.unbind_all(name);
            }
            Part::Endpoint if is_alone => self.revision.gone.push((name.clone(), true)),
            Part::Monitor | Part::Endpoint | Part::Camera => {}
        }
    }
}

/// What takes `revision` back, which led away from `before`: a change that can't be put in force must not come into force
/// with the next start, which might fail for the same reason.
///
/// # Errors
/// What was there can't be written as JSON.
pub(super) fn back(revision: &Revision, before: &Roster, at: Wall) -> Result<Revision, serde_json::Error> {
    let mut back = Revision::default();
    let kept = revision.keep.iter().map(|definition| (&definition.kind, &definition.name));
    for (kind, name) in kept.chain(revision.forget.iter().map(|(kind, name)| (kind, name))) {
        match row(before, kind, name, at)? {
            Some(row) => back.keep.push(row),
            None => back.forget.push((kind.clone(), name.clone())),
        }
    }
    let is_there = |name: &Name| before.made(Part::Endpoint, name).is_some();
    let gone = revision.gone.iter().filter(|(name, gone)| *gone == is_there(name));
    back.gone = gone.map(|(name, gone)| (name.clone(), !gone)).collect();
    Ok(back)
}

/// The row of that kind and name; None: there is none.
fn row(roster: &Roster, kind: &str, name: &Name, at: Wall) -> Result<Option<Definition>, serde_json::Error> {
    match (Part::parse(kind), roster.bindings.row(kind, name)?) {
        (Some(part), _) => roster.made(part, name).map(Made::row).transpose(),
        (None, Some(row)) => Ok(Some(row)),
        (None, None) => Ok(roster.switch_row(name, at).filter(|row| row.kind == kind)),
    }
}
