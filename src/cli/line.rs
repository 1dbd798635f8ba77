//! A line on a terminal: pieces of text, each in its colour.
//!
//! Owns how many columns text takes, where a line is cut and how it wraps; refuses to know what is said. Pure.

use unicode_width::UnicodeWidthChar;

use super::print::{Tint, one_line};

/// Text in its colours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    spans: Vec<(String, Tint)>,
}

impl Line {
    /// Nothing else is in it.
    pub(super) fn new(text: &str, tint: Tint) -> Line {
        Line::default().and(text, tint)
    }

    /// With `text` behind it.
    pub(super) fn and(mut self, text: &str, tint: Tint) -> Line {
        self.push(text, tint);
        self
    }

    /// Puts `text` behind it.
    pub(super) fn push(&mut self, text: &str, tint: Tint) {
        if !text.is_empty() {
            self.spans.push((one_line(text), tint));
        }
    }

    /// At most so many columns of it; where it is longer, it ends in `…`.
    pub(super) fn cut(mut self, columns: usize) -> Line {
        if self.spans.iter().map(|(text, _)| columns_of(text)).sum::<usize>() <= columns {
            return self;
        }
        let mut left = columns.saturating_sub(1);
        for (text, _) in &mut self.spans {
            *text = beginning(text, left).to_owned();
            left -= columns_of(text);
        }
        self.spans.retain(|(text, _)| !text.is_empty());
        if let Some((last, _)) = self.spans.last_mut().filter(|_| columns > 0) {
            last.truncate(last.trim_end().len());
            last.push('…');
        }
        self
    }

    /// As it goes to the terminal, without an end of line.
    pub(super) fn written(&self, colour: bool) -> String {
        let span = |(text, tint): &(String, Tint)| if colour { tint.paint(text) } else { text.clone() };
        self.spans.iter().map(span).collect()
    }
}

/// How many columns it takes.
pub(super) fn columns_of(text: &str) -> usize {
    text.chars().map(columns_of_char).sum()
}

fn columns_of_char(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// As much of it as fits.
fn beginning(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, c)| {
        taken += columns_of_char(*c);
        taken > columns
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// The words of `text` in lines of at most so many columns; a word that is longer has a line of its own.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in one_line(text).split_whitespace() {
        if !line.is_empty() && columns_of(&line) + 1 + columns_of(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_where_the_terminal_ends_and_keeps_its_colours() {
        let line = Line::new("dock", Tint::Good).and("  門の前", Tint::Bad);
        let cut = |columns| line.clone().cut(columns).written(false);
        assert_eq!((cut(12), cut(11), cut(10)), ("dock  門の前".into(), "dock  門の…".into(), "dock  門…".into()));
        assert_eq!((cut(5), cut(4), cut(1), cut(0)), ("dock…".into(), "doc…".into(), String::new(), String::new()));
        assert_eq!(line.cut(5).written(true), "\x1b[32mdock…\x1b[0m");
    }

    #[test]
    fn what_comes_from_outside_commands_no_terminal() {
        assert_eq!(Line::new("a\x1b[2Jb\n", Tint::Plain).written(true), "a [2Jb ");
    }

    #[test]
    fn words_wrap() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a-word-that-is-long so", 5), ["a-word-that-is-long", "so"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}
