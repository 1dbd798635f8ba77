//! Heads of classifiers: from a graph's numbers to one score per label.
//!
//! Owns the three ways in which scores are meant; refuses to know labels by name.

use super::super::graph::Slot;
use super::numbers::{Length, Numbers, Unreadable};
use super::{Misfit, position};
use crate::model::manifest::Head;

/// The output with one number per label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scores {
    pub(super) output: usize,
    labels: usize,
}

impl Scores {
    pub(super) fn find(outputs: &[Slot], labels: usize) -> Result<Scores, Misfit> {
        let flat = |labels| [Length::Pictures, labels];
        let pooled = |labels| [Length::Pictures, labels, Length::Is(1), Length::Is(1)];
        let wanted = Length::Is(labels);
        let found = outputs.iter().position(|slot| slot.fits(&flat(wanted)) || slot.fits(&pooled(wanted)));
        if let Some(output) = found {
            return Ok(Scores { output, labels });
        }
        let any = position(outputs, &flat(Length::Any)).or_else(|| position(outputs, &pooled(Length::Any)));
        match any.and_then(|index| outputs[index].shape[1]) {
            Some(others) if others > 0 => Err(Misfit::Labels(others)),
            _ => Err(Misfit::Shapes(format!("f32 [1, {labels}] or f32 [1, {labels}, 1, 1]"))),
        }
    }

    pub(super) fn read(&self, head: Head, numbers: &Numbers<'_>) -> Result<Vec<f32>, Unreadable> {
        let given = numbers.exactly(self.output, self.labels)?;
        Ok(match head {
            Head::Softmax => softmax(given),
            Head::Sigmoid => given.iter().map(|logit| sigmoid(*logit)).collect(),
            _ => probabilities(given),
        })
    }
}

/// Logits of labels of which exactly one holds.
fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - top).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The logit of a label that holds independently of others.
pub(super) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// Scores that the graph has normalised itself; rounding may have left them a hair outside.
fn probabilities(scores: &[f32]) -> Vec<f32> {
    scores.iter().map(|score| score.clamp(0.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5) && a.len() == b.len();
        assert!(close(&softmax(&[1.0, 2.0, 3.0]), &[0.090_03, 0.244_73, 0.665_24]));
        assert!(close(&softmax(&[1000.0, 1000.0]), &[0.5, 0.5]), "large logits must not overflow");
        assert!(close(&[0.0, 2.0, -200.0].map(sigmoid), &[0.5, 0.880_8, 0.0]));
        assert!(close(&probabilities(&[1.000_000_1, -0.0, 0.3]), &[1.0, 0.0, 0.3]));
    }
}
