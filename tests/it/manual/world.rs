//! What README.md and the man pages take for granted: a camera with a login, models, a receiver that verifies, a hub, a
//! recording and pictures; and a running box with the configuration that README.md shows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use stakeout::delivery::State;
use stakeout::sign::{Key, verify};
use stakeout::time::now;

use super::written;
use crate::appliance::{Appliance, SECRET};
use crate::dlq::letter;
use crate::owing::{self, accept};
use crate::pull_hub::Hub;
use crate::receiver::{Answer, Arrived, Receiver};
use crate::rtsp::Server;
use crate::shared::{runtime, shared};

/// Things that take longer than this have gone wrong; nothing is measured with it.
const ABSURD: Duration = Duration::from_secs(120);

/// The camera's password.
const PASSWORD: &str = "hunter2-hunter2";

/// What stands for systemd: it knows one unit, which the package has enabled and started, so that only a restart makes it
/// read its configuration anew, and one that it could use. (Under a real systemd: `scripts/installed_unit.py`.)
const SYSTEMCTL: &str = "\
#!/bin/sh
case \"$*\" in
    daemon-reload | 'enable stakeout' | 'enable --now stakeout') ;;
    'restart stakeout') stakeout check >/dev/null && echo 'stakeout.service has read its configuration' ;;
    *) echo \"systemctl: '$*' is not known here\" >&2; exit 1 ;;
esac
";

/// What the stand-in for systemd says of a restart.
pub const RESTARTED: &str = "stakeout.service has read its configuration";

/// A box and its surroundings.
pub struct World {
    pub appliance: Appliance,
    camera: Server,
    another: Server,
    receiver: Receiver,
    hub: Hub,
}

/// How a command ended.
pub struct Ended {
    pub code: Option<i32>,
    /// stdout, then stderr.
    pub said: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A receiver as README.md wants it: what is not signed with our secret is refused.
fn verified(request: &Arrived) -> Answer {
    let key = Key::new(SECRET).unwrap();
    let signed = request.has_header("x-trio-signature");
    let genuine = signed && verify(&[key], request.header("x-trio-signature"), None, &request.body).is_ok();
    Answer::status(if genuine { 200 } else { 401 })
}

impl World {
    /// With a running daemon, dead letters and deliveries. None where the shared data or ONNX Runtime are not here.
    pub fn new() -> Option<World> {
        shared("models/yolox_nano.onnx")?;
        runtime()?;
        let clip = root().join("tests/data/yard.mp4");
        let [camera, another] =
            [(); 2].map(|()| Server::start(&clip, 0, &["--user", "viewer", "--password", PASSWORD]));
        let receiver = Receiver::start(|_, request| verified(request));
        let config = written::toml("README.md").remove(0);
        let config = [
            ("rtsp://10.0.0.21/stream1", camera.url.as_str()),
            ("https://your-app.example/hooks/stakeout", &receiver.url()),
            ("/etc/stakeout/", "HERE/"),
        ]
        .iter()
        .fold(config, |config, (from, to)| {
            assert!(config.contains(from), "`{from}` is not in the configuration of README.md");
            config.replace(from, to)
        });
        let appliance = Appliance::new(&config);
        appliance.edit("[api]\n", "[api]\ndefault_model = \"yard\"\nwebhook_secret_file = \"HERE/ops.secret\"\n");
        appliance.edit("HERE/", &format!("{}/", appliance.folder.path().display()));
        let mut world = World { appliance, camera, another, receiver, hub: hub() };
        world.furnish();
        world.owe();
        world.start();
        Some(world)
    }

    fn here(&self) -> String {
        self.appliance.folder.path().to_str().unwrap().to_owned()
    }

    /// The folder in which commands are typed: like a checkout, with a recording and pictures in it.
    fn place(&self) -> PathBuf {
        self.appliance.folder.path().join("checkout")
    }

    fn furnish(&self) {
        let (here, place) = (self.appliance.folder.path(), self.place());
        let secret = |name: &str, text: &str| {
            fs::write(here.join(name), text).unwrap();
            fs::set_permissions(here.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        };
        secret("dock.pass", PASSWORD);
        for folder in ["new", "etc/stakeout", "usr/share/bash-completion/completions", "checkout/models/yard"] {
            fs::create_dir_all(here.join(folder)).unwrap();
        }
        for known in ["scripts", "tests", "packaging", ".setup"] {
            symlink(root().join(known), place.join(known)).unwrap();
        }
        symlink(root().join("models/yolox-nano"), place.join("models/yolox-nano")).unwrap();
        // Calibration writes into it.
        for file in fs::read_dir(root().join("models/yard")).unwrap() {
            let file = file.unwrap().path();
            fs::copy(&file, place.join("models/yard").join(file.file_name().unwrap())).unwrap();
        }
        let pictures = root().join("tests/data/yard-questions");
        symlink(&pictures, place.join("frames")).unwrap();
        symlink(root().join("tests/data/yard.mp4"), place.join("recording.mp4")).unwrap();
        let case = "[[case]]\nname = \"one visit\"\nclip = \"recording.mp4\"\nforbid = [{ after = 39 }]\n";
        fs::write(place.join("cases.toml"), case).unwrap();
        fs::copy(pictures.join("28000000.png"), place.join("yard.png")).unwrap();
        image::open(place.join("yard.png")).unwrap().to_rgb8().save(place.join("yard.jpg")).unwrap();
        // There is no systemd here, and no unit that could be disturbed.
        fs::create_dir(here.join("bin")).unwrap();
        fs::write(here.join("bin/systemctl"), SYSTEMCTL).unwrap();
        fs::set_permissions(here.join("bin/systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        // useradd --prefix
        for file in ["passwd", "group", "login.defs"] {
            fs::copy(Path::new("/etc").join(file), here.join("etc").join(file)).unwrap();
        }
    }

    /// Dead letters of several kinds, and one delivery that is due.
    fn owe(&self) {
        let hour = Duration::from_secs(3600);
        let journal = owing::journal(&self.appliance);
        for hours in 1..12 {
            letter(&journal, "ops", hours * hour, State::Dead, Some("exhausted"));
        }
        letter(&journal, "ops", 300 * hour, State::Expired, None);
        letter(&journal, "ops", hour, State::SkippedGone, None);
        accept(&journal, now(), &["ops"]);
        journal.close().unwrap();
    }

    fn start(&mut self) {
        self.appliance.start();
        self.appliance.until("a picture", |it| (it.status()["cameras"][0]["state"] == "online").then_some(()));
        let request = &self.receiver.wait_for(1)[0];
        fs::write(self.place().join("body.json"), &request.body).unwrap();
    }

    /// The first id that a listing shows.
    fn first(&self, listing: &[&str], key: &str) -> String {
        self.appliance.json(listing).first().map_or_else(String::new, |line| line[key].as_str().unwrap().to_owned())
    }

    /// A command as it is typed here: with our names and places for those that stand in it, first `places`, then those that
    /// count everywhere.
    pub fn meant(&self, command: &str, places: &[(&str, &str)]) -> String {
        let here = self.here();
        let mut command = places.iter().fold(command.to_owned(), |command, (from, to)| {
            assert!(command.contains(from), "`{from}` is not in `{command}`");
            command.replace(from, to)
        });
        let with_login =
            |camera: &Server| camera.url.as_str().replace("rtsp://", &format!("rtsp://viewer:{PASSWORD}@"));
        let everywhere = [
            ("HUB", self.hub.url()),
            ("CAMERA", self.camera.url.to_string()),
            ("LIBRARY", library().display().to_string()),
            ("ANOTHER", with_login(&self.another)),
            ("HERE", here.clone()),
            ("BINARY", env!("CARGO_BIN_EXE_stakeout").to_owned()),
            ("/run/stakeout/stakeout.sock", format!("{here}/stakeout.sock")),
            ("/etc/stakeout/", format!("{here}/etc/stakeout/")),
            ("/usr/share/", format!("{here}/usr/share/")),
            ("rtsp://viewer:PASSWORD@10.0.0.21/stream1", with_login(&self.camera)),
            ("https://your-app.example/hooks/stakeout", self.receiver.url()),
            ("https://your-app.example/hook", self.receiver.url()),
            ("https://your-app.example/alerts", self.receiver.url()),
            ("https://your-app.example/events", self.receiver.url()),
            ("https://your-app.example/clips", self.receiver.url()),
            ("http://mirror.lan/", format!("{}/", self.hub.url())),
        ];
        for (from, to) in everywhere {
            command = command.replace(from, &to);
        }
        for (id, listing, key) in [
            ("0192b1c4-5e2f-7a11-8c3d-9d4e5f6a7b80", ["jobs", "list", "--json"], "job_id"),
            ("0192b1c4-6d3a-7c55-9f0e-2b8a4c1d7e90", ["dlq", "list", "--json"], "id"),
            ("0192b1c4-4c1e-7e22-b7d5-8a1f0c2d3e44", ["events", "--limit=1", "--json"], "id"),
        ] {
            if command.contains(id) {
                command = command.replace(id, &self.first(&listing, key));
            }
        }
        command
    }

    fn shell(&self, command: &str) -> Command {
        let request = &self.receiver.arrived()[0];
        let mut shell = Command::new("bash");
        let beside = Path::new(env!("CARGO_BIN_EXE_stakeout")).parent().unwrap().display().to_string();
        shell
            .args(["--norc", "-o", "pipefail", "-c", command])
            .current_dir(self.place())
            .env("PATH", format!("{}/bin:{beside}:{}", self.here(), std::env::var("PATH").unwrap()))
            .env("STAKEOUT_CONFIG", self.appliance.config())
            .env("SIGNATURE", request.header("webhook-signature"))
            .env("ID", request.header("webhook-id"))
            .env("TIMESTAMP", request.header("webhook-timestamp"))
            .stdin(Stdio::null())
            .process_group(0);
        shell
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &str) -> Ended {
        let Output { status, stdout, stderr } = self.shell(command).output().unwrap();
        let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        Ended { code: status.code(), said }
    }

    /// Runs a command that goes on by itself until it has said `words`, whatever `meanwhile` does, and ends it.
    ///
    /// # Errors
    /// What it has said instead.
    pub fn goes_on(&self, command: &str, meanwhile: &str, words: &str) -> Result<(), String> {
        let mut child =
            self.shell(&format!("{command} 2>&1")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (say, hear) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.try_for_each(|line| say.send(line))
        });
        let began = Instant::now();
        let mut said = String::new();
        let (mut asked, mut failed) = (None, false);
        while !said.contains(words) && began.elapsed() < ABSURD {
            // What happens before it listens is lost on it.
            if !meanwhile.is_empty() && asked.is_none_or(|at: Instant| at.elapsed() > Duration::from_secs(5)) {
                asked = Some(Instant::now());
                let ended = self.run(meanwhile);
                failed = ended.code != Some(0);
                if failed {
                    said = format!("{said}\n`{meanwhile}` ended with {:?}: {}", ended.code, ended.said);
                    break;
                }
            }
            match hear.recv_timeout(Duration::from_secs(1)) {
                Ok(line) => said = said + &line + "\n",
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        let told = said.contains(words) && !failed;
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
        let _ = child.wait();
        if told { Ok(()) } else { Err(said) }
    }

    /// Runs a command that is the daemon, in the place of the one that runs here: it answers, and ends when it is told to.
    ///
    /// # Errors
    /// How it ended instead.
    pub fn is_the_daemon(&mut self, command: &str) -> Result<(), String> {
        self.appliance.stop();
        let mut child = self.shell(&format!("exec {command}")).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        let answers = loop {
            let answered = self.run("stakeout status").code == Some(0);
            if answered || began.elapsed() > ABSURD || child.try_wait().unwrap().is_some() {
                break answered;
            }
            thread::sleep(Duration::from_millis(200));
        };
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        let ended = child.wait().unwrap();
        self.start();
        if answers && ended.success() { Ok(()) } else { Err(format!("it answered: {answers}; {ended}")) }
    }
}

/// ONNX Runtime, where nobody would look for it.
fn library() -> PathBuf {
    std::env::var_os("ORT_LIB").map_or_else(|| root().join(".setup/lib/libonnxruntime.so"), PathBuf::from)
}

/// A hub with a model in the published layout.
fn hub() -> Hub {
    let layout = root().join("tests/data/models/smolvlm-256m-layout");
    let hub = Hub::start();
    for path in
        ["onnx/vision_encoder.onnx", "onnx/embed_tokens.onnx", "onnx/decoder_model_merged.onnx", "tokenizer.json"]
    {
        hub.put(path, &fs::read(layout.join(path)).unwrap());
    }
    hub
}
