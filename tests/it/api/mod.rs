//! The API of the built binary: who may call, what abuse of it comes to, and that answers are as its document says.

mod abuse;
mod access;
mod answers;
mod invented;
mod shown;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::appliance::Appliance;
use crate::receiver::Receiver;

const TOKEN: &str = "t0ken-of-the-api:with+more/of=it";

/// A box with a camera, a monitor and an endpoint, and its API at `listen`.
fn daemon(listen: &str, receiver: &Receiver) -> Appliance {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let mut appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[camera]]\nname = \"away\"\nurl = \"rtsp://127.0.0.1:9/1\"\nusername = \"viewer\"\npassword_file = \"HERE/ops.secret\"\n\
         [[monitor]]\nname = \"person\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
         condition = \"Is a person in the yard?\"\ncheck_interval = \"200ms\"\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n\
         retry = {{ delays = [\"100ms\"], max_age = \"1h\" }}\n",
        clip.display(),
        receiver.url(),
    ));
    let token = appliance.folder.path().join("api.token");
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let settings = format!(
        "[api]\nlisten = \"{listen}\"\ntoken_file = \"{}\"\ndefault_model = \"yard-classifier\"\n",
        token.display()
    );
    appliance.edit("[api]\n", &settings);
    appliance.start();
    appliance
}

/// The port that the daemon was given.
pub fn port(appliance: &Appliance) -> u16 {
    let log = appliance.log();
    let line = log.lines().rfind(|line| line.contains("the API listens")).expect("it says where");
    let plain: String = line.chars().filter(|c| !c.is_control()).collect();
    plain.rsplit(':').next().unwrap().trim().parse().expect(&plain)
}

/// An answer as it came.
struct Answer {
    status: u16,
    /// In lower case.
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.head, self.text()))
    }

    /// As every error is.
    fn assert_refusal(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.text());
        let json = self.json();
        let fields: Vec<_> =
            json.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.is_string())).collect();
        assert_eq!(fields, [("error", true), ("hint", true)], "{json}");
        assert!(self.head.contains("\r\nstakeout-version: "), "{}", self.head);
    }
}

/// A connection to the daemon's socket or its port.
trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

fn unix(appliance: &Appliance) -> Box<dyn Connection> {
    Box::new(UnixStream::connect(appliance.folder.path().join("stakeout.sock")).unwrap())
}

fn tcp(address: SocketAddr) -> Box<dyn Connection> {
    Box::new(TcpStream::connect(address).unwrap())
}

/// One request with these header lines (a `Host` unless there is one among them), and its answer.
fn ask(mut to: Box<dyn Connection>, request: &str, headers: &[&str], body: &[u8]) -> io::Result<Answer> {
    let mut head = format!("{request} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|line| line.starts_with("Host:")) {
        head.push_str("Host: localhost\r\n");
    }
    headers.iter().for_each(|line| head.push_str(&format!("{line}\r\n")));
    if !body.is_empty() && !headers.iter().any(|line| line.starts_with("Transfer-Encoding:")) {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    to.write_all(format!("{head}\r\n").as_bytes())?;
    to.write_all(body)?;
    read(to)
}

/// What comes until the other end closes.
fn read(mut from: Box<dyn Connection>) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| io::Error::other(format!("no answer but {} bytes", bytes.len())))?;
    let body = bytes.split_off(end + 4);
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    Ok(Answer { status, head, body })
}
