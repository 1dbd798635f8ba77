//! How a camera's keyframes are decoded one by one.
//!
//! Owns the way to a decoder: a shared one, or one of the camera's own where none was free twice in a row; refuses to know
//! who sleeps. Runs on the thread `camera-<name>`.

use std::time::Duration;

use super::decoder::{Decoded, Decoder};
use super::hardware::Lineup;
use super::packet::Packet;
use super::pool::Pool;
use super::problem::Problem;
use crate::time::{Mono, Now};

/// So many keyframes in a row may be left out because no shared decoder is free.
const TOLERATED: u64 = 1;

/// The log tells no more often of a want of decoders.
const QUIET_LOG: Duration = Duration::from_secs(60);

/// One camera's.
pub(super) struct Lone<'p> {
    pool: &'p Pool,
    in_a_row: u64,
    refused: u64,
    warned: Option<Mono>,
}

impl<'p> Lone<'p> {
    pub(super) fn new(pool: &'p Pool) -> Lone<'p> {
        Lone { pool, in_a_row: 0, refused: 0, warned: None }
    }

    /// Decodes one keyframe by itself; its `pts` is zero. None: no decoder was free, and this one is left out.
    pub(super) fn decode(
        &mut self,
        keyframe: &Packet,
        lineup: impl Into<Lineup>,
        wanted: impl Fn(Now) -> bool,
    ) -> Result<Option<Decoded>, Problem> {
        let lineup = lineup.into();
        if let Some(decoded) = self.pool.lone(keyframe, lineup.clone(), &wanted)? {
            self.in_a_row = 0;
            return Ok(Some(decoded));
        }
        self.in_a_row += 1;
        self.refused += 1;
        self.warn(keyframe.arrived.mono);
        if self.in_a_row <= TOLERATED {
            return Ok(None);
        }
        Decoder::new(keyframe.codec, lineup)?.lone(keyframe, wanted).map(Some)
    }

    fn warn(&mut self, at: Mono) {
        if self.warned.is_none_or(|warned| at.since(warned) >= QUIET_LOG) {
            self.warned = Some(at);
            let refused = self.refused;
            tracing::warn!(refused, "no shared decoder was free for a keyframe; this machine decodes more than it can");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ingest::{Ingest, Stop};
    use super::*;
    use crate::camera::Codec;
    use crate::config::Hardware;

    fn keyframe() -> Packet {
        gstreamer::init().unwrap();
        let text = format!("videotestsrc num-buffers=1 ! x264enc speed-preset=ultrafast ! {}", Codec::H264.tail());
        let mut ingest = Ingest::start(&text, |_| (), 1).unwrap();
        loop {
            match ingest.next(Duration::from_secs(30)) {
                Ok(Some(packet)) => return packet,
                Ok(None) => {}
                Err(Stop::End) => panic!("no packet"),
                Err(_) => panic!("{text} does not run"),
            }
        }
    }

    #[test]
    fn whom_the_pool_refuses_twice_decodes_alone() {
        let (keyframe, crowded, roomy) = (keyframe(), Pool::new(0), Pool::new(1));
        let mut lone = Lone::new(&crowded);
        let mut pictures =
            || lone.decode(&keyframe, &Hardware::Off, |_| true).unwrap().map(|decoded| decoded.frames.len());
        assert_eq!([pictures(), pictures()], [None, Some(1)]);
        assert_eq!((lone.refused, lone.warned), (2, Some(keyframe.arrived.mono)));
        lone.pool = &roomy;
        assert!(lone.decode(&keyframe, &Hardware::Off, |_| true).unwrap().is_some());
        assert_eq!(lone.in_a_row, 0, "it takes turns again");
    }
}
