//! A log layer that says a repeated warning or error once, and then how often it came.
//!
//! Owns the lock around the memory ([`Repeats`]) and the writing of summaries: as lines of the same callsite, with the
//! fields of the latest repetition, so that filters and `journalctl CAMERA=…` find them. Refuses to know what is the same.
//! Runs on whichever thread logs.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::repeats::{Heard, Repeats, Summary};
use super::said::Said;
use super::wanted::Wanted;
use crate::time;

/// Lines of this target are not written: they are the occasion to write summaries that are due.
const OCCASION: &str = "stakeout::telemetry::occasion";

/// Writes the summaries that are due. To be called now and then: without a line there is no other occasion.
pub fn sum_up() {
    tracing::error!(target: OCCASION, last = false, "an occasion");
}

/// Writes all summaries there are: the process ends.
pub fn sum_up_at_the_end() {
    tracing::error!(target: OCCASION, last = true, "an occasion");
}

/// `L` with fewer lines.
pub(super) struct Sparing<L> {
    layer: L,
    wanted: Wanted,
    repeats: Mutex<Repeats>,
}

impl<L> Sparing<L> {
    /// Nothing was said yet. Of all that is heard only what is wanted is written.
    pub(super) fn new(layer: L, wanted: Wanted) -> Sparing<L> {
        Sparing { layer, wanted, repeats: Mutex::default() }
    }

    fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for Sparing<L> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.layer.register_callsite(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        self.layer.enabled(metadata, ctx)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.layer.max_level_hint()
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > LevelFilter::INFO {
            return self.layer.on_event(event, ctx);
        }
        let is_wanted = self.wanted.lets_through(metadata, &ctx);
        let is_trouble = *metadata.level() <= LevelFilter::WARN;
        if is_trouble && !is_wanted && metadata.target() != OCCASION {
            return;
        }
        let (said, now) = (Said::of(event), time::now().mono);
        let heard = match metadata.target() {
            OCCASION if said.is_set("last", metadata) => Heard { summaries: self.repeats().end(now), is_news: false },
            OCCASION => Heard { summaries: self.repeats().sum_up(now), is_news: false },
            _ => self.repeats().hear(metadata, said, now),
        };
        for Summary { metadata, said } in heard.summaries {
            said.say(metadata, |event| self.layer.on_event(event, ctx.clone()));
        }
        if heard.is_news && is_wanted {
            self.layer.on_event(event, ctx);
        }
    }
}

#[cfg(test)]
mod tests;
