//! Heads of classifiers: from a graph's numbers to one score per label.

/// Logits of labels of which exactly one holds.
pub(super) fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - top).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Logits of labels that hold independently of one another.
pub(super) fn sigmoid(logits: &[f32]) -> Vec<f32> {
    logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect()
}

/// Scores that the graph has normalised itself; rounding may have left them a hair outside.
pub(super) fn probabilities(scores: &[f32]) -> Vec<f32> {
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
        assert!(close(&sigmoid(&[0.0, 2.0, -200.0]), &[0.5, 0.880_8, 0.0]));
        assert!(close(&probabilities(&[1.000_000_1, -0.0, 0.3]), &[1.0, 0.0, 0.3]));
    }
}
