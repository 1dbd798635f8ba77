//! Receivers in other languages as child processes: what they need is installed once and kept, and what they print is
//! their account.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::shared::skip;

/// Where the kit's receivers are, and what they are pinned to.
const KIT: &str = "packaging/examples/receivers";

/// Things that take longer than this have gone wrong; nothing is measured with it.
const ABSURD: Duration = Duration::from_secs(60);

/// What runs a receiver.
#[derive(Clone, Debug)]
pub enum Language {
    /// An interpreter that has what the kit's `requirements.txt` names.
    Python(PathBuf),
    /// `node_modules` of the kit's `package-lock.json`.
    Node(PathBuf),
}

impl Language {
    /// None where it can't be had, and then the test is skipped; in CI that is a failure.
    pub fn python() -> Option<Language> {
        let folder = installed("python", &["requirements.txt"], |folder, made_of| {
            let _ = Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder).output();
            let python = folder.join("bin/python");
            Command::new(python)
                .args(["-m", "pip", "install", "--quiet", "-r", "requirements.txt"])
                .current_dir(made_of)
                .output()
        })?;
        Some(Language::Python(folder.join("bin/python")))
    }

    /// The same.
    pub fn node() -> Option<Language> {
        let folder = installed("node", &["package.json", "package-lock.json"], |folder, made_of| {
            fs::create_dir_all(folder)?;
            for file in ["package.json", "package-lock.json"] {
                fs::copy(made_of.join(file), folder.join(file))?;
            }
            Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder).output()
        })?;
        Some(Language::Node(folder.join("node_modules")))
    }

    /// The folder of the kit that holds its receiver.
    pub fn kit(&self) -> &'static str {
        match self {
            Language::Python(_) => "packaging/examples/receivers/python",
            Language::Node(_) => "packaging/examples/receivers/node",
        }
    }

    /// What runs `script` (without its ending) out of `folder`, on a port that it says.
    fn command(&self, folder: &Path, script: &str) -> Command {
        match self {
            Language::Python(python) => {
                let mut command = Command::new(python);
                command.args(["-m", "uvicorn", "--host", "127.0.0.1", "--port", "0", "--no-access-log", "--app-dir"]);
                command.arg(folder).arg(format!("{script}:app"));
                command
            }
            Language::Node(_) => {
                let mut command = Command::new("node");
                command.arg(folder.join(script).with_extension("js")).envs([("HOST", "127.0.0.1"), ("PORT", "0")]);
                command
            }
        }
    }
}

/// What `install` makes in `.setup` of these files of the kit's folder `name`, and again whenever they have changed.
fn installed(
    name: &str,
    pinned: &[&str],
    install: impl Fn(&Path, &Path) -> std::io::Result<std::process::Output>,
) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (setup, made_of) = (root.join(".setup"), root.join(KIT).join(name));
    fs::create_dir_all(&setup).unwrap();
    let folder = setup.join(format!("receivers-{name}"));
    // Tests are processes, and more than one may be the first.
    let lock = File::create(setup.join(format!("receivers-{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let wanted: String = pinned.iter().map(|file| fs::read_to_string(made_of.join(file)).unwrap()).collect();
    let stamp = folder.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Some(folder);
    }
    let done = install(&folder, &made_of);
    if !done.as_ref().is_ok_and(|output| output.status.success()) {
        skip(&format!("what the receiver in {name} needs can't be installed: {done:?}"));
        return None;
    }
    fs::write(stamp, wanted).unwrap();
    Some(folder)
}

/// Programs as they are in `folder` of the repository, or with these places (from, to) changed.
pub fn copied(language: &Language, folder: &str, edits: &[(&str, &str)]) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut left: Vec<_> = edits.to_vec();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let kinds = ["py", "js", "json"];
        if !path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known)) {
            continue;
        }
        let mut text = fs::read_to_string(&path).unwrap();
        left.retain(|(from, to)| {
            let found = text.contains(from);
            text = text.replace(from, to);
            !found
        });
        fs::write(copy.path().join(path.file_name().unwrap()), text).unwrap();
    }
    assert!(left.is_empty(), "not in {folder}: {left:?}");
    if let Language::Node(modules) = language {
        symlink(modules, copy.path().join("node_modules")).unwrap();
    }
    copy
}

/// A receiver that runs, and what it has printed.
pub struct Running {
    process: Child,
    pub address: SocketAddr,
    printed: Arc<Mutex<Vec<Value>>>,
    printing: Option<JoinHandle<()>>,
    said: Arc<Mutex<String>>,
}

impl Running {
    /// Starts `script` out of `folder`; answers when it listens.
    pub fn start(language: &Language, folder: &Path, script: &str, environment: &[(&str, &str)]) -> Running {
        let mut process = language
            .command(folder, script)
            .envs(environment.iter().copied())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (printed, said): (Arc<Mutex<Vec<Value>>>, Arc<Mutex<String>>) = Default::default();
        let (port, listens) = channel();
        let (stdout, stderr) = (process.stdout.take().unwrap(), process.stderr.take().unwrap());
        let (lines, words) = (Arc::clone(&printed), Arc::clone(&said));
        let printing = thread::spawn(move || collect(stdout, &lines));
        thread::spawn(move || listen(stderr, &words, &port));
        let address = listens.recv_timeout(ABSURD).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let address = address.unwrap_or_else(|_| panic!("{script} doesn't listen: {}", said.lock().unwrap()));
        Running { process, address, printed, printing: Some(printing), said }
    }

    /// What it has printed, as soon as that is so many lines.
    pub fn wait_for(&self, count: usize) -> Vec<Value> {
        self.wait_until(|printed| printed.len() >= count)
    }

    /// What it has printed, as soon as that is `enough`.
    pub fn wait_until(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let printed = self.printed.lock().unwrap().clone();
            if enough(&printed) {
                return printed;
            }
            assert!(began.elapsed() < ABSURD, "not enough: {printed:?}\n{}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to end, and gives all that it has ever printed.
    pub fn end(mut self) -> Vec<Value> {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
        self.process.wait().unwrap();
        self.printing.take().unwrap().join().unwrap();
        self.printed.lock().unwrap().clone()
    }

    /// SIGKILL: nothing is tidied up.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// What it has said on stderr.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn collect(stdout: impl Read, printed: &Mutex<Vec<Value>>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        printed.lock().unwrap().push(serde_json::from_str(&line).expect("a receiver prints JSON"));
    }
}

fn listen(stderr: impl Read, said: &Mutex<String>, port: &Sender<u16>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        *said.lock().unwrap() += &format!("{line}\n");
        let announced =
            ["running on http://127.0.0.1:", "listening on port "].iter().find_map(|it| line.split_once(it));
        let digits = announced.map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        if let Some(number) = digits.and_then(|digits| digits.parse().ok()) {
            let _ = port.send(number);
        }
    }
}
