//! What is said aloud of what happens on a camera.
//!
//! Owns which facts listeners hear, and that an alert is said only once it is accepted; refuses to know who listens, and
//! costs next to nothing while nobody does. Runs on the watch thread.

use super::subject::About;
use crate::broadcast::{Alert, Broadcast, Checked};
use crate::event::{Event, EventData};
use crate::journal::{Accepted, Recorded};
use crate::time::Now;
use crate::verdict::Verdict;

/// An alert on its way into the journal.
pub struct Unsaid {
    /// Which of the record's events it is.
    place: usize,
    event: Event,
}

/// Keeps the alerts among `events`, if anybody wants to hear of them.
pub fn alerts_of(events: &[Accepted], broadcast: &Broadcast) -> Vec<Unsaid> {
    if !broadcast.alerts.is_heard() {
        return Vec::new();
    }
    let is_alert = |(_, accepted): &(usize, &Accepted)| matches!(accepted.event.data, EventData::Triggered(_));
    let unsaid = |(place, accepted): (usize, &Accepted)| Unsaid { place, event: accepted.event.clone() };
    events.iter().enumerate().filter(is_alert).map(unsaid).collect()
}

/// They are accepted: says them.
pub fn say(unsaid: Vec<Unsaid>, recorded: &Recorded, broadcast: &Broadcast) {
    for Unsaid { place, event } in unsaid {
        let Some(recorded) = recorded.events.get(place) else { continue };
        broadcast.alerts.say(|| Alert { event, moment_us: recorded.moment_us });
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
