//! `only_when`: another model's labels as a cheap candidate, `"yolox-nano: person, car > 0.4"`.
//!
//! Owns how it is written; refuses to know whether the model exists and has the labels.

use std::ops::Range;

use super::settings::Located;
use super::value::{self, Problem, Read, Value};
use crate::name::Name;

/// A monitor's own model is asked only about frames on which another one sees something.
#[derive(Clone, Debug, PartialEq)]
pub struct OnlyWhen {
    /// The other one, which knows labels.
    pub model: Located<Name>,
    /// Any of them, at least one.
    pub labels: Vec<Located<String>>,
    /// With a score above this, 0 to 1; the model's own, before calibration.
    pub above: f32,
}

const EXAMPLE: &str = "\"yolox-nano: person, car > 0.4\"";

/// Reads it. Empty: there is none.
pub(super) fn read(value: &Value<'_>) -> Read<Option<OnlyWhen>> {
    let text = value::text_like("a candidate", EXAMPLE)(value)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let written = Written { text: &text, at: value.span() };
    let shape =
        || Problem::new(value.span(), " is no candidate", format!("a model, its labels and a score: {EXAMPLE}"));
    let (model, rest) = text.split_once(':').ok_or_else(shape)?;
    let (labels, above) = rest.rsplit_once('>').ok_or_else(shape)?;
    let mut problems = Vec::new();
    let name = Name::new(model.trim());
    if let Err(why) = &name {
        problems.push(Problem::new(written.at(model), " names no model", why.to_string()));
    }
    let labels: Vec<&str> = labels.split(',').collect();
    if let Some(empty) = labels.iter().find(|label| label.trim().is_empty()) {
        problems.push(Problem::new(written.at(empty), " has an empty label", "name one of the model's labels"));
    }
    let score = above.trim().parse::<f32>().ok().filter(|score| (0.0..1.0).contains(score));
    if score.is_none() {
        problems.push(Problem::new(
            written.at(above),
            " has no score to be above",
            "a number from 0 to below 1: `> 0.4`",
        ));
    }
    match (name, score) {
        (Ok(name), Some(above)) if problems.is_empty() => {
            let label = |label: &&str| Located { value: label.trim().to_owned(), at: written.at(label) };
            let labels = labels.iter().map(label).collect();
            Ok(Some(OnlyWhen { model: Located { value: name, at: written.at(model) }, labels, above }))
        }
        _ => Err(problems),
    }
}

/// A string value, and where it stands in the file.
struct Written<'t> {
    text: &'t str,
    at: Range<usize>,
}

impl Written<'_> {
    /// Where `part` of the text stands, without the space around it; the whole value where it was written with escapes.
    fn at(&self, part: &str) -> Range<usize> {
        let word = part.trim();
        let word = if word.is_empty() { part } else { word };
        if self.at.len() != self.text.len() + 2 {
            return self.at.clone();
        }
        let start = self.at.start + 1 + (word.as_ptr() as usize - self.text.as_ptr() as usize);
        start..start + word.len()
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeValue;

    use super::*;

    fn read(toml: &str) -> Result<Option<OnlyWhen>, Vec<String>> {
        let value = DeValue::parse(toml).unwrap();
        let shown = |problem: Problem| format!("key{} ({}) `{}`", problem.predicate, problem.label, &toml[problem.at]);
        super::read(&value).map_err(|problems| problems.into_iter().map(shown).collect())
    }

    #[test]
    fn a_model_its_labels_and_a_score() {
        assert_eq!(read("\"\""), Ok(None));
        let toml = "\"yolox-nano: person,  fire truck > 0.4\"";
        let candidate = read(toml).unwrap().unwrap();
        assert_eq!((candidate.model.value.as_str(), candidate.above), ("yolox-nano", 0.4));
        assert_eq!(&toml[candidate.model.at], "yolox-nano");
        let labels: Vec<_> = candidate.labels.iter().map(|it| (it.value.as_str(), &toml[it.at.clone()])).collect();
        assert_eq!(labels, [("person", "person"), ("fire truck", "fire truck")]);
        // Escapes: then the whole string is pointed at.
        let toml = r#""yolox\u002Dnano: person > 0""#;
        let candidate = read(toml).unwrap().unwrap();
        assert_eq!((candidate.model.value.as_str(), &toml[candidate.labels[0].at.clone()]), ("yolox-nano", toml));
    }

    #[test]
    fn what_is_none_is_told_where_it_is_wrong() {
        let wrong = |toml: &str| read(toml).unwrap_err().join("; ");
        let shape = "key is no candidate (a model, its labels and a score: \"yolox-nano: person, car > 0.4\")";
        assert_eq!(wrong("\"person > 0.4\""), format!("{shape} `\"person > 0.4\"`"));
        assert_eq!(wrong("\"yolox-nano: person\""), format!("{shape} `\"yolox-nano: person\"`"));
        assert_eq!(
            wrong("\"yolox nano: person, > 1\""),
            "key names no model (a name has only letters, digits, `-`, `_` and `.`, and starts with a letter or digit) `yolox nano`; \
             key has an empty label (name one of the model's labels) ` `; \
             key has no score to be above (a number from 0 to below 1: `> 0.4`) `1`"
        );
        assert_eq!(
            wrong("true"),
            "key must be a candidate, not a boolean (for example `\"yolox-nano: person, car > 0.4\"`) `true`"
        );
    }
}
