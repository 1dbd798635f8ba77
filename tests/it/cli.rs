//! The built binary, as scripts and people meet it: exit codes, stdout, stderr; and the API behind it over a real socket.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use stakeout::api::{self, Camera, CameraState, Expectation, Monitor, Parts, Site, Socket, Warning};
use stakeout::event::{Event, EventData, JobReason, JobReport, Metadata, Priority};
use stakeout::journal::{Accepted, Body, Journal, Keep, Owed, OwedFrame, Record};
use stakeout::name::Name;
use stakeout::time::{Boot, Now, now};
use uuid::Uuid;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        home.write(
            "c.toml",
            &format!("[storage]\npath = \"{0}/state\"\n[api]\nsocket = \"{0}/s.sock\"\n", home.path()),
        );
        home
    }

    fn path(&self) -> String {
        self.0.path().to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self, args: &[&str], stdin: &[u8]) -> (i32, String, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stakeout"))
            .args(args)
            .current_dir(self.0.path())
            .env("STAKEOUT_CONFIG", "c.toml")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(&self.path(), "HOME");
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// A journal with one event, owed to `ops`.
    fn journal(&self) -> (Journal, Uuid) {
        let day = Duration::from_secs(86_400);
        let keep = Keep { delivered: day, dead: day, max_size: 1 << 30 };
        let journal = Journal::open(&self.0.path().join("state"), keep, now(), Box::new(|_| {})).unwrap();
        let report = JobReport { reason: JobReason::UserRequested, counters: Default::default() };
        let event = Event {
            id: now().new_id(),
            observed: now(),
            boot: Boot::current(),
            device: "box".into(),
            camera: name("dock"),
            monitor: name("person"),
            job: Uuid::from_u128(7),
            priority: Priority::Normal,
            metadata: Metadata::new(),
            data: EventData::JobStatus(report),
        };
        let id = event.id;
        let render = Box::new(|_: &_| Body::whole("{}".to_owned()));
        let owed = Owed { endpoint: name("ops"), frame: OwedFrame::None, format_version: 1, render };
        let events = vec![Accepted { event, frame: None, owed: vec![owed] }];
        let record = Record { at: now(), events, machine: None, jobs: Vec::new() };
        journal.writer().record(record).wait().unwrap();
        (journal, id)
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A daemon with one camera, which is away.
struct Quiet;

impl Site for Quiet {
    fn device(&self) -> String {
        "box".into()
    }
    fn uptime(&self, _: Now) -> Duration {
        Duration::from_secs(90)
    }
    fn cameras(&self, _: Now) -> Vec<Camera> {
        let (state, cause, decode) = (CameraState::Offline, Some("no route".into()), "all (auto)".into());
        let (fps, last_frame_age_s) = (0.0, None);
        vec![Camera {
            name: name("dock"),
            state,
            cause,
            decode,
            fps,
            last_frame_age_s,
            frames_decoded: 0,
            reconnects: 0,
        }]
    }
    fn monitors(&self, _: Now) -> Vec<Monitor> {
        Vec::new()
    }
    fn endpoints(&self) -> Vec<Name> {
        vec![name("ops")]
    }
    fn expectations(&self) -> Vec<Expectation> {
        vec![Expectation { monitor: name("person"), within: Duration::from_secs(60) }]
    }
    fn warnings(&self, _: Now) -> Vec<Warning> {
        Vec::new()
    }
}

#[test]
fn a_new_secret_signs_and_verifies_and_a_flipped_byte_does_not() {
    let home = Home::new();
    let (code, secret, _) = home.run(&["keygen"], b"");
    assert_eq!((code, secret.lines().count()), (0, 1));
    home.write("secret", &secret);
    let key = stakeout::sign::Key::new(secret.trim()).unwrap();
    let message = stakeout::sign::Message { id: "e", timestamp: 5 };
    let signed = stakeout::sign::sign(&[key], message, b"body").unwrap();
    let trio = ["verify", "--secret-file", "secret", "--signature", &signed.trio];
    assert_eq!(home.run(&trio, b"body").0, 0);
    assert_eq!(home.run(&trio, b"bodY").0, 1);
    let mut standard = vec!["verify", "--secret-file", "secret", "--signature", &signed.standard];
    assert_eq!(home.run(&standard, b"body").0, 2, "id and timestamp are needed");
    standard.extend(["--id", "e", "--timestamp", "5"]);
    assert_eq!(home.run(&standard, b"body").0, 0);
    assert_eq!(home.run(&standard, b"bodY").0, 1);
}

#[test]
fn the_manual_is_printed_and_exit_codes_tell_what_went_wrong() {
    let home = Home::new();
    assert_eq!(home.run(&["config"], b""), (0, stakeout::config::MANUAL.to_owned(), String::new()));
    assert_eq!(home.run(&["events", "--nonsense"], b"").0, 2);
    assert_eq!(home.run(&["dlq", "retry"], b"").0, 2, "which ones must be said");
    let (code, out, said) = home.run(&["status"], b"");
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(
        said.starts_with("error: the daemon is not reachable at `HOME/s.sock`: there is no socket\nhint: "),
        "{said}"
    );
    home.write("c.toml", "[storage]\npaht = \"x\"\n");
    let (code, out, said) = home.run(&["check"], b"");
    assert_eq!((code, out.as_str()), (78, ""));
    let expected = "\
error: `[storage]`: unknown key `paht`
 --> c.toml:2:1
  |
2 | paht = \"x\"
  | ^^^^ did you mean `path`?
";
    assert_eq!(said, expected);
}

#[test]
fn listings_read_the_journal_when_the_daemon_is_down() {
    let home = Home::new();
    let (journal, id) = home.journal();
    journal.close().unwrap();
    let (code, out, said) = home.run(&["events", "--json"], b"");
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("note: the daemon is not reachable"), "{said}");
    let line: serde_json::Value = serde_json::from_str(&out).unwrap();
    let fields: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    let promised = ["seq", "id", "type", "observed_at", "camera", "monitor", "job_id", "confidence", "deliveries"];
    assert_eq!(fields, promised);
    assert_eq!(line["id"], id.to_string());
    let (code, out, _) = home.run(&["deliveries", "--json", "--state", "pending"], b"");
    assert_eq!((code, out.lines().count()), (0, 1));
    assert_eq!(home.run(&["deliveries", "--json", "--state", "dead"], b"").1, "");
}

#[test]
fn the_api_answers_the_cli_over_its_socket_and_removes_it() {
    let home = Home::new();
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let (journal, id) = home.journal();
    let path = home.0.path().join("s.sock");
    let socket = Socket::bind(&path).unwrap();
    assert!(Socket::bind(&path).err().unwrap().to_string().starts_with("another daemon answers at"));
    let parts = Parts { site: Arc::new(Quiet), reader: journal.reader().unwrap(), writer: journal.writer() };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio.spawn(api::serve(socket, parts, async move { drop(stopped.await) }));
    let (code, out, said) = home.run(&["status", "--json"], b"");
    assert_eq!((code, said.as_str()), (0, ""));
    let status: api::Status = serde_json::from_str(&out).unwrap();
    assert_eq!((status.endpoints[0].pending, status.journal.events), (1, 1));
    let whats: Vec<_> = status.warnings.iter().map(|warning| warning.what.as_str()).collect();
    assert_eq!(whats[0], "camera `dock` is not watched: no route");
    assert_eq!(whats[1], "monitor `person` has been silent for 90 s, an event was expected within 60 s");
    let (code, out, said) = home.run(&["events", "--json"], b"");
    assert_eq!((code, said.as_str()), (0, ""));
    assert!(out.contains(&id.to_string()));
    let (code, _, said) = home.run(&["dlq", "retry", &Uuid::from_u128(1).to_string()], b"");
    assert_eq!(code, 1);
    assert!(said.contains("there is no delivery `00000000-"), "{said}");
    assert_eq!(home.run(&["dlq", "drop", "--all"], b"").1, "dropped 0 dead letters\n");
    drop(stop);
    tokio.block_on(serving).unwrap().unwrap();
    assert!(!path.exists());
}
