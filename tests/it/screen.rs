//! `stakeout status --watch` on a real terminal: refreshed in place, fitted when the terminal changes, and the terminal is as
//! it was whatever ends it.

use std::process::Command;

use serde_json::Value;

use crate::appliance::Appliance;

/// What a person at a terminal of 24 × 80, made 6 × 30 later, gets to see.
fn watched(appliance: &Appliance, how: &str) -> Value {
    let output = Command::new("python3")
        .args(["-c", include_str!("screen.py"), how, env!("CARGO_BIN_EXE_stakeout"), "status", "--watch", "--config"])
        .arg(appliance.config())
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The lines of the last whole refresh, without colours and what clears.
fn last_refresh(text: &str) -> Vec<String> {
    let end = text.rfind("\x1b[J\x1b[?2026l").unwrap();
    let begin = text[..end].rfind("\x1b[?2026h\x1b[H").unwrap();
    let page = &text[begin + "\x1b[?2026h\x1b[H".len()..end];
    let bare = |line: &str| {
        let pieces = line.split('\x1b').enumerate();
        let text = |(at, piece): (usize, &str)| match at {
            0 => piece.to_owned(),
            _ => piece.split_once(|c: char| c.is_ascii_alphabetic()).map_or_else(String::new, |it| it.1.to_owned()),
        };
        pieces.map(text).collect::<String>()
    };
    // The terminal puts a carriage return of its own before each line feed.
    page.split('\n').map(|line| bare(line.trim_end_matches('\r'))).collect()
}

#[test]
fn a_watched_status_stays_in_place_and_leaves_the_terminal_as_it_was() {
    let mut appliance = Appliance::new("");
    appliance.start();
    for how in ["key", "quit", "order", "stop"] {
        let told = watched(&appliance, how);
        let [large, small, end] = ["large", "small", "end"].map(|part| told[part].as_str().unwrap());
        assert!(large.starts_with("\x1b[?1049h\x1b[?25l"), "{large:?}");
        assert!(end.ends_with("\x1b[?25h\x1b[?1049l"), "{how}: {end:?}");
        if how == "stop" {
            // The shell writes on the old screen, and the page is there again behind it.
            let (before, after) = end.split_once("[stopped 147]").expect(end);
            assert!(before.trim_end_matches(|c| c != 'l').ends_with("\x1b[?25h\x1b[?1049l"), "{end:?}");
            assert!(after.trim_start().starts_with("\x1b[?1049h\x1b[?25l"), "{end:?}");
        }
        assert_eq!(told["ended"], 0, "{how}");
        let all = [large, small, end].concat();
        assert!(!all.contains("\x1b[2J"), "nothing is cleared before it is written: that flickers");
        let page = last_refresh(large);
        assert!(page[0].starts_with("box  stakeout ") && page.len() <= 24, "{page:?}");
        assert!(page.iter().any(|line| line.contains("nothing is watched: there is no camera")), "{page:?}");
        let page = last_refresh(small);
        assert!(page.len() <= 6 && page[0].starts_with("box  stakeout "), "{page:?}");
        assert!(page.iter().all(|line| line.chars().count() < 30), "{page:?}");
    }
    // Whoever reads a pipe gets plain pages.
    let output = appliance.run(&["status"]);
    assert!(!output.stdout.contains(&0x1b), "{}", String::from_utf8_lossy(&output.stdout));
    appliance.stop();
}
