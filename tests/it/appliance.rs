//! The built binary on a folder of its own: its configuration, its state, its process.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::shared::shared_if_there;

/// The secret of every endpoint in these tests.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Things that take longer than this have gone wrong; nothing is measured with it.
const ABSURD: Duration = Duration::from_secs(90);

/// A box with Stakeout on it.
pub struct Appliance {
    pub folder: TempDir,
    daemon: Option<Child>,
}

impl Appliance {
    /// A box whose configuration begins with where things are and goes on with `config`, in which `HERE` is its folder.
    pub fn new(config: &str) -> Appliance {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        fs::write(at.join("ops.secret"), SECRET).unwrap();
        fs::set_permissions(at.join("ops.secret"), fs::Permissions::from_mode(0o600)).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let library = std::env::var_os("ORT_LIB").map_or_else(|| root.join(".setup/lib/libonnxruntime.so"), Into::into);
        let mut text = format!(
            "[device]\nid = \"box\"\n[storage]\npath = \"{0}/state\"\n[runtime]\nonnxruntime = \"{1}\"\nthreads = 1\n\
             [api]\nsocket = \"{0}/stakeout.sock\"\n\
             [[model]]\nname = \"yard-classifier\"\npath = \"{2}/models/yard-classifier\"\n",
            at.display(),
            library.display(),
            root.display(),
        );
        if let Some(model) = yolox(at) {
            write!(text, "[[model]]\nname = \"yolox-nano\"\npath = \"{}\"\n", model.display()).unwrap();
        }
        let config = with_text_log(config);
        fs::write(at.join("stakeout.toml"), text + &config.replace("HERE", at.to_str().unwrap())).unwrap();
        Appliance { folder, daemon: None }
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("stakeout.toml")
    }

    /// Changes the configuration, which counts from the next start.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "`{from}` is not in\n{text}");
        fs::write(self.config(), text.replace(from, to)).unwrap();
    }

    /// `stakeout ARGS --config …` to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_stakeout")).args(args).arg("--config").arg(self.config()).output().unwrap()
    }

    /// The JSON lines that a command prints.
    pub fn json(&self, args: &[&str]) -> Vec<Value> {
        let output = self.run(args);
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        told.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Starts the daemon and waits until it answers.
    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    /// The same with these environment variables.
    pub fn start_with(&mut self, environment: &[(&str, &str)]) {
        assert!(self.daemon.is_none(), "one daemon at a time");
        let daemon = self.spawn_with(environment);
        self.daemon = Some(daemon);
        self.until("the daemon answers", |it| it.run(&["status", "--json"]).status.success().then_some(()));
    }

    /// Starts a daemon that is the caller's, and waits for nothing.
    pub fn spawn(&self) -> Child {
        self.spawn_with(&[])
    }

    fn spawn_with(&self, environment: &[(&str, &str)]) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        Command::new(env!("CARGO_BIN_EXE_stakeout"))
            .args(["run", "--config"])
            .arg(self.config())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// SIGKILL: nothing is said, nothing is tidied up.
    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// SIGTERM, and whether it ended well.
    pub fn stop(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        assert!(Command::new("kill").arg(daemon.id().to_string()).status().unwrap().success());
        let ended = daemon.wait().unwrap();
        assert!(ended.success(), "{ended}\n{}", self.log());
    }

    /// The daemon's process id.
    pub fn process(&self) -> u32 {
        self.daemon.as_ref().expect("it runs").id()
    }

    /// SIGABRT: what a crash does.
    pub fn abort(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        assert!(Command::new("kill").args(["-ABRT", &daemon.id().to_string()]).status().unwrap().success());
        daemon.wait().unwrap();
    }

    /// Sends the daemon a signal, `-STOP` for instance.
    pub fn signal(&self, signal: &str) {
        let id = self.daemon.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub fn status(&self) -> Value {
        self.json(&["status", "--json"]).remove(0)
    }

    /// All events, oldest first.
    pub fn events(&self) -> Vec<Value> {
        self.json(&["events", "--json", "--limit", "1000"])
    }

    /// When the camera came online, in seconds since 1970, from the log.
    pub fn began(&self) -> f64 {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("camera online")).expect("the camera came online");
        let at: jiff::Timestamp = line.split_whitespace().next().unwrap().parse().unwrap();
        at.as_microsecond() as f64 / 1e6
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Asks until there is an answer. Panics when that takes absurdly long.
    pub fn until<T>(&self, what: &str, answer: impl Fn(&Appliance) -> Option<T>) -> T {
        self.until_within(ABSURD, what, answer)
    }

    /// The same where it rightly takes long.
    pub fn until_within<T>(&self, limit: Duration, what: &str, answer: impl Fn(&Appliance) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = answer(self) {
                return answer;
            }
            assert!(began.elapsed() < limit, "{what}: not in {limit:?}\n{}", self.log());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Tests read the log as people do, unless they say otherwise.
fn with_text_log(config: &str) -> String {
    const TEXT: &str = "[log]\nformat = \"text\"\n";
    match config.split_once("[log]\n") {
        None => TEXT.to_owned() + config,
        Some((_, section)) if section.split("\n[").next().unwrap().contains("format = ") => config.to_owned(),
        Some((before, section)) => before.to_owned() + TEXT + section,
    }
}

/// `models/yolox-nano` with the model's file in it, made in `folder`; None without the shared data.
fn yolox(folder: &Path) -> Option<PathBuf> {
    let model = shared_if_there("models/yolox_nano.onnx")?;
    let described = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/yolox-nano");
    let made = folder.join("yolox-nano");
    fs::create_dir(&made).unwrap();
    for file in ["manifest.toml", "labels.txt"] {
        fs::copy(described.join(file), made.join(file)).unwrap();
    }
    fs::copy(model, made.join("yolox_nano.onnx")).unwrap();
    Some(made)
}
