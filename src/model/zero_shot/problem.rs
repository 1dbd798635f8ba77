//! Why a folder isn't a zero-shot model that can be asked.
//!
//! Owns the words; refuses to know who finds out. Every message goes on after "model `x`: ".

use super::super::{RunError, SessionError};

/// Why a zero-shot model can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZeroShotError {
    /// One of the two graphs doesn't load.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A graph isn't the half that its entry in the manifest is for.
    #[error(
        "`{file}` takes {declared}, but {wanted} is needed; correct `[files]` and `[input]`, or export the model with its published names"
    )]
    Input {
        /// The file's name.
        file: String,
        /// What the graph declares.
        declared: String,
        /// What would be right.
        wanted: String,
    },
    /// Nothing among the outputs that could be embeddings.
    #[error(
        "`{file}` gives {declared}, but no f32 [batch, width] called {wanted}; use the split text_model.onnx and vision_model.onnx of one export"
    )]
    Output {
        /// The file's name.
        file: String,
        /// What the graph declares.
        declared: String,
        /// The names that are known.
        wanted: String,
    },
    /// A layout that this version doesn't know.
    #[error("`[prompt] style` is `{style}`, and this version knows {known}; correct the manifest")]
    Style {
        /// As written.
        style: String,
        /// What may be written.
        known: String,
    },
    /// `tokenizer.json` can't be used.
    #[error("`{file}` can't be used: {reason}; copy the model's folder again")]
    Tokenizer {
        /// The file's name.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A tokenizer of another family.
    #[error(
        "`{file}` has no token `{token}`, which style `{style}` needs; copy the tokenizer of this model, or correct `[prompt] style`"
    )]
    NoToken {
        /// The tokenizer's file.
        file: String,
        /// What is missing.
        token: &'static str,
        /// From the manifest.
        style: &'static str,
    },
    /// A tokenizer that doesn't mark where a text begins and ends as the model learnt it.
    #[error(
        "`{file}` turns \"{text}\" into {given:?}, but style `{style}` needs {wanted:?}; copy the tokenizer of this model, or correct `[prompt] style`"
    )]
    Marks {
        /// The tokenizer's file.
        file: String,
        /// What was tried.
        text: &'static str,
        /// What came out.
        given: Vec<i64>,
        /// What would be right.
        wanted: Vec<i64>,
        /// From the manifest.
        style: &'static str,
    },
    /// Halves of different models.
    #[error(
        "`{text_file}` gives {text} numbers a description, `{vision_file}` {vision} a picture, so they can't be compared; use two files of one export"
    )]
    Widths {
        /// The text model's file.
        text_file: String,
        /// Its width.
        text: usize,
        /// The vision model's file.
        vision_file: String,
        /// Its width.
        vision: usize,
    },
    /// Token ids that the graph doesn't know.
    #[error(
        "`{file}` has no row for token {last}, the last one of `{tokenizer}` ({reason}); copy the tokenizer of this model"
    )]
    NoRow {
        /// The text model's file.
        file: String,
        /// The largest id.
        last: i64,
        /// The tokenizer's file.
        tokenizer: String,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// The text model doesn't take texts of the declared length.
    #[error("`{file}` can't take a text of {length} tokens ({reason}); correct `[prompt] length`")]
    Length {
        /// The text model's file.
        file: String,
        /// From the manifest, or the style's.
        length: usize,
        /// What ONNX Runtime says, or what the graph declares.
        reason: String,
    },
    /// The trial run gave no numbers.
    #[error(
        "`{file}` gives numbers that aren't numbers when it is tried; use another precision of this model (fp32, int8 or q4)"
    )]
    NotANumber {
        /// The file's name.
        file: String,
    },
    /// The trial run failed.
    #[error("`{file}` can't be run: {}; copy the model's folder again, or use another precision of it", .error.0)]
    Trial {
        /// The file's name.
        file: String,
        /// What ONNX Runtime says.
        error: RunError,
    },
}

impl ZeroShotError {
    /// Whether it may go away by itself: a lack of memory, a driver that comes up later.
    pub fn may_heal(&self) -> bool {
        matches!(self, ZeroShotError::Session(SessionError::Memory { .. } | SessionError::Provider { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_or_memory_may_come_and_another_file_does_not() {
        let (file, reason) = (String::new(), String::new());
        let provider = SessionError::Provider { file: file.clone(), providers: "cuda".into(), reason: reason.clone() };
        let memory = SessionError::Memory { file: file.clone(), reason: reason.clone() };
        assert!([provider, memory].map(ZeroShotError::Session).iter().all(ZeroShotError::may_heal));
        assert!(!ZeroShotError::Session(SessionError::NotAModel { file: file.clone(), reason }).may_heal());
        assert!(!ZeroShotError::NotANumber { file }.may_heal());
    }
}
