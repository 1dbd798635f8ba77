//! `stakeout init`: by flags and by answers at a terminal; what comes of it runs, and what isn't finished leaves nothing.

mod flags;
mod typed;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use stakeout::sign::{Key, Message, verify};

use crate::appliance::Appliance;
use crate::receiver::{Answer, Arrived, Receiver};
use crate::rtsp::Server;
use crate::shared::runtime;

const PASSWORD: &str = "in1t's p@ssword";

/// A box with a model and nothing configured, a camera that wants a login, a receiver.
struct Site {
    appliance: Appliance,
    camera: Server,
    receiver: Receiver,
}

impl Site {
    /// `answer`: what the receiver says. None where ONNX Runtime is not here.
    fn new(answer: impl Fn(&Arrived) -> Answer + Send + Sync + 'static) -> Option<Site> {
        runtime()?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let appliance = Appliance::new("");
        fs::remove_file(appliance.config()).unwrap();
        let here = appliance.folder.path();
        fs::remove_file(here.join("ops.secret")).unwrap();
        fs::create_dir_all(here.join("state/models")).unwrap();
        let copied = Command::new("cp")
            .arg("-r")
            .arg(root.join("models/yard-classifier"))
            .arg(here.join("state/models"))
            .status();
        assert!(copied.unwrap().success());
        fs::write(here.join("password"), PASSWORD).unwrap();
        let camera = Server::start(&root.join("tests/data/yard.mp4"), 0, &["--user", "viewer", "--password", PASSWORD]);
        let receiver = Receiver::start(move |_, arrived| answer(arrived));
        Some(Site { appliance, camera, receiver })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.appliance.folder.path().join(name)
    }

    /// `stakeout init` in the box's folder, with where things are on this box.
    fn init(&self) -> Command {
        let mut init = Command::new(env!("CARGO_BIN_EXE_stakeout"));
        init.current_dir(self.appliance.folder.path()).args(self.where_things_are());
        init
    }

    fn where_things_are(&self) -> Vec<String> {
        let fetched = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/lib/libonnxruntime.so");
        let library = std::env::var_os("ORT_LIB").map_or_else(fetched, PathBuf::from);
        let paths = [
            ("--config", self.appliance.config()),
            ("--state", self.path("state")),
            ("--socket", self.path("stakeout.sock")),
            ("--onnxruntime", library),
        ];
        let options = paths.into_iter().flat_map(|(flag, path)| [flag.to_owned(), path.display().to_string()]);
        ["init".to_owned()].into_iter().chain(options).collect()
    }

    /// What lies in the folder, hidden files too.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.appliance.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "yolox-nano")
            .collect();
        names.sort();
        names
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }

    /// What was written is usable, holds no secret, and lies there as it should.
    fn assert_written(&self) {
        assert_eq!(
            self.files(),
            ["camera.jpg", "camera.pass", "ops.secret", "password", "stakeout.toml", "state"],
            "and nothing half-written"
        );
        assert_eq!((self.text("camera.pass").as_str(), self.mode("camera.pass")), (PASSWORD, 0o600));
        assert_eq!(self.mode("ops.secret"), 0o600);
        let config = self.text("stakeout.toml");
        assert!(!config.contains(PASSWORD) && !config.contains(&self.text("ops.secret")), "{config}");
        assert!(fs::read(self.path("camera.jpg")).unwrap().starts_with(&[0xff, 0xd8, 0xff]), "a JPEG");
        let checked = self.appliance.run(&["check"]);
        assert!(checked.status.success(), "{config}{}", String::from_utf8_lossy(&checked.stderr));
        assert!(checked.stderr.is_empty(), "no warning: {}", String::from_utf8_lossy(&checked.stderr));
    }

    /// The daemon starts with it, and an alert arrives that is signed with the secret that was written.
    fn assert_alerts(&mut self) {
        self.appliance.start();
        let key = [Key::new(&self.text("ops.secret")).unwrap()];
        let alert = self.appliance.until("an alert arrives", |_| {
            let is_alert = |arrived: &Arrived| String::from_utf8_lossy(&arrived.body).contains("monitor.triggered");
            self.receiver.arrived().into_iter().find(is_alert)
        });
        let timestamp = alert.header("webhook-timestamp").parse().unwrap();
        let message = Message { id: alert.header("webhook-id"), timestamp };
        verify(&key, alert.header("webhook-signature"), Some(message), &alert.body).expect("it is signed with it");
        self.appliance.stop();
    }
}
