//! Models that share a box, with the built binary: one that hangs, and one that is spared.
//!
//! `tests/data/lamp.mp4` is a lamp in a dark room: off for 5 s, on for 3 s. (`gst-launch-1.0 concat name=c ! videoconvert !
//! x264enc key-int-max=10 bframes=0 speed-preset=veryslow ! video/x-h264,profile=main ! mp4mux ! filesink
//! location=lamp.mp4`, fed by `videotestsrc num-buffers=50 pattern=black ! video/x-raw,width=64,height=64,framerate=10/1 !
//! c.`, then 30 buffers of `pattern=white`.) The model `slow-model` answers at once in the dark and counts for years when
//! the light is on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use serde_json::Value;
use stakeout::model::{self, Findings, Folder, Limits, Reply, Request, Tensor, Work};
use stakeout::name::Name;

use crate::appliance::Appliance;
use crate::shared::runtime;

/// A looping camera.
fn camera(name: &str, clip: &str, repeat: bool) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!(
        "[[camera]]\nname = \"{name}\"\ndecode = \"all\"\nurl = \"file://{root}/tests/data/{clip}\"\nloop = {repeat}\n"
    )
}

/// A model of tests/data/models.
fn fixture(name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!("[[model]]\nname = \"{name}\"\npath = \"{root}/tests/data/models/{name}\"\n")
}

fn monitor(name: &str, camera: &str, model: &str, more: &str) -> String {
    format!(
        "[[monitor]]\nname = \"{name}\"\ncamera = \"{camera}\"\nmodel = \"{model}\"\ncheck_interval = \"200ms\"\ngate = \"off\"\n{more}\n"
    )
}

/// A lamp that is watched by the model that hangs when it is on, and by another one; and a yard.
fn lamp(run_timeout: &str) -> Appliance {
    let mut config = camera("lamp", "lamp.mp4", true) + &camera("yard", "yard.mp4", true) + &fixture("slow-model");
    for (name, camera, model, label) in [
        ("slow", "lamp", "slow-model", "dark"),
        ("neighbour", "lamp", "yard-classifier", "person"),
        ("elsewhere", "yard", "yard-classifier", "person"),
    ] {
        config += &monitor(name, camera, model, &format!("labels = [\"{label}\"]"));
    }
    let appliance = Appliance::new(&config);
    appliance.edit("threads = 1\n", &format!("threads = 1\nrun_timeout = \"{run_timeout}\"\n"));
    appliance
}

fn named<'s>(status: &'s Value, list: &str, name: &str) -> &'s Value {
    status[list].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()
}

/// Checks of a monitor that were answered.
fn answered(status: &Value, monitor: &str) -> u64 {
    let monitor = named(status, "monitors", monitor);
    monitor["checks"].as_u64().unwrap() - monitor["verdict_errors"].as_u64().unwrap()
}

/// Waits for so many more answers. The light may go on while the model is being loaded: then its first run takes longer.
fn more(appliance: &Appliance, monitor: &str, count: u64) -> Value {
    let goal = answered(&appliance.status(), monitor) + count;
    appliance.until_within(Duration::from_secs(300), &format!("{count} more answers for `{monitor}`"), |it| {
        Some(it.status()).filter(|status| answered(status, monitor) >= goal)
    })
}

#[test]
fn a_model_that_hangs_is_ended_and_nobody_else_notices() {
    if runtime().is_none() {
        return;
    }
    // From the light going on to a moment after it went off, one round later; nothing else on a busy machine takes as long.
    let mut appliance = lamp("12s");
    appliance.start();
    let hung = |status: &Value| {
        named(status, "models", "slow-model")["hangs"] != 0 && named(status, "monitors", "slow")["verdict_errors"] != 0
    };
    let status = appliance.until("a hang that counts", |it| Some(it.status()).filter(hung));
    let warned = |status: &Value| status["warnings"].to_string().contains("model `slow-model`");
    assert!(warned(&status), "{status}");
    more(&appliance, "neighbour", 10);
    more(&appliance, "elsewhere", 10);
    // The light goes out.
    let status = more(&appliance, "slow", 10);
    let model = named(&status, "models", "slow-model");
    assert!(model["reloads"].as_u64().unwrap() > 0, "{model}");
    for other in ["neighbour", "elsewhere"] {
        assert_eq!(named(&status, "monitors", other)["verdict_errors"], 0, "{status}");
    }
    let other = named(&status, "models", "yard-classifier");
    assert_eq!([&other["hangs"], &other["reloads"]], [0, 0]);
    appliance.stop();
    let log = appliance.log();
    assert!(log.contains("a run takes too long; it is ended"), "{log}");
}

/// What the guard is good for: without it, the model is silent from the first time that the light goes on.
#[test]
fn without_a_limit_it_would_be_silent_for_ever() {
    if runtime().is_none() {
        return;
    }
    let mut appliance = lamp("1h");
    appliance.start();
    // Two rounds of the lamp at least: the light goes on, off again, and on.
    more(&appliance, "neighbour", 80);
    let before = answered(&appliance.status(), "slow");
    let status = more(&appliance, "neighbour", 80);
    assert_eq!(answered(&status, "slow"), before, "{status}");
    assert_eq!(named(&status, "models", "slow-model")["hangs"], 0);
    appliance.kill();
}

/// A yard that is played once and watched by a model that reads, and what became of it.
fn yard(only_when: &str) -> Value {
    let mut config = camera("yard", "yard.mp4", false) + &fixture("tiny-smolvlm");
    let more = format!("condition = \"Is the picture bright?\"\n{only_when}");
    config += &monitor("bright", "yard", "tiny-smolvlm", &more);
    write!(config, "{}", monitor("person", "yard", "yard-classifier", "labels = [\"person\"]")).unwrap();
    let mut appliance = Appliance::new(&config);
    appliance.start();
    let over = |it: &Appliance| {
        let status = it.status();
        let done = |monitor: &Value| monitor["state"] == "stopped";
        status["monitors"].as_array().unwrap().iter().all(done).then_some(status)
    };
    let status = appliance.until("the end of the clip", over);
    appliance.stop();
    status
}

fn count(status: &Value, list: &str, name: &str, key: &str) -> u64 {
    named(status, list, name)[key].as_u64().unwrap()
}

#[test]
fn a_candidate_spares_the_expensive_model() {
    if runtime().is_none() {
        return;
    }
    let status = yard("only_when = \"yard-classifier: person > 0.5\"");
    let (runs, spared) =
        (count(&status, "models", "tiny-smolvlm", "runs"), count(&status, "monitors", "bright", "spared"));
    let checks = count(&status, "monitors", "bright", "checks");
    assert!(runs > 0 && spared > 0, "the yard is empty at times: {status}");
    assert_eq!(runs + spared, checks, "{status}");
    assert_eq!(count(&status, "monitors", "bright", "verdict_errors"), 0, "{status}");
    // The candidate and the monitor of the same model share a run where both are due: never one for each.
    let (candidate, person) =
        (count(&status, "models", "yard-classifier", "runs"), count(&status, "monitors", "person", "checks"));
    assert!(candidate < checks + person, "{candidate} runs for {checks} and {person} checks");
}

#[test]
fn without_a_candidate_every_check_costs_a_run() {
    if runtime().is_none() {
        return;
    }
    let status = yard("");
    assert_eq!(count(&status, "monitors", "bright", "spared"), 0);
    assert_eq!(count(&status, "models", "tiny-smolvlm", "runs"), count(&status, "monitors", "bright", "checks"));
}

/// Several cameras' frames that stand in line together go through a free batch axis in one run, and each camera hears what
/// it would have heard alone.
#[test]
fn frames_that_go_together_are_answered_as_alone() {
    let Some(runtime) = runtime() else { return };
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models/batch-free");
    let folder = Folder::open(&Name::new("batch-free").unwrap(), Some(&place), Path::new(".")).unwrap();
    let loaded = model::load(runtime, &folder, 1).unwrap();
    assert!(loaded.model.is_batchable());
    let handle = model::start(loaded, Limits::default()).unwrap();
    let picture = |seed: u64| {
        let mut noise = fastrand::Rng::with_seed(seed);
        Tensor { shape: vec![1, 3, 32, 32], data: (0..3 * 32 * 32).map(|_| noise.f32()).collect() }
    };
    let request = |tag: u64, reply: &Sender<Reply>| {
        let work = Work { pictures: vec![picture(tag)], asked: Vec::new() };
        Request { caller: handle.caller(), work, patience: Duration::from_secs(60), tag, reply: reply.clone() }
    };
    let ask = |request: Request| assert!(handle.ask(request).is_ok());
    let numbers = |reply: Reply| match reply.findings.unwrap() {
        Findings::Numbers(outputs) => (reply.tag, outputs[0].data.clone()),
        Findings::Scored(_) => panic!("it has labels"),
    };
    const ALL: u64 = 200;
    let (reply, replies) = bounded(ALL as usize);
    let alone: BTreeMap<u64, Vec<f32>> = (0..ALL)
        .map(|tag| {
            ask(request(tag, &reply));
            numbers(replies.recv().unwrap())
        })
        .collect();
    assert_eq!(handle.runs().read().count(), ALL);
    // Drawn beforehand: this model is quicker than the pictures are made.
    let burst: Vec<Request> = (0..ALL).map(|tag| request(tag, &reply)).collect();
    burst.into_iter().for_each(ask);
    let together: BTreeMap<u64, Vec<f32>> = (0..ALL).map(|_| numbers(replies.recv().unwrap())).collect();
    assert!(handle.runs().read().count() < 2 * ALL, "none went together");
    for (tag, alone) in alone {
        let close = together[&tag].iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(close && together[&tag].len() == alone.len(), "{tag}: {:?} and {alone:?}", together[&tag]);
    }
}
