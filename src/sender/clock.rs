//! The senders' time: the real one, or one that a test drives.
//!
//! Owns reading and waiting, the only two things a sender does with time; refuses to know what is waited for. With a
//! driven clock a day passes in a moment, while the journal, the sockets and everything else are real.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::time::{self, Mono, Now};

/// Where the senders of a box have their time from. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    Real,
    /// A test's.
    Driven(Driven),
}

impl Clock {
    /// Both clocks, at this moment.
    pub fn now(&self) -> Now {
        match self {
            Clock::Real => time::now(),
            Clock::Driven(driven) => driven.now(),
        }
    }

    /// Waits for `delay`. `idle`: the caller has nothing under way that could wake it before.
    pub(super) async fn sleep(&self, delay: Duration, idle: bool) {
        match self {
            Clock::Real => tokio::time::sleep(delay).await,
            Clock::Driven(driven) => driven.sleep(delay, idle).await,
        }
    }
}

/// Time that stands still until a test moves it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Driven(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    moved: Notify,
    lay_down: Notify,
}

#[derive(Debug)]
struct State {
    now: Now,
    /// Those who sleep with nothing under way, and until when.
    resting: BTreeMap<u64, Mono>,
    sleeps: u64,
}

impl Driven {
    /// Time that stands at `now`.
    pub fn at(now: Now) -> Driven {
        let state = State { now, resting: BTreeMap::new(), sleeps: 0 };
        Driven(Arc::new(Shared { state: Mutex::new(state), moved: Notify::new(), lay_down: Notify::new() }))
    }

    /// Where it stands.
    pub fn now(&self) -> Now {
        self.state().now
    }

    /// Moves it to `mono`, the wall clock with it; whoever slept until then or earlier wakes. Never back.
    pub fn move_to(&self, mono: Mono) {
        let mut state = self.state();
        state.now = state.now.plus(mono.since(state.now.mono));
        let now = state.now.mono;
        state.resting.retain(|_, until| *until > now);
        drop(state);
        self.0.moved.notify_waiters();
    }

    /// Sets whether the wall clock can be believed.
    pub fn set_synced(&self, synced: bool) {
        self.state().now.synced = synced;
        self.0.moved.notify_waiters();
    }

    /// How often somebody lay down to sleep so far.
    pub fn sleeps(&self) -> u64 {
        self.state().sleeps
    }

    /// Waits until `sleepers` sleep with nothing under way, and somebody has lain down since `sleeps`: whatever woke him is
    /// done. When the first of them wakes.
    pub async fn until_at_rest(&self, sleepers: usize, sleeps: u64) -> Mono {
        loop {
            let lay_down = self.0.lay_down.notified();
            tokio::pin!(lay_down);
            lay_down.as_mut().enable();
            {
                let state = self.state();
                if state.sleeps > sleeps && state.resting.len() == sleepers {
                    return state.resting.values().min().copied().unwrap_or(state.now.mono);
                }
            }
            lay_down.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep(&self, delay: Duration, idle: bool) {
        let (until, _resting) = {
            let mut state = self.state();
            state.sleeps += 1;
            let (number, until) = (state.sleeps, state.now.mono.plus(delay));
            if idle && until > state.now.mono {
                state.resting.insert(number, until);
            }
            (until, Resting { clock: self, number })
        };
        self.0.lay_down.notify_waiters();
        loop {
            // Before looking: a move between the look and the wait is not missed.
            let moved = self.0.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.now().mono >= until {
                return;
            }
            moved.await;
        }
    }
}

/// Somebody who rests, until it is dropped.
struct Resting<'a> {
    clock: &'a Driven,
    number: u64,
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.clock.state().resting.remove(&self.number);
    }
}
