//! From logits to a score for yes over no.
//!
//! Owns the arithmetic (contracts/models.md, "Verdict"); refuses to know which ids mean what. Pure.

/// How much a model leans to yes, and whether it answered the question at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// `logsumexp(l[yes]) - logsumexp(l[no])`; NaN where the logits aren't numbers.
    pub z: f32,
    /// P(yes) + P(no) of the full softmax, 0 to 1; NaN where the logits aren't numbers.
    pub mass: f32,
}

/// Scores `logits`, one per token; `yes` and `no` are indices into it.
pub fn score(logits: &[f32], yes: &[usize], no: &[usize]) -> Score {
    let Some(top) = largest(logits) else { return Score { z: f32::NAN, mass: f32::NAN } };
    let power = |logit: f32| f64::from(logit - top).exp();
    let sum = |ids: &[usize]| ids.iter().filter_map(|id| logits.get(*id)).map(|logit| power(*logit)).sum::<f64>();
    let all: f64 = logits.iter().map(|logit| power(*logit)).sum();
    let z = log_sum(logits, yes) - log_sum(logits, no);
    Score { z: z as f32, mass: ((sum(yes) + sum(no)) / all) as f32 }
}

/// The token that comes next if nothing is left to chance. None: the logits aren't numbers.
pub fn likeliest(logits: &[f32]) -> Option<usize> {
    let top = largest(logits)?;
    logits.iter().position(|logit| *logit == top)
}

/// None: they aren't numbers. Tokens that are ruled out (minus infinity) are.
fn largest(logits: &[f32]) -> Option<f32> {
    let numbers = logits.iter().fold(true, |numbers, logit| numbers & !logit.is_nan());
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (numbers && top.is_finite()).then_some(top)
}

/// With its own largest one taken out: far below the others' there would be nothing left of it.
fn log_sum(logits: &[f32], ids: &[usize]) -> f64 {
    let chosen = || ids.iter().filter_map(|id| logits.get(*id)).map(|logit| f64::from(*logit));
    let top = chosen().fold(f64::NEG_INFINITY, f64::max);
    if top.is_finite() { top + chosen().map(|logit| (logit - top).exp()).sum::<f64>().ln() } else { top }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f32, b: f32) -> bool {
        (a - b).abs() < 1e-5
    }

    #[test]
    fn families_add_up() {
        // Probabilities .4 and .2 for yes, .1 for no, .3 for something else.
        let logits = [0.4_f32, 0.2, 0.1, 0.3].map(f32::ln);
        let Score { z, mass } = score(&logits, &[0, 1], &[2]);
        assert!(close(z, 6.0_f32.ln()) && close(mass, 0.7), "{z} {mass}");
        let shifted = logits.map(|logit| logit + 900.0);
        let Score { z, mass } = score(&shifted, &[0, 1], &[2]);
        assert!((z - 6.0_f32.ln()).abs() < 1e-3 && (mass - 0.7).abs() < 1e-3, "large logits must not overflow");
        assert_eq!(likeliest(&logits), Some(0));
    }

    #[test]
    fn an_answer_about_something_else_keeps_its_z() {
        let Score { z, mass } = score(&[0.0, -200.0, -203.0], &[1], &[2]);
        assert!(close(z, 3.0) && mass < 1e-6, "{z} {mass}");
    }

    #[test]
    fn what_is_not_a_number_has_no_score() {
        for bad in [[f32::NAN, 0.0, 1.0], [0.0, f32::INFINITY, 1.0], [f32::NEG_INFINITY; 3]] {
            let Score { z, mass } = score(&bad, &[0], &[1]);
            assert!(z.is_nan() && mass.is_nan(), "{bad:?} {z} {mass}");
            assert_eq!(likeliest(&bad), None);
        }
        assert!(!score(&[f32::NEG_INFINITY, 0.0, 1.0], &[1], &[2]).z.is_nan(), "a token that is ruled out");
    }
}
