//! What is printed: lines, tables, ages.
//!
//! Owns the look of output for people (columns, colour only on a terminal without `NO_COLOR`) and of JSON lines; refuses
//! to know what is shown.

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use super::line::{Line, columns_of};
use crate::redact::redacted;
use crate::time::Wall;

/// Says something to a person, on stderr, without secrets.
pub(super) fn say(text: &str) {
    // When stderr is closed there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{}", redacted(text));
}

/// One JSON object in a line of its own.
pub(super) fn json_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let line = serde_json::to_string(value).map_err(io::Error::other)?;
    writeln!(out, "{line}")
}

/// Waits for `pause`, but no longer than somebody reads stdout; whether the reader is gone.
pub(super) fn reader_leaves_within(pause: Duration) -> bool {
    let stdout = io::stdout();
    // Hang-ups are told even to those who ask for nothing.
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    match poll(&mut watched, Timespec::try_from(pause).ok().as_ref()) {
        Ok(told) => told > 0,
        Err(_) => {
            thread::park_timeout(pause);
            false
        }
    }
}

/// Whether stdout takes colour.
pub(super) fn colour_on_stdout() -> bool {
    io::stdout().is_terminal() && colour_allowed()
}

/// Whether stderr takes colour.
pub(super) fn colour_on_stderr() -> bool {
    io::stderr().is_terminal() && colour_allowed()
}

fn colour_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tint {
    /// Nothing in particular.
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Odd,
    /// Wrong.
    Bad,
    /// Of lesser weight.
    Faint,
    /// What a paragraph is about.
    Bold,
}

impl Tint {
    fn code(self) -> &'static str {
        match self {
            Tint::Plain => "",
            Tint::Good => "\x1b[32m",
            Tint::Odd => "\x1b[33m",
            Tint::Bad => "\x1b[31m",
            Tint::Faint => "\x1b[2m",
            Tint::Bold => "\x1b[1m",
        }
    }

    /// `text` in this colour.
    pub(super) fn paint(self, text: &str) -> String {
        if self == Tint::Plain { text.to_owned() } else { format!("{}{text}\x1b[0m", self.code()) }
    }
}

/// One field of a table.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    tint: Tint,
}

impl Cell {
    /// A field that says something by its colour, too.
    pub(super) fn tinted(text: impl ToString, tint: Tint) -> Cell {
        Cell { text: one_line(&text.to_string()), tint }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::tinted(text, Tint::Plain)
    }
}

/// Text from outside (a camera, a receiver) must neither break the table nor command the terminal.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Rows under a head, in columns as wide as they must be.
pub(super) struct Table<const N: usize> {
    head: [&'static str; N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(head: [&'static str; N]) -> Table<N> {
        Table { head, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: [Cell; N]) {
        self.rows.push(cells);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints the head and the rows.
    pub(super) fn print(&self, out: &mut dyn Write, colour: bool) -> io::Result<()> {
        let widths = self.widths().map(Some);
        let head = self.head_cells();
        std::iter::once(&head).chain(&self.rows).try_for_each(|row| print_row(out, row, &widths, colour))
    }

    /// Prints the rows only: facts about one thing.
    pub(super) fn print_rows(&self, out: &mut dyn Write, colour: bool) -> io::Result<()> {
        let widths = self.widths().map(Some);
        self.rows.iter().try_for_each(|row| print_row(out, row, &widths, colour))
    }

    /// The head, and the rows with the worst colour in each. Where `columns` are too few for all of it, those of `spare` are
    /// left out, the first of them first; the last column may still be longer than there is room.
    pub(super) fn lines(&self, columns: Option<usize>, spare: &[&str]) -> (Line, Vec<(Line, Tint)>) {
        let mut widths = self.widths().map(Some);
        let too_wide = |widths: &[Option<usize>; N]| {
            let last = widths[N - 1].map_or(0, |width| width.min(LAST));
            let others = widths[..N - 1].iter().flatten().map(|width| width + 2).sum::<usize>();
            columns.is_some_and(|columns| others + last > columns)
        };
        for name in spare {
            if too_wide(&widths)
                && let Some(at) = self.head.iter().position(|head| head == name)
            {
                widths[at] = None;
            }
        }
        let line = |row: &[Cell; N]| (row_line(row, &widths), worst(row));
        (row_line(&self.head_cells(), &widths), self.rows.iter().map(line).collect())
    }

    fn head_cells(&self) -> [Cell; N] {
        self.head.map(|text| Cell::tinted(text, Tint::Faint))
    }

    fn widths(&self) -> [usize; N] {
        std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| columns_of(&row[column].text));
            cells.chain([self.head[column].len()]).max().unwrap_or(0)
        })
    }
}

/// So much of the last column, which may be of any length, is to be seen before others are left out.
const LAST: usize = 24;

fn worst<const N: usize>(row: &[Cell; N]) -> Tint {
    let is_there = |tint: &Tint| row.iter().any(|cell| cell.tint == *tint);
    [Tint::Bad, Tint::Odd, Tint::Good].into_iter().find(is_there).unwrap_or(Tint::Plain)
}

fn print_row<const N: usize>(
    out: &mut dyn Write,
    row: &[Cell; N],
    widths: &[Option<usize>; N],
    colour: bool,
) -> io::Result<()> {
    writeln!(out, "{}", row_line(row, widths).written(colour))
}

/// Its cells in columns of these widths; where there is none, the cell is left out.
fn row_line<const N: usize>(row: &[Cell; N], widths: &[Option<usize>; N]) -> Line {
    let mut line = Line::default();
    let mut gap = 0;
    for (cell, width) in row.iter().zip(widths) {
        let Some(width) = width else { continue };
        if !cell.text.is_empty() {
            line.push(&" ".repeat(gap), Tint::Plain);
            line.push(&cell.text, cell.tint);
            gap = 0;
        }
        gap += width.saturating_sub(columns_of(&cell.text)) + 2;
    }
    line
}

/// `3 s`, `12 min`, `5 h`, `9 d`
pub(super) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// `3 s ago`
pub(super) fn ago(at: Wall, now: Wall) -> String {
    format!("{} ago", span(now.since(at)))
}

/// `in 3 s`, or `now` when it lies behind.
pub(super) fn ahead(at: Wall, now: Wall) -> String {
    if at <= now { "now".to_owned() } else { format!("in {}", span(at.since(now))) }
}

/// `512 B`, `1.5 MiB`
pub(super) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut scaled = bytes as f64;
    let mut unit = "B";
    for larger in units.into_iter().take_while(|_| bytes >= 1024) {
        if scaled < 1024.0 {
            break;
        }
        scaled /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{scaled:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_tidy_columns() {
        let mut table = Table::new(["name", "state", "age"]);
        table.row(["dock".into(), Cell::tinted("online", Tint::Good), "3 s ago".into()]);
        table.row(["yard-east".into(), "".into(), "with\na line break\x1b[2J".into()]);
        let print = |colour| {
            let mut out = Vec::new();
            table.print(&mut out, colour).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            print(false),
            "name       state   age\ndock       online  3 s ago\nyard-east          with a line break [2J\n"
        );
        assert!(print(true).contains("\x1b[32monline\x1b[0m  3 s ago"));
    }

    #[test]
    fn times_and_sizes_are_short() {
        assert_eq!(ago(Wall(0), Wall(3_900)), "3 s ago");
        assert_eq!(ago(Wall(5_000), Wall(0)), "0 s ago", "a clock that was set back");
        assert_eq!(ahead(Wall(600_000), Wall(0)), "in 10 min");
        assert_eq!(ahead(Wall(0), Wall(0)), "now");
        assert_eq!(span(Duration::from_secs(3 * 86_400)), "3 d");
        assert_eq!((size(1023), size(1024), size(5 << 20)), ("1023 B".into(), "1.0 KiB".into(), "5.0 MiB".into()));
    }
}
