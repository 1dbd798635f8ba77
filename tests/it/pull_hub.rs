//! A hub of models on a port of its own: redirects to its storage, announces hashes, serves parts, and misbehaves on demand.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

/// What the hub calls its newest commit.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the storage behind the hub serves a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Well,
    /// Closes after so many bytes of the file, though it said that more would come.
    CutAt(usize),
    /// Sends so many bytes of the file, then nothing until the hub is dropped.
    StallAt(usize),
    /// Changes the byte at this place.
    Tamper(usize),
    /// Answers with this status.
    Status(u16),
    /// Sends on to itself.
    Circle,
    /// Says how long the file would be, but it isn't.
    Announce(u64),
    /// Ends without having said how long it is.
    Endless,
    /// Says that the bytes are packed.
    Packed,
}

/// A request for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub path: String,
    pub range: Option<String>,
    pub if_range: Option<String>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    manners: BTreeMap<String, Vec<Manner>>,
    asked: Vec<Asked>,
}

struct Shared {
    state: Mutex<State>,
    more: Condvar,
    stopping: AtomicBool,
    announces: bool,
    /// Where a question for a file is sent on to, before anything is said of the file.
    first: Option<String>,
}

/// Listens until it is dropped.
pub struct Hub {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<thread::JoinHandle<()>>,
}

impl Hub {
    /// A hub that announces sizes and hashes, as the real one does of its large files.
    pub fn start() -> Hub {
        Hub::with(true, None)
    }

    /// One that announces only after it sent the question on to another place of its own.
    pub fn roundabout() -> Hub {
        Hub::with(true, Some("/again".to_owned()))
    }

    /// One that says nothing and sends every question on to another.
    pub fn leading_to(other: &Hub) -> Hub {
        Hub::with(false, Some(other.url()))
    }

    /// One that says nothing but the length.
    pub fn silent() -> Hub {
        Hub::with(false, None)
    }

    fn with(announces: bool, first: Option<String>) -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (state, more, stopping) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        let shared = Arc::new(Shared { state, more, stopping, announces, first });
        let listening = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if shared.stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        let _ = serve(&shared, stream.unwrap());
                    });
                }
            })
        };
        Hub { address, shared, listening: Some(listening) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a file there; the path is what follows the revision, or the base URL.
    pub fn put(&self, path: &str, content: &[u8]) {
        self.shared.state.lock().unwrap().files.insert(path.to_owned(), content.to_owned());
    }

    /// How the next answers for a file are; after them it is served well.
    pub fn behave(&self, path: &str, manners: &[Manner]) {
        self.shared.state.lock().unwrap().manners.insert(path.to_owned(), manners.to_owned());
    }

    /// What was asked of the storage so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state.lock().unwrap().asked.clone()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        {
            let _nobody_is_about_to_wait = self.shared.state.lock();
            self.shared.stopping.store(true, Ordering::SeqCst);
            self.shared.more.notify_all();
        }
        let _ = TcpStream::connect(self.address);
        let _ = self.listening.take().map(thread::JoinHandle::join);
    }
}

pub fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

fn serve(shared: &Shared, mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request_line = lines.next().ok_or(std::io::ErrorKind::UnexpectedEof)??;
    let target = request_line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut range, mut if_range) = (None, None);
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => range = Some(value.trim().to_owned()),
            "if-range" => if_range = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    // org/repo/resolve/revision/path leads to the storage, everything else is the storage.
    if let Some((_, rest)) = target.split_once("/resolve/") {
        if let Some(first) = shared.first.as_ref().filter(|_| !target.starts_with("/again")) {
            return stream.write_all(&sent_on(&format!("Location: {first}{target}\r\n")));
        }
        let path = rest.split_once('/').map_or("", |(_, path)| path).to_owned();
        return stream.write_all(&redirect(shared, &path));
    }
    let path = target.trim_start_matches("/storage").trim_start_matches('/').to_owned();
    let (content, manner) = {
        let mut state = shared.state.lock().unwrap();
        let manners = state.manners.entry(path.clone()).or_default();
        let manner = if manners.is_empty() { Manner::Well } else { manners.remove(0) };
        let content = state.files.get(&path).cloned();
        state.asked.push(Asked { path: path.clone(), range: range.clone(), if_range: if_range.clone() });
        shared.more.notify_all();
        (content, manner)
    };
    let Some(content) = content else { return stream.write_all(&status(404)) };
    send(shared, &mut stream, &path, content, &manner, range.as_deref(), if_range.as_deref())
}

fn status(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

fn redirect(shared: &Shared, path: &str) -> Vec<u8> {
    let state = shared.state.lock().unwrap();
    let Some(content) = state.files.get(path) else { return status(404) };
    let said = if shared.announces {
        let size = match state.manners.get(path).and_then(|manners| manners.first()) {
            Some(Manner::Announce(size)) => *size,
            _ => content.len() as u64,
        };
        format!("X-Linked-Etag: \"{}\"\r\nX-Linked-Size: {size}\r\nX-Repo-Commit: {COMMIT}\r\n", sha256(content))
    } else {
        String::new()
    };
    let etag = "ETag: \"0a1b2c3d4e5f60718293a4b5c6d7e8f901234567\"\r\n";
    sent_on(&format!("{said}{etag}Location: /storage/{path}\r\n"))
}

fn sent_on(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 x\r\n{headers}Connection: close\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

fn send(
    shared: &Shared,
    stream: &mut TcpStream,
    path: &str,
    mut content: Vec<u8>,
    manner: &Manner,
    range: Option<&str>,
    if_range: Option<&str>,
) -> std::io::Result<()> {
    let etag = format!("\"storage-{}\"", &sha256(&content)[..16]);
    match manner {
        Manner::Status(code) => return stream.write_all(&status(*code)),
        Manner::Circle => {
            let again = sent_on(&format!("Location: /storage/{path}\r\n"));
            shared.state.lock().unwrap().manners.entry(path.to_owned()).or_default().push(Manner::Circle);
            return stream.write_all(&again);
        }
        Manner::Tamper(at) => content[*at] ^= 1,
        _ => {}
    }
    let first = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let first = first.filter(|_| if_range.is_none_or(|tag| tag == etag));
    let whole = content.len();
    if first.is_some_and(|first| first >= whole) {
        return stream.write_all(&status(416));
    }
    let from = first.unwrap_or(0);
    let (code, place) = match first {
        Some(first) => (206, format!("Content-Range: bytes {first}-{}/{whole}\r\n", whole - 1)),
        None => (200, String::new()),
    };
    let length = match manner {
        Manner::Endless => String::new(),
        Manner::Packed => format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", whole - from),
        _ => format!("Content-Length: {}\r\n", whole - from),
    };
    write!(
        stream,
        "HTTP/1.1 {code} x\r\nConnection: close\r\nETag: {etag}\r\nAccept-Ranges: bytes\r\n{place}{length}\r\n"
    )?;
    let end = match manner {
        Manner::CutAt(end) | Manner::StallAt(end) => (*end).clamp(from, whole),
        _ => whole,
    };
    stream.write_all(&content[from..end])?;
    stream.flush()?;
    if matches!(manner, Manner::StallAt(_)) {
        let state = shared.state.lock().unwrap();
        drop(shared.more.wait_while(state, |_| !shared.stopping.load(Ordering::SeqCst)).unwrap());
    }
    Ok(())
}
