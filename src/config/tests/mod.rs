//! What a whole file makes: values, defaults, and messages to the letter.

mod api;
mod cases;
mod formats;
mod links;
mod meanings;
mod mutations;
mod recording;
mod schema;
mod shapes;
mod syntax;

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
        Ok(parsed) => {
            // Whatever these tests call good, editors call good, too.
            schema::fits(source).unwrap_or_else(|wrong| panic!("{wrong}\n{source}"));
            parsed.config
        }
        Err(diagnostics) => panic!("{diagnostics}"),
    }
}

fn refused(source: &str) -> String {
    match parse(source, "stakeout.toml") {
        Ok(_) => panic!("accepted:\n{source}"),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

/// The least file with parts replaced.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(LEAST.to_owned(), |source, (from, to)| {
        assert!(source.contains(from), "{from}");
        source.replacen(from, to, 1)
    })
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

/// The manual with every setting switched on: lines that start with `#` and a key.
fn manual_switched_on() -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with([' ', ':']) => setting.to_owned(),
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
fn a_heartbeat_is_off_or_every_so_often_and_somebody_hears_it() {
    let with = |heartbeat: &str| format!("[device]\nheartbeat = {heartbeat}\n{LEAST}");
    assert_eq!(good(LEAST).device.heartbeat, None);
    assert_eq!(good(&with("\"off\"")).device.heartbeat, None);
    assert_eq!(good(&with("\"5m\"")).device.heartbeat, Some(Duration::from_secs(300)));
    for wrong in ["\"9s\"", "\"2d\"", "\"\"", "\"often\"", "5"] {
        assert!(refused(&with(wrong)).contains("`[device]`: `heartbeat`"), "{wrong}: {}", refused(&with(wrong)));
    }
    let unheard = |source: &str| {
        parse(source, "stakeout.toml").unwrap().diagnostics.to_string().contains("no endpoint gets the heartbeat")
    };
    let deaf = LEAST.replace("name = \"ops\"\n", "name = \"ops\"\nevents = [\"monitor.*\"]\n");
    assert!(unheard(&format!("[device]\nheartbeat = \"5m\"\n{deaf}")));
    assert!(!unheard(&with("\"5m\"")) && !unheard(&deaf));
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
        ("recording", "max_size keep link_expiry"),
        ("runtime", "onnxruntime execution_providers threads run_timeout"),
        (
            "api",
            "socket listen token_file token_credential webhook_secret_file webhook_secret_credential default_model \
             public_url",
        ),
        ("log", "filter format"),
        ("egress", "allow"),
        (
            "camera",
            "name url username password_file password_credential transport decode hardware loop ca_file url_file url_credential mask",
        ),
        ("model", "name path"),
        (
            "monitor",
            "name camera cameras condition model labels min_count zone confidence_threshold clear_threshold hold cooldown \
             repeat clear_after lost_after check_interval notice_within gate recheck only_when prompts negatives max_duration \
             stop_on_trigger restart expect_event_within priority label shadow enabled metadata calibration clip \
             endpoints",
        ),
        (
            "endpoint",
            "name url allow_http url_file url_credential format secret_file secret_credential events retry timeout concurrency rate \
             bandwidth frame max_body headers ca_file client_cert client_key routing_key_file \
             routing_key_credential username password_file password_credential from to enabled",
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

#[test]
fn what_is_written_is_what_it_means() {
    let config = good(
        r#"
        [[camera]]
        name = "east"
        url = "rtsps://cam.local/1"
        username = "viewer"
        password_credential = "cam"
        [[camera]]
        name = "clip"
        url = "file:///srv/a%20clip.mp4"
        loop = true
        decode = "all"
        [[monitor]]
        name = "people"
        cameras = ["clip", "east"]
        model = "yard"
        condition = "Is a person inside?"
        min_count = 2
        zone = [[0, 0], [1, 0.0], [0.5, 1]]
        confidence_threshold = 0.1
        hold = "2 of 3"
        check_interval = "100ms"
        max_duration = "10m"
        restart = "never"
        expect_event_within = "24h"
        priority = "critical"
        endpoints = ["b"]
        calibration = { bias = -1 }
        [monitor.metadata]
        zone = "dock"
        since = 2026-01-01
        nested = { z = 1, a = [1.5, true] }
        [[endpoint]]
        name = "a"
        url = "http://10.0.0.9:8080/hook"
        events = ["job.*", "monitor.cleared"]
        retry = "trio"
        enabled = false
        [[endpoint]]
        name = "b"
        url = "http://example.com"
        allow_http = true
        secret_file = ["/new", "/old"]
        retry = { delays = ["1s", "2m"] }
        headers = { "X-Site" = "dock" }
        "#,
    );
    let [east, clip] = &config.cameras[..] else { panic!() };
    assert!(matches!(&east.password, Some(SecretRef::Credential(name)) if name.value == "cam"));
    assert!(clip.is_file() && clip.repeat && clip.decode == Decode::All && clip.password.is_none());
    let monitor = &config.monitors[0];
    assert_eq!(monitor.cameras, [clip.name.clone(), east.name.clone()]);
    assert_eq!(monitor.clear_threshold, 0.0, "never below 0");
    assert_eq!(monitor.hold, Hold { needed: 2, of: 3 });
    assert_eq!(monitor.zone, [[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]);
    assert_eq!(monitor.max_duration, Some(Duration::from_secs(600)));
    assert_eq!(monitor.expect_event_within, Some(Duration::from_secs(86_400)));
    assert!(!monitor.restart);
    assert_eq!(monitor.calibration, Some(Calibration { temperature: 1.0, bias: -1.0 }));
    assert_eq!(
        serde_json::to_string(&monitor.metadata).unwrap(),
        r#"{"zone":"dock","since":"2026-01-01","nested":{"z":1,"a":[1.5,true]}}"#
    );
    let [a, b] = &config.endpoints[..] else { panic!() };
    assert_eq!(a.events, [crate::event::EventType::Cleared, crate::event::EventType::JobStatus]);
    assert_eq!((&a.retry, a.enabled), (&Retry::Trio, false));
    assert_eq!(
        b.retry,
        Retry::Custom {
            delays: vec![Duration::from_secs(1), Duration::from_secs(120)],
            max_age: Duration::from_secs(72 * 3600)
        }
    );
    let files: Vec<_> = b.secrets.iter().map(|secret| matches!(secret, SecretRef::File(_))).collect();
    assert_eq!(files, [true, true]);
    assert_eq!(b.headers["X-Site"], "dock");
}

#[test]
fn no_header_value_is_shown_to_whoever_debugs() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nheaders = { Authorization = \"Bearer hunter2\" }\n")]);
    let parsed = parse(&source, "stakeout.toml").unwrap();
    assert_eq!(parsed.config.endpoints[0].headers["Authorization"], "Bearer hunter2");
    let shown = format!("{parsed:?}{:#?}", parsed.config);
    assert!(shown.contains("\"Authorization\"") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn surprises_are_warnings() {
    let told = |source: &str| parse(source, "stakeout.toml").unwrap().diagnostics.to_string();
    assert_eq!(told(LEAST), "");
    let nothing = "\
warning: nothing is watched: there is no `[[monitor]]`
--> stakeout.toml
 = help: `stakeout config` prints an example";
    assert_eq!(told(""), nothing);
    let unused = "
warning: endpoint `ops` never gets anything
  --> stakeout.toml:14:8
   |
14 | name = \"ops\"
   |        ^^^^^ no monitor names it in its `endpoints`";
    assert_eq!(format!("\n{}", told(&LEAST.replace("[\"person\"]", "[\"person\"]\nendpoints = []"))), unused);
}
