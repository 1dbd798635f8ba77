//! Whether every loop is alive.
//!
//! Owns the list of loops and how long each may be silent; refuses to know what they do. Read by the main thread, which
//! feeds systemd's watchdog only while all of them show signs of life.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::camera::Camera;
use crate::model::Handle;
use crate::name::Name;
use crate::time::{Mono, Now};
use crate::watch::Watch;

/// A loop that was silent for so long hangs: it beats once a second, but for a commit or a slow disconnect.
const SILENCE: Duration = Duration::from_secs(20);

/// A model is silent while it thinks, and a large one on a small box thinks for long.
const THINKING: Duration = Duration::from_secs(300);

/// The loops that must be alive.
pub(super) struct Pulse {
    loops: Vec<Loop>,
}

struct Loop {
    name: String,
    last_beat: Box<dyn Fn() -> Mono + Send>,
    silence: Duration,
}

impl Pulse {
    /// All threads of the daemon that loop by themselves.
    pub(super) fn of(cameras: &[Camera], watches: &[Watch], models: &BTreeMap<Name, Handle>) -> Pulse {
        let mut loops = Vec::new();
        for camera in cameras {
            let name = format!("camera-{}", camera.name());
            loops.push(Loop { name, last_beat: camera.beat_reader(), silence: SILENCE });
        }
        for watch in watches {
            let name = format!("watch-{}", watch.camera());
            loops.push(Loop { name, last_beat: watch.beat_reader(), silence: SILENCE });
        }
        for (name, model) in models {
            let beat = model.heartbeat().clone();
            let last_beat = Box::new(move || Mono(beat.load(Ordering::Relaxed)));
            loops.push(Loop { name: format!("model-{name}"), last_beat, silence: THINKING });
        }
        Pulse { loops }
    }

    /// Whether all of them were seen lately; says which were not.
    pub(super) fn is_steady(&self, now: Now) -> bool {
        let mut steady = true;
        for Loop { name, last_beat, silence } in &self.loops {
            let silent = now.mono.since(last_beat());
            if silent > *silence {
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
        let beating =
            |name: &str, at: Now, silence| Loop { name: name.into(), last_beat: Box::new(move || at.mono), silence };
        let pulse = |camera, model| Pulse {
            loops: vec![beating("camera", camera, SILENCE), beating("model", model, THINKING)],
        };
        assert!(pulse(second(100), second(50)).is_steady(second(110)), "a model may think for long");
        assert!(!pulse(second(100), second(100)).is_steady(second(121)), "a camera may not");
        assert!(!pulse(second(1000), second(100)).is_steady(second(1000)), "nor may a model for ever");
    }
}
