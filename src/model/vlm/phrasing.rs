//! From a condition to the tokens that follow the picture.
//!
//! Owns the length limit and the boundary between our text and the operator's: special tokens come from the style alone,
//! whatever a condition spells. Used on the caller's thread, once per monitor.

use std::sync::Arc;

use super::super::{Asked, Phrasing, Wording, WordingError};
use super::style::question;
use super::vocabulary::Vocabulary;

/// A longer question is a mistake, and every token of it is paid for on every frame.
const LONGEST: usize = 256;

/// Makes conditions ready for one model.
#[derive(Clone, Debug)]
pub struct Questions {
    vocabulary: Arc<Vocabulary>,
}

impl Questions {
    /// For the model of this `vocabulary`.
    pub fn new(vocabulary: Arc<Vocabulary>) -> Questions {
        Questions { vocabulary }
    }

    /// The tokens after the picture: the question of `condition`, and the beginning of the answer.
    ///
    /// # Errors
    /// An empty condition, one that is too long, and one that spells a mark of the model's own.
    pub fn tokens(&self, condition: &str) -> Result<Arc<[i64]>, WordingError> {
        let wrong = |what: String, advice: &str| WordingError { what, advice: advice.to_owned() };
        if condition.trim().is_empty() {
            return Err(wrong("the `condition` is empty".to_owned(), "ask something"));
        }
        let advice = "write the condition in other words";
        let mut tokens = self
            .vocabulary
            .plain(&question(condition))
            .map_err(|reason| wrong(format!("the `condition` can't be put to the model: {reason}"), advice))?;
        if tokens.len() > LONGEST {
            let what = format!("the `condition` is {} tokens long, and at most {LONGEST} are read", tokens.len());
            return Err(wrong(what, "shorten it"));
        }
        tokens.extend(self.vocabulary.closing());
        Ok(tokens.into())
    }
}

impl Phrasing for Questions {
    fn phrase(&self, wording: &Wording) -> Result<Asked, WordingError> {
        Ok(Asked::Text { tokens: self.tokens(&wording.condition)?, explain: None })
    }
}
