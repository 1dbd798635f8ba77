//! What this version does not do yet, and what is said about it, to the letter.

use super::{changed, refused};

#[test]
fn another_format() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nformat = \"aioz\"\n")]);
    let told = r#"
error: endpoint `ops`: `format`: `aioz` is not implemented yet
  --> stakeout.toml:14:10
   |
14 | format = "aioz"
   |          ^^^^^^ use `"stakeout"` or `"trio-live-monitor"` or `"trio-stream"` or `"videodb"` or `"slack"` or `"pagerduty"` or `"email"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_event_of_a_later_version() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nevents = [\"clip.*\"]\n")]);
    let told = r#"
error: endpoint `ops`: `events`: `clip.*` is not implemented yet
  --> stakeout.toml:14:11
   |
14 | events = ["clip.*"]
   |           ^^^^^^^^ events known here: `monitor.triggered`, `monitor.cleared`, `job.status`, `camera.offline`, `camera.online`, `device.heartbeat`, `journal.reset`, `journal.overflow`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}
