//! What is left of accepted events after kills, power cuts and ends between two steps: short runs of
//! `scripts/bench durability`, which holds the harness, its oracle and its negative controls.
//!
//! The harness fails by itself when something is lost, corrupt or altered, and as well when a control goes unnoticed: a
//! wiped journal, altered bodies, wiped frames, spoiled clips, and for power cuts the flushes that `synchronous=NORMAL` or
//! `OFF` leave out, or those of clips (scripts/durability/power.py says why these are left out of the replay and not of the
//! daemon).

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::shared::{runtime, skip};

/// What `scripts/bench durability ARGS` says of the built daemon, under `part`; None: skipped.
fn durability(part: &str, args: &[&str]) -> Option<Value> {
    runtime()?;
    for needed in ["strace", "ffmpeg"] {
        if Command::new(needed).arg("-version").output().is_err() {
            skip(&format!("`{needed}` is not here"));
            return None;
        }
    }
    // What a seed finds, the next run finds again; moments of kills are never the same.
    let seed = std::env::var("STAKEOUT_TEST_SEED").unwrap_or_else(|_| "1".to_owned());
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/bench"))
        .args(["durability", "--json", "--seed", &seed, "--binary", env!("CARGO_BIN_EXE_stakeout")])
        .args(args)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "seed {seed}: {told}");
    let figures: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    Some(figures[part].clone())
}

#[test]
fn ten_kills_under_load_lose_nothing_of_what_a_real_stream_brought() {
    let Some(figures) = durability("kills", &["--kills", "10", "--rtsp"]) else { return };
    assert_eq!((&figures["lost"], &figures["altered"]), (&0.into(), &0.into()));
    assert_eq!(figures["under_load"], 8, "the others come while it starts");
    assert!(figures["accepted"].as_u64() >= Some(8), "{figures}");
    assert!(figures["control_wiped_lost"].as_u64() > Some(0) && figures["control_altered"].as_u64() > Some(0));
    assert!(figures["clips"]["rows"].as_u64() > Some(0) && figures["clips"]["wrong"] == json!({}), "{figures}");
}

#[test]
fn an_end_between_two_steps_loses_nothing() {
    let Some(figures) = durability("failpoints", &["--failpoints", "8"]) else { return };
    assert_eq!((&figures["lost"], &figures["corrupt"], &figures["frames_missing"]), (&0.into(), &0.into(), &0.into()));
    let killed: u64 = figures["killed"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(killed, 8);
    assert!(figures["clips"]["rows"].as_u64() > Some(0) && figures["clips"]["wrong"] == json!({}), "{figures}");
    assert!(figures["control_frames_missing"].as_u64() > Some(0));
    assert!(figures["control_clips_wrong"]["missing"].as_u64() > Some(0));
}

#[test]
fn a_hundred_power_cuts_lose_nothing_and_without_flushes_they_would() {
    let Some(figures) = durability("power_cuts", &["--power-cuts", "100"]) else { return };
    assert_eq!((&figures["cuts"], &figures["lost"], &figures["corrupt"]), (&100.into(), &0.into(), &0.into()));
    assert!(figures["promises"].as_u64() > Some(100), "{figures}");
    assert!(figures["control_normal_lost"].as_u64() > Some(0) && figures["control_off_corrupt"].as_u64() > Some(0));
    assert!(figures["clips"]["ready"].as_u64() > Some(0) && figures["clips"]["wrong"] == json!({}), "{figures}");
}
