//! What is recorded: `[recording]`, a monitor's `clip`, and where receivers find it.

use std::time::Duration;

use super::{LEAST, changed, good, parse, refused};
use crate::config::Clip;

const LABELS: &str = "labels = [\"person\"]\n";

fn with(clip: &str) -> String {
    changed(&[(LABELS, &format!("{LABELS}clip = {clip}\n"))])
}

fn seconds(before: u64, after: u64, max: u64) -> Clip {
    let [before, after, max] = [before, after, max].map(Duration::from_secs);
    Clip { before, after, max }
}

#[test]
fn nothing_is_recorded_unless_a_monitor_asks_for_it() {
    assert_eq!(good(LEAST).monitors[0].clip, None);
    assert_eq!(good(&with("{}")).monitors[0].clip, None);
    for (written, clip) in [
        ("{ before = \"5s\" }", seconds(5, 10, 120)),
        ("{ before = \"0s\", after = \"0s\", max = \"1s\" }", seconds(0, 0, 1)),
        ("{ before = \"1m\", after = \"1h\" }", seconds(60, 3600, 3660)),
    ] {
        assert_eq!(good(&with(written)).monitors[0].clip, Some(clip), "{written}");
    }
}

#[test]
fn a_clip_is_no_shorter_than_its_ends() {
    let told = r#"
error: monitor `person`, `clip`: `max` is shorter than `before` and `after` together
  --> stakeout.toml:11:45
   |
11 | clip = { before = "5s", after = "1m", max = "1m" }
   |                                             ^^^^ must be at least `65s`"#;
    assert_eq!(format!("\n{}", refused(&with(r#"{ before = "5s", after = "1m", max = "1m" }"#))), told);
    for wrong in ["{ before = \"61s\" }", "{ after = \"2h\" }", "{ max = \"2h\" }", "{ until = \"2s\" }", "true"] {
        assert!(refused(&with(wrong)).contains("clip"), "{wrong}: {}", refused(&with(wrong)));
    }
}

#[test]
fn receivers_are_told_a_public_url_as_it_is_but_for_its_end() {
    let with = |url: &str| format!("[api]\npublic_url = \"{url}\"\n{LEAST}");
    let read = |url: &str| good(&with(url)).api.public_url.map(|url| url.to_string());
    assert_eq!(read(""), None);
    assert_eq!(read("https://box.example/").as_deref(), Some("https://box.example/"));
    assert_eq!(read("http://10.0.0.5:8787/stakeout/").as_deref(), Some("http://10.0.0.5:8787/stakeout"));
    for wrong in ["box.example", "rtsp://box", "https://a:b@box.example", "https://box.example/?a=b", "https://box/#x"]
    {
        let told = refused(&with(wrong));
        assert!(told.contains("`[api]`: `public_url`"), "{wrong}: {told}");
    }
}

#[test]
fn clips_that_nobody_is_told_of_are_warned_about() {
    let warned = |source: &str| {
        parse(source, "stakeout.toml").unwrap().diagnostics.to_string().contains("nobody is told where they are")
    };
    let recording = with("{ after = \"5s\" }");
    assert!(warned(&recording));
    assert!(!warned(LEAST) && !warned(&format!("[api]\npublic_url = \"https://box.example\"\n{recording}")));
    assert!(!warned(&recording.replace("after = \"5s\" }", "after = \"5s\" }\nshadow = true")), "it records none");
    let uploads = "name = \"ops\"\nformat = \"upload\"";
    let sent = recording.replace("name = \"ops\"", uploads).replace("/events\"", "/{clip}.mp4\"");
    assert!(!warned(&sent), "they are sent");
}

#[test]
fn receivers_of_clips_for_whom_there_are_none_are_warned_about() {
    let warned = |source: &str| {
        let told = parse(source, "stakeout.toml").unwrap().diagnostics.to_string();
        told.contains("endpoint `ops` is for clips, and no monitor that names it records any")
    };
    let for_clips = |source: &str| source.replace("name = \"ops\"", "name = \"ops\"\nformat = \"aioz\"");
    assert!(warned(&for_clips(LEAST)));
    assert!(!warned(LEAST) && !warned(&for_clips(&with("{ after = \"5s\" }"))));
}
