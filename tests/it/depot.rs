//! A receiver that keeps clips as they come, piece after piece, written from what README.md says of `upload`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use stakeout::sign::{Key, Message, verify};

use crate::receiver::{Answer, Arrived, Receiver};

/// What it has of each clip, by the path that it was put at.
type Kept = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

pub struct Depot {
    pub receiver: Receiver,
    kept: Kept,
}

impl Depot {
    /// Keeps `most` bytes of each piece. `instead`, if it says anything to the n-th request (from 0), is what comes of that.
    pub fn start(most: usize, instead: impl Fn(usize, &Arrived) -> Option<Answer> + Send + Sync + 'static) -> Depot {
        let kept = Kept::default();
        let keeps = Arc::clone(&kept);
        let receiver = Receiver::start(move |n, arrived| {
            instead(n, arrived).unwrap_or_else(|| put(&mut keeps.lock().unwrap(), arrived, most))
        });
        Depot { receiver, kept }
    }

    /// With a place for the clip's id.
    pub fn url(&self) -> String {
        format!("{}/{{clip}}.mp4", self.receiver.url())
    }

    /// What it has of the one at a path that ends so.
    pub fn kept(&self, end: &str) -> Vec<u8> {
        let kept = self.kept.lock().unwrap();
        kept.iter().find(|(path, _)| path.ends_with(end)).map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    }

    /// That another receiver, or an earlier day, left it `bytes` at `path`.
    pub fn keep(&self, path: &str, bytes: &[u8]) {
        self.kept.lock().unwrap().insert(path.to_owned(), bytes.to_vec());
    }

    /// The bytes from and to which each piece went, in order of arrival; a question has none.
    pub fn said(&self) -> Vec<Option<(usize, usize)>> {
        self.receiver.arrived().iter().map(|arrived| range(arrived).0).collect()
    }
}

fn path(arrived: &Arrived) -> String {
    arrived.request_line.split(' ').nth(1).unwrap().to_owned()
}

/// `bytes 0-99/300`: (0, 100) and 300; `bytes */300`: none and 300.
fn range(arrived: &Arrived) -> (Option<(usize, usize)>, usize) {
    let (part, whole) = arrived.header("content-range").strip_prefix("bytes ").unwrap().split_once('/').unwrap();
    let part = part.split_once('-').map(|(from, to)| (from.parse().unwrap(), to.parse::<usize>().unwrap() + 1));
    (part, whole.parse().unwrap())
}

fn put(kept: &mut BTreeMap<String, Vec<u8>>, arrived: &Arrived, most: usize) -> Answer {
    let (part, whole) = range(arrived);
    let has = kept.entry(path(arrived)).or_default();
    if let Some((from, _)) = part {
        if from > has.len() {
            return Answer::status(416);
        }
        has.truncate(from);
        has.extend_from_slice(&arrived.body[..arrived.body.len().min(most)]);
    }
    let range = if has.is_empty() { String::new() } else { format!("Range: bytes=0-{}\r\n", has.len() - 1) };
    let status = if has.len() == whole { "201 Created" } else { "308 Permanent Redirect" };
    Answer::Bytes(format!("HTTP/1.1 {status}\r\n{range}Connection: close\r\nContent-Length: 0\r\n\r\n").into_bytes())
}

/// Each request is a message of its own, about one part of `clip`, and bears both signatures.
pub fn assert_signed(arrived: &[Arrived], key: &Key, clip: &[u8]) {
    let digest = |bytes: &[u8]| format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)));
    for request in arrived {
        assert!(request.request_line.starts_with("PUT "), "{}", request.request_line);
        let range = request.header("content-range").strip_prefix("bytes ").unwrap();
        let path = path(request);
        let name = path.rsplit('/').next().unwrap().strip_suffix(".mp4").unwrap();
        let id = request.header("webhook-id");
        assert_eq!((id, request.header("idempotency-key")), (&*format!("{name}:{range}"), id));
        let message = Message { id, timestamp: request.header("webhook-timestamp").parse().unwrap() };
        let keys = std::slice::from_ref(key);
        assert_eq!(verify(keys, request.header("webhook-signature"), Some(message), &request.body), Ok(()));
        assert_eq!(verify(keys, request.header("x-trio-signature"), None, &request.body), Ok(()));
        assert_eq!(request.header("content-length"), request.body.len().to_string(), "of a question, too");
        assert_eq!(request.header("content-type"), "video/mp4");
        assert_eq!(request.header("repr-digest"), digest(clip));
        assert_eq!(request.header("content-digest"), digest(&request.body));
    }
}
