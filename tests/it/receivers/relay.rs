//! Stands between the daemon and a receiver: hands requests on as they came, and may lose the first answer to each delivery.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::receiver::{Answer, Arrived, Receiver};

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// `X-Stakeout-Delivery`.
    pub delivery: String,
    pub status: u16,
    /// The daemon never saw it.
    pub lost: bool,
}

/// Relays until it is dropped.
pub struct Relay {
    in_front: Receiver,
    loses: Arc<AtomicBool>,
    answers: Arc<Mutex<Vec<Answered>>>,
}

impl Relay {
    /// To `path` of the receiver at `address`. With `loses` nobody hears its first answer to a delivery.
    pub fn to(address: SocketAddr, path: &'static str, loses: bool) -> Relay {
        let loses = Arc::new(AtomicBool::new(loses));
        let answers = Arc::<Mutex<Vec<Answered>>>::default();
        let delivered = Mutex::new(HashSet::new());
        let (losing, heard) = (Arc::clone(&loses), Arc::clone(&answers));
        let in_front = Receiver::start(move |_, request| {
            let Ok(answer) = post(address, path, &request.headers, &request.body) else { return Answer::HangUp };
            let delivery = request.header("x-stakeout-delivery").to_owned();
            let lost = delivered.lock().unwrap().insert(delivery.clone()) && losing.load(Ordering::SeqCst);
            heard.lock().unwrap().push(Answered { delivery, status: status(&answer), lost });
            if lost { Answer::HangUp } else { Answer::Bytes(answer) }
        });
        Relay { in_front, loses, answers }
    }

    /// Where the daemon is to send.
    pub fn url(&self) -> String {
        self.in_front.url()
    }

    /// From now on every answer is heard.
    pub fn lose_nothing(&self) {
        self.loses.store(false, Ordering::SeqCst);
    }

    /// All requests that came.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.in_front.arrived()
    }

    /// All answers so far, in order.
    pub fn answers(&self) -> Vec<Answered> {
        self.answers.lock().unwrap().clone()
    }

    /// Panics unless every delivery came twice at least, was taken each time, and its first answer was lost.
    pub fn assert_every_delivery_was_repeated(&self) {
        let answers = self.answers();
        let lost: Vec<_> = answers.iter().filter(|it| it.lost).map(|it| &it.delivery).collect();
        let heard: Vec<_> = answers.iter().filter(|it| !it.lost).map(|it| &it.delivery).collect();
        assert!(!lost.is_empty() && lost.iter().all(|delivery| heard.contains(delivery)), "{answers:?}");
        assert!(heard.iter().all(|delivery| lost.contains(delivery)), "{answers:?}");
        assert!(answers.iter().all(|it| (200..300).contains(&it.status)), "{answers:?}");
    }
}

/// POSTs a body with these headers, but for those of the connection; the whole answer as it came.
pub fn post(address: SocketAddr, path: &str, headers: &[(String, String)], body: &[u8]) -> std::io::Result<Vec<u8>> {
    send(address, "POST", path, headers, body)
}

/// The same with another method.
pub fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> std::io::Result<Vec<u8>> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in
        headers.iter().filter(|(name, _)| !["host", "connection", "content-length"].contains(&name.as_str()))
    {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(head.as_bytes())?;
    // Who refuses a body for its size may not read it to its end.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        read?;
    }
    Ok(answer)
}

/// The status of an answer; 0: there was none.
pub fn status(answer: &[u8]) -> u16 {
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let text = std::str::from_utf8(line).unwrap_or_default();
    text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}
