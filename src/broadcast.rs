//! What is said aloud while it happens: checks that were answered, and alerts that are in the journal.
//!
//! Owns the two feeds between those who watch and those who listen; refuses to know either, the words in which it is passed
//! on, and to keep anything: what nobody hears is gone (what must arrive is owed, in the journal). Said on watch threads,
//! heard in tasks. Saying something never blocks, and while nobody listens it is one atomic load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::broadcast;

use crate::config::Format;
use crate::event::Event;
use crate::name::Name;
use crate::time::Now;
use crate::verdict::Verdict;

/// The words in which an alert is passed on. Where it is delivered in them, too, both say the same.
pub const WORDS: Format = Format::Videodb;

/// Alerts that may wait for whoever passes them on.
const ALERTS: usize = 256;

/// Checks that may wait: those of a second on a large box.
const CHECKS: usize = 1024;

/// Both feeds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// `monitor.triggered` events, each after the commit that accepted it.
    pub alerts: Feed<Alert>,
    /// Every check that was answered.
    pub checks: Feed<Checked>,
}

impl Default for Broadcast {
    fn default() -> Broadcast {
        Broadcast { alerts: Feed::with_room_for(ALERTS), checks: Feed::with_room_for(CHECKS) }
    }
}

/// An alert that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// A `monitor.triggered`.
    pub event: Event,
    /// Microseconds of the wall clock that stand for it wherever it is told in these words ([`WORDS`]).
    pub moment_us: i64,
}

/// A check that was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Which monitor.
    pub monitor: Name,
    /// Where it looked.
    pub camera: Name,
    /// The condition, verbatim.
    pub condition: String,
    /// What was answered.
    pub verdict: Verdict,
    /// When its frame arrived.
    pub seen: Now,
}

/// One kind of thing that is said. Cheap to clone.
#[derive(Debug)]
pub struct Feed<T> {
    listeners: Arc<AtomicUsize>,
    said: broadcast::Sender<Arc<T>>,
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Feed<T> {
        Feed { listeners: self.listeners.clone(), said: self.said.clone() }
    }
}

impl<T> Feed<T> {
    fn with_room_for(capacity: usize) -> Feed<T> {
        Feed { listeners: Arc::default(), said: broadcast::Sender::new(capacity) }
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    /// Says what `make` gives, which is called only if somebody listens. A receiver that is behind misses the oldest.
    pub fn say(&self, make: impl FnOnce() -> T) {
        if self.is_heard() {
            // Without a receiver there is nothing to be done about it.
            let _ = self.said.send(Arc::new(make()));
        }
    }

    /// From now on somebody listens, until this is dropped.
    pub fn listen(&self) -> Listening {
        self.listeners.fetch_add(1, Ordering::Relaxed);
        Listening(self.listeners.clone())
    }

    /// Where it arrives, whenever somebody listens.
    pub fn receive(&self) -> broadcast::Receiver<Arc<T>> {
        self.said.subscribe()
    }
}

/// Somebody listens to a feed.
#[derive(Debug)]
pub struct Listening(Arc<AtomicUsize>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    #[test]
    fn nothing_is_even_made_while_nobody_listens() {
        let feed = Feed::<u32>::with_room_for(2);
        let mut received = feed.receive();
        feed.say(|| unreachable!("nobody listens"));
        let (first, second) = (feed.listen(), feed.listen());
        feed.say(|| 1);
        drop(first);
        feed.say(|| 2);
        drop(second);
        feed.say(|| unreachable!("nobody listens any more"));
        assert_eq!((*received.try_recv().unwrap(), *received.try_recv().unwrap()), (1, 2));
        assert_eq!(received.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn whoever_is_behind_misses_the_oldest_and_knows_it() {
        let feed = Feed::<u32>::with_room_for(2);
        let mut received = feed.receive();
        let _listening = feed.listen();
        (1..=5).for_each(|number| feed.say(|| number));
        assert_eq!(received.try_recv(), Err(TryRecvError::Lagged(3)));
        assert_eq!(*received.try_recv().unwrap(), 4);
    }
}
