//! The channel `alert`: the words in which an alert is told.
//!
//! Owns which ones these are; refuses to know the object itself (`payload` does).

use uuid::Uuid;

use crate::broadcast::{Alert, WORDS};
use crate::config::FrameChoice;
use crate::payload::{self, Envelope};

/// The object that a webhook in the same format carries, byte for byte: receivers know an alert by the pair of its
/// `event_id` and `timestamp`. None: it is no alert.
pub(super) fn object(alert: &Alert) -> Option<String> {
    // Only the moment is part of the object.
    let envelope = Envelope { epoch: Uuid::nil(), sequence: 0, moment_us: alert.moment_us };
    payload::render(WORDS, &alert.event, envelope, FrameChoice::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventData, Metadata, ModelIdentity, Priority, Triggered};
    use crate::name::Name;
    use crate::time::{Boot, now};
    use crate::verdict::Answer;

    fn alert(moment_us: i64) -> Alert {
        let mut observed = now();
        observed.wall.0 = 1_769_423_700_120;
        let triggered = Triggered {
            open_id: Uuid::nil(),
            repeat: 0,
            condition: String::new(),
            answer: Answer::Yes,
            confidence: 0.5,
            threshold: 0.5,
            explanation: String::new(),
            regions: Vec::new(),
            z: None,
            answer_mass: None,
            model: ModelIdentity { name: Name::new("m").unwrap(), sha256: String::new() },
            source_url: String::new(),
            started: observed.wall,
            label: "zone".to_owned(),
            from_ms: 0,
            to_ms: 0,
            clip: None,
        };
        let event = Event {
            id: Uuid::nil(),
            observed,
            boot: Boot(Uuid::nil()),
            device: "box".to_owned(),
            camera: Some(Name::new("yard").unwrap()),
            monitor: Some(Name::new("zone").unwrap()),
            job: None,
            priority: Priority::Normal,
            metadata: Metadata::new(),
            data: EventData::Triggered(triggered),
        };
        Alert { event, moment_us }
    }

    #[test]
    fn the_moment_is_the_one_that_every_delivery_tells() {
        let told = object(&alert(1_769_423_700_120_007)).unwrap();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["timestamp"], "2026-01-26T10:35:00.120007Z");
    }
}
