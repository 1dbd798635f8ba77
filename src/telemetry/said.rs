//! What a log line says, copied: so that a secret can be taken out of it, and so that it can be said again.
//!
//! Owns the copy of an event's fields; refuses to know why it is needed. Runs on whichever thread logs.

use std::fmt::Debug;

use tracing::field::{DisplayValue, Field, Value, Visit, display};
use tracing::{Event, Metadata};

/// The fields of an event, by their place among those of its callsite.
#[derive(Debug, Default)]
pub(super) struct Said {
    fields: Vec<(usize, Copied)>,
}

/// A field's value.
#[derive(Debug)]
pub(super) enum Copied {
    Float(f64),
    Integer(i64),
    Count(u64),
    Flag(bool),
    /// Written with quotes around it.
    Text(String),
    /// Written as it is.
    Shown(DisplayValue<String>),
}

impl Copied {
    fn value(&self) -> &dyn Value {
        match self {
            Copied::Float(value) => value,
            Copied::Integer(value) => value,
            Copied::Count(value) => value,
            Copied::Flag(value) => value,
            Copied::Text(value) => value,
            Copied::Shown(value) => value,
        }
    }

    /// None of numbers and flags.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Copied::Text(text) => Some(text.clone()),
            Copied::Shown(shown) => Some(shown.to_string()),
            _ => None,
        }
    }
}

impl Said {
    /// What `event` says.
    pub(super) fn of(event: &Event<'_>) -> Said {
        let mut said = Said::default();
        event.record(&mut said);
        said
    }

    /// Adds a field.
    pub(super) fn keep(&mut self, field: &Field, value: Copied) {
        self.fields.push((field.index(), value));
    }

    /// The texts in it, by the names of their fields.
    pub(super) fn texts(&self, metadata: &'static Metadata<'static>) -> Vec<(&'static str, String)> {
        let named = |field: &Field| Some((field.name(), self.find(field)?.text()?));
        metadata.fields().iter().filter_map(|field| named(&field)).collect()
    }

    /// Whether the flag of that name is there and set.
    pub(super) fn is_set(&self, name: &str, metadata: &'static Metadata<'static>) -> bool {
        let flag = metadata.fields().field(name);
        matches!(flag.and_then(|flag| self.find(&flag)), Some(Copied::Flag(true)))
    }

    /// Puts `message` in the place of the line's own.
    pub(super) fn reworded(mut self, metadata: &'static Metadata<'static>, message: String) -> Said {
        if let Some(field) = metadata.fields().field("message") {
            self.fields.retain(|(index, _)| *index != field.index());
            self.keep(&field, Copied::Shown(display(message)));
        }
        self
    }

    /// Says it, as a line of that callsite.
    pub(super) fn say(&self, metadata: &'static Metadata<'static>, say: impl FnOnce(&Event<'_>)) {
        let fields = metadata.fields();
        let values: Vec<Option<&dyn Value>> = fields.iter().map(|field| self.find(&field).map(Copied::value)).collect();
        let values = fields.value_set_all(&values);
        say(&Event::new(metadata, &values));
    }

    fn find(&self, field: &Field) -> Option<&Copied> {
        self.fields.iter().find(|(index, _)| *index == field.index()).map(|(_, value)| value)
    }
}

impl Visit for Said {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, Copied::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, Copied::Integer(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, Copied::Count(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, Copied::Flag(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, Copied::Text(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.keep(field, Copied::Shown(display(format!("{value:?}"))));
    }
}
