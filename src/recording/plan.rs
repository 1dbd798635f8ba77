//! Which clip an alert belongs to, and until when that is recorded.
//!
//! Owns the rules. What every alert is promised: its clip shows it from `before` it (all but [`ALMOST`] of that) until `after`
//! it, and, while its event is open, until that has ended and `after` has passed; `max` bounds all of it. So events of a camera
//! that overlap share a clip where it has room for both, and where one ends too early another one goes on.
//! Refuses to know packets, files and rows. Pure: time comes as an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use crate::config::Clip;
use crate::name::Name;
use crate::time::Mono;

/// An order takes so long to whoever records, the commit before it included. One that takes longer is got over: the clip has
/// ended then, and another one goes on.
const SOON: Duration = Duration::from_millis(500);

/// Frames are judged out of order: an alert shares a clip that shows so much less than its `before`, or half of that.
const ALMOST: Duration = Duration::from_secs(2);

/// A camera records so many clips at once: then alerts share the latest, whatever room it has.
const MOST: usize = 4;

/// So many clips go on from each other: a camera that changes what it sends with every picture is not followed for ever.
const SEQUELS: u8 = 16;

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

/// A clip ended before what it was for did: another one goes on from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequel {
    /// The one that goes on.
    pub clip: Uuid,
    /// Its beginning.
    pub order: Order,
}

/// What one camera records because of its events. Clips overlap only where an alert finds none that has room for it.
#[derive(Clone, Debug)]
pub struct Plan {
    camera: Name,
    going: Vec<Going>,
}

/// A clip that is being recorded, or has ended and nobody has said so yet.
#[derive(Clone, Debug)]
struct Going {
    clip: Uuid,
    /// It shows everything from here on.
    from: Mono,
    /// What its `max` counts from: the beginning of the clip that this one goes on from, or its own.
    origin: Mono,
    /// It ends then, whatever is open: the latest that its events may have.
    bound: Mono,
    /// Events that are open, by what joins them, and how long they are recorded beyond their end.
    open: BTreeMap<Uuid, Duration>,
    /// When what has ended needs no more of it.
    tail: Mono,
    /// What was ordered.
    until: Mono,
    /// How many went before that it goes on from.
    sequels: u8,
}

impl Going {
    /// As long as an event is open, nobody knows when it ends.
    fn wanted(&self) -> Mono {
        if self.open.is_empty() { self.bound.min(self.tail) } else { self.bound }
    }

    /// What is to be said because `wanted` may have changed.
    fn corrected(&mut self) -> Option<Order> {
        let until = self.wanted();
        (std::mem::replace(&mut self.until, until) != until).then_some(Order::Until { clip: self.clip, until })
    }

    /// Whether it is still being recorded once what is decided at `now` has reached whoever records.
    fn goes_on(&self, now: Mono) -> bool {
        now.plus(SOON) < self.until
    }

    /// Whether it can show all that an alert is promised.
    fn has_room_for(&self, clip: Clip, observed: Mono) -> bool {
        let missing = ALMOST.min(clip.before / 2);
        let bound = self.bound.max(self.origin.plus(clip.max));
        self.from <= observed.minus(clip.before - missing) && observed.plus(clip.after) <= bound
    }

    fn join(&mut self, open: Uuid, clip: Clip, observed: Mono) -> Option<Order> {
        self.bound = self.bound.max(self.origin.plus(clip.max));
        self.tail = self.tail.max(observed.plus(clip.after));
        self.open.insert(open, clip.after);
        self.corrected()
    }
}

impl Plan {
    /// Of a camera of which nothing is recorded yet.
    pub fn new(camera: Name) -> Plan {
        Plan { camera, going: Vec::new() }
    }

    /// At `now` an event triggers, or does so again (`open` is the same then), because of what was `observed`. If a clip
    /// begins with it, that is `new`.
    pub fn alert(&mut self, new: Uuid, open: Uuid, clip: Clip, observed: Mono, now: Mono) -> Alerted {
        let mut going: Vec<&mut Going> = self.going.iter_mut().filter(|going| now < going.until).collect();
        let is_crowded = going.len() >= MOST;
        let fitting = going.iter().rposition(|going| going.goes_on(now) && going.has_room_for(clip, observed));
        if let Some(at) = fitting.or(is_crowded.then(|| going.len() - 1)) {
            let going = &mut going[at];
            return Alerted { clip: going.clip, is_new: false, order: going.join(open, clip, observed) };
        }
        let from = observed.minus(clip.before);
        let open = BTreeMap::from([(open, clip.after)]);
        let (bound, tail) = (from.plus(clip.max), observed.plus(clip.after));
        let going = Going { clip: new, from, origin: from, bound, open, tail, until: bound, sequels: 0 };
        Alerted { clip: new, is_new: true, order: Some(self.begin(going)) }
    }

    fn begin(&mut self, going: Going) -> Order {
        let Going { clip, from, until, .. } = going;
        self.going.push(going);
        Order::Begin { clip, camera: self.camera.clone(), from, until }
    }

    /// An event has `ended`; one that no clip shows is none of ours.
    pub fn cleared(&mut self, open: Uuid, ended: Mono) -> Vec<Order> {
        let mut orders = Vec::new();
        for going in &mut self.going {
            let Some(after) = going.open.remove(&open) else { continue };
            going.tail = going.tail.max(ended.plus(after));
            orders.extend(going.corrected());
        }
        orders
    }

    /// An event was open already when this process began, and may be recorded until `bound`: a clip goes on that is `new`.
    /// None: it is known.
    pub fn resume(&mut self, new: Uuid, open: Uuid, clip: Clip, bound: Mono, now: Mono) -> Option<Sequel> {
        if bound <= now || self.going.iter().any(|going| going.open.contains_key(&open)) {
            return None;
        }
        let origin = bound.minus(clip.max);
        let open = BTreeMap::from([(open, clip.after)]);
        let going = Going { clip: new, from: now, origin, bound, open, tail: now, until: bound, sequels: 0 };
        Some(Sequel { clip: new, order: self.begin(going) })
    }

    /// A clip has ended which shows all until `reached` (None: nothing came of it). Where that is earlier than its events
    /// want, because the camera changed what it sends, or because an order came too late, the one that goes on is `new`.
    pub fn ended(&mut self, clip: Uuid, reached: Option<Mono>, new: Uuid) -> Option<Sequel> {
        let at = self.going.iter().position(|going| going.clip == clip)?;
        let ended = self.going.remove(at);
        let (until, from) = (ended.wanted(), reached?);
        if until <= from || ended.sequels >= SEQUELS {
            return None;
        }
        let going = Going { clip: new, from, until, sequels: ended.sequels + 1, ..ended };
        Some(Sequel { clip: new, order: self.begin(going) })
    }

    /// All clips end, and none goes on.
    pub fn cut(&mut self, now: Mono) -> Vec<Order> {
        let cut = |going: &mut Going| {
            going.bound = going.bound.min(now);
            going.corrected()
        };
        self.going.iter_mut().filter_map(cut).collect()
    }
}

#[cfg(test)]
mod tests;
