//! How often `scene_index` tells of a monitor on a camera: once a second, and then what is newest.
//!
//! Owns the rule; refuses to know who is told. Pure: the time is an argument.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::broadcast::Checked;
use crate::name::Name;
use crate::time::Mono;

/// Not oftener than this.
const EVERY: Duration = Duration::from_secs(1);

/// What was told of each monitor and camera lately, and what is still to be told.
#[derive(Default)]
pub(super) struct Pace(BTreeMap<(Name, Name), Turn>);

struct Turn {
    next: Mono,
    waiting: Option<Arc<Checked>>,
}

impl Pace {
    /// A check was answered: it takes the place of the one that waits, if one does.
    pub(super) fn take(&mut self, checked: Arc<Checked>) {
        let whose = (checked.monitor.clone(), checked.camera.clone());
        self.0.entry(whose).or_insert(Turn { next: Mono(0), waiting: None }).waiting = Some(checked);
    }

    /// What is to be told at `now`.
    pub(super) fn due(&mut self, now: Mono) -> Vec<Arc<Checked>> {
        // Of those that were told of long ago and have nothing to say nothing needs to be known.
        self.0.retain(|_, turn| turn.waiting.is_some() || turn.next > now);
        let mut due = Vec::new();
        for turn in self.0.values_mut().filter(|turn| turn.next <= now) {
            if let Some(checked) = turn.waiting.take() {
                turn.next = now.plus(EVERY);
                due.push(checked);
            }
        }
        due
    }

    /// How long until something that waits is due; None: nothing waits.
    pub(super) fn wait(&self, now: Mono) -> Option<Duration> {
        let waiting = self.0.values().filter(|turn| turn.waiting.is_some());
        waiting.map(|turn| turn.next.since(now)).min()
    }

    /// Nobody listens any more.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::now;
    use crate::verdict::{Answer, Verdict};

    fn checked(monitor: &str, camera: &str, explanation: &str) -> Arc<Checked> {
        let verdict = Verdict {
            confidence: 0.5,
            answer: Answer::No,
            explanation: explanation.to_owned(),
            regions: Vec::new(),
            z: None,
            answer_mass: None,
        };
        let (monitor, camera) = (Name::new(monitor).unwrap(), Name::new(camera).unwrap());
        Arc::new(Checked { monitor, camera, condition: String::new(), verdict, seen: now() })
    }

    fn told(due: &[Arc<Checked>]) -> Vec<&str> {
        due.iter().map(|checked| checked.verdict.explanation.as_str()).collect()
    }

    #[test]
    fn each_monitor_on_each_camera_is_told_of_once_a_second_and_the_newest_wins() {
        let mut pace = Pace::default();
        let at = |millis: u64| Mono(Duration::from_secs(100).as_nanos() as u64).plus(Duration::from_millis(millis));
        pace.take(checked("zone", "yard", "first"));
        assert_eq!(told(&pace.due(at(0))), ["first"]);
        assert_eq!(pace.wait(at(0)), None);
        pace.take(checked("zone", "yard", "second"));
        pace.take(checked("zone", "yard", "third"));
        pace.take(checked("zone", "gate", "elsewhere"));
        assert_eq!(told(&pace.due(at(200))), ["elsewhere"]);
        assert_eq!(pace.wait(at(400)), Some(Duration::from_millis(600)));
        assert_eq!(told(&pace.due(at(999))), [""; 0]);
        assert_eq!(told(&pace.due(at(1000))), ["third"]);
        assert_eq!(told(&pace.due(at(9000))), [""; 0]);
        assert!(pace.0.is_empty(), "nothing is kept of what is over");
    }
}
