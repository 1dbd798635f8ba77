//! The built binary, as scripts and people meet it: exit codes, stdout, stderr; and the API behind it over a real socket.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use stakeout::api::{
    self, Alerting, Camera, CameraState, Commission, Commissioned, Connected, Denied, Errand, Expectation, Hooking,
    Library, Made, Model, Monitor, MonitorState, NoPicture, Order, Parts, Registrar, Said, Site, Socket, Switched,
    Warning, Watched,
};
use stakeout::broadcast::Broadcast;
use stakeout::config::{Part, Unfit};
use stakeout::delivery::State;
use stakeout::event::{Event, EventData, JobReason, JobReport, Metadata, Priority};
use stakeout::journal::{Accepted, Body, DeliveryFilter, Journal, Keep, Owed, OwedFrame, Record, Settlement, Standing};
use stakeout::meter::{Meter, Reading};
use stakeout::name::Name;
use stakeout::recording::link::{KEY_BYTES, Key, Links};
use stakeout::secret::Secret;
use stakeout::time::{Boot, Now, now};
use uuid::Uuid;

use crate::appliance::Appliance;
use crate::shared::runtime;

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

    fn start(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_stakeout"))
            .args(args)
            .current_dir(self.0.path())
            .env("STAKEOUT_CONFIG", "c.toml")
            .env_remove("COLUMNS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn run(&self, args: &[&str], stdin: &[u8]) -> (i32, String, String) {
        let mut child = self.start(args);
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
        let id = record(&journal, None);
        (journal, id)
    }
}

/// One event, owed to `ops`; its id.
fn record(journal: &Journal, frame: Option<&[u8]>) -> Uuid {
    let report = JobReport { reason: JobReason::UserRequested, counters: Default::default() };
    let event = Event {
        id: now().new_id(),
        observed: now(),
        boot: Boot::current(),
        device: "box".into(),
        camera: Some(name("dock")),
        monitor: Some(name("person")),
        job: Some(Uuid::from_u128(7)),
        priority: Priority::Normal,
        metadata: Metadata::new(),
        data: EventData::JobStatus(report),
    };
    let id = event.id;
    let render = Box::new(|_: &_| Body::whole("{}".to_owned()));
    let owed = Owed { endpoint: name("ops"), frame: OwedFrame::None, format_version: 1, render };
    let events = vec![Accepted { event, frame: frame.map(Into::into), owed: vec![owed] }];
    let record = Record { at: now(), events, machine: None, jobs: Vec::new() };
    journal.writer().record(record).wait().unwrap();
    id
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A daemon with one camera, which is away.
pub struct Quiet;

impl Site for Quiet {
    fn device(&self) -> String {
        "box".into()
    }
    fn uptime(&self, _: Now) -> Duration {
        Duration::from_secs(90)
    }
    fn cameras(&self, _: Now) -> Vec<Camera> {
        let (state, cause, decode) = (CameraState::Offline, Some("no route".into()), "keyframes".into());
        let (fps, last_frame_age_s) = (0.0, None);
        vec![Camera {
            name: name("dock"),
            state,
            cause,
            decode,
            decode_why: "nothing moves".into(),
            packets: 200,
            packets_decoded: 8,
            keyframe_interval_s: Some(2.004),
            fps,
            last_frame_age_s,
            frames_decoded: 0,
            decoder: None,
            degraded: None,
            decoder_failures: 0,
            reconnects: 0,
            origin: Default::default(),
        }]
    }
    fn monitors(&self, _: Now) -> Vec<Monitor> {
        vec![Monitor {
            name: name("person"),
            camera: name("dock"),
            model: name("yard"),
            state: MonitorState::Idle,
            open: None,
            last_confidence: Some(0.123_456),
            checks: 3,
            triggers: 0,
            skipped: Default::default(),
            verdict_errors: 0,
            spared: 0,
            cooldown_left_s: 0.0,
            job: None,
            statistics: Default::default(),
            origin: Default::default(),
            shadow: None,
            event_id: "event-0123456789abcdef".into(),
            alerts: 0,
            switched: false,
            differs_from_file: false,
        }]
    }
    fn library(&self) -> Option<Library> {
        None
    }
    fn models(&self) -> Vec<Model> {
        Vec::new()
    }
    fn model_runs(&self) -> Vec<(Name, Reading)> {
        vec![(name("yard"), Meter::default().read())]
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
    fn watched(&self) -> Vec<Watched> {
        Vec::new()
    }
    fn picture(&self, _: &Name) -> Errand<Vec<u8>, NoPicture> {
        Box::pin(async { Err(NoPicture::None) })
    }
    fn check(&self, _: &Name) -> Errand<api::Check, Unfit> {
        Box::pin(async { Err(Unfit::new("it has no way to", "ask another")) })
    }
}

impl Alerting for Quiet {
    fn bind(&self, monitor: &Name, _: &str) -> Result<bool, Denied> {
        Err(self.remove(Part::Monitor, monitor).unwrap_err())
    }
    fn switch_alert(&self, alert: &Name, _: bool) -> Result<(), Denied> {
        self.remove(Part::Monitor, alert)
    }
    fn unbind(&self, alert: &Name) -> Result<(), Denied> {
        self.remove(Part::Monitor, alert)
    }
}

impl Hooking for Quiet {
    fn hook(&self, _: Said) -> Result<Uuid, Denied> {
        Err(self.remove(Part::Endpoint, &name("x")).unwrap_err())
    }
    fn rehook(&self, _: Uuid, _: Said) -> Result<(), Denied> {
        self.remove(Part::Endpoint, &name("x"))
    }
    fn unhook(&self, _: Uuid) -> Result<(), Denied> {
        self.remove(Part::Endpoint, &name("x"))
    }
}

impl Registrar for Quiet {
    fn make(&self, _: Order) -> Result<Made, Denied> {
        Err(self.remove(Part::Camera, &name("x")).unwrap_err())
    }
    fn remove(&self, _: Part, _: &Name) -> Result<(), Denied> {
        Err(Denied::Conflict(Unfit::new("nothing changes here", "ask another daemon")))
    }
    fn switch(&self, monitor: &Name, _: bool) -> Result<Switched, Denied> {
        Err(self.remove(Part::Monitor, monitor).unwrap_err())
    }
    fn commission(&self, _: Commission) -> Result<Commissioned, Denied> {
        Err(self.remove(Part::Monitor, &name("x")).unwrap_err())
    }
    fn connect(&self, _: &Secret, _: Option<&str>) -> Result<Connected, Denied> {
        Err(self.remove(Part::Camera, &name("x")).unwrap_err())
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
fn a_job_whose_camera_is_away_says_why() {
    if runtime().is_none() {
        return;
    }
    let mut appliance = Appliance::new(
        "[[camera]]\nname = \"dock\"\nurl = \"rtsp://127.0.0.1:1/x\"\n\
         [[monitor]]\nname = \"m\"\ncamera = \"dock\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n",
    );
    appliance.start();
    let job = appliance.until("a job", |it| it.json(&["jobs", "list", "--json"]).pop());
    let id = job["job_id"].as_str().unwrap();
    let shown = |it: &Appliance| String::from_utf8(it.run(&["jobs", "show", id]).stdout).unwrap();
    let told = appliance.until("it says why", |it| Some(shown(it)).filter(|told| told.contains("\nnot watched")));
    let status = appliance.status();
    let cause = status["cameras"][0]["cause"].as_str().unwrap();
    assert!(told.contains(cause.split_once("; ").unwrap_or((cause, "")).0), "{told}{cause}");
    appliance.stop();
}

/// Whoever follows the installed configuration names one of these first.
#[test]
fn a_model_that_can_be_had_is_said_how_to_get() {
    let home = Home::new();
    let config = fs::read_to_string(format!("{}/c.toml", home.path())).unwrap();
    let check = |model: &str| {
        let watched = format!(
            "[[camera]]\nname = \"dock\"\nurl = \"rtsp://127.0.0.1:9/x\"\n\
             [[monitor]]\nname = \"m\"\ncamera = \"dock\"\nmodel = \"{model}\"\ncondition = \"Is it there?\"\n"
        );
        home.write("c.toml", &(config.clone() + &watched));
        let (code, _, said) = home.run(&["check"], b"");
        assert_eq!(code, 78, "{said}");
        said
    };
    let said = check("smolvlm-256m");
    assert!(said.contains("`stakeout models pull smolvlm-256m` downloads it"), "{said}");
    let said = check("no-such-model");
    assert!(said.contains("unknown model `no-such-model`") && !said.contains("models pull"), "{said}");
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

/// Of a box that has no clips.
pub fn links() -> Links {
    Links::new(None, Key::new([7; KEY_BYTES]), Duration::from_secs(60))
}

/// The API of a quiet daemon over a journal, until it is dropped.
struct Serving {
    tokio: tokio::runtime::Runtime,
    socket: PathBuf,
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Serving {
    fn start(home: &Home, journal: &Journal) -> Serving {
        let tokio = tokio::runtime::Runtime::new().unwrap();
        let path = home.0.path().join("s.sock");
        let socket = Socket::bind(&path).unwrap();
        let (reader, writer, broadcast) = (journal.reader().unwrap(), journal.writer(), Broadcast::default());
        let (site, registrar, links) = (Arc::new(Quiet), Arc::new(Quiet), links());
        let parts = Parts { site, reader, writer, registrar, broadcast, links };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio.spawn(api::serve(socket, None, parts, async move { drop(stopped.await) }));
        Serving { tokio, socket: path, stop, task }
    }

    fn end(self) {
        drop(self.stop);
        self.tokio.block_on(self.task).unwrap().unwrap();
        assert!(!self.socket.exists());
    }

    /// One request; the status, the head in lower case, and the body.
    fn ask(&self, request: &str, headers: &str) -> (u16, String, Vec<u8>) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let body = answer.split_off(end + 4);
        let head = String::from_utf8(answer).unwrap().to_lowercase();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
    }

    fn json(&self, request: &str) -> (u16, serde_json::Value) {
        let (status, _, body) = self.ask(request, "");
        (status, serde_json::from_slice(&body).unwrap())
    }
}

#[test]
fn the_api_answers_the_cli_over_its_socket_and_removes_it() {
    let home = Home::new();
    let (journal, id) = home.journal();
    let serving = Serving::start(&home, &journal);
    assert!(Socket::bind(&serving.socket).err().unwrap().to_string().starts_with("another daemon answers at"));
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
    serving.end();
}

#[test]
fn every_answer_says_who_answers_and_web_pages_get_none() {
    let home = Home::new();
    let (journal, _) = home.journal();
    let serving = Serving::start(&home, &journal);
    let version = format!("\r\nstakeout-version: {}\r\n", env!("CARGO_PKG_VERSION"));
    let (status, head, _) = serving.ask("GET /v1/status", "");
    assert!(status == 200 && head.contains(&version), "{head}");
    let (status, head, body) = serving.ask("GET /v1/status", "origin: https://evil.example\r\n");
    let told = String::from_utf8(body).unwrap();
    assert!(status == 403 && head.contains(&version), "{head}");
    assert!(told.contains("`Origin: https://evil.example`") && !told.contains("uptime_s"), "{told}");
    let (status, told) = serving.json("GET /v1/events?limit=1&colour=red");
    assert_eq!(status, 400);
    assert!(told["hint"].as_str().unwrap().starts_with("events take `after`, `limit`, `monitor` and `type`"), "{told}");
    serving.end();
}

#[test]
fn the_parts_of_a_status_are_there_one_by_one() {
    let home = Home::new();
    let (journal, _) = home.journal();
    let serving = Serving::start(&home, &journal);
    let whole = serving.json("GET /v1/status").1;
    for part in ["cameras", "monitors", "endpoints"] {
        let (status, mut list) = serving.json(&format!("GET /v1/{part}"));
        assert_eq!((status, list["next"].take()), (200, serde_json::Value::Null));
        assert!(!list["items"].as_array().unwrap().is_empty(), "{part}");
        assert_eq!(without_ages(&list["items"]), without_ages(&whole[part]));
    }
    let (status, one) = serving.json("GET /v1/monitors/person");
    assert_eq!((status, without_ages(&one["items"])), (200, without_ages(&whole["monitors"])));
    let (status, told) = serving.json("GET /v1/monitors/persn");
    assert_eq!((status, told["error"].as_str()), (404, Some("there is no monitor `persn`")));
    assert_eq!(told["hint"], "monitors known here: `person`");
    serving.end();
}

/// Two looks at a status are a moment apart.
fn without_ages(items: &serde_json::Value) -> serde_json::Value {
    let mut items = items.clone();
    for item in items.as_array_mut().unwrap() {
        for part in ["", "/statistics"] {
            let Some(serde_json::Value::Object(fields)) = item.pointer_mut(part) else { continue };
            fields.retain(|key, _| !key.ends_with("_age_s") && !key.ends_with("_left_s"));
        }
    }
    items
}

#[test]
fn an_endpoint_that_is_gone_is_enabled_by_an_operator() {
    let home = Home::new();
    let (journal, _) = home.journal();
    journal.writer().set_gone(name("ops"), true).wait().unwrap();
    record(&journal, None);
    let serving = Serving::start(&home, &journal);
    let whats = |status: &serde_json::Value| -> Vec<String> {
        status["warnings"].as_array().unwrap().iter().map(|warning| warning["what"].to_string()).collect()
    };
    let is_gone = || whats(&serving.json("GET /v1/status").1).iter().any(|what| what.contains("said that it is gone"));
    assert!(is_gone());
    let enabled = |was_gone| serde_json::json!({"endpoint": "ops", "was_gone": was_gone, "dead": 1});
    assert_eq!(serving.json("POST /v1/endpoints/ops/enable"), (200, enabled(true)));
    assert!(!is_gone());
    assert_eq!(serving.json("POST /v1/endpoints/ops/enable"), (200, enabled(false)));
    let (status, told) = serving.json("POST /v1/endpoints/opps/enable");
    assert_eq!((status, told["error"].as_str()), (404, Some("there is no endpoint `opps`")));
    assert_eq!(told["hint"], "endpoints known here: `ops`");
    serving.end();
}

#[test]
fn the_frame_of_an_event_is_its_jpeg() {
    let home = Home::new();
    let (journal, without) = home.journal();
    let jpeg = b"\xff\xd8 a picture \xff\xd9";
    let with = record(&journal, Some(jpeg));
    let serving = Serving::start(&home, &journal);
    let (status, head, body) = serving.ask(&format!("GET /v1/events/{with}/frame"), "");
    assert_eq!((status, body.as_slice()), (200, jpeg.as_slice()));
    assert!(head.contains("\r\ncontent-type: image/jpeg\r\n"), "{head}");
    let (status, told) = serving.json(&format!("GET /v1/events/{without}/frame"));
    assert_eq!((status, told["error"].as_str().unwrap()), (404, format!("event `{without}` has no frame").as_str()));
    assert_eq!(serving.json("GET /v1/events/nonsense/frame").0, 400);
    serving.end();
}

#[test]
fn a_dead_letter_is_sent_again_through_the_api() {
    let home = Home::new();
    let (journal, _) = home.journal();
    let reader = journal.reader().unwrap();
    let filter = DeliveryFilter { limit: 9, ..DeliveryFilter::default() };
    let id = reader.deliveries(&filter).unwrap()[0].id;
    let standing = Standing {
        state: State::Dead,
        reason: Some("exhausted".to_owned()),
        due: now().wall,
        delay: Duration::ZERO,
        attempts: 5,
        tries: 5,
        holds: 0,
        held: Duration::ZERO,
        maybe_received: false,
    };
    journal.writer().settle(Settlement { delivery: id, at: now(), attempt: None, standing }).wait().unwrap();
    let serving = Serving::start(&home, &journal);
    let retry = format!("POST /v1/deliveries/{id}/retry");
    assert_eq!(serving.json(&retry), (200, serde_json::json!({"retried": 1})));
    let (row, _) = reader.delivery(id).unwrap().unwrap();
    assert_eq!((row.standing.state, row.standing.attempts, row.redriven), (State::Pending, 0, 1));
    let (status, told) = serving.json(&retry);
    assert_eq!((status, told["error"].as_str().unwrap().ends_with("it is `pending`")), (409, true), "{told}");
    serving.end();
}

#[test]
fn events_as_json_are_all_of_them_the_oldest_first() {
    let home = Home::new();
    let (journal, _) = home.journal();
    // More than a page of the listing, and more than the newest ones of a table.
    for _ in 0..600 {
        record(&journal, None);
    }
    let seqs = |args: &[&str]| {
        let (code, out, said) = home.run(&[&["events", "--json"], args].concat(), b"");
        assert_eq!(code, 0, "{said}");
        let seq = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_i64().unwrap();
        out.lines().map(seq).collect::<Vec<i64>>()
    };
    let all: Vec<i64> = (1..=601).collect();
    assert_eq!(seqs(&[]), all, "from the journal");
    let serving = Serving::start(&home, &journal);
    assert_eq!(seqs(&[]), all, "from the daemon");
    assert_eq!(seqs(&["--after", "50"]), all[50..]);
    assert_eq!(seqs(&["--after", "50", "--limit", "3"]), [51, 52, 53]);
    assert_eq!(seqs(&["--limit", "3"]), [599, 600, 601]);
    assert_eq!(home.run(&["events"], b"").1.lines().count(), 101, "the newest, and a head");
    serving.end();
}

#[test]
fn following_ends_quietly_when_nobody_reads_any_more() {
    let home = Home::new();
    let (journal, _) = home.journal();
    let serving = Serving::start(&home, &journal);
    let mut child = home.start(&["events", "--follow"]);
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    assert!(first.contains("job.status"), "{first}");
    // No event follows: only the pipe can tell.
    drop(reader);
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!((status.code(), String::from_utf8(stderr).unwrap().as_str()), (Some(0), ""));
    serving.end();
}

#[test]
fn a_daemon_that_may_start_later_exits_so_that_it_is_started_again() {
    let home = Home::new();
    let camera = |more: &str| {
        format!("[[camera]]\nname = \"dock\"\nurl = \"rtsp://10.0.0.21/1\"\nusername = \"viewer\"\n{more}\n")
    };
    let codes = |source: &str| {
        home.write("c.toml", source);
        (home.run(&["run"], b"").0, home.run(&["check"], b"").0)
    };
    assert_eq!(codes(&camera("password_file = \"mount/missing\"")), (1, 78), "its disk may come");
    home.write("empty", "");
    assert_eq!(codes(&camera("password_file = \"empty\"")), (78, 78), "what is in it does not heal");
    let both = camera("password_file = \"mount/missing\"")
        + "[[endpoint]]\nname = \"ops\"\n\
        url = \"https://example.com\"\nsecret_file = \"empty\"\n";
    assert_eq!(codes(&both), (78, 78), "one that must be changed is enough");
    assert_eq!(codes(&camera("pasword = 1")), (78, 78));

    let clip = |name: &str| format!("[[camera]]\nname = \"clip\"\nurl = \"file://{}/{name}\"\n", home.path());
    assert_eq!(codes(&clip("missing.mp4")), (1, 78));
    assert_eq!(codes(&clip("c.toml")), (78, 78), "no video");

    let model = "[[model]]\nname = \"yard\"\npath = \"yard\"\n";
    assert_eq!(codes(model), (1, 78));
    fs::create_dir(home.0.path().join("yard")).unwrap();
    home.write("yard/manifest.toml", "family = 1\n");
    assert_eq!(codes(model), (78, 78), "a manifest that says something wrong");
}

#[test]
fn the_help_says_what_there_is() {
    let home = Home::new();
    insta::assert_snapshot!(home.run(&["--help"], b"").1, @r#"
    Watches cameras, journals what it saw, and delivers signed webhooks that are never lost

    Usage: stakeout <COMMAND>

    Set up:
      init         Set up a first camera, monitor and endpoint, and try them
      check        Check the configuration, and all that it leads to
      doctor       Check all that is needed of this machine, and say how to mend it
      config       Print the manual of the configuration: every key at its default
      keygen       Print a new secret, for webhooks or the API

    Run and watch:
      run          Run the daemon
      status       Show cameras, monitors, endpoints and warnings of the daemon
      events       List events, or follow them
      deliveries   List deliveries: what endpoints are owed, and what became of it
      jobs         List jobs, the runs of monitors; show, stop or start one
      clips        List clips of alerts; show, save or delete one
      snapshot     Save what a camera sees now, as JPEG

    Change and repair:
      monitor      Enable or disable a monitor while the daemon runs
      endpoint     List endpoints, check one, or enable one that was gone
      dlq          Handle dead letters: deliveries that ended without success

    Try out:
      replay       Play a recording through the monitors; print what they would say
      test         Assert what the monitors say about recordings, case by case
      ask          Ask a model about a picture
      models       List, download, check, measure and calibrate models
      verify       Check the signature of a webhook body, read from stdin

    Shells and manuals:
      completions  Print what a shell needs to complete commands
      man          Print the man page, or write all of them

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Exit codes: 0 ok, 1 failure, 2 usage, 3 the daemon is not reachable, 78 the configuration can't be
    used.
    Commands read /etc/stakeout/stakeout.toml unless --config or STAKEOUT_CONFIG names another file.
    "#);
    insta::assert_snapshot!(home.run(&["run", "--help"], b"").1, @r#"
    Run the daemon

    Usage: stakeout run [OPTIONS]

    Options:
          --config <FILE>  Configuration file [default: $STAKEOUT_CONFIG, then
                           /etc/stakeout/stakeout.toml]
      -h, --help           Print help

    Exit codes: 78 when the configuration has to change first (systemd then leaves the service alone),
    1 when another start may help, as after a secret, model or library that couldn't be read (systemd
    then starts it again).
    `stakeout check` exits with 78 for both.
    "#);
}
