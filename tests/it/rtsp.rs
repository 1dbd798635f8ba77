//! A real RTSP server as a child process: `scripts/rtsp-server`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use url::Url;

/// scripts/rtsp-server, stopped when dropped.
pub struct Server {
    process: Child,
    pub url: Url,
}

impl Server {
    /// Serves `clip` on `port` (0: any); answers when it listens.
    pub fn start(clip: &Path, port: u16, more: &[&str]) -> Server {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/rtsp-server");
        let mut process = Command::new(script)
            .args(["--port", &port.to_string(), "--clip"])
            .arg(clip)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/rtsp-server starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).expect("the server says where it is");
        Server { process, url: told["url"].as_str().unwrap().parse().unwrap() }
    }

    /// Sends it a signal, `-STOP` for instance.
    pub fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
