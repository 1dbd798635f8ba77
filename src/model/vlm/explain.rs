//! The model's own words for an answer that is already decided.
//!
//! Owns greedy decoding and what becomes of the text: it is data from a machine that may have read a poster, so it is one
//! line, short, without control characters. It never reaches a verdict. Runs on the model's thread.

use super::super::RunError;
use super::cache::Cache;
use super::parts::Parts;
use super::score::likeliest;
use super::vocabulary::Vocabulary;

/// An explanation has at most so many tokens after the word that was decided.
pub const LONGEST: usize = 40;

/// Reads `first` after `past`, and then always the likeliest token, at most `limit` of them; gives these without the stop.
///
/// # Errors
/// Whatever ONNX Runtime says.
pub fn greedy(
    parts: &mut Parts,
    vocabulary: &Vocabulary,
    first: i64,
    past: &Cache,
    limit: usize,
) -> Result<Vec<i64>, RunError> {
    let mut said = Vec::with_capacity(limit);
    let mut next = parts.read(&[first], past)?;
    while said.len() < limit {
        // Logits that aren't numbers end it: the answer stands, and what was said so far is worth something.
        let Some(token) = likeliest(next.logits()).map(|id| id as i64) else { break };
        if vocabulary.is_stop(token) {
            break;
        }
        said.push(token);
        if said.len() == limit || vocabulary.text(&[token]).contains('\n') {
            break;
        }
        next = parts.read(&[token], &next.cache)?;
    }
    Ok(said)
}

/// What is shown of a generated text: its first line, without what could act on a terminal or turn the reading direction.
pub(super) fn shown(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    let acts = |sign: char| {
        let invisible = matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        // Half of a letter: the limit cut between two of its tokens.
        let broken = sign == char::REPLACEMENT_CHARACTER;
        sign.is_control() || invisible || broken || sign == '\u{feff}'
    };
    line.chars().filter(|sign| !acts(*sign)).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_of_plain_text_is_shown() {
        assert_eq!(shown(" Yes. A person is inside the yellow zone."), "Yes. A person is inside the yellow zone.");
        assert_eq!(shown("\n Yes.\nUser: and now"), "Yes.");
        assert_eq!(shown("Yes.\u{1b}[31m \u{202e}gnp.exe\u{7}\u{fffd}"), "Yes.[31m gnp.exe");
        assert_eq!(shown(""), "");
    }
}
