//! Which clip an alert belongs to, and until when that is recorded.
//!
//! Owns the rules: events of a camera that overlap share a clip, an open event keeps it going until it has ended and `after`
//! has passed, `max` bounds all of it. Refuses to know packets, files and rows. Pure: time comes as an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use crate::config::Clip;
use crate::name::Name;
use crate::time::Mono;

/// What whoever records is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// A clip begins.
    Begin {
        /// Its id.
        clip: Uuid,
        /// What is recorded.
        camera: Name,
        /// From the last keyframe at or before this moment on.
        from: Mono,
        /// The clip ends then.
        until: Mono,
    },
    /// It ends then, and not when it was said before.
    Until {
        /// Which one.
        clip: Uuid,
        /// Earlier or later than before; what has passed is over at once.
        until: Mono,
    },
}

/// An alert that is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerted {
    /// The clip that shows it.
    pub clip: Uuid,
    /// The clip begins with it.
    pub is_new: bool,
    /// What is to be done, if anything changes.
    pub order: Option<Order>,
}

/// What one camera records because of its events. There is one clip at a time.
#[derive(Clone, Debug)]
pub struct Plan {
    camera: Name,
    going: Option<Going>,
}

/// A clip that is being recorded.
#[derive(Clone, Debug)]
struct Going {
    clip: Uuid,
    from: Mono,
    /// The longest of what its events may have.
    max: Duration,
    /// Events that are open, by what joins them, and how long they are recorded beyond their end.
    open: BTreeMap<Uuid, Duration>,
    /// When what has ended needs no more of it.
    tail: Mono,
    /// What was ordered.
    until: Mono,
}

impl Going {
    /// As long as an event is open, nobody knows when it ends.
    fn wanted(&self) -> Mono {
        let bound = self.from.plus(self.max);
        if self.open.is_empty() { bound.min(self.tail) } else { bound }
    }

    /// What is to be said because `wanted` may have changed.
    fn corrected(&mut self) -> Option<Order> {
        let until = self.wanted();
        (std::mem::replace(&mut self.until, until) != until).then_some(Order::Until { clip: self.clip, until })
    }
}

impl Plan {
    /// Of a camera of which nothing is recorded yet.
    pub fn new(camera: Name) -> Plan {
        Plan { camera, going: None }
    }

    /// At `now` an event triggers, or does so again (`open` is the same then), because of what was `observed`. If a clip
    /// begins with it, that is `new`.
    pub fn alert(&mut self, new: Uuid, open: Uuid, clip: Clip, observed: Mono, now: Mono) -> Alerted {
        let tail = observed.plus(clip.after);
        if let Some(going) = self.going.as_mut().filter(|going| now < going.until) {
            going.max = going.max.max(clip.max);
            going.tail = going.tail.max(tail);
            going.open.insert(open, clip.after);
            return Alerted { clip: going.clip, is_new: false, order: going.corrected() };
        }
        let from = observed.minus(clip.before);
        let open = BTreeMap::from([(open, clip.after)]);
        let mut going = Going { clip: new, from, max: clip.max, open, tail, until: Mono(0) };
        going.until = going.wanted();
        let order = Order::Begin { clip: new, camera: self.camera.clone(), from, until: going.until };
        self.going = Some(going);
        Alerted { clip: new, is_new: true, order: Some(order) }
    }

    /// An event has `ended`; one that no clip shows is none of ours.
    pub fn cleared(&mut self, open: Uuid, ended: Mono) -> Option<Order> {
        let going = self.going.as_mut()?;
        let after = going.open.remove(&open)?;
        going.tail = going.tail.max(ended.plus(after));
        going.corrected()
    }

    /// A clip has ended, whatever was ordered: alerts from here on begin another one.
    pub fn ended(&mut self, clip: Uuid) {
        self.going.take_if(|going| going.clip == clip);
    }
}

#[cfg(test)]
mod tests;
