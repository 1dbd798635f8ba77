//! The channel `alert`: the words in which an alert is told.
//!
//! Owns the moment that tells alerts of one monitor apart; refuses to know the object itself (`payload` does).

use uuid::Uuid;

use crate::broadcast::{Alert, WORDS};
use crate::config::FrameChoice;
use crate::payload::{self, Envelope};

/// Puts alerts into words.
#[derive(Default)]
pub(super) struct Alerts {
    /// The moment of the last one that no delivery has named.
    last_us: i64,
}

impl Alerts {
    /// The object that a webhook in the same format carries, byte for byte: receivers know an alert by the pair of its
    /// `event_id` and `timestamp`, so the moment is the delivery's. Where there is none, no moment comes twice.
    pub(super) fn object(&mut self, alert: &Alert) -> String {
        let own = alert.event.observed.wall.0.saturating_mul(1000);
        let moment_us = alert.moment_us.unwrap_or_else(|| {
            self.last_us = own.max(self.last_us.saturating_add(1));
            self.last_us
        });
        // Neither is part of the object.
        let envelope = Envelope { epoch: Uuid::nil(), sequence: 0, moment_us };
        payload::render(WORDS, &alert.event, envelope, FrameChoice::None)
    }
}
