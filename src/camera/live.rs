//! A camera's own decoder while it is awake, and what has been decoded before that.
//!
//! Owns where the decoder stands in the connection, and which pictures have been out already, so that none comes twice;
//! refuses to decide anything. Runs on the thread `camera-<name>`.

use std::collections::VecDeque;
use std::time::Duration;

use super::cost::Cost;
use super::decoder::{Decoded, Decoder};
use super::packet::{Class, Packet};
use super::problem::Problem;
use crate::time::{self, Mono, Now};

/// A pause in a stream says nothing about what decoding costs.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// As many keyframes decoded alone as can still be in the ring.
const REMEMBERED: usize = 8;

/// A decoder that is fed with everything.
pub(super) struct Live {
    pub(super) decoder: Decoder,
    /// When the newest packet that it was fed with arrived.
    pub(super) newest: Mono,
    /// When the newest picture arrived that had been looked at before it began.
    pub(super) looked: Option<Mono>,
    /// When the packet arrived that it began for: pictures that arrived before come late.
    pub(super) woken: Mono,
    dts: Duration,
    /// From the connection's first picture to the decoder's.
    offset: Option<Duration>,
}

impl Live {
    pub(super) fn new(decoder: Decoder, looked: Option<Mono>, woken: Mono) -> Live {
        Live { decoder, newest: Mono(0), looked, woken, dts: Duration::MAX, offset: None }
    }

    /// What is to be added to the times of its frames.
    pub(super) fn offset(&self) -> Duration {
        self.offset.unwrap_or_default()
    }

    /// Feeds one packet, and puts down what that cost.
    pub(super) fn decode(
        &mut self,
        packet: &Packet,
        origin: Option<Duration>,
        cost: &mut Cost,
        wanted: impl Fn(Now) -> bool,
    ) -> Result<Decoded, Problem> {
        if packet.class != Class::Delta && self.offset.is_none() {
            self.offset = Some(packet.pts.saturating_sub(origin.unwrap_or(packet.pts)));
        }
        self.newest = self.newest.max(packet.arrived.mono);
        let before = time::worked();
        let decoded = self.decoder.decode(packet, wanted);
        let step = packet.dts.saturating_sub(self.dts).min(LONGEST_STEP);
        self.dts = packet.dts;
        cost.decoded(packet.class != Class::Delta, step, time::worked().saturating_sub(before));
        decoded
    }
}

/// What has been decoded of the packets that are still at hand. All by arrival, which no two packets share.
#[derive(Debug, Default)]
pub(super) struct Past {
    alone: VecDeque<Mono>,
    until: Option<Mono>,
    handed: Option<Mono>,
}

impl Past {
    /// A keyframe was decoded alone.
    pub(super) fn decoded_alone(&mut self, arrived: Mono) {
        self.alone.truncate(REMEMBERED - 1);
        self.alone.push_front(arrived);
    }

    /// The latest keyframe that was decoded alone.
    pub(super) fn latest_alone(&self) -> Option<Mono> {
        self.alone.front().copied()
    }

    /// Everything up to here was decoded by a decoder that is no more.
    pub(super) fn decoded_until(&mut self, arrived: Mono) {
        self.until = self.until.max(Some(arrived));
    }

    /// A frame was handed over.
    pub(super) fn handed_over(&mut self, arrived: Mono) {
        self.handed = self.handed.max(Some(arrived));
    }

    /// Whether the picture has been out before.
    pub(super) fn knows(&self, arrived: Mono) -> bool {
        Some(arrived) <= self.until || self.alone.contains(&arrived)
    }

    /// Whether the picture may still be handed over: it has not been out before, and nothing newer has been handed over.
    pub(super) fn lacks(&self, arrived: Mono) -> bool {
        !self.knows(arrived) && Some(arrived) > self.handed
    }

    /// The packets are gone.
    pub(super) fn forget(&mut self) {
        *self = Past { handed: self.handed, ..Past::default() };
    }
}
