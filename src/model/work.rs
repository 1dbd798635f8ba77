//! What a model is asked about one frame, and what it finds.
//!
//! Owns the words between a camera's watch thread and a model's thread; refuses to know who asks and what computes. Plain
//! data: what is large is moved, what is shared is behind an `Arc`.

use std::sync::Arc;

use super::Tensor;
use crate::judge::Scored;

/// What one run of a graph gave, in the order that the graph declares.
pub type Outputs = Vec<Tensor>;

/// One frame's worth of work for a model.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// From [`Model::prepare`](super::Model::prepare): the frame, or several parts of it.
    pub pictures: Vec<Tensor>,
    /// What is asked about them; nothing for models that know labels.
    pub asked: Vec<Asked>,
}

/// A question, made ready for the model that is asked. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// Of a vision language model.
    Text {
        /// The ids of what follows the picture: the question, and the beginning of the answer.
        tokens: Arc<[i64]>,
        /// When the answer is to be explained.
        explain: Option<Explain>,
    },
    /// Of a model that compares pictures with descriptions.
    Prompts {
        /// What is compared.
        sets: Arc<PromptSets>,
        /// Where it is looked for: a normalised polygon, empty for the whole frame.
        zone: Arc<[[f32; 2]]>,
        /// Which of [`Work::pictures`] is looked at; [`Model::show`](super::Model::show) says it.
        picture: usize,
    },
}

/// Answers are explained only where they would change something: explaining costs more than answering.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Explain {
    /// A yes: the score `z` is at least this.
    AtLeast(f32),
    /// A no: the score `z` is below this.
    Below(f32),
}

impl Explain {
    /// Whether an answer of score `z` is to be explained. NaN: there is nothing to explain.
    pub fn applies(self, z: f32) -> bool {
        match self {
            Explain::AtLeast(least) => z >= least,
            Explain::Below(limit) => z < limit,
        }
    }
}

/// Descriptions of what the condition means, and of what is there otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PromptSets {
    /// At least one.
    pub positive: Vec<String>,
    /// Concrete ones; "no person" is understood badly.
    pub negative: Vec<String>,
}

/// What a model found.
#[derive(Clone, Debug, PartialEq)]
pub enum Findings {
    /// The numbers of a model that knows labels, for [`Model::interpret`](super::Model::interpret).
    Numbers(Outputs),
    /// One answer for each of [`Work::asked`], in that order.
    Scored(Vec<Scored>),
}

/// A run that gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model failed on a frame: {0}; run `stakeout check`, and copy the model's folder again if that finds nothing"
)]
pub struct RunError(pub String);

/// Something that examines pictures: the seam between this product and what computes.
pub trait Engine: Send {
    /// Examines one frame; blocks until it is done.
    ///
    /// # Errors
    /// Whatever the engine says; the engine stays usable.
    fn examine(&mut self, work: &Work) -> Result<Findings, RunError>;
}
