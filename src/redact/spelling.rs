//! The same text, spelled otherwise: what `%41` and `\"` stand for.
//!
//! Owns the two ways in which a log line spells a character by several, and where each one stands in the line; refuses to
//! know what is looked for. Pure.

use std::borrow::Cow;

/// Text as it reads once one way of spelling is undone.
pub(super) struct Spelling<'t> {
    pub(super) bytes: Cow<'t, [u8]>,
    /// Where each byte begins in the text, and where the text ends; none: where it is.
    starts: Option<Vec<usize>>,
}

impl<'t> Spelling<'t> {
    /// As it stands there.
    pub(super) fn plain(text: &'t str) -> Spelling<'t> {
        Spelling { bytes: Cow::Borrowed(text.as_bytes()), starts: None }
    }

    /// Where the byte at `index` begins in the text.
    pub(super) fn start(&self, index: usize) -> usize {
        self.starts.as_ref().map_or(index, |starts| starts[index])
    }

    /// With `%XX` undone, as in URLs. None: there is none.
    pub(super) fn without_percents(&self) -> Option<Spelling<'static>> {
        self.undone(b'%', |rest| {
            let code = hex(rest.get(1..3)?)?;
            Some((vec![u8::try_from(code).ok()?], 3))
        })
    }

    /// With backslashes undone, as JSON, Rust's `Debug`, GLib and GStreamer write them. None: there is none.
    pub(super) fn without_backslashes(&self) -> Option<Spelling<'static>> {
        self.undone(b'\\', |rest| {
            let letter = *rest.get(1)?;
            let short = |byte: u8| Some((vec![byte], 2));
            match letter {
                b'n' => short(b'\n'),
                b'r' => short(b'\r'),
                b't' => short(b'\t'),
                b'b' => short(8),
                b'f' => short(12),
                b'u' => unicode(rest),
                b'x' => Some((vec![u8::try_from(hex(rest.get(2..4)?)?).ok()?], 4)),
                b'0'..=b'7' => {
                    let digits = rest[1..].iter().take(3).take_while(|digit| (b'0'..=b'7').contains(*digit)).count();
                    let code = rest[1..=digits].iter().fold(0_u32, |code, digit| code * 8 + u32::from(digit - b'0'));
                    Some((vec![u8::try_from(code).ok()?], 1 + digits))
                }
                other => short(other),
            }
        })
    }

    /// `read` tells what stands at a `mark`, and how many bytes spell it.
    fn undone(&self, mark: u8, read: impl Fn(&[u8]) -> Option<(Vec<u8>, usize)>) -> Option<Spelling<'static>> {
        if !self.bytes.contains(&mark) {
            return None;
        }
        let (mut bytes, mut starts) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.bytes.len() + 1));
        let mut at = 0;
        while at < self.bytes.len() {
            let read = (self.bytes[at] == mark).then(|| read(&self.bytes[at..])).flatten();
            let (stands_for, long) = read.unwrap_or_else(|| (vec![self.bytes[at]], 1));
            starts.extend(stands_for.iter().map(|_| self.start(at)));
            bytes.extend(stands_for);
            at += long;
        }
        starts.push(self.start(at));
        (bytes.len() < self.bytes.len()).then_some(Spelling { bytes: Cow::Owned(bytes), starts: Some(starts) })
    }
}

/// `\u00e9` (a pair of them beyond the first plane) and Rust's `\u{e9}`.
fn unicode(rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (code, long) = match rest.get(2)? {
        b'{' => {
            let digits = rest[3..].iter().take(6).take_while(|digit| digit.is_ascii_hexdigit()).count();
            (hex(&rest[3..3 + digits])?, digits + 4)
        }
        _ => match (hex(rest.get(2..6)?)?, rest.get(8..12).filter(|_| rest.get(6..8) == Some(b"\\u")).and_then(hex)) {
            (high @ 0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
                (0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12)
            }
            (code, _) => (code, 6),
        },
    };
    let character = char::from_u32(code)?;
    (long <= rest.len()).then(|| (character.encode_utf8(&mut [0; 4]).as_bytes().to_vec(), long))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let allowed = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    allowed.then(|| std::str::from_utf8(digits).ok()).flatten().and_then(|text| u32::from_str_radix(text, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spelling: Option<Spelling<'_>>) -> Option<(String, Vec<usize>)> {
        spelling.map(|it| (String::from_utf8(it.bytes.to_vec()).unwrap(), it.starts.unwrap()))
    }

    #[test]
    fn every_way_to_write_a_character_is_undone() {
        let percent = |text| read(Spelling::plain(text).without_percents());
        assert_eq!(percent("a%3a%C3%A9"), Some(("a:é".to_owned(), vec![0, 1, 4, 7, 10])));
        assert_eq!(percent("100 % of %zz, %4"), None);
        let slashes = |text| read(Spelling::plain(text).without_backslashes()).map(|(text, _)| text);
        for text in [r#""\"#, r#"\"\\"#, r"\x22\x5c", r"\42\134", r"\u0022\u005C", r"\u{22}\u{5c}"] {
            assert_eq!(slashes(text).as_deref(), Some("\"\\").filter(|_| text.len() > 2), "{text}");
        }
        assert_eq!(slashes(r"\ud83d\ude00 \u{1f600} \303\251").as_deref(), Some("😀 😀 é"));
        assert_eq!(slashes(r"a\?b\=c\n").as_deref(), Some("a?b=c\n"));
        assert_eq!(
            slashes(r"\u12 \u{} \ud800 \u{110000} \x4 \999").as_deref(),
            Some(r"\u12 \u{} \ud800 \u{110000} \x4 999")
        );
    }

    #[test]
    fn spellings_of_spellings_still_know_where_they_are() {
        let text = r"x\%41y";
        let plain = Spelling::plain(text).without_backslashes().unwrap().without_percents().unwrap();
        assert_eq!((&*plain.bytes, plain.starts.as_deref()), (&b"xAy"[..], Some(&[0, 1, 5, 6][..])));
    }
}
