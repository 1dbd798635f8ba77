//! What the terminal at stdout can show.
//!
//! Owns how its size, its signs and its colours are found out; refuses to know what is shown.

use std::io::{self, IsTerminal};

use rustix::termios::tcgetwinsize;

use super::print;

/// Where nobody says how wide it is: a pipe, or a terminal that doesn't know.
const USUAL_WIDTH: usize = 80;

/// How something is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Columns of a line.
    pub(super) width: usize,
    /// Blocks and arrows, or ASCII.
    pub(super) unicode: bool,
    /// Colours.
    pub(super) colour: bool,
}

impl Look {
    /// What suits stdout.
    pub(super) fn of_stdout() -> Look {
        Look { width: width(), unicode: speaks_unicode(variable), colour: print::colour_on_stdout() }
    }
}

/// Whether somebody looks at stdout.
pub(super) fn is_watched() -> bool {
    io::stdout().is_terminal()
}

/// Columns and rows of stdout, as far as it is a terminal and knows.
pub(super) fn size() -> (Option<usize>, Option<usize>) {
    let size = tcgetwinsize(io::stdout()).ok();
    let known = |cells: u16| (cells > 0).then_some(usize::from(cells));
    (size.and_then(|size| known(size.ws_col)), size.and_then(|size| known(size.ws_row)))
}

fn width() -> usize {
    let told = || variable("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    size().0.or_else(told).unwrap_or(USUAL_WIDTH)
}

/// By the locale, as programs in C do it. The console of the kernel has no fine blocks in its font.
fn speaks_unicode(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(&variable).unwrap_or_default().to_lowercase();
    let plain = variable("TERM").is_some_and(|term| term == "linux" || term == "dumb");
    !plain && (locale.contains("utf-8") || locale.contains("utf8"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_says_whether_there_are_blocks() {
        let speaks = |set: &[(&str, &str)]| {
            speaks_unicode(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(speaks(&[("LANG", "en_GB.UTF-8")]));
        assert!(speaks(&[("LANG", "C"), ("LC_ALL", "C.utf8")]), "LC_ALL counts first");
        assert!(!speaks(&[("LANG", "en_GB.UTF-8"), ("LC_CTYPE", "C")]));
        assert!(!speaks(&[]));
        assert!(!speaks(&[("LANG", "C.UTF-8"), ("TERM", "linux")]));
    }
}
