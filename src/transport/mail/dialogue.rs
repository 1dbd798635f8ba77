//! What is said to a mail server, line by line (RFC 5321).
//!
//! Owns where an answer ends and how long it may be; refuses to know what is said in which order, and sockets. The words
//! themselves are lettre's. Runs in the task of the attempt.

use std::fmt::Display;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Auth, Data, Ehlo};
use lettre::transport::smtp::extension::ServerInfo;
use lettre::transport::smtp::response::{Response, Severity};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::problem::Problem;
use crate::delivery::Step;
use crate::transport::connect::Wire;

/// An answer that is longer than this, in bytes, is none.
const LONGEST: u64 = 8 * 1024;

/// LOGIN asks for two things; who asks for more asks for ever.
const CHALLENGES: usize = 3;

/// A conversation with a mail server.
pub(super) struct Dialogue {
    stream: BufReader<Box<dyn Wire>>,
}

impl Dialogue {
    /// Over `wire`; nothing is said yet.
    pub(super) fn new(wire: Box<dyn Wire>) -> Dialogue {
        Dialogue { stream: BufReader::new(wire) }
    }

    /// Waits until the server has greeted us.
    pub(super) async fn greeted(&mut self) -> Result<(), Problem> {
        let answer = self.answer().await?;
        accepted(answer, Step::Session, "its greeting").map(drop)
    }

    /// Greets back. What the server can do.
    pub(super) async fn hello(&mut self, hello: &Ehlo) -> Result<ServerInfo, Problem> {
        let answer = self.ask(hello, Step::Session, "EHLO").await?;
        ServerInfo::from_response(&answer).map_err(|_| Problem::Malformed("its answer to EHLO is empty".into()))
    }

    /// Logs in, in a way that the server offers; if it offers none, it has the word.
    pub(super) async fn log_in(&mut self, offers: &ServerInfo, login: Credentials) -> Result<(), Problem> {
        let mechanism = offers.get_auth_mechanism(&[Mechanism::Plain, Mechanism::Login]).unwrap_or(Mechanism::Plain);
        let unheard = |_| Problem::Malformed("it asks for something unknown while we log in".into());
        let first = Auth::new(mechanism, login.clone(), None).map_err(unheard)?;
        let mut answer = self.ask(&first, Step::Login, "AUTH").await?;
        for _ in 0..CHALLENGES {
            if !answer.has_code(334) {
                return Ok(());
            }
            let next = Auth::new_from_response(mechanism, login.clone(), &answer).map_err(unheard)?;
            answer = self.ask(&next, Step::Login, "AUTH").await?;
        }
        Err(Problem::Malformed("it never ends asking while we log in".into()))
    }

    /// Says `command`, of which `what` may be told, and waits for a yes.
    pub(super) async fn ask(&mut self, command: &impl Display, to: Step, what: &str) -> Result<Response, Problem> {
        self.say(command.to_string().as_bytes()).await?;
        accepted(self.answer().await?, to, what)
    }

    /// The text of a letter, and the answer to it.
    pub(super) async fn hand_in(&mut self, message: &[u8]) -> Result<Response, Problem> {
        let mut sent = Vec::with_capacity(message.len() + message.len() / 64 + 8);
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                sent.push(b'.');
            }
            sent.extend_from_slice(line);
        }
        if !sent.ends_with(b"\r\n") {
            sent.extend_from_slice(b"\r\n");
        }
        sent.extend_from_slice(b".\r\n");
        self.say(&sent).await?;
        let answer = accepted(self.answer().await?, Step::Letter, "the letter")?;
        just(answer, Severity::PositiveCompletion, "the letter")
    }

    /// Asks for leave to send the text of a letter.
    pub(super) async fn leave(&mut self) -> Result<(), Problem> {
        let answer = self.ask(&Data, Step::Letter, "DATA").await?;
        just(answer, Severity::PositiveIntermediate, "DATA").map(drop)
    }

    /// The wire, to be wrapped in TLS.
    ///
    /// # Errors
    /// Something was said that TLS would not have protected, and that must not be taken for something it did.
    pub(super) fn into_wire(self) -> Result<Box<dyn Wire>, Problem> {
        if self.stream.buffer().is_empty() {
            Ok(self.stream.into_inner())
        } else {
            Err(Problem::Malformed("it talks on after its answer to STARTTLS".into()))
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    async fn answer(&mut self) -> Result<Response, Problem> {
        let mut limited = (&mut self.stream).take(LONGEST);
        let mut text = Vec::new();
        loop {
            let start = text.len();
            limited.read_until(b'\n', &mut text).await?;
            let line = &text[start..];
            if !line.ends_with(b"\n") {
                return Err(match limited.limit() {
                    0 => Problem::Malformed(format!("an answer of more than {LONGEST} bytes")),
                    _ => Problem::Broken(std::io::ErrorKind::UnexpectedEof.into()),
                });
            }
            if line.get(3) != Some(&b'-') {
                break;
            }
        }
        let text = String::from_utf8_lossy(&text);
        text.parse().map_err(|_| Problem::Malformed("what it says is not SMTP".into()))
    }
}

/// A yes (2xx), or a request to go on (3xx).
fn accepted(answer: Response, to: Step, what: &str) -> Result<Response, Problem> {
    if answer.is_positive() { Ok(answer) } else { Err(Problem::Refused { answer, to, what: what.to_owned() }) }
}

/// An answer of just that kind. A server that asks to go on where there is nothing more has taken nothing.
fn just(answer: Response, wanted: Severity, what: &str) -> Result<Response, Problem> {
    match answer.code().severity == wanted {
        true => Ok(answer),
        false => Err(Problem::Malformed(format!("`{}` is no answer to {what}", answer.code()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of an answer like this.
    async fn answered(bytes: &'static [u8]) -> Result<Response, Problem> {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(bytes).await.unwrap();
        drop(theirs);
        Dialogue::new(Box::new(ours)).answer().await
    }

    #[tokio::test]
    async fn an_answer_of_several_lines() {
        let answer = answered(b"250-mx.example\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n").await.unwrap();
        assert_eq!(u16::from(answer.code()), 250);
        assert_eq!(answer.message().collect::<Vec<_>>(), ["mx.example", "STARTTLS", "AUTH PLAIN LOGIN"]);
    }

    #[tokio::test]
    async fn what_is_no_answer() {
        for bytes in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"250-a\r\n550 b\r\n", b"999 x\r\n", b"\r\n", b"\xff\xfe\n"]
        {
            let told = answered(bytes).await;
            assert!(matches!(told, Err(Problem::Malformed(_))), "{bytes:?}: {told:?}");
        }
        let endless: &'static [u8] = vec![b'x'; 32 * 1024].leak();
        assert!(matches!(answered(endless).await, Err(Problem::Malformed(_))));
        let more: &'static [u8] = b"250-more\r\n".repeat(2000).leak();
        assert!(matches!(answered(more).await, Err(Problem::Malformed(_))));
        for cut in [&b""[..], b"25", b"250-a\r\n250"] {
            assert!(matches!(answered(cut).await, Err(Problem::Broken(_))), "{cut:?}");
        }
    }

    #[tokio::test]
    async fn a_line_that_is_a_dot_does_not_end_a_letter() {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(b"250 ok\r\n").await.unwrap();
        let mut dialogue = Dialogue::new(Box::new(ours));
        dialogue.hand_in(b"a: b\r\n\r\n.\r\n..x\r\ny.\r\n").await.unwrap();
        drop(dialogue);
        let mut sent = String::new();
        theirs.read_to_string(&mut sent).await.unwrap();
        assert_eq!(sent, "a: b\r\n\r\n..\r\n...x\r\ny.\r\n.\r\n");
    }

    #[tokio::test]
    async fn nothing_said_in_the_clear_counts_after_starttls() {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(b"220 go on\r\n250 injected\r\n").await.unwrap();
        let mut dialogue = Dialogue::new(Box::new(ours));
        dialogue.greeted().await.unwrap();
        assert!(matches!(dialogue.into_wire(), Err(Problem::Malformed(_))));
    }
}
