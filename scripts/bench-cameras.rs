//! What of a clip a camera would decode and hand over, for `scripts/bench cameras`: the product's own feed, policy and gate, in
//! the clip's time instead of the wall's.
//!
//! `camera_rehearsal` reads one JSON object a line from stdin, `{"clip": path, "decode": "auto" | "all" | "keyframes"}` with
//! `notice_ms`, `every_ms` (between two checks), and answers each with a line of JSON, times in seconds of the clip: what was
//! `awake`, the `checks` that would have been made, the frames that were `still` (handed over, and kept from the model by the
//! gate), the `packets` and how many of them were decoded. Nothing ever opens an event here: only movement keeps a camera awake.

#![allow(clippy::print_stdout, reason = "its answers")]

use std::error::Error;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stakeout::camera::{Address, Demand, Rehearsal, Settings};
use stakeout::config::Decode;
use stakeout::frame::Motion;
use stakeout::time::{Mono, Now};

/// As many as the watch loop asks for at most.
const BURST: usize = 16;

/// A frame may be early by this part of the time between two checks, as in the watch loop.
const EARLY: u32 = 4;

#[derive(Deserialize)]
struct Asked {
    clip: PathBuf,
    decode: String,
    notice_ms: u64,
    every_ms: u64,
}

#[derive(Default, Serialize)]
struct Told {
    seconds: f64,
    packets: u64,
    decoded: u64,
    awake: Vec<[f64; 2]>,
    checks: Vec<f64>,
    still: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lock().lines() {
        let asked: Asked = serde_json::from_str(&line?)?;
        println!("{}", serde_json::to_string(&rehearse(&asked)?)?);
    }
    Ok(())
}

fn rehearse(asked: &Asked) -> Result<Told, Box<dyn Error>> {
    let mut camera = Rehearsal::open(&asked.clip, settings(asked)?)?;
    let every = Duration::from_millis(asked.every_ms);
    let mut next = Mono(0);
    let mut told = Told::default();
    loop {
        // As in the watch loop: a frame may be a little early, and the rhythm is kept where it can be.
        let due = |next: Mono| next.minus(every / EARLY);
        camera.mailbox().demand(Demand { every, burst: BURST, ..Demand::newest_from(due(next)) });
        let Some(now) = camera.next()? else { return Ok(told) };
        told.packet(now, &camera);
        for frame in camera.mailbox().take().frames {
            let at = frame.arrived.mono;
            if at < due(next) {
                continue;
            }
            next = if at < next.plus(every) { next.plus(every) } else { at.plus(every) };
            let list = if frame.motion == Motion::Still { &mut told.still } else { &mut told.checks };
            list.push(seconds(frame.arrived));
        }
    }
}

fn settings(asked: &Asked) -> Result<Settings, Box<dyn Error>> {
    let decode = match asked.decode.as_str() {
        "auto" => Decode::Auto,
        "all" => Decode::All,
        "keyframes" => Decode::Keyframes,
        other => return Err(format!("`{other}` is no `decode`").into()),
    };
    let nowhere = Address::File { path: Path::new("").to_owned(), repeat: false };
    Ok(Settings { decode, notice_within: Some(Duration::from_millis(asked.notice_ms)), ..Settings::at(nowhere) })
}

impl Told {
    fn packet(&mut self, now: Now, camera: &Rehearsal) {
        let status = camera.status();
        self.seconds = seconds(now);
        self.packets += 1;
        self.decoded = status.packets_decoded;
        if status.decoding.mode.as_str() == "keyframes" {
            return;
        }
        match self.awake.last_mut() {
            // One packet after the other.
            Some(spell) if self.seconds - spell[1] < 1.0 => spell[1] = self.seconds,
            _ => self.awake.push([self.seconds, self.seconds]),
        }
    }
}

fn seconds(at: Now) -> f64 {
    at.mono.0 as f64 / 1e9
}
