//! How a command ends: the exit code, and what is said on stderr.
//!
//! Owns the codes (contracts/api.md, "CLI") and the form of errors: `error: …`, then `hint: …` lines.

use std::io;
use std::process::ExitCode;

use crate::config::Diagnostics;
use crate::journal;

use super::print;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// It did what it was for.
    Ok = 0,
    /// It did not.
    Failure = 1,
    /// It was not understood.
    Usage = 2,
    /// The daemon is not reachable.
    Unreachable = 3,
    /// `endpoint check`: its name leads nowhere.
    NoAddress = 4,
    /// `endpoint check`: no connection.
    NoConnection = 5,
    /// `endpoint check`: no TLS.
    NoTls = 6,
    /// `endpoint check`: the receiver did not take it.
    NotTaken = 7,
    /// The configuration can't be used (`EX_CONFIG`; the unit does not restart on it).
    Configuration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command ended early, as it is told to a person.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    text: String,
}

impl Failure {
    /// An error in one line, lower-case.
    pub(super) fn new(exit: Exit, error: impl std::fmt::Display) -> Failure {
        Failure { exit, text: format!("error: {error}") }
    }

    /// An error with exit code 1.
    pub(super) fn plain(error: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::Failure, error)
    }

    /// What to do about it.
    pub(super) fn hint(mut self, hint: impl std::fmt::Display) -> Failure {
        self.text.push_str(&format!("\nhint: {hint}"));
        self
    }

    /// A configuration that can't be used.
    pub(super) fn configuration(diagnostics: &Diagnostics) -> Failure {
        Failure { exit: Exit::Configuration, text: diagnostics.render(print::colour_on_stderr()) }
    }

    /// A daemon that can't start: starting it again may help, unless the configuration has to change first.
    pub(super) fn at_start(diagnostics: &Diagnostics) -> Failure {
        let exit = if diagnostics.may_heal() { Exit::Failure } else { Exit::Configuration };
        Failure { exit, ..Failure::configuration(diagnostics) }
    }

    /// The same with exit code 1.
    pub(super) fn plainly(self) -> Failure {
        Failure { exit: Exit::Failure, ..self }
    }

    /// The same with exit code 2: what was given can't be used.
    pub(super) fn misused(self) -> Failure {
        Failure { exit: Exit::Usage, ..self }
    }

    /// Whether it is what was given.
    pub(super) fn is_usage(&self) -> bool {
        self.exit == Exit::Usage
    }

    /// Says it on stderr.
    pub(super) fn report(self) -> Exit {
        if self.exit != Exit::Ok {
            print::say(&self.text);
        }
        self.exit
    }
}

/// Without `error:`.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text.strip_prefix("error: ").unwrap_or(&self.text))
    }
}

/// Of writing to stdout: a reader that left early (`| head`) got what it wanted.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure { exit: Exit::Ok, text: String::new() },
            _ => Failure::plain(format_args!("cannot write the output: {error}")),
        }
    }
}

impl From<journal::OpenError> for Failure {
    fn from(error: journal::OpenError) -> Failure {
        Failure::plain(error)
    }
}

impl From<journal::Error> for Failure {
    fn from(error: journal::Error) -> Failure {
        Failure::plain(error)
    }
}
