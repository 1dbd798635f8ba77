//! Why a folder isn't a vision language model that can be asked.
//!
//! Owns the words; refuses to know who finds out. Every message goes on after "model `x`: ".

use super::super::{RunError, SessionError};

/// Why a vision language model can't be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VlmError {
    /// One of the three graphs doesn't load.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A graph isn't the one that its entry in the manifest is for.
    #[error(
        "`{file}` has no {kind} `{name}` (it has {has}); correct `[files]`, or export the model with its published names"
    )]
    Lacks {
        /// The file's name.
        file: String,
        /// `input` or `output`.
        kind: &'static str,
        /// What is missing.
        name: String,
        /// What is there.
        has: String,
    },
    /// An input that belongs to a family that this version doesn't know.
    #[error(
        "`{file}` wants an input `{name}` that this version can't feed; use a model of the layout that `[prompt] style` names"
    )]
    Stranger {
        /// The file's name.
        file: String,
        /// The input.
        name: String,
    },
    /// The right name, the wrong tensor.
    #[error(
        "`{name}` of `{file}` is {declared}, but {wanted} is needed; use graphs of one export, in the layout that `[prompt] style` names"
    )]
    Shape {
        /// The file's name.
        file: String,
        /// The input or output.
        name: String,
        /// What the graph declares.
        declared: String,
        /// What would be right.
        wanted: String,
    },
    /// Pictures of another size, or in another layout.
    #[error(
        "`{file}` takes pictures as {declared}, but `[input] size` makes them f32 {made:?}; correct it, or use a model of the layout that `[prompt] style` names"
    )]
    Pictures {
        /// The file's name.
        file: String,
        /// What the graph declares.
        declared: String,
        /// What it would be fed.
        made: Vec<usize>,
    },
    /// A family that this version doesn't know.
    #[error("`[prompt] style` is `{style}`, and this version knows {known}; correct the manifest")]
    Style {
        /// As written.
        style: String,
        /// What may be written.
        known: String,
    },
    /// The tokenizer's file, or the one beside it, can't be used.
    #[error("`{file}` can't be used: {reason}; copy the model's folder again")]
    Text {
        /// The file's name.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A tokenizer of another family.
    #[error(
        "`{file}` has no token `{token}`, which prompts of style `{style}` need; copy the tokenizer of this model, or correct `[prompt] style`"
    )]
    NoToken {
        /// The tokenizer's file.
        file: String,
        /// What is missing.
        token: String,
        /// From the manifest.
        style: &'static str,
    },
    /// Yes/no questions can't be answered.
    #[error("`{file}` has no single token for \"{word}\", so yes can't be told from no; use another model")]
    NoAnswer {
        /// The tokenizer's file.
        file: String,
        /// `yes` or `no`.
        word: &'static str,
    },
    /// Token ids that the graphs don't know.
    #[error("`{tokenizer}` has {tokens} tokens, but `{file}` knows {known}; copy the tokenizer of this model")]
    Vocabulary {
        /// The tokenizer's file.
        tokenizer: String,
        /// How many it has.
        tokens: usize,
        /// The graph's file.
        file: String,
        /// How many that one has.
        known: usize,
    },
    /// The same, found out by trying.
    #[error(
        "`{file}` has no row for token {last}, the last one of `{tokenizer}` ({reason}); copy the tokenizer of this model"
    )]
    NoRow {
        /// The graph's file.
        file: String,
        /// The largest id.
        last: usize,
        /// The tokenizer's file.
        tokenizer: String,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// The picture doesn't fit into its place in the prompt.
    #[error(
        "`{file}` makes {given} image tokens of a picture, but `[prompt] image_tokens` says {expected}; correct it"
    )]
    ImageTokens {
        /// The vision encoder's file.
        file: String,
        /// How many it makes.
        given: usize,
        /// From the manifest.
        expected: usize,
    },
    /// The trial run gave no numbers.
    #[error(
        "`{file}` gives numbers that aren't numbers for a grey picture; use another precision of this model (fp32, int8 or q4)"
    )]
    NotANumber {
        /// The decoder's file.
        file: String,
    },
    /// The trial run failed.
    #[error("the model can't be run: {}; copy the model's folder again, or use another precision of it", .0.0)]
    Trial(RunError),
}

impl VlmError {
    /// Whether it may go away by itself: a lack of memory, a driver that comes up later.
    pub fn may_heal(&self) -> bool {
        matches!(self, VlmError::Session(SessionError::Memory { .. } | SessionError::Provider { .. }))
    }
}
