//! What clients of other services send: read word by word, in the words of `[[monitor]]`.
//!
//! Owns what may be said of a monitor, and that whatever else is said is ignored: clients of those services send more than we
//! know. Refuses to know any service and what is made of it. Pure.

use serde_json::{Map, Value};

use crate::config::Unfit;

/// What any client may say of its monitor.
const OF_MONITORS: [&str; 22] = [
    "condition",
    "model",
    "labels",
    "min_count",
    "zone",
    "prompts",
    "negatives",
    "only_when",
    "confidence_threshold",
    "clear_threshold",
    "hold",
    "cooldown",
    "repeat",
    "clear_after",
    "lost_after",
    "check_interval",
    "notice_within",
    "gate",
    "recheck",
    "metadata",
    "priority",
    "label",
];

/// What a number of these counts.
const IN_SECONDS: [&str; 7] =
    ["max_duration", "cooldown", "clear_after", "lost_after", "check_interval", "notice_within", "recheck"];

/// What a client said.
pub(super) struct Words(Map<String, Value>);

/// A monitor, as a client wants it.
pub(super) struct Wanted {
    /// As a section of the file says it.
    pub(super) section: Map<String, Value>,
    /// In the client's words.
    pub(super) said: Map<String, Value>,
}

impl Words {
    /// Null is as good as nothing.
    pub(super) fn new(mut body: Map<String, Value>) -> Words {
        body.retain(|_, value| !value.is_null());
        Words(body)
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// It isn't.
    pub(super) fn text(&self, key: &str, example: &str) -> Result<String, Unfit> {
        let missing = || Unfit::new(format!("`{key}` is missing"), format!("add `\"{key}\": {example}`"));
        self.text_if_any(key, example)?.ok_or_else(missing)
    }

    /// A text that may be there.
    ///
    /// # Errors
    /// It is no text, or blank.
    pub(super) fn text_if_any(&self, key: &str, example: &str) -> Result<Option<String>, Unfit> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(Unfit::new(format!("`{key}` is no text, or empty"), format!("for example {example}"))),
        }
    }

    /// Says something in our own word for it.
    pub(super) fn translate(&mut self, theirs: &str, ours: &str) {
        if let Some(value) = self.0.remove(theirs) {
            self.0.insert(ours.to_owned(), value);
        }
    }

    /// What is said of a monitor, `more` keys included. A number counts seconds where a span is meant.
    pub(super) fn monitor(&mut self, more: &[&'static str]) -> Wanted {
        let mut wanted = Wanted { section: Map::new(), said: Map::new() };
        for key in OF_MONITORS.iter().chain(more) {
            let Some(value) = self.0.remove(*key) else { continue };
            let (value, spelt) = match value {
                Value::Number(seconds) if IN_SECONDS.contains(key) => span(seconds),
                value => (value.clone(), value),
            };
            wanted.section.insert((*key).to_owned(), spelt);
            wanted.said.insert((*key).to_owned(), value);
        }
        wanted
    }
}

/// A number of seconds, the same whether it was sent as `60` or `60.0`, and how the file spells it.
fn span(seconds: serde_json::Number) -> (Value, Value) {
    let milliseconds = seconds.as_f64().map(|seconds| (seconds * 1000.0).round()).filter(|_| seconds.is_f64());
    match milliseconds {
        Some(whole) if whole % 1000.0 == 0.0 && whole.abs() < 1e15 => {
            let whole = (whole / 1000.0) as i64;
            (Value::from(whole), Value::from(format!("{whole}s")))
        }
        Some(milliseconds) => (Value::Number(seconds), Value::from(format!("{milliseconds}ms"))),
        None => (Value::Number(seconds.clone()), Value::from(format!("{seconds}s"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(body: Value) -> (Value, Value) {
        let Value::Object(body) = body else { panic!() };
        let Wanted { section, said } = Words::new(body).monitor(&["max_duration"]);
        (section.into(), said.into())
    }

    #[test]
    fn what_is_said_of_a_monitor_is_taken_and_the_rest_ignored() {
        let said = json!({"condition": "Is there fire?", "cooldown": "5s", "max_duration": 60});
        let mut body = said.clone();
        for (key, value) in [
            ("name", json!("mine")),
            ("endpoints", json!(["ops"])),
            ("zone", Value::Null),
            ("restart", json!("always")),
        ] {
            body[key] = value;
        }
        let section = json!({"condition": "Is there fire?", "cooldown": "5s", "max_duration": "60s"});
        assert_eq!(wanted(body), (section, said));
    }

    #[test]
    fn numbers_of_seconds_are_spans_and_a_fraction_of_none_is_the_whole() {
        for (seconds, spelt) in [(json!(60), "60s"), (json!(60.0), "60s"), (json!(0.5), "500ms"), (json!(-1), "-1s")] {
            assert_eq!(wanted(json!({ "cooldown": seconds })).0, json!({ "cooldown": spelt }));
        }
        assert_eq!(wanted(json!({"cooldown": 60.0})), wanted(json!({"cooldown": 60})));
        assert_ne!(wanted(json!({"cooldown": 60.5})), wanted(json!({"cooldown": 60})));
        assert_eq!(wanted(json!({"cooldown": 1e300})).0["cooldown"].as_str().unwrap().len(), 306, "refused later on");
        assert_eq!(wanted(json!({"confidence_threshold": 1.0})).0, json!({"confidence_threshold": 1.0}));
    }

    #[test]
    fn a_word_of_theirs_replaces_ours() {
        let mut words = Words::new(Map::from_iter([("theirs".to_owned(), json!(7)), ("hold".to_owned(), json!(1))]));
        words.translate("theirs", "hold");
        words.translate("missing", "hold");
        assert_eq!(Value::from(words.monitor(&[]).said), json!({"hold": 7}));
    }
}
