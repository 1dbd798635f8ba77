//! Every outcome of an attempt, provoked over real sockets.

mod addresses;
mod answers;
mod bodies;
mod daemon;
mod names;
pub mod namespace;
mod reuse;
mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use stakeout::delivery::{Attempt, Outcome};
use stakeout::transport::{Client, Method, Request, Settings};
use url::Url;

/// Longer than anything here takes on a loaded machine; only what must run into it gets less.
const AMPLE: Duration = Duration::from_secs(20);

fn request(url: &str) -> Request {
    Request {
        method: Method::Post,
        url: Url::parse(url).unwrap(),
        headers: vec![("X-One".into(), "1".into()), ("User-Agent".into(), "stakeout/test".into())],
        body: b"{\"exact\": \"bytes\"}".to_vec(),
        fresh_connection: false,
    }
}

fn client(timeout: Duration) -> Client {
    Client::new(&Settings::new(timeout)).unwrap()
}

async fn post_within(timeout: Duration, url: &str) -> Attempt {
    client(timeout).send(request(url)).await
}

async fn post(url: &str) -> Attempt {
    post_within(AMPLE, url).await
}

fn status(status: u16) -> Outcome {
    Outcome::Status { status, retry_after: None }
}

/// Gives each connection, with its number, to `script` on a thread of its own, as long as the test runs.
pub fn serve(script: impl Fn(usize, TcpStream) + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let script = script.clone();
            thread::spawn(move || script(number, stream));
        }
    });
    address
}

/// Reads a request to its end; None when there is none any more. Its head, in lower case.
pub fn read_request(stream: &mut (impl Read + Write)) -> Option<String> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    let length =
        head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).map_or(0, |n| n.parse().unwrap());
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(head)
}

/// The value of a header in what [`read_request`] gave.
pub fn header(head: &str, name: &str) -> String {
    let value = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no `{name}` in {head}")).to_owned()
}

/// Reads a request and answers with these bytes.
pub fn answer(stream: &mut (impl Read + Write), bytes: &[u8]) -> Option<String> {
    let head = read_request(stream)?;
    stream.write_all(bytes).ok()?;
    stream.flush().ok()?;
    Some(head)
}

pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Tears the connection down: the kernel sends RST.
fn reset(stream: TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async { tokio::net::TcpStream::from_std(stream).unwrap().set_zero_linger().unwrap() });
}
