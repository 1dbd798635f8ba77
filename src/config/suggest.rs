//! "Did you mean": the nearest of the words that would have been right.
//!
//! Owns similarity and how lists of words are shown; refuses to know what the words name.

/// The one of `known` that `word` was most likely meant to be, if any is near enough to be worth saying.
pub fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    let tolerated = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The `count` words of `known` that are most like `word`, best first.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>, count: usize) -> Vec<&'k str> {
    let word = word.to_lowercase();
    let likeness = |candidate: &str| strsim::jaro_winkler(&word, &candidate.to_lowercase());
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    known.truncate(count);
    known
}

/// `a`, `b`, `c`: each in backticks.
pub fn quoted<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        assert_eq!(closest("cooldwon", ["cooldown", "condition"]), Some("cooldown"));
        assert_eq!(closest("Camera", ["camera", "cameras"]), Some("camera"));
        assert_eq!(closest("colour", ["cooldown", "condition"]), None);
    }

    #[test]
    fn nearest_words_come_best_first() {
        assert_eq!(nearest("persn", ["car", "person", "parking meter"], 2), ["person", "parking meter"]);
    }
}
