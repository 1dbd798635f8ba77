//! Directions: embeddings of length one, and how alike two of them are.
//!
//! Owns the arithmetic, in f64; refuses to know what is embedded. Pure.

/// `numbers` scaled to length one. Numbers that have no length (all zero, or not finite) become NaN.
pub(super) fn normalised(numbers: &[f32]) -> Vec<f32> {
    let length = numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    let factor = if length.is_normal() { 1.0 / length } else { f64::NAN };
    numbers.iter().map(|number| (f64::from(*number) * factor) as f32).collect()
}

/// The direction in the middle of several; None of none.
pub(super) fn middle(directions: &[Vec<f32>]) -> Option<Vec<f32>> {
    let mut sum = directions.first()?.clone();
    for direction in &directions[1..] {
        sum.iter_mut().zip(direction).for_each(|(sum, number)| *sum += number);
    }
    Some(normalised(&sum))
}

/// The cosine between two directions, -1 to 1; NaN when one of them is.
pub(super) fn likeness(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_have_length_one() {
        assert_eq!(normalised(&[3.0, 4.0]), [0.6, 0.8]);
        assert!(normalised(&[0.0, 0.0]).iter().all(|number| number.is_nan()));
        assert!(normalised(&[f32::INFINITY, 0.0]).iter().all(|number| number.is_nan()));
        let large = normalised(&[3e30, 4e30]);
        assert!((large[0] - 0.6).abs() < 1e-6, "squares need more room than f32 has");
    }

    #[test]
    fn the_middle_lies_between_and_has_length_one() {
        let middle = middle(&[vec![1.0, 0.0], vec![0.0, 1.0]]).unwrap();
        assert!((likeness(&middle, &[1.0, 0.0]) - 0.5_f64.sqrt()).abs() < 1e-6);
        assert!((likeness(&middle, &middle) - 1.0).abs() < 1e-6);
        assert_eq!(super::middle(&[]), None);
    }
}
