//! What is told of a case: a line where it passed; otherwise what was expected, what came, and the timeline around it.

use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use super::{Play, Tried, counted, seconds};
use crate::cli::plot::{self, Trace};
use crate::cli::print::{self, Tint};
use crate::cli::terminal::Look;
use crate::cli::timeline;
use crate::config::Pattern;
use crate::event::EventType;
use crate::expectation::{Complaint, off};
use crate::name::Name;
use crate::verdict::rounded;

/// What belongs to a case stands below its name.
const INDENT: &str = "      ";

/// Shown on either side of what is wrong, at least.
const AROUND: Duration = Duration::from_secs(10);

/// Lines of events that are shown of a case.
const MOST_EVENTS: usize = 20;

/// For people. Whether it passed.
pub(super) fn text(out: &mut dyn Write, tried: &Tried<'_>, look: Look) -> io::Result<bool> {
    let complaints = tried.complaints();
    let painted = |text: &str, tint: Tint| if look.colour { tint.paint(text) } else { text.to_owned() };
    let (name, clip) = (print::one_line(&tried.case.name), tried.clip.display());
    match tried.play {
        Err(why) => {
            writeln!(out, "{}  {name}  ({clip})\n{INDENT}the clip can't be played: {why}", painted("FAIL", Tint::Bad))?;
            Ok(false)
        }
        Ok(play) if complaints.is_empty() => {
            writeln!(out, "{}    {name}  ({clip}: {})", painted("ok", Tint::Good), tally(play))?;
            Ok(true)
        }
        Ok(play) => {
            writeln!(out, "{}  {name}  ({clip}: {})", painted("FAIL", Tint::Bad), tally(play))?;
            for complaint in &complaints {
                let (expected, came) = words(complaint, play);
                writeln!(out, "{INDENT}{expected}\n{INDENT}  {came}")?;
            }
            around(out, play, &complaints, look)?;
            Ok(false)
        }
    }
}

/// `39.933 s, 2 alerts, 1 clear`
fn tally(play: &Play) -> String {
    let count = |kind| play.outcome.events.iter().filter(|event| event.kind == kind).count();
    let counted = |number: usize, thing| if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") };
    let (alerts, clears) = (count(EventType::Triggered), count(EventType::Cleared));
    format!("{}, {}, {}", seconds(play.outcome.length), counted(alerts, "alert"), counted(clears, "clear"))
}

/// The other events and the confidence around what is wrong.
fn around(out: &mut dyn Write, play: &Play, complaints: &[Complaint<'_>], look: Look) -> io::Result<()> {
    let span = span(play, complaints);
    // What isn't welcome stands with its complaint.
    let is_said =
        |event| complaints.iter().any(|it| matches!(it, Complaint::Unwelcome { event: said, .. } if *said == event));
    let others = play.told.iter().enumerate().filter(|(event, _)| !is_said(*event)).map(|(_, told)| told);
    let shown: Vec<_> = others.filter(|told| span.contains(&told.at)).collect();
    for told in shown.iter().take(MOST_EVENTS) {
        writeln!(out, "{INDENT}{}", timeline::line(told))?;
    }
    if shown.len() > MOST_EVENTS {
        writeln!(out, "{INDENT}… and {} more", shown.len() - MOST_EVENTS)?;
    }
    let look = Look { width: look.width.saturating_sub(INDENT.len()), ..look };
    plot::draw(&concerned(play, complaints), &span, look).lines().try_for_each(|line| writeln!(out, "{INDENT}{line}"))
}

/// The monitors that are complained about; all where nobody in particular is.
fn concerned(play: &Play, complaints: &[Complaint<'_>]) -> Vec<Trace> {
    let of = |complaint: &Complaint<'_>| match complaint {
        Complaint::Missing { pattern, .. } | Complaint::BeyondTheEnd(pattern) => pattern.monitor.clone(),
        Complaint::Unwelcome { event, .. } => play.outcome.events.get(*event).map(|event| event.monitor.clone()),
        Complaint::NoAnswer { monitor, .. } => Some(monitor.clone()),
    };
    let named: Option<Vec<Name>> = complaints.iter().map(of).collect();
    let is_named = |trace: &&Trace| named.as_ref().is_none_or(|named| named.contains(&trace.monitor));
    play.traces.iter().filter(is_named).cloned().collect()
}

/// From the first moment that is complained about to the last, with what is around them.
fn span(play: &Play, complaints: &[Complaint<'_>]) -> RangeInclusive<Duration> {
    let length = play.outcome.length;
    let at = |event: usize| play.outcome.events.get(event).map(|event| event.at);
    let mut ends = Vec::new();
    for complaint in complaints {
        match complaint {
            Complaint::Missing { pattern, nearest, .. } => {
                ends.extend([pattern.span.from, pattern.span.to.unwrap_or(length)]);
                ends.extend(nearest.and_then(at));
            }
            Complaint::Unwelcome { event, .. } => ends.extend(at(*event)),
            Complaint::BeyondTheEnd(_) | Complaint::NoAnswer { .. } => ends.extend([Duration::ZERO, length]),
        }
    }
    let first = ends.iter().min().copied().unwrap_or_default().saturating_sub(AROUND);
    let last = ends.iter().max().copied().unwrap_or(length) + AROUND;
    first..=last.min(length)
}

/// What was said, and what came instead.
fn words(complaint: &Complaint<'_>, play: &Play) -> (String, String) {
    let length = seconds(play.outcome.length);
    match complaint {
        Complaint::Missing { pattern, came, nearest } => {
            let nearest = nearest.and_then(|index| play.outcome.events.get(index)).map(|event| {
                let off = off(pattern, event.at);
                let how = if off < 0.0 { "early" } else { "late" };
                format!("; the nearest is {:.3} s too {how}, at {}", off.abs(), seconds(event.at))
            });
            let came = if *came == 0 { "none came".to_owned() } else { format!("{came} came") };
            (format!("expected {}", described(pattern)), came + &nearest.unwrap_or_default())
        }
        Complaint::Unwelcome { event, pattern } => {
            let said = match pattern {
                Some(pattern) => format!("forbidden is {}", described(pattern)),
                None => "nothing else was to come".to_owned(),
            };
            (said, play.told.get(*event).map_or_else(String::new, |told| timeline::line(told).trim_start().to_owned()))
        }
        Complaint::BeyondTheEnd(pattern) => {
            (format!("said is {}", described(pattern)), format!("but the clip ends at {length}: nothing can come then"))
        }
        Complaint::NoAnswer { monitor, checks } => {
            let what = format!("monitor `{monitor}` gave no answer in {checks} checks");
            (what, "its silence says nothing; ask its model by hand with `stakeout ask`".to_owned())
        }
    }
}

/// ``2 times monitor.triggered of `person` between 5.500 s and 7.000 s``
fn described(pattern: &Pattern) -> String {
    let Pattern { kind, monitor, span, count } = pattern;
    let times = if *count > 1 { format!("{count} times ") } else { String::new() };
    let kind = kind.map_or("any event", EventType::as_str);
    let monitor = monitor.as_ref().map(|monitor| format!(" of `{monitor}`")).unwrap_or_default();
    let when = match (span.from, span.to) {
        (Duration::ZERO, None) => " at any time".to_owned(),
        (Duration::ZERO, Some(to)) => format!(" by {}", seconds(to)),
        (from, None) => format!(" from {} on", seconds(from)),
        (from, Some(to)) => format!(" between {} and {}", seconds(from), seconds(to)),
    };
    format!("{times}{kind}{monitor}{when}")
}

/// A line of `test --json`.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    clip: String,
    passed: bool,
    /// Of the clip; null where it can't be played.
    seconds: Option<f64>,
    complaints: Vec<ComplaintLine>,
    events: Vec<EventLine<'a>>,
}

#[derive(Serialize)]
struct ComplaintLine {
    what: &'static str,
    /// Of the event that it is about, if it is about one.
    t: Option<f64>,
    said: String,
    came: String,
}

#[derive(Serialize)]
struct EventLine<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    t: f64,
    monitor: &'a Name,
    confidence: f64,
}

#[derive(Serialize)]
struct Summary {
    #[serde(rename = "type")]
    kind: &'static str,
    cases: usize,
    failed: usize,
    wall_s: f64,
}

/// For scripts. Whether it passed.
pub(super) fn json(out: &mut dyn Write, tried: &Tried<'_>) -> io::Result<bool> {
    let complaints = match tried.play {
        Ok(play) => tried.complaints().iter().map(|complaint| complaint_line(complaint, play)).collect(),
        Err(why) => {
            let (said, came) = ("the clip can't be played".to_owned(), why.to_owned());
            vec![ComplaintLine { what: "unplayable", t: None, said, came }]
        }
    };
    let events = tried.play.iter().flat_map(|play| &play.told).map(|told| EventLine {
        kind: told.kind.as_str(),
        t: told.at.as_secs_f64(),
        monitor: &told.monitor,
        confidence: rounded(told.confidence),
    });
    let line = Line {
        kind: "case",
        name: &tried.case.name,
        clip: tried.clip.display().to_string(),
        passed: complaints.is_empty(),
        seconds: tried.play.ok().map(|play| play.outcome.length.as_secs_f64()),
        complaints,
        events: events.collect(),
    };
    print::json_line(out, &line)?;
    Ok(line.passed)
}

fn complaint_line(complaint: &Complaint<'_>, play: &Play) -> ComplaintLine {
    let (what, event) = match complaint {
        Complaint::Missing { nearest, .. } => ("missing", *nearest),
        Complaint::Unwelcome { event, .. } => ("unwelcome", Some(*event)),
        Complaint::BeyondTheEnd(_) => ("beyond_the_end", None),
        Complaint::NoAnswer { .. } => ("no_answer", None),
    };
    let t = event.and_then(|event| play.outcome.events.get(event)).map(|event| event.at.as_secs_f64());
    let (said, came) = words(complaint, play);
    ComplaintLine { what, t, said, came }
}

/// The last line; for people only where all is well: otherwise the command's error says it.
pub(super) fn summary(
    out: &mut dyn Write,
    json: bool,
    (cases, failed): (usize, usize),
    took: Duration,
) -> io::Result<()> {
    if json {
        let wall_s = (took.as_secs_f64() * 1000.0).round() / 1000.0;
        return print::json_line(out, &Summary { kind: "summary", cases, failed, wall_s });
    }
    match failed {
        0 => writeln!(out, "{} passed in {:.1} s", counted(cases), took.as_secs_f64()),
        _ => Ok(()),
    }
}
