//! Without a terminal.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output, Stdio};

use super::{PASSWORD, Site};
use crate::receiver::Answer;
use crate::shared::skip;

/// Everything that a camera with a login and a receiver need.
fn given(site: &Site) -> Command {
    let mut init = site.init();
    init.args([
        "--camera-url",
        site.camera.url.as_str(),
        "--camera-username",
        "viewer",
        "--camera-password-file",
        "password",
    ])
    .args(["--endpoint-url", &site.receiver.url()])
    .stdin(Stdio::null());
    init
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn what_the_flags_say_is_tried_written_and_runs() {
    let Some(mut site) = Site::new(|_| Answer::status(204)) else { return };
    let output = given(&site).output().unwrap();
    let said = told(&output);
    assert!(output.status.success(), "{said}");
    for words in [
        "camera `camera`: works (H.264 640x360",
        "camera.jpg",
        "endpoint `ops`: works",
        "model `yard-classifier` says of this picture: ",
        "written  ",
        "next     give the receiver the secret in ",
        "stakeout run --config ",
        "stakeout status --config ",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains(PASSWORD) && !said.contains(&site.text("ops.secret")), "{said}");
    site.assert_written();
    site.assert_alerts();
}

#[test]
fn a_receiver_that_does_not_know_the_new_secret_yet_is_reached_all_the_same() {
    let Some(site) = Site::new(|_| Answer::status(401)) else { return };
    let output = given(&site).output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("it refuses the new secret, which it doesn't know yet"), "{}", told(&output));
    // Its own secret it should know.
    let Some(site) = Site::new(|_| Answer::status(401)) else { return };
    fs::write(site.path("secret"), crate::appliance::SECRET).unwrap();
    let output = given(&site).args(["--endpoint-secret-file", "secret"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
}

#[test]
fn what_does_not_work_is_told_and_nothing_is_written_unless_nothing_is_tried() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    fs::write(site.path("password"), "wrong").unwrap();
    let before = site.files();
    let output = given(&site).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("camera `camera` does not work: the camera refuses the login"), "{}", told(&output));
    assert_eq!(site.files(), before);
    assert!(site.receiver.arrived().is_empty(), "one thing after the other");

    let output = given(&site).arg("--no-probe").output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert!(site.receiver.arrived().is_empty() && !site.path("camera.jpg").exists(), "nothing was tried");
    assert!(site.appliance.run(&["check"]).status.success());
}

#[test]
fn an_operators_file_is_not_replaced_unasked() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    let theirs = "[device]\nid = \"box-7\" # ours\n";
    fs::write(site.appliance.config(), theirs).unwrap();
    let before = site.files();
    let output = given(&site).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("`--force` replaces it"), "{}", told(&output));
    assert_eq!((site.text("stakeout.toml").as_str(), site.files()), (theirs, before));
    assert!(site.receiver.arrived().is_empty(), "nothing was tried");

    let output = given(&site).arg("--force").output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(site.text("stakeout.toml.before"), theirs);
    assert!(site.appliance.run(&["check"]).status.success());
    let (secret, first) = (site.text("ops.secret"), site.text("stakeout.toml"));
    fs::write(site.path("camera.pass"), "what they had").unwrap();
    let output = given(&site).arg("--force").output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(site.text("ops.secret"), secret, "receivers know it");
    assert_eq!(site.text("stakeout.toml.before"), theirs, "theirs is kept for good");
    assert_eq!(site.text("stakeout.toml.before-2"), first);
    assert_eq!(site.text("camera.pass.before"), "what they had");
    assert!(told(&output).contains("stakeout.toml.before-2\n"), "{}", told(&output));
}

#[test]
fn an_operators_picture_is_not_replaced_unasked() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    fs::write(site.path("camera.jpg"), "theirs").unwrap();
    let output = given(&site).output().unwrap();
    assert!(output.status.success() && told(&output).contains("camera-2.jpg"), "{}", told(&output));
    assert_eq!(site.text("camera.jpg"), "theirs");
    assert!(fs::read(site.path("camera-2.jpg")).unwrap().starts_with(&[0xff, 0xd8, 0xff]), "a JPEG");
    let output = given(&site).args(["--force", "--picture", "camera.jpg"]).output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert!(fs::read(site.path("camera.jpg")).unwrap().starts_with(&[0xff, 0xd8, 0xff]), "asked for");
}

/// What can't be kept is not replaced, and nothing beside it either.
#[test]
fn nothing_was_written_is_said_only_where_it_is_so() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    fs::create_dir(site.appliance.config()).unwrap();
    let before = site.files();
    let output = given(&site).args(["--force", "--no-probe"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("nothing was written"), "{}", told(&output));
    assert_eq!(site.files(), before, "no secret either");
}

#[test]
fn answers_that_contradict_each_other_are_usage() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    let before = site.files();
    let mut init = site.init();
    init.args([
        "--camera-url",
        "file:///clip.mp4",
        "--camera-username",
        "viewer",
        "--camera-password-file",
        "password",
    ]);
    let output = init.args(["--endpoint-url", &site.receiver.url()]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(
        told(&output).contains("nothing was written") && !told(&output).contains("--no-probe"),
        "{}",
        told(&output)
    );
    assert_eq!(site.files(), before);
}

#[test]
fn the_packages_own_file_is_nobodys() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    fs::write(site.appliance.config(), stakeout::config::MANUAL).unwrap();
    let output = given(&site).arg("--no-probe").output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(site.text("stakeout.toml.before"), stakeout::config::MANUAL);
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    let before = site.files();
    let output = site.init().stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("no `--camera-url` and no `--endpoint-url`"), "{}", told(&output));
    let output = given(&site).args(["--endpoint-format", "pagerduty"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    let output = given(&site).args(["--model", "no-such-model"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("here are: `yard-classifier`"), "{}", told(&output));
    assert!(!told(&output).contains("looking at camera"), "before anything is tried: {}", told(&output));
    let output = given(&site).args(["--labels", "persn"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("no label `persn`"), "{}", told(&output));
    assert!(!told(&output).contains("--no-probe"), "it would be refused all the same: {}", told(&output));
    assert_eq!(site.files(), before, "no picture either");
}

#[test]
fn a_login_in_a_url_ends_up_in_a_file() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    let mut url = site.camera.url.clone();
    url.set_username("viewer").unwrap();
    url.set_password(Some(PASSWORD)).unwrap();
    fs::write(site.path("url"), url.as_str()).unwrap();
    let output = site
        .init()
        .args(["--camera-url-file", "url", "--endpoint-url", &site.receiver.url()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert!(!told(&output).contains(url.password().unwrap()), "{}", told(&output));
    fs::remove_file(site.path("url")).unwrap();
    site.assert_written();
}

/// Where there is a user `stakeout`, as the package makes one: here for one command, in a mount namespace of its own.
#[test]
fn what_root_writes_belongs_to_the_service() {
    let Some(site) = Site::new(|_| Answer::status(204)) else { return };
    let known = |file: &str, line: &str| {
        let text = fs::read_to_string(format!("/etc/{file}")).unwrap();
        fs::write(site.path(file), format!("{text}\nstakeout:x:{line}\n")).unwrap();
    };
    known("passwd", "64991:64992::/var/lib/stakeout:/usr/sbin/nologin");
    known("group", "64992:");
    let with_user = "umask 077; mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec \"$0\" \"$@\"";
    let inside = |command: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-m", "sh", "-c", with_user, command]).current_dir(site.appliance.folder.path());
        unshare
    };
    if !inside("true").output().is_ok_and(|output| output.status.success()) {
        return skip("no mount namespace can be made here (`unshare -m` needs root)");
    }
    let init = given(&site);
    let output = inside(env!("CARGO_BIN_EXE_stakeout")).args(init.get_args()).arg("--no-probe").output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let of = |name: &str| {
        let file = fs::metadata(site.path(name)).unwrap();
        (file.uid(), file.gid(), file.mode() & 0o777)
    };
    for secret in ["camera.pass", "ops.secret"] {
        assert_eq!(of(secret), (64_991, 64_992, 0o600), "{secret}");
    }
    assert_eq!(of("stakeout.toml"), (0, 64_992, 0o640), "root's, for the service to read");

    let deep = site.path("a/b/stakeout.toml").display().to_string();
    let elsewhere: Vec<String> = init.get_args().map(|it| it.to_string_lossy().into_owned()).collect();
    let at = elsewhere.iter().position(|it| it == "--config").unwrap();
    let elsewhere = [&elsewhere[..at], &["--config".to_owned(), deep], &elsewhere[at + 2..]].concat();
    let output = inside(env!("CARGO_BIN_EXE_stakeout")).args(elsewhere).arg("--no-probe").output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    for folder in ["a", "a/b"] {
        assert_eq!(of(folder), (0, 64_992, 0o750), "{folder}: the service has to pass through");
    }
}
