//! A webhook receiver on a port of its own: real sockets, scripted answers, everything recorded.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What a receiver does with a connection.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Reads the request and sends these bytes, then closes.
    Bytes(Vec<u8>),
    /// Reads the request and says nothing until the receiver is dropped.
    Silence,
    /// Reads the request, sends these bytes and keeps the connection open without another word.
    Stall(Vec<u8>),
    /// Reads the request and closes.
    HangUp,
    /// Reads the request and tears the connection down: the kernel sends RST.
    Reset,
}

impl Answer {
    /// An empty answer with that status. It says that the connection is closed after it, so that none is kept open.
    pub fn status(status: u16) -> Answer {
        Answer::Bytes(format!("HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").into_bytes())
    }
}

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub request_line: String,
    /// Names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Arrived {
    /// The value of a header that must be there once.
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(given, _)| given == name);
        let value = &values.next().unwrap_or_else(|| panic!("no header `{name}` in {:?}", self.headers)).1;
        assert!(values.next().is_none(), "header `{name}` twice");
        value
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(given, _)| given == name)
    }
}

/// Answers the n-th request (from 0).
pub type Script = Box<dyn Fn(usize, &Arrived) -> Answer + Send + Sync>;

struct Shared {
    arrived: Mutex<Vec<Arrived>>,
    more: Condvar,
    script: Script,
    stopping: AtomicBool,
}

/// Listens until it is dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<thread::JoinHandle<()>>,
}

impl Receiver {
    pub fn start(script: impl Fn(usize, &Arrived) -> Answer + Send + Sync + 'static) -> Receiver {
        Receiver::start_at("127.0.0.1:0".parse().unwrap(), script)
    }

    /// On an address that was free before: a receiver that comes back.
    pub fn start_at(
        address: SocketAddr,
        script: impl Fn(usize, &Arrived) -> Answer + Send + Sync + 'static,
    ) -> Receiver {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            arrived: Mutex::default(),
            more: Condvar::new(),
            script: Box::new(script),
            stopping: AtomicBool::new(false),
        });
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
        Receiver { address, shared, listening: Some(listening) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().unwrap().clone()
    }

    /// Waits until at least `count` requests have arrived and gives all of them. Panics when that takes absurdly long.
    pub fn wait_for(&self, count: usize) -> Vec<Arrived> {
        let arrived = self.shared.arrived.lock().unwrap();
        let enough = |arrived: &mut Vec<Arrived>| arrived.len() < count;
        let (arrived, waited) = self.shared.more.wait_timeout_while(arrived, Duration::from_secs(60), enough).unwrap();
        assert!(!waited.timed_out(), "{} of {count} requests arrived", arrived.len());
        arrived.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        {
            let _nobody_is_about_to_wait = self.shared.arrived.lock();
            self.shared.stopping.store(true, Ordering::SeqCst);
            self.shared.more.notify_all();
        }
        let _ = TcpStream::connect(self.address);
        let _ = self.listening.take().map(thread::JoinHandle::join);
    }
}

fn serve(shared: &Shared, mut stream: TcpStream) -> std::io::Result<()> {
    let arrived = read_request(&mut stream)?;
    // Under one lock, so that requests are numbered in the order in which they are kept.
    let answer = {
        let mut all = shared.arrived.lock().unwrap();
        let answer = (shared.script)(all.len(), &arrived);
        all.push(arrived);
        shared.more.notify_all();
        answer
    };
    match answer {
        Answer::Bytes(bytes) => stream.write_all(&bytes),
        Answer::HangUp => Ok(()),
        Answer::Silence => {
            hold(shared);
            Ok(())
        }
        Answer::Stall(bytes) => {
            stream.write_all(&bytes)?;
            hold(shared);
            Ok(())
        }
        Answer::Reset => {
            linger_zero(&stream);
            Ok(())
        }
    }
}

fn hold(shared: &Shared) {
    let arrived = shared.arrived.lock().unwrap();
    drop(shared.more.wait_while(arrived, |_| !shared.stopping.load(Ordering::SeqCst)).unwrap());
}

/// Closing then means tearing down.
fn linger_zero(stream: &TcpStream) {
    let stream = stream.try_clone().unwrap();
    stream.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async { tokio::net::TcpStream::from_std(stream).unwrap().set_zero_linger().unwrap() });
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<Arrived> {
    let mut reader = BufReader::new(stream);
    let mut request_line = String::new();
    reader.read_line(&mut request_line)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Arrived { request_line: request_line.trim_end().to_owned(), headers, body })
}
