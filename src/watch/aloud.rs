//! What is said aloud of what happens on a camera.
//!
//! Owns which facts listeners hear, and that an alert is said only once it is accepted; refuses to know who listens, and
//! costs next to nothing while nobody does. Runs on the watch thread.

use super::addressees::Addressees;
use super::subject::About;
use crate::broadcast::{Alert, Broadcast, Checked, WORDS};
use crate::event::{Event, EventData};
use crate::journal::{Accepted, Recorded};
use crate::name::Name;
use crate::time::Now;
use crate::verdict::Verdict;

/// An alert on its way into the journal.
pub struct Unsaid {
    /// Which of the record's events it is.
    place: usize,
    event: Event,
    /// Which of its deliveries is in the words in which it is said.
    likewise: Option<usize>,
}

/// Keeps the alerts among `events`, if anybody wants to hear of them.
pub fn alerts_of(events: &[Accepted], addressees: &Addressees, broadcast: &Broadcast) -> Vec<Unsaid> {
    if !broadcast.alerts.is_heard() {
        return Vec::new();
    }
    let is_alert = |(_, accepted): &(usize, &Accepted)| matches!(accepted.event.data, EventData::Triggered(_));
    let endpoints = addressees.now();
    let in_words = |name: &Name| endpoints.iter().any(|it| it.name == *name && it.format == WORDS);
    let unsaid = |(place, accepted): (usize, &Accepted)| Unsaid {
        place,
        event: accepted.event.clone(),
        likewise: accepted.owed.iter().position(|owed| in_words(&owed.endpoint)),
    };
    events.iter().enumerate().filter(is_alert).map(unsaid).collect()
}

/// They are accepted: says them.
pub fn say(unsaid: Vec<Unsaid>, recorded: &Recorded, broadcast: &Broadcast) {
    for Unsaid { place, event, likewise } in unsaid {
        let deliveries = recorded.events.get(place).map_or(&[][..], |recorded| &recorded.deliveries);
        let moment_us = likewise.and_then(|nth| deliveries.get(nth)).map(|stamp| stamp.moment_us);
        broadcast.alerts.say(|| Alert { event, moment_us });
    }
}

/// A check was answered.
pub fn checked(about: &About, verdict: &Verdict, seen: Now, broadcast: &Broadcast) {
    broadcast.checks.say(|| Checked {
        monitor: about.monitor.clone(),
        camera: about.camera.clone(),
        condition: about.condition.clone(),
        verdict: verdict.clone(),
        seen,
    });
}
