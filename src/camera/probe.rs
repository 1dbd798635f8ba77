//! Why a camera could not be connected to.
//!
//! `rtspsrc` reports a closed port, a dead host and a name that nobody knows with the same words. This asks the network
//! once more, after the fact, for the cause. Runs on the camera's thread and takes a second or two at most: each step is
//! bounded, and a name that takes longer to look up is looked up to its end by a thread of its own.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use url::Url;

use super::problem::Problem;
use super::trust::Distrust;

/// For each step: looking up, connecting, an answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// A name may have many addresses.
const ADDRESSES: usize = 3;

/// The port of `url`, whose scheme `url` doesn't know (RFC 7826, 19).
pub(super) fn port(url: &Url) -> u16 {
    url.port().unwrap_or(if url.scheme() == "rtsps" { 322 } else { 554 })
}

/// The likely reason why there was no connection to `url`, or why it ended. `spoken`: it came as far as an RTSP request, so
/// TLS was not the reason.
pub(super) fn why_not(url: &Url, spoken: bool) -> Problem {
    let Some(addresses) = addresses(url) else { return Problem::Unreachable };
    let secure = url.scheme() == "rtsps";
    let mut problem = Problem::Unreachable;
    for address in addresses.into_iter().take(ADDRESSES) {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) if secure && spoken => return Problem::Disconnected,
            Ok(stream) => return heard(&greeting(stream), secure),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => problem = Problem::Refused,
            Err(_) => {}
        }
    }
    problem
}

/// None: nobody knows the name, or nobody says so in time.
fn addresses(url: &Url) -> Option<Vec<SocketAddr>> {
    let (host, port) = (url.host_str()?.trim_matches(['[', ']']).to_owned(), port(url));
    let (tell, told) = crossbeam_channel::bounded(1);
    let lookup = Lookup::begin(&host)?;
    // A lookup can't be interrupted.
    let look_up = move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Vec::from_iter);
        drop(lookup);
        tell.send(found)
    };
    std::thread::Builder::new().name("camera-lookup".to_owned()).spawn(look_up).ok()?;
    told.recv_timeout(PATIENCE).ok()?.ok()
}

/// One lookup of a name, for as long as it is under way.
struct Lookup(String);

/// The names of all of them. A name server that hangs must not collect a thread for every attempt.
static UNDER_WAY: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

impl Lookup {
    /// None: this name is being looked up already.
    fn begin(host: &str) -> Option<Lookup> {
        let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.insert(host.to_owned()).then(|| Lookup(host.to_owned()))
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// What the other side says to the most harmless request; nothing if it says nothing.
fn greeting(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = [0; 5];
    let asked = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .and_then(|()| stream.write_all(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"))
        .and_then(|()| stream.read(&mut answer));
    answer[..asked.unwrap_or(0)].to_vec()
}

fn heard(answer: &[u8], secure: bool) -> Problem {
    let rtsp = answer.starts_with(b"RTSP/");
    match answer {
        _ if secure => Problem::Tls(if rtsp { Distrust::NotTls } else { Distrust::Handshake }),
        [_, ..] if !rtsp => Problem::Protocol,
        _ => Problem::Disconnected,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A listener that says `answer` to whoever asks, once.
    fn listener(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 100]);
            let _ = stream.write_all(answer);
        });
        port
    }

    fn why(scheme: &str, host: &str, port: u16, spoken: bool) -> Problem {
        why_not(&format!("{scheme}://{host}:{port}/x").parse().unwrap(), spoken)
    }

    #[test]
    fn what_answers_is_told_apart() {
        let ok = b"RTSP/1.0 200 OK\r\n\r\n";
        assert_eq!(why("rtsp", "127.0.0.1", listener(ok), true), Problem::Disconnected);
        assert_eq!(why("rtsp", "localhost", listener(b"HTTP/1.1 400 Bad Request\r\n\r\n"), true), Problem::Protocol);
        assert_eq!(why("rtsps", "127.0.0.1", listener(ok), false), Problem::Tls(Distrust::NotTls));
        assert_eq!(
            why("rtsps", "127.0.0.1", listener(b"\x15\x03\x03\0\x02"), false),
            Problem::Tls(Distrust::Handshake)
        );
        assert_eq!(why("rtsps", "127.0.0.1", listener(b""), true), Problem::Disconnected, "TLS was over by then");
    }

    #[test]
    fn what_does_not_answer_is_told_apart() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(why("rtsp", "127.0.0.1", closed, false), Problem::Refused);
        assert_eq!(why("rtsp", "no-such-name.invalid", closed, false), Problem::Unreachable);
    }

    #[test]
    fn a_name_is_looked_up_by_one_thread_at_a_time() {
        let first = Lookup::begin("slow.invalid").unwrap();
        assert!(Lookup::begin("slow.invalid").is_none());
        assert!(Lookup::begin("other.invalid").is_some());
        drop(first);
        assert!(Lookup::begin("slow.invalid").is_some());
    }

    #[test]
    fn ports_have_defaults() {
        let port = |url: &str| port(&url.parse().unwrap());
        assert_eq!([port("rtsp://a/b"), port("rtsps://a/b"), port("rtsp://[::1]:8554/b")], [554, 322, 8554]);
    }
}
