//! Where log lines go, and that they can be found there by what they are about.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::appliance::Appliance;
use crate::shared::{runtime, skip};

/// A box whose endpoint nobody answers for.
fn chatty(format: &str) -> Appliance {
    Appliance::new(&format!(
        "[log]\nformat = \"{format}\"\n[[camera]]\nname = \"yard\"\nurl = \"file://{}/tests/data/yard.mp4\"\nloop = true\n\
         [[monitor]]\nname = \"anything\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
         confidence_threshold = 0.0001\nclear_threshold = 0.0\ncheck_interval = \"500ms\"\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"http://127.0.0.1:9/hook\"\nsecret_file = \"HERE/ops.secret\"\n",
        env!("CARGO_MANIFEST_DIR"),
    ))
}

#[test]
fn what_is_neither_a_terminal_nor_the_journal_gets_json_lines() {
    if runtime().is_none() {
        return;
    }
    let mut appliance = chatty("auto");
    // Of another service, which started this one with its output somewhere else.
    appliance.start_with(&[("JOURNAL_STREAM", "1:2")]);
    appliance.until("an alert", |it| it.log().contains("\"triggered\"").then_some(()));
    appliance.stop();
    let log = appliance.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let alert = lines.iter().find(|line| line["message"] == "triggered").unwrap();
    assert_eq!((&alert["camera"], &alert["monitor"]), (&"yard".into(), &"anything".into()));
    assert_eq!((&alert["event"], &alert["level"]), (&"monitor.triggered".into(), &"INFO".into()));
    assert!(alert["timestamp"].is_string() && alert["confidence"].is_number(), "{alert}");

    let mut appliance = chatty("text");
    appliance.start();
    appliance.stop();
    assert!(appliance.log().lines().all(|line| serde_json::from_str::<Value>(line).is_err()), "that was asked for");
}

/// What stands in for journald.
struct Journal {
    entries: Arc<Mutex<Vec<BTreeMap<String, String>>>>,
}

impl Journal {
    fn at(path: &Path) -> Journal {
        let (socket, entries) = (UnixDatagram::bind(path).unwrap(), Arc::<Mutex<Vec<_>>>::default());
        let kept = entries.clone();
        thread::spawn(move || {
            let mut datagram = vec![0; 1 << 18];
            while let Ok(length) = socket.recv(&mut datagram) {
                kept.lock().unwrap().push(fields(&datagram[..length]));
            }
        });
        Journal { entries }
    }

    fn find(&self, wanted: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
        let fits = |entry: &&BTreeMap<String, String>| {
            wanted.iter().all(|(key, value)| entry.get(*key).is_some_and(|it| it == value))
        };
        self.entries.lock().unwrap().iter().find(fits).cloned()
    }

    fn wait_for(&self, wanted: &[(&str, &str)]) -> BTreeMap<String, String> {
        let began = Instant::now();
        loop {
            if let Some(entry) = self.find(wanted) {
                return entry;
            }
            assert!(began.elapsed() < Duration::from_secs(90), "no {wanted:?} in {:#?}", self.entries.lock().unwrap());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The native protocol of journald: `KEY=value`, or `KEY`, the length in 8 bytes, the value.
fn fields(mut datagram: &[u8]) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut fields = BTreeMap::new();
    while let Some(end) = datagram.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (&datagram[..end], &datagram[end + 1..]);
        datagram = match line.iter().position(|byte| *byte == b'=') {
            Some(equals) => {
                fields.insert(text(&line[..equals]), text(&line[equals + 1..]));
                rest
            }
            None => {
                let (length, rest) = rest.split_first_chunk::<8>().unwrap();
                let length = usize::try_from(u64::from_le_bytes(*length)).unwrap();
                fields.insert(text(line), text(&rest[..length]));
                &rest[length + 1..]
            }
        };
    }
    fields
}

/// `stakeout run` with `socket` in the place of journald's. `JOURNAL_STREAM` names `stream`; stderr goes to `stderr`.
fn under_journald(appliance: &Appliance, socket: &Path, stream: &Path, stderr: &Path) -> Child {
    let (stream, stderr) = (fs::metadata(stream).unwrap(), File::options().append(true).open(stderr).unwrap());
    let inside = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && touch /run/systemd/journal/socket && \
                  mount --bind \"$0\" /run/systemd/journal/socket && exec \"$@\"";
    Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", inside])
        .arg(socket)
        .args([env!("CARGO_BIN_EXE_stakeout"), "run", "--config"])
        .arg(appliance.config())
        .env("JOURNAL_STREAM", format!("{}:{}", stream.dev(), stream.ino()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap()
}

#[test]
fn the_journal_has_lines_with_fields_of_their_own_names() {
    let mut mount = Command::new("unshare");
    mount.args(["--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/run"]);
    if !mount.output().is_ok_and(|output| output.status.success()) {
        return skip("nothing can be mounted in a namespace of its own: that takes `unshare` and the kernel's leave");
    }
    if runtime().is_none() {
        return;
    }
    let appliance = chatty("auto");
    let at = |name: &str| appliance.folder.path().join(name);
    let journal = Journal::at(&at("journal.sock"));
    fs::write(at("log"), "").unwrap();
    let mut daemon = under_journald(&appliance, &at("journal.sock"), &at("log"), &at("log"));
    let alert = journal.wait_for(&[("CAMERA", "yard"), ("MONITOR", "anything"), ("EVENT", "monitor.triggered")]);
    assert_eq!((alert["MESSAGE"].as_str(), alert["PRIORITY"].as_str()), ("triggered", "6"), "{alert:?}");
    assert_eq!(alert["SYSLOG_IDENTIFIER"], "stakeout");
    let refused = journal.wait_for(&[("ENDPOINT", "ops"), ("PRIORITY", "4")]);
    assert!(refused["MESSAGE"].contains("ops"), "{refused:?}");
    assert!(!alert.keys().any(|key| key.starts_with("F_")), "{alert:?}");
    assert_eq!(appliance.log(), "", "nothing is said twice");
    daemon.kill().unwrap();
    daemon.wait().unwrap();

    fs::write(at("other"), "").unwrap();
    // What it said before it was killed may still be on its way.
    thread::sleep(Duration::from_secs(2));
    let before = journal.entries.lock().unwrap().len();
    let mut daemon = under_journald(&appliance, &at("journal.sock"), &at("other"), &at("log"));
    appliance.until("an alert", |it| it.log().contains("\"watching\"").then_some(()));
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let after = journal.entries.lock().unwrap().len();
    assert_eq!(after, before, "stderr is not the journal's, whatever the variable says of another file");
}
