//! The `metadata` of a monitor: whatever the operator wants receivers to get.
//!
//! Owns the way from TOML to JSON, in the order of the file; refuses to know what it means.

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::value::{Problem, Read, Value};
use crate::event::Metadata;

/// A table of anything that JSON can say.
pub(super) fn read(value: &Value<'_>) -> Read<Metadata> {
    match value.get_ref() {
        DeValue::Table(table) => object(table),
        _ => Err(Problem::wrong_type(value, "a table", "{ zone = \"dock\" }").into()),
    }
}

fn object(table: &DeTable<'_>) -> Read<Metadata> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter().map(|(key, value)| Ok((key.get_ref().clone().into_owned(), json(value)?))).collect()
}

fn json(value: &Value<'_>) -> Read<Json> {
    let unspeakable = |why: &str| Problem::new(value.span(), format!(" holds {why}"), "write it as a string").into();
    match value.get_ref() {
        DeValue::String(text) => Ok(Json::from(text.as_ref())),
        DeValue::Boolean(flag) => Ok(Json::from(*flag)),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(Json::from)
            .map_err(|_| unspeakable("a number that does not fit 64 bits")),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Json::Number)
            .ok_or_else(|| unspeakable("a number that JSON can't say")),
        DeValue::Datetime(date) => Ok(Json::from(date.to_string())),
        DeValue::Array(array) => array.iter().map(json).collect::<Read<Vec<_>>>().map(Json::Array),
        DeValue::Table(table) => object(table).map(Json::Object),
    }
}
