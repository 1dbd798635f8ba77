//! What becomes of a camera's packets: kept, decoded or slept through.
//!
//! Owns the ring, the decoder and the decision what is decoded; refuses to know connections. Frames that somebody wants go
//! into the mailbox, what was decoded is counted on the board. Runs on the thread `camera-<name>`.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use super::decoder::{Decoded, Decoder};
use super::mailbox::Mailbox;
use super::packet::Packet;
use super::problem::Problem;
use super::ring::Ring;
use super::settings::Settings;
use super::status::Board;
use crate::time::Now;

/// What was seen of one packet, or of none.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whole pictures that came out, wanted or not.
    pub(super) pictures: u64,
    /// Of the newest of them: equal for pictures that are the same in every sample of their light. None: nobody looked.
    pub(super) fingerprint: Option<u64>,
    /// That picture is one even colour.
    pub(super) uniform: bool,
}

/// The way from packets to frames.
pub(super) struct Feed {
    settings: Arc<Settings>,
    mailbox: Arc<Mailbox>,
    board: Arc<Board>,
    ring: Ring,
    decoder: Option<Decoder>,
}

impl Feed {
    pub(super) fn new(settings: Arc<Settings>, mailbox: Arc<Mailbox>, board: Arc<Board>) -> Feed {
        Feed { settings, mailbox, board, ring: Ring::default(), decoder: None }
    }

    /// A packet came.
    pub(super) fn packet(&mut self, packet: Packet, now: Now) -> Result<Seen, Problem> {
        let mailbox = &self.mailbox;
        let decoder = match &mut self.decoder {
            Some(decoder) if decoder.codec() == packet.codec => decoder,
            place => place.insert(Decoder::new(packet.codec, &self.settings.hardware)?),
        };
        let decoded = decoder.decode(&packet, |arrived| mailbox.wants(arrived.mono))?;
        self.ring.push(packet);
        Ok(self.hand_over(decoded, now))
    }

    /// There is no more to come.
    pub(super) fn finish(&mut self, now: Now) -> Result<Seen, Problem> {
        let mailbox = &self.mailbox;
        let Some(decoder) = &mut self.decoder else { return Ok(Seen::default()) };
        let decoded = decoder.drain(|arrived| mailbox.wants(arrived.mono))?;
        Ok(self.hand_over(decoded, now))
    }

    /// What comes next is another connection's.
    pub(super) fn disconnected(&mut self) {
        self.ring.clear();
        self.decoder = None;
    }

    fn hand_over(&self, decoded: Decoded, now: Now) -> Seen {
        if decoded.pictures > 0 {
            self.board.pictures(now, decoded.pictures, decoded.frames.len() as u64);
        }
        let (fingerprint, uniform) = decoded.frames.last().map_or((None, false), |frame| {
            let luma = frame.planes.first().map_or(&[][..], |plane| &plane.data[..]);
            (Some(fingerprint(luma)), is_uniform(luma))
        });
        for frame in decoded.frames {
            self.mailbox.put(frame);
        }
        Seen { pictures: decoded.pictures, fingerprint, uniform }
    }
}

fn fingerprint(luma: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(luma);
    hasher.finish()
}

/// Levels between the darkest and the brightest sample of a picture with nothing in it.
const EVEN: u8 = 8;

/// One sample in so many is looked at.
const SPARSE: usize = 61;

fn is_uniform(luma: &[u8]) -> bool {
    let samples = luma.iter().step_by(SPARSE);
    let (low, high) = samples.fold((u8::MAX, 0), |(low, high), sample| (low.min(*sample), high.max(*sample)));
    high.saturating_sub(low) <= EVEN
}
