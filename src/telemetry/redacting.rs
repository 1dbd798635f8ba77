//! A log layer that hides secrets from the layer below it, whatever that one makes of an event: text, JSON or the journal.
//!
//! Owns that every text in an event passes through [`redacted`]; refuses to know how it is written. Numbers pass as they are,
//! so JSON stays JSON. Spans are not handed down: nothing of ours opens one, and their fields would escape. Runs on
//! whichever thread logs.

use std::error::Error;
use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit, display};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::said::{Copied, Said};
use crate::redact::redacted;

/// `L` without secrets.
pub(super) struct Redacting<L>(pub(super) L);

impl<S: Subscriber, L: Layer<S>> Layer<S> for Redacting<L> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_span() { Interest::never() } else { self.0.register_callsite(metadata) }
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        metadata.is_event() && self.0.enabled(metadata, ctx)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.0.max_level_hint()
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut texts = Texts::default();
        event.record(&mut texts);
        if !texts.changed {
            return self.0.on_event(event, ctx);
        }
        let metadata = event.metadata();
        texts.said.say(metadata, |event| self.0.on_event(event, ctx));
    }
}

/// What an event says, copied, without secrets.
#[derive(Default)]
struct Texts {
    said: Said,
    /// There was a secret.
    changed: bool,
}

impl Texts {
    fn clean(&mut self, text: &str) -> String {
        let clean = redacted(text);
        self.changed |= clean != text;
        clean.into_owned()
    }
}

impl Visit for Texts {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.said.record_f64(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.said.record_i64(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.said.record_u64(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.said.record_bool(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let clean = self.clean(value);
        self.said.record_str(field, &clean);
    }

    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            // Writing into a string doesn't fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        self.record_debug(field, &format_args!("{text}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let clean = self.clean(&format!("{value:?}"));
        self.said.keep(field, Copied::Shown(display(clean)));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::redact;
    use crate::secret::Secret;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(json: bool, log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer =
            tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry();
        if json {
            tracing::subscriber::with_default(subscriber.with(Redacting(layer.json().flatten_event(true))), log);
        } else {
            tracing::subscriber::with_default(subscriber.with(Redacting(layer)), log);
        }
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.trim_end().to_owned()
    }

    #[test]
    fn no_field_of_an_event_shows_a_secret() {
        redact::conceal(&Secret::new("seen\"in a log"));
        redact::conceal(&Secret::new("1234567"));
        let log = || {
            let error = io::Error::other("the login seen\"in a log is wrong");
            tracing::info_span!("around", of = "seen\"in a log").in_scope(|| {
                tracing::warn!(
                    camera = "seen\"in a log", took = 1_234_567, share = 0.5, good = true,
                    debug = ?Some("seen\"in a log"), error = &error as &dyn Error, "it says {}", "1234567!"
                );
            });
        };
        let text = logged(false, log);
        assert!(
            text.ends_with(r#"it says ***! camera="***" took=1234567 share=0.5 good=true debug=Some("***") error=the login *** is wrong"#),
            "{text}"
        );
        let line: serde_json::Value = serde_json::from_str(&logged(true, log)).unwrap();
        assert_eq!((&line["message"], &line["took"]), (&"it says ***!".into(), &1_234_567.into()));
        assert_eq!((&line["camera"], &line["debug"]), (&"***".into(), &"Some(\"***\")".into()));
        assert!(!line.to_string().contains("in a log"), "{line}");
    }

    #[test]
    fn an_event_without_secrets_is_handed_on_as_it_is() {
        let text = logged(false, || tracing::info!(camera = "dock", "online"));
        assert!(text.ends_with("online camera=\"dock\""), "{text}");
    }
}
