//! What a letter that was not taken means.
//!
//! Owns the way from what went wrong to an [`Outcome`] and to a line for people; refuses to know what follows from it
//! (`retry`). Pure.

use std::io;

use lettre::transport::smtp::response::Response;

use crate::delivery::{Outcome, Step};
use crate::transport::connect::NoConnection;
use crate::transport::failure;

/// So much of what a server says is told, in characters.
const TOLD: usize = 300;

/// Why a letter was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// There is no connection, or TLS could not be agreed upon.
    #[error("{}", failure::chain(&**.0))]
    Connecting(NoConnection),
    /// Letters must not be read on the way, and the server offers no way to prevent that.
    #[error("the mail server offers no STARTTLS; use `smtps://`, or allow letters to be read on the way: `allow_http`")]
    NoStartTls,
    /// The connection broke.
    #[error("the connection to the mail server broke: {0}")]
    Broken(#[from] io::Error),
    /// The server is none.
    #[error("this is no mail server: {0}; are host and port in `url` right?")]
    Malformed(String),
    /// The server said no.
    #[error("the mail server answers `{}` to {what}", told(answer))]
    Refused { answer: Response, to: Step, what: String },
    /// The time was up.
    #[error("the mail server was not done within {0} s")]
    TooSlow(f64),
    /// It can't be written.
    #[error("the letter can't be written: {0}")]
    Unwritable(String),
}

impl Problem {
    /// Its class. `handed_in`: the letter's text was on its way, so that it may have been taken.
    pub(super) fn outcome(&self, handed_in: bool) -> Outcome {
        match self {
            Problem::Connecting(error) => failure::before_sending(&**error),
            Problem::NoStartTls => Outcome::Tls,
            Problem::Refused { answer, to, .. } => Outcome::Reply { code: answer.code().into(), to: *to },
            Problem::Unwritable(_) => Outcome::OurFault,
            Problem::Broken(_) | Problem::TooSlow(_) | Problem::Malformed(_) if handed_in => Outcome::NoAnswer,
            // With TLS 1.3 a refusal of our certificate comes after the handshake.
            Problem::Broken(error) => failure::before_sending(error),
            Problem::TooSlow(_) => Outcome::Unreachable,
            Problem::Malformed(_) => Outcome::Malformed,
        }
    }
}

/// The code and the text of an answer, in one line.
pub(super) fn told(answer: &Response) -> String {
    let mut line = answer.code().to_string();
    for said in answer.message().filter(|said| !said.is_empty()) {
        line.push(' ');
        line.extend(said.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    line.chars().take(TOLD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, to: Step) -> Problem {
        Problem::Refused { answer: text.parse().unwrap(), to, what: "RCPT".into() }
    }

    #[test]
    fn only_a_letter_that_was_handed_in_may_have_been_taken() {
        let broken = || Problem::Broken(io::ErrorKind::ConnectionReset.into());
        assert_eq!(broken().outcome(false), Outcome::Unreachable);
        assert_eq!(broken().outcome(true), Outcome::NoAnswer);
        assert_eq!(Problem::TooSlow(5.0).outcome(false), Outcome::Unreachable);
        assert_eq!(Problem::TooSlow(5.0).outcome(true), Outcome::NoAnswer);
        assert_eq!(Problem::NoStartTls.outcome(false), Outcome::Tls);
    }

    #[test]
    fn a_refusal_is_told_in_one_line() {
        let problem = refused("550-5.1.1 nobody\u{7} here\r\n550 sorry\r\n", Step::Letter);
        assert_eq!(problem.to_string(), "the mail server answers `550 5.1.1 nobody  here sorry` to RCPT");
        assert_eq!(problem.outcome(true), Outcome::Reply { code: 550, to: Step::Letter });
    }
}
