//! A network that fails when it is told to, as a child process: `scripts/rtsp-relay`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use url::Url;

/// scripts/rtsp-relay, stopped when dropped.
pub struct Relay {
    process: Child,
    commands: ChildStdin,
    /// What it says: requests that passed, packets that were struck.
    heard: Arc<Mutex<Vec<serde_json::Value>>>,
    /// The camera's, by way of the relay.
    pub url: Url,
}

impl Relay {
    /// A way to the camera at `camera`, on which everything passes.
    pub fn to(camera: &Url) -> Relay {
        let mut process = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/rtsp-relay"))
            .args(["--to", &camera.port().unwrap().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/rtsp-relay starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut told = move || -> Option<serde_json::Value> {
            Some(serde_json::from_str(&lines.next()?.ok()?).expect("the relay speaks JSON"))
        };
        let mut url = camera.clone();
        url.set_port(Some(told().unwrap()["port"].as_u64().unwrap() as u16)).unwrap();
        let heard = Arc::<Mutex<Vec<serde_json::Value>>>::default();
        let hears = heard.clone();
        thread::spawn(move || {
            while let Some(line) = told() {
                hears.lock().unwrap().push(line);
            }
        });
        let commands = process.stdin.take().unwrap();
        Relay { process, commands, heard, url }
    }

    /// Changes how it behaves.
    pub fn tell(&mut self, words: &str) {
        writeln!(self.commands, "{words}").unwrap();
    }

    /// How many requests of that name have passed.
    pub fn passed(&self, request: &str) -> usize {
        self.heard("request", request)
    }

    /// How many packets of video were lost (`loss`) or spoilt (`garbage`).
    pub fn struck(&self, fault: &str) -> usize {
        self.heard("struck", fault)
    }

    fn heard(&self, what: &str, name: &str) -> usize {
        self.heard.lock().unwrap().iter().filter(|line| line[what] == name).count()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
