//! The tokenizer of a zero-shot model: a description to the ids that its text model reads.
//!
//! Owns `tokenizer.json`, the marks around a text and the padding; refuses to know graphs. Immutable, shared between the
//! callers that check descriptions and the model's thread.

use std::path::Path;

use tokenizers::Tokenizer;

use super::outputs::file_name;
use super::problem::ZeroShotError;
use super::style::Style;

/// A loaded tokenizer of one style.
#[derive(Debug)]
pub struct Tokens {
    tokenizer: Tokenizer,
    file: String,
    style: &'static Style,
    length: usize,
    pad: i64,
}

/// A description as ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// With marks and padding.
    pub ids: Vec<i64>,
    /// How many of them are no padding.
    pub used: usize,
}

/// Why a description can't become ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextProblem {
    /// It has so many tokens, and [`Tokens::length`] are allowed.
    TooLong(usize),
    /// What the tokenizer says.
    Tokenizer(String),
}

/// What every tokenizer is tried with: plain words that any vocabulary can spell.
const TRIED: &str = "a photo of a cat";

impl Tokens {
    /// Reads the file at `path` for prompts of the style called `style` (`[prompt] style`), of at most `length` tokens (None:
    /// as the style has it).
    ///
    /// # Errors
    /// Unknown styles, files that are no tokenizers, and tokenizers of another style.
    pub fn open(path: &Path, style: &str, length: Option<usize>) -> Result<Tokens, ZeroShotError> {
        let style = Style::named(style).ok_or_else(|| ZeroShotError::Style {
            style: style.to_owned(),
            known: Style::ALL.map(|style| format!("`{}`", style.name)).join(", "),
        })?;
        let length = length.unwrap_or(style.length);
        let file = file_name(path);
        let unusable =
            |error: tokenizers::Error| ZeroShotError::Tokenizer { file: file.clone(), reason: error.to_string() };
        let mut tokenizer = Tokenizer::from_file(path).map_err(unusable)?;
        // Published files carry whatever was set when they were saved; here the style decides.
        tokenizer.with_padding(None).with_truncation(None).map_err(unusable)?;
        let id = |token: &'static str| {
            let missing = || ZeroShotError::NoToken { file: file.clone(), token, style: style.name };
            tokenizer.token_to_id(token).map(i64::from).ok_or_else(missing)
        };
        let (begin, end, pad) = (style.begin.map(id).transpose()?, id(style.end)?, id(style.pad)?);
        // What is spelled like a mark in a description is no mark.
        tokenizer.set_encode_special_tokens(true);
        let encode = |marked| ids(&tokenizer, TRIED, marked);
        let (given, plain) = (encode(true).map_err(unusable)?, encode(false).map_err(unusable)?);
        let wanted: Vec<i64> = begin.into_iter().chain(plain).chain([end]).collect();
        if given != wanted {
            return Err(ZeroShotError::Marks { file, text: TRIED, given, wanted, style: style.name });
        }
        Ok(Tokens { tokenizer, file, style, length, pad })
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Which style it is for.
    pub(super) fn style(&self) -> &'static Style {
        self.style
    }

    /// The most tokens of a description.
    pub fn length(&self) -> usize {
        self.length
    }

    /// What fills a text up.
    pub fn pad(&self) -> i64 {
        self.pad
    }

    /// The largest id.
    pub fn last(&self) -> i64 {
        self.tokenizer.get_vocab(true).values().max().map_or(0, |id| i64::from(*id))
    }

    /// `text` as ids: lower-cased, marked, and padded where the style has it so. Nothing is ever cut off.
    ///
    /// Lower-casing is right for all styles: CLIP's and SigLIP's tokenizers do it themselves, SigLIP 2's was trained on
    /// texts for which somebody else had done it.
    ///
    /// # Errors
    /// Texts that are too long, or that the tokenizer can't spell.
    pub fn ids(&self, text: &str) -> Result<Ids, TextProblem> {
        let unusable = |error: tokenizers::Error| TextProblem::Tokenizer(error.to_string());
        let mut ids = ids(&self.tokenizer, &text.to_lowercase(), true).map_err(unusable)?;
        let used = ids.len();
        if used > self.length {
            return Err(TextProblem::TooLong(used));
        }
        if self.style.always_padded {
            ids.resize(self.length, self.pad);
        }
        Ok(Ids { ids, used })
    }
}

fn ids(tokenizer: &Tokenizer, text: &str, marked: bool) -> tokenizers::Result<Vec<i64>> {
    let encoding = tokenizer.encode_fast(text, marked)?;
    Ok(encoding.get_ids().iter().map(|id| i64::from(*id)).collect())
}
