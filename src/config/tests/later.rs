//! What this version does not do yet, and what is said about it, to the letter.

use super::{changed, good, refused};

#[test]
fn another_format() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nformat = \"slack\"\n")]);
    let told = r#"
error: endpoint `ops`: `format`: `slack` is not implemented yet
  --> stakeout.toml:14:10
   |
14 | format = "slack"
   |          ^^^^^^^ use `"stakeout"`"#;
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
   |           ^^^^^^^^ events known here: `monitor.triggered`, `monitor.cleared`, `job.status`, `camera.offline`, `camera.online`, `journal.reset`, `journal.overflow`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

/// Keys that nobody reads yet: whoever sets one must learn that it changes nothing.
#[test]
fn settings_that_would_change_nothing() {
    let with = |setting: &str| changed(&[("labels = [\"person\"]\n", &format!("labels = [\"person\"]\n{setting}\n"))]);
    let told = refused(&with("label = \"Person\""));
    assert!(told.starts_with("error: monitor `person`: `label` is not implemented yet\n"), "{told}");
    assert!(told.ends_with("leave it out for now"), "{told}");
    good(&with("label = \"\""));
}
