//! Confidence over time, drawn with characters: a band for each monitor, one axis for all.
//!
//! Owns the picture; refuses to know how a recording is played and what the terminal can show. Runs on the main thread.
//!
//! A column stands for a stretch of the clip and shows the highest confidence in it. A check counts from its frame until
//! the next one was due (`check_interval`), so that a band has gaps only where nothing moved and nothing was checked.

mod axis;

use std::ops::RangeInclusive;
use std::time::Duration;

use super::print::Tint;
use super::terminal::Look;
use crate::config::Monitor;
use crate::event::EventType;
use crate::name::Name;

/// Lines of a band: a fifth of the confidence each, so that the default threshold lies between two.
const LINES: usize = 5;

/// What stands left of a band: `0.80 |`.
const GUTTER: usize = 6;

/// Narrower is unreadable, wider tells no more.
const WIDTHS: RangeInclusive<usize> = 40..=160;

/// One check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Of its frame, from the clip's first.
    pub(super) at: Duration,
    /// 0 to 1; None: the model had no answer.
    pub(super) confidence: Option<f32>,
}

/// What is drawn of a monitor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trace {
    /// Which one.
    pub(super) monitor: Name,
    /// Positive from here.
    pub(super) threshold: f32,
    /// Negative below.
    pub(super) clear: f32,
    /// No other alert for so long after one.
    pub(super) cooldown: Duration,
    /// Between two checks.
    pub(super) interval: Duration,
    /// In order.
    pub(super) samples: Vec<Sample>,
    /// Alerts and clears in order, with the number of the repeat.
    pub(super) events: Vec<(Duration, EventType, u32)>,
}

impl Trace {
    /// Nothing yet of `monitor`.
    pub(super) fn of(monitor: &Monitor) -> Trace {
        Trace {
            monitor: monitor.name.clone(),
            threshold: monitor.confidence_threshold,
            clear: monitor.clear_threshold,
            cooldown: monitor.cooldown,
            interval: monitor.check_interval,
            samples: Vec::new(),
            events: Vec::new(),
        }
    }
}

/// The signs that are drawn with.
struct Signs {
    /// From empty to full.
    bar: &'static [char],
    edge: char,
    threshold: char,
    alert: char,
    repeat: char,
    clear: char,
    /// An alert and a clear in one column.
    both: char,
    open: char,
    cooling: char,
    silent: char,
}

const BLOCKS: Signs = Signs {
    bar: &[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    edge: '│',
    threshold: '┄',
    alert: '▲',
    repeat: '△',
    clear: '▽',
    both: '◆',
    open: '━',
    cooling: '~',
    silent: '?',
};

const ASCII: Signs = Signs {
    bar: &[' ', '.', ':', '#'],
    edge: '|',
    threshold: '-',
    alert: '^',
    repeat: '+',
    clear: 'v',
    both: '*',
    open: '=',
    cooling: '~',
    silent: '?',
};

/// Draws `traces` from the beginning to the end of `span`. Every line ends with a newline.
pub(super) fn draw(traces: &[Trace], span: &RangeInclusive<Duration>, look: Look) -> String {
    let columns = look.width.clamp(*WIDTHS.start(), *WIDTHS.end()) - GUTTER;
    let columns = Columns { from: *span.start(), length: span.end().saturating_sub(*span.start()), count: columns };
    let signs = if look.unicode { &BLOCKS } else { &ASCII };
    let mut drawn = String::new();
    for trace in traces {
        drawn += &head(trace, &columns, look);
        band(trace, &columns, signs, look, &mut drawn);
    }
    drawn += &axis::line(columns.from, columns.length, columns.count, GUTTER);
    let each = columns.length.as_secs_f64() / columns.count as f64;
    let Signs { alert, repeat, clear, silent, cooling, .. } = signs;
    let places = if each < 1.0 { 2 } else { 1 };
    drawn += &format!(
        "{alert} alert  {repeat} repeat  {clear} clear  {silent} no answer  no bar: not checked  \
         a column: {each:.places$} s\n"
    );
    if traces.iter().any(|trace| cooling_samples(trace).any(|at| columns.holds(at))) {
        drawn += &format!("{cooling} positive, but within the cooldown of the alert before\n");
    }
    drawn
}

fn head(trace: &Trace, columns: &Columns, look: Look) -> String {
    let Trace { monitor, threshold, clear, .. } = trace;
    let is_shown = |(at, kind, _): &&(Duration, EventType, u32)| *kind == EventType::Triggered && columns.holds(*at);
    let alerts = match trace.events.iter().filter(is_shown).count() {
        0 => "no alert".to_owned(),
        1 => "1 alert".to_owned(),
        alerts => format!("{alerts} alerts"),
    };
    let name = painted(monitor.as_str(), Tint::Bold, look);
    format!("{name}  {alerts}, threshold {threshold:.2}, clears below {clear:.2}\n")
}

/// Which stretch of the clip a column stands for.
struct Columns {
    from: Duration,
    length: Duration,
    count: usize,
}

impl Columns {
    /// The column of a moment within the span.
    fn of(&self, at: Duration) -> usize {
        let share = at.saturating_sub(self.from).as_secs_f64() / self.length.as_secs_f64().max(1e-9);
        ((share * self.count as f64) as usize).min(self.count - 1)
    }

    fn holds(&self, at: Duration) -> bool {
        (self.from..=self.from + self.length).contains(&at)
    }
}

/// What a column shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Column {
    /// The highest confidence.
    peak: Option<f32>,
    /// A check went without an answer.
    silent: bool,
    mark: Option<char>,
}

fn band(trace: &Trace, columns: &Columns, signs: &Signs, look: Look, drawn: &mut String) {
    let mut cells = vec![Column::default(); columns.count];
    sample(trace, columns, &mut cells);
    mark(trace, columns, signs, &mut cells);
    let threshold_line = line_of(trace.threshold);
    for line in (0..LINES).rev() {
        let label = match line {
            _ if line == threshold_line => format!("{:.2}", trace.threshold),
            0 => "0.00".to_owned(),
            _ if line == LINES - 1 => "1.00".to_owned(),
            _ => "    ".to_owned(),
        };
        let mut text = painted(&format!("{label} {}", signs.edge), Tint::Faint, look);
        let cell = |cell: &Column| (sign(cell, line, threshold_line, signs), tint(cell, trace.threshold));
        runs(cells.iter().map(cell), look, &mut text);
        drawn.push_str(text.trim_end());
        drawn.push('\n');
    }
    let mut marks = " ".repeat(GUTTER);
    runs(cells.iter().map(|cell| (cell.mark.unwrap_or(' '), Tint::Bad)), look, &mut marks);
    if cells.iter().any(|cell| cell.mark.is_some()) {
        drawn.push_str(marks.trim_end());
        drawn.push('\n');
    }
}

/// The highest confidence of each column.
fn sample(trace: &Trace, columns: &Columns, cells: &mut [Column]) {
    let end = columns.from + columns.length;
    for Sample { at, confidence } in trace.samples.iter().filter(|sample| sample.at <= end) {
        // The instant at which the next check was due is that one's.
        let until = (*at + trace.interval.saturating_sub(Duration::from_millis(1))).min(end);
        if until < columns.from {
            continue;
        }
        for cell in &mut cells[columns.of(*at)..=columns.of(until)] {
            match confidence {
                Some(confidence) => cell.peak = Some(cell.peak.map_or(*confidence, |peak| peak.max(*confidence))),
                None => cell.silent = true,
            }
        }
    }
}

/// Alerts, clears, and that an event is open between them.
fn mark(trace: &Trace, columns: &Columns, signs: &Signs, cells: &mut [Column]) {
    let mut open: Option<usize> = None;
    let rule = |from: usize, to: usize, cells: &mut [Column]| {
        for cell in cells.iter_mut().take(to).skip(from) {
            cell.mark.get_or_insert(signs.open);
        }
    };
    for &(at, kind, repeat) in trace.events.iter().filter(|(at, ..)| *at <= columns.from + columns.length) {
        let column = columns.of(at);
        if let Some(from) = open.take() {
            rule(from, column, cells);
        }
        let is_alert = kind == EventType::Triggered;
        if is_alert {
            open = Some(column);
        }
        if !columns.holds(at) {
            continue;
        }
        cells[column].mark = Some(match (cells[column].mark, is_alert) {
            (Some(there), true) if there == signs.clear => signs.both,
            (Some(there), false) if there == signs.alert => signs.both,
            (Some(there), _) if there == signs.both || there == signs.alert => there,
            (_, true) if repeat > 0 => signs.repeat,
            (_, true) => signs.alert,
            (_, false) => signs.clear,
        });
    }
    if let Some(from) = open {
        rule(from, columns.count, cells);
    }
    for at in cooling_samples(trace).filter(|at| columns.holds(*at)) {
        cells[columns.of(at)].mark.get_or_insert(signs.cooling);
    }
}

/// When checks were positive while no event was open, and the cooldown of the last alert still ran.
fn cooling_samples(trace: &Trace) -> impl Iterator<Item = Duration> + '_ {
    let is_positive = |sample: &&Sample| sample.confidence.is_some_and(|confidence| confidence >= trace.threshold);
    trace.samples.iter().filter(is_positive).map(|sample| sample.at).filter(|at| {
        let mut before =
            trace.events.iter().rev().skip_while(|(told, ..)| told > at).map(|&(told, kind, _)| (told, kind));
        let is_open = before.clone().next().is_none_or(|(_, kind)| kind == EventType::Triggered);
        let alert = before.find(|(_, kind)| *kind == EventType::Triggered);
        !is_open && alert.is_some_and(|(alert, _)| *at < alert + trace.cooldown)
    })
}

/// In which line of a band a confidence lies.
fn line_of(confidence: f32) -> usize {
    // 0.6 lies in the line that begins with it, although 0.6 * 5 is a little less than 3.
    ((f64::from(confidence) + 1e-6) * LINES as f64).clamp(0.0, LINES as f64 - 1.0) as usize
}

fn sign(cell: &Column, line: usize, threshold_line: usize, signs: &Signs) -> char {
    let steps = signs.bar.len() - 1;
    // Whatever was answered is seen: 0 is the lowest step and 1 the highest.
    let level = cell.peak.map_or(0, |peak| 1 + (peak * (LINES * steps - 1) as f32).round() as usize);
    match level.saturating_sub(line * steps).min(steps) {
        0 if line == 0 && cell.silent => signs.silent,
        0 if line == threshold_line => signs.threshold,
        step => signs.bar[step],
    }
}

fn tint(cell: &Column, threshold: f32) -> Tint {
    match cell.peak {
        Some(peak) if peak >= threshold => Tint::Bad,
        Some(_) => Tint::Plain,
        None if cell.silent => Tint::Odd,
        None => Tint::Faint,
    }
}

/// Writes signs, those of one colour together.
fn runs(signs: impl Iterator<Item = (char, Tint)>, look: Look, text: &mut String) {
    let mut run = (String::new(), Tint::Plain);
    for (sign, tint) in signs {
        if tint != run.1 {
            text.push_str(&painted(&run.0, run.1, look));
            run = (String::new(), tint);
        }
        run.0.push(sign);
    }
    text.push_str(&painted(&run.0, run.1, look));
}

fn painted(text: &str, tint: Tint, look: Look) -> String {
    if text.is_empty() || !look.colour { text.to_owned() } else { tint.paint(text) }
}

#[cfg(test)]
mod tests;
