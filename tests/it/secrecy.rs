//! A whole run of the built binary, with passwords in every place where one can be: and no output, file, webhook or process
//! table shows any of them. GStreamer's own debug output is on, and so is every log line.
//!
//! The search knows nothing of how we hide things: it spells each secret in all the ways it can think of. Its negative
//! controls are a word that is shown on purpose, and GStreamer's own tool, which does show the password.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use crate::appliance::{Appliance, SECRET};
use crate::receiver::{Answer, Receiver};
use crate::rtsp::Server;
use crate::shared::runtime;

/// Everything that upsets a URL, JSON, a shell and a log line.
const RIGHT: &str = "p@ss:w/ör%41d \"'&=?#\\x";
const WRONG: &str = "wr0ng \"n\\asty' ü+pass";
const BASIC: &str = "b4sic:p@ss%w0rd";
const FAR: &str = "f4r-away$passw0rd";
const PATH: &str = "p4th-s3cr3t";
const QUERY: &str = "qu3ry s3cr3t";
const HEADER: &str = "h3ader-t0ken";
/// Shown on purpose: in metadata, and so in events, bodies and the journal.
const CANARY: &str = "c4nary \"bird\\ ü+sings";

const SECRETS: [&str; 8] = [RIGHT, WRONG, BASIC, FAR, PATH, QUERY, HEADER, SECRET];

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A secret in every way in which it may be written.
fn spelled(secret: &str) -> Vec<Vec<u8>> {
    let mut url = Url::parse("rtsp://h/").unwrap();
    url.set_password(Some(secret)).unwrap();
    let inside = |quoted: String| quoted[1..quoted.len() - 1].to_owned();
    let base64 = |text: &str| STANDARD.encode(text).trim_end_matches('=').to_owned();
    let mut texts = vec![
        secret.to_owned(),
        encoded(secret),
        encoded(secret).to_lowercase(),
        url.password().unwrap().to_owned(),
        inside(serde_json::to_string(secret).unwrap()),
        inside(format!("{secret:?}")),
        inside(format!("{:?}", format!("{secret:?}"))),
        secret.chars().map(|c| if c.is_alphanumeric() { c.to_string() } else { format!("\\{c}") }).collect(),
        secret
            .bytes()
            .map(|byte| if byte < 128 { char::from(byte).to_string() } else { format!("\\{byte:03o}") })
            .collect(),
        base64(secret),
        base64(&format!("viewer:{secret}")),
        hex::encode(secret),
    ];
    texts.extend(secret.strip_prefix("whsec_").map(str::to_owned));
    texts.into_iter().map(String::into_bytes).collect()
}

/// Something that somebody may read, and what stands there.
pub type Surface = (String, Vec<u8>);

/// On which surfaces the secret is.
pub fn found<'s>(surfaces: &'s [Surface], secret: &str) -> Vec<&'s str> {
    let finder = AhoCorasick::new(spelled(secret)).unwrap();
    surfaces.iter().filter(|(_, text)| finder.is_match(text)).map(|(name, _)| name.as_str()).collect()
}

/// A camera that asks for Basic authentication and takes no password. What it was sent, it keeps.
struct Doorkeeper {
    address: SocketAddr,
    heard: Arc<Mutex<String>>,
}

impl Doorkeeper {
    fn start() -> Doorkeeper {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heard) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(String::new())));
        let kept = heard.clone();
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = kept.clone();
                thread::spawn(move || refuse(stream.unwrap(), &kept));
            }
        });
        Doorkeeper { address, heard }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}

fn refuse(mut stream: TcpStream, heard: &Mutex<String>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut number) = (String::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
        heard.lock().unwrap().push_str(&line);
        if let Some(given) = line.strip_prefix("CSeq: ") {
            number = given.trim().to_owned();
        }
        if line.trim().is_empty() {
            let answer = "WWW-Authenticate: Basic realm=\"cam\"\r\n\r\n";
            let _ = write!(stream, "RTSP/1.0 401 Unauthorized\r\nCSeq: {number}\r\n{answer}");
        }
        line.clear();
    }
}

/// The appliance, the cameras and the receivers of one run.
struct Scene {
    appliance: Appliance,
    doorkeeper: Doorkeeper,
    ops: Receiver,
    refusing: Receiver,
    _cameras: [Server; 2],
}

impl Scene {
    fn new(log_format: &str) -> Scene {
        let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
        let with_login = Server::start(&clip, 0, &["--user", "viewer", "--password", RIGHT]);
        let with_path = Server::start(&clip, 0, &["--path", &format!("/live/{PATH}/x")]);
        let doorkeeper = Doorkeeper::start();
        let ops = Receiver::start(|_, _| Answer::status(204));
        // It says what it was told, as verbose ones do.
        let refusing = Receiver::start(|_, _| {
            let body = format!("no: Bearer {HEADER}");
            Answer::Bytes(format!("HTTP/1.1 400 no\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
        });
        let appliance = Appliance::new(&config(log_format, &with_login, &ops, &refusing));
        let write = |name: &str, text: &str| {
            let path = appliance.folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        let login = |password: &str| format!("viewer:{}@", encoded(password));
        let server = with_login.url.as_str().strip_prefix("rtsp://").unwrap().to_owned();
        write("right.pass", RIGHT);
        write("wrong.pass", WRONG);
        write("login.url", &format!("rtsp://{}{server}\n", login(RIGHT)));
        write("path.url", with_path.url.as_str());
        let query = format!("s?token={}&channel=1", encoded(QUERY));
        write("query.url", &format!("rtsp://{}{}/{query}", login(BASIC), doorkeeper.address));
        write("far.url", &format!("rtsp://{}127.0.0.1:1/{PATH}?{}", login(FAR), encoded(QUERY)));
        Scene { appliance, doorkeeper, ops, refusing, _cameras: [with_login, with_path] }
    }

    fn cameras(&self, state: &str) -> usize {
        let status = self.appliance.status();
        status["cameras"].as_array().unwrap().iter().filter(|camera| camera["state"] == state).count()
    }

    /// Until everything that can go well or wrong has gone so.
    fn play(&self) {
        self.appliance.until("three cameras are on, three are not", |_| {
            (self.cameras("online") == 3 && self.cameras("offline") == 3).then_some(())
        });
        self.ops.wait_for(3);
        self.refusing.wait_for(1);
        self.appliance.until("the one that asks for Basic was given it", |_| {
            self.doorkeeper.heard().contains("Authorization: Basic").then_some(())
        });
    }

    /// What anybody may read while it runs.
    fn surfaces(&self) -> Vec<Surface> {
        let mut surfaces = told(&self.appliance, &["endpoint check ops --json", "check --live"]);
        for (name, receiver) in [("ops", &self.ops), ("refusing", &self.refusing)] {
            for arrived in receiver.arrived() {
                // This one was meant for them.
                let headers = arrived.headers.iter().filter(|(name, _)| name != "authorization");
                let mut text = format!("{}\n{:?}\n", arrived.request_line, headers.collect::<Vec<_>>()).into_bytes();
                text.extend(arrived.body);
                surfaces.push((format!("webhook to {name}"), text));
            }
        }
        surfaces
    }
}

/// What its commands say, with these besides, what its metrics do, and what its process shows.
pub fn told(appliance: &Appliance, more: &[&str]) -> Vec<Surface> {
    let usual = [
        "status",
        "status --json",
        "events",
        "events --json",
        "deliveries",
        "deliveries --json",
        "dlq list --json",
        "endpoint list",
        "check",
    ];
    let mut surfaces = Vec::new();
    for command in usual.iter().chain(more) {
        let output = appliance.run(&command.split(' ').collect::<Vec<_>>());
        surfaces.push(((*command).to_owned(), [output.stdout, output.stderr].concat()));
    }
    surfaces.push(("/metrics".to_owned(), metrics(appliance)));
    let process = PathBuf::from(format!("/proc/{}", appliance.process()));
    for file in ["cmdline", "environ", "comm"] {
        surfaces.push((format!("/proc/PID/{file}"), fs::read(process.join(file)).unwrap()));
    }
    surfaces
}

/// Every file of its run but those that hold the secrets by order of the operator.
pub fn files(appliance: &Appliance) -> Vec<Surface> {
    let given = ["pass", "url", "secret", "toml", "onnx"];
    let mut surfaces = Vec::new();
    let mut folders = vec![appliance.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && path.extension().is_none_or(|end| given.iter().all(|given| end != *given)) {
                surfaces.push((path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()));
            }
        }
    }
    surfaces
}

fn config(log_format: &str, with_login: &Server, ops: &Receiver, refusing: &Receiver) -> String {
    let camera = |name: &str, more: &str| format!("[[camera]]\nname = \"{name}\"\n{more}\n");
    let logged_in =
        |file: &str| format!("url = \"{}\"\nusername = \"viewer\"\npassword_file = \"HERE/{file}\"", with_login.url);
    let secret = |file: &str| format!("url_file = \"HERE/{file}\"");
    let cameras = [
        camera("right", &logged_in("right.pass")),
        camera("wrong", &logged_in("wrong.pass")),
        camera("login", &secret("login.url")),
        camera("path", &secret("path.url")),
        camera("query", &secret("query.url")),
        camera("far", &secret("far.url")),
    ];
    let canary = serde_json::to_string(CANARY).unwrap();
    format!(
        "[log]\nfilter = \"trace\"\nformat = \"{log_format}\"\n{}\
         [[monitor]]\nname = \"anybody\"\ncameras = [\"right\", \"login\", \"path\"]\nmodel = \"yard-classifier\"\n\
         labels = [\"person\"]\nconfidence_threshold = 0.0001\nclear_threshold = 0.0\ncheck_interval = \"500ms\"\n\
         cooldown = \"1s\"\nmetadata = {{ canary = {canary} }}\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"{}\"\nsecret_file = \"HERE/ops.secret\"\n\
         headers = {{ Authorization = \"Bearer {HEADER}\" }}\n\
         [[endpoint]]\nname = \"refusing\"\nurl = \"{}\"\nretry = \"trio\"\nheaders = {{ Authorization = \"Bearer {HEADER}\" }}\n",
        cameras.concat(),
        ops.url(),
        refusing.url()
    )
}

fn metrics(appliance: &Appliance) -> Vec<u8> {
    let mut stream = UnixStream::connect(appliance.folder.path().join("stakeout.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// Nothing shows a secret, and what is meant to be shown is found with the same search.
fn nothing_is_shown(surfaces: &[Surface]) {
    let shown: Vec<_> = SECRETS.iter().map(|secret| (secret, found(surfaces, secret))).collect();
    let shown: Vec<_> = shown.into_iter().filter(|(_, on)| !on.is_empty()).collect();
    assert!(shown.is_empty(), "{shown:#?}");
    let canary = found(surfaces, CANARY);
    for surface in ["journal.db", "webhook to ops"] {
        assert!(canary.contains(&surface), "the search finds what is shown: {surface}, {canary:?}");
    }
    let names = found(surfaces, "anybody");
    for surface in ["status", "status --json", "/metrics", "log"] {
        assert!(names.contains(&surface), "{surface}, {names:?}");
    }
}

#[test]
fn no_output_of_a_run_shows_a_password() {
    if runtime().is_none() {
        return;
    }
    let mut scene = Scene::new("text");
    let (debug, dots) = (scene.appliance.folder.path().join("gst.log"), scene.appliance.folder.path().join("dots"));
    fs::create_dir(&dots).unwrap();
    let environment = [
        ("GST_DEBUG", "*:6"),
        ("GST_DEBUG_FILE", debug.to_str().unwrap()),
        ("GST_DEBUG_DUMP_DOT_DIR", dots.to_str().unwrap()),
        ("G_MESSAGES_DEBUG", "all"),
        ("RUST_BACKTRACE", "1"),
    ];
    scene.appliance.start_with(&environment);
    scene.play();
    let mut surfaces = scene.surfaces();
    let limits = fs::read_to_string(format!("/proc/{}/limits", scene.appliance.process())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    scene.appliance.abort();
    surfaces.extend(files(&scene.appliance));
    nothing_is_shown(&surfaces);

    // Without these it would have been easy.
    let log = scene.appliance.log();
    for said in ["Basic ***", "rtspsrc", "`GST_DEBUG_FILE` is not followed", "`GST_DEBUG_DUMP_DOT_DIR` is"] {
        assert!(log.contains(said), "the log says `{said}`");
    }
    assert!(log.contains("TRACE") && log.contains("LOG"), "ours and theirs");
    assert!(!debug.exists() && fs::read_dir(&dots).unwrap().next().is_none());
    let heard = scene.doorkeeper.heard();
    assert!(heard.contains(&STANDARD.encode(format!("viewer:{BASIC}"))), "{heard}");
    assert!(heard.contains(&format!("/s?token={}", encoded(QUERY))), "{heard}");
    for arrived in scene.ops.arrived() {
        let body: Value = serde_json::from_slice(&arrived.body).unwrap();
        let Some(url) = body["data"]["source_url"].as_str() else { continue };
        let hidden = url.starts_with("rtsp://127.0.0.1:") && url.ends_with("/***");
        assert_eq!(hidden, body["data"]["camera"] != "right", "of a secret URL only the host is told: {body}");
    }
}

/// What is in the way of a password that GStreamer would like to tell, and that the search would find it.
#[test]
fn without_us_gstreamer_shows_the_password() {
    let doorkeeper = Doorkeeper::start();
    let output = Command::new("gst-launch-1.0")
        .args(["rtspsrc", "protocols=tcp", "user-id=viewer", &format!("user-pw={BASIC}")])
        .arg(format!("location=rtsp://{}/s?token={}", doorkeeper.address, encoded(QUERY)))
        .args(["!", "fakesink"])
        .env("GST_DEBUG", "*:6")
        .output()
        .unwrap();
    let surfaces = [("stderr".to_owned(), output.stderr)];
    for secret in [BASIC, QUERY] {
        assert_eq!(found(&surfaces, secret), ["stderr"], "{secret}");
    }
}

#[test]
fn json_stays_json_without_the_passwords() {
    if runtime().is_none() {
        return;
    }
    let mut scene = Scene::new("json");
    scene.appliance.start_with(&[("G_MESSAGES_DEBUG", "all")]);
    scene.play();
    let mut surfaces = scene.surfaces();
    scene.appliance.stop();
    surfaces.extend(files(&scene.appliance));
    nothing_is_shown(&surfaces);
    let log = scene.appliance.log();
    // What is likely not meant in the configuration is told to people, before each start's log: a warning, and where.
    let mut is_caution = false;
    for line in log.lines().filter(|line| !line.starts_with("hint: ")) {
        is_caution = line.starts_with("warning: ") || is_caution && !line.starts_with('{');
        if !is_caution {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        }
    }
}

/// A file that holds no good URL is told of without a word of it.
#[test]
fn a_secret_that_is_refused_is_not_quoted() {
    let config = "[[camera]]\nname = \"dock\"\nurl_file = \"HERE/cam.url\"\n";
    let appliance = Appliance::new(config);
    let path = appliance.folder.path().join("cam.url");
    let mut surfaces = Vec::new();
    for (content, told) in [
        (format!("rtsp://viewer:{FAR}/@10.0.0.21/x"), "it holds no URL (invalid port number)"),
        (FAR.to_owned(), "it holds no URL (relative URL without a base)"),
        (format!("rtsp://viewer:{FAR}#x@h/"), "it holds no URL (invalid port number)"),
        (format!("rtsp://viewer:{FAR}@10.0.0.21/x y"), "it holds more than a URL"),
        (format!("http://viewer:{FAR}@10.0.0.21/x"), "neither `rtsp://` nor `rtsps://`"),
    ] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for command in ["check", "run"] {
            let output = appliance.run(&[command]);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(78), "{said}");
            assert!(said.contains("error: camera `dock`: `") && said.contains(told), "{said}");
            surfaces.push((told.to_owned(), said.into_bytes()));
        }
    }
    assert!(found(&surfaces, FAR).is_empty(), "{:?}", found(&surfaces, FAR));

    let open = Appliance::new(&(config.to_owned() + "transport = \"udp\"\n"));
    fs::write(open.folder.path().join("cam.url"), "rtsps://10.0.0.21/x").unwrap();
    let said = String::from_utf8(open.run(&["check"]).stderr).unwrap();
    assert!(
        said.contains("camera `dock`: over UDP the video of an `rtsps://` camera would not be encrypted"),
        "{said}"
    );

    let twice = config.to_owned() + "username = \"viewer\"\n";
    let appliance = Appliance::new(&twice);
    let path = appliance.folder.path().join("cam.url");
    fs::write(&path, format!("rtsp://viewer:{FAR}@10.0.0.21/x")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let said = String::from_utf8(appliance.run(&["check"]).stderr).unwrap();
    assert!(said.contains("error: camera `dock`: there are two logins, `username` and one in the URL of"), "{said}");
    assert!(said.contains("warning: camera `dock`: everybody on this machine can read"), "{said}");
}
