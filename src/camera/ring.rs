//! The last seconds of a camera, still encoded.
//!
//! Owns the previous and the current group of pictures (GOP), whole or not at all; refuses to know who decodes them and
//! when. Pure: no clock, no thread.

use std::collections::VecDeque;

use super::packet::{Class, Packet};

/// Encoded bytes that one camera may hold: two GOPs of 2 s at 16 Mbit/s, which a 4K camera sends.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The packets of the previous and of the current GOP, oldest first, in decoding order.
///
/// Every GOP in it is whole: it begins where decoding can start. When the bytes do not suffice the previous GOP goes
/// first; a current GOP that is too large for itself is let go as a whole, up to the next keyframe.
#[derive(Debug)]
pub struct Ring {
    max_bytes: usize,
    bytes: usize,
    previous: VecDeque<Packet>,
    current: VecDeque<Packet>,
}

impl Default for Ring {
    fn default() -> Self {
        Ring::new(MAX_BYTES)
    }
}

impl Ring {
    /// An empty ring that holds at most `max_bytes` of encoded data.
    pub fn new(max_bytes: usize) -> Ring {
        Ring { max_bytes, bytes: 0, previous: VecDeque::new(), current: VecDeque::new() }
    }

    /// Takes the next packet. A packet of another connection ends what was there.
    pub fn push(&mut self, packet: Packet) {
        if self.current.back().is_some_and(|last| last.connection != packet.connection) {
            self.clear();
        }
        if packet.class != Class::Delta {
            self.previous = std::mem::take(&mut self.current);
        } else if self.current.is_empty() {
            return;
        }
        self.current.push_back(packet);
        self.bytes = self.packets().map(|held| held.data.len()).sum();
        if self.bytes > self.max_bytes {
            self.previous.clear();
            self.bytes = self.current.iter().map(|held| held.data.len()).sum();
        }
        if self.bytes > self.max_bytes {
            self.clear();
        }
    }

    /// Everything held, oldest first: feeding it to a decoder from the start gives every picture.
    pub fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.previous.iter().chain(&self.current)
    }

    /// The current GOP only.
    pub fn current(&self) -> impl Iterator<Item = &Packet> {
        self.current.iter()
    }

    /// Encoded bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets everything go.
    pub fn clear(&mut self) {
        self.previous.clear();
        self.current.clear();
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

    #[test]
    fn holds_the_previous_and_the_current_gop() {
        let mut ring = Ring::new(1000);
        for pts in 0..10 {
            let class = if pts % 3 == 0 { Class::Idr } else { Class::Delta };
            ring.push(packet(1, pts, class, 10));
        }
        assert_eq!(held(&ring), [6, 7, 8, 9]);
        assert_eq!(ring.current().count(), 1);
        assert_eq!(ring.bytes(), 40);
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
                prop_assert!(ring.packets().filter(|held| held.class != Class::Delta).count() <= 2);
                prop_assert!(ring.packets().all(|held| held.connection == connection || ring.current().count() == 0));
            }
        }
    }
}
