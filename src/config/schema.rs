//! The JSON Schema of the configuration, for editors (Taplo, VS Code's Even Better TOML).
//!
//! Owns how the shape (packaging/schemas/stakeout.toml.schema.json: types, ranges, words) and the manual (what is said about
//! each key, and its default) become one document; refuses to know what a key means. Draft 4, because Taplo knows no later
//! one: there nothing counts beside a `$ref`, so that keys get copies. Pure.

use serde_json::{Map, Value};

use super::manual::{self, Entry, Key, Section};

/// Types, ranges and words, without explanations.
const SHAPE: &str = include_str!("../../packaging/schemas/stakeout.toml.schema.json");

/// The schema with everything that the manual says. What keys mean together is not in it: `stakeout check` knows that.
///
/// # Panics
/// If the shape that is compiled in is no JSON; a test reads it.
pub fn schema() -> Value {
    let mut schema: Value = serde_json::from_str(SHAPE).expect("the shape that is compiled in is JSON");
    let definitions = schema["definitions"].clone();
    for section in &manual::manual().sections {
        complete(&mut schema["properties"], section, &definitions);
    }
    schema
}

fn complete(sections: &mut Value, section: &Section, definitions: &Value) {
    let Some(part) = sections.get_mut(section.name).and_then(Value::as_object_mut) else { return };
    describe(part, &section.about);
    let pointer = if section.repeated { "/items/properties" } else { "/properties" };
    let Some(keys) = sections[section.name].pointer_mut(pointer).and_then(Value::as_object_mut) else { return };
    for entry in &section.entries {
        for key in &entry.keys {
            if let Some(shape) = keys.get_mut(key.name) {
                *shape = Value::Object(told(shape, definitions, section, entry, key));
            }
        }
    }
}

/// A key's shape with what the manual says about it.
fn told(shape: &Value, definitions: &Value, section: &Section, entry: &Entry, key: &Key) -> Map<String, Value> {
    let named = shape.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/definitions/"));
    let shape = named.map_or(shape, |name| &definitions[name]);
    let mut told = Map::new();
    describe(&mut told, &entry.text);
    match section.default_of(key).map(as_json) {
        Some(default) => told.insert("default".to_owned(), default),
        None => told.insert("examples".to_owned(), Value::Array(vec![as_json(key.value)])),
    };
    told.extend(shape.as_object().cloned().unwrap_or_default());
    told
}

fn describe(part: &mut Map<String, Value>, text: &str) {
    if !text.is_empty() {
        part.insert("description".to_owned(), text.into());
    }
}

/// A value of the manual. Null if it is no TOML, which a test of the manual would have told.
fn as_json(toml: &str) -> Value {
    let read = format!("it = {toml}").parse::<toml::Table>().ok();
    read.and_then(|mut table| table.remove("it")).and_then(|value| serde_json::to_value(value).ok()).unwrap_or_default()
}
