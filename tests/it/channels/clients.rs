//! Clients of the channels: a reader of server-sent events, and tungstenite over a unix socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// Silence that lasts longer has gone wrong; nothing is measured with it.
const ABSURD: Duration = Duration::from_secs(60);

/// An event as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub id: i64,
    pub kind: String,
    pub line: Value,
}

/// A reader of `/v1/events/stream`, as EventSource understands it.
pub struct Sse {
    lines: BufReader<UnixStream>,
    /// What EventSource would send as `Last-Event-ID`.
    pub last: i64,
}

impl Sse {
    /// Asks for `/v1/events/stream` with that query, and reads to the first id. Errors: there is nobody.
    pub fn open(socket: &Path, query: &str, last: Option<i64>) -> io::Result<Sse> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(ABSURD))?;
        // Over HTTP/1.0 there are no chunks: what comes is the stream itself.
        write!(stream, "GET /v1/events/stream{query} HTTP/1.0\r\nhost: x\r\n")?;
        if let Some(last) = last {
            write!(stream, "last-event-id: {last}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if lines.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        assert!(head.contains(" 200 "), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        let mut sse = Sse { lines, last: 0 };
        let nothing = sse.block()?;
        assert!(nothing.is_none(), "the first block only says where the stream begins: {nothing:?}");
        Ok(sse)
    }

    /// The next event; None: the connection is over.
    pub fn next(&mut self) -> Option<Told> {
        loop {
            match self.block() {
                Ok(Some(told)) => return Some(told),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("nothing came for {ABSURD:?}"),
                Err(_) => return None,
            }
        }
    }

    pub fn take(&mut self, count: usize) -> Vec<Told> {
        (0..count).map(|_| self.next().expect("the stream goes on")).collect()
    }

    /// One block; None: it was no event.
    fn block(&mut self) -> io::Result<Option<Told>> {
        let (mut kind, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line)? == 0 || !line.ends_with('\n') {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("id", id)) => self.last = id.parse().unwrap(),
                Some(("event", name)) => kind = name.to_owned(),
                Some(("data", text)) => data = text.to_owned(),
                _ if line == "\n" && data.is_empty() => return Ok(None),
                _ if line == "\n" => {
                    return Ok(Some(Told { id: self.last, kind, line: serde_json::from_str(&data).unwrap() }));
                }
                _ => {}
            }
        }
    }
}

/// A WebSocket client, and its connection's id.
pub struct Ws(pub WebSocket<UnixStream>, pub String);

/// How a conversation ended: with this code, or without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed(pub Option<u16>);

impl Ws {
    /// Opens `/v1/ws` with that query.
    pub fn open(socket: &Path, query: &str) -> Ws {
        Ws::try_open(socket, query).unwrap_or_else(|(status, body)| panic!("{status} {body}"))
    }

    /// The same; the refusal where there is one.
    pub fn try_open(socket: &Path, query: &str) -> Result<Ws, (u16, Value)> {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(ABSURD)).unwrap();
        match tungstenite::client(format!("ws://x/v1/ws{query}"), stream) {
            Ok((socket, _)) => {
                let mut client = Ws(socket, String::new());
                let told = client.next().expect("the first message");
                client.1 = told["connection_id"].as_str().expect("it tells the connection's id").to_owned();
                let id = &client.1;
                assert_eq!(told, json!({"channel": "connection", "connection_id": id, "data": {"connection_id": id}}));
                Ok(client)
            }
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                let body = answer.body().as_deref().unwrap_or_default();
                Err((answer.status().as_u16(), serde_json::from_slice(body).unwrap_or(Value::Null)))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The next message.
    pub fn next(&mut self) -> Result<Value, Closed> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Ok(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(frame)) => return Err(Closed(frame.map(|frame| frame.code.into()))),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    panic!("nothing came for {ABSURD:?}")
                }
                Err(_) => return Err(Closed(None)),
            }
        }
    }

    /// The `data` of the next message of that channel.
    pub fn next_of(&mut self, channel: &str) -> Value {
        loop {
            let mut message = self.next().expect("the conversation goes on");
            if message["channel"] == channel {
                return message["data"].take();
            }
        }
    }
}
