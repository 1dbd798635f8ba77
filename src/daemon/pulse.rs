//! Whether every loop is alive.
//!
//! Owns the list of loops, the beats of those that have none of their own, and how long they may be silent; refuses to know
//! what they do. Read by the main thread, which feeds systemd's watchdog only while all of them show signs of life. What is
//! spawned runs on tokio: a runtime whose workers all hang runs nothing any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::crew::{Crew, Lookout};
use crate::journal::Meters;
use crate::time::{self, Mono, Now};

/// A loop that was silent for so long hangs: it beats once a second, but for a commit or a slow disconnect.
const SILENCE: Duration = Duration::from_secs(20);

/// A runtime shows this often that it is alive.
const BEAT: Duration = Duration::from_secs(1);

/// The loops that must be alive.
pub(super) struct Pulse {
    crew: Arc<Crew>,
    /// Those that last as long as the daemon.
    lasting: Vec<Loop>,
}

struct Loop {
    name: String,
    last_beat: Box<dyn Fn() -> Mono + Send>,
}

impl Pulse {
    /// All threads of `crew` that loop by themselves, whichever there are at a time; the journal's writer, and `runtimes`
    /// with their names.
    pub(super) fn new(crew: Arc<Crew>, journal: Arc<Meters>, runtimes: [(&str, &Runtime); 2]) -> Pulse {
        let writer = Loop { name: "journal-writer".to_owned(), last_beat: Box::new(move || journal.last_beat()) };
        let runtimes = runtimes.map(|(name, runtime)| Loop::on(name, runtime));
        Pulse { crew, lasting: [writer].into_iter().chain(runtimes).collect() }
    }

    /// Whether all of them were seen lately; says which were not.
    pub(super) fn is_steady(&self, now: Now) -> bool {
        let mut steady = true;
        for Loop { name, last_beat } in loops(&self.crew).iter().chain(&self.lasting) {
            let silent = now.mono.since(last_beat());
            if silent > SILENCE {
                tracing::error!(thread = name, silent_s = silent.as_secs(), "a loop hangs");
                steady = false;
            }
        }
        steady
    }
}

impl Loop {
    /// A task that only beats, for as long as `runtime` runs anything.
    fn on(name: &str, runtime: &Runtime) -> Loop {
        let beat = Arc::new(AtomicU64::new(time::now().mono.0));
        let last_beat = beat.clone();
        runtime.spawn(async move {
            let mut due = tokio::time::interval(BEAT);
            loop {
                due.tick().await;
                beat.store(time::now().mono.0, Ordering::Relaxed);
            }
        });
        Loop { name: name.to_owned(), last_beat: Box::new(move || Mono(last_beat.load(Ordering::Relaxed))) }
    }
}

/// Cameras, those who watch them, and guards of models, at this moment.
fn loops(crew: &Crew) -> Vec<Loop> {
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
    loops
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::runtime::Builder;

    use super::*;

    fn silent_until(name: &str, at: Now) -> Loop {
        Loop { name: name.into(), last_beat: Box::new(move || at.mono) }
    }

    #[test]
    fn one_loop_that_hangs_is_enough() {
        let second = |seconds: u64| Now::in_clip(Duration::from_secs(seconds));
        let pulse = |writer, tokio| Pulse {
            crew: Arc::default(),
            lasting: vec![silent_until("journal-writer", writer), silent_until("tokio", tokio)],
        };
        assert!(pulse(second(100), second(91)).is_steady(second(110)));
        assert!(!pulse(second(100), second(121)).is_steady(second(121)), "the writer hangs");
        assert!(!pulse(second(121), second(100)).is_steady(second(121)), "tokio hangs");
    }

    /// Waits until `beat` shows another time than `before`.
    fn beats_after(pulse: &Pulse, before: Mono) -> Mono {
        let beat = &pulse.lasting[0].last_beat;
        while beat() <= before {
            std::thread::yield_now();
        }
        beat()
    }

    #[test]
    fn a_runtime_whose_workers_hang_starves_the_watchdog() {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let pulse = Pulse { crew: Arc::default(), lasting: vec![Loop::on("tokio", &runtime)] };
        let first = beats_after(&pulse, (pulse.lasting[0].last_beat)());
        let (held, holding) = mpsc::channel();
        let releases = [(), ()].map(|()| {
            let (release, released) = mpsc::channel::<()>();
            let held = held.clone();
            runtime.spawn(async move {
                held.send(()).unwrap();
                let _ = released.recv();
            });
            release
        });
        holding.iter().take(2).for_each(drop);
        // Nobody is left who could beat: however late it gets, this is the last sign of life.
        let last = (pulse.lasting[0].last_beat)();
        assert!(last >= first);
        let late = time::now().plus(SILENCE + BEAT);
        assert!(!pulse.is_steady(late));
        assert_eq!((pulse.lasting[0].last_beat)(), last);
        drop(releases);
        let again = beats_after(&pulse, last);
        assert!(pulse.is_steady(Now { mono: again.plus(SILENCE), ..late }), "it beats again");
    }
}
