//! A letter: from what is to be said to the bytes of a message (RFC 5322, MIME).
//!
//! Owns the headers and the parts, which follow from the letter alone, so that every attempt carries the same bytes; refuses
//! to know servers. What a model, an operator or a camera says is data: no word of it becomes a header of its own. Pure.

use std::time::{Duration, UNIX_EPOCH};

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use uuid::Uuid;

use crate::time::Wall;

/// A subject is cut after so many characters.
const LONGEST_SUBJECT: usize = 200;

/// The last second that a date of four digits can say.
const LAST_SECOND: u64 = 253_402_300_799;

/// What is to be said. The same letter always gives the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The event's: who gets a letter twice knows it by that.
    pub id: Uuid,
    /// When what it tells of happened.
    pub at: Wall,
    /// One line.
    pub subject: String,
    /// The text, in plain words.
    pub text: String,
    /// A whole JPEG file, shown with the text; empty: none.
    pub picture: Vec<u8>,
}

/// From whom letters come and to whom they go.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Addresses {
    /// Reads `box@site.example` or `Dock box <box@site.example>`.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(super) fn new(from: &str, to: &[String]) -> Result<Addresses, String> {
        let read = |text: &str| {
            text.parse().map_err(|why| format!("`{text}` is no mail address ({why}); correct `from` and `to`"))
        };
        let to = to.iter().map(|text| read(text)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err("there is nobody to write to; name somebody in `to`".to_owned());
        }
        Ok(Addresses { from: read(from)?, to })
    }

    pub(super) fn sender(&self) -> &Address {
        &self.from.email
    }

    pub(super) fn recipients(&self) -> impl Iterator<Item = &Address> {
        self.to.iter().map(|mailbox| &mailbox.email)
    }

    /// The bytes of `letter`: 7 bits, lines ended by CRLF.
    ///
    /// # Errors
    /// They can't be written.
    pub(super) fn write(&self, letter: &Letter) -> Result<Vec<u8>, lettre::error::Error> {
        let domain = self.from.email.domain();
        let envelope =
            Envelope::new(Some(self.from.email.clone()), self.to.iter().map(|to| to.email.clone()).collect())?;
        let seconds = u64::try_from(letter.at.unix_seconds()).unwrap_or(0).min(LAST_SECOND);
        let mut message = Message::builder()
            .envelope(envelope)
            .message_id(Some(format!("<{}@{domain}>", letter.id)))
            .date(UNIX_EPOCH + Duration::from_secs(seconds))
            .from(self.from.clone())
            .subject(one_line(&letter.subject))
            // RFC 3834: nobody's out-of-office answers it.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for to in &self.to {
            message = message.to(to.clone());
        }
        let text = SinglePart::plain(clean(&letter.text));
        let message = if letter.picture.is_empty() {
            message.singlepart(text)?
        } else {
            let jpeg = ContentType::parse("image/jpeg").expect("it is one");
            let picture = Attachment::new_inline_with_name(format!("{}.frame@{domain}", letter.id), "frame.jpg".into())
                .body(letter.picture.clone(), jpeg);
            let parts = MultiPart::mixed().boundary(format!("frame-{}", letter.id.simple()));
            message.multipart(parts.singlepart(text).singlepart(picture))?
        };
        Ok(message.formatted())
    }
}

/// Without anything that could begin another header.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_SUBJECT).collect();
    line.trim().to_owned()
}

/// Without control characters but line breaks and tabs.
fn clean(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            id: Uuid::from_u128(7),
            at: Wall(1_769_423_700_120),
            subject: "[Stakeout] dock — A person is inside".into(),
            text: "Zone: dock\nConfidence: 91%\n.\nBcc: all@site.example\n".into(),
            picture: b"\xff\xd8jpeg".repeat(40),
        }
    }

    fn addresses() -> Addresses {
        Addresses::new("Dock box <box@site.example>", &["ops@site.example".into(), "Wächter <b@x.example>".into()])
            .unwrap()
    }

    fn written(letter: &Letter) -> String {
        String::from_utf8(addresses().write(letter).unwrap()).unwrap()
    }

    #[test]
    fn a_letter_to_the_letter() {
        let text = written(&letter());
        assert_eq!(text, written(&letter()), "every attempt carries the same");
        assert!(text.is_ascii() && !text.replace("\r\n", "").contains(['\r', '\n']), "{text}");
        assert!(text.lines().all(|line| line.len() <= 200), "{text}");
        let (headers, _) = text.split_once("\r\n\r\n").unwrap();
        for header in [
            "Message-ID: <00000000-0000-0000-0000-000000000007@site.example>",
            "Date: Mon, 26 Jan 2026 10:35:00 +0000",
            "From: \"Dock box\" <box@site.example>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ] {
            assert!(headers.lines().any(|line| line == header), "{header}\n{headers}");
        }
        assert!(text.contains("Content-ID: <00000000-0000-0000-0000-000000000007.frame@site.example>\r\n"), "{text}");
    }

    #[test]
    fn nothing_that_is_said_becomes_a_header() {
        let evil = "x\r\nBcc: all@site.example\r\n\r\n<script>\u{85}\u{2028}\0";
        let text = written(&Letter { subject: evil.into(), text: evil.into(), picture: Vec::new(), ..letter() });
        let (headers, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
        assert!(!text.contains('\0') && body.contains("Bcc: all@site.example"), "{body}");
        assert!(Addresses::new("a@b.example\r\nBcc: c@d.example", &["x@y.example".into()]).is_err());
        assert!(Addresses::new("a@b.example", &[]).is_err());
    }

    #[test]
    fn a_clock_that_knows_nothing_writes_a_date_all_the_same() {
        for (at, date) in [(Wall(i64::MIN), "Thu, 01 Jan 1970"), (Wall(i64::MAX), "Fri, 31 Dec 9999")] {
            assert!(written(&Letter { at, ..letter() }).contains(&format!("Date: {date} ")));
        }
    }
}
