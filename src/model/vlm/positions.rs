//! Which positions a decoder is told.
//!
//! Owns the one difference between families there: counted from 0, or not told at all. Qwen's three rows per token (M-RoPE)
//! would be a third way. Pure.

use super::declared::Declared;
use super::problem::VlmError;

/// How a decoder learns where its tokens stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Positions {
    /// `position_ids` i64 `[batch, tokens]`, counted from 0 (published examples also count from 1: rotary positions are
    /// relative).
    Sequential,
    /// It counts by itself (LFM2-VL).
    None,
}

/// The name of the input.
pub(super) const INPUT: &str = "position_ids";

impl Positions {
    /// As the decoder declares.
    pub(super) fn of(declared: &Declared) -> Result<Positions, VlmError> {
        let Some(port) = declared.optional(INPUT) else { return Ok(Positions::None) };
        let counted = port.element == ort::value::TensorElementType::Int64 && port.lengths.len() == 2;
        declared.require(port, counted, "i64 [batch, tokens]")?;
        Ok(Positions::Sequential)
    }
}

/// The positions of `count` tokens after `past` others.
pub fn sequential(past: usize, count: usize) -> Vec<i64> {
    (past..past + count).map(|position| position as i64).collect()
}
