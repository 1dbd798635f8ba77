//! Whether every loop is alive.
//!
//! Owns the list of loops and how long each may be silent; refuses to know what they do. Read by the main thread, which
//! feeds systemd's watchdog only while all of them show signs of life.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::camera::Camera;
use crate::model::Handle;
use crate::name::Name;
use crate::time::{Mono, Now};
use crate::watch::Watch;

/// A loop that was silent for so long hangs. The slowest honest silence is one inference of a large model.
const SILENCE: Duration = Duration::from_secs(20);

type LastBeat = Box<dyn Fn() -> Mono + Send>;

/// The loops that must be alive.
pub struct Pulse {
    loops: Vec<(String, LastBeat)>,
}

impl Pulse {
    /// All loops of the daemon.
    pub fn of(cameras: &[Camera], watches: &[Watch], models: &BTreeMap<Name, Handle>) -> Pulse {
        let mut loops: Vec<(String, LastBeat)> = Vec::new();
        for camera in cameras {
            loops.push((format!("camera-{}", camera.name()), camera.beat_reader()));
        }
        for watch in watches {
            loops.push((format!("watch-{}", watch.camera()), watch.beat_reader()));
        }
        for (name, model) in models {
            let beat = model.heartbeat().clone();
            let read = move || Mono(beat.load(std::sync::atomic::Ordering::Relaxed));
            loops.push((format!("model-{name}"), Box::new(read)));
        }
        Pulse { loops }
    }

    /// Whether all of them were seen lately; says which were not.
    pub fn is_steady(&self, now: Now) -> bool {
        let mut steady = true;
        for (name, last) in &self.loops {
            let silent = now.mono.since(last());
            if silent > SILENCE {
                tracing::error!(thread = name, silent_s = silent.as_secs(), "a loop hangs");
                steady = false;
            }
        }
        steady
    }
}
