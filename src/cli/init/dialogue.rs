//! Questions and answers.
//!
//! Owns whether anybody can be asked, and what counts where nobody is: what was given, then the default. Refuses to know
//! what the questions are about.

use std::io::{self, IsTerminal};

use super::given::Given;
use super::terminal;
use crate::cli::exit::{Exit, Failure};
use crate::cli::print;
use crate::secret::Secret;

/// With whoever sits at the terminal, or with nobody.
pub(super) struct Dialogue {
    asks: bool,
}

/// Whoever was asked leaves.
pub(super) fn left() -> Failure {
    Failure::plain("nothing was written")
}

impl Dialogue {
    /// Asks only if something is missing.
    pub(super) fn new(given: &Given) -> Result<Dialogue, Failure> {
        let Some(incomplete) = given.incomplete() else { return Ok(Dialogue { asks: false }) };
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(incomplete);
        }
        print::say("Enter takes what stands in brackets, Ctrl-C leaves; nothing is written before the end.");
        Ok(Dialogue { asks: true })
    }

    /// Whether there is somebody.
    pub(super) fn asks(&self) -> bool {
        self.asks
    }

    /// Says something where somebody is there to read it.
    pub(super) fn remark(&self, text: &str) {
        if self.asks {
            print::say(text);
        }
    }

    /// A text that `read` understands.
    pub(super) fn text<T>(
        &self,
        given: Option<T>,
        prompt: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        if let Some(given) = given {
            return Ok(given);
        }
        loop {
            let answer = if self.asks { terminal::line(prompt, default)? } else { default.to_owned() };
            match read(&answer) {
                Ok(value) => return Ok(value),
                Err(why) if self.asks => print::say(&format!("  {why}")),
                Err(why) => return Err(Failure::new(Exit::Usage, format_args!("{prompt}: {why}"))),
            }
        }
    }

    /// A text that is not shown; empty where nobody is asked.
    pub(super) fn secret(&self, given: Option<Secret>, prompt: &str) -> Result<Secret, Failure> {
        match given {
            Some(secret) => Ok(secret),
            None if self.asks => terminal::unseen(prompt),
            None => Ok(Secret::default()),
        }
    }

    /// One of several, by its number.
    pub(super) fn choose(&self, prompt: &str, among: &[impl AsRef<str>], default: usize) -> Result<usize, Failure> {
        if self.asks {
            let lines: Vec<String> =
                among.iter().enumerate().map(|(at, one)| format!("  {}  {}", at + 1, one.as_ref())).collect();
            print::say(&format!("{prompt}\n{}", lines.join("\n")));
        }
        let number = |text: &str| match text.trim().parse::<usize>() {
            Ok(number) if (1..=among.len()).contains(&number) => Ok(number - 1),
            _ => Err(format!("a number from 1 to {}", among.len())),
        };
        self.text(None, "Number", &(default + 1).to_string(), number)
    }
}
