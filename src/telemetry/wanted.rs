//! Which lines are written, and which are only heard.
//!
//! Owns `[log] filter` and that it decides last: whoever counts repetitions hears everything from information up, so that a
//! better word ends a repetition although it is not written itself. Refuses to know what is made of a line. Runs on
//! whichever thread logs.

use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Filter};

/// What `[log] filter` lets through.
#[derive(Clone)]
pub(super) struct Wanted(Arc<EnvFilter>);

impl Wanted {
    /// As it is written in the file.
    pub(super) fn new(filter: EnvFilter) -> Wanted {
        Wanted(Arc::new(filter))
    }

    /// Whether a line is written.
    pub(super) fn lets_through<S: Subscriber>(&self, metadata: &Metadata<'_>, ctx: &Context<'_, S>) -> bool {
        Filter::enabled(&*self.0, metadata, ctx)
    }

    fn is_heard(metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= LevelFilter::INFO
    }
}

/// As a filter it lets through what is heard.
impl<S: Subscriber> Filter<S> for Wanted {
    fn enabled(&self, metadata: &Metadata<'_>, ctx: &Context<'_, S>) -> bool {
        Wanted::is_heard(metadata) || self.lets_through(metadata, ctx)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match Wanted::is_heard(metadata) {
            true => Interest::always(),
            false => Filter::<S>::callsite_enabled(&*self.0, metadata),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&*self.0).map(|level| level.max(LevelFilter::INFO))
    }
}
