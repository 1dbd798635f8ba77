//! Pieces of a man page.
//!
//! Owns how running text, lists and examples are written in the language of man pages; refuses to know what they say.

use clap_mangen::roff::{Inline, Roff, bold, roman};

/// A finished page in ASCII, which every formatter reads, whatever it takes for granted of its input.
pub(super) fn in_ascii(page: &str) -> String {
    let written = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) };
    page.chars().map(written).collect()
}

/// A heading.
pub(super) fn section(roff: &mut Roff, title: &str) {
    roff.control("SH", [title]);
}

/// A paragraph; what stands between backticks is bold.
pub(super) fn paragraph(roff: &mut Roff, text: &str) {
    roff.control("PP", []);
    roff.text(spans(text));
}

/// Text as it is laid out, where lines are indented; otherwise paragraphs.
pub(super) fn passage(roff: &mut Roff, text: &str) {
    for part in text.split("\n\n") {
        if part.lines().all(|line| line.starts_with("  ")) {
            roff.control("PP", []);
            roff.control("nf", []);
            for line in part.lines() {
                roff.text([roman(line)]);
            }
            roff.control("fi", []);
        } else {
            paragraph(roff, part);
        }
    }
}

/// An entry of a list: what it is about, and what is said.
pub(super) fn entry(roff: &mut Roff, term: &str, text: &str) {
    roff.control("TP", []);
    roff.text([bold(term)]);
    roff.text(spans(text));
}

/// Lines as they are typed.
pub(super) fn example(roff: &mut Roff, lines: &str) {
    roff.control("PP", []);
    roff.control("RS", ["4"]);
    roff.control("EX", []);
    for line in lines.lines() {
        roff.text([roman(line)]);
    }
    roff.control("EE", []);
    roff.control("RE", []);
}

/// Other pages, as (name, section).
pub(super) fn see_also(roff: &mut Roff, pages: &[(String, &str)]) {
    section(roff, "SEE ALSO");
    for (at, (name, number)) in pages.iter().enumerate() {
        let end = if at + 1 < pages.len() { format!("({number}),") } else { format!("({number})") };
        roff.text([bold(name.as_str()), roman(end)]);
    }
}

/// Text in one line, with what stands between backticks bold.
pub(super) fn spans(text: &str) -> Vec<Inline> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.matches('`').count() % 2 == 1 {
        return vec![roman(text)];
    }
    let styled = |(at, part): (usize, &str)| if at % 2 == 1 { bold(part) } else { roman(part) };
    text.split('`').enumerate().filter(|(_, part)| !part.is_empty()).map(styled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ascii_is_escaped() {
        assert_eq!(in_ascii("so \u{2026}\n"), "so \\[u2026]\n");
    }

    #[test]
    fn backticks_are_bold_if_they_come_in_pairs() {
        let mut roff = Roff::new();
        roff.text(spans("see `stakeout  check`:\nit `helps`"));
        roff.text(spans("a ` alone"));
        assert_eq!(roff.to_roff(), "see \\fBstakeout check\\fR: it \\fBhelps\\fR\na ` alone\n");
    }
}
