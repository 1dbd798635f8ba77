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

/// The manual with every setting switched on: lines that start with `#` and no space.
fn manual_switched_on() -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting.to_owned(),
        _ => line.to_owned(),
    };
    MANUAL.lines().map(on).collect::<Vec<_>>().join("\n")
}

/// A configuration without the places where its values stand.
fn meaning(config: &Config) -> String {
    let shown = format!("{config:#?}");
    shown.lines().filter(|line| !line.trim_start().starts_with("at: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_manual_parses_and_changes_nothing() {
    assert_eq!(meaning(&good(MANUAL)), meaning(&good("")));
}

#[test]
fn every_setting_of_the_manual_is_at_its_default() {
    let least = r#"
        [[camera]]
        name = "dock-east"
        url = "rtsp://10.0.0.21/stream1"
        [[model]]
        name = "yolox-nano"
        [[monitor]]
        name = "person-at-dock"
        camera = "dock-east"
        condition = "Is a person at the dock?"
        model = "yolox-nano"
        [[endpoint]]
        name = "ops"
        url = "https://your-app.example/events"
    "#;
    assert_eq!(meaning(&good(&manual_switched_on())), meaning(&good(least)));
}

/// A key that is read but not in the manual would be unknown to everybody.
#[test]
fn the_manual_names_every_key_of_the_contract() {
    let sections = [
        ("device", "id heartbeat"),
        ("storage", "path max_size keep_delivered keep_dead snapshot_width snapshot_quality"),
        ("runtime", "onnxruntime execution_providers threads"),
        ("api", "socket listen token_file webhook_secret_file default_model"),
        ("log", "filter format"),
        ("egress", "allow"),
        (
            "camera",
            "name url username password_file password_credential transport decode hardware loop ca_file url_file mask",
        ),
        ("model", "name path"),
        (
            "monitor",
            "name camera cameras condition model labels min_count zone confidence_threshold clear_threshold hold cooldown \
             repeat clear_after lost_after check_interval notice_within gate recheck only_when negatives max_duration \
             stop_on_trigger restart expect_event_within priority label shadow enabled metadata calibration endpoints",
        ),
        (
            "endpoint",
            "name url allow_http url_file format secret_file secret_credential events retry timeout concurrency rate \
             frame max_body headers ca_file client_cert client_key routing_key_file username password_file from to enabled",
        ),
    ];
    let manual: toml::Table = manual_switched_on().parse().unwrap();
    for (section, keys) in sections {
        let table = match &manual[section] {
            toml::Value::Array(list) => list[0].as_table().unwrap(),
            table => table.as_table().unwrap(),
        };
        let mut expected: Vec<_> = keys.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(table.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{section}");
    }
    assert_eq!(manual.len(), sections.len());
}
