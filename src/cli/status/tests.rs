//! Golden pages: how a box looks when it is well, when everything is wrong, when it is large, and when it is new.
//!
//! `INSTA_UPDATE=always cargo test` writes them anew; look at the difference before you commit it.

use serde_json::{Value, json};

use super::*;

fn camera(name: &str, more: Value) -> Value {
    let online = json!({
        "name": name, "state": "online", "cause": null, "decode": "keyframes", "decode_why": "nothing moves", "packets": 1000,
        "packets_decoded": 40, "keyframe_interval_s": 2.0, "fps": 25.0, "last_frame_age_s": 0.4, "frames_decoded": 40,
        "decoder": "avdec_h264", "degraded": null, "decoder_failures": 0, "reconnects": 0, "origin": "file",
    });
    with(online, more)
}

fn offline(name: &str, cause: &str) -> Value {
    camera(name, json!({"state": "offline", "cause": cause, "fps": 0.0, "last_frame_age_s": 312.0, "reconnects": 7}))
}

fn monitor(name: &str, camera: &str, more: Value) -> Value {
    let idle = json!({
        "name": name, "camera": camera, "model": "yolox-nano", "state": "idle", "open": null, "last_confidence": 0.12,
        "checks": 8123, "triggers": 3, "skipped": {}, "verdict_errors": 0, "spared": 0, "cooldown_left_s": 0.0, "job": null,
        "statistics": statistics(), "origin": "file", "differs_from_file": false,
        "switched": false,
    });
    with(idle, more)
}

fn endpoint(name: &str, more: Value) -> Value {
    let well = json!({
        "name": name, "gone": false, "pending": 0, "held": 0, "dead": 0, "delivered_24h": 41, "success_rate": 1.0,
        "p95_latency_ms": 83.0, "last_error": null, "statistics": statistics(), "origin": "file",
    });
    with(well, more)
}

fn statistics() -> Value {
    serde_json::to_value(crate::api::Statistics::default()).unwrap()
}

fn with(mut object: Value, more: Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

fn status(more: Value) -> Status {
    let empty = json!({
        "device": "dock-box-01", "version": "0.1.0", "uptime_s": 270_000, "clock": "synced", "cameras": [], "monitors": [],
        "endpoints": [], "models": [], "onnxruntime": null, "warnings": [],
        "journal": {"bytes": 1_300_000, "events": 412, "generation": 3, "disk_free_bytes": 21_474_836_480_u64},
    });
    serde_json::from_value(with(empty, more)).unwrap()
}

fn model(more: Value) -> Value {
    let ready = json!({
        "name": "yolox-nano", "state": "ready", "provider": "cpu", "rung": "with all optimisations", "runs": 90210,
        "mean_ms": 18.4, "hangs": 0, "reloads": 0, "cause": null,
    });
    with(ready, more)
}

fn healthy() -> Status {
    status(json!({
        "cameras": [
            camera("yard", json!({"decoder": "nvv4l2decoder (hardware)"})),
            camera("loading-dock", json!({"decode": "awake", "decode_why": "something moves", "packets_decoded": 310})),
        ],
        "monitors": [
            monitor("person", "yard", json!({"spared": 12})),
            monitor("person", "loading-dock", json!({"state": "open", "last_confidence": 0.93, "triggers": 4})),
        ],
        "endpoints": [endpoint("ops", json!({}))],
        "models": [model(json!({}))],
        "onnxruntime": {"path": "/usr/lib/stakeout/libonnxruntime.so", "version": "1.21.0"},
    }))
}

fn everything_wrong() -> Status {
    status(json!({
        "clock": "estimated",
        "cameras": [
            offline("yard", "no route to host; check its power, cable and address"),
            camera("dock", json!({"degraded": "nvv4l2decoder failed", "decoder": "avdec_h264"})),
            camera("gate", json!({"state": "connecting", "fps": 0.0, "last_frame_age_s": null, "packets": 0})),
        ],
        "monitors": [
            monitor("person", "yard", json!({"verdict_errors": 4, "state": "waiting", "cooldown_left_s": 12.2})),
            monitor("fire", "dock", json!({"state": "disabled", "differs_from_file": true, "switched": true})),
        ],
        "endpoints": [
            endpoint("ops", json!({"pending": 3, "held": 14, "dead": 2, "success_rate": 0.5,
                "last_error": "connection refused\x1b[2J"})),
            endpoint("old", json!({"gone": true, "dead": 1})),
        ],
        "models": [model(json!({"state": "loading", "cause": "it hung three times", "reloads": 3, "hangs": 3}))],
        "warnings": [
            {"what": "camera `yard` is not watched: no route to host", "do": "check its power, cable and address; it is tried again for ever"},
            {"what": "camera `dock`: degraded: nvv4l2decoder failed", "do": "mend the decoder's driver and restart, or write `hardware = \"off\"` for this camera"},
            {"what": "endpoint `old` said that it is gone (410); what happens now is not sent to it", "do": "correct its `url`, then `stakeout endpoint enable old`; `stakeout dlq retry --endpoint old` sends what was skipped"},
            {"what": "endpoint `ops` has 2 dead letters", "do": "`stakeout dlq list --endpoint ops`, then `stakeout dlq retry --endpoint ops` or `drop`"},
            {"what": "the wall clock cannot be believed yet", "do": "let the box reach a time server (`timedatectl` shows how it stands)"},
        ],
    }))
}

/// As the package leaves it.
fn new_box() -> Status {
    status(json!({"warnings": [{
        "what": "nothing is watched: there is no camera",
        "do": "`sudo stakeout init` asks for a camera, a receiver and what to look for, and writes the configuration (`stakeout config` prints its manual); then `sudo systemctl restart stakeout`",
    }]}))
}

/// A camera, and nothing that looks for anything.
fn idle_box() -> Status {
    status(json!({"cameras": [camera("yard", json!({}))]}))
}

fn forty_cameras() -> Status {
    let name = |n: usize| format!("hall-{n:02}");
    let one = |n: usize| match n {
        17 | 31 => offline(&name(n), "nothing answers at its address"),
        _ => camera(&name(n), json!({})),
    };
    let warning = |n: usize| {
        let what = format!("camera `{}` is not watched: nothing answers at its address", name(n));
        json!({"what": what, "do": "check its power, cable, address and password; it is tried again for ever"})
    };
    status(json!({
        "cameras": (1..=40).map(one).collect::<Vec<_>>(),
        "monitors": (1..=40).map(|n| monitor("person", &name(n), json!({}))).collect::<Vec<_>>(),
        "endpoints": [endpoint("ops", json!({}))],
        "models": [model(json!({}))],
        "warnings": [warning(17), warning(31)],
    }))
}

const ENDLESS: Room = Room { columns: None, rows: None };

fn terminal(columns: usize, rows: usize) -> Room {
    Room { columns: Some(columns), rows: Some(rows) }
}

fn plain(status: &Status, room: Room) -> String {
    page(status, None, room).iter().map(|line| line.written(false) + "\n").collect()
}

/// The same in colours, by their names.
fn coloured(status: &Status, room: Room) -> String {
    let mut text: String = page(status, None, room).iter().map(|line| line.written(true) + "\n").collect();
    let names = [("31", "bad"), ("32", "good"), ("33", "odd"), ("2", "faint"), ("1", "bold"), ("0", "")];
    for (code, name) in names {
        text = text.replace(&format!("\x1b[{code}m"), &format!("<{name}>"));
    }
    assert!(!text.contains('\x1b'), "an escape that is none of ours: {text:?}");
    text
}

#[test]
fn golden_pages() {
    insta::assert_snapshot!("healthy", plain(&healthy(), ENDLESS));
    insta::assert_snapshot!("healthy_coloured", coloured(&healthy(), ENDLESS));
    insta::assert_snapshot!("healthy_narrow", plain(&healthy(), terminal(60, 50)));
    insta::assert_snapshot!("everything_wrong", plain(&everything_wrong(), terminal(110, 60)));
    insta::assert_snapshot!("everything_wrong_coloured", coloured(&everything_wrong(), terminal(110, 60)));
    insta::assert_snapshot!("everything_wrong_small", plain(&everything_wrong(), terminal(80, 20)));
    insta::assert_snapshot!("forty_cameras", plain(&forty_cameras(), ENDLESS));
    insta::assert_snapshot!("forty_cameras_24_rows", plain(&forty_cameras(), terminal(100, 24)));
    insta::assert_snapshot!("nothing_configured", plain(&new_box(), terminal(80, 24)));
    insta::assert_snapshot!("nothing_configured_coloured", coloured(&new_box(), terminal(80, 24)));
    insta::assert_snapshot!("no_monitor", plain(&idle_box(), terminal(80, 24)));
}

#[test]
fn whatever_the_terminal_what_is_wrong_stays_and_nothing_is_wider_or_higher() {
    for status in [healthy(), everything_wrong(), forty_cameras(), new_box(), idle_box()] {
        for columns in [20, 40, 60, 80, 132, 400] {
            for rows in [3, 8, 16, 24, 50, 200] {
                let lines = page(&status, Some("the daemon is not reachable"), terminal(columns, rows));
                assert!(lines.len() <= rows, "{} lines in {rows} rows", lines.len());
                for line in &lines {
                    let text = line.written(false);
                    assert!(super::super::line::columns_of(&text) <= columns, "wider than {columns}: {text}");
                }
            }
        }
    }
    let small = plain(&forty_cameras(), terminal(100, 16));
    for away in ["hall-17", "hall-31"] {
        assert!(small.contains(&format!("{away}  offline")), "{away} is away:\n{small}");
        assert!(small.contains(&format!("camera `{away}` is not watched")), "{away} is warned of:\n{small}");
    }
    assert!(small.contains("… 38 more cameras") && !small.contains("hall-01"), "{small}");
    assert!(plain(&forty_cameras(), ENDLESS).contains("hall-01"), "where there is room, nothing goes");
}

#[test]
fn an_endpoint_that_never_took_anything_has_no_figures_and_stays_before_what_is_well() {
    let error = json!({"pending": 31, "delivered_24h": 0, "p95_latency_ms": 0.0, "last_error": "it answers 500"});
    let new = json!({"delivered_24h": 0, "p95_latency_ms": 0.0});
    let status = status(json!({
        "cameras": [camera("dock", json!({}))],
        "monitors": [monitor("person", "dock", json!({}))],
        "endpoints": [endpoint("refuses", error), endpoint("new", new), endpoint("ops", json!({}))],
    }));
    let all = plain(&status, terminal(200, 60));
    let row = |name: &str| {
        let line = all.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("refuses"), ["refuses", "31", "0", "0", "0", "-", "-", "it", "answers", "500"]);
    assert_eq!(row("new"), ["new", "0", "0", "0", "0", "-", "-"]);
    assert_eq!(row("ops"), ["ops", "0", "0", "0", "41", "100", "%", "83", "ms"]);
    let small = plain(&status, terminal(200, 10));
    assert!(small.contains("refuses") && !small.contains("person"), "{small}");
}

#[test]
fn a_camera_that_is_away_decodes_nothing() {
    let away = status(json!({"cameras": [offline("yard", "no route; check its cable")]}));
    let row = plain(&away, ENDLESS).lines().find(|line| line.starts_with("yard")).unwrap().to_owned();
    assert!(!row.contains("keyframes") && !row.contains("avdec") && !row.contains("0.0"), "{row}");
    assert!(row.contains("no route") && !row.contains("check its cable"), "{row}");
    let there = status(json!({"cameras": [camera("yard", json!({}))]}));
    assert!(plain(&there, ENDLESS).contains("keyframes (4 %)"));
}

#[test]
fn what_is_not_the_latest_says_so() {
    let lines = page(&healthy(), Some("the daemon is not reachable; waiting for it"), ENDLESS);
    assert_eq!(lines[2].written(true), "\x1b[31mthe daemon is not reachable; waiting for it\x1b[0m");
}
