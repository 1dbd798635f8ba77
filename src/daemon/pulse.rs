//! Whether every loop is alive.
//!
//! Owns the list of loops and how long they may be silent; refuses to know what they do. Read by the main thread, which
//! feeds systemd's watchdog only while all of them show signs of life.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::crew::{Crew, Lookout};
use crate::time::{Mono, Now};

/// A loop that was silent for so long hangs: it beats once a second, but for a commit or a slow disconnect.
const SILENCE: Duration = Duration::from_secs(20);

/// The loops that must be alive.
pub(super) struct Pulse {
    loops: Vec<Loop>,
}

struct Loop {
    name: String,
    last_beat: Box<dyn Fn() -> Mono + Send>,
}

impl Pulse {
    /// All threads of the daemon that loop by themselves, at this moment.
    pub(super) fn of(crew: &Crew) -> Pulse {
        let of_lookout = |lookout: &Lookout| {
            let camera = lookout.camera.name();
            let pulse = Loop { name: format!("camera-{camera}"), last_beat: lookout.camera.beat_reader() };
            let watch = lookout.watch.as_ref();
            let watch = watch.map(|it| Loop { name: format!("watch-{camera}"), last_beat: it.beat_reader() });
            [Some(pulse), watch]
        };
        let mut loops: Vec<Loop> = crew.each(of_lookout).into_iter().flatten().flatten().collect();
        for (name, model) in crew.models() {
            let beat = model.heartbeat().clone();
            let last_beat = Box::new(move || Mono(beat.load(Ordering::Relaxed)));
            // A model may think for long; what must be alive is whoever ends it when it thinks for too long.
            loops.push(Loop { name: format!("guard-{name}"), last_beat });
        }
        Pulse { loops }
    }

    /// Whether all of them were seen lately; says which were not.
    pub(super) fn is_steady(&self, now: Now) -> bool {
        let mut steady = true;
        for Loop { name, last_beat } in &self.loops {
            let silent = now.mono.since(last_beat());
            if silent > SILENCE {
                tracing::error!(thread = name, silent_s = silent.as_secs(), "a loop hangs");
                steady = false;
            }
        }
        steady
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_loop_that_hangs_is_enough() {
        let second = |seconds: u64| Now::in_clip(Duration::from_secs(seconds));
        let beating = |name: &str, at: Now| Loop { name: name.into(), last_beat: Box::new(move || at.mono) };
        let pulse = |camera, guard| Pulse { loops: vec![beating("camera", camera), beating("guard", guard)] };
        assert!(pulse(second(100), second(91)).is_steady(second(110)));
        assert!(!pulse(second(100), second(121)).is_steady(second(121)), "a camera hangs");
        assert!(!pulse(second(121), second(100)).is_steady(second(121)), "a guard hangs");
    }
}
