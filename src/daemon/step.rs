//! A step from one roster to the next, as far as it is thought through.
//!
//! Owns that what the journal is told, what is started and what is to run afterwards belong to the same parts; refuses to
//! write and to start any of it (`orders` does). Plain data.

use super::foreman::Change;
use super::roster::{self, Made, Roster};
use crate::config::Part;
use crate::journal::Revision;
use crate::name::Name;
use crate::preflight::Opened;

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

    /// `made` is added, or takes the place of what had its name; `opened` is what it needs. At most one of each kind in a
    /// step.
    ///
    /// # Errors
    /// It can't be written as JSON.
    pub(super) fn make(&mut self, made: Made, opened: Opened) -> Result<(), serde_json::Error> {
        self.revision.keep.push(made.row()?);
        if made.part == Part::Endpoint {
            // What an endpoint of that name was owed before stays as it ended: it can be sent again by hand.
            self.revision.gone.push((made.name.clone(), false));
        }
        self.change.renewed.push((made.part, made.name.clone()));
        self.change.opened.push(opened);
        self.roster = self.roster.with(made);
        Ok(())
    }

    /// That one is taken away. An idle one may share its name with a part of the file: that one stays as it is, switch and
    /// all.
    pub(super) fn forget(&mut self, part: Part, name: &Name) {
        let is_alone = !self.roster.is_in_file(part, name);
        self.roster = match is_alone {
            true => self.roster.without(part, name),
            false => self.roster.without_definition(part, name),
        };
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
