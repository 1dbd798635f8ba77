//! The page of `stakeout status`: what is wrong and what to do about it first, then the tables; cut to the terminal.
//!
//! Owns the order of the page, and what gives way on a small terminal: what is well first, what is wrong last. Refuses to
//! know what is in the tables and how a page gets to the terminal. Pure.

use super::overview;
use crate::api::Status;
use crate::cli::line::{Line, wrapped};
use crate::cli::print::Tint;

/// How much of it can be seen; None: there is no end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) columns: Option<usize>,
    pub(super) rows: Option<usize>,
}

/// A table of the page.
pub(super) struct Section {
    /// What its rows are, in the plural.
    pub(super) what: &'static str,
    pub(super) head: Line,
    pub(super) rows: Vec<Row>,
}

/// A row of a table.
pub(super) struct Row {
    pub(super) line: Line,
    /// Its worst colour: what is well gives way first.
    pub(super) tint: Tint,
}

/// What is on the page, and how much of it is shown.
pub(super) struct Page {
    head: Vec<Line>,
    /// Each with what to do.
    warnings: Vec<Vec<Line>>,
    shown_warnings: usize,
    sections: Vec<(Section, Vec<bool>)>,
    foot: Vec<Line>,
}

impl Page {
    /// What `status` says; `note`: why that is not the latest.
    pub(super) fn new(status: &Status, note: Option<&str>, sections: Vec<Section>, room: Room) -> Page {
        let columns = room.columns.unwrap_or(usize::MAX);
        let mut head = vec![overview::title(status), overview::summary(status)];
        if let Some(note) = note {
            head.push(Line::new(note, Tint::Bad));
        }
        if let Some(next) = overview::next_step(status) {
            head.push(Line::default());
            head.extend(indented("next: ", Tint::Bold, &next, columns));
        }
        let warning = |(what, remedy): (&str, &str)| {
            let mut lines = indented("warning: ", Tint::Odd, what, columns);
            lines.extend(indented("     do: ", Tint::Plain, remedy, columns));
            lines
        };
        let told = status.warnings.iter().map(|warning| (warning.what.as_str(), warning.remedy.as_str()));
        let warnings: Vec<Vec<Line>> = told.map(warning).collect();
        let sections = sections.into_iter().filter(|section| !section.rows.is_empty());
        let sections = sections.map(|section| {
            let shown = vec![true; section.rows.len()];
            (section, shown)
        });
        let foot = overview::foot(status);
        Page { head, shown_warnings: warnings.len(), warnings, sections: sections.collect(), foot }
    }

    /// Its lines, as many and as wide as there is room for.
    pub(super) fn lines(mut self, room: Room) -> Vec<Line> {
        let rows = room.rows.unwrap_or(usize::MAX);
        while self.height() > rows && self.give_way() {}
        let mut lines = self.all();
        if lines.len() > rows {
            let left = lines.len() - rows.saturating_sub(1);
            lines.truncate(rows.saturating_sub(1));
            lines.push(Line::new(&format!("… {left} more lines"), Tint::Faint));
        }
        match room.columns {
            Some(columns) => lines.into_iter().map(|line| line.cut(columns)).collect(),
            None => lines,
        }
    }

    /// One thing less is shown; false: nothing is left that could go.
    fn give_way(&mut self) -> bool {
        if !self.foot.is_empty() {
            self.foot.clear();
            return true;
        }
        if self.hide_row(&[Tint::Plain, Tint::Good, Tint::Faint, Tint::Bold]) || self.hide_row(&[Tint::Odd]) {
            return true;
        }
        if let Some(hidden) = self.sections.iter().rposition(|(_, shown)| !shown.contains(&true)) {
            self.sections.remove(hidden);
            return true;
        }
        if self.shown_warnings > 1 {
            self.shown_warnings -= 1;
            return true;
        }
        self.hide_row(&[Tint::Bad]) || self.sections.pop().is_some()
    }

    /// The last row of such a colour goes from the table that shows most of them.
    fn hide_row(&mut self, tints: &[Tint]) -> bool {
        let candidates = self.sections.iter_mut().filter_map(|(section, shown)| {
            let of_these = |(at, row): (usize, &Row)| (shown[at] && tints.contains(&row.tint)).then_some(at);
            let last = section.rows.iter().enumerate().filter_map(of_these).next_back()?;
            let many = shown.iter().filter(|shown| **shown).count();
            Some((many, &mut shown[last]))
        });
        // Of equals the last: cameras before monitors, monitors before models.
        candidates.max_by_key(|(many, _)| *many).map(|(_, shown)| *shown = false).is_some()
    }

    fn height(&self) -> usize {
        let sections = self.sections.iter().map(|(_, shown)| {
            let visible = shown.iter().filter(|shown| **shown).count();
            1 + if visible > 0 { 1 + visible } else { 0 } + usize::from(visible < shown.len())
        });
        let warnings = self.warnings[..self.shown_warnings].iter().map(|lines| 1 + lines.len());
        let cut = if self.shown_warnings < self.warnings.len() { 2 } else { 0 };
        let foot = if self.foot.is_empty() { 0 } else { 1 + self.foot.len() };
        self.head.len() + warnings.sum::<usize>() + cut + sections.sum::<usize>() + foot
    }

    fn all(&self) -> Vec<Line> {
        let mut lines = self.head.clone();
        for warning in &self.warnings[..self.shown_warnings] {
            lines.push(Line::default());
            lines.extend(warning.iter().cloned());
        }
        if self.shown_warnings < self.warnings.len() {
            lines.push(Line::default());
            lines.push(Line::new(&more(self.warnings.len() - self.shown_warnings, "warnings"), Tint::Odd));
        }
        for (section, shown) in &self.sections {
            lines.push(Line::default());
            let visible: Vec<&Row> =
                section.rows.iter().zip(shown).filter(|(_, shown)| **shown).map(|it| it.0).collect();
            if !visible.is_empty() {
                lines.push(section.head.clone());
                lines.extend(visible.iter().map(|row| row.line.clone()));
            }
            match (section.rows.len() - visible.len(), visible.is_empty()) {
                (0, _) => {}
                (all, true) => lines.push(Line::new(&format!("… {all} {}", section.what), Tint::Faint)),
                (some, false) => lines.push(Line::new(&more(some, section.what), Tint::Faint)),
            }
        }
        if !self.foot.is_empty() {
            lines.push(Line::default());
            lines.extend(self.foot.iter().cloned());
        }
        lines
    }
}

fn more(count: usize, what: &str) -> String {
    let what = if count == 1 { what.trim_end_matches('s') } else { what };
    format!("… {count} more {what}")
}

/// `text` behind `begin`, wrapped under itself.
fn indented(begin: &str, tint: Tint, text: &str, columns: usize) -> Vec<Line> {
    let lines = wrapped(text, columns.saturating_sub(begin.len()).max(20));
    let indent = " ".repeat(begin.len());
    let line = |(at, text): (usize, &String)| {
        let begin = if at == 0 { Line::new(begin, tint) } else { Line::new(&indent, Tint::Plain) };
        begin.and(text, Tint::Plain)
    };
    lines.iter().enumerate().map(line).collect()
}
