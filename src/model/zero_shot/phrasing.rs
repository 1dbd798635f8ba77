//! From a monitor's words to the prompts that are compared.
//!
//! Owns which words a zero-shot model can be asked; refuses to know embeddings. Runs on the caller's thread, once per
//! monitor.

use std::sync::Arc;

use super::super::{Asked, Phrasing, PromptSets, Wording, WordingError};
use super::tokens::{TextProblem, Tokens};

/// Turns words into prompts.
#[derive(Clone, Debug)]
pub struct Prompts {
    tokens: Arc<Tokens>,
    /// Whether the manifest has the bias that a likeness alone is compared with.
    is_biased: bool,
}

impl Prompts {
    /// For a model with this tokenizer and this `[output] logit_bias`.
    pub fn of(tokens: Arc<Tokens>, logit_bias: f32) -> Prompts {
        Prompts { tokens, is_biased: logit_bias != 0.0 }
    }
}

impl Phrasing for Prompts {
    fn phrase(&self, wording: &Wording) -> Result<Asked, WordingError> {
        let Wording { condition, prompts, negatives, zone } = wording;
        if negatives.is_empty() {
            self.can_do_without_negatives()?;
        }
        self.fits("condition", condition)?;
        prompts.iter().try_for_each(|prompt| self.fits("prompts", prompt))?;
        negatives.iter().try_for_each(|prompt| self.fits("negatives", prompt))?;
        let positive = std::iter::once(condition).chain(prompts).map(|prompt| prompt.trim().to_owned()).collect();
        let negative = negatives.iter().map(|prompt| prompt.trim().to_owned()).collect();
        let sets = Arc::new(PromptSets { positive, negative });
        Ok(Asked::Prompts { sets, zone: zone.as_slice().into(), picture: 0 })
    }
}

impl Prompts {
    /// Without its bias even a SigLIP's likeness says yes to nearly everything: all of them are above zero.
    fn can_do_without_negatives(&self) -> Result<(), WordingError> {
        let advice = "describe in `negatives` what is there otherwise, for example [\"an empty yard\"]";
        let (what, advice) = match (self.tokens.style().is_absolute, self.is_biased) {
            (true, true) => return Ok(()),
            (true, false) => (
                "it has no `negatives`, and a likeness to one description alone says nothing where the model's \
                 manifest has no `[output] logit_bias`",
                format!("{advice}, or write the model's own `logit_scale` and `logit_bias` into its manifest"),
            ),
            (false, _) => (
                "it has no `negatives`, and a likeness to one description alone says nothing with this model",
                advice.to_owned(),
            ),
        };
        Err(WordingError { what: what.to_owned(), advice })
    }

    fn fits(&self, key: &str, prompt: &str) -> Result<(), WordingError> {
        if prompt.trim().is_empty() {
            let what = format!("`{key}` has nothing to compare a picture with");
            return Err(WordingError { what, advice: "describe what is looked for".to_owned() });
        }
        let problem = match self.tokens.ids(prompt) {
            Ok(_) => return Ok(()),
            Err(problem) => problem,
        };
        Err(match problem {
            TextProblem::TooLong(tokens) => WordingError {
                what: format!("`{key}` has {tokens} tokens, and this model reads at most {}", self.tokens.length()),
                advice: "say it in fewer words".to_owned(),
            },
            TextProblem::Tokenizer(reason) => WordingError {
                what: format!("`{key}` can't be read by this model: {reason}"),
                advice: "say it in other words".to_owned(),
            },
        })
    }
}
