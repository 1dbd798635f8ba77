//! The `events` filter of an endpoint: names, `*`, or the beginning of names (`monitor.*`).
//!
//! Owns what a pattern means, and that one which the format can't say is told; refuses to know what a format writes.

use super::settings::Format;
use super::suggest;
use super::value::{self, Problem, Read, Value};
use crate::event::EventType;

/// The types that a list of patterns lets through and that `format` expresses, in our order. A pattern of which it
/// expresses nothing is told: nothing would ever come of it.
pub(super) fn filter(value: &Value<'_>, format: Format) -> Read<Vec<EventType>> {
    let patterns = value::list_of(|value| expressible(value, format), "[\"*\"]")(value)?;
    let chosen: Vec<_> = patterns.into_iter().flatten().collect();
    if chosen.is_empty() {
        let label = "use `[\"*\"]`, or `enabled = false` to keep what is owed";
        return Err(Problem::new(value.span(), " lets nothing through", label).into());
    }
    Ok(EventType::ALL.into_iter().filter(|kind| chosen.contains(kind)).collect())
}

fn expressible(value: &Value<'_>, format: Format) -> Read<Vec<EventType>> {
    let mut found = pattern(value)?;
    found.retain(|kind| format.expresses(*kind));
    if found.is_empty() {
        let can = EventType::ALL.into_iter().filter(|kind| format.expresses(*kind)).map(EventType::as_str);
        let predicate = format!(" names what the format `{}` can't say", format.as_str());
        return Err(Problem::new(value.span(), predicate, format!("it says {}", suggest::quoted(can))).into());
    }
    Ok(found)
}

fn pattern(value: &Value<'_>) -> Read<Vec<EventType>> {
    let text = value::text_like("names of events", "[\"monitor.*\"]")(value)?;
    let matches = |name: &str| match text.strip_suffix('*') {
        Some(beginning) => (beginning.is_empty() || beginning.ends_with('.')) && name.starts_with(beginning),
        None => name == text,
    };
    let known = || EventType::ALL.into_iter().map(EventType::as_str);
    let found: Vec<_> = EventType::ALL.into_iter().filter(|kind| matches(kind.as_str())).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let label = match suggest::closest(&text, known()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("events known here: {}", suggest::quoted(known())),
    };
    Err(Problem::new(value.span(), format!(" names no event: `{text}`"), label).into())
}
