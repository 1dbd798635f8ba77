//! Between a camera and us: a wire that hears what is said, and can spoil it. And cameras that only talk.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use url::Url;

/// What happens to RTP over UDP on the way.
#[derive(Clone, Copy)]
pub enum Udp {
    /// It arrives.
    Whole,
    /// None of it arrives: a firewall.
    Blocked,
    /// Each time this many packets arrived, the next one is lost.
    Lossy(usize),
}

/// Forwards RTSP to a server, byte by byte, and keeps what both sides said.
pub struct Wire {
    /// The server's, by way of this wire.
    pub url: Url,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    /// A wire to `server`. It lasts as long as the test.
    pub fn to(server: &Url, udp: Udp) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut url = server.clone();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let target = (server.host_str().unwrap().to_owned(), server.port().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let note = heard.clone();
        thread::spawn(move || {
            for ours in listener.incoming().flatten() {
                let Ok(theirs) = TcpStream::connect((target.0.as_str(), target.1)) else { continue };
                let (back, forth) = ((theirs.try_clone().unwrap(), ours.try_clone().unwrap()), note.clone());
                thread::spawn(move || forward_answers(back.0, back.1));
                thread::spawn(move || forward_requests(ours, theirs, udp, &forth));
            }
        });
        Wire { url, heard }
    }

    /// The requests so far, each with its headers.
    pub fn requests(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// How many requests there were of `method`.
    pub fn count(&self, method: &str) -> usize {
        self.requests().iter().filter(|request| request.starts_with(method)).count()
    }
}

fn forward_answers(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

/// What one side says: a request, which has no body here, or a packet in between.
enum Said {
    Request(String),
    Packet(Vec<u8>),
}

fn forward_requests(from: TcpStream, mut to: TcpStream, udp: Udp, heard: &Mutex<Vec<String>>) {
    let mut from = BufReader::new(from);
    while let Some(said) = listen(&mut from) {
        let bytes = match said {
            Said::Packet(packet) => packet,
            Said::Request(request) => {
                let request = spoiled(&request, udp);
                heard.lock().unwrap().push(request.clone());
                request.into_bytes()
            }
        };
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn listen(from: &mut impl BufRead) -> Option<Said> {
    if *from.fill_buf().ok()?.first()? == b'$' {
        let mut packet = vec![0; 4];
        from.read_exact(&mut packet).ok()?;
        let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        packet.resize(4 + length, 0);
        from.read_exact(&mut packet[4..]).ok()?;
        return Some(Said::Packet(packet));
    }
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        (from.read_line(&mut request).ok()? > 0).then_some(())?;
    }
    Some(Said::Request(request))
}

/// Sends the server's UDP packets elsewhere: nowhere, or through a relay that loses some.
fn spoiled(request: &str, udp: Udp) -> String {
    let Some((before, after)) = request.split_once("client_port=") else { return request.to_owned() };
    let end = after.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap();
    let (ports, rest) = after.split_at(end);
    let port: u16 = ports.split('-').next().unwrap().parse().unwrap();
    let port = match udp {
        Udp::Whole => port,
        Udp::Blocked => silent_port(),
        Udp::Lossy(every) => relay(port, every),
    };
    format!("{before}client_port={port}-{}{rest}", port + 1)
}

/// A port at which packets vanish.
fn silent_port() -> u16 {
    let socket = Box::leak(Box::new(UdpSocket::bind("127.0.0.1:0").unwrap()));
    socket.local_addr().unwrap().port()
}

/// A port from which packets go on to `port`, but for each one after `every` others.
fn relay(port: u16, every: usize) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut packet = [0; 65536];
        for number in 1.. {
            let Ok((length, _)) = socket.recv_from(&mut packet) else { return };
            if number % (every + 1) != 0 {
                let _ = socket.send_to(&packet[..length], ("127.0.0.1", port));
            }
        }
    });
    at
}

/// A camera that only talks: every request gets what `script` says to it. It lasts as long as the test; its URL.
pub fn talker(script: impl Fn(&str) -> String + Send + Sync + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtsp://{}/cam", listener.local_addr().unwrap()).parse().unwrap();
    let script = Arc::new(script);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let script = script.clone();
            thread::spawn(move || {
                let mut from = BufReader::new(stream.try_clone().unwrap());
                while let Some(Said::Request(request)) = listen(&mut from) {
                    let sequence = header(&request, "CSeq").unwrap_or("0").to_owned();
                    let answer = script(&request).replacen("\r\n", &format!("\r\nCSeq: {sequence}\r\n"), 1);
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// An answer with a body that describes streams.
pub fn description(sdp: &str) -> String {
    format!("RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len())
}

/// A request's header.
pub fn header<'r>(request: &'r str, name: &str) -> Option<&'r str> {
    request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
