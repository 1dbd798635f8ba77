//! What was found: a line for each check, as it is made.
//!
//! Owns the form of a finding, for people and as JSON, and that no secret is in it; refuses to know any check.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::exit::Failure;
use crate::cli::print::{self, Tint};
use crate::redact::redacted;

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It works, and will surprise.
    Warn,
    /// It doesn't work.
    Fail,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        }
    }

    fn tint(self) -> Tint {
        match self {
            Level::Ok => Tint::Good,
            Level::Warn => Tint::Odd,
            Level::Fail => Tint::Bad,
        }
    }
}

/// A line of `doctor --json`.
#[derive(Clone, Debug, Serialize)]
#[must_use]
pub(super) struct Finding {
    level: Level,
    check: &'static str,
    /// Of which camera, endpoint or file, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    found: String,
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { level: Level::Ok, check, name: None, found: found.into(), remedy: None }
    }

    /// Something is odd.
    pub(super) fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { level: Level::Warn, check, name: None, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// Something doesn't work.
    pub(super) fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { level: Level::Fail, ..Finding::warn(check, found, remedy) }
    }

    /// An error of ours, "what is wrong; what to do", taken apart.
    pub(super) fn failed(check: &'static str, error: impl std::fmt::Display) -> Finding {
        let text = error.to_string();
        let (what, remedy) = text.rsplit_once("; ").unwrap_or((&text, "see what it names"));
        Finding::fail(check, what, remedy)
    }

    /// Not a failure where nobody needs it.
    pub(super) fn only_odd(mut self, only_odd: bool) -> Finding {
        if only_odd && self.level == Level::Fail {
            self.level = Level::Warn;
        }
        self
    }

    /// Of which one.
    pub(super) fn of(mut self, name: impl ToString) -> Finding {
        self.name = Some(name.to_string());
        self
    }
}

/// Where findings go.
pub(super) struct Report {
    json: bool,
    colour: bool,
    oks: usize,
    warnings: usize,
    failures: usize,
}

/// What was looked at stands in a column as wide as this.
const WIDTH: usize = 22;

impl Report {
    pub(super) fn new(json: bool) -> Report {
        Report { json, colour: print::colour_on_stdout(), oks: 0, warnings: 0, failures: 0 }
    }

    /// Prints it at once: some checks take a while.
    pub(super) fn tell(&mut self, finding: Finding) -> io::Result<()> {
        match finding.level {
            Level::Ok => self.oks += 1,
            Level::Warn => self.warnings += 1,
            Level::Fail => self.failures += 1,
        }
        let mut line = Vec::new();
        if self.json {
            print::json_line(&mut line, &finding)?;
        } else {
            describe(&finding, self.colour, &mut line)?;
        }
        let mut out = io::stdout().lock();
        out.write_all(redacted(&String::from_utf8_lossy(&line)).as_bytes())?;
        out.flush()
    }

    /// The last line, and the exit code.
    pub(super) fn end(self) -> Result<(), Failure> {
        let Report { json, oks, warnings, failures, .. } = self;
        if !json {
            writeln!(io::stdout(), "\n{oks} ok, {warnings} to look at, {failures} to mend")?;
        }
        match failures {
            0 => Ok(()),
            1 => Err(Failure::plain("1 check failed")),
            _ => Err(Failure::plain(format_args!("{failures} checks failed"))),
        }
    }
}

fn describe(finding: &Finding, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    let Finding { level, check, name, found, remedy } = finding;
    let word = format!("{:<4}", level.word());
    let word = if colour { level.tint().paint(&word) } else { word };
    let what = name.as_ref().map_or_else(|| (*check).to_owned(), |name| format!("{check} {}", print::one_line(name)));
    writeln!(out, "{word}  {what:<WIDTH$}  {}", print::one_line(found))?;
    match remedy {
        Some(remedy) => writeln!(out, "      do: {}", print::one_line(remedy)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::conceal;
    use crate::secret::Secret;

    #[test]
    fn a_finding_is_a_line_and_what_to_do_another() {
        let written = |finding: Finding, colour| {
            let mut out = Vec::new();
            describe(&finding, colour, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let shown = |finding| written(finding, false);
        assert!(written(Finding::ok("clock", "synced"), true).starts_with("\x1b[32mok  \x1b[0m  clock "));
        assert_eq!(shown(Finding::ok("clock", "synced")), "ok    clock                   synced\n");
        let finding = Finding::failed("camera", "the camera\nrefuses the login; check `username`").of("dock");
        let told = "fail  camera dock             the camera refuses the login\n      do: check `username`\n";
        assert_eq!(shown(finding), told);
    }

    #[test]
    fn json_says_the_same_and_only_what_is_there() {
        let line = serde_json::to_string(&Finding::warn("disk", "full", "free some").of("/var")).unwrap();
        assert_eq!(line, r#"{"level":"warn","check":"disk","name":"/var","found":"full","do":"free some"}"#);
        conceal(&Secret::new("hunter2-doctor"));
        let line = serde_json::to_string(&Finding::ok("disk", "hunter2-doctor")).unwrap();
        assert_eq!(redacted(&line), r#"{"level":"ok","check":"disk","found":"***"}"#);
    }

    #[test]
    fn what_nobody_needs_is_no_failure() {
        assert_eq!(Finding::fail("model", "x", "y").only_odd(true).level, Level::Warn);
        assert_eq!(Finding::fail("model", "x", "y").only_odd(false).level, Level::Fail);
        assert_eq!(Finding::ok("model", "x").only_odd(true).level, Level::Ok);
    }
}
