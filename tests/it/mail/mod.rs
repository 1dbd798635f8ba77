//! Letters over real sockets to a mail server that we did not write (aiosmtpd), read by Python's email package.

mod outcomes;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::certificates::{Authority, Identity};
use crate::python;

const PYPI: &str = "aiosmtpd==1.4.6";

/// A name and password that the server takes.
pub const LOGIN: (&str, &str) = ("box", "correct horse battery");

/// A mail server that runs until it is dropped.
pub struct MailServer {
    folder: TempDir,
    python: PathBuf,
    process: Child,
    pub port: u16,
}

impl MailServer {
    /// With TLS as `tls` says (`first`, `later` or `never`), a certificate of `identity`, and what else `server.py` can be
    /// told. None where it can't be had.
    pub fn start(tls: &str, identity: &Identity, mut wanted: Value) -> Option<MailServer> {
        let python = python::with(PYPI, "aiosmtpd")?;
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        wanted["tls"] = tls.into();
        wanted["certificate"] = file("certificate.pem", &identity.pem).into();
        wanted["key"] = file("key.pem", &identity.key_pem).into();
        if let Some(authority) = wanted.get("authority").and_then(Value::as_str) {
            wanted["authority"] = file("authority.pem", authority).into();
        }
        let mut process = Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/mail/server.py"))
            .arg(folder.path())
            .arg(wanted.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the server says its port");
        Some(MailServer { folder, python, process, port })
    }

    /// With TLS as `tls` says, and a certificate of `authority`.
    pub fn of(authority: &Authority, tls: &str, wanted: Value) -> Option<MailServer> {
        MailServer::start(tls, &authority.issue("localhost", |_| {}), wanted)
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.port)
    }

    /// How many letters have arrived.
    pub fn count(&self) -> usize {
        (0..).take_while(|n| self.folder.path().join(format!("{n}.eml")).exists()).count()
    }

    /// The bytes of the n-th letter.
    pub fn raw(&self, n: usize) -> Vec<u8> {
        fs::read(self.folder.path().join(format!("{n}.eml"))).unwrap()
    }

    /// With whom, from whom and to whom the n-th letter came.
    pub fn envelope(&self, n: usize) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join(format!("{n}.json"))).unwrap()).unwrap()
    }

    /// What Python's email package makes of the n-th letter.
    pub fn letter(&self, n: usize) -> Value {
        let output = Command::new(&self.python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/mail/read.py"))
            .arg(self.folder.path().join(format!("{n}.eml")))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// From now on nobody answers.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}
