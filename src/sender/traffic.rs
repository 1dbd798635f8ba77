//! What goes before uploads: alerts that are on their way, to whichever endpoint.
//!
//! Owns the count of these endpoints, and that nobody waits for them without end; refuses to know deliveries. Used from every sender's task.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::clock::Clock;

/// However many alerts there are, a piece goes after so long: none waits longer behind it than it takes anyway.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many endpoints have an alert to send just now. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub(super) struct Traffic(Arc<watch::Sender<usize>>);

impl Default for Traffic {
    fn default() -> Traffic {
        Traffic(Arc::new(watch::channel(0).0))
    }
}

impl Traffic {
    /// For one endpoint, which has nothing to send yet.
    pub(super) fn load(&self) -> Load {
        Load { traffic: self.clone(), waits: false }
    }

    /// Completes when nobody has an alert to send, or it was waited for that long enough.
    pub(super) async fn is_over(&self, clock: &Clock) {
        let mut endpoints = self.0.subscribe();
        if *endpoints.borrow_and_update() > 0 {
            tokio::select! {
                // The other end is ours.
                _ = endpoints.wait_for(|endpoints| *endpoints == 0) => {}
                () = clock.sleep(PATIENCE, false) => {}
            }
        }
    }
}

/// Whether one endpoint has an alert to send; it has none when this is dropped.
#[derive(Debug)]
pub(super) struct Load {
    traffic: Traffic,
    waits: bool,
}

impl Load {
    pub(super) fn set(&mut self, waits: bool) {
        if waits == self.waits {
            return;
        }
        self.waits = waits;
        self.traffic.0.send_modify(|endpoints| match waits {
            true => *endpoints += 1,
            false => *endpoints -= 1,
        });
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;
    use crate::sender::Driven;
    use crate::time::now;

    #[tokio::test]
    async fn uploads_wait_until_the_last_endpoint_has_nothing_to_send() {
        let traffic = Traffic::default();
        traffic.is_over(&Clock::Real).await;
        let (mut one, mut other) = (traffic.load(), traffic.load());
        one.set(true);
        one.set(true);
        other.set(true);
        let mut over = pin!(traffic.is_over(&Clock::Real));
        for end in [true, false] {
            assert!(poll_fn(|context| Poll::Ready(over.as_mut().poll(context).is_pending())).await);
            if end { one.set(false) } else { break }
        }
        drop(other);
        over.await;
    }

    #[tokio::test]
    async fn nobody_waits_without_end() {
        let driven = Driven::at(now());
        let (traffic, clock) = (Traffic::default(), Clock::Driven(driven.clone()));
        let mut load = traffic.load();
        load.set(true);
        let mut over = pin!(traffic.is_over(&clock));
        for wait in [Duration::ZERO, PATIENCE.saturating_sub(Duration::from_secs(1))] {
            driven.move_to(driven.now().mono.plus(wait));
            assert!(poll_fn(|context| Poll::Ready(over.as_mut().poll(context).is_pending())).await, "{wait:?}");
        }
        driven.move_to(driven.now().mono.plus(Duration::from_secs(1)));
        over.await;
    }
}
