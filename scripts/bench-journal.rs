//! The Rust half of `scripts/bench journal`: what accepting and delivering costs, through the product's own journal and
//! sender, beside bare SQLite on the same disk.
//!
//! Each command prints one line of JSON and ends (`receiver` answers one line for each line that it reads):
//! - `bare DIR SECONDS`: one thread, one row of a body's size a commit, WAL and `synchronous=FULL`.
//! - `accept DIR SECONDS WRITERS FRAME_BYTES`: events with one delivery each, so many threads that wait for their commit.
//! - `latency DIR COUNT`: one event at a time; milliseconds until the first byte of its POST has arrived.
//! - `receiver`: answers 204 to everything; tells how many arrived, and the seconds between the first and the last, and
//!   begins anew when the line is `forget`.
//! - `backlog DIR COUNT`: a journal with so many deliveries that are due, for `scripts/bench backlog`.
//! - `deliver DIR COUNT URL`: a backlog of so many deliveries sent to URL, no rate limit.

#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::error::Error;
use std::io::{BufRead, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use stakeout::config::{Endpoint, EndpointUrl, Format, FrameChoice, Located, Retry};
use stakeout::credentials::Credentials;
use stakeout::delivery::State;
use stakeout::event::{Event, EventData, EventType, Metadata, ModelIdentity, Priority, Triggered};
use stakeout::journal::{Accepted, Body, Journal, Keep, Owed, OwedFrame, Record};
use stakeout::name::Name;
use stakeout::payload::{self, Envelope};
use stakeout::sender::{Clock, Doorbells, Office, Outlet, Sender};
use stakeout::sign::Key;
use stakeout::time::{Boot, now};
use stakeout::transport;
use stakeout::verdict::Answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use uuid::Uuid;

type Failed = Box<dyn Error + Send + Sync>;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// POSTs at a time, on both sides of the comparison.
const CONCURRENCY: u32 = 4;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["bare", dir, seconds] => tell(&bare(Path::new(dir), seconds.parse()?)?),
        ["accept", dir, seconds, writers, frame] => {
            tell(&accept(Path::new(dir), seconds.parse()?, writers.parse()?, frame.parse()?)?)
        }
        ["latency", dir, count] => tell(&runtime()?.block_on(latency(Path::new(dir), count.parse()?))?),
        ["receiver"] => runtime()?.block_on(receiver()),
        ["backlog", dir, count] => tell(&runtime()?.block_on(backlog(Path::new(dir), count.parse()?))?),
        ["deliver", dir, count, url] => tell(&runtime()?.block_on(deliver(Path::new(dir), count.parse()?, url))?),
        _ => Err("see the head of scripts/bench-journal.rs".into()),
    }
}

#[expect(clippy::print_stdout, reason = "its answers")]
fn tell(answer: &serde_json::Value) -> Result<(), Failed> {
    println!("{answer}");
    Ok(std::io::stdout().flush()?)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    // As the daemon's.
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

fn journal(dir: &Path, bells: &Doorbells) -> Result<Journal, Failed> {
    let month = Duration::from_secs(30 * 86_400);
    let keep = Keep { delivered: month, dead: month, max_size: 64 << 30 };
    Ok(Journal::open(dir, keep, now(), bells.wake())?)
}

fn event() -> Event {
    Event {
        id: now().new_id(),
        observed: now(),
        boot: Boot::current(),
        device: "bench".into(),
        camera: Some(name("dock")),
        monitor: Some(name("person")),
        job: Some(Uuid::from_u128(7)),
        priority: Priority::Normal,
        metadata: Metadata::new(),
        data: EventData::Triggered(Triggered {
            open_id: now().new_id(),
            repeat: 0,
            condition: "Is a person inside the zone marked with yellow tape?".into(),
            answer: Answer::Yes,
            confidence: 0.91,
            threshold: 0.85,
            explanation: "A person is inside the zone.".into(),
            regions: Vec::new(),
            z: None,
            answer_mass: None,
            model: ModelIdentity { name: name("yard"), sha256: "ab".repeat(32) },
            source_url: "rtsp://10.0.0.21/stream1".into(),
            started: now().wall,
            label: "person".into(),
            from_ms: 1000,
            to_ms: 2500,
            clip: None,
        }),
    }
}

/// An event that is owed to the one endpoint.
fn record(frame: Option<&Arc<[u8]>>) -> Record {
    let event = event();
    let rendered = event.clone();
    let owed = Owed {
        endpoint: name("ops"),
        frame: if frame.is_some() { OwedFrame::Original } else { OwedFrame::None },
        format_version: payload::version(Format::Stakeout),
        render: Box::new(move |stamp| {
            let envelope = Envelope { epoch: stamp.epoch, sequence: stamp.sequence, moment_us: stamp.moment_us };
            let text = payload::render(Format::Stakeout, &rendered, envelope, FrameChoice::Inline);
            Body::marked(text.expect("it renders everything"), payload::HOLE)
        }),
    };
    let accepted = Accepted { event, frame: frame.cloned(), owed: vec![owed] };
    Record { at: now(), events: vec![accepted], machine: None, jobs: Vec::new() }
}

/// The reference: what the disk gives to one row of a body's size a commit.
fn bare(dir: &Path, seconds: f64) -> Result<serde_json::Value, Failed> {
    let connection = rusqlite::Connection::open(dir.join("bare.sqlite"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 256;
         CREATE TABLE event (n INTEGER PRIMARY KEY, body TEXT NOT NULL);",
    )?;
    let body = payload::render(
        Format::Stakeout,
        &event(),
        Envelope { epoch: Uuid::nil(), sequence: 1, moment_us: 0 },
        FrameChoice::None,
    )
    .expect("it renders everything");
    let mut insert = connection.prepare("INSERT INTO event (body) VALUES (?1)")?;
    let began = Instant::now();
    let mut commits = 0_u64;
    while began.elapsed().as_secs_f64() < seconds {
        insert.execute([&body])?;
        commits += 1;
    }
    Ok(json!({"per_second": commits as f64 / began.elapsed().as_secs_f64(), "body_bytes": body.len()}))
}

fn accept(dir: &Path, seconds: f64, writers: usize, frame: usize) -> Result<serde_json::Value, Failed> {
    let journal = journal(dir, &Doorbells::new([]))?;
    // Not compressible, as a JPEG.
    let frame: Option<Arc<[u8]>> =
        (frame > 0).then(|| std::iter::repeat_with(|| fastrand::u8(..)).take(frame).collect());
    let began = Instant::now();
    let accepted: Vec<Result<u64, stakeout::journal::Error>> = thread::scope(|threads| {
        let threads: Vec<_> = (0..writers)
            .map(|_| {
                let (writer, frame) = (journal.writer(), frame.as_ref());
                threads.spawn(move || {
                    let mut accepted = 0;
                    while began.elapsed().as_secs_f64() < seconds {
                        writer.record(record(frame)).wait()?;
                        accepted += 1;
                    }
                    Ok(accepted)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let took = began.elapsed().as_secs_f64();
    let accepted: u64 = accepted.into_iter().sum::<Result<_, _>>()?;
    let commits = journal.commits();
    journal.close()?;
    Ok(json!({"per_second": accepted as f64 / took, "events": accepted, "commits": commits}))
}

/// A sender of the product, to `url`, until it is told to stop.
struct Sending {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Sending {
    fn start(journal: &Journal, bells: &Doorbells, url: &str) -> Result<Sending, Failed> {
        let endpoint = Endpoint {
            name: name("ops"),
            url: EndpointUrl::Open(Located { value: url.parse()?, at: 0..0 }),
            allow_http: false,
            format: Format::Stakeout,
            secrets: Vec::new(),
            routing_key: None,
            mail: None,
            events: EventType::ALL.to_vec(),
            retry: Retry::Edge,
            timeout: Duration::from_secs(5),
            concurrency: CONCURRENCY,
            rate: None,
            bandwidth: None,
            frame: FrameChoice::Inline,
            max_body: 262_144,
            headers: Default::default(),
            ca_file: None,
            client: None,
            enabled: true,
        };
        let settings = transport::Settings {
            kept_connections: CONCURRENCY as usize,
            ..transport::Settings::new(endpoint.timeout)
        };
        let office = Office::new(bells, Clock::Real, false);
        let credentials = Credentials::signing(url.parse()?, vec![Key::new(SECRET)?]);
        let outlet = Outlet::new(&endpoint, &credentials, &settings)?;
        let (sender, _) = Sender::new(endpoint, credentials, outlet, journal.writer(), journal.reader()?, &office);
        let (stop, stopped) = watch::channel(false);
        Ok(Sending { stop, task: tokio::spawn(sender.run(stopped, Duration::from_secs(5))) })
    }

    async fn end(self) -> Result<(), Failed> {
        let _ = self.stop.send(true);
        Ok(self.task.await?)
    }
}

async fn latency(dir: &Path, count: usize) -> Result<serde_json::Value, Failed> {
    let bells = Doorbells::new([name("ops")]);
    let journal = journal(dir, &bells)?;
    let seen = Arc::new(Seen::default());
    let address = listen(Arc::clone(&seen)).await?;
    let sending = Sending::start(&journal, &bells, &format!("http://{address}/"))?;
    let (mut from_call, mut from_commit) = (Vec::new(), Vec::new());
    for number in 0..count as u64 {
        // Alerts are rare: each finds everything idle.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let called = Instant::now();
        journal.writer().record(record(None)).await?;
        let committed = Instant::now();
        while seen.count.load(Ordering::Acquire) <= number {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        let arrived = seen.last.lock().expect("nobody panics").expect("one has arrived");
        from_call.push((arrived - called).as_secs_f64() * 1e3);
        from_commit.push(arrived.saturating_duration_since(committed).as_secs_f64() * 1e3);
    }
    sending.end().await?;
    journal.close()?;
    Ok(json!({"from_call_ms": from_call, "from_commit_ms": from_commit}))
}

/// One event as the product writes it, and copies of its rows with ids of their own: a million through the front door
/// would take minutes.
async fn backlog(dir: &Path, count: u64) -> Result<serde_json::Value, Failed> {
    let journal = journal(dir, &Doorbells::new([]))?;
    journal.writer().record(record(None)).await?;
    journal.close()?;
    let mut connection = rusqlite::Connection::open(dir.join("journal.db"))?;
    let transaction = connection.transaction()?;
    for (table, fresh) in [
        ("event", vec![("seq", "seq + n"), ("id", "randomblob(16)")]),
        (
            "delivery",
            vec![
                ("n", "delivery.n + it.n"),
                ("id", "randomblob(16)"),
                ("event_seq", "event_seq + it.n"),
                ("sequence", "sequence + it.n"),
            ],
        ),
    ] {
        let columns: Vec<String> = transaction
            .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let values = columns.iter().map(|column| {
            let fresh = fresh.iter().find(|(name, _)| name == column);
            fresh.map_or_else(|| format!("{table}.{column}"), |(_, value)| (*value).to_owned())
        });
        let (columns, values) = (columns.join(", "), values.collect::<Vec<_>>().join(", "));
        transaction.execute(
            &format!(
                "WITH RECURSIVE it (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM it WHERE n + 1 < ?1)
                 INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, it"
            ),
            [count.cast_signed()],
        )?;
    }
    transaction.execute("UPDATE endpoint_state SET next_sequence = ?1", [count.cast_signed() + 1])?;
    let (rows, endpoints): (i64, i64) = transaction.query_row(
        "SELECT (SELECT count(*) FROM delivery WHERE ended_ms IS NULL), (SELECT count(*) FROM endpoint_state)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    transaction.commit()?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let bytes = std::fs::metadata(dir.join("journal.db"))?.len();
    Ok(json!({"pending": rows, "endpoints": endpoints, "bytes": bytes}))
}

async fn deliver(dir: &Path, count: usize, url: &str) -> Result<serde_json::Value, Failed> {
    let bells = Doorbells::new([name("ops")]);
    let journal = journal(dir, &bells)?;
    let replies: Vec<_> = (0..count).map(|_| journal.writer().record(record(None))).collect();
    for reply in replies {
        reply.await?;
    }
    let reader = journal.reader()?;
    let sending = Sending::start(&journal, &bells, url)?;
    let filter = stakeout::journal::DeliveryFilter { state: Some(State::Pending), limit: 1, ..Default::default() };
    while !reader.deliveries(&filter)?.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sending.end().await?;
    journal.close()?;
    Ok(json!({"delivered": count}))
}

/// What arrived at a receiver.
#[derive(Default)]
struct Seen {
    count: AtomicU64,
    first: Mutex<Option<Instant>>,
    last: Mutex<Option<Instant>>,
}

impl Seen {
    /// The first byte of a request is here.
    fn note(&self) {
        let now = Instant::now();
        self.first.lock().expect("nobody panics").get_or_insert(now);
        *self.last.lock().expect("nobody panics") = Some(now);
        self.count.fetch_add(1, Ordering::Release);
    }

    fn forget(&self) {
        self.count.store(0, Ordering::Release);
        *self.first.lock().expect("nobody panics") = None;
        *self.last.lock().expect("nobody panics") = None;
    }
}

async fn receiver() -> Result<(), Failed> {
    let seen = Arc::new(Seen::default());
    let address = listen(Arc::clone(&seen)).await?;
    tell(&json!({"url": format!("http://{address}/")}))?;
    tokio::task::spawn_blocking(move || -> Result<(), Failed> {
        for line in std::io::stdin().lock().lines() {
            if line? == "forget" {
                seen.forget();
            }
            let first = *seen.first.lock().expect("nobody panics");
            let last = *seen.last.lock().expect("nobody panics");
            let seconds = first.zip(last).map(|(first, last)| (last - first).as_secs_f64());
            let first_ago = first.map(|first| first.elapsed().as_secs_f64());
            tell(&json!({"count": seen.count.load(Ordering::Acquire), "seconds": seconds, "first_ago": first_ago}))?;
        }
        Ok(())
    })
    .await?
}

/// Answers 204 to every request, on connections that stay open.
async fn listen(seen: Arc<Seen>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move { serve(stream, &seen).await });
        }
    });
    Ok(address)
}

async fn serve(mut stream: TcpStream, seen: &Seen) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut buffer = Vec::new();
    loop {
        buffer.reserve(64 * 1024);
        if buffer.is_empty() && stream.read_buf(&mut buffer).await.ok()? == 0 {
            return None;
        }
        seen.note();
        let needed = loop {
            if let Some(needed) = length(&buffer) {
                break needed;
            }
            (stream.read_buf(&mut buffer).await.ok()? > 0).then_some(())?;
        };
        while buffer.len() < needed {
            (stream.read_buf(&mut buffer).await.ok()? > 0).then_some(())?;
        }
        buffer.drain(..needed);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.ok()?;
    }
}

/// The bytes of the first request in `buffer`, head and body, once its head is whole.
fn length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse::<usize>().ok()?;
    Some(head + body)
}
