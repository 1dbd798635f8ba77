//! At a terminal: a pseudo-terminal on which Python types the answers.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{PASSWORD, Site};
use crate::receiver::Answer;

/// What is waited for, and what is typed then.
type Script<'a> = Vec<(&'a str, String)>;

/// What came of it: `exit` (null: a signal), `signal`, `screen` (all that was shown) and `echo` (at the end).
fn type_at(site: &Site, script: &Script) -> Value {
    let typist = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/init/typist.py");
    let command: Vec<String> =
        [env!("CARGO_BIN_EXE_stakeout").to_owned()].into_iter().chain(site.where_things_are()).collect();
    let output = Command::new("python3")
        .arg(typist)
        .arg(json!({ "command": command, "script": script }).to_string())
        .current_dir(site.appliance.folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// As far as the password.
fn camera(site: &Site, password: &str) -> Script<'static> {
    vec![
        ("Name of the camera [camera]: ", "\r".to_owned()),
        ("Its URL, ", format!("{}\r", site.camera.url)),
        ("User name", "viewer\r".to_owned()),
        ("Password (not shown): ", format!("{password}\r")),
    ]
}

fn the_rest(site: &Site) -> Script<'static> {
    vec![
        ("Name of the endpoint, where events go [ops]: ", "\r".to_owned()),
        ("How are events written?", "\r".to_owned()),
        ("Its URL, ", "nonsense\r".to_owned()),
        ("is not a URL", format!("{}\r", site.receiver.url())),
        ("The secret that its receiver has already (Enter: a new one is made) (not shown): ", "\r".to_owned()),
        ("Who judges?", "\r".to_owned()),
        ("What is looked for, of `person`, ", "persn\r".to_owned()),
        ("the nearest it has: `person`", "\r".to_owned()),
    ]
}

#[test]
fn answers_are_tried_asked_anew_written_and_run() {
    let Some(mut site) = Site::new(|_| Answer::status(204)) else { return };
    let mut script = camera(&site, "wr0ng-passw0rd");
    script.push(("the camera refuses the login", String::new()));
    script.push(("What now?", "1\r".to_owned()));
    // A key that was wrong is taken back.
    script.extend(camera(&site, &format!("x\x7f{PASSWORD}")));
    script.extend(the_rest(&site));
    let came = type_at(&site, &script);
    let screen = came["screen"].as_str().unwrap();
    assert_eq!(came["exit"], 0, "{screen}");
    assert!(!screen.contains(PASSWORD) && !screen.contains("wr0ng-passw0rd"), "it isn't shown: {screen}");
    assert!(screen.contains("written  ") && screen.contains("viewer"), "what isn't secret is shown: {screen}");
    site.assert_written();
    site.assert_alerts();
}

#[test]
fn whoever_goes_on_all_the_same_gets_a_file() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    let mut script = camera(&site, "wr0ng-passw0rd");
    script.push(("What now?", "2\r".to_owned()));
    script.extend(the_rest(&site));
    let came = type_at(&site, &script);
    assert_eq!(came["exit"], 0, "{came}");
    assert!(site.appliance.run(&["check"]).status.success());
}

/// At every question, and where the terminal is quiet.
#[test]
fn ctrl_c_leaves_nothing_behind_and_the_terminal_as_it_was() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    let before = site.files();
    let mut whole = camera(&site, PASSWORD);
    whole.extend(the_rest(&site));
    for at in [0, 3, 4, 8, whole.len() - 1] {
        let mut script: Script = whole[..at].to_vec();
        script.push((whole[at].0, "\x03".to_owned()));
        let came = type_at(&site, &script);
        assert!(came["exit"] == 1 || came["signal"] == 2, "{came}");
        assert_eq!(came["echo"], true, "{came}");
        assert_eq!(site.files(), before, "at {at}");
    }
}
