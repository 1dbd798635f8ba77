//! What was told of a recording: in lines for people, in JSON lines for scripts, as traces for the plot.
//!
//! Owns the names and the order of the JSON's fields (contracts/api.md, `replay`); refuses to know how a recording is
//! played. Runs on the main thread.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::plot::{Sample, Trace};
use super::print;
use crate::config::Monitor;
use crate::name::Name;
use crate::replay::{Kind, Played, Told};
use crate::verdict::{Answer, rounded};

/// One line of the timeline.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Seconds from the clip's first frame.
    t: f64,
    monitor: &'a Name,
    camera: &'a Name,
    /// Of the check that decided it; the peak where an event ended without one.
    confidence: f64,
    /// Null where an event ended without a check.
    answer: Option<&'static str>,
    explanation: &'a str,
    /// Null where it has no meaning.
    repeat: Option<u32>,
}

#[derive(Serialize)]
struct Summary {
    #[serde(rename = "type")]
    kind: &'static str,
    frames: u64,
    checks: u64,
    /// Of these: the model abstained or failed.
    unanswered: u64,
    triggers: u64,
    wall_s: f64,
}

/// As a JSON line.
pub(super) fn json(out: &mut dyn Write, told: &Told) -> io::Result<()> {
    let Told { kind, at, monitor, camera, confidence, answer, explanation, repeat } = told;
    print::json_line(
        out,
        &Line {
            kind: kind.as_str(),
            t: at.as_secs_f64(),
            monitor,
            camera,
            confidence: rounded(*confidence),
            answer: answer.map(Answer::as_str),
            explanation,
            repeat: *repeat,
        },
    )
}

/// As a line for people.
pub(super) fn line(told: &Told) -> String {
    let Told { kind, at, monitor, confidence, explanation, .. } = told;
    let repeat = told.repeat.filter(|repeat| *repeat > 0).map(|n| format!(" (repeat {n})")).unwrap_or_default();
    let line = format!("{:>9.3} s  {:<17}  {monitor}  {confidence:.2}  ", at.as_secs_f64(), kind.as_str());
    let line = line + &print::one_line(explanation) + &repeat;
    line.trim_end().to_owned()
}

/// The last JSON line.
pub(super) fn json_summary(out: &mut dyn Write, played: &Played) -> io::Result<()> {
    let Played { frames, checks, unanswered, triggers, took, .. } = *played;
    let wall_s = (took.as_secs_f64() * 1000.0).round() / 1000.0;
    print::json_line(out, &Summary { kind: "summary", frames, checks, unanswered, triggers, wall_s })
}

/// The last line for people.
pub(super) fn summary(played: &Played) -> String {
    let Played { frames, checks, unanswered, triggers, took, .. } = *played;
    let unanswered = if unanswered > 0 { format!(" ({unanswered} without an answer)") } else { String::new() };
    format!("{frames} frames, {checks} checks{unanswered}, {triggers} triggers in {:.1} s", took.as_secs_f64())
}

/// What the plot needs of each of `monitors`, nothing yet.
pub(super) fn traces(monitors: &[&Monitor]) -> Vec<Trace> {
    monitors.iter().map(|monitor| Trace::of(monitor)).collect()
}

/// Adds what was told to the trace of its monitor.
pub(super) fn remember(traces: &mut [Trace], told: &Told) {
    let Some(trace) = traces.iter_mut().find(|trace| trace.monitor == told.monitor) else { return };
    match told.kind {
        Kind::Verdict => {
            let confidence = (told.answer != Some(Answer::Abstain)).then_some(told.confidence);
            trace.samples.push(Sample { at: told.at, confidence });
        }
        Kind::Event(kind) => trace.events.push((told.at, kind, told.repeat.unwrap_or(0))),
    }
}

/// A time within a clip as players show it: `0:06`, `1:02:03`, with `places` of a second behind it.
pub(super) fn clock(at: Duration, places: usize) -> String {
    let seconds = at.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction: String = format!("{:09}", at.subsec_nanos()).chars().take(places).collect();
    let fraction = if places > 0 { format!(".{fraction}") } else { fraction };
    match hours {
        0 => format!("{minutes}:{seconds:02}{fraction}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventType;

    fn told(kind: Kind) -> Told {
        Told {
            kind,
            at: Duration::from_millis(62_500),
            monitor: Name::new("dock").unwrap(),
            camera: Name::new("east").unwrap(),
            confidence: 0.91,
            answer: Some(Answer::Yes),
            explanation: "person 0.91".to_owned(),
            repeat: Some(0),
        }
    }

    #[test]
    fn json_lines_are_those_of_the_contract() {
        let mut out = Vec::new();
        json(&mut out, &told(Kind::Event(EventType::Triggered))).unwrap();
        let played = Played { frames: 9, checks: 3, unanswered: 1, triggers: 1, ..Played::default() };
        json_summary(&mut out, &Played { took: Duration::from_micros(1_234_567), ..played }).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"type\":\"monitor.triggered\",\"t\":62.5,\"monitor\":\"dock\",\"camera\":\"east\",\"confidence\":0.91,\
             \"answer\":\"yes\",\"explanation\":\"person 0.91\",\"repeat\":0}\n\
             {\"type\":\"summary\",\"frames\":9,\"checks\":3,\"unanswered\":1,\"triggers\":1,\"wall_s\":1.235}\n"
        );
    }

    #[test]
    fn lines_for_people_say_what_is_repeated_and_command_no_terminal() {
        let alert = told(Kind::Event(EventType::Triggered));
        assert_eq!(line(&alert), "   62.500 s  monitor.triggered  dock  0.91  person 0.91");
        let again = Told { repeat: Some(2), explanation: "a\x1b[2Jb".to_owned(), ..alert };
        assert_eq!(line(&again), "   62.500 s  monitor.triggered  dock  0.91  a [2Jb (repeat 2)");
        let silent = Told { explanation: String::new(), repeat: None, ..told(Kind::Verdict) };
        assert_eq!(line(&silent), "   62.500 s  verdict            dock  0.91");
    }

    #[test]
    fn times_are_shown_as_players_show_them() {
        let clock = |ms: u64, places| clock(Duration::from_millis(ms), places);
        assert_eq!(
            [clock(6_200, 0), clock(62_250, 1), clock(3_723_000, 0)],
            ["0:06".to_owned(), "1:02.2".to_owned(), "1:02:03".to_owned()]
        );
    }
}
