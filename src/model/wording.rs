//! What a monitor asks in words, and how a model that reads makes it ready.
//!
//! Owns the words between monitors and models that read; refuses to know tokens (each family's own business). Used on the
//! caller's thread, once per monitor.

use std::fmt::Debug;

use super::Asked;

/// What is asked, as it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wording {
    /// A question or a statement (vlm), a description of what is looked for (zero-shot).
    pub condition: String,
    /// Further descriptions of the same (zero-shot).
    pub prompts: Vec<String>,
    /// Descriptions of what is there otherwise (zero-shot).
    pub negatives: Vec<String>,
    /// Where it is looked for: a normalised polygon, empty for the whole frame (zero-shot).
    pub zone: Vec<[f32; 2]>,
}

/// Words that a model can't be asked. Every message goes on after "monitor `x`: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {advice}")]
pub struct WordingError {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// Turns words into what an engine of the same family takes.
pub trait Phrasing: Debug + Send + Sync {
    /// # Errors
    /// Words that this model can't be asked.
    fn phrase(&self, wording: &Wording) -> Result<Asked, WordingError>;
}
