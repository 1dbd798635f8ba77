//! `stakeout doctor` on a box that is well, and on the same box with one fault at a time: that one is told, with what to do,
//! and no other.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::date_time_ymd;
use serde_json::Value;
use stakeout::sign::{Key, Message, verify};

use crate::appliance::{Appliance, SECRET};
use crate::certificates::{Authority, Identity, serve_tls};
use crate::receiver::{Answer, Arrived, Receiver};
use crate::rtsp::Server;
use crate::shared::{runtime, skip};

const PASSWORD: &str = "d0ctor's passw0rd";

fn clip() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4")
}

/// As a receiver should: 204 to what is signed with our secret, 401 to all else.
fn verifying(arrived: &Arrived) -> Answer {
    let timestamp = arrived.header("webhook-timestamp").parse().unwrap();
    let message = Message { id: arrived.header("webhook-id"), timestamp };
    let signature = arrived.header("webhook-signature");
    let fits = verify(&[Key::new(SECRET).unwrap()], signature, Some(message), &arrived.body).is_ok();
    Answer::status(if fits { 204 } else { 401 })
}

/// A box with everything. None where ONNX Runtime is not here.
fn well(camera: &str, receiver: &Receiver) -> Option<Appliance> {
    runtime()?;
    let appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"{camera}\"\n\
         [[monitor]]\nname = \"person\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n",
        receiver.url()
    ));
    fs::create_dir(appliance.folder.path().join("state")).unwrap();
    Some(appliance)
}

/// The same with a clip, which is quicker than a network camera.
fn with_clip(receiver: &Receiver) -> Option<Appliance> {
    well(&format!("file://{}", clip().display()), receiver)
}

/// All lines; whether the exit code fits them is checked here.
fn examine(appliance: &Appliance) -> Vec<Value> {
    let output = appliance.run(&["doctor", "--json"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let fails = lines.iter().any(|line| line["level"] == "fail");
    assert_eq!(output.status.code(), Some(i32::from(fails)), "{told}{}", String::from_utf8_lossy(&output.stderr));
    for line in lines.iter().filter(|line| line["level"] != "ok") {
        assert!(!line["do"].as_str().unwrap_or_default().is_empty(), "it says what to do: {line}");
    }
    lines
}

/// What fails: which check, and what was found.
fn failures(appliance: &Appliance) -> Vec<(String, String)> {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let lines = examine(appliance);
    let fails = lines.iter().filter(|line| line["level"] == "fail");
    fails.map(|line| (text(line, "check"), text(line, "found"))).collect()
}

/// Exactly these checks fail, each with such words.
fn assert_failures(appliance: &Appliance, expected: &[(&str, &str)]) {
    let found = failures(appliance);
    let fits = |((check, what), (expected, words)): (&(String, String), &(&str, &str))| {
        check == expected && what.contains(words)
    };
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(fits), "{found:?}");
}

/// State and folder belong to another user, as the package does it. None where only root may do that.
fn given_to_the_service(appliance: &Appliance) -> Option<()> {
    fs::set_permissions(appliance.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(appliance.config(), fs::Permissions::from_mode(0o644)).unwrap();
    let (folder, state) = (appliance.folder.path(), appliance.folder.path().join("state"));
    if [folder, &state, &folder.join("ops.secret")].iter().any(|path| chown(path, Some(1), Some(1)).is_err()) {
        skip("only root may give files away");
        return None;
    }
    Some(())
}

#[test]
fn a_box_that_is_well_has_nothing_to_mend_with_a_daemon_and_without() {
    let receiver = Receiver::start(|_, arrived| verifying(arrived));
    let server = Server::start(&clip(), 0, &["--user", "viewer", "--password", PASSWORD]);
    let Some(mut appliance) = well(server.url.as_str(), &receiver) else { return };
    let secret = appliance.folder.path().join("yard.pass");
    fs::write(&secret, PASSWORD).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let login = format!("username = \"viewer\"\npassword_file = \"{}\"\n[[monitor]]", secret.display());
    appliance.edit("[[monitor]]", &login);

    let odd = |lines: &[Value]| -> Vec<String> {
        let odd = lines.iter().filter(|line| line["level"] != "ok");
        odd.map(|line| line["check"].as_str().unwrap().to_owned()).filter(|check| check != "clock").collect()
    };
    let lines = examine(&appliance);
    assert_eq!(odd(&lines), ["daemon"], "it doesn't run: {lines:#?}");
    for check in [
        "version",
        "system",
        "memory",
        "configuration",
        "permissions",
        "disk",
        "flush",
        "journal",
        "unit",
        "onnxruntime",
        "model",
        "monitors",
        "decoding",
        "camera",
        "dns",
        "endpoint",
    ] {
        assert!(lines.iter().any(|line| line["check"] == check && line["level"] == "ok"), "{check}: {lines:#?}");
    }
    appliance.start();
    appliance.until("the camera is online", |it| (it.status()["cameras"][0]["state"] == "online").then_some(()));
    let lines = examine(&appliance);
    assert_eq!(odd(&lines), [""; 0], "{lines:#?}");
    appliance.stop();

    let home = appliance.folder.path().join("home");
    fs::create_dir(&home).unwrap();
    let before = files(appliance.folder.path());
    let text = doctor_at(&home, &appliance).stdout;
    let (known, made): (Vec<_>, Vec<_>) =
        files(appliance.folder.path()).into_iter().partition(|file| !file.0.starts_with(&home));
    assert_eq!(known, before, "it leaves everything as it is");
    let caches = [".cache/gstreamer-1.0", ".cache/dconf"].map(|cache| home.join(cache));
    let is_theirs = |path: &Path| caches.iter().any(|cache| path.starts_with(cache));
    assert!(made.iter().all(|file| is_theirs(&file.0)), "only what GStreamer and GLib keep for themselves: {made:?}");
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("\nok    journal "), "{text}");
    assert!(!text.contains(PASSWORD) && !text.contains(SECRET), "{text}");
}

/// By a person with this home.
fn doctor_at(home: &Path, appliance: &Appliance) -> Output {
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_stakeout"));
    doctor.args(["doctor", "--config"]).arg(appliance.config()).env("HOME", home).env_remove("XDG_CACHE_HOME");
    doctor.output().unwrap()
}

/// Every file of a folder and of those in it, with its size and when it was changed.
fn files(folder: &Path) -> Vec<(PathBuf, u64, i64, i64)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let file = entry.metadata().unwrap();
        match file.is_dir() {
            true => files.extend(self::files(&entry.path())),
            false => files.push((entry.path(), file.len(), file.mtime(), file.mtime_nsec())),
        }
    }
    files.sort();
    files
}

#[test]
fn a_broken_configuration_is_told_and_the_rest_is_looked_at() {
    let receiver = Receiver::start(|_, arrived| verifying(arrived));
    let Some(appliance) = with_clip(&receiver) else { return };
    assert_failures(&appliance, &[]);
    appliance.edit("name = \"ops\"", "nmae = 1\nname = \"ops\"");
    assert_failures(&appliance, &[("configuration", "nmae")]);
    let lines = examine(&appliance);
    assert!(lines.iter().any(|line| line["check"] == "decoding" && line["level"] == "ok"), "{lines:#?}");
    fs::remove_file(appliance.config()).unwrap();
    assert_failures(&appliance, &[("configuration", "can't be read")]);
}

#[test]
fn a_missing_library_is_told() {
    let receiver = Receiver::start(|_, arrived| verifying(arrived));
    let Some(appliance) = with_clip(&receiver) else { return };
    appliance.edit("libonnxruntime.so", "no-such-library.so");
    assert_failures(&appliance, &[("onnxruntime", "no-such-library.so")]);
}

#[test]
fn a_model_with_another_file_is_told() {
    let receiver = Receiver::start(|_, arrived| verifying(arrived));
    let Some(appliance) = with_clip(&receiver) else { return };
    let (from, to) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("models/yard-classifier"), appliance.folder.path().join("m"));
    assert!(Command::new("cp").arg("-r").args([&from, &to]).status().unwrap().success());
    appliance.edit(from.to_str().unwrap(), to.to_str().unwrap());
    assert_failures(&appliance, &[]);
    let file = to.join("yard-classifier.onnx");
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_failures(&appliance, &[("model", "has SHA-256")]);
}

#[test]
fn a_secret_that_the_service_may_not_read_is_told() {
    let receiver = Receiver::start(|_, arrived| verifying(arrived));
    let Some(appliance) = with_clip(&receiver) else { return };
    if given_to_the_service(&appliance).is_none() {
        return;
    }
    assert_failures(&appliance, &[]);
    chown(appliance.folder.path().join("ops.secret"), Some(0), Some(0)).unwrap();
    assert_failures(&appliance, &[("permissions", "may not use it (mode 600, root:root)")]);
}

#[test]
fn a_state_folder_that_the_service_may_not_write_is_told() {
    let receiver = Receiver::start(|_, arrived| verifying(arrived));
    let Some(appliance) = with_clip(&receiver) else { return };
    if given_to_the_service(&appliance).is_none() {
        return;
    }
    let state = appliance.folder.path().join("state");
    fs::write(state.join("journal.db-shm"), "").unwrap();
    assert_failures(&appliance, &[("permissions", "may not use it")]);
    fs::remove_file(state.join("journal.db-shm")).unwrap();
    // As a command of root's left it: the service can't keep anything there.
    fs::create_dir_all(state.join("cache/text-vectors/some-model")).unwrap();
    assert_failures(&appliance, &[("permissions", "may not use it")]);
    for folder in ["cache", "cache/text-vectors"] {
        chown(state.join(folder), Some(1), Some(1)).unwrap();
    }
    assert_failures(&appliance, &[("permissions", "may not use it")]);
    chown(state.join("cache/text-vectors/some-model"), Some(1), Some(1)).unwrap();
    assert_failures(&appliance, &[]);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o500)).unwrap();
    assert_failures(&appliance, &[("permissions", "may not use it (mode 500, ")]);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    assert_failures(&appliance, &[]);
}

#[test]
fn a_full_disk_is_told() {
    let receiver = Receiver::start(|_, arrived| verifying(arrived));
    let Some(appliance) = with_clip(&receiver) else { return };
    let state = appliance.folder.path().join("state");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "stakeout-test"]).arg(&state).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        return skip("only root may mount a small file system");
    }
    let _unmounted = Unmounted(state.clone());
    fs::write(state.join("somebody-else"), vec![7; 1 << 19]).unwrap();
    assert_failures(&appliance, &[("disk", "full: ")]);
    let _ = fs::write(state.join("somebody-else"), vec![7; 2 << 20]);
    assert_failures(&appliance, &[("disk", "full: 0 B free"), ("flush", "nothing can be written there")]);
}

/// Unmounts at the end.
struct Unmounted(PathBuf);

impl Drop for Unmounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let receiver = Receiver::start(|_, arrived| verifying(arrived));
    let server = Server::start(&clip(), 0, &["--user", "viewer", "--password", "right"]);
    let Some(appliance) = well(server.url.as_str(), &receiver) else { return };
    let secret = appliance.folder.path().join("yard.pass");
    fs::write(&secret, PASSWORD).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let login = format!("username = \"viewer\"\npassword_file = \"{}\"\n[[monitor]]", secret.display());
    appliance.edit("[[monitor]]", &login);
    assert_failures(&appliance, &[("camera", "refuses the login")]);
    let output = appliance.run(&["doctor"]);
    let told = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&told).contains(PASSWORD));
}

#[test]
fn an_endpoint_that_refuses_is_told_and_not_asked_offline() {
    let receiver = Receiver::start(|_, _| Answer::status(503));
    let Some(appliance) = with_clip(&receiver) else { return };
    assert_failures(&appliance, &[("endpoint", "503")]);
    let asked = receiver.arrived().len();
    assert!(appliance.run(&["doctor", "--offline"]).status.success());
    assert_eq!(receiver.arrived().len(), asked);
}

/// Also one that this release would have to bring up first.
#[test]
fn a_journal_without_a_daemon_is_left_as_it_is() {
    let receiver = Receiver::start(|_, arrived| verifying(arrived));
    let Some(appliance) = with_clip(&receiver) else { return };
    let state = appliance.folder.path().join("state");
    let older = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/journal-v1.sqlite");
    fs::copy(older, state.join("journal.db")).unwrap();
    let before = files(&state);
    let lines = examine(&appliance);
    let journal = lines.iter().find(|line| line["check"] == "journal").unwrap();
    assert!(journal["level"] == "warn" && journal["do"].as_str().unwrap().contains("older journal"), "{journal}");
    assert_eq!(files(&state), before);
    fs::write(state.join("journal.db"), "no journal at all").unwrap();
    assert_failures(&appliance, &[("journal", "is damaged")]);
}

/// A box whose only endpoint has a format without a message for trying out; what is told of that endpoint.
fn told_of_an_endpoint_that_would_act(url: &str, more: &str, run: impl Fn(&Appliance) -> Output) -> Value {
    let appliance = Appliance::new(&format!(
        "[[endpoint]]\nname = \"ops\"\nformat = \"trio-stream\"\nurl = \"{url}\"\nsecret_file = \"HERE/ops.secret\"\n{more}"
    ));
    let output = run(&appliance);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = told.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    lines.into_iter().find(|line| line["check"] == "endpoint").unwrap_or_else(|| panic!("{told}{output:?}"))
}

fn doctor(appliance: &Appliance) -> Output {
    appliance.run(&["doctor", "--json"])
}

#[test]
fn an_endpoint_that_would_act_on_a_message_is_connected_to_and_its_certificate_judged() {
    let receiver = Receiver::start(|_, _| Answer::status(204));
    let line = told_of_an_endpoint_that_would_act(&receiver.url(), "", doctor);
    assert_eq!(line["level"], "ok", "{line}");
    assert!(receiver.arrived().is_empty(), "nothing is sent");

    let authority = Authority::new("Yard CA");
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, &authority.pem).unwrap();
    let trusting = format!("ca_file = \"{}\"\n", ca.display());
    let (tell, told) = std::sync::mpsc::channel();
    let told_of = |identity: &Identity| {
        let tell = tell.clone();
        let address = serve_tls(identity, None, move |stream| {
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said);
            let _ = tell.send(said);
        });
        let url = format!("https://localhost:{}/x", address.port());
        told_of_an_endpoint_that_would_act(&url, &trusting, doctor)
    };
    let line = told_of(&authority.issue("localhost", |_| {}));
    assert_eq!(line["level"], "ok", "{line}");
    assert!(
        line["found"].as_str().unwrap().contains("its certificate holds until 2099-12-31; nothing was sent"),
        "{line}"
    );
    assert_eq!(told.recv().unwrap(), b"", "not a word");
    for (identity, words) in [
        (authority.issue("localhost", |params| params.not_after = date_time_ymd(2001, 1, 1)), "expired"),
        (authority.issue("another.example", |_| {}), "not valid for name"),
        (Identity::self_signed("localhost"), "UnknownIssuer"),
    ] {
        let line = told_of(&identity);
        assert_eq!(line["level"], "fail", "{line}");
        assert!(line["found"].as_str().unwrap().contains(words), "{line}");
    }
}

/// The name is known to one command only, in a mount namespace of its own.
#[test]
fn a_name_that_leads_where_events_must_not_go_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://hook.test:{}/x", listener.local_addr().unwrap().port());
    let with = |address: &'static str| {
        move |appliance: &Appliance| {
            let hosts = appliance.folder.path().join("hosts");
            fs::write(&hosts, format!("{address} hook.test\n")).unwrap();
            let mut unshare = Command::new("unshare");
            unshare.args(["-m", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]).arg(hosts);
            unshare.args([env!("CARGO_BIN_EXE_stakeout"), "doctor", "--json", "--config"]).arg(appliance.config());
            unshare.output().unwrap()
        }
    };
    if !Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|output| output.status.success()) {
        return skip("no mount namespace can be made here (`unshare -m` needs root)");
    }
    // 0.0.0.0 would connect: to this machine.
    for (address, words) in [("169.254.7.7", "a link-local address"), ("0.0.0.0", "leads to 0.0.0.0")] {
        let line = told_of_an_endpoint_that_would_act(&url, "", with(address));
        assert_eq!(line["level"], "fail", "{line}");
        assert!(line["found"].as_str().unwrap().contains(words), "{line}");
    }
}
