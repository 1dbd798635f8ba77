//! The WebSocket connections there are, by id, and which monitors' alerts were bound to each.
//!
//! Owns that such an alert lives as long as its connection, and that it decides which alerts that connection gets; refuses to
//! know what is said and what an alert is otherwise (`api/alerts`). In memory only. Its locks are held for moments.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;
use uuid::Uuid;

use super::relay::Ear;
use crate::name::Name;
use crate::time::{Wall, now};

/// So many alerts may be bound to one connection.
const MOST: usize = 64;

/// Everybody who is on the line.
#[derive(Default)]
pub(in crate::api) struct Callers(Mutex<BTreeMap<Name, Arc<Caller>>>);

/// One connection.
struct Caller {
    id: Name,
    bound: Mutex<Bound>,
    /// What it is bound to has changed.
    rung: Notify,
}

struct Bound {
    /// It chose the channel of all alerts.
    chose_all: bool,
    alerts: BTreeMap<Name, Heard>,
    /// It begins to listen where it didn't. It is made by whoever binds, so that no alert is missed from then on.
    ear: Option<Ear>,
}

/// An alert that is bound to a connection.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::api) struct Heard {
    /// Which connection.
    pub(in crate::api) connection: Name,
    /// Whose alerts it gets.
    pub(in crate::api) monitor: Name,
    /// Whether it gets them.
    pub(in crate::api) enabled: bool,
    /// Since when it is bound.
    pub(in crate::api) made: Wall,
}

/// Why an alert is not bound to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::api) enum Unheard {
    /// Nobody of that id is there.
    #[error("there is no WebSocket connection of that id")]
    Gone,
    /// It has enough.
    #[error("{MOST} alerts are bound to that connection already")]
    Full,
}

impl Callers {
    /// A connection that is there until what this gives is dropped.
    pub(super) fn enter(self: &Arc<Callers>, chose_all: bool) -> Line {
        let id = named(now().new_id());
        let bound = Mutex::new(Bound { chose_all, alerts: BTreeMap::new(), ear: None });
        let caller = Arc::new(Caller { id, bound, rung: Notify::new() });
        self.held().insert(caller.id.clone(), caller.clone());
        Line { callers: self.clone(), caller }
    }

    /// Binds the alert `id` to a connection, from now on and in the place of any other connection; one that heard none begins
    /// to with `listen`. Whether it is new there.
    ///
    /// # Errors
    /// [`Unheard`]: nothing has changed.
    pub(super) fn bind(
        &self,
        id: &Name,
        connection: &Name,
        monitor: &Name,
        listen: impl FnOnce() -> Ear,
    ) -> Result<bool, Unheard> {
        let callers = self.held();
        let caller = callers.get(connection).ok_or(Unheard::Gone)?;
        let mut bound = caller.bound();
        if bound.alerts.contains_key(id) {
            return Ok(false);
        }
        if bound.alerts.len() >= MOST {
            return Err(Unheard::Full);
        }
        if bound.alerts.is_empty() && !bound.chose_all {
            bound.ear = Some(listen());
        }
        let heard = Heard { connection: connection.clone(), monitor: monitor.clone(), enabled: true, made: now().wall };
        bound.alerts.insert(id.clone(), heard);
        drop(bound);
        for other in callers.values().filter(|other| other.id != *connection) {
            other.unbind(id);
        }
        caller.rung.notify_one();
        Ok(true)
    }

    /// Takes it off its connection. Whether it was bound to one.
    pub(in crate::api) fn unbind(&self, id: &Name) -> bool {
        // Of all, not up to the first: `any` would stop there.
        self.held().values().filter(|caller| caller.unbind(id)).count() > 0
    }

    /// Makes its connection get it or not. Whether it is bound to one.
    pub(in crate::api) fn switch(&self, id: &Name, enabled: bool) -> bool {
        self.held().values().any(|caller| {
            let mut bound = caller.bound();
            let heard = bound.alerts.get_mut(id);
            heard.map(|heard| heard.enabled = enabled).is_some()
        })
    }

    /// All that are bound, by id.
    pub(in crate::api) fn heard(&self) -> BTreeMap<Name, Heard> {
        self.held().values().flat_map(|caller| caller.bound().alerts.clone()).collect()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Name, Arc<Caller>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    fn bound(&self) -> MutexGuard<'_, Bound> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unbind(&self, id: &Name) -> bool {
        let was_bound = self.bound().alerts.remove(id).is_some();
        if was_bound {
            self.rung.notify_one();
        }
        was_bound
    }
}

/// A connection's place among the callers.
pub(super) struct Line {
    callers: Arc<Callers>,
    caller: Arc<Caller>,
}

impl Line {
    /// The first message: by what this connection is known. VideoDB's clients look for `connection_id` on the outside.
    pub(super) fn greeting(&self) -> Utf8Bytes {
        let id = &self.caller.id;
        format!("{{\"channel\":\"connection\",\"connection_id\":\"{id}\",\"data\":{{\"connection_id\":\"{id}\"}}}}")
            .into()
    }

    /// Completes when what is bound to it has changed.
    pub(super) async fn rung(&self) {
        self.caller.rung.notified().await;
    }

    /// Listens to alerts where one is bound, and no longer where none is.
    pub(super) fn tune(&self, ear: &mut Option<Ear>) {
        let mut bound = self.caller.bound();
        if let Some(new) = bound.ear.take() {
            *ear = Some(new);
        }
        if bound.alerts.is_empty() && !bound.chose_all {
            *ear = None;
        }
    }

    /// Whether an alert of `monitor` is for it: with alerts bound to it, these decide; without, it chose.
    pub(super) fn wants(&self, monitor: Option<&Name>) -> bool {
        let bound = self.caller.bound();
        match bound.alerts.is_empty() {
            true => bound.chose_all,
            false => bound.alerts.values().any(|heard| heard.enabled && Some(&heard.monitor) == monitor),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.callers.held().remove(&self.caller.id);
    }
}

/// `ws-` and 32 hex digits.
fn named(id: Uuid) -> Name {
    Name::new(&format!("ws-{}", id.simple())).expect("letters, digits and a dash")
}

#[cfg(test)]
mod tests {
    use super::super::relay::Relay;
    use super::*;
    use crate::broadcast::Broadcast;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    struct Station {
        broadcast: Broadcast,
        relay: Relay,
        callers: Arc<Callers>,
    }

    impl Station {
        fn new() -> Station {
            let broadcast = Broadcast::default();
            Station { relay: Relay::new(broadcast.clone()), broadcast, callers: Arc::default() }
        }

        fn bind(&self, alert: &str, line: &Line, monitor: &str) -> Result<bool, Unheard> {
            self.callers.bind(&name(alert), &line.caller.id, &name(monitor), || self.relay.alerts())
        }
    }

    fn wanted(line: &Line) -> Vec<&'static str> {
        ["zone", "gate"].into_iter().filter(|monitor| line.wants(Some(&name(monitor)))).collect()
    }

    #[test]
    fn what_is_bound_decides_and_without_it_the_choice_does() {
        let it = Station::new();
        let (all, none) = (it.callers.enter(true), it.callers.enter(false));
        assert_eq!((wanted(&all), wanted(&none)), (vec!["zone", "gate"], vec![]));
        for line in [&all, &none] {
            assert_eq!(it.bind("a", line, "zone"), Ok(true));
            assert_eq!(it.bind("a", line, "zone"), Ok(false), "it is there already");
            assert_eq!(wanted(line), ["zone"]);
            assert!(it.callers.switch(&name("a"), false));
            assert_eq!(wanted(line), [""; 0], "what is disabled is bound all the same");
        }
        assert_eq!(wanted(&all), ["zone", "gate"], "it went over to the other one");
        assert!(it.callers.unbind(&name("a")) && !it.callers.unbind(&name("a")));
        assert_eq!(wanted(&none), [""; 0]);
    }

    #[test]
    fn somebody_listens_from_the_moment_of_the_binding_to_its_end() {
        let it = Station::new();
        let line = it.callers.enter(false);
        let mut ear = None;
        it.bind("a", &line, "zone").unwrap();
        assert!(it.broadcast.alerts.is_heard(), "before the connection has even noticed");
        line.tune(&mut ear);
        it.callers.unbind(&name("a"));
        line.tune(&mut ear);
        assert!(ear.is_none() && !it.broadcast.alerts.is_heard());
        it.bind("a", &line, "zone").unwrap();
        assert_eq!(it.callers.heard()[&name("a")].connection, line.caller.id);
        drop(line);
        assert!(it.callers.heard().is_empty() && !it.broadcast.alerts.is_heard(), "it goes with its connection");
    }

    #[test]
    fn a_connection_has_only_so_many_and_one_that_is_gone_has_none() {
        let it = Station::new();
        let line = it.callers.enter(false);
        (0..MOST).for_each(|number| assert_eq!(it.bind(&format!("a{number}"), &line, "zone"), Ok(true)));
        assert_eq!(it.bind("more", &line, "zone"), Err(Unheard::Full));
        assert_eq!(it.bind("a0", &line, "zone"), Ok(false), "what it has stays");
        let other = it.callers.enter(false);
        assert_eq!(it.bind("more", &other, "zone"), Ok(true));
        let nobody = named(now().new_id());
        assert_eq!(it.callers.bind(&name("b"), &nobody, &name("zone"), || unreachable!()), Err(Unheard::Gone));
    }
}
