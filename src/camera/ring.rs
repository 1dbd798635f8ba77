//! The last seconds of a camera, still encoded.
//!
//! Owns the previous and the current group of pictures (GOP), what else a wake looks back at, and as much as a recording
//! begins with, whole or not at all; refuses to know who decodes or records them and when. Pure: no clock, no thread.

use std::collections::VecDeque;
use std::time::Duration;

use super::packet::{Class, Packet};
use crate::time::Mono;

/// Encoded bytes that one camera may hold: two GOPs of 2 s at 16 Mbit/s, which a 4K camera sends.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// … and so many more for each second of pre-roll: 16 Mbit/s as well.
const BYTES_A_SECOND: usize = 2 * 1024 * 1024;

/// GOPs that are shorter than this are held until they are so old, all of them: a sleeping camera doesn't look at each.
pub const SPAN: Duration = Duration::from_millis(1500);

/// Encoded bytes that a camera may hold whose clips begin so long before their alert.
pub(super) fn max_bytes(pre_roll: Duration) -> usize {
    let seconds = usize::try_from(pre_roll.as_millis().div_ceil(1000)).unwrap_or(usize::MAX);
    BYTES_A_SECOND.saturating_mul(seconds).saturating_add(MAX_BYTES)
}

/// The packets of the previous and of the current GOP, and of those before them what is not older than the pre-roll, oldest
/// first, in decoding order.
///
/// Every GOP in it is whole: it begins where decoding can start. When the bytes do not suffice the oldest GOP goes
/// first; a current GOP that is too large for itself is let go as a whole, up to the next keyframe.
#[derive(Debug)]
pub struct Ring {
    max_bytes: usize,
    pre_roll: Duration,
    bytes: usize,
    packets: VecDeque<Packet>,
}

impl Default for Ring {
    fn default() -> Self {
        Ring::new(MAX_BYTES)
    }
}

impl Ring {
    /// An empty ring that holds at most `max_bytes` of encoded data.
    pub fn new(max_bytes: usize) -> Ring {
        Ring { max_bytes, pre_roll: Duration::ZERO, bytes: 0, packets: VecDeque::new() }
    }

    /// Holds so much from now on, beginning with a keyframe at or before that.
    pub fn hold(&mut self, pre_roll: Duration) {
        (self.pre_roll, self.max_bytes) = (pre_roll, max_bytes(pre_roll));
    }

    /// Takes the next packet. A packet of another connection or codec ends what was there. False: its bytes cost what came
    /// since the latest keyframe, or since the one before if it is itself one.
    pub fn push(&mut self, packet: Packet) -> bool {
        let continues = |last: &Packet| last.connection == packet.connection && last.codec == packet.codec;
        if !self.packets.back().is_some_and(continues) {
            self.clear();
            if packet.class == Class::Delta {
                return true;
            }
        }
        self.bytes += packet.data.len();
        self.packets.push_back(packet);
        let mut fits = true;
        while self.bytes > self.max_bytes || self.is_oldest_of_no_use() {
            let is_full = self.bytes > self.max_bytes;
            self.drop_oldest();
            fits &= !is_full || self.packets.len() > 1;
        }
        fits
    }

    /// Whether anything is held for recordings.
    pub fn has_pre_roll(&self) -> bool {
        !self.pre_roll.is_zero()
    }

    /// Where each GOP begins. A place where decoding may start with a delay is none after a keyframe.
    fn starts(&self) -> impl Iterator<Item = usize> {
        let first = self.packets.front().map(|packet| packet.class);
        let begins = move |packet: &Packet| Some(packet.class) == first || packet.class == Class::Idr;
        (0..self.packets.len()).filter(move |at| begins(&self.packets[*at]))
    }

    fn is_oldest_of_no_use(&self) -> bool {
        self.are_old(&mut self.starts().skip(1), SPAN.max(self.pre_roll))
    }

    /// Whether the first of `starts` is not among the latest two, and what begins with it reaches back for `span`.
    fn are_old(&self, starts: &mut impl Iterator<Item = usize>, span: Duration) -> bool {
        let (Some(first), Some(_), Some(newest)) = (starts.next(), starts.next(), self.packets.back()) else {
            return false;
        };
        newest.arrived.mono.since(self.packets[first].arrived.mono) >= span
    }

    fn drop_oldest(&mut self) {
        let end = self.starts().nth(1).unwrap_or(self.packets.len());
        self.bytes -= self.packets.drain(..end).map(|packet| packet.data.len()).sum::<usize>();
    }

    /// What a wake looks back at, oldest first: feeding it to a decoder from the start gives every picture. It is everything
    /// that is held but for the pre-roll.
    pub fn packets(&self) -> impl DoubleEndedIterator<Item = &Packet> {
        let starts: Vec<usize> = self.starts().collect();
        let old = (1..starts.len()).take_while(|nth| self.are_old(&mut starts[*nth..].iter().copied(), SPAN)).count();
        self.packets.range(starts.get(old).copied().unwrap_or_default()..)
    }

    /// The current GOP, and what is needed before it to have every picture that arrived at `from` or later.
    pub fn since(&self, from: Mono) -> impl Iterator<Item = &Packet> {
        let current = self.starts().last().unwrap_or_default();
        let start = self.starts().take_while(|at| self.packets[*at].arrived.mono <= from).last().unwrap_or_default();
        self.packets.range(start.min(current)..)
    }

    /// The packet that came last.
    pub fn newest(&self) -> Option<&Packet> {
        self.packets.back()
    }

    /// The keyframe that came last.
    pub fn keyframe(&self) -> Option<&Packet> {
        self.packets.iter().rev().find(|packet| packet.class == Class::Idr)
    }

    /// Encoded bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets everything go.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::codec::Codec;
    use super::super::turn::Turn;
    use super::*;
    use crate::time::Now;

    fn packet(connection: u64, pts: u64, class: Class, bytes: usize) -> Packet {
        let pts = Duration::from_millis(pts);
        Packet {
            codec: Codec::H264,
            data: vec![0; bytes].into(),
            pts,
            dts: pts,
            class,
            after_loss: false,
            turn: Turn::None,
            arrived: Now::in_clip(pts),
            connection,
        }
    }

    fn held(ring: &Ring) -> Vec<u128> {
        ring.packets().map(|packet| packet.pts.as_millis()).collect()
    }

    fn since(ring: &Ring, from_ms: u64) -> Option<u128> {
        ring.since(Mono(from_ms * 1_000_000)).next().map(|packet| packet.pts.as_millis())
    }

    /// One packet a second.
    fn ring_of(classes: &[Class]) -> Ring {
        let mut ring = Ring::new(1000);
        for (second, class) in (0..).zip(classes) {
            ring.push(packet(1, second * 1000, *class, 10));
        }
        ring
    }

    #[test]
    fn holds_the_previous_and_the_current_gop() {
        let gop = [Class::Idr, Class::Delta, Class::Delta];
        let ring = ring_of(&[&gop[..], &gop, &gop, &gop[..1]].concat());
        assert_eq!(held(&ring), [6000, 7000, 8000, 9000]);
        assert_eq!(ring.bytes(), 40);
        assert_eq!([6000, 8999, 9000, 9999].map(|from| since(&ring, from)), [6000, 6000, 9000, 9000].map(Some));
        assert_eq!(since(&ring, 0), Some(6000), "what there is");
    }

    #[test]
    fn short_gops_are_held_for_a_while() {
        let mut ring = Ring::new(1000);
        (0..40).for_each(|nth| assert!(ring.push(packet(1, nth * 100, Class::Idr, 10))));
        assert_eq!(held(&ring).first(), Some(&2400), "1.5 s, and the GOP that it began in");
    }

    #[test]
    fn the_pre_roll_is_held_and_a_wake_looks_back_no_further_for_it() {
        let mut ring = Ring::new(1000);
        ring.hold(Duration::from_secs(5));
        (0..40).for_each(|second| {
            let class = if second % 2 == 0 { Class::Idr } else { Class::Delta };
            assert!(ring.push(packet(1, second * 1000, class, 1 << 20)));
        });
        assert_eq!(since(&ring, 34_500), Some(34_000), "5 s before the newest");
        assert_eq!(held(&ring), [36_000, 37_000, 38_000, 39_000], "as without");
        assert_eq!(ring.keyframe().map(|keyframe| keyframe.pts.as_secs()), Some(38));
        ring.hold(Duration::ZERO);
        ring.push(packet(1, 40_000, Class::Idr, 10));
        assert_eq!((since(&ring, 0), ring.newest().map(|newest| newest.pts.as_secs())), (Some(38_000), Some(40)));
    }

    #[test]
    fn a_place_to_join_does_not_end_a_gop_that_began_with_a_keyframe() {
        use Class::{Delta, Idr, Recovery};
        assert_eq!(held(&ring_of(&[Idr, Recovery, Delta, Recovery, Recovery])).len(), 5);
        assert_eq!(held(&ring_of(&[Idr, Delta, Idr, Recovery, Idr])), [2000, 3000, 4000]);
        assert_eq!(held(&ring_of(&[Recovery, Delta, Delta, Recovery, Delta, Delta, Recovery])).len(), 4);
    }

    #[test]
    fn a_stream_that_starts_in_the_middle_of_a_gop_waits_for_a_keyframe() {
        let mut ring = Ring::new(1000);
        ring.push(packet(1, 0, Class::Delta, 10));
        assert_eq!(held(&ring), [] as [u128; 0]);
        ring.push(packet(1, 1, Class::Recovery, 10));
        assert_eq!(held(&ring), [1]);
    }

    #[test]
    fn another_connection_ends_what_was_there() {
        let mut ring = Ring::new(1000);
        ring.push(packet(1, 500, Class::Idr, 10));
        ring.push(packet(2, 0, Class::Delta, 10));
        assert_eq!(held(&ring), [] as [u128; 0]);
        ring.push(packet(2, 1, Class::Idr, 10));
        assert_eq!(held(&ring), [1]);
    }

    #[test]
    fn bytes_are_bounded_by_whole_gops() {
        let mut ring = Ring::new(100);
        ring.push(packet(1, 0, Class::Idr, 60));
        ring.push(packet(1, 1, Class::Idr, 60));
        assert_eq!(held(&ring), [1], "the previous GOP goes first");
        ring.push(packet(1, 2, Class::Delta, 60));
        assert_eq!(held(&ring), [] as [u128; 0], "a GOP without its keyframe is worth nothing");
        ring.push(packet(1, 3, Class::Delta, 10));
        assert_eq!(held(&ring), [] as [u128; 0]);
        ring.push(packet(1, 4, Class::Idr, 10));
        assert_eq!(held(&ring), [4]);
    }

    #[test]
    fn a_gop_that_is_lost_to_want_of_room_is_told() {
        let mut ring = Ring::new(100);
        let mut fits = |at, class, bytes| ring.push(packet(1, at, class, bytes));
        assert!(fits(0, Class::Idr, 50) && fits(1, Class::Delta, 40));
        assert!(!fits(2, Class::Idr, 50), "nothing of what came before it is left");
        assert!(fits(3, Class::Delta, 10) && fits(4, Class::Idr, 30));
        assert!(fits(5, Class::Delta, 30), "the current GOP is whole");
        assert!(!fits(6, Class::Delta, 50), "it is no more");
        assert!(fits(7, Class::Delta, 50), "told once");
    }

    proptest! {
        #[test]
        fn whatever_comes_it_is_bounded_and_decodable(steps in prop::collection::vec((1u64..3, 0u8..4, 0usize..80), 0..200)) {
            let mut ring = Ring::new(150);
            for (pts, (connection, class, bytes)) in steps.into_iter().enumerate() {
                let class = [Class::Idr, Class::Recovery, Class::Delta, Class::Delta][usize::from(class)];
                ring.push(packet(connection, pts as u64, class, bytes));
                prop_assert!(ring.bytes() <= 150);
                prop_assert_eq!(ring.bytes(), ring.packets().map(|held| held.data.len()).sum::<usize>());
                prop_assert!(ring.packets().next().is_none_or(|first| first.class != Class::Delta));
                prop_assert!(ring.packets().all(|held| held.connection == connection));
            }
        }
    }
}
