//! One section that doesn't stand in the file: a JSON object with the same keys, read by the same code.
//!
//! Owns the way from JSON to a section, and what is said about it without line art; refuses to know who sent it and where
//! it is kept.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};
use toml::de::DeTable;

use super::cross::{self, Known};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::repeated;
use super::read::Findings;
use super::settings::{Camera, Config, Endpoint, Located, Model, Monitor};
use super::{camera, endpoint, monitor};
use crate::name::Name;

/// What may be defined beside the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// As in `[[camera]]`.
    Camera,
    /// As in `[[endpoint]]`.
    Endpoint,
    /// As in `[[monitor]]`.
    Monitor,
}

impl Part {
    /// All of them, those that others refer to first.
    pub const ALL: [Part; 3] = [Part::Camera, Part::Endpoint, Part::Monitor];

    /// As in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Part::Camera => "camera",
            Part::Endpoint => "endpoint",
            Part::Monitor => "monitor",
        }
    }

    /// The part of that name.
    pub fn parse(text: &str) -> Option<Part> {
        Part::ALL.into_iter().find(|part| part.as_str() == text)
    }
}

/// What a definition says.
#[derive(Clone, Debug)]
pub enum Defined {
    /// A camera.
    Camera(Camera),
    /// An endpoint.
    Endpoint(Endpoint),
    /// A monitor.
    Monitor(Monitor),
}

/// Why a definition can't be used: all problems at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}; {hint}")]
pub struct Unfit {
    /// What is wrong.
    pub error: String,
    /// What to do.
    pub hint: String,
}

impl Unfit {
    /// What is wrong, and what to do.
    pub fn new(error: impl Into<String>, hint: impl Into<String>) -> Unfit {
        Unfit { error: error.into(), hint: hint.into() }
    }

    /// The errors among `diagnostics`; None if there are none.
    pub fn of(diagnostics: &Diagnostics) -> Option<Unfit> {
        let (errors, hints) = diagnostics.plain_errors();
        if errors.is_empty() {
            return None;
        }
        let hint = if hints.is_empty() { "`stakeout config` prints every key".to_owned() } else { hints.join("; ") };
        Some(Unfit { error: errors.join("; "), hint })
    }
}

/// Reads `body` as one section of the kind `part`, beside everything that `config` has.
///
/// # Errors
/// All that is wrong with it, in the words that a file is told.
pub fn define(part: Part, body: &Map<String, Json>, config: &Config) -> Result<Defined, Unfit> {
    let source = section(part, body)?;
    let (root, errors) = DeTable::parse_recoverable(&source);
    let mut findings = Findings::default();
    findings.list.extend(errors.iter().map(|error| Diagnostic::error(error.message().to_owned())));
    let defined = read(part, root.get_ref(), config, &mut findings);
    let mut diagnostics = Diagnostics::new(&source, "the request");
    findings.list.into_iter().for_each(|found| diagnostics.push(found));
    match (Unfit::of(&diagnostics), defined) {
        (None, Some(defined)) => Ok(defined),
        (Some(unfit), _) => Err(unfit),
        (None, None) => Err(Unfit::new(format!("this is no {}", part.as_str()), "`stakeout config` prints every key")),
    }
}

fn read(part: Part, root: &DeTable<'_>, config: &Config, findings: &mut Findings) -> Option<Defined> {
    match part {
        Part::Camera => repeated(root, part.as_str(), findings, camera::read).pop()?.1.map(Defined::Camera),
        Part::Endpoint => {
            let endpoints = repeated(root, part.as_str(), findings, |section| endpoint::read(section, &config.egress));
            endpoints.into_iter().next()?.1.map(Defined::Endpoint)
        }
        Part::Monitor => {
            let draft = repeated(root, part.as_str(), findings, monitor::read).pop()??;
            let cameras: Vec<_> = config.cameras.iter().map(|camera| named(&camera.name)).collect();
            let endpoints: Vec<_> = config.endpoints.iter().map(|endpoint| named(&endpoint.name)).collect();
            let known = Known { cameras: &cameras, endpoints: &endpoints };
            Some(Defined::Monitor(cross::link(draft, &known, &mut findings.list)))
        }
    }
}

fn named(name: &Name) -> Located<Name> {
    Located { value: name.clone(), at: 0..0 }
}

/// Beside what `config` has; the models that it names are looked up like the file's.
pub fn add(config: &mut Config, defined: Defined) {
    match defined {
        Defined::Camera(camera) => config.cameras.push(camera),
        Defined::Endpoint(endpoint) => config.endpoints.push(endpoint),
        Defined::Monitor(monitor) => {
            complete(&mut config.models, &monitor);
            config.monitors.push(monitor);
        }
    }
}

/// Adds the models that `monitor` names and that are not among `models`: they are looked up in the models folders.
pub fn complete(models: &mut Vec<Model>, monitor: &Monitor) {
    cross::complete(models, std::slice::from_ref(monitor));
}

/// The section as it would stand in a file, a key in a line.
fn section(part: Part, body: &Map<String, Json>) -> Result<String, Unfit> {
    let mut text = format!("[[{}]]\n", part.as_str());
    for (key, value) in body {
        let key = quoted(key);
        let _ = write!(text, "{key} = ");
        write_value(value, &mut text).map_err(|Null| {
            Unfit::new(format!("{} has a null in `{}`", part.as_str(), key.trim_matches('"')), "leave that key out")
        })?;
        text.push('\n');
    }
    Ok(text)
}

/// TOML knows no null.
struct Null;

fn write_value(value: &Json, text: &mut String) -> Result<(), Null> {
    match value {
        Json::Null => return Err(Null),
        Json::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Json::Number(number) => text.push_str(&number.to_string()),
        Json::String(string) => text.push_str(&quoted(string)),
        Json::Array(items) => {
            text.push('[');
            for item in items {
                write_value(item, text)?;
                text.push_str(", ");
            }
            text.push(']');
        }
        Json::Object(entries) => {
            text.push_str("{ ");
            for (index, (key, value)) in entries.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                text.push_str(&quoted(key));
                text.push_str(" = ");
                write_value(value, text)?;
            }
            text.push_str(" }");
        }
    }
    Ok(())
}

/// A JSON string is a TOML string, but for DEL, which TOML wants escaped.
fn quoted(text: &str) -> String {
    Json::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::parse;

    fn config() -> Config {
        let source = "[[camera]]\nname = \"dock\"\nurl = \"rtsp://10.0.0.21/stream1\"\n\
                      [[endpoint]]\nname = \"ops\"\nurl = \"https://your-app.example/events\"\n";
        parse(source, "stakeout.toml").unwrap().config
    }

    fn read(part: Part, body: Json) -> Result<Defined, String> {
        define(part, body.as_object().unwrap(), &config()).map_err(|unfit| format!("{} | {}", unfit.error, unfit.hint))
    }

    #[test]
    fn a_section_in_json_says_what_it_says_in_the_file() {
        let body = json!({
            "name": "person", "camera": "dock", "model": "yolox-nano", "labels": ["person"], "hold": "2 of 3",
            "cooldown": "10s", "confidence_threshold": 0.5, "zone": [[0.1, 0.1], [0.9, 0.1], [1, 0.9]],
            "metadata": {"z": "a\u{7f}\n\"\\", "a": {"deep": [1, 2.5, true]}},
        });
        let Defined::Monitor(monitor) = read(Part::Monitor, body.clone()).unwrap() else { panic!() };
        assert_eq!((monitor.hold.needed, monitor.cooldown.as_secs(), monitor.zone.len()), (2, 10, 3));
        assert_eq!(
            Json::from(monitor.metadata.clone()).to_string(),
            body["metadata"].to_string(),
            "in the order given"
        );
        assert_eq!(monitor.endpoints, [config().endpoints[0].name.clone()], "all");
        let mut config = config();
        add(&mut config, Defined::Monitor(monitor));
        assert_eq!(config.models[0].name.as_str(), "yolox-nano");
        let body = json!({"name": "hq", "url": "http://10.0.0.9/x", "retry": {"delays": ["1s"], "max_age": "1h"}});
        assert!(matches!(read(Part::Endpoint, body), Ok(Defined::Endpoint(_))));
        assert!(matches!(read(Part::Camera, json!({"name": "b", "url": "rtsp://b/"})), Ok(Defined::Camera(_))));
    }

    #[test]
    fn what_is_wrong_is_told_in_the_words_of_the_file() {
        for (part, body, told) in [
            (
                Part::Monitor,
                json!({"name": "p", "camera": "dok", "model": "m", "labels": ["x"], "cooldwon": "1s", "hold": "4 of 3"}),
                "monitor `p`: `hold` can't be `4 of 3`; monitor `p`: unknown camera `dok`; monitor `p`: unknown key `cooldwon` | \
                 more checks than it looks at: the first number must not be larger; did you mean `dock`? cameras known \
                 here: `dock`; did you mean `cooldown`?",
            ),
            (
                Part::Camera,
                json!({}),
                "`[[camera]]`: `name` is missing; `[[camera]]`: `url` is missing | \
                 add `name = \"dock-east\"`; add `url = \"rtsp://10.0.0.21/stream1\"`",
            ),
            (Part::Endpoint, json!({"name": "x", "url": null}), "endpoint has a null in `url` | leave that key out"),
            (
                Part::Endpoint,
                json!({"name": "x", "url": "https://u:hunter2@h/"}),
                "endpoint `x`: `url` must not contain credentials | leave out what stands before the `@`; events are \
                 signed with `secret_file`; a receiver that wants a password is not supported yet",
            ),
            (
                Part::Camera,
                json!({"name": "a]]\n[x", "url": "rtsp://h/"}),
                "camera `a]]\n[x`: `name` is not a name | a name has \
                 only letters, digits, `-`, `_` and `.`, and starts with a letter or digit",
            ),
        ] {
            let words = |text: &str| {
                let mut parts: Vec<String> = text.split([';', '|']).map(|part| part.trim().to_owned()).collect();
                parts.sort();
                parts
            };
            assert_eq!(words(&read(part, body).unwrap_err()), words(told));
        }
    }
}
