//! Whether what a recording gave is what a case says (`stakeout test`).
//!
//! Owns which event meets which expectation, and when a silence says nothing; refuses to know how a recording is played
//! and how a failure is told. Pure.

use std::time::Duration;

use crate::config::{Case, Pattern};
use crate::event::EventType;
use crate::name::Name;

/// An event that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// Of which type.
    pub kind: EventType,
    /// Of which monitor.
    pub monitor: Name,
    /// When, from the clip's first frame.
    pub at: Duration,
}

/// What a recording gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The events, in order.
    pub events: Vec<Came>,
    /// Checks and answers among them, by monitor.
    pub checks: Vec<(Name, u64, u64)>,
    /// When its last frame comes.
    pub length: Duration,
}

/// Why a case failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint<'c> {
    /// Too few events of this kind came.
    Missing {
        /// What was expected.
        pattern: &'c Pattern,
        /// So many of it came.
        came: u32,
        /// The index of an event that nearly was one: of the same type and monitor, at another time.
        nearest: Option<usize>,
    },
    /// This event was not to come.
    Unwelcome {
        /// Its index.
        event: usize,
        /// What forbids it; None: `nothing_else` or `none`.
        pattern: Option<&'c Pattern>,
    },
    /// What is said begins behind the clip's end, so that it could never fail, or never be met.
    BeyondTheEnd(&'c Pattern),
    /// A monitor gave no answer at all: its silence says nothing.
    NoAnswer {
        /// Which one.
        monitor: Name,
        /// So many checks were made.
        checks: u64,
    },
}

/// What is wrong with `outcome`; nothing where it is as `case` says.
///
/// An event meets one expectation at most. As many as possible are met, the first ones of the file by the earliest events.
pub fn complaints<'c>(case: &'c Case, outcome: &Outcome) -> Vec<Complaint<'c>> {
    let events = &outcome.events;
    let places: Vec<&Pattern> =
        case.expect.iter().flat_map(|pattern| (0..pattern.count).map(move |_| pattern)).collect();
    let met = assign(&places, events);
    let mut complaints = Vec::new();
    for (monitor, checks, answers) in &outcome.checks {
        if *answers == 0 {
            complaints.push(Complaint::NoAnswer { monitor: monitor.clone(), checks: *checks });
        }
    }
    let beyond = |pattern: &&Pattern| pattern.span.from > outcome.length;
    complaints.extend(case.expect.iter().chain(&case.forbid).filter(beyond).map(Complaint::BeyondTheEnd));
    for pattern in case.expect.iter().filter(|pattern| !beyond(pattern)) {
        let came = places.iter().zip(&met).filter(|(place, by)| std::ptr::eq(**place, pattern) && by.is_some()).count();
        let came = u32::try_from(came).unwrap_or(u32::MAX);
        if came < pattern.count {
            complaints.push(Complaint::Missing { pattern, came, nearest: nearest(pattern, events, &met) });
        }
    }
    for (index, event) in events.iter().enumerate().filter(|(index, _)| !met.contains(&Some(*index))) {
        let pattern = case.forbid.iter().find(|pattern| meets(event, pattern));
        if pattern.is_some() || case.nothing_else {
            complaints.push(Complaint::Unwelcome { event: index, pattern });
        }
    }
    complaints
}

/// How far `at` lies outside of a pattern's span: negative before it, in seconds.
pub fn off(pattern: &Pattern, at: Duration) -> f64 {
    match pattern.span.to {
        Some(to) if at > to => (at - to).as_secs_f64(),
        _ => -pattern.span.from.saturating_sub(at).as_secs_f64(),
    }
}

fn meets(event: &Came, pattern: &Pattern) -> bool {
    is_alike(event, pattern) && pattern.span.holds(event.at)
}

/// But for the time.
fn is_alike(event: &Came, pattern: &Pattern) -> bool {
    pattern.kind.is_none_or(|kind| kind == event.kind)
        && pattern.monitor.as_ref().is_none_or(|monitor| *monitor == event.monitor)
}

fn nearest(pattern: &Pattern, events: &[Came], met: &[Option<usize>]) -> Option<usize> {
    let free = |(index, event): &(usize, &Came)| !met.contains(&Some(*index)) && is_alike(event, pattern);
    let distance = |event: &Came| off(pattern, event.at).abs();
    let free = events.iter().enumerate().filter(free);
    free.min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b))).map(|(index, _)| index)
}

/// By which event each place is met: a largest matching, by augmenting paths.
fn assign(places: &[&Pattern], events: &[Came]) -> Vec<Option<usize>> {
    let mut met = vec![None; places.len()];
    for place in 0..places.len() {
        augment(place, places, events, &mut vec![false; events.len()], &mut met);
    }
    met
}

/// Finds an event for `place`, if need be by giving those that have one another.
fn augment(place: usize, places: &[&Pattern], events: &[Came], tried: &mut [bool], met: &mut [Option<usize>]) -> bool {
    for (index, event) in events.iter().enumerate() {
        if tried[index] || !meets(event, places[place]) {
            continue;
        }
        tried[index] = true;
        let holder = met.iter().position(|by| *by == Some(index));
        if holder.is_none_or(|holder| augment(holder, places, events, tried, met)) {
            met[place] = Some(index);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
