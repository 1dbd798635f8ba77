//! What a whole file makes: values, defaults, and messages to the letter.

use std::time::Duration;

use super::*;

/// The least that watches something.
const LEAST: &str = r#"
[[camera]]
name = "dock"
url = "rtsp://10.0.0.21/stream1"

[[monitor]]
name = "person"
camera = "dock"
model = "yolox-nano"
labels = ["person"]

[[endpoint]]
name = "ops"
url = "https://your-app.example/events"
"#;

fn good(source: &str) -> Config {
    match parse(source, "stakeout.toml") {
        Ok(parsed) => parsed.config,
        Err(diagnostics) => panic!("{diagnostics}"),
    }
}

fn refused(source: &str) -> String {
    match parse(source, "stakeout.toml") {
        Ok(_) => panic!("accepted:\n{source}"),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

#[test]
fn the_least_file_has_every_default() {
    let config = good(LEAST);
    assert_eq!(config.storage.max_size, 4 << 30);
    let monitor = &config.monitors[0];
    assert_eq!((monitor.confidence_threshold, monitor.clear_threshold), (0.8, 0.6));
    assert_eq!(monitor.cooldown, Duration::from_secs(60));
    assert_eq!(monitor.endpoints, [config.endpoints[0].name.clone()]);
    assert_eq!(config.models[0].name.as_str(), "yolox-nano");
    assert_eq!(config.models[0].path, None);
}

#[test]
fn explore() {
    println!(
        "{}",
        refused(
            r#"
[device]
id = 5
[[camera]]
name = "dock"
url = "rtsp://viewer:hunter2@10.0.0.21/stream1"
colour = "red"
[[camera]]
name = "dock"
url = "rtsp://10.0.0.21/stream1"
decode = "keyframes"
[[monitor]]
name = "p"
cameras = ["dck", "dock"]
cooldown = 60
zone = [[0.1, 2], [1, 2]]
hold = "20 of 20"
model = "x"
[[endpoint]]
name = "ops"
url = "http://example.com/x"
password = "geheim"
events = ["monitor.triggerd", "camera.*"]
"#
        )
    );
    println!("{}", refused("[device]\nid = dock\n[storage]\npath = 5\npath = \"x\"\nkeep_dead = \"3\n"));
}
