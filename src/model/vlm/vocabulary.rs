//! The tokenizer of a vision language model: text to ids, ids to text, and the ids that mean something to us.
//!
//! Owns `tokenizer.json` and `generation_config.json`; refuses to know graphs. No id is taken from a single place: published
//! copies of a model disagree about where an answer ends. Immutable, shared between threads.

use std::path::Path;

use serde::Deserialize;
use tokenizers::Tokenizer;

use super::Setup;
use super::declared::file_name;
use super::problem::VlmError;
use super::style::Style;

/// A loaded tokenizer, for prompts of one style.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    tokenizer: Tokenizer,
    file: String,
    opening: Vec<i64>,
    closing: Vec<i64>,
    image: i64,
    yes: Vec<usize>,
    no: Vec<usize>,
    stops: Vec<i64>,
    /// What no condition may contain: special tokens, and those that this style gives a meaning.
    marks: Vec<i64>,
}

/// How "yes" may be spelled; those that are single tokens count.
const YES: &[&str] = &[" Yes", "Yes", " yes", "yes", " YES", "YES"];
/// How "no" may be spelled.
const NO: &[&str] = &[" No", "No", " no", "no", " NO", "NO"];

/// `generation_config.json`: one id or several.
#[derive(Deserialize)]
struct Generation {
    eos_token_id: Option<OneOrMore>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(i64),
    More(Vec<i64>),
}

impl Vocabulary {
    /// Reads the tokenizer of `setup`, and its generation configuration if it has one.
    ///
    /// # Errors
    /// Files that can't be read, and tokenizers that lack what prompts and answers need.
    pub fn open(setup: &Setup) -> Result<Vocabulary, VlmError> {
        let Setup { tokenizer, generation_config, style, image_tokens, .. } = setup;
        let file = file_name(tokenizer);
        let unusable = |error: tokenizers::Error| VlmError::Text { file: file.clone(), reason: error.to_string() };
        let mut loaded = Tokenizer::from_file(tokenizer).map_err(unusable)?;
        // Neither is meant for prompts; some published files carry them from training.
        loaded.with_padding(None).with_truncation(None).map_err(unusable)?;
        if let Some(token) = style.tokens.iter().find(|token| loaded.token_to_id(token).is_none()) {
            return Err(VlmError::NoToken { file, token: (*token).to_owned(), style: style.name });
        }
        let ids = |text: &str| -> Result<Vec<i64>, VlmError> {
            let encoding = loaded.encode_fast(text, false).map_err(unusable)?;
            Ok(encoding.get_ids().iter().map(|id| i64::from(*id)).collect())
        };
        let (opening, closing) = (ids(&style.opening(*image_tokens))?, ids(style.closing)?);
        let image = loaded.token_to_id(style.image).map_or(-1, i64::from);
        let placed = opening.iter().filter(|id| **id == image).count();
        if placed != *image_tokens {
            let reason = format!("`{}` isn't one token of its own", style.image);
            return Err(VlmError::Text { file, reason });
        }
        let stops = stops(&loaded, style, generation_config.as_deref())?;
        // From here on only the text of conditions is encoded, and nothing in it is special.
        loaded.set_encode_special_tokens(true);
        let family = |word, spellings: &[&str]| match family(&loaded, spellings) {
            ids if ids.is_empty() => Err(VlmError::NoAnswer { file: file.clone(), word }),
            ids => Ok(ids),
        };
        let (yes, no) = (family("yes", YES)?, family("no", NO)?);
        let marks = marks(&loaded, style, &stops);
        Ok(Vocabulary { tokenizer: loaded, file, opening, closing, image, yes, no, stops, marks })
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// One more than the largest id.
    pub fn size(&self) -> usize {
        self.tokenizer.get_vocab(true).values().max().map_or(0, |largest| *largest as usize + 1)
    }

    /// What comes before every question.
    pub fn opening(&self) -> &[i64] {
        &self.opening
    }

    /// What comes after every question.
    pub fn closing(&self) -> &[i64] {
        &self.closing
    }

    /// Stands for one row of the picture's features.
    pub fn image(&self) -> i64 {
        self.image
    }

    /// The ids that mean yes.
    pub fn yes(&self) -> &[usize] {
        &self.yes
    }

    /// The ids that mean no.
    pub fn no(&self) -> &[usize] {
        &self.no
    }

    /// Whether an answer ends with this token.
    pub fn is_stop(&self, id: i64) -> bool {
        self.stops.contains(&id)
    }

    /// `text` as ids, every one of them ordinary: what is spelled like a special token is encoded letter by letter.
    ///
    /// Err: why it can't be done.
    pub fn plain(&self, text: &str) -> Result<Vec<i64>, String> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| error.to_string())?;
        let ids: Vec<i64> = encoding.get_ids().iter().map(|id| i64::from(*id)).collect();
        match encoding.get_ids().iter().find(|id| self.marks.contains(&i64::from(**id))) {
            Some(mark) => {
                let spelled = self.tokenizer.id_to_token(*mark).unwrap_or_default();
                Err(format!("`{spelled}` is a mark of the model's own"))
            }
            None => Ok(ids),
        }
    }

    /// `ids` as text; special tokens are left out.
    pub fn text(&self, ids: &[i64]) -> String {
        let ids: Vec<u32> = ids.iter().filter_map(|id| u32::try_from(*id).ok()).collect();
        self.tokenizer.decode(&ids, true).unwrap_or_default()
    }
}

/// The ids among `spellings` that are single tokens and decode back: no beginnings of other words.
fn family(tokenizer: &Tokenizer, spellings: &[&str]) -> Vec<usize> {
    let single = |spelling: &&str| {
        let encoding = tokenizer.encode_fast(*spelling, false).ok()?;
        let [id] = encoding.get_ids() else { return None };
        let back = tokenizer.decode(&[*id], false).ok()?;
        // Some decoders drop the space at the beginning of a text.
        (back.trim() == spelling.trim()).then_some(*id as usize)
    };
    let mut ids: Vec<usize> = spellings.iter().filter_map(single).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn marks(loaded: &Tokenizer, style: &Style, stops: &[i64]) -> Vec<i64> {
    let special = loaded.get_added_tokens_decoder().into_iter().filter(|(_, token)| token.special).map(|(id, _)| id);
    let meant = style.tokens.iter().filter_map(|token| loaded.token_to_id(token));
    special.chain(meant).map(i64::from).chain(stops.iter().copied()).collect()
}

/// What ends an answer, from both places that say so.
fn stops(loaded: &Tokenizer, style: &Style, generation_config: Option<&Path>) -> Result<Vec<i64>, VlmError> {
    let mut stops: Vec<i64> = style.stops.iter().filter_map(|token| loaded.token_to_id(token)).map(i64::from).collect();
    let Some(path) = generation_config else { return Ok(stops) };
    let unusable = |reason: String| VlmError::Text { file: file_name(path), reason };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let generation: Generation = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    match generation.eos_token_id {
        Some(OneOrMore::One(id)) => stops.push(id),
        Some(OneOrMore::More(ids)) => stops.extend(ids),
        None => {}
    }
    Ok(stops)
}
